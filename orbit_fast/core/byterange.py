"""A range of bytes as HTTP writes it: ``bytes=0-99``, ``bytes=100-``, ``bytes=-10`` (RFC 9110, 14.1.2)."""

from __future__ import annotations

import re

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidRange

_FORM = re.compile(r"(?:bytes=)?(\d{0,19})-(\d{0,19})", re.ASCII)


def parse_range(text: str) -> str:
    """The range without its unit, once it is known to be one.

    Raises:
        InvalidConfig: it is none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise InvalidConfig(f"{text!r} is not a range: bytes=0-99, bytes=100- or bytes=-10 (the last ten)")
    first, last = match.groups()
    if first and last and int(first) > int(last):
        raise InvalidConfig(f"the range {text!r} ends before it begins")
    return f"{first}-{last}"


def resolve_range(text: str, size: int, key: str) -> tuple[int, int]:
    """Offset and length of the range `text` (as `parse_range` gives it) in an object of `size` bytes.

    Raises:
        InvalidRange: the object has no byte of it.
    """
    first, _, last = text.partition("-")
    if not first:
        count = min(int(last), size)
        offset = size - count
    else:
        offset = int(first)
        count = min(int(last) + 1 if last else size, size) - offset
    if count <= 0:
        raise InvalidRange(f"{key} has {size} bytes: none of them is in the range {text}")
    return offset, count
