"""A byte range of a file as a request body, read through one slot.

The range is read twice. `prepare` reads it once, out of the page cache at best, for the checksum that goes into the
request's head; the sending pass computes the checksum again over the very bytes that are handed to the transport. If
the two differ, the file changed in between: the body refuses to end, so the request cannot succeed (and the service,
which was told the first checksum, would refuse it too).
"""

from __future__ import annotations

import hashlib
import os

from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.model import Checksum
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.sources import SourceFile

STEP_BYTES = 256 * 1024
"""Read, checksummed and sent at once: with the page cache's own copy it fits a core's second cache (1 MiB costs a fifth
more CPU), and it bounds what a TLS transport holds of a body."""


class FileBody:
    """`size` bytes of the open file, from `offset`. The file and the slot belong to the caller."""

    def __init__(self, source: SourceFile, offset: int, size: int, *, slot: memoryview, algorithm: str) -> None:
        self._source = source
        self._offset = offset
        self._size = size
        self._slot = slot
        self._hasher = new_hasher(algorithm)
        self._algorithm = algorithm
        self._sent = 0
        self._sha256 = UNSIGNED_PAYLOAD
        self._checksum: Checksum | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._size

    @property
    def sha256(self) -> str:
        """Hex digest, where `prepare` was asked for it; else ``UNSIGNED-PAYLOAD``."""
        return self._sha256

    def prepare(self, *, sign: bool) -> Checksum:
        """Read the range once and compute its checksum, and its SHA-256 where the payload is signed.

        Raises:
            SourceChanged: the file is shorter than it was.
            LocalError: it cannot be read.
        """
        hasher = new_hasher(self._algorithm)
        sha256 = hashlib.sha256() if sign else None
        done = 0
        while done < self._size:
            chunk = self._read(done)
            hasher.update(chunk)
            if sha256 is not None:
                sha256.update(chunk)
            done += len(chunk)
            del chunk  # an error of the next read would carry this frame, and with it a view of the slot, about
        if sha256 is not None:
            self._sha256 = sha256.hexdigest()
        self._checksum = Checksum(self._algorithm, hasher.value())
        return self._checksum

    def md5(self) -> bytes:
        """The range's MD5, by reading it once more: for services that know nothing but MD5."""
        digest = hashlib.md5(usedforsecurity=False)
        done = 0
        while done < self._size:
            chunk = self._read(done)
            digest.update(chunk)
            done += len(chunk)
            del chunk  # as in `prepare`
        return digest.digest()

    def rewind(self) -> None:
        """Start again from the first byte."""
        self._sent = 0
        self._hasher = new_hasher(self._algorithm)

    def next_chunk(self) -> memoryview:
        """The next bytes, in the slot.

        Raises:
            SourceChanged: the last chunk shows that the bytes are not those that were announced.
            LocalError: the file cannot be read.
        """
        chunk = self._read(self._sent)
        self._hasher.update(chunk)
        self._sent += len(chunk)
        if self._sent == self._size and self._checksum is not None and self._hasher.value() != self._checksum.value:
            del chunk  # as in `prepare`
            raise SourceChanged("the file changed while it was being read")
        return chunk

    def _read(self, done: int) -> memoryview:
        """Bytes from `done` on: a step of them, if as many fit in the slot."""
        wanted = min(STEP_BYTES, len(self._slot), self._size - done)
        try:
            count = os.preadv(self._source.fd, [self._slot[:wanted]], self._offset + done)
        except OSError as error:
            raise local_error(error, self._source.path, Side.SOURCE) from None
        if count == 0:
            raise SourceChanged("the file became shorter while it was being read")
        return self._slot[:count]
