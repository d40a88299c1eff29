"""What people write is read exactly; what they read is rounded once."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import KIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.units import format_duration
from orbit_fast.core.units import format_rate
from orbit_fast.core.units import format_size
from orbit_fast.core.units import parse_age
from orbit_fast.core.units import parse_duration
from orbit_fast.core.units import parse_rate
from orbit_fast.core.units import parse_size

S = 1_000_000_000
NOW = 1_770_000_000 * S + 123


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10B", 10),
        ("64K", 64 * KIB),
        ("64k", 64 * KIB),
        ("50M", 50 * MIB),
        ("2G", 2 * GIB),
        ("1T", 1 << 40),
        ("1P", 1 << 50),
        ("1E", 1 << 60),
        ("50MiB", 50 * MIB),
        ("50mib", 50 * MIB),
        ("50 MiB", 50 * MIB),
        (" 50MiB ", 50 * MIB),
        ("1KB", 1000),
        ("1.5GB", 1_500_000_000),
        ("5TB", 5 * 10**12),
        ("0.1KB", 100),
        ("0.1KiB", 102),
        ("1.0B", 1),
        ("1.5KiB", 1536),
        ("9007199254740993", 9007199254740993),
        ("7.999999999999999999E", (1 << 63) - 2),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_sizes(text, size) -> None:
    """Two-letter units are decimal, bare ones and those with an i binary; no float loses a byte."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "size"), [("50", 50 * MIB), ("1.5", 3 * MIB // 2), ("50B", 50), ("8GiB", 8 * GIB), ("10MB", 10_000_000)]
)
def test_default_unit(text, size) -> None:
    """A number without a unit counts the default unit; a written unit stands."""
    assert parse_size(text, default_unit=MIB) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        "abc",
        "MiB",
        "1X",
        "1KiBB",
        "1 2",
        "1,5M",
        "1e6",
        "0x10",
        "1.M",
        ".5M",
        "1.5",
        "1.5B",
        "1_000",
        "inf",
        "nan",
        "\u0661",
        "8E",
        "9223372036854775808",
        "9" * 5000,
        "1Mbit",
        "1MiB/s",
        "1  M",
        "1\nM",
    ],
)
def test_bad_sizes_are_named(text) -> None:
    """What is no size is refused in one short line that shows it."""
    with pytest.raises(InvalidConfig) as caught:
        parse_size(text)
    assert repr(text[:60])[:-1] in caught.value.message
    assert len(caught.value.message) < 200
    assert "\n" not in caught.value.message


@given(size=st.integers(0, (1 << 63) - 1))
def test_plain_numbers_are_exact(size) -> None:
    """Every number of bytes reads as itself, also as formatted for machines."""
    assert parse_size(format_size(size, human=False)) == size


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100MB", 100_000_000),
        ("100MB/s", 100_000_000),
        ("20MiB/s", 20 * MIB),
        ("1000", 1000),
        ("1K", 1024),
        ("1.5Gbit", 187_500_000),
        ("1.5Gbit/s", 187_500_000),
        ("8bit", 1),
        ("100Mibit", 100 * MIB // 8),
        ("9Kbit", 1125),
        ("1gbit", 125_000_000),
    ],
)
def test_rates(text, rate) -> None:
    """Rates are bytes per second unless they say bit."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "/s", "0", "7bit", "fast", "10Mbps", "1MB/m", "-1MB", "0.5", "9" * 100, "8EB/s/s"]
)
def test_bad_rates_are_named(text) -> None:
    """What is no rate, or less than a byte a second, is refused in one line that shows it."""
    with pytest.raises(InvalidConfig) as caught:
        parse_rate(text)
    assert repr(text[:60])[:-1] in caught.value.message


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("24h", 86_400.0),
        ("7d", 604_800.0),
        ("2w", 1_209_600.0),
        ("1h30m", 5400.0),
        ("1d12h", 129_600.0),
        ("1.5h", 5400.0),
        (" 7d ", 604_800.0),
    ],
)
def test_durations(text, duration_s) -> None:
    """Plain numbers are seconds; units follow one another without a gap."""
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "-1",
        "1y",
        "1M",
        "1h30",
        "1h 30m",
        "1..5s",
        "1.5.",
        "h1",
        "1e3",
        "\u0663s",
        "9" * 30,
        "1s" * 40,
        "1s\n2s",
    ],
)
def test_bad_durations_are_named(text) -> None:
    """What is no duration is refused in one line that shows it."""
    with pytest.raises(InvalidConfig, match="not a duration") as caught:
        parse_duration(text)
    assert repr(text[:60])[:-1] in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "moment_ns"),
    [
        ("0", NOW),
        ("24h", NOW - 86_400 * S),
        ("500ms", NOW - S // 2),
        ("1970-01-01", 1),
        ("1970-01-02", 86_400 * S),
        ("1969-12-31", -86_400 * S),
        ("2026-01-31", 1_769_817_600 * S),
        ("2026-01-31T12:00:00Z", 1_769_860_800 * S),
        ("2026-01-31t12:00:00z", 1_769_860_800 * S),
        ("2026-01-31 12:00:00", 1_769_860_800 * S),
        ("2026-01-31T12:00", 1_769_860_800 * S),
        ("2026-01-31T12:00:00+02:00", 1_769_853_600 * S),
        ("2026-01-31T12:00:00-05:30", 1_769_880_600 * S),
        ("2026-01-31T12:00:00.5Z", 1_769_860_800 * S + S // 2),
        ("2026-01-31T12:00:00.123456789Z", 1_769_860_800 * S + 123_456_789),
        ("2024-02-29", 1_709_164_800 * S),
    ],
)
def test_ages(text, moment_ns) -> None:
    """Durations count back from now, dates stand for themselves, in UTC unless they say otherwise."""
    assert parse_age(text, NOW) == moment_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2025-02-29",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00+25:00",
        "2026-W05",
        "31.01.2026",
        "2026-01-31T",
        "-1d",
        "0000-01-01",
    ],
)
def test_bad_ages_are_named(text) -> None:
    """What is neither an age nor a date is refused in one line that shows it."""
    with pytest.raises(InvalidConfig, match="not an age or date") as caught:
        parse_age(text, NOW)
    assert repr(text) in caught.value.message


@given(moment=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001 - read as UTC
def test_moments_equal_datetimes(moment) -> None:
    """Every moment that datetime knows reads as datetime counts it, as far as 64 bits hold it."""
    since_1970 = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since_1970.days * 86_400 + since_1970.seconds) * S + since_1970.microseconds * 1000
    text = moment.isoformat(timespec="microseconds") + "Z"
    last = (1 << 63) - 1
    assert parse_age(text, NOW) == (min(max(expected, -last), last) or 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1535, "1.5 KiB"),
        (1536, "1.5 KiB"),
        (MIB - 1, "1.0 MiB"),
        (MIB - 52, "1023.9 KiB"),
        (MIB, "1.0 MiB"),
        (16_428_000_000, "15.3 GiB"),
        (50 * MIB, "50.0 MiB"),
        (10_000 * 5 * GIB, "48.8 TiB"),
        (GIB - 1, "1.0 GiB"),
        ((1 << 60) - 1, "1.0 EiB"),
        (1 << 63, "8.0 EiB"),
        (1 << 71, "2048.0 EiB"),
    ],
)
def test_human_sizes(size, text) -> None:
    """IEC units with one decimal, and the next unit where rounding reaches it."""
    assert format_size(size, human=True) == text


def test_plain_sizes() -> None:
    """Without -H sizes are bytes."""
    assert format_size(16_428_000_000, human=False) == "16428000000"


@given(size=st.integers(1024, 1 << 62))
def test_human_sizes_are_close(size) -> None:
    """What a formatted size says is within half a tenth of the unit of the truth."""
    number, unit = format_size(size, human=True).split()
    factor = parse_size(f"1{unit}")
    assert abs(float(number) * factor - size) <= 0.0501 * factor
    assert 1 <= float(number) < 1024 or unit == "EiB"


@pytest.mark.parametrize(
    ("rate", "human", "text"),
    [(12.3 * MIB, True, "12.3 MiB/s"), (0.0, True, "0 B/s"), (1000.4, False, "1000 B/s"), (2048, True, "2.0 KiB/s")],
)
def test_format_rates(rate, human, text) -> None:
    """A rate is a size per second."""
    assert format_rate(rate, human) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0, "0.00s"),
        (0.254, "0.25s"),
        (9.994, "9.99s"),
        (9.996, "10.0s"),
        (12.34, "12.3s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (200, "3m20s"),
        (3599.6, "1h00m00s"),
        (3723, "1h02m03s"),
        (86_399.9, "1d00h00m"),
        (183_900, "2d03h05m"),
    ],
)
def test_format_durations(duration_s, text) -> None:
    """Durations lose precision as they grow, and never show 60 of anything."""
    assert format_duration(duration_s) == text
