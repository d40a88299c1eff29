"""Command lines as bash has them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.shellwords import quoted
from orbit_fast.core.shellwords import read_line

BREAKS = " \t\n\"'@><=;|&(:"
"""Bash's own COMP_WORDBREAKS."""


@pytest.mark.parametrize(
    ("line", "words", "kept", "quote"),
    [
        ("", [""], 0, ""),
        ("orbit", ["orbit"], 0, ""),
        ("orbit ", ["orbit", ""], 0, ""),
        ("orbit  cp\ta ", ["orbit", "cp", "a", ""], 0, ""),
        ("orbit cp s3://b", ["orbit", "cp", "s3://b"], 3, ""),
        ("orbit cp --acl=pu", ["orbit", "cp", "--acl=pu"], 6, ""),
        ("orbit cp s3://b/u@h=1", ["orbit", "cp", "s3://b/u@h=1"], 11, ""),
        ("orbit cp s3://b/u@h", ["orbit", "cp", "s3://b/u@h"], 8, ""),
        (r"orbit cp s3://b/my\ d", ["orbit", "cp", "s3://b/my d"], 3, ""),
        (r"orbit cp s3\://b", ["orbit", "cp", "s3://b"], 0, ""),
        ('orbit cp "s3://b/my d', ["orbit", "cp", "s3://b/my d"], 0, '"'),
        ("orbit cp 's3://b/my d", ["orbit", "cp", "s3://b/my d"], 0, "'"),
        ("orbit cp s3://'b/my d", ["orbit", "cp", "s3://b/my d"], 5, "'"),
        ("orbit cp 'a b' c", ["orbit", "cp", "a b", "c"], 0, ""),
        ("orbit cp 'a b'c", ["orbit", "cp", "a bc"], 3, ""),
        ("orbit cp '' c", ["orbit", "cp", "", "c"], 0, ""),
        (r'orbit "a\"\$\x', ["orbit", r'a"$\x'], 0, '"'),
        ("orbit a\\", ["orbit", "a"], 0, ""),
    ],
)
def test_read_line(line, words, kept, quote):
    """Words lose their quotes; what bash keeps of the last goes up to a break or an open quote."""
    typed = read_line(line, BREAKS)
    assert (list(typed.words), typed.kept, typed.quote) == (words, kept, quote)


@pytest.mark.parametrize(
    ("line", "word", "replacement"),
    [
        ("orbit cp s3://b", "s3://bkt/", "//bkt/"),
        (r"orbit cp s3://b/my\ d", "s3://b/my dir/", r"//b/my\ dir/"),
        ('orbit cp "s3://b/my d', "s3://b/my $dir/", r"s3://b/my \$dir/"),
        ("orbit cp 's3://b/it", "s3://b/it's", r"s3://b/it'\''s"),
        ("orbit cp --acl=pu", "--acl=public-read", "public-read"),
        ("orbit c", "cp", "cp"),
    ],
)
def test_replacement(line, word, replacement):
    """Bash is given only what stands behind what it keeps, quoted as it stands there."""
    assert read_line(line, BREAKS).replacement(word) == replacement


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)


@given(TEXTS, st.sampled_from(["", "'", '"']))
def test_quoted_is_read_back(text, quote):
    """Whatever is quoted reads back as it was, by our reader and by Python's."""
    line = f"{quote}{quoted(text, quote)}{quote}"
    assert read_line(f"x {line}", BREAKS).words == ("x", text)
    if quote != '"':  # shlex does not know that a backslash hides a dollar sign there
        assert shlex.split(line) == [text]
