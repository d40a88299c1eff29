"""Proving an object while its bytes go by: they are not there to be read again.

The same proofs as for files (`io.proof`), in order of strength. Where parts have to be known, the service is asked how
the object was cut; where it does not tell, only the size is compared.
"""

from __future__ import annotations

from typing import Protocol

from orbit_fast.client.operations import Place
from orbit_fast.core import etag
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io.proof import part_size
from orbit_fast.io.proof import prove_ranges
from orbit_fast.io.proof import range_algorithm
from orbit_fast.io.sinks import Md5


class _Running(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def value(self) -> str: ...


class StreamProof:
    """One object's proof: `take` its ranges in order, then `check`. This one compares nothing but the size.

    Attributes:
        algorithm: what the ranges' own checksums are to be computed with, or ``''``.
    """

    algorithm = ""

    def take(self, data: bytes | memoryview, part: PartFact) -> None:
        """The next range has arrived."""

    def check(self) -> Verified:
        """All have: what the object is proven against.

        Raises:
            ChecksumMismatch: these are not the bytes that the service stores.
        """
        return Verified.SIZE


class _Unasked(StreamProof):
    def check(self) -> Verified:
        return Verified.NOTHING


class _Combined(StreamProof):
    """Ranges whose checksums combine."""

    def __init__(self, key: str, stored: Checksum) -> None:
        self.algorithm = stored.algorithm
        self._key = key
        self._stored = stored
        self._parts: list[PartFact] = []

    def take(self, data: bytes | memoryview, part: PartFact) -> None:  # noqa: ARG002 - its checksum was computed on arrival
        self._parts.append(part)

    def check(self) -> Verified:
        return prove_ranges(self._key, self._stored, self._parts)


class _Hashed(StreamProof):
    """One hash over everything."""

    def __init__(self, key: str, hasher: _Running, wanted: str, promise: Verified) -> None:
        self._key = key
        self._hasher = hasher
        self._wanted = wanted
        self._promise = promise

    def take(self, data: bytes | memoryview, part: PartFact) -> None:  # noqa: ARG002 - the bytes are what counts
        self._hasher.update(memoryview(data))

    def check(self) -> Verified:
        return _compare(self._key, self._wanted, self._hasher.value(), self._promise)


class _Cut(StreamProof):
    """A hash over the hashes of parts, whose size is known."""

    def __init__(self, key: str, algorithm: str, size: int, wanted: str) -> None:
        self._key = key
        self._kind = algorithm
        self._size = size
        self._wanted = wanted
        self._values: list[str] = []
        self._left = size
        self._hasher = self._new()

    def take(self, data: bytes | memoryview, part: PartFact) -> None:  # noqa: ARG002 - the bytes are what counts
        rest = memoryview(data)
        while rest:
            piece = rest[: self._left]
            self._hasher.update(piece)
            self._left -= len(piece)
            rest = rest[len(piece) :]
            if not self._left:
                self._end_part()

    def check(self) -> Verified:
        if self._left != self._size:
            self._end_part()
        if self._kind == "MD5":
            found = etag_of_parts([bytes.fromhex(value) for value in self._values])
            return _compare(self._key, self._wanted, found, Verified.ETAG)
        return _compare(self._key, self._wanted, composite(self._kind, self._values), Verified.CHECKSUM)

    def _end_part(self) -> None:
        self._values.append(self._hasher.value())
        self._left = self._size
        self._hasher = self._new()

    def _new(self) -> _Running:
        return Md5() if self._kind == "MD5" else new_hasher(self._kind)


async def proof_of(place: Place, item: Item, facts: ObjectFacts) -> StreamProof:
    """The best proof that the service offers for an object. `item` holds its size and version.

    Raises:
        S3Error: the service could not be asked.
    """
    if not place.around.settings.transfer.verify:
        return _Unasked()
    stored = facts.checksum
    if stored is not None and range_algorithm(stored):
        return _Combined(item.key, stored)
    if stored is not None and stored.kind == "FULL_OBJECT":
        return _Hashed(item.key, new_hasher(stored.algorithm), stored.value, Verified.CHECKSUM)
    if etag.is_md5(facts.etag, facts.encryption):
        return _Hashed(item.key, Md5(), facts.etag, Verified.ETAG)
    algorithm, wanted, count = "MD5", facts.etag, etag.parts_of(facts.etag) if facts.encryption in {"", "AES256"} else 0
    composite_count = etag.part_count(stored.value.rpartition("-")[2]) if stored is not None else 0
    if stored is not None and composite_count:
        algorithm, wanted, count = stored.algorithm, stored.value, composite_count
    if not count:
        return StreamProof()
    size = item.size if count == 1 else await place.session.do(part_size(place.around, item, facts.etag, count))
    return _Cut(item.key, algorithm, size, wanted) if size else StreamProof()


def _compare(key: str, wanted: str, found: str, promise: Verified) -> Verified:
    if wanted != found:
        raise ChecksumMismatch(key, wanted, found)
    return promise
