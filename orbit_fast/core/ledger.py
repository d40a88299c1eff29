"""The ledger: who does what, as a table. Events in, orders out; no process, no pipe, no clock.

The supervisor tells it what was found (`add`, `ask`), who is there (`worker_ready`, `worker_lost`) and what workers
reported; `deal` answers with the orders to send now. Everything that can happen to work is decided here and in `shared`
(large objects), so "worker 3 died", "part 7 landed", "upload 12 must be aborted" are unit tests without a process.

What it promises

* every added item ends in exactly one `Outcome`, or is dropped by `stop`;
* work of a lost worker is dealt again, at most `MAX_LOSSES` times an item, then the item fails; before that, an item
  has had a worker to itself, so that none fails for the company it was in;
* a shared transfer that began is either finished or abandoned, also after `stop` (where a later job cannot go on with
  it);
* no worker is drowned: whole items go out in chunks that shrink as the backlog does, up to the worker's depth; parts up
  to `Limits.parts_per_worker`, and up to `Limits.concurrency` for one object.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence

from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Pour
from orbit_fast.core.hands import Crowd
from orbit_fast.core.hands import Hands
from orbit_fast.core.hands import Limits
from orbit_fast.core.hands import Losses
from orbit_fast.core.hands import lost_failure
from orbit_fast.core.layout import Layout
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Order
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.shared import SharedTransfers
from orbit_fast.core.stream import Stream

CHUNK = 64
"""Most whole items in one order: an order of 64 costs the pipe about as much as an order of one."""

_ITEMS_FOR_A_WORKER = 32
_BYTES_FOR_A_WORKER = 64 << 20
_LOOKED_AT = 256
_LARGE_RANGE = 1 << 20


class Ledger:
    """The table. Methods are called by the supervisor; none of them waits.

    Attributes:
        is_held: deal only pages and stats for now: it is not known yet whether the rest can succeed.
        is_stopped: nothing new is dealt any more.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._crowd = Crowd()
        self._losses = Losses()
        self._shared = SharedTransfers(limits, self._crowd, self._losses)
        self._backlog: deque[Item] = deque()
        self._suspects: deque[Item] = deque()
        self._asks: dict[int, Ask] = {}
        self._asks_waiting: deque[int] = deque()
        self._tasks_waiting: deque[int] = deque()
        self._streams: dict[int, int] = {}  # of each `Pour` that is not answered: the worker
        self._ended: list[tuple[Item, Outcome]] = []
        self.is_stopped = False
        self.is_held = False

    def __repr__(self) -> str:
        held = ", ".join(
            f"{number}: {len(hands.items)} items {len(hands.parts)} parts {len(hands.steps)} steps"
            for number, hands in self._crowd.items()
        )
        return (
            f"<Ledger backlog={len(self._backlog)} suspects={len(self._suspects)} shared={len(self._shared)}"
            f" asks={len(self._asks)}"
            f"{' stopped' if self.is_stopped else ''} workers={{{held}}}>"
        )

    # --- what the supervisor adds ---------------------------------------------------------------------------------

    def add(self, item: Item, layout: Layout | Stream | None = None) -> None:
        """A new item: with a layout it is shared between workers, part by part; without, one worker does it alone."""
        if self.is_stopped:
            return
        if layout is None:
            self._backlog.append(item)
        else:
            self._shared.add(item, layout)

    def stream_ended(self, number: int, size: int) -> None:
        """The stream that this item was added with is whole: it had `size` bytes."""
        self._shared.stream_ended(number, size)

    def ask(self, order: Ask) -> None:
        """A page or a stat that somebody has to fetch, or a task that somebody has to do."""
        if self.is_stopped:
            return
        self._asks[order.number] = order
        waiting = self._tasks_waiting if isinstance(order, RunTask) else self._asks_waiting
        waiting.append(order.number)

    def worker_ready(self, worker: int) -> None:
        """This worker can take orders."""
        self._crowd[worker] = Hands()

    def clean_up(self, item: Item, begun: Begun) -> None:
        """Abandon what an earlier job had begun and nobody goes on with; `item` has a number that no other has."""
        if not self.is_stopped:
            self._shared.clean_up(item, begun)

    def stop(self, *, keeps: bool = False) -> None:
        """Deal nothing new. What waits is dropped; what workers hold may end.

        Shared transfers are abandoned, or, where a later job can go on with them (`keeps`), left as they are.
        """
        self.is_stopped = True
        self.is_held = False
        self._backlog.clear()
        self._suspects.clear()
        self._asks_waiting.clear()
        self._tasks_waiting.clear()
        self._asks.clear()
        self._shared.stop(keeps=keeps)

    # --- what workers reported -------------------------------------------------------------------------------------

    def item_ended(self, worker: int, outcome: Outcome) -> Item | None:
        """A whole item, or a shared one in its last step, ended. None when it was not this worker's (any more)."""
        hands = self._crowd[worker]
        item = hands.items.pop(outcome.item, None)
        if item is None:
            return self._shared.item_ended(worker, outcome)
        hands.is_alone = hands.is_alone and bool(hands.items)
        self._losses.forget(outcome.item)
        return item

    def begun(self, worker: int, begun: Begun) -> Layout | Stream | None:
        """A shared transfer exists at its destination; its parts, or None where nobody waits for it any more."""
        return self._shared.begun(worker, begun)

    def part_moved(self, worker: int, moved: PartMoved) -> bool:
        """A part has landed; False where it was not this worker's (any more)."""
        return self._shared.part_moved(worker, moved)

    def failed(self, worker: int, failed: Failed) -> None:
        """A step or a part of a shared transfer failed for good."""
        self._shared.failed(worker, failed)

    def abandoned(self, worker: int, number: int, failure: Failure | None = None) -> bool:  # noqa: ARG002 - who records what happens looks at it
        """The multipart upload is aborted, the temporary file is gone (or could not be: `failure`).

        False where nobody waits for that any more.
        """
        return self._shared.abandoned(worker, number)

    def answered(self, worker: int, number: int) -> bool:
        """A page, a stat or a task was answered (or failed); False when nobody asked any more."""
        hands = self._crowd[worker]
        hands.asks.discard(number)
        hands.tasks.discard(number)
        self._streams.pop(number, None)
        return self._asks.pop(number, None) is not None

    def worker_lost(self, worker: int) -> list[RunTask]:
        """This worker is dead, its connections with it: what it held is dealt again, or has failed too often.

        Returns:
            The tasks that it had: only who heard what they said can tell whether they may be done again (`ask`).
        """
        hands = self._crowd.pop(worker, None)
        if hands is None:
            return []
        self._streams = {number: holder for number, holder in self._streams.items() if holder != worker}
        for number in sorted(hands.asks, reverse=True):  # those that were asked first go first again
            if number in self._asks:
                self._asks_waiting.appendleft(number)
        for item in hands.items.values():
            if self._losses.may_try_again(item):
                if self._losses.is_suspect(item) and not self.is_stopped:
                    self._suspects.append(item)
                else:
                    self.add(item)
            else:
                self._ended.append((item, Outcome(item.number, Status.FAILED, failure=lost_failure())))
        self._shared.lost(hands.parts, hands.steps)
        lost = [self._asks.pop(number, None) for number in sorted(hands.tasks)]
        return [task for task in lost if isinstance(task, RunTask)]

    # --- what is to be done -----------------------------------------------------------------------------------------

    def deal(self) -> list[tuple[int, Order]]:
        """The orders to send now, each with its worker."""
        orders = self._shared.take_drops()
        if not self._crowd:
            return orders
        self._deal_asks(orders)
        if not self.is_held:
            self._deal_tasks(orders)
            self._shared.deal(orders)
            self._backlog.extend(self._shared.whole)
            self._shared.whole.clear()
            self._deal_suspects(orders)
            self._deal_items(orders)
        return orders

    def take_ended(self) -> list[tuple[Item, Outcome]]:
        """Items that ended here rather than in a worker: failed shared transfers, items lost too often."""
        ended = self._ended + self._shared.ended
        self._ended.clear()
        self._shared.ended.clear()
        return ended

    @property
    def has_room(self) -> bool:
        """Whether more items may be added now."""
        waiting = len(self._backlog) + self._shared.waiting + len(self._tasks_waiting)
        return waiting < self._limits.backlog and not self.is_stopped

    @property
    def is_idle(self) -> bool:
        """Nothing waits and nobody holds anything."""
        if self._backlog or self._suspects or self._shared or self._shared.whole or self._asks:
            return False
        if self._ended or self._shared.ended:
            return False
        return not any(hands.load for hands in self._crowd.values())

    @property
    def in_flight(self) -> int:
        """Objects that workers hold."""
        return sum(len(hands.items) for hands in self._crowd.values()) + len(self._shared) - self._shared.waiting

    def wanted_workers(self) -> int:
        """How many workers the work at hand can use: one for each 32 small items, 64 MiB, or part of a large object."""
        held = [item.size for hands in self._crowd.values() for item in hands.items.values()]
        waiting = [item.size for _, item in zip(range(_LOOKED_AT), self._backlog, strict=False)]
        tasks = len(self._tasks_waiting) + sum(len(hands.tasks) for hands in self._crowd.values())
        by_count = (len(held) + len(self._backlog) + tasks) // _ITEMS_FOR_A_WORKER
        by_size = (sum(held) + sum(waiting)) // _BYTES_FOR_A_WORKER
        fetches = sum(isinstance(order, Fetch) and order.room >= _LARGE_RANGE for order in self._asks.values())
        return max(1, by_count, by_size, fetches, self._shared.wanted_workers)

    def leftovers(self) -> list[Item]:
        """What workers had in hand, or lost, and what did not end since; nothing when every item has ended."""
        held = [item for hands in self._crowd.values() for item in hands.items.values()]
        return held + self._shared.unfinished() + list(self._losses.items.values())

    def varied(self, number: int, settings: JobSettings) -> None:
        """Items of this variant are done with these settings; whoever records what is done looks at them."""

    def take_idle_variants(self) -> Sequence[int]:
        """Numbers of settings that nothing will be done with any more, each told once; whoever keeps count knows."""
        return ()

    # --- dealing -----------------------------------------------------------------------------------------------------

    def _deal_asks(self, orders: list[tuple[int, Order]]) -> None:
        while self._asks_waiting:
            number = self._asks_waiting.popleft()
            order = self._asks[number]
            worker = self._crowd.least_loaded()
            if isinstance(order, Pour):
                self._streams[number] = worker
            elif isinstance(order, Fetch):  # who takes pieces of a stream must find it in the same process
                worker = self._streams.get(order.stream, worker)
            self._crowd[worker].asks.add(number)
            orders.append((worker, order))

    def _deal_tasks(self, orders: list[tuple[int, Order]]) -> None:
        """Tasks are small, like whole items, and share their depth; what one asks for beside its first is its own."""
        while self._tasks_waiting:
            worker = self._crowd.fewest_items()
            hands = self._crowd[worker]
            if hands.count >= self._limits.depth or hands.is_alone:
                return
            number = self._tasks_waiting.popleft()
            hands.tasks.add(number)
            orders.append((worker, self._asks[number]))

    def _fair_share(self) -> int:
        """Whole items for each worker, when those that are still to come get theirs too."""
        if len(self._crowd) >= self._limits.workers:
            return self._limits.depth
        items = len(self._backlog) + sum(len(hands.items) for hands in self._crowd.values())
        expected = max(len(self._crowd), min(self._limits.workers, self.wanted_workers()))
        return max(_ITEMS_FOR_A_WORKER, -(-items // expected))

    def _deal_suspects(self, orders: list[tuple[int, Order]]) -> None:
        """One by one, each to a worker that has no other whole item."""
        while self._suspects:
            worker = self._crowd.fewest_items()
            hands = self._crowd[worker]
            if hands.items:
                return
            item = self._suspects.popleft()
            hands.items[item.number] = item
            hands.is_alone = True
            orders.append((worker, Transfer((item,))))

    def _deal_items(self, orders: list[tuple[int, Order]]) -> None:
        """Evenly, in chunks that shrink as the backlog does; what a worker gets at once is one order."""
        depth = min(self._limits.depth, self._fair_share())
        dealt: dict[int, list[Item]] = {}
        while self._backlog:
            worker = self._crowd.fewest_items()
            held = self._crowd[worker].items
            room = depth - len(held) - len(self._crowd[worker].tasks)
            if room <= 0 or self._crowd[worker].is_alone:
                break
            chunk = max(1, min(CHUNK, room, len(self._backlog) // (4 * len(self._crowd))))
            items = [self._backlog.popleft() for _ in range(chunk)]
            for item in items:
                held[item.number] = item
            dealt.setdefault(worker, []).extend(items)
        for worker, items in dealt.items():
            orders += [(worker, Transfer(tuple(batch))) for batch in _batches(items)]


def _batches(items: list[Item]) -> Iterator[list[Item]]:
    """The items in orders of `CHUNK`."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
