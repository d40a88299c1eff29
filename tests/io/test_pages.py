"""Pages of a listing: the next one on its way while one is dealt with, and nothing under way at the end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Until
from orbit_fast.io.pages import SerialPages
from orbit_fast.io.together import Together


class Runner:
    """Runs flows that end when the test says so."""

    def __init__(self):
        self.asked = []
        self._ends = []

    def __call__(self, flow, on_end):
        """Start one."""
        self.asked.append(flow)
        self._ends.append(on_end)
        return SimpleNamespace(cancel=lambda: self.end(Cancelled("cancelled")))

    def end(self, result):
        """The oldest ends with `result`."""
        self._ends.pop(0)(result)

    @property
    def under_way(self):
        """How many have not ended."""
        return len(self._ends)


@pytest.fixture
def runner():
    """Where flows are started."""
    return Runner()


def pages_of(runner, first="first"):
    """Pages whose flows are but names."""
    given = SimpleNamespace(together=lambda *, limit: Together(runner, limit=limit))
    return SerialPages(given, lambda: first)


def advance(flow):
    """Run a flow past its pauses: its next wait, or what it returned."""
    while True:
        try:
            step = next(flow)
        except StopIteration as stop:
            return stop.value
        if step is not PAUSE:
            assert isinstance(step, Until)
            step.subscribe(lambda: None)
            return step


def test_the_next_page_is_asked_for_before_this_one_is_given(runner):
    """With a turn of the loop between, so that the request can leave."""
    pages = pages_of(runner)
    waiting = pages.next()
    assert isinstance(advance(waiting), Until)
    runner.end(("one", lambda: "second"))
    assert next(waiting) is PAUSE
    assert runner.asked == ["first", "second"]
    assert advance(waiting) == "one"
    runner.end(("two", None))
    assert advance(pages.next()) == "two"
    assert advance(pages.next()) is None
    assert runner.asked == ["first", "second"]


def test_an_error_comes_in_its_turn(runner):
    """The page before it is given first."""
    pages = pages_of(runner)
    waiting = pages.next()
    advance(waiting)
    runner.end(("one", lambda: "second"))
    assert advance(waiting) == "one"
    runner.end(BadReply("no"))
    with pytest.raises(BadReply):
        advance(pages.next())


def test_closing_ends_what_is_under_way(runner):
    """Whoever wants no more pages leaves none behind."""
    pages = pages_of(runner)
    waiting = pages.next()
    advance(waiting)
    runner.end(("one", lambda: "second"))
    assert advance(waiting) == "one"
    assert runner.under_way == 1
    pages.close()
    assert runner.under_way == 0
