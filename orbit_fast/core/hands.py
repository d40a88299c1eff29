"""What each worker has in its hands, and how often a piece of work was in the hands of a worker that died."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.errors import WorkerLost
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item

MAX_LOSSES = 3
"""A piece of work that was in the hands of this many workers when they died is likely to be why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be in flight.

    Attributes:
        depth: whole items that one worker may hold, those it has not started included.
        concurrency: parts of one object in flight, all workers together.
        parts_per_worker: parts in flight in one worker.
        backlog: whole items and shared transfers that may wait here; `Ledger.has_room` is false beyond.
        objects: large objects in flight, all workers together.
        workers: workers that there may be; some of them may not be there yet.
    """

    depth: int
    concurrency: int
    parts_per_worker: int = 32
    backlog: int = 4096
    objects: int = 1 << 20
    workers: int = 1


@dataclass(slots=True)
class Hands:
    """One worker's: whole items, parts (item and part number), steps of shared transfers, pages and stats, tasks."""

    items: dict[int, Item] = field(default_factory=dict)
    parts: set[tuple[int, int]] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)
    asks: set[int] = field(default_factory=set)
    tasks: set[int] = field(default_factory=set)
    is_alone: bool = False
    """It has one whole item and gets no other: see `Losses.is_suspect`."""

    @property
    def count(self) -> int:
        """Whole items and tasks."""
        return len(self.items) + len(self.tasks)

    @property
    def load(self) -> int:
        """How busy it is, roughly: a part or a step weighs more than a small item."""
        return len(self.items) + 4 * (len(self.parts) + len(self.steps)) + len(self.asks) + len(self.tasks)


class Crowd(dict[int, Hands]):
    """All workers' hands, by worker number."""

    def least_loaded(self) -> int:
        """The worker with the least to do."""
        return min(self, key=lambda number: (self[number].load, number))

    def fewest_parts(self) -> int:
        """The worker with the fewest parts in flight."""
        return min(self, key=lambda number: (len(self[number].parts), number))

    def fewest_items(self) -> int:
        """The worker with the fewest whole items; one that must be left alone comes last."""
        return min(self, key=lambda number: (self[number].is_alone, self[number].count, number))


class Losses:
    """How often each item was lost with a worker, or had to start over.

    Attributes:
        items: those that were lost and have not ended well since; workers may have left something of them behind.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.items: dict[int, Item] = {}

    def may_try_again(self, item: Item) -> bool:
        """Count one more loss of the item; whether it may be given to another worker."""
        number = item.number
        self.items[number] = item
        self._counts[number] = self._counts.get(number, 0) + 1
        return self._counts[number] < MAX_LOSSES

    def is_suspect(self, item: Item) -> bool:
        """Whether one more loss would be its last: it is done by itself, so that only what kills workers is blamed."""
        return self._counts.get(item.number, 0) == MAX_LOSSES - 1

    def forget(self, number: int) -> None:
        """The item has ended."""
        self._counts.pop(number, None)
        self.items.pop(number, None)


def lost_failure() -> Failure:
    """What an item ends with that was lost too often."""
    return Failure.of(WorkerLost(f"the worker process died {MAX_LOSSES} times while it had this object"))
