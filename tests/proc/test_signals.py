"""Signals as events of the loop."""

from __future__ import annotations

import os
import select
import signal
import threading

import pytest

from orbit_fast.proc.child import fork_child
from orbit_fast.proc.signals import PATIENCE
from orbit_fast.proc.signals import SignalWatch


def is_readable(watch):
    """Whether the selector would wake up."""
    return bool(select.select([watch], [], [], 0)[0])


def exit_status(work):
    """How a forked child that runs `work` ends."""
    pid = fork_child(work, title="orbit: test", keep=())
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_signals_arrive_in_order():
    """Each signal wakes the selector and is told once."""
    with SignalWatch() as watch:
        assert not is_readable(watch)
        assert watch.drain() == []
        for number in (signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert is_readable(watch)
        assert watch.drain() == [signal.SIGTERM, signal.SIGHUP]
        assert not is_readable(watch)
        os.kill(os.getpid(), signal.SIGINT)
        assert watch.drain() == [signal.SIGINT]


def test_child_that_ends_is_told():
    """The death of a child wakes the selector."""
    with SignalWatch() as watch:
        assert exit_status(lambda: 3) == 3
        assert watch.drain() == [signal.SIGCHLD]


def test_restore_puts_everything_back():
    """Afterwards an interrupt is Python's again, and the wake-up pipe is nobody's."""
    before = signal.getsignal(signal.SIGINT)
    watch = SignalWatch()
    assert signal.getsignal(signal.SIGINT) != before
    watch.restore()
    watch.restore()
    assert signal.getsignal(signal.SIGINT) == before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("had_one", [False, True])
def test_the_wakeup_pipe_goes_back_to_whom_it_was(had_one):
    """A program that had a wake-up pipe of its own (an asyncio loop) has it again afterwards."""
    read_fd, write_fd = os.pipe()
    os.set_blocking(write_fd, False)
    if had_one:
        signal.set_wakeup_fd(write_fd)
    SignalWatch().restore()
    assert signal.set_wakeup_fd(-1) == (write_fd if had_one else -1)
    os.close(read_fd)
    os.close(write_fd)


def test_ignored_stays_ignored():
    """A job started with nohup survives the hang-up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with SignalWatch() as watch:
        os.kill(os.getpid(), signal.SIGHUP)
        assert watch.drain() == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


def test_child_signal_is_watched_even_where_it_was_ignored():
    """Whoever started orbit may ignore SIGCHLD, which would take exit statuses away: the watch asks for it."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with SignalWatch() as watch:
        assert exit_status(lambda: 5) == 5
        assert watch.drain() == [signal.SIGCHLD]
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stuck_process_ends_at_the_third(number):
    """A process that does not look at its signals ends at the third that asks it to."""

    def stuck():
        signal.signal(number, signal.SIG_DFL)
        SignalWatch()
        for _ in range(PATIENCE):
            os.kill(os.getpid(), number)
        return 0

    assert exit_status(stuck) == 128 + number


def test_a_process_that_looks_is_left_alone():
    """As long as the loop looks in between, no number of signals ends the process."""

    def busy():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        watch = SignalWatch()
        seen = 0
        for _ in range(PATIENCE * 3):
            os.kill(os.getpid(), signal.SIGINT)
            seen += len(watch.drain())
        return seen

    assert exit_status(busy) == PATIENCE * 3


def test_only_the_main_thread_may_watch():
    """Elsewhere than in the main thread a watch is refused, and nothing is left open."""
    refused = []

    def attempt():
        try:
            SignalWatch()
        except ValueError as error:
            refused.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join(60)
    assert len(refused) == 1


def test_child_signals_do_not_count_as_requests_to_end():
    """Many dying children never end the supervisor."""
    with SignalWatch() as watch:
        for _ in range(PATIENCE + 2):
            assert exit_status(lambda: 0) == 0
        assert set(watch.drain()) == {signal.SIGCHLD}
