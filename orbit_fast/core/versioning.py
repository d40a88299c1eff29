"""Versions of objects: whether a bucket keeps them, and how two of them differ."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from orbit_fast.core.etag import is_md5
from orbit_fast.core.model import ObjectFacts

_NS: Final = 1_000_000_000


class VersioningState(enum.StrEnum):
    """Whether a bucket keeps versions."""

    DISABLED = "Disabled"
    """It never did."""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"
    """It keeps those that it has, and makes no new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a second version differs from a first.

    Attributes:
        size_diff: bytes that it has more.
        time_diff_s: seconds that it is younger.
        content_differs: whether its bytes are others; None where nothing that the service tells can decide it.
        basis: by what that was decided: ``size``, ``checksum``, ``etag``, or ``''``.
    """

    size_diff: int
    time_diff_s: int
    content_differs: bool | None
    basis: str


def compare(first: ObjectFacts, second: ObjectFacts) -> Difference:
    """Compare two versions by what HeadObject says.

    Equal values of one kind mean equal bytes. Unequal ones mean different bytes only where they are made of the bytes
    alone: a composite checksum and the ETag of an upload in parts also depend on where the parts were cut, and the ETag
    of an object that is encrypted with a key of KMS is another one each time.
    """
    differs, basis = _content(first, second)
    return Difference(
        size_diff=second.size - first.size,
        time_diff_s=(second.mtime_ns - first.mtime_ns) // _NS,
        content_differs=differs,
        basis=basis,
    )


def _content(first: ObjectFacts, second: ObjectFacts) -> tuple[bool | None, str]:
    if first.size != second.size:
        return True, "size"
    one, other = first.checksum, second.checksum
    if one is not None and other is not None and (one.algorithm, one.kind) == (other.algorithm, other.kind):
        if one.value == other.value:
            return False, "checksum"
        if one.kind != "COMPOSITE":
            return True, "checksum"
    if first.etag and first.etag == second.etag:
        return False, "etag"
    if is_md5(first.etag, first.encryption) and is_md5(second.etag, second.encryption):
        return True, "etag"
    return None, ""
