"""Objects whose bytes are in memory, not in a file: up from a buffer, down into one.

The steps are those of `io.upload` and `io.download`, with the same requests, checksums and proofs; only the bytes come
from somewhere else. Nothing here reads a disk.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
from dataclasses import dataclass

from msgspec.structs import replace

from orbit_fast.core import decode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Landed
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.io import upload
from orbit_fast.io.download import get_call
from orbit_fast.io.download import prove_whole
from orbit_fast.io.flow import Flow
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.sinks import Target
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import require_proof

COPIED = 64 << 10
"""Up to this size what is sent is copied behind its head, for one write; above, it is sent from where it is."""

STEP = 512 << 10
"""Bytes handed to a transport at once: it keeps a view of what the kernel did not take. Twice as many leave a core's
second cache before they have been copied, and cost a tenth more CPU; half as many cost as much in calls."""


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
    hasher = new_hasher(algorithm, len(data))
    hasher.update(data)
    return upload.Content(b"", body, Checksum(algorithm, hasher.value()), functools.partial(_md5, data))


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
    if len(data) <= COPIED:
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
    """The bytes of an object from offset `first` on: `size` of them, or as many as are written where that is -1."""

    def __init__(self, first: int, size: int) -> None:
        self._first = first
        # Nobody else knows these bytes, so this takes them as they are and later gives them away: without a copy, and
        # without a page of them touched before something arrives.
        self._bytes = io.BytesIO(bytes(max(0, size)))

    def view(self) -> memoryview:
        """The memory itself."""
        return self._bytes.getbuffer()

    def write_at(self, view: memoryview, offset: int) -> None:
        """Put `view` at `offset` of the object."""
        self._bytes.seek(offset - self._first)
        self._bytes.write(view)

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what was written at `offset`."""
        self._bytes.seek(offset - self._first)
        self._bytes.readinto(view)

    def take(self) -> bytes:
        """All of it: given away as it is, unless somebody still looks at the memory; then it is a copy."""
        return self._bytes.getvalue()


class _InPlace:
    """A target whose bytes stand there already."""

    def write_at(self, view: memoryview, offset: int) -> None:
        """There is nothing to do."""


def _in_place(_facts: ObjectFacts) -> Target:
    return _InPlace()


class MemorySink(FileSink):
    """As `FileSink`, into memory of its own: what is announced is received where it stays.

    Attributes:
        target: what has arrived.
    """

    def __init__(
        self, expected: Expected, scratch: memoryview, *, limit: int = -1, into: memoryview | None = None
    ) -> None:
        """Receive.

        Args:
            expected: what is known of the object.
            scratch: memory for what comes beside what was announced.
            limit: refuse an object of unknown size, or of more bytes; -1 is no limit.
            into: where the bytes go, all of which were ordered; None is memory of its own.
        """
        super().__init__(expected, scratch, _in_place)
        self._key = expected.key
        self._first = expected.first
        self._limit = limit
        self._scratch = scratch
        self._into = into
        self._region = scratch[:0]
        self.target = MemoryTarget(self._first, 0)

    def _open(self, facts: ObjectFacts) -> Target:
        """A good reply has begun: make room for what it announces.

        Raises:
            _TooMany: there is too much of it.
        """
        if self._limit >= 0 and not 0 <= facts.size <= self._limit:
            self.facts = facts
            raise _TooMany(f"{self._key} has more than {self._limit} bytes")
        if self._into is not None:
            self._region = self._into
            return super()._open(facts)
        self.target = MemoryTarget(self._first, self._length)
        if self._length <= 0:
            self._region = self._scratch[:0]
            return self.target
        self._region = self.target.view()
        return super()._open(facts)

    def buffer(self) -> memoryview:
        """Where the next bytes may be put: behind those that have arrived."""
        self._receive = self._region[self._position :] if self._position < len(self._region) else self._scratch
        return self._receive

    def let_go(self) -> MemoryTarget:
        """Nothing arrives any more: what has arrived, of which this looks at nothing any more."""
        self._region = self._receive = self._scratch[:0]
        self._into = None
        return self.target


class _OpenRange(MemorySink):
    """A range of an object whose size is not known: it may end before the range does."""

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:
        """See where it ends."""
        asked = self._expected
        if status == 206:
            given = decode.parse_content_range(headers.get("content-range", ""))
            last = min(asked.first + asked.size, given.total) - 1
            self._expected = dataclasses.replace(asked, size=last - asked.first + 1)
        super().begin(status, headers, length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a GET brought.

    Attributes:
        facts: what the service says about the object; a size of -1 is unknown.
        target: all its bytes, or None where they are too many.
        verified: what they were proven against.
        part: which range they are, where one was ordered.
    """

    facts: ObjectFacts
    target: MemoryTarget | None = None
    verified: Verified = Verified.NOTHING
    part: PartFact | None = None

    @property
    def data(self) -> bytes | None:
        """The bytes. To be asked for by the task that waited, not in the flow: by then the loop has let them go."""
        return None if self.target is None else self.target.take()


class _TooMany(S3Error):
    """The object has more bytes than are wanted in one piece: its GET is broken off."""


def fetch(around: Surroundings, item: Item, *, limit: int) -> Flow[Fetched]:
    """Read an object of unknown size in one request, if it has at most `limit` bytes; else only see what it is.

    Raises:
        S3Error: it could not be read, or is not what the service says it is.
    """
    expected = Expected(key=item.key, verify=around.settings.transfer.verify)
    sink = MemorySink(expected, around.receive, limit=limit)
    try:
        yield get_call(around, item, sink, expected)
    except _TooMany:
        return Fetched(facts=sink.facts)
    whole = replace(item, size=sink.size)
    verified, _ = yield from prove_whole(around, whole, sink, sink.target)
    require_proof(around, item, verified)
    return Fetched(facts=sink.facts, target=sink.let_go(), verified=verified)


def fetch_range(around: Surroundings, item: Item, *, offset: int, size: int) -> Flow[Fetched]:
    """Read one range of an object of unknown size, or as much of it as there is, in one request.

    Raises:
        InvalidRange: the object has no byte at `offset`.
        S3Error: it could not be read.
    """
    expected = Expected(key=item.key, size=size, first=offset, is_range=True, verify=False)
    sink = _OpenRange(expected, around.receive)
    yield get_call(around, item, sink, expected)
    return Fetched(facts=sink.facts, target=sink.let_go())


def fetch_part(around: Surroundings, order: MovePart, into: memoryview | None = None) -> Flow[Fetched]:
    """Read one range of the version that `order.begun` names; `order.item.size` is that of the whole object.

    With `into`, its bytes are received there, and `Fetched.data` is empty.

    Raises:
        S3Error: it could not be read, or the object is another one by now.
    """
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
    sink = MemorySink(expected, around.receive, into=into)
    reply = yield get_call(around, order.item, sink, expected)
    fact = PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        checksum=sink.checksum.value if sink.checksum is not None else "",
        attempts=reply.attempts,
    )
    return Fetched(facts=sink.facts, target=sink.let_go(), part=fact)
