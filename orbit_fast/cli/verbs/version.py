"""``orbit version``: which orbit this is."""

from __future__ import annotations

from orbit_fast.cli.streams import installed_version
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.streams import version_line
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.events import Totals
from orbit_fast.core.events import event_line
from orbit_fast.core.events import new_renderer
from orbit_fast.core.work import Saying


def plan(invocation: Invocation) -> Saying:
    """The version, as a line or as an event.

    Raises:
        InvalidConfig: there are arguments.
    """
    if invocation.arguments:
        raise InvalidConfig("version takes no arguments")
    if not invocation.settings.output.json:
        return Saying(text=version_line())
    return Saying(text=event_line({"operation": "version", "success": True, "version": installed_version()}))


def run(invocation: Invocation) -> int:
    """Print the version."""
    said = plan(invocation).text
    if not invocation.settings.output.json:
        return print_data(said)
    summary = new_renderer(invocation.settings, operation="version").summary(Totals(command="version"))
    return print_data(said + summary.out)


VERB = Verb(
    name="version",
    summary="Say which version this is.",
    examples=(("orbit version", "the same as orbit --version"), ("orbit version --json", "for programs")),
    run=run,
    plan=plan,
)
