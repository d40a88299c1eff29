"""Times and modes as metadata: there and back, and nothing believed that is odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.metadata import describe_file
from orbit_fast.core.metadata import file_times

NS = 10**9


@pytest.mark.parametrize(
    ("mtime_ns", "mode", "described"),
    [
        (1_500_000_000 * NS, 0o644, ("1500000000", "100644")),
        (1_500_000_000 * NS + 250_000_000, 0o100755, ("1500000000.25", "100755")),
        (1, 0, ("0.000000001", "100000")),
        (0, 0o4777, ("0", "100777")),
        (-1_500_000_000, 0o600, ("-1.5", "100600")),
        (10 * NS, 0o600, ("10", "100600")),
    ],
)
def test_the_form_is_rclones(mtime_ns, mode, described):
    """Decimal seconds without idle zeros; the octal mode of a regular file."""
    assert describe_file(mtime_ns, mode) == (("mtime", described[0]), ("mode", described[1]))


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(0, 0o777))
def test_there_and_back(mtime_ns, mode):
    """To the nanosecond."""
    assert file_times(dict(describe_file(mtime_ns, mode)), 5) == (mtime_ns, mode)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({}, (5, None)),
        ({"mtime": "", "mode": ""}, (5, None)),
        ({"mtime": "1e9", "mode": "rwx"}, (5, None)),
        ({"mtime": "12.", "mode": "0o644"}, (5, None)),
        ({"mtime": "1.0000000001", "mode": "888"}, (5, None)),
        ({"mtime": "9999999999999"}, (5, None)),
        ({"mtime": "9223372036.854775808"}, (5, None)),
        ({"mtime": "-9223372036.854775808"}, (5, None)),
        ({"mtime": "\N{ARABIC-INDIC DIGIT ONE}"}, (5, None)),
        ({"mtime": "7"}, (7 * NS, None)),
        ({"mode": "106755"}, (5, 0o755)),
        ({"mode": "12345678"}, (5, None)),
    ],
)
def test_what_is_odd_is_ignored(metadata, found):
    """A service's word is not trusted: Last-Modified holds, and only permission bits are taken."""
    assert file_times(metadata, 5) == found


def test_1970_is_a_time_and_nothing_is_none():
    """The metadata's 0 is a time like another; where neither it nor the service says one, there is none."""
    assert file_times({"mtime": "0"}, None) == (0, None)
    assert file_times({}, None) == (None, None)
