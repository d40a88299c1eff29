"""The ledger in a seeded world: workers that do, fail and die in any order, jobs that are interrupted and run again."""

from __future__ import annotations

import random

import pytest

from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer

LIMITS = Limits(depth=8, concurrency=3, parts_per_worker=4, backlog=100)
PART = 10
NO = Failure("no", "E_TEST")
CHANGED = Failure("changed", "E_SOURCE_CHANGED")
SCHEDULES = 10_000
SHARDS = 4
MOST_STEPS = 20_000


class World:
    """One job, run until all of it is done: its workers, its service, and what must always hold.

    Attributes:
        uploads: what the service holds of each large object that has begun: the parts.
        journal: large objects that have begun, as the supervisor heard of it.
        done: how each item ended.
        lost: those that workers died of while they took them up: the journal still has what there is of them.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.items = [Item(number, Direction.UPLOAD, 0, f"k{number}", size=5) for number in range(1, self._few(20))]
        self.large = [
            Item(1000 + place, self.rng.choice(list(Direction)), 0, f"l{place}", size=PART * self.rng.randint(2, 9))
            for place in range(self._few(4))
        ]
        self.uploads: dict[int, set[int]] = {}
        self.journal: set[int] = set()
        self.done: dict[int, Status] = {}
        self.lost: set[int] = set()
        self.stops = 0

    def _few(self, most: int) -> int:
        return self.rng.randint(0, most)

    # --- one run of the job ------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run the job until nothing is left that could be done again."""
        for _ in range(10):
            self.run_once()
            missing = [item for item in self.items + self.large if item.number not in self.done]
            if not missing:
                break
            assert self.ledger.is_stopped, "an item was forgotten"
        assert len(self.done) == len(self.items) + len(self.large)
        assert set(self.uploads) <= self.lost & self.journal, "an upload was neither completed nor abandoned"

    def run_once(self) -> None:
        """Run the job until it has ended, or was interrupted."""
        self.ledger = Ledger(LIMITS)
        self.inboxes: dict[int, list[object]] = {}
        self.moving: set[tuple[int, int]] = set()
        self.deaths = self.next_worker = 0
        for item in self.items:
            if item.number not in self.done:
                self.ledger.add(item)
        for item in self.large:
            if item.number not in self.done:
                self.ledger.add(item, plan_parts(item.size, PART, min_part=1))
        for _ in range(MOST_STEPS):
            self.step()
            if self.ledger.is_idle:
                break
        assert self.ledger.is_idle, self.ledger
        assert not self.moving
        assert set(self.uploads) <= self.journal, "an upload that nobody knows of was left"

    def step(self) -> None:
        """One thing happens."""
        self.deliver()
        for ended, outcome in self.ledger.take_ended():
            self.end(ended.number, outcome)
        busy = [worker for worker, inbox in self.inboxes.items() if inbox]
        chance = self.rng.random()
        if not self.inboxes or (chance < 0.05 and len(self.inboxes) < 3):
            self.hire()
        elif chance < 0.08 and self.deaths < 12:
            self.kill(self.rng.choice(list(self.inboxes)))
        elif chance < 0.085 and self.stops < 5:
            self.stops += 1
            self.ledger.stop(keeps=self.rng.random() < 0.7)
        elif busy:
            worker = self.rng.choice(busy)
            inbox = self.inboxes[worker]
            self.act(worker, inbox.pop(self.rng.randrange(len(inbox))))

    def hire(self) -> None:
        """One more worker."""
        self.inboxes[self.next_worker] = []
        self.ledger.worker_ready(self.next_worker)
        self.next_worker += 1

    def deliver(self) -> None:
        """Hand out the ledger's orders, and check that none is out of place."""
        for worker, order in self.ledger.deal():
            if isinstance(order, Transfer):
                self.inboxes[worker].extend(order.items)
            else:
                self.inboxes[worker].append(order)
            if isinstance(order, MovePart):
                name = (order.item.number, order.number)
                assert name not in self.moving, "a part is moved twice at once"
                self.moving.add(name)
            if isinstance(order, Abandon):
                assert not any(number == order.item.number for number, _ in self.moving), "aborted under a moving part"

    def end(self, number: int, outcome: Outcome) -> None:
        """An item ended; one that was given up because the job was is done again by the next run."""
        if outcome.failure is not None and outcome.failure.code == "E_CANCELLED":
            return
        assert number not in self.done, "an item ended twice"
        self.done[number] = outcome.status
        if outcome.failure is not None and outcome.failure.code == "E_WORKER_LOST":
            self.lost.add(number)

    def kill(self, worker: int) -> None:
        """A worker dies with all it holds; what it was doing may have been done all the same."""
        for order in self.inboxes.pop(worker):
            if isinstance(order, MovePart):
                self.moving.discard((order.item.number, order.number))
                if self.rng.random() < 0.5 and order.item.number in self.uploads:
                    self.uploads[order.item.number].add(order.number)
        self.ledger.worker_lost(worker)
        self.deaths += 1

    # --- what workers do ---------------------------------------------------------------------------------------------

    def act(self, worker: int, order: object) -> None:
        """A worker does, or fails, one order."""
        fails = self.rng.random() < 0.05
        if isinstance(order, Item):
            outcome = Outcome(order.number, Status.FAILED if fails else Status.DONE, failure=NO if fails else None)
            if self.ledger.item_ended(worker, outcome):
                self.end(order.number, outcome)
        elif isinstance(order, Begin):
            self.begin(worker, order.item, fails=fails)
        elif isinstance(order, MovePart):
            self.move(worker, order, fails=fails)
        elif isinstance(order, Finish):
            self.finish(worker, order, fails=fails)
        elif isinstance(order, Abandon):
            self.uploads.pop(order.item.number, None)
            if self.ledger.abandoned(worker, order.item.number):
                self.journal.discard(order.item.number)

    def begin(self, worker: int, item: Item, *, fails: bool) -> None:
        """A worker begins a shared transfer, takes it up, or finds that there is nothing to take up."""
        number = item.number
        if number not in self.journal:
            self.uploads.pop(number, None)  # of a worker that died before it could tell: found by its intent
            if fails:
                self.ledger.failed(worker, Failed("begin", number, NO))
                return
            self.uploads[number] = set()
            if self.ledger.begun(worker, Begun(number, "id")):
                self.journal.add(number)
            return
        if fails or number not in self.uploads:
            self.uploads.pop(number, None)
            if self.ledger.abandoned(worker, number):
                self.journal.discard(number)
            return
        landed = tuple(PartFact(part, (part - 1) * PART, PART) for part in sorted(self.uploads[number]))
        self.ledger.begun(worker, Begun(number, "id", part_size=PART, landed=landed))

    def move(self, worker: int, order: MovePart, *, fails: bool) -> None:
        """A worker moves a part."""
        number = order.item.number
        self.moving.discard((number, order.number))
        if fails:
            failure = self.rng.choice((NO, CHANGED))
            self.ledger.failed(worker, Failed("part", number, failure, order.number))
            return
        assert number in self.uploads, "a part of what does not exist"
        self.uploads[number].add(order.number)
        self.ledger.part_moved(worker, PartMoved(number, PartFact(order.number, order.offset, order.size)))

    def finish(self, worker: int, order: Finish, *, fails: bool) -> None:
        """A worker does the last step."""
        number = order.item.number
        count = order.item.size // PART
        assert [part.number for part in order.parts] == list(range(1, count + 1)), "parts are lost, or there twice"
        assert [part.offset for part in order.parts] == [place * PART for place in range(count)]
        if fails:
            self.ledger.failed(worker, Failed("finish", number, NO))
            return
        assert self.uploads.get(number, set()) >= set(range(1, count + 1)), "what has not landed is completed"
        if self.ledger.item_ended(worker, Outcome(number, Status.DONE, order.item.size)):
            self.end(number, Outcome(number, Status.DONE))
            self.uploads.pop(number, None)
            self.journal.discard(number)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_schedule_ends_and_every_item_ends_once(shard: int) -> None:
    """Whatever workers do, whenever they die, however often the job is interrupted: all is done, nothing is left."""
    for seed in range(shard, SCHEDULES, SHARDS):
        world = World(seed)
        try:
            world.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
