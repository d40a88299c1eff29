"""Lines of a script: words, options and arguments."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.script import part_options
from orbit_fast.core.script import renamed
from orbit_fast.core.script import split_line
from orbit_fast.core.script import translated


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("# a comment", []),
        ("cp a b", ["cp", "a", "b"]),
        ("  cp\ta  b  # and why", ["cp", "a", "b"]),
        ("cp a#b s3://b/#c", ["cp", "a#b", "s3://b/#c"]),
        ("cp 'a b' \"c d\" e\\ f", ["cp", "a b", "c d", "e f"]),
        ("cp '' x", ["cp", "", "x"]),
        ('cp "a\\"b\\\\c\\d" \'e\\f\'', ["cp", 'a"b\\c\\d', "e\\f"]),
        ("cp a'b c'd", ["cp", "ab cd"]),
        ("rm 's3://b/*.gz' $HOME *", ["rm", "s3://b/*.gz", "$HOME", "*"]),
    ],
)
def test_words(text, words):
    """As a shell splits them, without its expansions."""
    assert split_line(text) == words


@pytest.mark.parametrize("text", ["cp 'a", 'cp "a', "cp a\\", 'cp "a\\', "cp a\0b c", "#\0"])
def test_what_is_no_line(text):
    """A quotation or an escape that is not closed; a NUL, even behind a #."""
    with pytest.raises(InvalidConfig):
        split_line(text)


@given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=8), max_size=5))
def test_what_a_shell_quotes_comes_back(words):
    """`shlex.join` and back."""
    assert split_line(shlex.join(words)) == words


VALUES = {"--part-size": True, "-p": True, "-n": False}


@pytest.mark.parametrize(
    ("words", "options", "arguments"),
    [
        (["a", "b"], (), ("a", "b")),
        (["-n", "a", "b"], ("-n",), ("a", "b")),
        (["a", "--part-size", "5", "b", "-n"], ("--part-size", "5", "-n"), ("a", "b")),
        (["--part-size=5", "a"], ("--part-size=5",), ("a",)),
        (["--part-size"], ("--part-size",), ()),
        (["--unknown", "a"], ("--unknown",), ("a",)),
        (["-n", "--", "-p", "--", "x"], ("-n",), ("-p", "--", "x")),
        (["-", "s3://b/k"], (), ("-", "s3://b/k")),
    ],
)
def test_options_and_arguments(words, options, arguments):
    """A value goes with its option."""
    assert part_options(words, VALUES) == (options, arguments)


@pytest.mark.parametrize(
    ("verb", "words", "ours"),
    [
        ("cp", ["-u", "-p", "5", "-n"], ["--if-source-newer", "--part-size", "5", "-n"]),
        ("mv", ["-s"], ["--if-size-differ"]),
        ("cp", ["--expires=x", "--no-follow-symlinks", "a"], ["--expires-header=x", "a"]),
        ("ls", ["-s", "--humanize"], ["-s", "--human-readable"]),
        ("presign", ["--expire", "1h"], ["--expires", "1h"]),
        ("rm", ["-n"], ["-n"]),
    ],
)
def test_spellings_of_s5cmd(verb, words, ours):
    """In our own."""
    assert translated(verb, words) == ours


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("bucket-version s3://b", "versions status s3://b"),
        ("bucket-version --set Enabled s3://b", "versions enable s3://b"),
        ("bucket-version --set=suspended s3://b", "versions suspend s3://b"),
        ("bucket-version --json s3://b --set Enabled", "versions enable --json s3://b"),
        ("bucket-version --set Off s3://b", "versions Off s3://b"),
        ("ls bucket-version", "ls bucket-version"),
        ("", ""),
    ],
)
def test_commands_of_s5cmd(line, ours):
    """What s5cmd calls otherwise; what it would not know either stays for whoever refuses it."""
    assert renamed(line.split()) == ours.split()
