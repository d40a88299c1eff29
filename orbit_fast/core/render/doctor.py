"""``doctor``: an aligned line for each check, what to do next below it; or an event for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from orbit_fast.core.checkup import Check
from orbit_fast.core.checkup import Health
from orbit_fast.core.events import event_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable

_WIDTH: Final = 12
_SHOWN: Final = {Health.OK: "ok", Health.WARN: "warn", Health.FAIL: "FAIL"}


def check_line(check: Check, output: OutputSettings) -> bytes:
    """The lines of one check; with ``--quiet`` only of what is not well."""
    if output.quiet and check.health is Health.OK:
        return b""
    if output.json:
        event: dict[str, object] = {
            "operation": "doctor",
            "success": check.health is not Health.FAIL,
            "check": check.name,
            "status": str(check.health),
            "message": lossy(check.message)[0],
        }
        if check.advice:
            event["advice"] = lossy(check.advice)[0]
        if check.facts:
            event["facts"] = {
                name: lossy(value)[0] if isinstance(value, str) else value for name, value in check.facts.items()
            }
        return event_line(event)
    line = f"{_SHOWN[check.health]:<4}  {check.name:<{_WIDTH}}  {printable(check.message)}\n"
    if check.advice:
        line += f"{'':4}  {'':{_WIDTH}}  -> {printable(check.advice)}\n"
    return line.encode()


def totals_line(checks: Sequence[Check], output: OutputSettings) -> bytes:
    """How many are how; nothing as events, whose summary says whether all is well."""
    if output.json or output.quiet:
        return b""
    counts = Counter(check.health for check in checks)
    return f"{counts[Health.OK]} ok, {counts[Health.WARN]} to look at, {counts[Health.FAIL]} broken\n".encode()
