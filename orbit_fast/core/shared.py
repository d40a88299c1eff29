"""Large objects, shared between workers part by part: the ledger's half that knows where each of them stands.

A shared transfer's life::

    WAITING ─Begin→ BEGINNING ─Begun→ MOVING ─last part→ FINISHING ─Outcome→ (gone)
                        │                 │ failed, stopped      │
                        └── failed        └→ DROPPING ─no part in flight→ ABANDONING ─Abandoned→ (gone, or WAITING)

One that an earlier job had begun goes the same way: its Begun says what has landed already, or an Abandoned that there
is nothing to go on from: then it is WAITING again.

Where the source was replaced (a file: changed in any way), or the upload aborted by somebody else, while parts moved,
the transfer starts over with what is there now, as often as after the loss of a worker.

One that began is either finished or abandoned, whatever happens; and it is abandoned only when no worker moves a part
of it any more: an abort that races with a late part leaves the part behind. Where a journal remembers them, those that
were moving when the job was told to stop are kept instead, for a later job to go on with.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field

from msgspec.structs import replace

from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.errors import object_changing
from orbit_fast.core.hands import Crowd
from orbit_fast.core.hands import Limits
from orbit_fast.core.hands import Losses
from orbit_fast.core.hands import lost_failure
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Drop
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Order
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Status
from orbit_fast.core.stream import Stream

_CHANGED = SourceChanged.default_code

_STARTS_OVER = frozenset({_CHANGED, "PreconditionFailed", "NoSuchUpload"})
"""Failures of a part that say: what this transfer began with is not there any more."""

_ENDS_ANEW = frozenset(
    {
        "ConditionalRequestConflict",  # somebody else wrote the key at the same time: S3 wants a new upload
        "E_CHECKSUM_MISMATCH",  # every range was what its connection said, the whole is not what the service stores
        "EntityTooSmall",
        "InvalidPart",
        "InvalidPartOrder",
        "PreconditionFailed",
    },
)
"""Failures of the last step that another beginning may mend."""

_FROM_HERE = frozenset({Direction.UPLOAD, Direction.PIPE})

_IN_ONE_STREAM = RangeIgnored.default_code


class Phase(enum.Enum):
    """Where a shared transfer stands; see the module's diagram."""

    WAITING = "waiting"
    BEGINNING = "beginning"
    MOVING = "moving"
    FINISHING = "finishing"
    DROPPING = "dropping"
    ABANDONING = "abandoning"


@dataclass(slots=True)
class _Shared:
    """One large object: what has landed and what has not."""

    item: Item
    layout: Layout | Stream
    phase: Phase = Phase.WAITING
    begun: Begun | None = None
    next_part: int = 1
    again: list[int] = field(default_factory=list)
    moving: set[int] = field(default_factory=set)
    landed: dict[int, PartFact] = field(default_factory=dict)
    failure: Failure | None = None
    starts_over: bool = False
    goes_whole: bool = False
    may_be_done: bool = False
    """A worker died in the last step: the object may be there already."""
    is_kept: bool = False
    """A later job goes on with it: it is neither finished nor abandoned."""

    @property
    def is_complete(self) -> bool:
        """Whether every part has landed, and none will come."""
        return self.layout.is_whole and len(self.landed) == self.layout.count

    def begin(self, begun: Begun) -> None:
        """It exists at its destination; some of it may have landed already."""
        self.begun = replace(begun, landed=())
        self.phase = Phase.MOVING
        if begun.size >= 0:
            # The source was replaced since it was listed: it is cut anew.
            self.item = replace(self.item, size=begun.size, mtime_ns=begun.mtime_ns, etag=begun.etag)
        if begun.size >= 0 or begun.part_size:
            part_size = begun.part_size or self.layout.part_size
            self.layout = layout = plan_parts(self.item.size, part_size, min_part=1)
            self.landed = {part.number: part for part in begun.landed if part.number <= layout.count}

    def take_part(self) -> int:
        """The next part to deal, or 0."""
        if self.again:
            return self.again.pop()
        while self.next_part in self.landed:
            self.next_part += 1
        if self.next_part > self.layout.count:
            return 0
        self.next_part += 1
        return self.next_part - 1


class SharedTransfers:
    """The large objects of a job.

    Attributes:
        ended: items that ended here, with their failures; whoever takes them empties the list.
        whole: items whose service does not do ranges: one worker must do each alone; emptied likewise.
        is_stopped: nothing new is begun any more.
    """

    def __init__(self, limits: Limits, crowd: Crowd, losses: Losses) -> None:
        self._limits = limits
        self._crowd = crowd
        self._losses = losses
        self._shared: dict[int, _Shared] = {}
        self._waiting: deque[int] = deque()
        self._steps: deque[tuple[int, Order]] = deque()
        self._drops: list[tuple[int, Order]] = []
        self.ended: list[tuple[Item, Outcome]] = []
        self.whole: list[Item] = []
        self._redone: set[int] = set()
        self.is_stopped = False
        self._keeps = False

    def __len__(self) -> int:
        return len(self._shared)

    @property
    def waiting(self) -> int:
        """Transfers that have not begun."""
        return len(self._waiting)

    def unfinished(self) -> list[Item]:
        """The items that have begun and have not ended."""
        return [shared.item for shared in self._shared.values() if shared.phase is not Phase.WAITING]

    @property
    def wanted_workers(self) -> int:
        """One for each part that may be in flight."""
        return sum(min(shared.layout.count, self._limits.concurrency) for shared in self._shared.values())

    def add(self, item: Item, layout: Layout | Stream) -> None:
        """One more; the parts of a `Stream` are dealt as they are appended to it, until `stream_ended`."""
        self._shared[item.number] = _Shared(item, layout)
        self._waiting.append(item.number)

    def stream_ended(self, number: int, size: int) -> None:
        """The stream behind this transfer is whole: it had `size` bytes."""
        shared = self._shared.get(number)
        if shared is not None:
            shared.item = replace(shared.item, size=size)
            if shared.phase is Phase.MOVING and shared.is_complete:
                self._finish(shared)

    def clean_up(self, item: Item, begun: Begun) -> None:
        """Abandon what an earlier job had begun and nobody goes on with."""
        shared = self._shared[item.number] = _Shared(item, plan_parts(0, 1, min_part=1), begun=begun)
        self._drop(shared)

    def stop(self, *, keeps: bool = False) -> None:
        """Begin nothing new; abandon what began, or keep it for a later job."""
        self.is_stopped = True
        self._keeps = keeps
        for number in self._waiting:
            del self._shared[number]
        self._waiting.clear()
        for shared in list(self._shared.values()):
            if shared.phase is Phase.MOVING:
                self._interrupt(shared)

    def deal(self, orders: list[tuple[int, Order]]) -> None:
        """Add the orders to send now: last steps first, then parts, then new beginnings."""
        self._deal_steps(orders)
        _deal_parts(self._shared.values(), self._crowd, self._limits, orders)
        self._deal_beginnings(orders)

    def take_drops(self) -> list[tuple[int, Order]]:
        """Calls to give up parts in flight; they go out even when nothing else does."""
        drops, self._drops = self._drops, []
        return drops

    # --- what workers reported ---------------------------------------------------------------------------------------

    def item_ended(self, worker: int, outcome: Outcome) -> Item | None:
        """The last step was done (or the first said that there is nothing to do)."""
        shared = self._shared.get(outcome.item)
        if shared is None or outcome.item not in self._crowd[worker].steps:
            return None
        self._crowd[worker].steps.discard(outcome.item)
        del self._shared[outcome.item]
        self._losses.forget(outcome.item)
        return shared.item

    def lost(self, parts: set[tuple[int, int]], steps: set[int]) -> None:
        """A worker died with these parts and steps in its hands."""
        for number, part in parts:
            self._shared[number].moving.discard(part)
            self._shared[number].again.append(part)
        for number in {number for number, _ in parts}:
            shared = self._shared[number]
            if shared.phase is Phase.DROPPING:
                self._abandon_when_quiet(shared)
            elif not self._losses.may_try_again(shared.item):
                self._fail(shared, lost_failure())
        for number in steps:
            self._redo_step(self._shared[number])

    def begun(self, worker: int, begun: Begun) -> Layout | Stream | None:
        """A shared transfer exists at its destination; its parts, or None where nobody waits for it any more."""
        shared = self._shared.get(begun.item)
        if shared is None or begun.item not in self._crowd[worker].steps:
            return None
        self._crowd[worker].steps.discard(begun.item)
        shared.begin(begun)
        if self.is_stopped:
            self._interrupt(shared)
        elif shared.landed and shared.is_complete:
            self._finish(shared)
        return shared.layout

    def part_moved(self, worker: int, moved: PartMoved) -> bool:
        """A part has landed; False where it was not this worker's (any more)."""
        held = self._crowd[worker]
        shared = self._shared.get(moved.item)
        if shared is None or (moved.item, moved.part.number) not in held.parts:
            return False
        held.parts.discard((moved.item, moved.part.number))
        shared.moving.discard(moved.part.number)
        shared.landed[moved.part.number] = moved.part
        if isinstance(shared.layout, Stream):
            shared.layout.land(moved.part.number)
        if shared.phase is Phase.DROPPING:
            self._abandon_when_quiet(shared)
        elif shared.is_complete:
            self._finish(shared)
        return True

    def failed(self, worker: int, failed: Failed) -> None:
        """A step or a part of a shared transfer failed for good."""
        held = self._crowd[worker]
        shared = self._shared.get(failed.number)
        if shared is None:
            return
        if failed.kind == "begin" and failed.number in held.steps:
            held.steps.discard(failed.number)
            self._end_failed(shared, failed.failure)
        elif failed.kind == "finish" and failed.number in held.steps:
            held.steps.discard(failed.number)
            self._finish_failed(shared, failed.failure)
        elif failed.kind == "part" and (failed.number, failed.part) in held.parts:
            held.parts.discard((failed.number, failed.part))
            shared.moving.discard(failed.part)
            self._part_failed(shared, failed.failure)

    def abandoned(self, worker: int, number: int) -> bool:
        """The multipart upload is aborted, the temporary file is gone; False where nobody waits for that any more."""
        shared = self._shared.get(number)
        if shared is None or number not in self._crowd[worker].steps:
            return False
        self._crowd[worker].steps.discard(number)
        if shared.failure is not None:
            self._end_failed(shared, shared.failure)
        else:
            shared.starts_over = shared.starts_over or shared.phase is Phase.BEGINNING
            self._leave(shared)
        return True

    def _deal_steps(self, orders: list[tuple[int, Order]]) -> None:
        while self._steps:
            number, order = self._steps.popleft()
            worker = self._crowd.least_loaded()
            self._crowd[worker].steps.add(number)
            orders.append((worker, order))

    def _deal_beginnings(self, orders: list[tuple[int, Order]]) -> None:
        """Begin as many large objects as keep every worker's hands full of parts."""
        most = max(1, 2 * self._limits.parts_per_worker * len(self._crowd) // max(1, self._limits.concurrency))
        most = min(most, self._limits.objects)
        while self._waiting and len(self._shared) - len(self._waiting) < most:
            shared = self._shared[self._waiting.popleft()]
            shared.phase = Phase.BEGINNING
            worker = self._crowd.least_loaded()
            self._crowd[worker].steps.add(shared.item.number)
            orders.append((worker, Begin(shared.item)))

    # --- the life of a shared transfer --------------------------------------------------------------------------------

    def _finish(self, shared: _Shared) -> None:
        if shared.begun is None:
            return
        shared.phase = Phase.FINISHING
        parts = tuple(shared.landed[number] for number in sorted(shared.landed))
        self._steps.append((shared.item.number, Finish(shared.item, shared.begun, parts)))

    def _part_failed(self, shared: _Shared, failure: Failure) -> None:
        if shared.starts_over or shared.is_kept:
            self._abandon_when_quiet(shared)  # whatever the other parts fail with, called back as they are
        elif failure.code == _IN_ONE_STREAM and shared.failure is None:
            shared.starts_over = shared.goes_whole = True
            self._drop(shared)
        elif failure.code in _STARTS_OVER and shared.phase is Phase.MOVING:
            self._start_over_or_fail(shared, failure)
        else:
            self._fail(shared, failure)

    def _finish_failed(self, shared: _Shared, failure: Failure) -> None:
        if failure.code == _CHANGED and not shared.may_be_done:
            self._start_over_or_fail(shared, failure)
        elif failure.code in _ENDS_ANEW and shared.item.number not in self._redone:
            self._redone.add(shared.item.number)
            self._start_over_or_fail(shared, failure)
        else:
            self._fail(shared, failure)

    def _start_over_or_fail(self, shared: _Shared, failure: Failure) -> None:
        is_gone = isinstance(shared.layout, Stream)  # what was read from a stream cannot be read again
        if not self.is_stopped and not is_gone and self._losses.may_try_again(shared.item):
            shared.starts_over = True
            self._drop(shared)
        elif failure.code == "PreconditionFailed" and shared.item.direction not in _FROM_HERE:
            self._fail(shared, Failure.of(object_changing(shared.item.source_key or shared.item.key)))
        else:
            self._fail(shared, failure)

    def _fail(self, shared: _Shared, failure: Failure | None) -> None:
        """One thing went wrong for good: the whole transfer fails, once it is cleaned up."""
        if shared.failure is None:
            shared.failure = failure
        if shared.phase is not Phase.ABANDONING:
            self._drop(shared)

    def _interrupt(self, shared: _Shared) -> None:
        """The job was told to stop while this one was moving."""
        shared.is_kept = self._keeps and not isinstance(shared.layout, Stream)
        self._drop(shared)

    def _drop(self, shared: _Shared) -> None:
        """Call back the parts in flight, then abandon."""
        if shared.phase is not Phase.DROPPING:
            shared.phase = Phase.DROPPING
            for number, held in self._crowd.items():
                if any(item == shared.item.number for item, _ in held.parts):
                    self._drops.append((number, Drop(shared.item.number)))
        self._abandon_when_quiet(shared)

    def _abandon_when_quiet(self, shared: _Shared) -> None:
        if shared.moving:
            return
        if shared.begun is None or shared.is_kept:
            self._leave(shared)
            return
        shared.phase = Phase.ABANDONING
        self._steps.append((shared.item.number, Abandon(shared.item, shared.begun)))

    def _leave(self, shared: _Shared) -> None:
        """Nothing is left of it at its destination: it is forgotten, or starts over."""
        del self._shared[shared.item.number]
        if self.is_stopped:
            return
        if shared.goes_whole:
            self.whole.append(shared.item)
        elif shared.starts_over:
            self.add(shared.item, shared.layout)

    def _end_failed(self, shared: _Shared, failure: Failure) -> None:
        self._shared.pop(shared.item.number)
        if failure.code != WorkerLost.default_code:  # what the lost workers left behind wants to be looked after
            self._losses.forget(shared.item.number)
        self.ended.append((shared.item, Outcome(shared.item.number, Status.FAILED, failure=failure)))

    def _redo_step(self, shared: _Shared) -> None:
        """The worker that had this transfer's step in hand is dead."""
        number = shared.item.number
        if shared.phase is Phase.ABANDONING and shared.begun is not None:
            # However often: an abort does not kill workers, and what is not aborted is billed.
            self._steps.append((number, Abandon(shared.item, shared.begun)))
        elif not self._losses.may_try_again(shared.item):
            if shared.begun is None:
                self._end_failed(shared, lost_failure())
            else:
                self._fail(shared, lost_failure())
        elif shared.phase is Phase.FINISHING and shared.item.direction is not Direction.DOWNLOAD:
            shared.may_be_done = True
            self._finish(shared)
        else:
            # Nothing is known of the temporary file (it may be published already): it goes, and the object is fetched
            # again. A transfer that had not begun simply begins again.
            shared.starts_over = True
            self._drop(shared)


def _deal_parts(transfers: Iterable[_Shared], crowd: Crowd, limits: Limits, orders: list[tuple[int, Order]]) -> None:
    """Parts for every worker whose hands are not full, of the first transfer first."""
    for shared in transfers:
        if shared.phase is not Phase.MOVING or shared.begun is None:
            continue
        while len(shared.moving) < limits.concurrency:
            worker = crowd.fewest_parts()
            if len(crowd[worker].parts) >= limits.parts_per_worker:
                return
            number = shared.take_part()
            if not number:
                break
            offset, size = shared.layout.part(number)
            shared.moving.add(number)
            crowd[worker].parts.add((shared.item.number, number))
            at = shared.layout.place(number) if isinstance(shared.layout, Stream) else 0
            orders.append((worker, MovePart(shared.item, shared.begun, number, offset, size, at)))
