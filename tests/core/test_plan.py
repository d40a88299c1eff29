"""Conditions on the destination combine, and archived objects are known."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Entry
from orbit_fast.core.plan import Mode
from orbit_fast.core.plan import Rule
from orbit_fast.core.plan import Verdict
from orbit_fast.core.plan import decide
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.plan import is_archived
from orbit_fast.core.plan import is_newer
from orbit_fast.core.plan import needs_destination
from orbit_fast.core.settings import SelectionSettings

S = 1_000_000_000
FLAGS = ("no_clobber", "if_size_differ", "if_source_newer")


@pytest.mark.parametrize("flags", [flags for count in range(4) for flags in itertools.combinations(FLAGS, count)])
def test_what_is_missing_is_copied(flags) -> None:
    """No condition keeps an object from where nothing stands."""
    assert decide((1, S), None, SelectionSettings(**dict.fromkeys(flags, True))) == ""


@pytest.mark.parametrize(
    ("flags", "source", "dest", "reason"),
    [
        ((), (1, S), (1, S), ""),
        (("no_clobber",), (2, 9 * S), (1, S), "exists"),
        (("if_size_differ",), (1, 9 * S), (1, S), "same-size"),
        (("if_size_differ",), (2, S), (1, 9 * S), ""),
        (("if_source_newer",), (1, 2 * S), (1, S), ""),
        (("if_source_newer",), (2, S), (1, S), "not-newer"),
        (("if_source_newer",), (2, S), (1, 2 * S), "not-newer"),
        (("if_source_newer",), (1, S + 999_999_999), (1, S), "not-newer"),
        (("if_source_newer",), (1, 2 * S), (1, 2 * S - 1), ""),
        (("if_size_differ", "if_source_newer"), (2, 2 * S), (1, S), ""),
        (("if_size_differ", "if_source_newer"), (1, 2 * S), (1, S), "same-size"),
        (("if_size_differ", "if_source_newer"), (2, S), (1, 2 * S), "not-newer"),
        (("if_size_differ", "if_source_newer"), (1, S), (1, S), "same-size"),
        (("no_clobber", "if_size_differ", "if_source_newer"), (2, 2 * S), (1, S), "exists"),
    ],
)
def test_all_conditions_must_allow(flags, source, dest, reason) -> None:
    """Each condition that is set can forbid the copy, and says so; times count in whole seconds."""
    assert decide(source, dest, SelectionSettings(**dict.fromkeys(flags, True))) == reason


@pytest.mark.parametrize("flags", [flags for count in range(4) for flags in itertools.combinations(FLAGS, count)])
def test_the_destination_is_asked_for_when_it_matters(flags) -> None:
    """Without a condition nobody needs to look at the destination; with any, somebody must."""
    selection = SelectionSettings(**dict.fromkeys(flags, True))
    can_differ = any(decide((1, S), dest, selection) for dest in ((1, S), (2, 2 * S)))
    assert needs_destination(selection) == can_differ == bool(flags)


@given(left=st.integers(-(10**19), 10**19), right=st.integers(-(10**19), 10**19))
def test_newer_is_strict(left, right) -> None:
    """Of two times at most one is newer, and never within one second."""
    assert not (is_newer(left, right) and is_newer(right, left))
    assert is_newer(left, right) == (left // S > right // S)


@pytest.mark.parametrize(
    ("storage_class", "restore", "is_unreadable"),
    [
        ("", "", False),
        ("STANDARD", "", False),
        ("STANDARD_IA", "", False),
        ("INTELLIGENT_TIERING", "", False),
        ("GLACIER_IR", "", False),
        ("GLACIER", "", True),
        ("DEEP_ARCHIVE", "", True),
        ("GLACIER", 'ongoing-request="true"', True),
        ("GLACIER", 'ongoing-request="false", expiry-date="Fri, 21 Dec 2026 00:00:00 GMT"', False),
        ("DEEP_ARCHIVE", 'ongoing-request = "FALSE", expiry-date="Fri, 21 Dec 2026 00:00:00 GMT"', False),
    ],
)
def test_archived_objects(storage_class, restore, is_unreadable) -> None:
    """Glacier's flexible and deep classes need a restore that has ended; instant retrieval does not."""
    assert is_archived(storage_class, restore) == is_unreadable
    assert decide_archived(storage_class, restore, SelectionSettings()) == ("glacier" if is_unreadable else "")
    assert decide_archived(storage_class, restore, SelectionSettings(force_glacier_transfer=True)) == ""


def _judge(rule, source, dest):
    return rule.judge(Entry("k", *source), Entry("k", *dest))


@pytest.mark.parametrize(
    ("rule", "source", "dest", "verdict"),
    [
        (Rule(mode=Mode.COPY), (1, S), (1, S), Verdict.COPY),
        (Rule(mode=Mode.UPDATE), (1, S), (2, S), Verdict.NOT_NEWER),
        (Rule(mode=Mode.UPDATE), (1, S), (2, 2 * S), Verdict.NOT_NEWER),
        (Rule(mode=Mode.UPDATE), (1, 2 * S), (1, S), Verdict.COPY),
        (Rule(mode=Mode.SYNC), (1, S), (1, S), Verdict.IDENTICAL),
        (Rule(mode=Mode.SYNC), (1, S), (1, 2 * S), Verdict.IDENTICAL),
        (Rule(mode=Mode.SYNC), (1, S + 999_999_999), (1, S), Verdict.IDENTICAL),
        (Rule(mode=Mode.SYNC), (1, 2 * S), (1, 2 * S - 1), Verdict.COPY),
        (Rule(mode=Mode.SYNC), (2, S), (1, 2 * S), Verdict.COPY),
        (Rule(mode=Mode.MIRROR), (1, S), (1, S), Verdict.IDENTICAL),
        (Rule(size_only=True), (1, 2 * S), (1, S), Verdict.IDENTICAL),
        (Rule(size_only=True), (2, S), (1, 2 * S), Verdict.COPY),
        (Rule(checksum=True), (1, S), (1, S), Verdict.ASK),
        (Rule(checksum=True), (1, S), (1, 2 * S), Verdict.ASK),
        (Rule(checksum=True), (2, S), (1, S), Verdict.COPY),
        (Rule(asks_when_newer=True), (1, S), (1, S), Verdict.IDENTICAL),
        (Rule(asks_when_newer=True), (1, 2 * S), (1, S), Verdict.ASK),
        (Rule(asks_when_newer=True), (2, 2 * S), (1, S), Verdict.COPY),
        (Rule(mode=Mode.UPDATE, asks_when_newer=True), (1, 2 * S), (1, S), Verdict.ASK),
        (Rule(conditions=SelectionSettings(no_clobber=True)), (2, 2 * S), (1, S), Verdict.EXISTS),
        (Rule(conditions=SelectionSettings(if_source_newer=True)), (2, S), (1, S), Verdict.NOT_NEWER),
        (Rule(conditions=SelectionSettings(if_size_differ=True)), (1, 2 * S), (1, S), Verdict.SAME_SIZE),
        (Rule(checksum=True, conditions=SelectionSettings(if_source_newer=True)), (1, S), (1, S), Verdict.NOT_NEWER),
        (Rule(checksum=True, conditions=SelectionSettings(if_source_newer=True)), (1, 2 * S), (1, S), Verdict.ASK),
    ],
)
def test_what_a_pair_needs(rule, source, dest, verdict) -> None:
    """The mode makes the difference, its options change it, every condition can forbid the copy."""
    assert _judge(rule, source, dest) is verdict
    assert verdict.reason == verdict.value


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"size_only": True, "checksum": True}, "cannot both"),
        ({"size_only": True, "mode": Mode.COPY}, "--size-only changes what sync compares, and --mode copy"),
        ({"checksum": True, "mode": Mode.UPDATE}, "--checksum changes what sync compares, and --mode update"),
    ],
)
def test_what_cannot_be_meant_together(options, complaint) -> None:
    """Options that contradict each other, or would do nothing, are refused."""
    with pytest.raises(InvalidConfig, match=complaint):
        Rule(**options)


FACTS = st.tuples(st.integers(0, 2), st.integers(0, 3).map(lambda half: half * S // 2))


@given(source=FACTS, dest=FACTS, flags=st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_conditions_are_those_of_a_plain_copy(source, dest, flags) -> None:
    """``--mode copy`` leaves exactly what `decide` leaves, for the same reasons."""
    conditions = SelectionSettings(**dict(zip(FLAGS, flags, strict=True)))
    assert _judge(Rule(mode=Mode.COPY, conditions=conditions), source, dest).reason == decide(source, dest, conditions)


@given(fact=FACTS, other=FACTS)
def test_after_a_copy_nothing_is_different(fact, other) -> None:
    """A destination of the same size that is as new or newer is left alone by every mode but copy."""
    dest = (fact[0], max(fact[1], other[1]))
    for mode in (Mode.UPDATE, Mode.SYNC, Mode.MIRROR):
        assert _judge(Rule(mode=mode), fact, dest) in (Verdict.IDENTICAL, Verdict.NOT_NEWER)
