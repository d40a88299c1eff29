"""Many times as text: of a page of a listing most differ in the seconds only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import Final

_NS: Final = 1_000_000_000
_MOST: Final = 4096
"""Minutes that are kept: what a few pages hold."""

TEXT: Final = "%Y/%m/%d %H:%M:"
"""s5cmd's, without the seconds."""
RFC3339: Final = "%Y-%m-%dT%H:%M:"
"""Without the seconds and what follows them."""


def clock_face(minutes: str, *, end: str = "") -> Callable[[int], str]:
    """A function from nanoseconds since 1970 to text in UTC, whole seconds.

    Args:
        minutes: how a minute is written, as `datetime.strftime` has it, up to where the seconds follow.
        end: what follows the seconds.
    """
    known: dict[int, str] = {}
    seconds = tuple(f"{second:02d}{end}" for second in range(60))

    def shown(time_ns: int) -> str:
        minute, second = divmod(time_ns // _NS, 60)
        text = known.get(minute)
        if text is None:
            if len(known) >= _MOST:
                known.clear()
            text = known[minute] = datetime.fromtimestamp(minute * 60, UTC).strftime(minutes)
        return text + seconds[second]

    return shown
