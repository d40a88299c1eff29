"""Objects for stdout: what of them is asked for, in which pieces, as far as there is room for it.

Where a service turns out to ignore ranges, the pieces that it refused are asked for again, in their order, from one
stream (`core.fetching.Pour`), and those behind them too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from orbit_fast.core.byterange import resolve_range
from orbit_fast.core.errors import ObjectArchived
from orbit_fast.core.errors import S3Error
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Open
from orbit_fast.core.fetching import Opened
from orbit_fast.core.fetching import Pour
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failure
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.ring import PAGE
from orbit_fast.core.ring import Ring
from orbit_fast.core.running import RunningProof
from orbit_fast.proc.passing import Block
from orbit_fast.proc.passing import Passing
from orbit_fast.proc.questions import Questions

SMALL_IN_FLIGHT = 64
"""Objects in one piece that are on their way at once."""


class Fetching:
    """Has pieces of objects brought into the stage, in the order in which they will be written.

    Args:
        capacity: bytes of the stage.
        range_size: bytes of a piece at most.
        questions: brings orders to workers.
        go_on: called when a piece has come, or will not.
    """

    def __init__(self, capacity: int, range_size: int, questions: Questions, go_on: Callable[[], None]) -> None:
        self._ring = Ring(capacity)
        self._range_size = range_size
        self._questions = questions
        self._go_on = go_on
        self._in_flight = 0

    def give_back(self, block: Block) -> None:
        """A piece has been written, or dropped."""
        self._in_flight -= 1
        self._ring.give_back(block.at)

    def leave(self, passing: Passing) -> None:
        """Nothing more of an object is wanted."""
        if passing.is_streaming:
            self._questions.ask(_NOBODY, _no_more(passing))

    def deal(self, passing: Passing) -> bool:
        """Ask for as much of the first unfinished object as may be asked for; whether that was the rest of it."""
        if passing.failure is not None:
            return True
        if not passing.is_cold and self._comes_whole(passing):
            return self._deal_whole(passing)
        if passing.opened is None:
            self._open(passing)
        if passing.opened is None:
            return False
        if passing.is_cold:
            return _leave_archived(passing, passing.opened) or self.deal(passing)
        return self._deal_ranges(passing, passing.opened)

    def _deal_ranges(self, passing: Passing, opened: Opened) -> bool:
        if not passing.end and not self._begin_ranges(passing, opened):
            return True
        most = passing.wanted.settings.transfer.concurrency
        while passing.next < passing.end:
            if _refused(passing) or passing.in_flight >= most or not self._deal_range(passing, opened):
                return False
        passing.is_asked = True
        return True

    def _comes_whole(self, passing: Passing) -> bool:
        return 0 <= passing.entry.size <= self._range_size and not passing.wanted.settings.selection.byte_range

    def _deal_whole(self, passing: Passing) -> bool:
        entry = passing.entry
        room = max(1, -(-entry.size // PAGE)) * PAGE
        at = self._ring.take(room) if self._in_flight < SMALL_IN_FLIGHT else None
        if at is None:
            return False
        passing.is_asked = True
        self._fetch(passing, Fetch(0, passing.site, entry.key, at, room, entry.version_id))
        return True

    def _open(self, passing: Passing) -> None:
        if passing.is_opening:
            return
        entry = passing.entry
        if (
            passing.wanted.settings.selection.byte_range and entry.etag and not passing.is_cold
        ):  # enough to ask for a range of it
            passing.opened = Opened(0, entry.size, entry.etag, entry.version_id, storage_class=entry.storage_class)
            return
        passing.is_opening = True
        order = Open(0, passing.site, entry.key, entry.version_id, variant=passing.wanted.variant)
        self._questions.ask(passing, order)

    def _begin_ranges(self, passing: Passing, opened: Opened) -> bool:
        """What of the object is wanted, and how it will be proven; False where nothing of it is."""
        wanted = passing.wanted.settings.selection.byte_range
        offset, count = 0, opened.size
        if wanted:
            try:
                offset, count = resolve_range(wanted, opened.size, passing.entry.key)
            except S3Error as error:
                passing.failure = Failure.of(error)
                return False
        passing.next, passing.end = offset, offset + count
        if passing.wanted.settings.transfer.verify and count == opened.size:
            passing.proof = RunningProof(passing.entry.key, opened)
        passing.is_asked = not count
        return bool(count)

    def _deal_range(self, passing: Passing, opened: Opened) -> bool:
        size = min(self._range_size, passing.end - passing.next)
        at = self._ring.take(size)
        if at is None:
            return False
        order = Fetch(
            0,
            passing.site,
            passing.entry.key,
            at,
            size,
            version_id=passing.entry.version_id,
            etag=opened.etag,
            offset=passing.next,
            size=size,
            total=opened.size,
            algorithm=passing.proof.range_algorithm if passing.proof is not None else "",
            stream=passing.stream,
        )
        passing.next += size
        self._fetch(passing, order)
        return True

    def _fetch(self, passing: Passing, order: Fetch) -> None:
        order = replace(order, variant=passing.wanted.variant)
        block = Block(order.at, passing, partial(self._came, passing), order)
        passing.blocks.append(block)
        passing.in_flight += 1
        self._in_flight += 1
        self._questions.ask(block, order)

    def _came(self, passing: Passing) -> None:
        """A piece has come, or will not. Those that the service did not send as ranges come in one stream, in order."""
        refused = _refused(passing) if not passing.in_flight else []
        failure = passing.failure or next((block.failure for block in passing.blocks if block.failure), None)
        for block in refused:
            block.is_refused = False
            if failure is not None:
                block.failure = failure
                continue
            if not passing.stream:
                self._begin_stream(passing)
            block.order = replace(block.order, stream=passing.stream)
            passing.in_flight += 1
            self._questions.ask(block, block.order)
        self._go_on()

    def _begin_stream(self, passing: Passing) -> None:
        opened, entry = passing.opened, passing.entry
        assert opened is not None, "ranges of it were asked for"
        order = Pour(0, passing.site, entry.key, opened.size, opened.etag, entry.version_id, passing.wanted.variant)
        passing.is_streaming = True
        passing.stream = self._questions.ask(_Stream(passing), order)


class _Stream:
    """Asks for an object in one stream."""

    def __init__(self, passing: Passing) -> None:
        self._passing = passing

    def answer(self, answer: Answer) -> Failure | None:
        """All of it has been sent, or will not be."""
        return self._passing.stream_ended(answer)


class _Nobody:
    """Asks for nothing that would have to be looked at."""

    def answer(self, answer: Answer) -> Failure | None:  # noqa: ARG002 - see the class
        """It makes no difference."""
        return None


_NOBODY = _Nobody()


def _no_more(passing: Passing) -> Fetch:
    """Nobody wants more of an object's stream."""
    return Fetch(0, passing.site, "", 0, 0, size=0, variant=passing.wanted.variant, stream=passing.stream)


def _refused(passing: Passing) -> list[Block]:
    """What the service did not send as ranges."""
    return [block for block in passing.blocks if block.is_refused]


def _leave_archived(passing: Passing, opened: Opened) -> bool:
    """Whether the object is archived: ``cat`` fails on it, a copy skips it."""
    passing.is_cold = False
    settings = passing.wanted.settings
    if not decide_archived(opened.storage_class, opened.restore, settings.selection):
        return False
    if settings.operation == "cat":
        hint = f"it is archived ({opened.storage_class}): restore it first (orbit restore {passing.name})"
        passing.failure = Failure.of(ObjectArchived(hint))
    else:
        passing.is_skipped = True
    return True
