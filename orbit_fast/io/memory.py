"""Objects whose bytes are in memory, not in a file: up from a buffer, down into one.

The steps are those of `io.upload` and `io.download`, with the same requests, checksums and proofs; only the bytes come
from somewhere else. Nothing here reads a disk.
"""

from __future__ import annotations

import functools
import hashlib
import io
from dataclasses import dataclass

from msgspec.structs import replace

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Landed
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.settings import MIB
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.io import upload
from orbit_fast.io.download import get_call
from orbit_fast.io.download import prove_whole
from orbit_fast.io.flow import Flow
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import require_proof

STEP = MIB
"""Bytes handed to a transport at once: it keeps a view of what the kernel did not take."""


class MemoryBody:
    """A request body that is one piece of memory, which must not change as long as it is sent."""

    def __init__(self, data: memoryview, *, sign: bool) -> None:
        self._data = data
        self._sent = 0
        self._sha256 = hashlib.sha256(data).hexdigest() if sign else UNSIGNED_PAYLOAD

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self._data)

    @property
    def sha256(self) -> str:
        """Hex digest where the payload is signed; else ``UNSIGNED-PAYLOAD``."""
        return self._sha256

    def rewind(self) -> None:
        """Start again from the first byte."""
        self._sent = 0

    def next_chunk(self) -> memoryview:
        """The next bytes."""
        chunk = self._data[self._sent : self._sent + STEP]
        self._sent += len(chunk)
        return chunk


def _content(around: Surroundings, item: Item, data: memoryview, algorithm: str) -> upload.Content:
    """The content of a request that sends `data` as a body of its own."""
    body = MemoryBody(data, sign=around.signs_payload(item.site))
    return upload.Content(b"", body, checksum_of(algorithm, data), functools.partial(_md5, data))


def _md5(data: memoryview) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


# --- up --------------------------------------------------------------------------------------------------------------


def put(around: Surroundings, item: Item, data: memoryview) -> Flow[Ending]:
    """Store `data` in one request.

    Raises:
        S3Error: it could not be done.
    """
    started_s = around.monotonic_s()
    algorithm = around.settings.transfer.checksum_algorithm
    if len(data) <= upload.IN_MEMORY:
        content = upload.Content(bytes(data), None, checksum_of(algorithm, data), functools.partial(_md5, data))
    else:
        content = _content(around, item, data, algorithm)
    reply = yield from upload.put(around, item, around.object_headers(item.key), content)
    verified = upload.prove(around, item, reply, content)
    require_proof(around, item, verified)
    landed = Landed(
        size=len(data),
        etag=reply.decoded.etag,
        version_id=reply.decoded.version_id,
        checksum=content.sent,
        verified=verified,
        content_type=around.content_type_of(item.key),
        storage_class=around.settings.object.storage_class,
        attempts=reply.attempts,
        duration_ms=around.elapsed_ms(started_s),
    )
    return Ending(Status.DONE, landed)


def begin(around: Surroundings, item: Item) -> Flow[Begun]:
    """Create a multipart upload whose parts come from memory; its other steps are `move_part` and `upload.conclude`.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    algorithm = around.settings.transfer.checksum_algorithm
    reply = yield from upload.create(around, item, around.object_headers(item.key), algorithm)
    return Begun(
        item=item.number,
        token=reply.decoded,
        algorithm=algorithm,
        content_type=around.content_type_of(item.key),
        started_s=around.monotonic_s(),
        attempts=reply.attempts,
    )


def move_part(around: Surroundings, order: MovePart, data: memoryview) -> Flow[PartFact]:
    """Send `data` as one part.

    Raises:
        S3Error: it could not be done.
    """
    content = _content(around, order.item, data, order.begun.algorithm)
    reply = yield from upload.put_part(around, order, content)
    verified = upload.prove(around, order.item, reply, content)
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=len(data),
        etag=reply.decoded.etag,
        checksum=content.sent.value,
        is_proven=verified is not Verified.SIZE,
        attempts=reply.attempts,
    )


# --- down ------------------------------------------------------------------------------------------------------------


class MemoryTarget:
    """Takes the bytes of an object from offset `first` on."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._bytes = io.BytesIO()

    def write_at(self, view: memoryview, offset: int) -> None:
        """Put `view` at `offset` of the object."""
        self._bytes.seek(offset - self._first)
        self._bytes.write(view)

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what was written at `offset`."""
        self._bytes.seek(offset - self._first)
        self._bytes.readinto(view)

    def empty(self) -> None:
        """Forget everything: another attempt begins."""
        self._bytes = io.BytesIO()

    def take(self) -> bytes:
        """All of it, without a copy."""
        return self._bytes.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a GET brought.

    Attributes:
        facts: what the service says about the object; a size of -1 is unknown.
        data: all its bytes, or None where they are too many.
        verified: what they were proven against.
    """

    facts: ObjectFacts
    data: bytes | None = None
    verified: Verified = Verified.NOTHING


class _TooMany(S3Error):
    """The object has more bytes than are wanted in one piece: its GET is broken off."""


def fetch(around: Surroundings, item: Item, *, limit: int) -> Flow[Fetched]:
    """Read an object of unknown size in one request, if it has at most `limit` bytes; else only see what it is.

    Raises:
        S3Error: it could not be read, or is not what the service says it is.
    """
    target = MemoryTarget()
    seen: list[ObjectFacts] = []

    def open_target(facts: ObjectFacts) -> MemoryTarget:
        seen[:] = [facts]
        if not 0 <= facts.size <= limit:
            raise _TooMany(f"{item.key} has more than {limit} bytes")
        target.empty()
        return target

    expected = Expected(key=item.key, verify=around.settings.transfer.verify)
    sink = FileSink(expected, around.receive, open_target)
    try:
        yield get_call(around, item, sink, expected)
    except _TooMany:
        return Fetched(facts=seen[0])
    whole = replace(item, size=sink.size)
    verified, _ = yield from prove_whole(around, whole, sink, target)
    require_proof(around, item, verified)
    return Fetched(facts=sink.facts, data=target.take(), verified=verified)


def fetch_part(around: Surroundings, order: MovePart) -> Flow[tuple[bytes, PartFact]]:
    """Read one range of the version that `order.begun` names; `order.item.size` is that of the whole object.

    Raises:
        S3Error: it could not be read, or the object is another one by now.
    """
    target = MemoryTarget(order.offset)

    def open_target(_facts: ObjectFacts) -> MemoryTarget:
        target.empty()
        return target

    begun = order.begun
    expected = Expected(
        key=order.item.key,
        size=order.size,
        etag=begun.etag,
        first=order.offset,
        is_range=True,
        total=order.item.size,
        algorithm=begun.algorithm if around.settings.transfer.verify else "",
        verify=False,
    )
    sink = FileSink(expected, around.receive, open_target)
    reply = yield get_call(around, order.item, sink, expected)
    fact = PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        checksum=sink.checksum.value if sink.checksum is not None else "",
        attempts=reply.attempts,
    )
    return target.take(), fact
