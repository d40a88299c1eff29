"""Options that say what the user sees."""

from __future__ import annotations

from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import choice
from orbit_fast.core.verb_groups import CHANGES
from orbit_fast.core.verb_groups import EVERY
from orbit_fast.core.verb_groups import MOVES
from orbit_fast.core.verb_groups import RUNS
from orbit_fast.core.verb_groups import S3
from orbit_fast.core.verb_groups import SHOWN

_LEVELS = ("debug", "info", "warning", "error")

ROWS = (
    Option(
        name="json", path="output.json", help="JSON Lines on stdout, the summary last.", shape=Shape.FLAG, verbs=EVERY
    ),
    Option(
        name="verbose",
        path="output.verbose",
        help="Say more: objects that were skipped as you asked, too.",
        shape=Shape.COUNT,
        also=("-v",),
        verbs=RUNS,
    ),
    Option(
        name="quiet", path="output.quiet", help="Say only what went wrong.", shape=Shape.FLAG, also=("-q",), verbs=RUNS
    ),
    Option(
        name="log-level",
        path="output.log_level",
        help="Diagnostics on stderr.",
        parse=choice(_LEVELS),
        choices=_LEVELS,
        verbs=EVERY,
    ),
    Option(
        name="manifest-out",
        path="output.manifest_out",
        help="Write what arrived to this file, JSON Lines with checksums: for orbit verify @FILE and --files-from.",
        metavar="FILE",
        verbs=MOVES,
    ),
    Option(
        name="dry-run",
        path="output.dry_run",
        help="Say what would be done, and do nothing.",
        shape=Shape.FLAG,
        verbs=CHANGES,
    ),
    Option(name="stat", path="output.stat", help="Print statistics at the end.", shape=Shape.FLAG, verbs=S3),
    Option(
        name="human-readable",
        path="output.human_readable",
        help="Sizes such as 15.3 GiB.",
        shape=Shape.FLAG,
        also=("-H",),
        verbs=RUNS,
    ),
    Option(
        name="progress",
        path="output.progress",
        help="Show progress on stderr when it is a terminal; with --json, as events.",
        shape=Shape.TOGGLE,
        default_text="on a terminal",
        verbs=SHOWN,
    ),
    Option(
        name="config",
        path="",
        help="Configuration file to read.",
        metavar="FILE",
        default_text="orbit/orbit.toml in $XDG_CONFIG_HOME or ~/.config, where there is one",
        verbs=EVERY,
    ),
)
