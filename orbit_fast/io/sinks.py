"""Where downloaded bytes go: into the shared receive memory, through the checksum, and at once to their place on disk.

The chunk just received is still in the processor's cache when it is checksummed and written; no part is ever held whole
in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orbit_fast.core import decode
from orbit_fast.core import etag
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts


class Target(Protocol):
    """A file that takes bytes at positions."""

    def write_at(self, view: memoryview, offset: int) -> None:
        """Write all of `view` at `offset`."""


class _Running(Protocol):
    """A checksum that is being computed."""

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""

    def value(self) -> str:
        """What it is now, in the form in which the service states it."""


class Md5:
    """MD5 in the form of the other hashers; `value` is what an ETag shows."""

    def __init__(self) -> None:
        self._digest = hashlib.md5(usedforsecurity=False)

    def update(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._digest.update(data)

    def value(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of the object before it is asked for.

    Attributes:
        key: for messages.
        size: bytes that must arrive, or -1 where unknown.
        etag: the version that must answer, or ``''`` for any.
        first: offset of the first byte.
        is_range: a part of the object was asked for, so Content-Range must say so.
        total: bytes of the whole object that a range must belong to, or -1 where unknown.
        algorithm: compute this checksum whatever the reply carries (parts), or ``''`` to take the reply's own.
        verify: compare with what the reply says about the whole object.
    """

    key: str
    size: int = -1
    etag: str = ""
    first: int = 0
    is_range: bool = False
    total: int = -1
    algorithm: str = ""
    verify: bool = True


class FileSink:
    """One reply's body on its way into a file.

    `open_target` is called with the head's facts when a good reply has begun, so that an answer of 404 leaves no file.
    A reply that breaks off can be continued by another one: see `resume`.
    After the body: `facts`, `verified`, and `checksum` (of these bytes, where one was computed).
    """

    def __init__(self, expected: Expected, receive: memoryview, open_target: Callable[[ObjectFacts], Target]) -> None:
        self._expected = expected
        self._receive = receive
        self._open_target = open_target
        self._target: Target | None = None
        self._position = 0
        self._length = -1
        self._hasher: _Running | None = None
        self._wanted = ""
        self._promise = Verified.NOTHING
        self._is_spoiled = False
        self._is_resumed = False
        self.facts = ObjectFacts(size=-1)
        self.verified = Verified.NOTHING
        self.checksum: Checksum | None = None

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:
        """Check that this is the object and the range that was asked for, and choose what to verify it with."""
        expected = self._expected
        is_resumed, self._is_resumed = self._is_resumed, False
        # Unless this turns out to be the rest that was asked for, the try after this one begins anew.
        self._is_spoiled = self._is_spoiled or is_resumed
        facts = decode.object_facts(headers, unsaid_size=-1)  # in chunks: the end says how long it was
        self._check_version(facts, headers)
        if is_resumed and self._continues(headers, length):
            self._is_spoiled = False
            return
        if expected.is_range:
            self._check_range(status, headers)
        elif status == 206 or "content-range" in headers:
            self._check_whole(headers)
        wanted = expected.size if expected.size >= 0 else length
        if length >= 0 and wanted >= 0 and length != wanted:
            raise SizeMismatch(f"{expected.key}: the service sends {length} bytes of {wanted}")
        self.facts = facts
        self._length = wanted
        self._position = 0
        self._is_spoiled = False
        self._choose_proof(facts)
        self._target = self._open(facts)

    def _open(self, facts: ObjectFacts) -> Target:
        """Where the bytes of this reply go."""
        return self._open_target(facts)

    def resume(self) -> int:
        """Keep what has arrived: the next reply may begin behind it. How much that is, in bytes; 0: begin anew.

        Only of a known version can another reply bring the rest.
        """
        kept = self.kept()
        self._is_resumed = kept > 0
        return kept

    def kept(self) -> int:
        """Bytes of an unfinished reply that another one can be put behind."""
        is_kept = bool(self._expected.etag) and not self._is_spoiled and 0 < self._position < self._length
        return self._position if is_kept else 0

    def _continues(self, headers: dict[str, str], length: int) -> bool:
        """Whether this reply is the rest that was asked for; a service that sends all of it again is welcome too."""
        if "content-range" not in headers:
            return False
        given = decode.parse_content_range(headers["content-range"])
        first, last = self._expected.first + self._position, self._expected.first + self._length - 1
        is_rest = (given.first, given.last) == (first, last) and length in {-1, last - first + 1}
        return is_rest and self.facts.size in {-1, given.total}

    def _check_version(self, facts: ObjectFacts, headers: dict[str, str]) -> None:
        """The reply must be about the version that was asked for.

        Raises:
            PreconditionFailed: it is another version.
            IntegrityError: somebody between us and the service changes what it sends.
            BadReply: it does not say which version it is.
        """
        wanted, key = self._expected.etag, self._expected.key
        if not wanted or facts.etag == wanted:
            return
        if headers.get("content-encoding") and headers.get("etag", '"').startswith("W/"):
            raise IntegrityError(
                f"{key}: a proxy re-encodes the object on the way ({headers['content-encoding']})",
                code="E_ENCODED_BODY",
            )
        if not facts.etag:
            raise BadReply(f"{key}: the service does not say which version it sends (no ETag)")
        raise PreconditionFailed(f"{key} was replaced while it was being read")

    def _check_range(self, status: int, headers: dict[str, str]) -> None:
        expected = self._expected
        last = expected.first + expected.size - 1
        if status == 200 and "content-range" not in headers:
            raise RangeIgnored(f"{expected.key}: asked for bytes {expected.first}-{last}, the service sends all of it")
        given = decode.parse_content_range(headers.get("content-range", ""))
        if (given.first, given.last) != (expected.first, last):
            raise BadReply(
                f"{expected.key}: asked for bytes {expected.first}-{last}, the service answered {status} with "
                f"{headers.get('content-range') or 'no Content-Range'}",
            )
        if given.total != expected.total >= 0:
            raise PreconditionFailed(f"{expected.key} was replaced while it was being read")

    def _check_whole(self, headers: dict[str, str]) -> None:
        given = decode.parse_content_range(headers.get("content-range", ""))
        if given.first or given.last != given.total - 1:
            raise BadReply(
                f"{self._expected.key}: asked for the whole object, or for the rest of it, "
                f"the service sends {headers['content-range']}"
            )

    def _choose_proof(self, facts: ObjectFacts) -> None:
        expected, stored = self._expected, facts.checksum
        self._hasher, self._wanted, self._promise = None, "", Verified.SIZE
        if expected.algorithm:
            self._hasher = new_hasher(expected.algorithm, self._length)
        elif not expected.verify:
            self._promise = Verified.NOTHING
        elif stored is not None and stored.kind == "FULL_OBJECT":
            self._hasher = new_hasher(stored.algorithm, self._length)
            self._wanted, self._promise = stored.value, Verified.CHECKSUM
        elif etag.is_md5(facts.etag, facts.encryption):
            self._hasher, self._wanted, self._promise = Md5(), facts.etag, Verified.ETAG

    def buffer(self) -> memoryview:
        """The memory that all downloads of this process receive into."""
        return self._receive

    def received(self, count: int) -> None:
        """Checksum and write what has just arrived."""
        chunk = self._receive[:count]
        if 0 <= self._length < self._position + count:
            self._is_spoiled = True
            raise SizeMismatch(f"{self._expected.key}: more bytes arrived than the {self._length} announced")
        if self._hasher is not None:
            self._hasher.update(chunk)
        if self._target is not None:
            self._target.write_at(chunk, self._expected.first + self._position)
        self._position += count

    def finish(self) -> None:
        """Compare.

        Raises:
            SizeMismatch: fewer bytes than announced.
            ChecksumMismatch: not the bytes that the service stores.
        """
        self._is_spoiled = True  # whatever comes now, these bytes are not continued
        if 0 <= self._length != self._position:
            raise SizeMismatch(f"{self._expected.key}: {self._position} bytes arrived of {self._length}")
        value = self._hasher.value() if self._hasher is not None else ""
        if self._wanted and value != self._wanted:
            raise ChecksumMismatch(self._expected.key, self._wanted, value)
        if self._expected.algorithm:
            self.checksum = Checksum(self._expected.algorithm, value)
        elif self._promise is Verified.CHECKSUM:
            self.checksum = self.facts.checksum
        self.verified = self._promise

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self._position
