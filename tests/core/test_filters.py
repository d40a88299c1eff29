"""Selection keeps what its options say, in any order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.filters import Selection
from orbit_fast.core.filters import parse_rules
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


def _fits(pattern, text):
    """The textbook matcher of ``*`` and ``?``."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _fits(pattern[1:], text) or (bool(text) and _fits(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and _fits(pattern[1:], text[1:])


SOME = st.lists(st.text(alphabet="ab*?/.[]", min_size=1, max_size=4), max_size=3).map(tuple)


@given(
    include=SOME,
    exclude=SOME,
    rules=st.lists(st.tuples(st.sampled_from("+-"), st.text("ab*?/", min_size=1))),
    name=st.text(alphabet="ab/.[", max_size=6),
)
def test_against_a_matcher_of_ten_lines(include, exclude, rules, name) -> None:
    """A name takes part when no exclude fits it, and some include, if there is any; rules of files are the same."""
    selection = Selection(SelectionSettings(include=include, exclude=exclude, rules=tuple(rules)))
    includes = [*include, *(pattern for sign, pattern in rules if sign == "+")]
    excludes = [*exclude, *(pattern for sign, pattern in rules if sign == "-")]
    is_wanted = not includes or any(_fits(pattern, name) for pattern in includes)
    assert selection.accepts_name(name) == (is_wanted and not any(_fits(pattern, name) for pattern in excludes))


def test_a_filter_file() -> None:
    """Signs, comments, blank lines; blanks before a pattern go, blanks in it and behind it stay."""
    content = "\ufeff# what to take\n+ *.txt\r\n\n-\ttmp/*\n  + a b \n\t# + no\n- - -\n+ #1\n- \u00e9".encode()
    assert parse_rules(content, "rules") == (
        ("+", "*.txt"),
        ("-", "tmp/*"),
        ("+", "a b "),
        ("-", "- -"),
        ("+", "#1"),
        ("-", "\u00e9"),
    )
    assert parse_rules(b"", "rules") == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"*.txt", "expected '+ PATTERN' or '- PATTERN', found '*.txt'"),
        (b"+*.txt", "expected '+ PATTERN' or '- PATTERN', found '+*.txt'"),
        (b"+", "expected '+ PATTERN' or '- PATTERN', found '+'"),
        (b"-  ", "expected '+ PATTERN' or '- PATTERN', found '-  '"),
        (b"! x", "expected '+ PATTERN' or '- PATTERN', found '! x'"),
        (b"+ \xff", "not UTF-8"),
    ],
)
def test_what_is_no_rule(line, complaint) -> None:
    """The file and the line are named, in one line."""
    with pytest.raises(InvalidConfig) as caught:
        parse_rules(b"# rules\n+ a\n" + line + b"\n", "my.rules")
    assert caught.value.message == f"my.rules:3: {complaint}"


@given(
    rules=st.lists(
        st.tuples(
            st.sampled_from("+-"),
            st.text(min_size=1).filter(
                lambda text: text.strip(" \t") == text and not {*text} & {"\n", "\r"} and text.isprintable()
            ),
        )
    )
)
def test_what_is_written_is_read(rules) -> None:
    """Any printable pattern survives the file."""
    content = "".join(f"{sign} {pattern}\n" for sign, pattern in rules).encode()
    assert parse_rules(content, "rules") == tuple(rules)
