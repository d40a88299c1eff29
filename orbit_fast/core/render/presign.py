"""``presign``: one URL, and when it ends."""

from __future__ import annotations

from orbit_fast.core.events import event_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import PresignSettings
from orbit_fast.core.units import format_time
from orbit_fast.core.visible import lossy

_NS = 1_000_000_000


def render(name: str, url: str, presign: PresignSettings, now_s: int, output: OutputSettings) -> bytes:
    """The URL as a line, or an event around it.

    Args:
        name: ``s3://bucket/key``.
        url: what was made.
        presign: what it is good for.
        now_s: Unix seconds when it was made.
        output: how to say it.
    """
    if not output.json:
        return f"{url}\n".encode()
    event: dict[str, object] = {
        "operation": "presign",
        "success": True,
        "key": lossy(name)[0],
        "url": url,
        "method": presign.method,
        "expires_secs": presign.expires_s,
        "expires_at": format_time((now_s + presign.expires_s) * _NS),
    }
    return event_line(event)
