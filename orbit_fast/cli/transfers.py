"""How a verb that moves objects is run: its arguments, and the engine."""

from __future__ import annotations

from orbit_fast.cli.display import new_console
from orbit_fast.cli.streaming import STREAM
from orbit_fast.cli.streaming import copy_stream
from orbit_fast.cli.streaming import is_streamed
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.work import Cat
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
        verb = invocation.settings.operation
        if verb != "cp":
            raise InvalidConfig(f"{verb} does not take - for stdin or stdout: cp does")
        raise InvalidConfig("stdin is not a script's to give: - works in a command by itself")
    if invocation.settings.transfer.expected_size:
        raise InvalidConfig("--expected-size is of what stdin gives: orbit cp - s3://bucket/key")
    return Copy(sources=names[:-1], destination=names[-1])


def plan_cp(invocation: Invocation) -> Copy | Cat:
    """As `plan_transfer`; with - as the destination, objects for stdout.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    *sources, destination = invocation.arguments or ("",)
    if not sources or destination != STREAM or is_streamed(sources) or not all(sources):
        return plan_transfer(invocation)
    _refuse_names(invocation)
    for source in sources:
        s3_url(source, "what goes to stdout")
    if invocation.settings.transfer.expected_size:
        raise InvalidConfig("--expected-size is of what stdin gives")
    return Cat(sources=tuple(sources))


def _refuse_names(invocation: Invocation) -> None:
    """Refuse options about names, where one side is ``-``.

    Raises:
        InvalidConfig: naming one.
    """
    if invocation.settings.selection.files_from:
        raise InvalidConfig("--files-from names what is below a directory or prefix, and - is neither")
    if invocation.settings.output.manifest_out:
        raise InvalidConfig("--manifest-out lists objects that were moved by name, and - has none")


def do_transfer(invocation: Invocation) -> int:
    """Do what `plan_transfer` says; the exit status.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    if is_streamed(invocation.arguments) and len(invocation.arguments) > 1 and all(invocation.arguments):
        _refuse_names(invocation)
        return copy_stream(invocation)
    copy = plan_transfer(invocation)
    from orbit_fast.proc.job import run_copy  # noqa: PLC0415  the engine loads when there is something to move

    settings = invocation.settings
    console = new_console(settings.output, invocation.environment)
    try:
        return int(run_copy(copy.sources, copy.destination, settings, invocation.environment.variables, console))
    finally:
        console.close()
