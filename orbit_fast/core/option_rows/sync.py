"""Options of ``sync``: what is compared, and what may be deleted."""

from __future__ import annotations

from orbit_fast.core.guard import DeleteVerify
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import choice
from orbit_fast.core.values import delete_limit

_SYNC = frozenset({"sync"})
_MODES = ("copy", "update", "sync", "mirror")
_VERIFIES = tuple(each.value for each in DeleteVerify)

ROWS = (
    Option(
        name="mode",
        path="sync.mode",
        help="Copy everything, what is missing or newer, or what is missing or different; mirror deletes extras too.",
        parse=choice(_MODES),
        choices=_MODES,
        verbs=_SYNC,
    ),
    Option(
        name="size-only",
        path="sync.size_only",
        help="Only another size makes a difference, not a later time.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="checksum",
        path="sync.checksum",
        help="Compare the content of pairs of one size, by stored checksums, instead of their times.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="delete",
        path="sync.delete",
        help="When all is copied, delete what is only at the destination. Filters protect it there.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="delete-excluded",
        path="sync.delete_excluded",
        help="Delete at the destination what the filters leave out, too.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="max-delete",
        path="sync.max_delete",
        help="Delete nothing where it would be more than this.",
        parse=delete_limit,
        metavar="N|N%|unlimited",
        default_text="100, or half of the destination",
        verbs=_SYNC,
    ),
    Option(
        name="delete-verify",
        path="sync.delete_verify",
        help="Look for each of them at the source by its name first, and delete nothing if one is there.",
        parse=choice(_VERIFIES, tuple(DeleteVerify)),
        choices=_VERIFIES,
        default_text="auto: up to 10,000",
        verbs=_SYNC,
    ),
    Option(
        name="wait",
        path="sync.wait",
        help="Where another sync is writing to the same destination, wait for its end.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="allow-empty-source",
        path="sync.allow_empty_source",
        help="A source that holds nothing is meant so.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
    Option(
        name="allow-changed-filters",
        path="sync.allow_changed_filters",
        help="Filters that protect less than in the last sync of the same two, which deleted too, are meant so.",
        shape=Shape.FLAG,
        verbs=_SYNC,
    ),
)
