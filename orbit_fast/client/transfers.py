"""One object in parts: what the ledger deals out to workers, for one process.

The steps (`begin`, `move_part`, `finish`, `abandon`) are the engine's: `io.upload`, `io.download`, `io.copy`. Here they
are put in a row for a task that may be cancelled anywhere:

* an upload (or temporary file) that has begun is either finished or abandoned, also when the task is cancelled while
  the service is creating it: then the answer is waited for, and what it made is taken away again;
* what cleans up goes on when the task is cancelled once more, and is waited for when the session closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Place
from orbit_fast.client.window import Window
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import object_changing
from orbit_fast.core.layout import Layout
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.io import copy
from orbit_fast.io import download
from orbit_fast.io import upload
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings

OnPart = Callable[[PartFact], None]


class Steps(Protocol):
    """The steps of a shared transfer: the modules `io.upload`, `io.download` and `io.copy`."""

    def begin(self, around: Surroundings, item: Item, /) -> Flow[Begun | Ending]:
        """Create the multipart upload, or the temporary file."""

    def move_part(self, around: Surroundings, order: MovePart, /) -> Flow[PartFact]:
        """Move one byte range."""

    def finish(self, around: Surroundings, order: Finish, /) -> Flow[Ending]:
        """Verify the whole and publish it."""

    def abandon(self, around: Surroundings, item: Item, begun: Begun, /) -> Flow[None]:
        """Take away what `begin` made."""


STEPS: Mapping[Direction, Steps] = {
    Direction.UPLOAD: upload,
    Direction.DOWNLOAD: download,
    Direction.COPY: copy,
}


@dataclass(slots=True)
class _Wish:
    """Whether what is being made is still wanted."""

    is_given_up: bool = False


async def begin_transfer(
    place: Place, flow: Flow[Begun | Ending], abandon: Callable[[Begun], Flow[None]]
) -> Begun | Ending:
    """Run a `begin`; where the task is cancelled meanwhile, what it makes is abandoned.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    wish = _Wish()

    def begin() -> Flow[Begun | Ending]:
        begun = yield from flow
        if wish.is_given_up and isinstance(begun, Begun):
            yield from abandon(begun)
        return begun

    running = place.session.start(begin())
    try:
        return await running.wait()
    except asyncio.CancelledError:
        wish.is_given_up = True
        if not running.is_ended:
            with contextlib.suppress(TimeoutError):
                await place.session.outlive(running)
        elif isinstance(made := running.outcome(), Begun):
            await clean_up(place, abandon(made))
        raise


async def clean_up(place: Place, flow: Flow[None]) -> None:
    """Run a flow that takes something away, to its end. What it cannot take away is not the caller's failure."""
    with contextlib.suppress(S3Error, TimeoutError):
        await place.session.do_surely(flow)


@dataclass(slots=True)
class PartsOf:
    """The parts of one transfer: those that have landed, and a way to move the others.

    Attributes:
        place: where.
        item: which; its size is that of `layout`.
        begun: what `begin` gave.
        layout: how it is cut.
        landed: by number.
    """

    place: Place
    item: Item
    begun: Begun
    layout: Layout
    landed: dict[int, PartFact] = field(default_factory=dict)

    async def move(self, on_part: OnPart) -> None:
        """Move what has not landed yet. When this raises, nothing moves any more.

        Raises:
            S3Error: a part could not be moved.
        """

        def land(part: PartFact) -> None:
            self.landed[part.number] = part
            on_part(part)

        around = self.place.around
        steps = STEPS[self.item.direction]
        window = Window(self.place.session, around.settings.transfer.concurrency, land)
        try:
            for number, offset, size in self.layout.parts():
                if number not in self.landed:
                    order = MovePart(self.item, self.begun, number, offset, size)
                    await window.start(
                        functools.partial(steps.move_part, around, order),
                        needs_slot=self.item.direction is Direction.UPLOAD,
                    )
            await window.rest()
        except BaseException:
            await window.cancel()
            raise

    async def finish(self) -> Ending:
        """Verify the whole and publish it.

        Raises:
            S3Error: it could not be done.
        """
        parts = tuple(self.landed[number] for number in sorted(self.landed))
        return await self.place.session.do(
            STEPS[self.item.direction].finish(self.place.around, Finish(self.item, self.begun, parts))
        )

    async def abandon(self) -> None:
        """Take away what there is of it."""
        await clean_up(self.place, STEPS[self.item.direction].abandon(self.place.around, self.item, self.begun))


async def move_in_parts(place: Place, item: Item, plan: Callable[[int], Layout], meter: Meter) -> Ending:
    """Move one object in parts, from the first step to the last.

    A source that is replaced while it is read is begun with once more, and so is one whose bytes arrive damaged: of
    which part they are cannot be told.

    Args:
        place: where.
        item: which.
        plan: from size to layout.
        meter: has been told of the start, and is told of each part that has landed.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    with place.session.undertaking():
        return await _move_in_parts(place, item, plan, meter)


async def _move_in_parts(place: Place, item: Item, plan: Callable[[int], Layout], meter: Meter) -> Ending:
    steps = STEPS[item.direction]
    for is_last in (False, True):
        abandon = functools.partial(steps.abandon, place.around, item)
        begun = await begin_transfer(place, steps.begin(place.around, item), abandon)
        if isinstance(begun, Ending):
            return begun
        whole = item if begun.size < 0 else replace(item, size=begun.size)
        parts = PartsOf(place, whole, begun, plan(whole.size))
        try:
            await parts.move(lambda part: meter.landed(part.number, part.size))
            return await parts.finish()
        except PreconditionFailed as error:
            await parts.abandon()
            if is_last:
                raise object_changing(item.source_key or item.key) from error
            meter.started(whole.size)
        except ChecksumMismatch:
            await parts.abandon()
            if is_last:
                raise
            meter.started(whole.size)
        except BaseException:
            await parts.abandon()
            raise
    raise AssertionError("the last try returns or raises")
