"""Ranges of bytes, as HTTP writes them."""

from __future__ import annotations

import pytest

from orbit_fast.core.byterange import parse_range
from orbit_fast.core.byterange import resolve_range
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidRange


@pytest.mark.parametrize(
    ("text", "meant"), [("bytes=0-9", "0-9"), ("5-", "5-"), ("bytes=-10", "-10"), (" bytes=7-7 ", "7-7")]
)
def test_a_range_is_read(text, meant):
    """With its unit and without."""
    assert parse_range(text) == meant


@pytest.mark.parametrize("text", ["", "-", "bytes=-", "9-0", "1-2,4-5", "lines=1-2", "a-b", "1", "--1", "1" * 30 + "-"])
def test_what_is_no_range_is_refused(text):
    """Several ranges too: there is no good way to write them one after another."""
    with pytest.raises(InvalidConfig):
        parse_range(text)


@pytest.mark.parametrize(
    ("text", "size", "found"),
    [
        ("0-9", 100, (0, 10)),
        ("5-", 100, (5, 95)),
        ("-10", 100, (90, 10)),
        ("-200", 100, (0, 100)),
        ("99-1000", 100, (99, 1)),
        ("0-0", 1, (0, 1)),
    ],
)
def test_a_range_is_cut_at_the_end_of_the_object(text, size, found):
    """As RFC 9110 says."""
    assert resolve_range(text, size, "k") == found


@pytest.mark.parametrize(("text", "size"), [("100-", 100), ("100-200", 100), ("-0", 100), ("0-", 0), ("-5", 0)])
def test_a_range_without_a_byte_is_an_error(text, size):
    """416, without asking the service."""
    with pytest.raises(InvalidRange, match="none of them"):
        resolve_range(text, size, "k")
