"""Questions to the service: numbered, answered once, and what a failed answer means."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Stat
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import HeadBucket
from orbit_fast.core.tasks import Tallied
from orbit_fast.proc.questions import Questions

NO = Failure("no", "E_TEST")


class Asker:
    """A finder that remembers its answers."""

    def __init__(self, verdict=None):
        self.answers = []
        self._verdict = verdict

    def answer(self, answer):
        """Remembered."""
        self.answers.append(answer)
        return self._verdict


@pytest.fixture
def bench():
    """Questions of a ledger with one worker, and the failures that end the job."""
    ledger = Ledger(Limits(depth=8, concurrency=1))
    ledger.worker_ready(0)
    questions = Questions(ledger)
    failures = []
    questions.on_failure = failures.append
    return ledger, questions, failures


def test_answers_find_their_askers(bench):
    """Each question has a number of its own."""
    ledger, questions, failures = bench
    one, two = Asker(), Asker(NO)
    questions.ask(one, Stat(0, 0, "k"))
    questions.ask(two, ListPage(0, 0, "p"))
    assert [order for _, order in ledger.deal()] == [Stat(1, 0, "k"), ListPage(2, 0, "p")]
    questions.answered(0, 2, Page(2, ()))
    assert (one.answers, two.answers, failures) == ([], [Page(2, ())], [NO])
    questions.answered(0, 2, Page(2, ()))  # again
    questions.answered(0, 99, Page(99, ()))
    assert len(two.answers) == 1
    assert not ledger.is_idle


def test_a_service_that_asks_to_slow_down_gets_few_pages_at_once(bench):
    """Pages wait for pages; other questions do not. What waited goes on, also when nothing is in its way any more."""
    ledger, questions, _ = bench
    questions.allowed = lambda: 2
    asker = Asker()
    for _ in range(5):
        questions.ask(asker, ListPage(0, 0, "p"))
    questions.ask(asker, Stat(0, 0, "k"))
    assert [order.number for _, order in ledger.deal()] == [1, 2, 6]
    questions.answered(0, 6, Page(6, ()))
    assert ledger.deal() == []
    questions.answered(0, 2, Failed("list", 2, NO))
    assert [order.number for _, order in ledger.deal()] == [3]
    questions.allowed = lambda: 0
    questions.answered(0, 1, Page(1, ()))
    assert [order.number for _, order in ledger.deal()] == [4, 5]


def test_nobody_waits_for_an_answer_after_a_stop(bench):
    """It is dropped."""
    ledger, questions, _ = bench
    asker = Asker()
    questions.ask(asker, Stat(0, 0, "k"))
    ledger.deal()
    ledger.stop()
    questions.answered(0, 1, Page(1, ()))
    assert asker.answers == []


@pytest.mark.parametrize(
    ("answer", "is_fatal"),
    [
        (Page(1, ()), False),
        (Failed("page", 1, Failure.of(AccessDenied("no", status=403))), False),
        (Failed("page", 1, Failure.of(BucketNotFound("none", status=404))), True),
        (Failed("page", 1, Failure.of(ConnectFailed("refused"))), True),
    ],
)
def test_the_destination_is_looked_at_before_anything_is_sent(bench, answer, is_fatal):
    """Unreachable or unknown ends the job with exit code 2; who may not list may still write."""
    ledger, questions, failures = bench
    questions.probe(3)
    assert ledger.is_held
    assert [order for _, order in ledger.deal()] == [ListPage(1, 3, "", max_keys=1)]
    questions.answered(0, 1, answer)
    assert not ledger.is_held
    assert [failure.exit_code for failure in failures] == [2] * is_fatal


def test_a_task_is_done_again_when_its_worker_dies(bench):
    """As often as an item; then it has failed."""
    ledger, questions, failures = bench
    asker = Asker(NO)
    questions.ask(asker, RunTask(0, HeadBucket(0)))
    for loss in range(1, MAX_LOSSES + 1):
        assert [order for _, order in ledger.deal()] == [RunTask(1, HeadBucket(0))]
        assert not ledger.is_idle
        questions.lost(ledger.worker_lost(0))
        assert len(asker.answers) == (loss == MAX_LOSSES)
        ledger.worker_ready(0)
    assert asker.answers[0].failure.code == "E_WORKER_LOST"
    assert failures == [NO]
    assert ledger.is_idle


def test_a_task_that_has_said_something_is_not_done_again(bench):
    """Nobody reads the same line twice."""
    ledger, questions, _ = bench
    asker = Asker()
    questions.ask(asker, RunTask(0, HeadBucket(0)))
    ledger.deal()
    questions.said(1)
    questions.lost(ledger.worker_lost(0))
    assert [answer.failure.code for answer in asker.answers] == ["E_WORKER_LOST"]


def test_tasks_share_the_depth_with_items(bench):
    """Eight at once, whatever they are."""
    ledger, questions, _ = bench
    for _ in range(10):
        questions.ask(Asker(), RunTask(0, HeadBucket(0)))
    assert len(ledger.deal()) == 8
    questions.answered(0, 1, TaskEnded(1, Tallied()))
    assert [order.number for _, order in ledger.deal()] == [9]
