"""Sizes, rates, durations and dates: read from what people write, written for people to read.

``KB``, ``MB``, ``GB`` are decimal; ``KiB``, ``MiB``, ``GiB`` and bare ``K``, ``M``, ``G`` are binary. Rates are bytes
per second unless they say ``bit``. Arithmetic is exact: no float touches a size or a point in time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.moments import held

_NS: Final = 1_000_000_000
_MAX: Final = (1 << 63) - 1
_LONGEST_TEXT: Final = 64  # longer than any number that makes sense; bounds the work spent on one that does not

_PREFIXES: Final = "KMGTPE"
_BYTE_UNITS: Final = (
    {"": 1, "B": 1}
    | {f"{prefix}B": 1000**power for power, prefix in enumerate(_PREFIXES, 1)}
    | {f"{prefix}{end}": 1024**power for power, prefix in enumerate(_PREFIXES, 1) for end in ("", "IB")}
)
_BIT_UNITS: Final = (
    {"BIT": 1}
    | {f"{prefix}BIT": 1000**power for power, prefix in enumerate(_PREFIXES, 1)}
    | {f"{prefix}IBIT": 1024**power for power, prefix in enumerate(_PREFIXES, 1)}
)
_DURATION_UNITS: Final = {
    "ms": _NS // 1000,
    "s": _NS,
    "m": 60 * _NS,
    "h": 3600 * _NS,
    "d": 86_400 * _NS,
    "w": 604_800 * _NS,
}

_QUANTITY: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))? ?([A-Za-z]*)")
_DURATION: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|[smhdw])")
_BARE: Final = re.compile(r"[0-9.]+")
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)


def parse_size(text: str, *, default_unit: int = 1) -> int:
    """Bytes.

    Args:
        text: ``50MiB``, ``1.5GB``, ``64K``, ``4096``.
        default_unit: what a number without a unit counts, in bytes.

    Raises:
        InvalidConfig: not a size, not whole bytes, or beyond 8 EiB.
    """
    quantity = _quantity(text)
    unit = None
    if quantity is not None:
        unit = _BYTE_UNITS.get(quantity.unit) if quantity.unit else default_unit
    if quantity is None or unit is None:
        raise InvalidConfig(f"not a size: {text[:_LONGEST_TEXT]!r} (for example 50MiB, 1.5GB, 64K, 4096)")
    if unit == 1 and quantity.numerator % quantity.denominator:
        raise InvalidConfig(f"not a whole number of bytes: {text!r}")
    return _bounded(quantity.times(unit), text)


def parse_rate(text: str) -> int:
    """Bytes per second.

    Args:
        text: ``100MB``, ``1.5Gbit``, ``20MiB/s``, ``1000000``; ``/s`` changes nothing.

    Raises:
        InvalidConfig: not a rate, or below one byte a second.
    """
    quantity = _quantity(text.strip().removesuffix("/s"))
    bits = 0
    if quantity is not None:
        bits = _BIT_UNITS.get(quantity.unit) or 8 * _BYTE_UNITS.get(quantity.unit, 0)
    if quantity is None or not bits:
        raise InvalidConfig(f"not a rate: {text[:_LONGEST_TEXT]!r} (for example 100MB, 20MiB, 1.5Gbit)")
    rate = _bounded(quantity.times(bits) // 8, text)
    if rate < 1:
        raise InvalidConfig(f"a rate must be at least one byte per second: {text!r}")
    return rate


def parse_duration(text: str) -> float:
    """Seconds.

    Args:
        text: ``30`` (seconds), ``1.5``, ``500ms``, ``24h``, ``7d``, ``1h30m``.

    Raises:
        InvalidConfig: not a duration.
    """
    duration_ns = _duration_ns(text.strip())
    if duration_ns is None:
        raise InvalidConfig(f"not a duration: {text[:_LONGEST_TEXT]!r} (for example 30, 500ms, 24h, 7d, 1h30m)")
    return duration_ns / _NS


def parse_age(text: str, now_ns: int) -> int:
    """A point in time, in nanoseconds since 1970 UTC; never 0, which settings use for "no limit".

    Args:
        text: so long ago (``24h``, ``7d``), a date (``2026-01-31``) or RFC 3339 (``2026-01-31T12:00:00Z``); UTC where
            no offset is given.
        now_ns: the present.

    Raises:
        InvalidConfig: none of these, or no such date.
    """
    stripped = text.strip()
    duration_ns = _duration_ns(stripped)
    moment_ns = _moment_ns(stripped) if duration_ns is None else now_ns - duration_ns
    if moment_ns is None:
        raise InvalidConfig(
            f"not an age or date: {text[:_LONGEST_TEXT]!r} (for example 24h, 7d, 2026-01-31, 2026-01-31T12:00:00Z)"
        )
    return moment_ns or 1


def format_size(size_bytes: int, human: bool) -> str:  # noqa: FBT001 - the output setting itself, handed on as it is
    """``15.3 GiB``, ``512 B``; or the plain number of bytes where `human` is not set."""
    if not human:
        return str(size_bytes)
    if size_bytes < 1024:
        return f"{size_bytes} B"
    power = min((size_bytes.bit_length() - 1) // 10, len(_PREFIXES))
    tenths = _tenths(size_bytes, power)
    if tenths >= 10_240 and power < len(_PREFIXES):  # 1023.96 KiB is 1.0 MiB
        power += 1
        tenths = _tenths(size_bytes, power)
    return f"{tenths // 10}.{tenths % 10} {_PREFIXES[power - 1]}iB"


def format_rate(rate_bps: float, human: bool) -> str:  # noqa: FBT001 - as format_size
    """``12.3 MiB/s``; or plain bytes per second where `human` is not set."""
    size = format_size(round(rate_bps), human)
    return f"{size}/s" if human else f"{size} B/s"


def format_time(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, whole seconds: ``2026-01-02T03:04:05Z``."""
    return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_duration(duration_s: float) -> str:
    """``0.25s``, ``12.3s``, ``3m20s``, ``1h02m03s``, ``2d03h04m``."""
    if duration_s < 9.995:
        return f"{duration_s:.2f}s"
    if duration_s < 59.95:
        return f"{duration_s:.1f}s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h{minutes:02}m"
    if hours:
        return f"{hours}h{minutes:02}m{seconds:02}s"
    return f"{minutes}m{seconds:02}s"


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A decimal number, exact, and its unit in capitals (``''`` where there is none)."""

    numerator: int
    denominator: int
    unit: str

    def times(self, factor: int) -> int:
        """The product, rounded down."""
        return self.numerator * factor // self.denominator


def _quantity(text: str) -> _Quantity | None:
    """The number and unit that `text` consists of."""
    found = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST_TEXT else None
    if found is None:
        return None
    whole, fraction, unit = found.groups("")
    return _Quantity(int(whole + fraction), 10 ** len(fraction), unit.upper())


def _bounded(number: int, text: str) -> int:
    if number > _MAX:
        raise InvalidConfig(f"too large: {text!r}")
    return number


def _tenths(size_bytes: int, power: int) -> int:
    """Tenths of 1024 to the `power`, rounded half up."""
    unit = 1 << (10 * power)
    return (size_bytes * 20 + unit) // (2 * unit)


def _duration_ns(text: str) -> int | None:
    """Nanoseconds, or None where `text` is no duration below 292 years."""
    if len(text) > _LONGEST_TEXT:
        return None
    if _BARE.fullmatch(text):
        text += "s"
    total = end = 0
    for piece in _DURATION.finditer(text):
        if piece.start() != end:
            return None
        whole, fraction, unit = piece.groups("")
        scale: int = 10 ** len(fraction)
        total += int(whole + fraction) * _DURATION_UNITS[unit] // scale
        end = piece.end()
    return total if 0 < end == len(text) and total <= _MAX else None


def _moment_ns(text: str) -> int | None:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    date, time, fraction, offset = found.groups()
    zone = "+00:00" if offset is None or offset in "Zz" else offset
    try:
        moment = datetime.fromisoformat(f"{date}T{time or '00:00'}{zone}")
    except ValueError:
        return None
    since_1970 = moment - datetime(1970, 1, 1, tzinfo=UTC)
    moment_ns = since_1970 // timedelta(seconds=1) * _NS + int((fraction or "").ljust(9, "0"))
    return held(moment_ns)
