"""Deleting needs whole listings, no failure, a source that holds something, and a number that can be meant."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.guard import LOOKED_FOR
from orbit_fast.core.guard import Case
from orbit_fast.core.guard import DeleteLimit
from orbit_fast.core.guard import DeleteVerify
from orbit_fast.core.guard import LimitKind
from orbit_fast.core.guard import looks
from orbit_fast.core.guard import parse_limit
from orbit_fast.core.guard import refuse

FINE = Case(is_whole=True, failed=0, at_source=5, at_destination=10, extras=3, command="orbit sync a s3://b/c --delete")


def _case(**changes):
    return dataclasses.replace(FINE, **changes)


def test_all_is_well() -> None:
    """With nothing in the way there is no refusal."""
    assert refuse(FINE) is None


@pytest.mark.parametrize(
    ("changes", "code", "exit_code"),
    [
        ({"is_whole": False}, "E_LIST_INCOMPLETE", Exit.NOT_POSSIBLE),
        ({"failed": 1}, "E_DELETE_CANCELLED", Exit.SOME_FAILED),
        ({"at_source": 0}, "E_EMPTY_SOURCE", Exit.NOT_POSSIBLE),
        ({"limit": DeleteLimit(LimitKind.COUNT, 2)}, "E_MAX_DELETE", Exit.NOT_POSSIBLE),
        ({"weakened": ("--exclude",)}, "E_FILTERS_CHANGED", Exit.NOT_POSSIBLE),
        ({"weakened": ("--exclude",), "failed": 1}, "E_DELETE_CANCELLED", Exit.SOME_FAILED),
        ({"weakened": ("--exclude",), "allows_empty_source": True}, "E_FILTERS_CHANGED", Exit.NOT_POSSIBLE),
        ({"at_source": 0, "allows_changed_filters": True}, "E_EMPTY_SOURCE", Exit.NOT_POSSIBLE),
        ({"is_whole": False, "failed": 1, "at_source": 0}, "E_LIST_INCOMPLETE", Exit.NOT_POSSIBLE),
        ({"failed": 1, "at_source": 0, "allows_empty_source": True}, "E_DELETE_CANCELLED", Exit.SOME_FAILED),
        ({"is_whole": False, "limit": DeleteLimit(LimitKind.UNLIMITED)}, "E_LIST_INCOMPLETE", Exit.NOT_POSSIBLE),
        (
            {"at_source": 0, "allows_empty_source": True, "extras": 101, "at_destination": 101},
            "E_MAX_DELETE",
            Exit.NOT_POSSIBLE,
        ),
    ],
)
def test_what_stands_in_the_way(changes, code, exit_code) -> None:
    """Each reason refuses alone, and none is outweighed by another option; without extras nothing is refused."""
    refusal = refuse(_case(**changes))
    assert refusal is not None
    assert (refusal.code, refusal.exit_code) == (code, exit_code)
    assert refusal.message.startswith("nothing was deleted, because ")
    assert refuse(_case(**{**changes, "extras": 0})) is None


def test_the_advice_goes_on() -> None:
    """A refusal that an option lifts names the whole command; with that option it is lifted."""
    empty = refuse(_case(at_source=0))
    assert empty is not None
    assert empty.message.endswith(": orbit sync a s3://b/c --delete --allow-empty-source")
    weak = _case(weakened=("--include", "--min-size"))
    refusal = refuse(weak)
    assert refusal is not None
    assert "because --include and --min-size protect less than in the last sync of these two: 3 of" in refusal.message
    assert refusal.message.endswith(": orbit sync a s3://b/c --delete --allow-changed-filters")
    assert refuse(dataclasses.replace(weak, allows_changed_filters=True)) is None
    many = _case(extras=150, at_destination=200)
    refusal = refuse(many)
    assert refusal is not None
    assert "150 of the 200 objects" in refusal.message
    assert refusal.message.endswith(": orbit sync a s3://b/c --delete --max-delete 150")
    assert refuse(dataclasses.replace(many, limit=parse_limit("150"))) is None


@pytest.mark.parametrize(
    ("text", "deletions", "objects", "is_allowed"),
    [
        ("", 100, 100, True),
        ("", 101, 202, True),
        ("", 101, 201, False),
        ("", 1_000_000, 2_000_000, True),
        ("0", 1, 1000, False),
        ("7", 7, 7, True),
        ("7", 8, 1000, False),
        ("0%", 1, 1000, False),
        ("10%", 100, 1000, True),
        ("10%", 101, 1000, False),
        ("100%", 1000, 1000, True),
        ("unlimited", 10**9, 10**9, True),
        ("UNLIMITED", 10**9, 10**9, True),
    ],
)
def test_how_many(text, deletions, objects, is_allowed) -> None:
    """A number, a share, no limit; and without a word at most a hundred, or half."""
    limit = parse_limit(text) if text else DeleteLimit()
    assert limit.allows(deletions, objects) == is_allowed


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5", "101%", "%", "1e3", "10 %", "\u0663", "9" * 19])
def test_what_is_no_limit(text) -> None:
    """Anything else is refused with the text in the message."""
    with pytest.raises(InvalidConfig, match="is not a number, a percentage up to 100% or 'unlimited'"):
        parse_limit(text)


@given(
    is_whole=st.booleans(),
    failed=st.integers(0, 2),
    at_source=st.integers(0, 2),
    extras=st.integers(0, 300),
    others=st.integers(0, 300),
    allows=st.booleans(),
    weakened=st.sampled_from([(), ("--exclude",)]),
)
def test_against_the_rule_in_one_line(is_whole, failed, at_source, extras, others, allows, weakened) -> None:
    """The answer is the conjunction of all conditions."""
    objects = extras + others
    case = Case(
        is_whole=is_whole,
        failed=failed,
        at_source=at_source,
        at_destination=objects,
        extras=extras,
        allows_empty_source=allows,
        weakened=weakened,
        allows_changed_filters=allows,
    )
    is_usual = extras <= 100 or extras <= objects / 2
    is_meant = is_usual and (allows or (at_source > 0 and not weakened))
    may = not extras or (is_whole and not failed and is_meant)
    assert (refuse(case) is None) == may


@pytest.mark.parametrize(
    ("verify", "deletions", "most", "expected"),
    [
        (DeleteVerify.AUTO, 0, 5, False),
        (DeleteVerify.AUTO, 1, 5, True),
        (DeleteVerify.AUTO, 5, 5, True),
        (DeleteVerify.AUTO, 6, 5, False),
        (DeleteVerify.AUTO, LOOKED_FOR, None, True),
        (DeleteVerify.AUTO, LOOKED_FOR + 1, None, False),
        (DeleteVerify.HEAD, 0, 5, False),
        (DeleteVerify.HEAD, 10**9, 5, True),
        (DeleteVerify.NONE, 1, 5, False),
    ],
)
def test_whether_peers_are_looked_for(verify, deletions, most, expected) -> None:
    """As the user says; without a word where they are not too many."""
    limits = () if most is None else (most,)
    assert looks(verify, deletions, *limits) is expected
