"""Points in time as processes tell each other of them: nanoseconds since 1970 UTC in 64 bits, from 1677 to 2262.

Other times exist. Services that know none say ``0001-01-01T00:00:00Z``, and file systems keep years of five digits.
They are older or younger than everything else, and nothing more is ever asked of them.
"""

from __future__ import annotations

from typing import Final

LAST_NS: Final = (1 << 63) - 1
"""The last moment; the first is as far before 1970."""


def held(time_ns: int) -> int:
    """The time, or the nearest one that 64 bits hold."""
    if -LAST_NS <= time_ns <= LAST_NS:
        return time_ns
    return LAST_NS if time_ns > 0 else -LAST_NS
