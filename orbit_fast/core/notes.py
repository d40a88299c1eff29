"""What a worker has to tell besides its work: something happened and was dealt with, or has to be."""

from __future__ import annotations

from typing import Final

import msgspec

from orbit_fast.core.model import Site

INFO: Final = 20
"""`proc.report.Level.INFO`, for processes that report nothing themselves."""


class Noted(msgspec.Struct, frozen=True, array_like=True, tag=69):
    """A log line. Several workers may note the same; it is said once.

    Attributes:
        level: how much it matters, as `proc.report.Level`.
        text: what happened; the endpoint is named in it.
    """

    level: int
    text: str


class NeedCredentials(msgspec.Struct, frozen=True, array_like=True, tag=59):
    """The service called these credentials expired; requests of this identity wait for a new `Setup`."""

    identity: int
    access_key: str


class RegionFound(msgspec.Struct, frozen=True, array_like=True, tag=60):
    """The bucket turned out to live elsewhere: this is its site now."""

    site: Site
