"""Which changes of filters let a sync delete more, and that no other one does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.filter_record import MAX_PATTERNS
from orbit_fast.core.filter_record import TOLERANCE_NS
from orbit_fast.core.filter_record import FilterRecord
from orbit_fast.core.filter_record import record_filters
from orbit_fast.core.filter_record import weakened
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.sync import SyncOptions
from orbit_fast.core.sync import SyncPlan

DAY_NS = 86400 * 10**9
NOW_NS = 20_000 * DAY_NS


def _record(*, at_ns=NOW_NS, deletes_excluded=False, **filters):
    return record_filters(SelectionSettings(**filters), deletes_excluded=deletes_excluded, now_ns=at_ns)


def _rules(*rules):
    return {"rules": tuple((rule[0], rule[1:]) for rule in rules)}


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        ({}, {}, ()),
        ({"exclude": ("a", "b")}, {"exclude": ("b", "a", "a")}, ()),
        ({"exclude": ("a",)}, {"exclude": ("a", "b")}, ()),
        ({"exclude": ("a",)}, _rules("-a"), ()),
        ({}, {"exclude": ("a",)}, ()),
        ({"exclude": ("a",)}, {}, ("--exclude",)),
        ({"exclude": ("a",)}, {"exclude": ("A",)}, ("--exclude",)),
        (_rules("-a", "-b"), _rules("-a"), ("--exclude",)),
        ({}, {"include": ("a",)}, ()),
        ({"include": ("a", "b")}, {"include": ("a",)}, ()),
        ({"include": ("a",)}, {"include": ("a", "b")}, ("--include",)),
        ({"include": ("a",)}, {}, ("--include",)),
        ({"include": ("a",)}, _rules("+b"), ("--include",)),
        ({"min_size": 5}, {"min_size": 6}, ()),
        ({"min_size": 5}, {"min_size": 4}, ("--min-size",)),
        ({"max_size": 5}, {"max_size": 4}, ()),
        ({}, {"max_size": 4}, ()),
        ({"max_size": 5}, {"max_size": 6}, ("--max-size",)),
        ({"max_size": 0}, {}, ("--max-size",)),
        ({"newer_than_ns": 5}, {"newer_than_ns": 6}, ()),
        ({"newer_than_ns": 5}, {}, ("--newer-than",)),
        ({"older_than_ns": 5}, {"older_than_ns": 5}, ()),
        ({"older_than_ns": 5}, {"older_than_ns": 4}, ()),
        ({"older_than_ns": 5}, {}, ("--older-than",)),
        ({"include": ("a",), "exclude": ("b",), "max_size": 1}, {}, ("--include", "--exclude", "--max-size")),
        ({}, {"deletes_excluded": True}, ("--delete-excluded",)),
        ({"deletes_excluded": True, "exclude": ("a",)}, {}, ()),
        ({"deletes_excluded": True, "exclude": ("a",)}, {"deletes_excluded": True}, ()),
        ({"deletes_excluded": True}, {"deletes_excluded": True, "exclude": ("a",)}, ("--exclude",)),
        ({"deletes_excluded": True}, {"deletes_excluded": True, "include": ("a",)}, ("--include",)),
        ({"deletes_excluded": True, "min_size": 9}, {"deletes_excluded": True}, ()),
        ({"exclude": ("a",)}, {"deletes_excluded": True}, ("--delete-excluded",)),
    ],
)
def test_what_protects_less(before, now, names) -> None:
    """A pattern fewer that excludes, one more that includes, a limit that is wider; and nothing else."""
    assert weakened(_record(**before), _record(**now)) == names


@pytest.mark.parametrize(
    ("option", "before", "now", "later_days", "names"),
    [
        ("newer", 7, 7, 1, ()),
        ("newer", 7, 6, 1, ()),
        ("newer", 7, 70, 1, ("--newer-than",)),
        ("older", 30, 30, 1, ()),
        ("older", 30, 30, 90, ()),
        ("older", 30, 31, 1, ()),
        ("older", 30, 29, 1, ("--older-than",)),
        ("older", 30, 3, 90, ("--older-than",)),
    ],
)
def test_ages_count_back_from_their_day(option, before, now, later_days, names) -> None:
    """The nightly ``--older-than 30d`` is the same filter each night, also when its turn came some seconds later."""
    key = f"{option}_than_ns"
    first = _record(**{key: NOW_NS - before * DAY_NS})
    later_ns = NOW_NS + later_days * DAY_NS
    for delay_ns in (0, TOLERANCE_NS // 2, -TOLERANCE_NS // 2):
        second = _record(**{key: later_ns - now * DAY_NS}, at_ns=later_ns + delay_ns)
        assert weakened(first, second) == names


def test_a_date_is_a_date() -> None:
    """One that is given again is no other filter; a later one lets more be deleted."""
    first = _record(older_than_ns=NOW_NS - 300 * DAY_NS)
    for days in (300, 301):
        assert weakened(first, _record(older_than_ns=NOW_NS - days * DAY_NS, at_ns=NOW_NS + 99 * DAY_NS)) == ()
    later = _record(older_than_ns=NOW_NS - 100 * DAY_NS, at_ns=NOW_NS + 99 * DAY_NS)
    assert weakened(first, later) == ("--older-than",)


def test_records_are_small_and_travel() -> None:
    """However many patterns there are, whatever is in them; they come back from JSON as they were."""
    many = _record(exclude=tuple(f"*{number}*" for number in range(MAX_PATTERNS + 1)), include=("\udcff\n",))
    assert len(many.exclude) == 1
    text = msgspec.json.encode(many)
    assert len(text) < 1000
    assert msgspec.json.decode(text, type=FilterRecord) == many
    assert weakened(many, _record(exclude=("*1*",))) == ("--include", "--exclude")
    most = _record(exclude=tuple(f"*{number}*" for number in range(MAX_PATTERNS)))
    assert len(most.exclude) == MAX_PATTERNS


# --- no other change deletes more -------------------------------------------------------------------------------------

PATTERNS = st.lists(st.sampled_from(["a*", "b*", "*a", "*", "ab", "?"]), max_size=2).map(tuple)
DAYS = st.integers(0, 4).map(lambda day: day * DAY_NS)
SELECTIONS = st.builds(
    SelectionSettings,
    include=PATTERNS,
    exclude=PATTERNS,
    rules=st.lists(st.tuples(st.sampled_from("+-"), st.sampled_from(["a*", "ba"])), max_size=2).map(tuple),
    min_size=st.integers(0, 3),
    max_size=st.integers(-1, 3),
    newer_than_ns=DAYS,
    older_than_ns=DAYS,
)
NAMES = st.text(alphabet="ab", min_size=1, max_size=3)
TREES = st.dictionaries(NAMES, st.tuples(st.integers(0, 4), DAYS), max_size=6)


def _extras(selection, deletes_excluded, source, dest):
    """What a sync with these filters would delete."""
    options = SyncOptions(selection=selection, deletes=True, deletes_excluded=deletes_excluded)
    here, there = ({name: Entry(name, *facts, "") for name, facts in tree.items()} for tree in (source, dest))
    names = [(name, here.get(name), there.get(name)) for name in sorted({*here, *there})]
    return {name for name, _ in SyncPlan(options).judge(names).extras}


@given(before=SELECTIONS, now=SELECTIONS, old=st.booleans(), new=st.booleans(), source=TREES, dest=TREES)
@example(
    before=SelectionSettings(exclude=("a*",)),
    now=SelectionSettings(exclude=("a*", "b*")),
    old=False,
    new=False,
    source={},
    dest={"a": (1, 1), "c": (1, 1)},
)
def test_a_change_that_is_not_told_deletes_nothing_more(before, now, old, new, source, dest) -> None:
    """Any filters, any trees: either it is told, or what goes would have gone before."""
    first = record_filters(before, deletes_excluded=old, now_ns=9 * DAY_NS)
    second = record_filters(now, deletes_excluded=new, now_ns=9 * DAY_NS)
    if not weakened(first, second):
        assert _extras(now, new, source, dest) <= _extras(before, old, source, dest)
    assert weakened(first, first) == ()
