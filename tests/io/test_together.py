"""Several flows inside one: bounded, awaited, and ended early together."""

from __future__ import annotations

from orbit_fast.core.errors import Cancelled
from orbit_fast.io.flow import Until
from orbit_fast.io.together import Together


class Runner:
    """Runs flows when the test says so."""

    def __init__(self):
        self.running = []

    def __call__(self, flow, on_end):
        """Start one."""
        handle = Handle(self, flow, on_end)
        if flow == "at once":
            on_end(flow)
        else:
            self.running.append(handle)
        return handle


class Handle:
    """A flow that ends when it is told to."""

    def __init__(self, runner, flow, on_end):
        self._runner, self.flow, self._on_end = runner, flow, on_end

    def end(self):
        """It ends with its own name."""
        self._runner.running.remove(self)
        self._on_end(self.flow)

    def cancel(self):
        """As the client's handle."""
        self._runner.running.remove(self)
        self._on_end(Cancelled(self.flow))


def advance(flow):
    """Run a flow to its next wait: the wake-up calls that it asked for, or None at its end."""
    woken = []
    try:
        step = next(flow)
    except StopIteration:
        return None
    assert isinstance(step, Until)
    step.subscribe(lambda: woken.append(True))
    return woken


def test_no_more_than_the_limit():
    """A third one waits until one of two has ended."""
    runner, ended = Runner(), []
    together = Together(runner, limit=2)
    for name in ("one", "two"):
        assert advance(together.room()) is None
        together.start(name, ended.append)
    assert len(together) == 2
    waiting = together.room()
    woken = advance(waiting)
    assert woken == []
    runner.running[0].end()
    assert (woken, ended) == ([True], ["one"])
    assert advance(waiting) is None


def test_rest_and_change():
    """One waits for all, the other for the next; both are at once where nothing runs."""
    runner, ended = Runner(), []
    together = Together(runner, limit=9)
    assert advance(together.rest()) is None
    assert advance(together.change()) is None
    for name in ("one", "two"):
        together.start(name, ended.append)
    change = together.change()
    assert advance(change) == []
    runner.running[1].end()
    assert advance(change) is None
    rest = together.rest()
    woken = advance(rest)
    runner.running[0].end()
    assert woken == [True]
    assert advance(rest) is None
    assert ended == ["two", "one"]


def test_a_flow_that_ends_at_once_is_not_waited_for():
    """It has no handle that could be kept."""
    together, ended = Together(Runner(), limit=1), []
    together.start("at once", ended.append)
    assert (len(together), ended) == (0, ["at once"])


def test_all_end_early_together():
    """Each says so."""
    runner, ended = Runner(), []
    together = Together(runner, limit=9)
    for name in ("one", "two"):
        together.start(name, ended.append)
    together.cancel()
    assert [type(error) for error in ended] == [Cancelled, Cancelled]
    assert len(together) == 0
