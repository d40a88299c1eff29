"""How a verb that moves objects is run: its arguments, and the engine."""

from __future__ import annotations

from orbit_fast.cli.display import new_console
from orbit_fast.cli.streaming import copy_stream
from orbit_fast.cli.streaming import is_streamed
from orbit_fast.cli.verb import Invocation
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.work import Copy


def plan_transfer(invocation: Invocation) -> Copy:
    """Everything but the last argument goes to the last.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    names = invocation.arguments
    if len(names) < 2:
        verb = invocation.settings.operation
        raise InvalidConfig(f"{verb} needs a source and a destination: orbit {verb} SRC... DST")
    if not all(names):
        raise InvalidConfig("a source or destination is the empty string")
    if is_streamed(names):
        raise InvalidConfig("stdin and stdout are not a script's to give: - works in a command by itself")
    if invocation.settings.transfer.expected_size:
        raise InvalidConfig("--expected-size is of what stdin gives: orbit cp - s3://bucket/key")
    return Copy(sources=names[:-1], destination=names[-1])


def do_transfer(invocation: Invocation) -> int:
    """Do what `plan_transfer` says; the exit status.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    if is_streamed(invocation.arguments) and len(invocation.arguments) > 1 and all(invocation.arguments):
        return copy_stream(invocation)
    copy = plan_transfer(invocation)
    from orbit_fast.proc.job import run_copy  # noqa: PLC0415  the engine loads when there is something to move

    settings = invocation.settings
    console = new_console(settings.output, invocation.environment)
    try:
        return int(run_copy(copy.sources, copy.destination, settings, invocation.environment.variables, console))
    finally:
        console.close()
