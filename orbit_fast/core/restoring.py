"""What is known about the restore of an archived object."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orbit_fast.core.decode_facts import last_modified_ns
from orbit_fast.core.plan import ARCHIVE_CLASSES

TIERED: Final = "INTELLIGENT_TIERING"
"""Its objects may be in an archive or not, and a listing does not tell which."""

_EXPIRY: Final = re.compile(r'expiry-date="([^"]+)"')


class RestoreState(enum.StrEnum):
    """How far a restore is, or what came of a request for one."""

    REQUESTED = "requested"
    EXTENDED = "extended"
    """It was restored already; the copy now lives for as long as was asked."""
    IN_PROGRESS = "in-progress"
    RESTORED = "restored"
    NOT_REQUESTED = "not-requested"
    NOT_ARCHIVED = "not-archived"
    """It can be read as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFacts:
    """What HeadObject says.

    Attributes:
        state: how far it is.
        storage_class: S3's name.
        until_ns: how long a restored copy lives, nanoseconds since 1970 UTC; 0 where that is not known.
    """

    state: RestoreState
    storage_class: str
    until_ns: int = 0


def restore_facts(headers: Mapping[str, str]) -> RestoreFacts:
    """What the headers of a HeadObject reply say, names in lower case."""
    storage_class = headers.get("x-amz-storage-class", "STANDARD")
    said = headers.get("x-amz-restore", "")
    if 'ongoing-request="true"' in said:
        return RestoreFacts(state=RestoreState.IN_PROGRESS, storage_class=storage_class)
    if 'ongoing-request="false"' in said:
        expiry = _EXPIRY.search(said)
        until_ns = last_modified_ns(expiry[1]) if expiry is not None else 0
        return RestoreFacts(state=RestoreState.RESTORED, storage_class=storage_class, until_ns=until_ns)
    is_archived = storage_class in ARCHIVE_CLASSES or "x-amz-archive-status" in headers
    state = RestoreState.NOT_REQUESTED if is_archived else RestoreState.NOT_ARCHIVED
    return RestoreFacts(state=state, storage_class=storage_class)


def may_be_archived(storage_class: str) -> bool:
    """Whether a listed object of this class can need a restore."""
    return storage_class in ARCHIVE_CLASSES or storage_class == TIERED
