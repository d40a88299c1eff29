"""Options that choose the objects of a job."""

from __future__ import annotations

from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import age
from orbit_fast.core.values import choice
from orbit_fast.core.values import join_rules
from orbit_fast.core.values import pattern
from orbit_fast.core.values import rules
from orbit_fast.core.values import size
from orbit_fast.core.verb_groups import DESCENDS
from orbit_fast.core.verb_groups import MOVES
from orbit_fast.core.verb_groups import NAMED
from orbit_fast.core.verb_groups import ONE_VERSION
from orbit_fast.core.verb_groups import SELECTS
from orbit_fast.core.verb_groups import WILDCARDS

_SYMLINKS = ("follow", "skip")

ROWS = (
    Option(
        name="recursive",
        path="selection.recursive",
        help="Take directories and prefixes with everything under them.",
        shape=Shape.FLAG,
        also=("-R",),
        verbs=DESCENDS,
    ),
    Option(
        name="include",
        path="selection.include",
        help="Only names that match; * stands for anything, / too, ? for one character.",
        shape=Shape.MANY,
        parse=pattern,
        metavar="PATTERN",
        verbs=SELECTS,
    ),
    Option(
        name="exclude",
        path="selection.exclude",
        help="No names that match, whatever --include says.",
        shape=Shape.MANY,
        parse=pattern,
        metavar="PATTERN",
        verbs=SELECTS,
    ),
    Option(
        name="filter-from",
        path="selection.rules",
        help="File with a rule on each line: + PATTERN as --include, - PATTERN as --exclude; # begins a comment.",
        shape=Shape.MANY,
        parse=rules,
        join=join_rules,
        metavar="FILE",
        verbs=SELECTS,
    ),
    Option(
        name="files-from",
        path="selection.files_from",
        help="Only what this file names below SRC: a name a line, JSON Lines of orbit, or an S3 Inventory; - is stdin.",
        metavar="FILE",
        verbs=NAMED,
    ),
    Option(
        name="newer-than",
        path="selection.newer_than_ns",
        help="Only what was modified after this date, or less than this long ago (24h, 7d).",
        parse=age,
        metavar="AGE",
        verbs=SELECTS,
    ),
    Option(
        name="older-than",
        path="selection.older_than_ns",
        help="Only what was modified (an upload: begun) before this date, or longer ago than this.",
        parse=age,
        metavar="AGE",
        verbs=SELECTS | {"uploads"},
    ),
    Option(
        name="min-size",
        path="selection.min_size",
        help="Only objects of at least this size.",
        parse=size(),
        metavar="SIZE",
        verbs=SELECTS,
    ),
    Option(
        name="max-size",
        path="selection.max_size",
        help="Only objects of at most this size.",
        parse=size(),
        metavar="SIZE",
        verbs=SELECTS,
    ),
    Option(
        name="flatten",
        path="selection.flatten",
        help="Drop the directories from names: everything lands side by side.",
        shape=Shape.FLAG,
        verbs=NAMED,
    ),
    Option(
        name="raw",
        path="selection.raw",
        help="No wildcards: * and ? in keys mean themselves.",
        shape=Shape.FLAG,
        verbs=WILDCARDS,
    ),
    Option(
        name="symlink",
        path="selection.follow_symlinks",
        help="What to do with symbolic links; skipped ones are reported.",
        parse=choice(_SYMLINKS, (True, False)),
        choices=_SYMLINKS,
        default_text="skip",
        verbs=MOVES | {"verify"},
    ),
    Option(
        name="no-clobber",
        path="selection.no_clobber",
        help="Skip what exists at the destination.",
        shape=Shape.FLAG,
        also=("-n",),
        verbs=NAMED | {"pipe"},
    ),
    Option(
        name="if-size-differ",
        path="selection.if_size_differ",
        help="Skip what exists at the destination with the same size.",
        shape=Shape.FLAG,
        verbs=NAMED,
    ),
    Option(
        name="if-source-newer",
        path="selection.if_source_newer",
        help="Skip what exists at the destination and is as new as the source.",
        shape=Shape.FLAG,
        verbs=MOVES,
    ),
    Option(
        name="force-glacier-transfer",
        path="selection.force_glacier_transfer",
        help="Try archived objects too, instead of skipping them.",
        shape=Shape.FLAG,
        verbs=MOVES,
    ),
    Option(
        name="ignore-glacier-warnings",
        path="selection.ignore_glacier_warnings",
        help="Do not count skipped archived objects as failures.",
        shape=Shape.FLAG,
        verbs=MOVES,
    ),
    Option(
        name="version-id",
        path="selection.version_id",
        help="Version of the source object.",
        metavar="ID",
        verbs=ONE_VERSION,
    ),
)
