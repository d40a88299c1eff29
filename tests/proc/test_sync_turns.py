"""Syncs of one script that write to one place."""

from __future__ import annotations

import pytest

from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import Line
from orbit_fast.proc.sync_turns import SyncTurns


def entered(turns, *places):
    """Lines, counted from 1, that want to write there; the numbers of those that may."""
    lines = [Line(number=number, settings=JobSettings()) for number, _ in enumerate(places, 1)]
    return lines, [line.number for line, place in zip(lines, places, strict=True) if turns.enter(line, place)]


@pytest.mark.parametrize(
    ("places", "first"),
    [
        ((b"a/", b"b/", b"c/"), [1, 2, 3]),
        ((b"a/", b"a/", b"b/"), [1, 3]),
        ((b"a/b/", b"a/", b"c/"), [1, 3]),
        ((b"a/", b"a/b/"), [1]),
        ((b"a/b/", b"a/", b"a/c/"), [1]),
    ],
    ids=["apart", "the same", "around it", "inside it", "only beside one that waits"],
)
def test_who_may_begin(places, first):
    """A line whose place is apart from those of all lines before it that have not ended."""
    turns = SyncTurns()
    assert entered(turns, *places)[1] == first
    assert len(turns) == len(places) - len(first)
    assert not turns.can_go_on


def test_who_comes_next():
    """In the order of the lines, as soon as nobody is in the way; each is told once, and has its turn until it ends."""
    turns = SyncTurns()
    lines, first = entered(turns, b"a/b/", b"a/", b"a/c/", b"a/", b"z/")
    assert first == [1, 5]
    turns.leave(lines[4])
    assert not turns.can_go_on
    for number in (1, 2, 3):
        turns.leave(lines[number - 1])
        assert turns.can_go_on
        assert turns.take() == [lines[number]]
        assert turns.take() == []
        assert turns.enter(lines[number], b"whatever")
    turns.leave(lines[3])
    turns.leave(lines[3])
    assert len(turns) == 0
    assert turns.enter(lines[0], b"a/")


def test_two_that_were_in_nobodys_way_but_one():
    """Both have their turn when it ends."""
    turns = SyncTurns()
    lines, _ = entered(turns, b"a/", b"a/b/", b"a/c/")
    turns.leave(lines[0])
    assert turns.take() == lines[1:]
