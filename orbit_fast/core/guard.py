"""Whether what is only at the destination may be deleted: the last question before the first deletion.

Deleting is decided on what was *not* seen, so everything that could make a thing unseen stands in its way. The answer
is given once, when both listings and every copy have ended:

* both listings ended whole, or nothing is deleted (exit 2);
* nothing failed, or nothing is deleted (exit 1): what failed may be the file that the extra was renamed to;
* the source holds something, or nothing is deleted without ``--allow-empty-source`` (exit 2): an empty source is more
  often a disk that is not mounted, or a mistyped name, than a wish;
* not more than ``--max-delete`` allows, or nothing is deleted (exit 2). Where it was not given, more than `FREE`
  deletions that are also more than half of the destination need it.

Which objects are extras at all is decided in `core.sync`: a name that is unknown at the source is none.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from dataclasses import field
from typing import Final

import msgspec

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig

FREE: Final = 100
"""So many deletions need nobody's word, however small the destination is."""

_LIMIT: Final = re.compile(r"([0-9]{1,18})(%?)", re.ASCII)


class LimitKind(enum.Enum):
    """How ``--max-delete`` was given."""

    USUAL = "usual"
    """Not at all."""
    COUNT = "count"
    PERCENT = "percent"
    UNLIMITED = "unlimited"


class DeleteLimit(msgspec.Struct, frozen=True):
    """How much may be deleted.

    Attributes:
        kind: how it was given.
        value: objects, or percent of the destination's objects.
    """

    kind: LimitKind = LimitKind.USUAL
    value: int = 0

    def allows(self, deletions: int, objects: int) -> bool:
        """Whether `deletions` of the `objects` at the destination may go."""
        if self.kind is LimitKind.COUNT:
            return deletions <= self.value
        if self.kind is LimitKind.PERCENT:
            return deletions * 100 <= self.value * objects
        return self.kind is LimitKind.UNLIMITED or deletions <= FREE or 2 * deletions <= objects


def parse_limit(text: str) -> DeleteLimit:
    """The limit that ``N``, ``N%`` or ``unlimited`` means.

    Raises:
        InvalidConfig: it is none of these, or more than 100 %.
    """
    if text.lower() == "unlimited":
        return DeleteLimit(LimitKind.UNLIMITED)
    match = _LIMIT.fullmatch(text)
    if match is None or (match[2] and int(match[1]) > 100):
        raise InvalidConfig(f"{text!r} is not a number, a percentage up to 100% or 'unlimited'")
    return DeleteLimit(LimitKind.PERCENT if match[2] else LimitKind.COUNT, int(match[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known when the copies have ended.

    Attributes:
        is_whole: both sides were seen to their end.
        failed: objects that could not be read, named, compared or copied.
        at_source: objects of the source that took part.
        at_destination: objects of the destination that took part.
        extras: those of them that are not at the source.
        limit: ``--max-delete``.
        allows_empty_source: ``--allow-empty-source``.
        command: what the user typed, for the advice.
    """

    is_whole: bool
    failed: int
    at_source: int
    at_destination: int
    extras: int
    limit: DeleteLimit = field(default_factory=DeleteLimit)
    allows_empty_source: bool = False
    command: str = "orbit sync SOURCE DESTINATION --delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is deleted.

    Attributes:
        message: one line that says what to do next.
        code: of the failure event.
        exit_code: of the job, unless something worse happened.
    """

    message: str
    code: str
    exit_code: Exit


def refuse(case: Case) -> Refusal | None:
    """Why the extras may not be deleted, or None where they may (or where there are none)."""
    if not case.extras:
        return None
    what = f"{case.extras} of the {case.at_destination} objects at the destination"
    if not case.is_whole:
        return Refusal(
            message="nothing was deleted, because a listing did not end whole",
            code="E_LIST_INCOMPLETE",
            exit_code=Exit.NOT_POSSIBLE,
        )
    if case.failed:
        return Refusal(
            message=f"nothing was deleted, because {case.failed} of the objects failed: {what} are not at the source",
            code="E_DELETE_CANCELLED",
            exit_code=Exit.SOME_FAILED,
        )
    if not case.at_source and not case.allows_empty_source:
        return Refusal(
            message=f"nothing was deleted, because the source holds nothing: {what} would go; "
            f"if that is meant: {case.command} --allow-empty-source",
            code="E_EMPTY_SOURCE",
            exit_code=Exit.NOT_POSSIBLE,
        )
    if not case.limit.allows(case.extras, case.at_destination):
        return Refusal(
            message=f"nothing was deleted, because {what} would go; "
            f"if that is meant: {case.command} --max-delete {case.extras}",
            code="E_MAX_DELETE",
            exit_code=Exit.NOT_POSSIBLE,
        )
    return None
