"""An object that is uploaded piece by piece out of memory."""

from __future__ import annotations

import functools
from collections.abc import Callable

from msgspec.structs import replace

from orbit_fast.client.operations import Place
from orbit_fast.client.transfers import begin_transfer
from orbit_fast.client.transfers import clean_up
from orbit_fast.client.window import Window
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.limits import MAX_PARTS
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.stream import PartSizes
from orbit_fast.io import memory
from orbit_fast.io import upload
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Ending


class StreamParts:
    """How large the parts of a stream are, and how many of them are in flight; see `core.stream`."""

    def __init__(self, first: int, max_memory: int, expected: int | None) -> None:
        """Plan.

        Args:
            first: bytes of the first parts.
            max_memory: bytes that may be buffered; at least two parts.
            expected: bytes that are expected, or None: then all parts are equal, as some services demand.

        Raises:
            TooLarge: S3 cannot hold what is expected, or the memory does not suffice for its parts.
        """
        self._max_memory = max_memory
        try:
            self._sizes = PartSizes(max_memory, expected_size=expected or 0, first=first)
        except InvalidConfig:
            raise TooLarge(f"max_memory: {max_memory} bytes hold no two parts of a stream of {expected}") from None

    def size(self, number: int) -> int:
        """Bytes of part `number`, from 1.

        Raises:
            TooLarge: S3 takes no more parts.
        """
        try:
            return self._sizes.size_of(number)
        except TooLarge:
            raise TooLarge(
                f"the stream does not end within {MAX_PARTS} parts: raise max_memory ({self._max_memory}), or tell "
                "expected_size"
            ) from None

    def at_once(self, number: int, parallel: int) -> int:
        """How many parts of this size may be in flight while another one is being filled."""
        return max(1, min(parallel, self._max_memory // self.size(number) - 1))


class PiecesUpload:
    """The multipart upload of one object whose parts come from memory. It begins with the first piece.

    Attributes:
        count: pieces that were sent or are being sent.
        size: bytes of them.
    """

    def __init__(self, place: Place, item: Item, on_part: Callable[[PartFact], None]) -> None:
        self.count = 0
        self.size = 0
        self._place = place
        self._item = item
        self._begun: Begun | None = None
        self._landed = landed = dict[int, PartFact]()

        def land(part: PartFact) -> None:  # not a method: this and its window would hold each other
            landed[part.number] = part
            on_part(part)

        self._window = Window(place.session, place.around.settings.transfer.concurrency, land)

    async def send(self, data: memoryview, *, at_once: int, on_free: Callable[[], None] = lambda: None) -> None:
        """Send the next piece as soon as fewer than `at_once` are in flight; `on_free`: its memory is free again.

        Raises:
            S3Error: this one could not be begun, or one before it has failed.
        """
        if self._begun is None:
            self._begun = await self._begin()
        self.count += 1
        order = MovePart(self._item, self._begun, self.count, self.size, len(data))
        self.size += len(data)
        self._window.limit = at_once
        await self._window.start(lambda: _moved(memory.move_part(self._place.around, order, data), on_free))

    async def finish(self) -> Ending:
        """Wait for all pieces and complete the upload.

        Raises:
            S3Error: it could not be done.
        """
        await self._window.rest()
        assert self._begun is not None, "nothing was sent"
        item = replace(self._item, size=self.size)
        parts = tuple(self._landed[number] for number in sorted(self._landed))
        order = Finish(item, self._begun, parts)
        return await self._place.session.do(upload.conclude(self._place.around, order))

    async def abandon(self) -> None:
        """End what is in flight, and take the upload away."""
        await self._window.cancel()
        if self._begun is not None:
            await clean_up(self._place, upload.abandon(self._place.around, self._item, self._begun))

    async def _begin(self) -> Begun:
        place, item = self._place, self._item
        begun = await begin_transfer(
            place, memory.begin(place.around, item), functools.partial(upload.abandon, place.around, item)
        )
        if isinstance(begun, Ending):
            raise Internal("an upload without conditions was skipped")
        return begun


def _moved(flow: Flow[PartFact], on_free: Callable[[], None]) -> Flow[PartFact]:
    try:
        return (yield from flow)
    finally:
        on_free()
