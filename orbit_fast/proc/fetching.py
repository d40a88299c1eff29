"""Objects for stdout: what of them is asked for, in which pieces, as far as there is room for it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from orbit_fast.core.byterange import resolve_range
from orbit_fast.core.errors import ObjectArchived
from orbit_fast.core.errors import S3Error
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Open
from orbit_fast.core.fetching import Opened
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
            if passing.in_flight >= most or not self._deal_range(passing, opened):
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
        )
        passing.next += size
        self._fetch(passing, order)
        return True

    def _fetch(self, passing: Passing, order: Fetch) -> None:
        block = Block(order.at, passing, self._go_on)
        passing.blocks.append(block)
        passing.in_flight += 1
        self._in_flight += 1
        self._questions.ask(block, replace(order, variant=passing.wanted.variant))


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
