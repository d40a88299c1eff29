"""The crew: processes that are started, spoken to, and taken out when they are dead."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal

import pytest

from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Ready
from orbit_fast.core.messages import encode
from orbit_fast.proc import crew as module
from orbit_fast.proc.channel import Channel
from orbit_fast.proc.channel import encode_frame
from orbit_fast.proc.channel import open_channel
from orbit_fast.proc.crew import Crew
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import SpawnFailed
from orbit_fast.proc.spawn import WorkerProcess

ORDER = ListPage(1, 0, "")


def pretend(body):
    """A worker that is a forked child of the test, running `body` with its ends of the pipes."""

    def start(index, _entry, *, arena_fd):
        ours, theirs = open_channel()
        lifeline, held = os.pipe()
        pid = os.fork()
        if not pid:
            with contextlib.suppress(BaseException):
                os.close(ours.read_fd)
                os.close(ours.write_fd)
                os.close(lifeline)
                body(theirs, index)
            os._exit(7)
        theirs.close()
        os.close(held)
        return WorkerProcess(index=index, pid=pid, channel=Channel(ours), lifeline=lifeline)

    return start


def sleep(_ends, _index):
    """For ever, deaf to every order."""
    while True:
        signal.pause()


def until_told(ends, _index):
    """Say hello, and end with the first order."""
    os.write(ends.write_fd, encode_frame(encode(Ready(os.getpid()))))
    os.read(ends.read_fd, 1)


def nonsense(ends, _index):
    """Something that is no frame, then silence."""
    os.write(ends.write_fd, b"x" * 100)
    signal.pause()


@pytest.fixture
def bench(monkeypatch):
    """Makes crews; they are empty at the end."""
    made = []

    def make(body, *, size=3):
        monkeypatch.setattr(module, "start_worker", pretend(body))
        selector = selectors.DefaultSelector()
        arena = SlotArena.create(max_memory=size * 8192, workers=size, slot_size=4096)
        made.append((selector, arena))
        return Crew(selector, arena, size=size), selector, arena

    yield make
    for selector, arena in made:
        assert len(selector.get_map()) == 0
        selector.close()
        arena.close()


def heard(crew, selector):
    """The next events, and whose they are."""
    [(key, _), *_] = selector.select(5)
    return key.data, list(crew.read(key.data))


def test_as_many_as_are_wanted_and_may_be(bench):
    """Numbers from 0; a free number is used again."""
    crew, _, _ = bench(sleep)
    crew.start_up_to(2)
    crew.start_up_to(1)
    assert (len(crew), len(set(crew.pids))) == (2, 2)
    crew.start_up_to(99)
    assert len(crew) == 3
    os.kill(crew.pids[1], signal.SIGKILL)
    worker = crew._workers[1]
    assert crew.bury(worker) == -signal.SIGKILL
    assert sorted(crew._workers) == [0, 2]
    crew.start_up_to(3)
    assert sorted(crew._workers) == [0, 1, 2]
    crew.stop(patience_s=0.0)
    assert len(crew) == 0


def test_fewer_processes_will_do(bench, monkeypatch):
    """Where the system gives no more; but not none at all."""
    crew, _, _ = bench(sleep)
    crew.start_up_to(1)

    def refuse(*_args, **_named):
        raise SpawnFailed("no more")

    monkeypatch.setattr(module, "start_worker", refuse)
    crew.start_up_to(3)
    assert len(crew) == 1
    crew.stop(patience_s=0.0)
    with pytest.raises(SpawnFailed):
        crew.start_up_to(3)


def test_events_come_in_and_the_end_after_them(bench):
    """A worker that ends is readable; its pipe says so, its status is read when it is buried, its slots are free."""
    crew, selector, arena = bench(until_told, size=1)
    crew.start_up_to(1)
    worker, events = heard(crew, selector)
    assert events == [Ready(worker.pid)]
    arena.mark(1, owner=worker.pid)
    crew.send(0, ORDER)
    worker, events = heard(crew, selector)
    assert (events, worker.channel.is_ended) == ([], True)
    assert crew.bury(worker) == 7
    assert arena.leased == 0
    assert len(crew) == 0


def test_a_worker_that_talks_nonsense_is_killed(bench):
    """And noticed like any other dead one."""
    crew, selector, _ = bench(nonsense, size=1)
    crew.start_up_to(1)
    worker, events = heard(crew, selector)
    assert events == []
    while not worker.channel.is_ended:
        heard(crew, selector)
    assert crew.bury(worker) == -signal.SIGKILL


def test_orders_to_a_dead_worker_are_no_mistake(bench):
    """Its end will be noticed; until then they go nowhere."""
    crew, selector, _ = bench(sleep, size=2)
    crew.start_up_to(2)
    doomed = crew._workers[0]
    doomed.kill()
    doomed.wait(60)
    crew.send_all(ORDER)
    crew.send(0, ORDER)
    worker, events = heard(crew, selector)
    assert (worker, events, worker.channel.is_ended) == (doomed, [], True)
    crew.bury(doomed)
    crew.stop(patience_s=0.0)


def test_many_orders_are_written_at_once(bench, monkeypatch):
    """One write for each worker that has any, in the order of its own."""
    crew, _, _ = bench(sleep, size=2)
    crew.start_up_to(2)
    written = []
    monkeypatch.setattr(crew, "_flush", lambda worker: written.append((worker.index, worker.channel.queued_bytes)))
    crew.send_each([(1, ORDER), (0, ORDER), (1, ORDER)])
    (one, two), (other, single) = written
    assert (one, other, two) == (1, 0, 2 * single)
    crew.send_each([])
    assert len(written) == 2
    monkeypatch.undo()
    crew.stop(patience_s=0.0)


def test_what_a_full_pipe_does_not_take_is_written_later(bench):
    """The selector watches for room, and stops when there is no backlog."""
    crew, selector, _ = bench(sleep, size=1)
    crew.start_up_to(1)
    worker = crew._workers[0]
    large = ListPage(1, 0, "x" * (4 << 20))
    crew.send(0, large)
    crew.send(0, large)
    assert worker.channel.write_fd in selector.get_map()
    crew.flush(worker)
    assert worker.channel.write_fd in selector.get_map()
    crew.stop(patience_s=0.0)


def test_events_can_be_left_in_the_pipes(bench):
    """While nobody takes our own output: workers slow down when their pipes are full."""
    crew, selector, _ = bench(until_told, size=2)
    crew.start_up_to(1)
    crew.listen(wanted=False)
    crew.listen(wanted=False)
    crew.start_up_to(2)
    assert selector.select(0) == []
    crew.listen(wanted=True)
    assert {heard(crew, selector)[0].index for _ in range(1)} <= {0, 1}
    assert len(selector.get_map()) == 2
    crew.listen(wanted=False)
    crew.stop(patience_s=5.0)


def test_the_deaf_are_killed_and_wait_for_one_another_once(bench, monkeypatch):
    """When one has used up the patience, so have the others."""
    crew, _, _ = bench(sleep)
    crew.start_up_to(3)
    waited = []
    true_wait = WorkerProcess.wait
    monkeypatch.setattr(
        WorkerProcess, "wait", lambda self, timeout_s: waited.append(timeout_s) or true_wait(self, min(timeout_s, 1.0))
    )
    crew.stop(patience_s=0.01)
    assert [seconds for seconds in waited if seconds < 1] == [0.01, 0.0, 0.0]
