"""Selection keeps what its options say, in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.filters import Selection
from orbit_fast.core.settings import SelectionSettings


@pytest.mark.parametrize(
    ("include", "exclude", "name", "is_accepted"),
    [
        ((), (), "any/thing", True),
        (("*.txt",), (), "a/b.txt", True),
        (("*.txt",), (), "a/b.bin", False),
        (("*.txt", "*.bin"), (), "a/b.bin", True),
        ((), ("*.txt",), "b.txt", False),
        ((), ("*.txt",), "b.bin", True),
        ((), ("*.txt", "b*"), "b.bin", False),
        (("*.txt",), ("a/*",), "a/b.txt", False),
        (("*.txt",), ("a/*",), "c/b.txt", True),
        (("*.txt",), ("*.txt",), "b.txt", False),
        ((), ("b.txt",), "a/b.txt", True),
        ((), ("a",), "a/b", True),
        ((), ("a/?.txt",), "a/b.txt", False),
        ((), ("[ab]",), "a", True),
        ((), ("A*",), "a", True),
        (("",), (), "a", False),
    ],
)
def test_names(include, exclude, name, is_accepted) -> None:
    """Includes make a whitelist, excludes win over it, patterns are anchored and cross slashes."""
    selection = Selection(SelectionSettings(include=include, exclude=exclude))
    assert selection.accepts(name, 1, 1) == is_accepted
    assert selection.accepts_name(name) == is_accepted


@pytest.mark.parametrize(
    ("limits", "size", "mtime_ns", "is_accepted"),
    [
        ({}, 0, 0, True),
        ({"min_size": 10}, 10, 0, True),
        ({"min_size": 10}, 9, 0, False),
        ({"max_size": 10}, 10, 0, True),
        ({"max_size": 10}, 11, 0, False),
        ({"max_size": 0}, 0, 0, True),
        ({"max_size": 0}, 1, 0, False),
        ({"newer_than_ns": 100}, 1, 101, True),
        ({"newer_than_ns": 100}, 1, 100, False),
        ({"older_than_ns": 100}, 1, 99, True),
        ({"older_than_ns": 100}, 1, 100, False),
        ({"newer_than_ns": -5}, 1, -6, False),
        ({"newer_than_ns": -5}, 1, -4, True),
        ({"newer_than_ns": 100, "older_than_ns": 200}, 1, 150, True),
        ({"newer_than_ns": 100, "older_than_ns": 200}, 1, 250, False),
        ({"min_size": 5, "max_size": 6, "newer_than_ns": 1}, 7, 9, False),
    ],
)
def test_sizes_and_ages(limits, size, mtime_ns, is_accepted) -> None:
    """Size limits include their bound, ages do not; all that are set must hold."""
    assert Selection(SelectionSettings(**limits)).accepts("a", size, mtime_ns) == is_accepted


def test_a_name_is_judged_alone() -> None:
    """Sizes and ages play no part where only the name is known."""
    selection = Selection(SelectionSettings(include=("*.txt",), min_size=10))
    assert selection.accepts_name("a.txt")
    assert not selection.accepts("a.txt", 9, 0)
    assert not selection.accepts("a.bin", 10, 0)


PATTERNS = st.lists(st.text(alphabet="ab*?/", max_size=4), max_size=4)


@given(include=PATTERNS, exclude=PATTERNS, name=st.text(alphabet="ab/", max_size=5))
def test_order_does_not_matter(include, exclude, name) -> None:
    """The same patterns in another order select the same."""
    forward = Selection(SelectionSettings(include=tuple(include), exclude=tuple(exclude)))
    backward = Selection(SelectionSettings(include=tuple(include[::-1]), exclude=tuple(exclude[::-1])))
    assert forward.accepts(name, 1, 1) == backward.accepts(name, 1, 1)
