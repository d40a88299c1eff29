"""``verify``: a line for each name that was compared, and one for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.events import event_line
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.verification import Result
from orbit_fast.core.verification import Verdict
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable


@dataclass(slots=True)
class Counts:
    """How many names ended in which way.

    Attributes:
        matched: proven to be the same.
        unproven: of one size, and nothing to compare.
        differing: not the same.
        missing: only at the first side.
        extra: only at the second side.
    """

    matched: int = 0
    unproven: int = 0
    differing: int = 0
    missing: int = 0
    extra: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        match verdict.result:
            case Result.DIFFERS:
                self.differing += 1
            case Result.MISSING:
                self.missing += 1
            case Result.EXTRA:
                self.extra += 1
            case Result.MATCH if verdict.verified is Verified.SIZE:
                self.unproven += 1
            case _:
                self.matched += 1


def name_line(verdict: Verdict, pair: tuple[bytes, bytes], size: int, output: OutputSettings) -> bytes:
    """The line of one name; matches are told in text with ``-v`` only, but for those that are unproven.

    Args:
        verdict: how it ended.
        pair: what it is called on both sides; ``b''`` where it is not.
        size: bytes, or -1.
        output: how to tell it.
    """
    is_match = verdict.result is Result.MATCH
    if output.quiet and is_match:
        return b""
    if output.json:
        return event_line(_event(verdict, pair, size))
    is_unproven = verdict.verified is Verified.SIZE
    if is_match and not is_unproven and not output.verbose:
        return b""
    names = " ".join(printable(name) for name in pair if name)
    if is_match:
        return f"{'unproven' if is_unproven else 'match'} {names}: {verdict.verified}\n".encode()
    if verdict.result is not Result.DIFFERS:
        return f"{verdict.result} {names}\n".encode()
    return f"differs {names}: {verdict.reason}: {verdict.expected} and {verdict.actual}\n".encode()


def totals_line(counts: Counts, output: OutputSettings) -> bytes:
    """All of them."""
    is_same = not (counts.differing or counts.missing or counts.extra)
    if output.json:
        return event_line(
            {
                "operation": "verify",
                "success": is_same,
                "type": "totals",
                "matched": counts.matched,
                "unproven": counts.unproven,
                "differing": counts.differing,
                "missing": counts.missing,
                "extra": counts.extra,
            }
        )
    if output.quiet:
        return b""
    return (
        f"{counts.matched} match, {counts.unproven} unproven (size only), {counts.differing} differ, "
        f"{counts.missing} missing, {counts.extra} extra\n"
    ).encode()


def _event(verdict: Verdict, pair: tuple[bytes, bytes], size: int) -> dict[str, object]:
    event: dict[str, object] = {
        "operation": "verify",
        "success": verdict.result is Result.MATCH,
        "result": str(verdict.result),
    }
    for field, name in zip(("source", "destination"), pair, strict=True):
        if name:
            shown, exact = lossy(name)
            event[field] = shown
            if exact:
                event[f"{field}_b64"] = exact
    if size >= 0:
        event["size"] = size
    found = {
        "verified": str(verdict.verified),
        "reason": verdict.reason,
        "expected": verdict.expected,
        "actual": verdict.actual,
    }
    return event | {field: value for field, value in found.items() if value}
