"""``orbit version``: which orbit this is."""

from __future__ import annotations

import msgspec

from orbit_fast.cli.streams import installed_version
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.streams import print_version
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer


def run(invocation: Invocation) -> int:
    """Print the version."""
    if invocation.arguments:
        raise InvalidConfig("version takes no arguments")
    if not invocation.settings.output.json:
        return print_version()
    event = {"operation": "version", "success": True, "version": installed_version()}
    summary = new_renderer(invocation.settings, operation="version").summary(Totals(command="version"))
    return print_data(msgspec.json.encode(event) + b"\n" + summary.out)


VERB = Verb(
    name="version",
    summary="Say which version this is.",
    examples=(("orbit version", "the same as orbit --version"), ("orbit version --json", "for programs")),
    run=run,
)
