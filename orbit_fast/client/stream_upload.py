"""An upload that takes bytes as they come: what a stream, or a file that is open for writing, is sent with."""

from __future__ import annotations

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Place
from orbit_fast.client.pieces import PiecesUpload
from orbit_fast.client.pieces import StreamParts
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Status
from orbit_fast.io import memory
from orbit_fast.io.transfer import Ending


class StreamUpload:
    """Collects pieces of any size into parts; the memory of a part that was sent is used again.

    Up to one part it is one request at the end; nothing is sent before. Whoever makes one ends it: by `finish`, or by
    `abandon`, after which nothing is left of it.
    """

    def __init__(self, place: Place, key: str, sizes: StreamParts, meter: Meter) -> None:
        self._place = place
        self._item = place.item(Direction.UPLOAD, key)
        self._sizes = sizes
        self._meter = meter
        self._parallel = place.around.settings.transfer.concurrency
        self._pieces = PiecesUpload(place, self._item, lambda part: meter.landed(part.number, part.size))
        self._free: list[bytearray] = []
        self._buffer = bytearray()
        self._filled = 0

    async def take(self, view: memoryview) -> None:
        """Copy a piece, and send what is full as soon as it is known that more follows.

        Raises:
            S3Error: something could not be sent.
        """
        while view:
            if not self._buffer:
                self._buffer = self._new()
            elif self._filled == len(self._buffer):
                await self._send()
                continue
            count = min(len(view), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + count] = view[:count]
            self._filled += count
            view = view[count:]

    async def finish(self) -> Ending:
        """There is no more: send the rest, and make an object of it.

        Raises:
            PreconditionFailed: it was to be made only where there is none, and there is one.
            S3Error: it could not be done.
        """
        if self._pieces.count:
            await self._send()
            ending = await self._pieces.finish()
            if ending.status is Status.SKIPPED:
                raise PreconditionFailed(f"there is an object {self._item.key} already", status=412)
            return ending
        view = self._rest()
        item = replace(self._item, size=len(view))
        ending = await self._place.session.do(memory.put(self._place.around, item, view))
        self._meter.landed(0, ending.landed.size)
        return ending

    async def abandon(self) -> None:
        """End what is under way, and take the upload away. May be called again."""
        await self._pieces.abandon()

    async def _send(self) -> None:
        number = self._pieces.count + 1
        view, buffer = self._rest(), self._buffer
        self._buffer, self._filled = bytearray(), 0
        at_once = self._sizes.at_once(number, self._parallel)
        await self._pieces.send(view, at_once=at_once, on_free=lambda: self._free.append(buffer))

    def _rest(self) -> memoryview:
        return memoryview(self._buffer)[: self._filled]

    def _new(self) -> bytearray:
        size = self._sizes.size(self._pieces.count + 1)
        while self._free:
            buffer = self._free.pop()
            if len(buffer) == size:
                return buffer
        return bytearray(size)
