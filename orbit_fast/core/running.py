"""Proving an object while its bytes are passed on, in order, to somebody who cannot give them back.

The best that the service offers decides how: a CRC of the whole object is combined from the CRCs of the ranges, which
were computed where they arrived; everything else (an MD5 or SHA of the whole, digests of the parts of a multipart
upload) does not combine, and is computed over the bytes as they pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from orbit_fast.core import etag
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.fetching import Opened
from orbit_fast.core.messages import Verified

if TYPE_CHECKING:
    from orbit_fast.core.checksum import Hasher
    from orbit_fast.core.model import Checksum

_MD5 = "MD5"


class _Md5:
    """MD5 in the form of the other hashers; its `value` is hexadecimal, as in an ETag."""

    def __init__(self) -> None:
        running = hashlib.md5(usedforsecurity=False)
        self.update = running.update
        self.digest = running.digest
        self.value = running.hexdigest


class RunningProof:
    """One object's proof. Every byte of it passes `update` once, in order.

    Attributes:
        range_algorithm: what whoever fetches a range is to compute over it; ``''``: nothing that would help.
        verified: what `finish` will have proven, unless it raises.
        checksum: what the whole object will have been proven to have, or None.
    """

    def __init__(self, key: str, opened: Opened) -> None:
        """Choose what the object `key`, as the service describes it, is compared with."""
        self._key = key
        self._wanted = ""
        self._combined = ""
        self._passed = 0
        self._part_size = 0
        self._pieces: list[str] = []
        self._new: Callable[[], Hasher | _Md5] = _Md5
        self._running: Hasher | _Md5 | None = None
        self._parts_algorithm = ""
        self.range_algorithm = ""
        self.verified = Verified.SIZE
        self.checksum: Checksum | None = None
        stored = opened.checksum
        if stored is not None and stored.kind == "FULL_OBJECT":
            self._take_whole(stored)
        elif etag.is_md5(opened.etag, opened.encryption):
            self._wanted, self.verified, self._running = opened.etag, Verified.ETAG, _Md5()
        elif opened.part_size:
            self._take_parts(opened, stored)

    def _take_whole(self, stored: Checksum) -> None:
        self._wanted, self.verified, self.checksum = stored.value, Verified.CHECKSUM, stored
        if is_combinable(stored.algorithm):
            self.range_algorithm = stored.algorithm
            self._combined = new_hasher(stored.algorithm).value()
        else:
            self._running = new_hasher(stored.algorithm)

    def _take_parts(self, opened: Opened, stored: Checksum | None) -> None:
        self._part_size = opened.part_size
        if stored is None:
            self._parts_algorithm, self._wanted, self.verified = _MD5, opened.etag, Verified.ETAG
        else:
            algorithm = stored.algorithm
            self._parts_algorithm, self._wanted, self.verified = algorithm, stored.value, Verified.CHECKSUM
            self.checksum = stored
            self._new = lambda: new_hasher(algorithm)
        self._running = self._new()

    def update(self, data: memoryview, checksum: str) -> None:
        """The next bytes, and their checksum in `range_algorithm`."""
        if self.range_algorithm:
            pieces = [(self._combined, self._passed), (checksum, len(data))]
            self._combined = combine(self.range_algorithm, pieces)
        elif self._part_size:
            self._update_parts(data)
        elif self._running is not None:
            self._running.update(data)
        self._passed += len(data)

    def finish(self) -> Verified:
        """All bytes have passed.

        Raises:
            ChecksumMismatch: they are not the object's.
        """
        if not self._wanted:
            return self.verified
        found = self._found()
        if found != self._wanted:
            raise ChecksumMismatch(self._key, self._wanted, found)
        return self.verified

    def _update_parts(self, data: memoryview) -> None:
        done = 0
        while done < len(data):
            into = (self._passed + done) % self._part_size
            if not into and self._passed + done:
                self._end_part()
            size = min(self._part_size - into, len(data) - done)
            assert self._running is not None, "parts are being computed"
            self._running.update(data[done : done + size])
            done += size

    def _end_part(self) -> None:
        assert self._running is not None, "parts are being computed"
        self._pieces.append(self._running.value())
        self._running = self._new()

    def _found(self) -> str:
        if self.range_algorithm:
            return self._combined
        assert self._running is not None, "there is something to compare with"
        if not self._parts_algorithm:
            return self._running.value()
        pieces = [*self._pieces, self._running.value()]
        if self._parts_algorithm == _MD5:
            return etag_of_parts([bytes.fromhex(piece) for piece in pieces])
        return composite(self._parts_algorithm, pieces)
