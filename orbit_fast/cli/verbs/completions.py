"""``orbit completions SHELL``: the script with which a shell completes orbit's command line."""

from __future__ import annotations

from orbit_fast.cli.completion_scripts import SCRIPTS
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer

_SHELLS = tuple(SCRIPTS)


def run(invocation: Invocation) -> int:
    """Print the script for a shell; under ``--json`` the summary goes to stderr, because stdout is the script."""
    if len(invocation.arguments) != 1 or invocation.arguments[0] not in SCRIPTS:
        raise InvalidConfig(f"completions takes one shell: {', '.join(_SHELLS)}")
    exit_code = print_data(SCRIPTS[invocation.arguments[0]].encode())
    if invocation.settings.output.json:
        totals = Totals(command="completions", exit_code=int(exit_code))
        write_err(new_renderer(invocation.settings, operation="completions").summary(totals).out)
    return exit_code


VERB = Verb(
    name="completions",
    synopsis="|".join(_SHELLS),
    summary="Print the script that completes commands, options, files, buckets and keys.",
    description=(
        (
            "Buckets and keys are looked up with the options of the command line at hand, its environment and the "
            "configuration file, for a second at most; what was found is kept for a minute in "
            "$XDG_CACHE_HOME/orbit. Without credentials nothing is asked, and a failure is silent."
        ),
    ),
    words=_SHELLS,
    examples=(
        ('eval "$(orbit completions bash)"', "in ~/.bashrc"),
        ('eval "$(orbit completions zsh)"', "in ~/.zshrc, after compinit"),
        ("orbit completions fish | source", "in ~/.config/fish/config.fish"),
    ),
    run=run,
)
