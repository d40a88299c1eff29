"""The fields of listings, read strictly: one that is missing or makes no sense makes the page unbelievable."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from orbit_fast.core.decode_facts import CHECKSUM_PREFERENCE
from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Checksum
from orbit_fast.core.xml import Element

BAD_LISTING: Final = "E_BAD_LISTING"
NUMBER: Final = re.compile(r"[0-9]{1,18}")


def checksum_in(item: Element) -> Checksum | None:
    """The preferred checksum among the ``Checksum…`` children of an element, or None."""
    for algorithm in CHECKSUM_PREFERENCE:
        value = item.text_of(f"Checksum{algorithm}")
        if value:
            return Checksum(algorithm, value)
    return None


def bad_listing(why: str) -> BadReply:
    """The error of a page that cannot be believed; `why` completes the sentence."""
    return BadReply(f"the service sent a listing that cannot be right: {why}", code=BAD_LISTING)


def required(text: str, what: str) -> str:
    """A text that must be there.

    Raises:
        BadReply: it is empty.
    """
    if not text:
        raise bad_listing(f"{what} is missing")
    return text


def number(text: str, what: str) -> int:
    """A count or a size.

    Raises:
        BadReply: it is no such number.
    """
    if NUMBER.fullmatch(text) is None:
        raise bad_listing(f"{what} is {text[:64]!r}")
    return int(text)


def time_ns(text: str) -> int:
    """A time as XML has it, in nanoseconds since 1970.

    Raises:
        BadReply: it is none.
    """
    try:
        return iso_time_ns(text)
    except ValueError as error:
        raise bad_listing(str(error)) from None


def says_truncated(root: Element) -> bool:
    """Whether more pages follow.

    Raises:
        BadReply: the page does not say so.
    """
    text = root.text_of("IsTruncated").lower()
    if text not in {"true", "false"}:
        raise bad_listing("it does not say whether more follows")
    return text == "true"


def decoded_key(text: str) -> str:
    """Undo ``encoding-type=url``: percent-encoded UTF-8, ``+`` for a space.

    Raises:
        BadReply: that is no text.
    """
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_listing(f"the key {text[:100]!r} is not UTF-8") from None
