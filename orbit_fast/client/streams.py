"""Streams: objects of any size, in bounded memory, up and down.

Down, ranges of one version are fetched beside each other and given out in order; while nobody takes them, no more are
asked for. The last bytes are given out when all of them have been proven, so a stream that ends has been verified. Up,
parts are sent beside each other while the next one is being filled; while they are on their way the source waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from collections.abc import AsyncIterable
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Operations
from orbit_fast.client.operations import Place
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.options import merged
from orbit_fast.client.pieces import PiecesUpload
from orbit_fast.client.pieces import StreamParts
from orbit_fast.client.progress import Listener
from orbit_fast.client.progress import TransferDirection
from orbit_fast.client.results import TransferResult
from orbit_fast.client.session import Running
from orbit_fast.client.stream_proof import StreamProof
from orbit_fast.client.stream_proof import proof_of
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import object_changing
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io import memory
from orbit_fast.io.listing import named
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import require_proof

Data = bytes | bytearray | memoryview


class ObjectStream:
    """The bytes of one object, in order, in pieces of at most `S3Config.chunk_size`: ``async for chunk in stream``.

    Whoever stops before the end closes it (``async with client.stream(key) as stream``, or `aclose`), so that nothing
    is fetched in vain; one that is simply dropped is closed by the loop.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], key: str) -> None:
        self._chunks = chunks
        self._key = key

    def __repr__(self) -> str:
        return f"<ObjectStream {self._key!r}>"

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await self._chunks.__anext__()

    async def aclose(self) -> None:
        """Stop fetching."""
        await self._chunks.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What of an object is wanted: from `offset` on, `length` bytes or, with None, all."""

    offset: int
    length: int | None

    @property
    def is_whole(self) -> bool:
        return self.offset == 0 and self.length is None

    def within(self, key: str, size: int) -> tuple[int, int]:
        """First byte, and how many."""
        if self.offset > size:
            raise InvalidRange(f"{key} has {size} bytes: there is none at {self.offset}")
        rest = size - self.offset
        return self.offset, rest if self.length is None else min(rest, self.length)


class StreamOperations(Operations):
    """Objects of any size, in bounded memory."""

    def stream(
        self,
        key: str,
        *,
        offset: int = 0,
        length: int | None = None,
        version_id: str = "",
        progress: Listener | None = None,
    ) -> ObjectStream:
        """The bytes of an object as an asynchronous iterator, `S3Config.parallel_operations` ranges fetched at once.

        At most `S3Config.max_memory` bytes wait to be taken. A whole object is compared with what the service stores
        before its last bytes are given out; a part of an object cannot be.

        Args:
            key: of the object.
            offset: of the first byte.
            length: how many, at most; None is all that follow.
            version_id: of the object, or ``''`` for the current one.
            progress: hears of it.

        Raises (from the iteration):
            NotFound: there is no such object.
            InvalidRange: the object ends before `offset`.
            ChecksumMismatch: what arrived is not what the service stores, twice.
            IntegrityError: the object was replaced while it was being read (``E_OBJECT_CHANGING``).
            S3Error: the service refuses, or could not be reached.
        """
        if offset < 0 or (length is not None and length < 0):
            raise InvalidConfig(f"stream: offset {offset} and length {length} must not be negative")
        wanted = _Wanted(offset=offset, length=length)
        meter = Meter(progress, key, TransferDirection.DOWNLOAD)
        return ObjectStream(_Download(self._place, key, version_id, wanted).chunks(meter), key)

    async def upload_stream(  # noqa: PLR0913 - by name but for the first two
        self,
        source: AsyncIterable[Data] | Iterable[Data],
        key: str,
        *,
        expected_size: int | None = None,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        options: ObjectOptions | None = None,
        progress: Listener | None = None,
    ) -> TransferResult:
        """Upload what an (asynchronous) iterator gives, of any size, with at most `S3Config.max_memory` bytes buffered.

        Up to `S3Config.chunk_size` that is one request; above, parts that grow as the stream goes on. When the source
        raises, or the task is cancelled, nothing is left at the service.

        Args:
            source: pieces of any size; each is copied before the next one is asked for.
            key: of the object.
            expected_size: bytes, where they are known: then all parts are equal, which some services demand.
            content_type: MIME type; guessed where it is left out.
            metadata: user metadata (ASCII).
            options: everything else about the object.
            progress: hears of it.

        Raises:
            TooLarge: S3 cannot hold it, or not in parts that fit in `S3Config.max_memory`.
            S3Error: the service refuses, or could not be reached.
        """
        sizes = StreamParts(self.config.chunk_size, self.config.max_memory, expected_size)
        place = await self._place(options=merged(options, content_type, metadata))
        with Meter(progress, key, TransferDirection.UPLOAD) as meter, place.session.undertaking():
            meter.started(-1 if expected_size is None else expected_size)
            item = place.item(Direction.UPLOAD, key)
            pieces = PiecesUpload(place, item, lambda part: meter.landed(part.number, part.size))
            filler = _Filler(pieces, sizes, self.config.parallel_operations)
            try:
                async for piece in _asynchronous(source):
                    await filler.take(memoryview(piece).cast("B"))
                if pieces.count:
                    await filler.send()
                    ending = await pieces.finish()
                else:
                    ending = await self._put_whole(place, item, filler.rest(), meter)
            except BaseException:
                await pieces.abandon()
                raise
            meter.completed()
        return TransferResult.of(key, ending.landed)

    async def _upload_pieces(
        self, view: memoryview, key: str, options: ObjectOptions | None, progress: Listener | None
    ) -> TransferResult:
        """Upload memory in parts, without a copy of it."""
        place = await self._place(options=options)
        with Meter(progress, key, TransferDirection.UPLOAD) as meter, place.session.undertaking():
            meter.started(len(view))
            item = place.item(Direction.UPLOAD, key, size=len(view))
            pieces = PiecesUpload(place, item, lambda part: meter.landed(part.number, part.size))
            try:
                for _, offset, size in plan_parts(len(view), self.config.chunk_size).parts():
                    await pieces.send(view[offset : offset + size], at_once=self.config.parallel_operations)
                ending = await pieces.finish()
            except BaseException:
                await pieces.abandon()
                raise
            meter.completed()
        return TransferResult.of(key, ending.landed)

    @staticmethod
    async def _put_whole(place: Place, item: Item, view: memoryview, meter: Meter) -> Ending:
        ending = await place.session.do(memory.put(place.around, replace(item, size=len(view)), view))
        meter.landed(0, ending.landed.size)
        return ending


class _Filler:
    """Collects pieces of any size into parts; the memory of a part that was sent is used again."""

    def __init__(self, pieces: PiecesUpload, sizes: StreamParts, parallel: int) -> None:
        self._pieces = pieces
        self._sizes = sizes
        self._parallel = parallel
        self._free: list[bytearray] = []
        self._buffer = bytearray()
        self._filled = 0

    async def take(self, view: memoryview) -> None:
        """Copy a piece, and send what is full as soon as it is known that more follows."""
        while view:
            if not self._buffer:
                self._buffer = self._new()
            elif self._filled == len(self._buffer):
                await self.send()
                continue
            count = min(len(view), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + count] = view[:count]
            self._filled += count
            view = view[count:]

    async def send(self) -> None:
        """Send what has been collected."""
        number = self._pieces.count + 1
        view, buffer = self.rest(), self._buffer
        self._buffer, self._filled = bytearray(), 0
        at_once = self._sizes.at_once(number, self._parallel)
        await self._pieces.send(view, at_once=at_once, on_free=lambda: self._free.append(buffer))

    def rest(self) -> memoryview:
        """What has been collected."""
        return memoryview(self._buffer)[: self._filled]

    def _new(self) -> bytearray:
        size = self._sizes.size(self._pieces.count + 1)
        while self._free:
            buffer = self._free.pop()
            if len(buffer) == size:
                return buffer
        return bytearray(size)


async def _asynchronous(source: AsyncIterable[Data] | Iterable[Data]) -> AsyncIterator[Data]:
    if isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
    else:
        for piece in source:
            yield piece


class _Download:
    """What an `ObjectStream` goes through. It does not know the stream, which so can be dropped."""

    def __init__(self, find_place: Callable[[], Awaitable[Place]], key: str, version_id: str, wanted: _Wanted) -> None:
        self._find_place = find_place
        self._key = key
        self._version_id = version_id
        self._wanted = wanted

    async def chunks(self, meter: Meter) -> AsyncGenerator[bytes, None]:
        """The bytes, in order."""
        with meter:
            place = await self._find_place()
            item = replace(place.item(Direction.DOWNLOAD, self._key), version_id=self._version_id)
            limit = place.around.settings.transfer.part_size
            facts: ObjectFacts | None = None
            if self._wanted.is_whole:
                # Most objects are small: then this is all there is to do.
                fetched = await place.session.do(memory.fetch(place.around, item, limit=limit))
                if fetched.data is not None:
                    meter.started(len(fetched.data))
                    meter.landed(0, len(fetched.data))
                    meter.completed()
                    if fetched.data:
                        yield fetched.data
                    return
                facts = fetched.facts
            if facts is None or facts.size < 0 or facts.checksum is None:
                # Some services tell an object's checksum only to those who ask for nothing else.
                facts = await self._facts(place, item)
            item = replace(item, size=facts.size, etag=facts.etag)
            proof = await proof_of(place, item, facts) if self._wanted.is_whole else StreamProof()
            first, size = self._wanted.within(self._key, facts.size)
            meter.started(size)
            if size:
                async for data in self._ranges(place, item, proof, (first, size), meter):
                    yield data
            meter.completed()

    async def _facts(self, place: Place, item: Item) -> ObjectFacts:
        reply = await place.session.do(named(place.around, item.site, item.key, item.version_id))
        facts: ObjectFacts = reply.decoded
        return facts

    async def _ranges(
        self, place: Place, item: Item, proof: StreamProof, wanted: tuple[int, int], meter: Meter
    ) -> AsyncGenerator[bytes, None]:
        first, size = wanted
        transfer = place.around.settings.transfer
        layout = plan_parts(size, transfer.part_size, min_part=1)
        at_once = max(1, min(transfer.concurrency, transfer.max_memory // layout.part_size - 1))
        begun = Begun(item=item.number, etag=item.etag, version_id=item.version_id, algorithm=proof.algorithm)
        pending: deque[Running[tuple[bytes, PartFact]]] = deque()
        left = layout.parts()
        try:
            for number in range(1, layout.count + 1):
                while len(pending) < at_once and (part := next(left, None)) is not None:
                    order = MovePart(item, begun, part[0], first + part[1], part[2])
                    pending.append(place.session.start(memory.fetch_part(place.around, order)))
                data, fact = await pending[0].wait()
                pending.popleft()
                proof.take(data, fact)
                meter.landed(number, len(data))
                if number == layout.count and self._wanted.is_whole:
                    require_proof(place.around, item, proof.check())
                yield data
        except PreconditionFailed as error:
            raise object_changing(self._key) from error
        finally:
            for running in pending:
                await running.end()
