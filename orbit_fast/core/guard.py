"""Whether what is only at the destination may be deleted: the last question before the first deletion.

Deleting is decided on what was *not* seen, so everything that could make a thing unseen stands in its way. The answer
is given once, when both listings and every copy have ended:

* both listings ended whole, or nothing is deleted (exit 2);
* nothing failed, or nothing is deleted (exit 1): what failed may be the file that the extra was renamed to;
* the source holds something, or nothing is deleted without ``--allow-empty-source`` (exit 2): an empty source is more
  often a disk that is not mounted, or a mistyped name, than a wish;
* the filters protect at least what they did in the last sync of the same two sides (`core.filter_record`), or nothing
  is deleted without ``--allow-changed-filters`` (exit 2);
* not more than ``--max-delete`` allows, or nothing is deleted (exit 2). Where it was not given, more than `FREE`
  deletions that are also more than half of the destination need it;
* the source still has none of them, or nothing is deleted (exit 2): a service that loses keys from its listings, or
  does not name yet what it has, cannot be told by its listing. So what is to be deleted is looked for at the source by
  its name (`looks`): the extras' *peers*. One that is there, or of which that cannot be learnt, proves the listing
  wrong or unproven, and with it every other extra;
* none of them is, to the file system of the destination, what the source has in another spelling, or nothing is deleted
  (exit 1).

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

LOOKED_FOR: Final = 10_000
"""The most extras whose peers are looked for where nobody said anything: one request each, some seconds together."""

_LIMIT: Final = re.compile(r"([0-9]{1,18})(%?)", re.ASCII)


class LimitKind(enum.Enum):
    """How ``--max-delete`` was given."""

    USUAL = "usual"
    """Not at all."""
    COUNT = "count"
    PERCENT = "percent"
    UNLIMITED = "unlimited"


class DeleteVerify(enum.StrEnum):
    """Whether the peers of extras are looked for: ``--delete-verify``."""

    AUTO = "auto"
    """Where they are not too many."""
    HEAD = "head"
    NONE = "none"


def looks(verify: DeleteVerify, deletions: int, most: int = LOOKED_FOR) -> bool:
    """Whether the peers of so many extras are looked for before the first is deleted; `most` are not too many."""
    return deletions > 0 and (verify is DeleteVerify.HEAD or (verify is DeleteVerify.AUTO and deletions <= most))


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
        verify: ``--delete-verify``.
        weakened: options that protect less than they did in the last sync of the two sides.
        allows_changed_filters: ``--allow-changed-filters``.
        command: what the user typed, for the advice.
    """

    is_whole: bool
    failed: int
    at_source: int
    at_destination: int
    extras: int
    limit: DeleteLimit = field(default_factory=DeleteLimit)
    allows_empty_source: bool = False
    verify: DeleteVerify = DeleteVerify.AUTO
    weakened: tuple[str, ...] = ()
    allows_changed_filters: bool = False
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
    if not case.is_whole:
        return Refusal(
            message="nothing was deleted, because a listing did not end whole",
            code="E_LIST_INCOMPLETE",
            exit_code=Exit.NOT_POSSIBLE,
        )
    what = f"{case.extras} of the {case.at_destination} objects at the destination"
    if case.failed:
        return Refusal(
            message=f"nothing was deleted, because {case.failed} of the objects failed: {what} are not at the source",
            code="E_DELETE_CANCELLED",
            exit_code=Exit.SOME_FAILED,
        )
    return _ask(case, what)


def _ask(case: Case, what: str) -> Refusal | None:
    """What may be a mistake, and needs the user's word; the option that gives it ends the message."""
    if not case.at_source and not case.allows_empty_source:
        why, option, code = "the source holds nothing", "--allow-empty-source", "E_EMPTY_SOURCE"
    elif case.weakened and not case.allows_changed_filters:
        verb = "protects" if len(case.weakened) == 1 else "protect"
        why = f"{' and '.join(case.weakened)} {verb} less than in the last sync of these two"
        option, code = "--allow-changed-filters", "E_FILTERS_CHANGED"
    elif not case.limit.allows(case.extras, case.at_destination):
        why, option, code = "", f"--max-delete {case.extras}", "E_MAX_DELETE"
    else:
        return None
    why = f"{why}: {what} would go" if why else f"{what} would go"
    message = f"nothing was deleted, because {why}; if that is meant: {case.command} {option}"
    return Refusal(message=message, code=code, exit_code=Exit.NOT_POSSIBLE)


def refuse_unproven(why: str, code: str) -> Refusal:
    """What was listed as missing at the source is there, or may be: `why` names it."""
    message = f"nothing was deleted, because {why} (--delete-verify none believes the listing)"
    return Refusal(message=message, code=code, exit_code=Exit.NOT_POSSIBLE)


def refuse_folded(extra: str, name: str) -> Refusal:
    """To the file system of the destination the `extra` goes by the `name` of an object of the source, too."""
    message = (
        f"nothing was deleted, because to the destination's file system {extra!r} there is {name!r} of the source: "
        "rename one of the two"
    )
    return Refusal(message=message, code="E_NAME_COLLISION", exit_code=Exit.SOME_FAILED)
