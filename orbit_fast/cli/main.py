"""The entry point of the command: as little as can be, so that ``orbit --version`` answers at once."""

from __future__ import annotations

import sys

from orbit_fast.cli.environment import read_environment


def main() -> None:
    """Run the command that the process was started with, and exit with its status."""
    sys.exit(run_process())


def run_process() -> int:
    """Run the command that the process was started with; returns its exit status."""
    environment = read_environment()
    if environment.arguments == ("--version",):
        from orbit_fast.cli.streams import print_version  # noqa: PLC0415  click and the table stay unloaded

        return print_version()
    if environment.arguments[:1] == ("__complete",):
        from orbit_fast.cli import completing  # noqa: PLC0415  click stays unloaded: somebody waits for the answer
        from orbit_fast.cli.verbs import VERBS  # noqa: PLC0415  as above

        return completing.run(environment, VERBS)
    from orbit_fast.cli.run import run  # noqa: PLC0415  as above

    return run(environment)
