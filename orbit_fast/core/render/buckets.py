"""``mb`` and ``rb``: the one line that says it is done."""

from __future__ import annotations

from orbit_fast.core.events import event_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.visible import printable


def made(bucket: str, region: str, output: OutputSettings) -> bytes:
    """A bucket was made."""
    return _line("mb", bucket, output, {"region": region} if region else {})


def gone(bucket: str, uploads_aborted: int, output: OutputSettings) -> bytes:
    """A bucket was removed, and so many unfinished uploads in it."""
    return _line("rb", bucket, output, {"uploads_aborted": uploads_aborted} if uploads_aborted else {})


def _line(verb: str, bucket: str, output: OutputSettings, more: dict[str, object]) -> bytes:
    if output.quiet and not output.dry_run:
        return b""
    if not output.json:
        prefix = "(dry run) " if output.dry_run else ""
        return f"{prefix}{verb} s3://{printable(bucket)}\n".encode()
    event: dict[str, object] = {"operation": verb, "success": True, "source": f"s3://{bucket}", **more}
    if output.dry_run:
        event["dry_run"] = True
    return event_line(event)
