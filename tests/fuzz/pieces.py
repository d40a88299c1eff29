"""What the targets have in common: bytes that arrive in pieces, and what must hold of every value that is passed on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from collections.abc import Iterator
from itertools import cycle
from typing import TypeVar

from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.messages import encode

Made = TypeVar("Made")

MAX_MESSAGE = 4096
"""Characters of an error's message: it quotes what it does not like, and quotes little of it."""
_OF_THE_USER = (InvalidBucketName, InvalidConfig, InvalidKey, NameTooLong, UnsafePath)
"""Errors about what a user wrote, which may be shown in full."""


def cuts_of(data: bytes) -> Iterator[list[bytes]]:
    """The same bytes in pieces, in ways that follow from the bytes alone: a finding is found again."""
    if len(data) <= 300:
        yield [data[at : at + 1] for at in range(len(data))]
    seed = zlib.crc32(data)
    sizes = cycle((1 + seed % 7, 1 + (seed >> 8) % 61, 1 + (seed >> 16) % 4, 1 + (seed >> 20) % 500))
    found, at = [], 0
    while at < len(data):
        size = next(sizes)
        found.append(data[at : at + size])
        at += size
    yield found


def outcome(made: Callable[[], Made], *errors: type[Exception]) -> Made | str:
    """What it makes, or the name of the one of `errors` that it raises; any other error is a finding."""
    try:
        return made()
    except errors as error:
        refused = error
    assert len(str(refused)) <= MAX_MESSAGE or isinstance(refused, _OF_THE_USER), "an error quotes too much"
    return type(refused).__name__


def check_error(error: S3Error) -> None:
    """What every error promises: one line of bounded length, and a code."""
    assert error.code
    assert len(error.message) <= MAX_MESSAGE
    assert len(error.message.splitlines()) <= 1


def check_travels(value: object) -> None:
    """A worker can tell the supervisor of it: it has a form in messages."""
    encode(value)


def text_of(data: bytes) -> str:
    """The text that the operating system makes of bytes in an argument or a variable."""
    return data.decode("utf-8", "surrogateescape")
