"""What the filters of a sync that deletes were, so that the next one notices where they let more be deleted.

A filter protects what it leaves out at the destination. One that is forgotten on the command line, or mistyped, makes
extras of all that: the commonest way to lose what a sync was told to keep. So each sync that deletes leaves a record of
its filters, and the next one of the same two sides is asked whether it means to protect less (`weakened`). A change
that protects more needs nobody's word.

Patterns are kept as digests: enough to see that one is gone or new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec

from orbit_fast.core.settings import SelectionSettings

VERSION: Final = 1
"""Of the records. What another version wrote says nothing."""

TOLERANCE_NS: Final = 300 * 10**9
"""An age counts back from when it is read; until it is recorded, a script may have waited for its turn."""

MAX_PATTERNS: Final = 4096
"""More are kept as one digest of them all: then any change of them counts."""

_DIGITS: Final = 16


class FilterRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The filters of one sync.

    Attributes:
        version: of the record.
        include: digests of the patterns that include, in order.
        exclude: of those that exclude.
        min_size: bytes.
        max_size: bytes, or -1.
        newer_than_ns: Unix time, or 0.
        older_than_ns: Unix time, or 0.
        older_ns: the same, counted back from when it was recorded.
        deletes_excluded: ``--delete-excluded``.
    """

    version: int = VERSION
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_size: int = 0
    max_size: int = -1
    newer_than_ns: int = 0
    older_than_ns: int = 0
    older_ns: int = 0
    deletes_excluded: bool = False


def record_filters(selection: SelectionSettings, *, deletes_excluded: bool, now_ns: int) -> FilterRecord:
    """The record of a sync that begins now, Unix time."""
    older_than_ns = selection.older_than_ns
    return FilterRecord(
        include=_digests((*selection.include, *(pattern for sign, pattern in selection.rules if sign == "+"))),
        exclude=_digests((*selection.exclude, *(pattern for sign, pattern in selection.rules if sign == "-"))),
        min_size=max(0, selection.min_size),
        max_size=selection.max_size,
        newer_than_ns=selection.newer_than_ns,
        older_than_ns=older_than_ns,
        older_ns=now_ns - older_than_ns if older_than_ns else 0,
        deletes_excluded=deletes_excluded,
    )


def weakened(before: FilterRecord, now: FilterRecord) -> tuple[str, ...]:
    """The filters, as the user calls them, that protect less at the destination than they did; none if none does.

    With ``--delete-excluded`` filters protect nothing: there a name that is left out *is* deleted, so the other
    direction counts. The same age, counted back from a later day, is the same filter.
    """
    if before.deletes_excluded and not now.deletes_excluded:
        return ()
    if now.deletes_excluded:
        new = () if before.deletes_excluded else ("--delete-excluded",)
        return (*new, *_more_names(now, before))
    is_bounded = before.max_size >= 0
    is_older = bool(before.older_than_ns) and (
        not now.older_than_ns
        or (now.older_than_ns > before.older_than_ns and now.older_ns < before.older_ns - TOLERANCE_NS)
    )
    changes = {
        "--min-size": now.min_size < before.min_size,
        "--max-size": is_bounded and not 0 <= now.max_size <= before.max_size,
        "--newer-than": now.newer_than_ns < before.newer_than_ns,
        "--older-than": is_older,
    }
    return (*_more_names(before, now), *(name for name, is_weaker in changes.items() if is_weaker))


def _more_names(before: FilterRecord, now: FilterRecord) -> tuple[str, ...]:
    """The filters that let names take part now that they left out before."""
    includes = bool(before.include) and not (now.include and set(now.include) <= set(before.include))
    excludes = not set(before.exclude) <= set(now.exclude)
    return ("--include",) * includes + ("--exclude",) * excludes


def _digests(patterns: Iterable[str]) -> tuple[str, ...]:
    digests = sorted({_digest(pattern) for pattern in patterns})
    return tuple(digests) if len(digests) <= MAX_PATTERNS else (_digest("\n".join(digests)),)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
