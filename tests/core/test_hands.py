"""What workers have in hand, and how often a piece of work may be lost."""

from __future__ import annotations

from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Crowd
from orbit_fast.core.hands import Hands
from orbit_fast.core.hands import Limits
from orbit_fast.core.hands import Losses
from orbit_fast.core.hands import lost_failure
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer


def item(number: int) -> Item:
    """An item."""
    return Item(number, Direction.UPLOAD, 0, "k")


def test_the_least_loaded_worker_is_the_first_of_those_with_the_least_to_do() -> None:
    """A part or a step weighs as much as four small items."""
    crowd = Crowd({2: Hands(), 0: Hands(items={1: item(1)}), 1: Hands(asks={7})})
    assert crowd.least_loaded() == 2
    crowd[2].parts.add((9, 1))
    assert crowd.least_loaded() == 0
    crowd[0].items |= {number: item(number) for number in range(2, 7)}
    assert crowd.least_loaded() == 1
    assert (crowd.fewest_parts(), crowd.fewest_items()) == (0, 1)
    assert [crowd[number].load for number in (0, 1, 2)] == [6, 1, 4]


def test_an_item_is_lost_three_times_at_most() -> None:
    """Each loss is counted; an item that ended well begins at nothing, and is remembered no more."""
    losses = Losses()
    assert [losses.may_try_again(item(1)) for _ in range(MAX_LOSSES)] == [True, True, False]
    assert losses.may_try_again(item(2))
    assert list(losses.items) == [1, 2]
    losses.forget(1)
    losses.forget(1)
    assert list(losses.items) == [2]
    assert losses.may_try_again(item(1))


def test_the_failure_says_what_happened() -> None:
    """It is the object's, not the job's."""
    failure = lost_failure()
    assert (failure.code, failure.exit_code, failure.scope) == ("E_WORKER_LOST", 1, 0)
    assert str(MAX_LOSSES) in failure.message


def test_an_item_that_may_be_lost_once_more_only_is_a_suspect() -> None:
    """It is done alone: by then it has been in bad company as often as it may."""
    losses = Losses()
    assert not losses.is_suspect(item(1))
    suspected = []
    for _ in range(MAX_LOSSES):
        losses.may_try_again(item(1))
        suspected.append(losses.is_suspect(item(1)))
    assert suspected == [False, True, False]


def test_only_the_item_that_kills_workers_fails() -> None:
    """Its neighbours were lost with it twice, and have a worker to themselves the third time."""
    ledger = Ledger(Limits(depth=8, concurrency=1))
    for number in range(1, 5):
        ledger.add(item(number))
    for worker in (0, 1):
        ledger.worker_ready(worker)
        assert sum(len(order.items) for _, order in ledger.deal()) == 4
        ledger.worker_lost(worker)
    ledger.worker_ready(2)
    ledger.worker_ready(3)
    done, failed = [], []
    worker = 4
    while not ledger.is_idle:
        for holder, order in ledger.deal():
            [only] = order.items
            if only.number == 2:
                ledger.worker_lost(holder)
                ledger.worker_ready(worker)
                worker += 1
            else:
                ledger.item_ended(holder, Outcome(only.number, Status.DONE))
                done.append(only.number)
        failed += [item.number for item, _ in ledger.take_ended()]
    assert (sorted(done), failed) == ([1, 3, 4], [2])


def test_nothing_else_is_dealt_to_a_worker_with_a_suspect() -> None:
    """Nor a suspect to a worker that has something else."""
    ledger = Ledger(Limits(depth=8, concurrency=1))
    ledger.add(item(1))
    for worker in (0, 1):
        ledger.worker_ready(worker)
        ledger.deal()
        ledger.worker_lost(worker)
    ledger.worker_ready(2)
    assert ledger.deal() == [(2, Transfer((item(1),)))]
    ledger.add(item(2))
    assert ledger.deal() == []
    ledger.item_ended(2, Outcome(1, Status.DONE))
    assert ledger.deal() == [(2, Transfer((item(2),)))]
