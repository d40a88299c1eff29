"""Streams: objects of any size, in bounded memory, up and down.

Down, ranges of one version are fetched beside each other and given out in order; while nobody takes them, no more are
asked for. The last bytes are given out when all of them have been proven, so a stream that ends has been verified. Up,
parts are sent beside each other while the next one is being filled; while they are on their way the source waits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from collections.abc import AsyncIterable
from collections.abc import AsyncIterator
from collections.abc import Iterable
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Operations
from orbit_fast.client.operations import Place
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.options import merged
from orbit_fast.client.pieces import PiecesUpload
from orbit_fast.client.pieces import StreamParts
from orbit_fast.client.progress import Listener
from orbit_fast.client.progress import TransferDirection
from orbit_fast.client.results import ObjectMetadata
from orbit_fast.client.results import TransferResult
from orbit_fast.client.stream_download import StreamDownload
from orbit_fast.client.stream_download import Wanted
from orbit_fast.client.stream_upload import StreamUpload
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.location import check_key
from orbit_fast.core.messages import Direction
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io.transfer import find

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
        wanted = Wanted(key=key, offset=offset, length=length, version_id=version_id)
        meter = Meter(progress, key, TransferDirection.DOWNLOAD)
        return ObjectStream(StreamDownload(self._place, wanted).chunks(meter), key)

    async def read_version(self, metadata: ObjectMetadata, offset: int, length: int) -> bytes:
        """A range of the very version that `get_metadata` has told of: what many reads of one file are made of.

        Args:
            metadata: of the object, as it was then.
            offset: of the first byte.
            length: how many, at most.

        Raises:
            IntegrityError: the object has been replaced since (``E_OBJECT_CHANGING``).
            InvalidRange: the object ends before `offset`.
            S3Error: the service refuses, or could not be reached.
        """
        known = ObjectFacts(size=metadata.size, etag=metadata.etag)
        wanted = Wanted(key=metadata.key, offset=offset, length=length, version_id=metadata.version_id, known=known)
        meter = Meter(None, metadata.key, TransferDirection.DOWNLOAD)
        return await StreamDownload(self._place, wanted).collect(meter)

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
        chosen = merged(options, content_type, metadata)
        return await self._upload_stream(source, key, chosen, progress, expected_size=expected_size)

    async def create_object(
        self,
        source: AsyncIterable[Data] | Iterable[Data],
        key: str,
        *,
        options: ObjectOptions | None = None,
        progress: Listener | None = None,
    ) -> TransferResult:
        """As `upload_stream`, only if there is no such object: of many who try at once, the service lets one succeed.

        Services that do not know the condition (``If-None-Match``) are asked before, which is all that they can do.

        Args:
            source: pieces of any size.
            key: of the object.
            options: about the object.
            progress: hears of it.

        Raises:
            PreconditionFailed: there is such an object.
            S3Error: the service refuses, or could not be reached.
        """
        return await self._upload_stream(source, key, options, progress, only_if_absent=True)

    async def begin_upload(
        self, key: str, *, options: ObjectOptions | None = None, only_if_absent: bool = False
    ) -> StreamUpload:
        """An upload that is given its bytes call by call (`StreamUpload.take`), and becomes an object by `finish`.

        Whoever begins one ends it, by `StreamUpload.finish` or `StreamUpload.abandon`.

        Args:
            key: of the object.
            options: about the object.
            only_if_absent: as `create_object`.
        """
        place = await self._place_for(key, options, only_if_absent=only_if_absent)
        sizes = StreamParts(self.config.chunk_size, self.config.max_memory, None)
        return StreamUpload(place, key, sizes, Meter(None, key, TransferDirection.UPLOAD))

    async def _upload_stream(
        self,
        source: AsyncIterable[Data] | Iterable[Data],
        key: str,
        options: ObjectOptions | None,
        progress: Listener | None,
        *,
        expected_size: int | None = None,
        only_if_absent: bool = False,
    ) -> TransferResult:
        sizes = StreamParts(self.config.chunk_size, self.config.max_memory, expected_size)
        place = await self._place_for(key, options, only_if_absent=only_if_absent)
        with Meter(progress, key, TransferDirection.UPLOAD) as meter, place.session.undertaking():
            meter.started(-1 if expected_size is None else expected_size)
            upload = StreamUpload(place, key, sizes, meter)
            try:
                async for piece in _asynchronous(source):
                    await upload.take(memoryview(piece).cast("B"))
                ending = await upload.finish()
            except BaseException:
                await upload.abandon()
                raise
            meter.completed()
        return TransferResult.of(key, ending.landed)

    async def _place_for(self, key: str, options: ObjectOptions | None, *, only_if_absent: bool) -> Place:
        """Where a new object is made.

        Raises:
            PreconditionFailed: it must not replace another one, and there is one.
        """
        check_key(key)
        place = await self._place(options=options, only_if_absent=only_if_absent)
        if only_if_absent and await place.session.do(find(place.around, place.site, key)) is not None:
            raise PreconditionFailed(f"there is an object {key} already", status=412)
        return place

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


async def _asynchronous(source: AsyncIterable[Data] | Iterable[Data]) -> AsyncIterator[Data]:
    if isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
    else:
        for piece in source:
            yield piece
