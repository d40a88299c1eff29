"""``versions``: how two of an object differ, and whether a bucket keeps them."""

from __future__ import annotations

from orbit_fast.core.events import event_line
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.versioning import Difference
from orbit_fast.core.versioning import VersioningState
from orbit_fast.core.visible import printable

_VERBS = {VersioningState.ENABLED: "enable", VersioningState.SUSPENDED: "suspend"}


def difference(source: str, ids: tuple[str, str], found: Difference, output: OutputSettings) -> bytes:
    """An event, or a line for each field.

    Args:
        source: ``s3://bucket/key``.
        ids: of the two versions.
        found: how the second differs from the first.
        output: how to say it.
    """
    if output.quiet:
        return b""
    fields: dict[str, object] = {
        "source": source,
        "version_id1": ids[0],
        "version_id2": ids[1],
        "size_diff": found.size_diff,
        "time_diff": found.time_diff_s,
    }
    if found.content_differs is not None:
        fields |= {"content_differs": found.content_differs, "basis": found.basis}
    if output.json:
        return event_line({"operation": "versions", "success": True} | fields)
    if output.human_readable:
        sign = "-" if found.size_diff < 0 else ""
        fields["size_diff"] = sign + format_size(abs(found.size_diff), human=True)
    fields.setdefault("content_differs", "unknown")
    return "".join([f"{name}: {_text(value)}\n" for name, value in fields.items()]).encode()


def versioning(bucket: str, state: VersioningState, output: OutputSettings, *, mfa_delete: bool) -> bytes:
    """What a bucket says of itself."""
    if output.quiet:
        return b""
    if output.json:
        return event_line(_event(bucket, state) | ({"mfa_delete": True} if mfa_delete else {}))
    more = " (MFA delete)" if mfa_delete else ""
    return f"s3://{printable(bucket)}: {state}{more}\n".encode()


def was_set(bucket: str, state: VersioningState, output: OutputSettings) -> bytes:
    """It was changed; in a dry run, it would have been."""
    is_dry = output.dry_run
    if output.quiet and not is_dry:
        return b""
    if output.json:
        return event_line(_event(bucket, state) | ({"dry_run": True} if is_dry else {}))
    prefix = "(dry run) " if is_dry else ""
    return f"{prefix}versions {_VERBS[state]} s3://{printable(bucket)}\n".encode()


def _event(bucket: str, state: VersioningState) -> dict[str, object]:
    return {"operation": "versions", "success": True, "source": f"s3://{bucket}", "versioning": state.value}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else printable(str(value))
