"""Tasks at a worker's desk: what they say, when they wait, how they end."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Said
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import HeadBucket
from orbit_fast.core.tasks import Tallied
from orbit_fast.io.flow import Until
from orbit_fast.io.task import SAY_AT
from orbit_fast.proc import taskdesk as module
from orbit_fast.proc.taskdesk import TaskDesk


class Bench:
    """A task desk, what it sent, and the task that it was given."""

    def __init__(self, monkeypatch):
        self.sent = []
        self.is_congested = False
        self.given = None
        monkeypatch.setattr(module, "flow_of", self._flow_of)
        self.desk = TaskDesk(None, self.sent.append, lambda: self.is_congested, None)
        self.flow, self.end = self.desk.begin(RunTask(7, HeadBucket(0), line=3), None)

    def _flow_of(self, given, task):
        assert task == HeadBucket(0)
        self.given = given
        return given.drained()


@pytest.fixture
def bench(monkeypatch):
    """A task with the number 7."""
    return Bench(monkeypatch)


def test_lines_are_collected(bench):
    """Until they are worth a message, or the task ends."""
    bench.given.say(b"one\n")
    assert bench.sent == []
    bench.given.say(b"x" * SAY_AT + b"\n")
    assert [len(said.lines) for said in bench.sent] == [SAY_AT + 5]
    bench.given.say(b"last\n")
    bench.given.tallied.found = 3
    bench.end(None)
    assert bench.sent[1:] == [Said(7, b"last\n", done=3), TaskEnded(7, Tallied(found=3))]


def test_errors_keep_their_place(bench):
    """What was said before comes before."""
    bench.given.say(b"one\n")
    bench.given.say(b"", b"no\n")
    assert bench.sent == [Said(7, b"one\n"), Said(7, b"", b"no\n")]


def test_a_failure_is_told_with_what_was_done(bench):
    """And where the command stood."""
    bench.given.tallied.deleted = 2
    bench.end(AccessDenied("no", status=403))
    [ended] = bench.sent
    assert (ended.tallied.deleted, ended.failure.status) == (2, 403)
    assert bench.given.line == 3


def test_it_waits_while_the_pipe_is_full(bench):
    """And goes on when that has gone."""
    bench.is_congested = True
    step = next(bench.flow)
    assert isinstance(step, Until)
    woken = []
    step.subscribe(lambda: woken.append(True))
    assert woken == []
    bench.is_congested = False
    bench.desk.drained()
    assert woken == [True]
    with pytest.raises(StopIteration):
        next(bench.flow)
