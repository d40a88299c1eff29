"""What was deleted, or in a dry run would be: lines for a thousand keys at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orbit_fast.core.events import event_lines
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable

Name = tuple[str, str]
"""A key, and a version id or ``''``."""


class _Removed(msgspec.Struct, frozen=True, omit_defaults=True):
    operation: str
    success: bool
    source: str
    source_b64: str = ""
    version_id: str = ""
    dry_run: bool = False


def removed(bucket: str, names: Sequence[Name], output: OutputSettings) -> bytes:
    """The lines of keys or versions that are gone."""
    root = f"s3://{bucket}/"
    is_dry = output.dry_run
    if output.json:
        if output.quiet and not is_dry:
            return b""
        return event_lines([_Removed("rm", True, root + key, "", version, is_dry) for key, version in names])  # noqa: FBT003  by position is half the time
    if output.quiet and not is_dry:
        return b""
    start = f"(dry run) rm {root}" if is_dry else f"rm {root}"
    if not "".join([key + version for key, version in names]).isprintable():
        names = [(printable(key), printable(version)) for key, version in names]
    return "".join([f"{start}{key} {version}\n" if version else f"{start}{key}\n" for key, version in names]).encode()


def removed_files(paths: Sequence[bytes], output: OutputSettings) -> bytes:
    """The lines of local files that are gone."""
    is_dry = output.dry_run
    if output.quiet and not is_dry:
        return b""
    if output.json:
        return event_lines([_Removed("rm", True, *lossy(path), dry_run=is_dry) for path in paths])  # noqa: FBT003  as above
    start = "(dry run) rm" if is_dry else "rm"
    return "".join([f"{start} {printable(path)}\n" for path in paths]).encode()
