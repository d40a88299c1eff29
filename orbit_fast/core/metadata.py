"""A file's modification time and mode as user metadata, in the form that rclone uses too.

``x-amz-meta-mtime`` holds decimal seconds since 1970 UTC with up to nine decimals, ``x-amz-meta-mode`` the octal mode.
What a service gives back is not trusted: anything odd is ignored, and only permission bits are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orbit_fast.core.moments import LAST_NS

_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_MODE = re.compile(r"[0-7]{1,7}", re.ASCII)
_NS = 1_000_000_000
_REGULAR = 0o100000  # "regular file", which rclone puts before the permission bits


def describe_file(mtime_ns: int, mode: int) -> tuple[tuple[str, str], ...]:
    """The metadata pairs for a file of this modification time (nanoseconds) and mode."""
    sign = "-" if mtime_ns < 0 else ""
    seconds, rest = divmod(abs(mtime_ns), _NS)
    mtime = f"{sign}{seconds}.{rest:09d}".rstrip("0").rstrip(".")
    return (("mtime", mtime), ("mode", f"{_REGULAR | mode & 0o777:o}"))


def file_times(metadata: Mapping[str, str], mtime_ns: int | None) -> tuple[int | None, int | None]:
    """Modification time (nanoseconds) and mode for the file of an object.

    Args:
        metadata: user metadata, names without ``x-amz-meta-``.
        mtime_ns: what holds where the metadata does not say: Last-Modified, or None where that is unknown too.

    Returns:
        The time (0 is 1970, None is unknown), and the permission bits or None where nothing is said about them.
    """
    seconds = _SECONDS.fullmatch(metadata.get("mtime", ""))
    if seconds:
        stated_ns = int(seconds[2]) * _NS + int((seconds[3] or "").ljust(9, "0"))
        if stated_ns <= LAST_NS:
            mtime_ns = -stated_ns if seconds[1] else stated_ns
    mode = metadata.get("mode", "")
    return mtime_ns, int(mode, 8) & 0o777 if _MODE.fullmatch(mode) else None
