"""The merge says who has which name, as soon as that is certain, and refuses a side that is not in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.errors import Scope
from orbit_fast.core.merge import LOOK_AHEAD
from orbit_fast.core.merge import Merge

NAMES = st.text(alphabet="ab/-0\u00e9\U0001f600\uffff", min_size=1, max_size=4)
TREES = st.dictionaries(NAMES, st.integers(0, 9), max_size=30)
CUTS = st.lists(st.integers(1, 5), max_size=40)


def _batches(tree, cuts):
    """The names of `tree` in S3's order, in batches of the given sizes."""
    names = sorted(tree, key=str.encode)
    batches = []
    for cut in [*cuts, len(names)]:
        batches.append(names[:cut])
        names = names[cut:]
    return batches


def _model(source, dest):
    return [
        (name, source.get(name), dest.get(name)) for name in sorted({*source, *dest}, key=lambda name: name.encode())
    ]


@given(source=TREES, dest=TREES, source_cuts=CUTS, dest_cuts=CUTS, turns=st.lists(st.booleans(), max_size=80))
def test_every_name_comes_once_and_in_order(source, dest, source_cuts, dest_cuts, turns) -> None:
    """However the sides are cut into batches and whichever comes first, the answer is that of two dictionaries."""
    merge: Merge[int, int] = Merge()
    here, there = _batches(source, source_cuts), _batches(dest, dest_cuts)
    taken = []
    for is_source in [*turns, *[True] * 50, *[False] * 50]:
        if is_source and here:
            batch = here.pop(0)
            merge.feed_source(batch, [source[name] for name in batch])
        elif not is_source and there:
            batch = there.pop(0)
            merge.feed_destination(batch, [dest[name] for name in batch])
        taken += merge.take()
    assert not merge.is_whole
    merge.end_source()
    merge.end_destination()
    taken += merge.take()
    assert taken == _model(source, dest)
    assert merge.is_done


@pytest.mark.parametrize("first", ["source", "destination"])
def test_it_is_over_when_both_sides_are(first) -> None:
    """One side that has ended, with nothing left to take, ends nothing: the other may go on."""
    merge: Merge[int, int] = Merge()
    ends = {"source": merge.end_source, "destination": merge.end_destination}
    ends.pop(first)()
    assert merge.take() == []
    assert (merge.is_whole, merge.is_done) == (False, False)
    ends.popitem()[1]()
    assert (merge.is_whole, merge.is_done) == (True, True)


@given(source=TREES, dest=TREES)
def test_what_is_missing_is_told_only_when_it_is_certain(source, dest) -> None:
    """Before a side has ended, no name beyond its last one is called missing there."""
    merge: Merge[int, int] = Merge()
    for tree, feed in ((source, merge.feed_source), (dest, merge.feed_destination)):
        names = sorted(tree, key=str.encode)
        feed(names, [tree[name] for name in names])
    taken = merge.take()
    last = min(max(source, default=""), max(dest, default=""))
    assert taken == [row for row in _model(source, dest) if row[0] <= last]
    merge.end_source()
    rest = merge.take()
    assert all(name > last for name, *_ in rest)
    assert all(there is not None for _, _, there in rest)


@pytest.mark.parametrize(
    ("batches", "culprit"),
    [
        ([["b", "a"]], "'a' comes after 'b'"),
        ([["a", "a"]], "'a' comes after 'a'"),
        ([["a"], ["a"]], "'a' comes after 'a'"),
        ([["a", "b"], [], ["aa"]], "'aa' comes after 'b'"),
        ([["\U0001f600", "\uffff"]], "comes after"),
    ],
)
@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_side_that_goes_back_is_refused(batches, culprit, side) -> None:
    """Names that repeat or decrease make a listing incomplete: exit 2 for the job, the side and the name are said."""
    merge: Merge[int, int] = Merge()
    feed = merge.feed_source if side == "source" else merge.feed_destination
    for names in batches[:-1]:
        feed(names, [0] * len(names))
    with pytest.raises(IncompleteListing) as caught:
        feed(batches[-1], [0] * len(batches[-1]))
    assert f"the names of the {side} are not in order" in caught.value.message
    assert culprit in caught.value.message
    assert caught.value.exit_code == Exit.NOT_POSSIBLE
    assert caught.value.scope is Scope.JOB
    assert caught.value.code == "E_BAD_LISTING"


def test_a_side_that_is_ahead_wants_no_more() -> None:
    """Look-ahead is bounded, and comes back when the other side catches up."""
    merge: Merge[int, int] = Merge()
    names = [f"{number:06}" for number in range(LOOK_AHEAD)]
    merge.feed_source(names, [0] * len(names))
    assert not merge.take()
    assert not merge.wants_source
    assert merge.wants_destination
    merge.feed_destination(names[:10], [0] * 10)
    assert len(merge.take()) == 10
    assert merge.wants_source
    merge.end_source()
    merge.end_destination()
    assert not merge.wants_source
    assert not merge.wants_destination
    assert len(merge.take()) == LOOK_AHEAD - 10
    assert repr(merge) == "<Merge source=0 ended destination=0 ended>"
