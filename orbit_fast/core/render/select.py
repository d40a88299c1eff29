"""``select``: what is said beside the records, and records as events where lines of ``run`` have to be events."""

from __future__ import annotations

from orbit_fast.core.events import event_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable


def selected(source: str, size: int, stats: dict[str, int], output: OutputSettings) -> bytes:
    """All records of an object were given: an event, or a line where everything is to be told.

    Args:
        source: ``s3://bucket/key``.
        size: bytes of the records.
        stats: what the service says that it did, by the names of events.
        output: how to say it.
    """
    if output.json:
        event: dict[str, object] = {"operation": "select", "success": True, "source": source, "size": size}
        return b"" if output.quiet else event_line(event | stats)
    return f"select {printable(source)}\n".encode() if output.verbose else b""


def records(source: str, data: bytes) -> bytes:
    """Records as an event."""
    text, exact = lossy(data)
    event: dict[str, object] = {"operation": "select", "success": True, "source": source, "records": text}
    return event_line(event | ({"records_b64": exact} if exact else {}))
