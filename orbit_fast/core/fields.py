"""Header fields as they stand in a reply: name, colon, value (RFC 9112, section 5), for heads and for trailers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from orbit_fast.core.errors import BadReply

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""What a field's name is made of (RFC 9110, section 5.6.2)."""

_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\x00\r\n]*)")


def read_fields(lines: Iterable[str]) -> dict[str, str]:
    """Return lower-case names to values, without white space at their ends; a repeated name's joined by ``", "``.

    Raises:
        BadReply: a line is no field: no colon, space in or after the name, NUL or CR in the value (``E_HTTP``).
    """
    headers: dict[str, str] = {}
    for line in lines:
        matched = _FIELD.fullmatch(line)
        if matched is None:
            raise refused(f"not a header field: {line[:60]!a}")
        name = matched[1].lower()
        value = matched[2].strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def refused(message: str) -> BadReply:
    """Return the error for what is not HTTP, or could be read in two ways."""
    return BadReply(message, code="E_HTTP")


def too_much(message: str) -> BadReply:
    """Return the error for a reply that goes beyond one of our limits."""
    return BadReply(message, code="E_HTTP_LIMIT")
