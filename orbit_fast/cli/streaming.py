"""How the verbs that use stdin or stdout for data are run: ``cat``, ``pipe``, and ``cp`` with ``-`` for one side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orbit_fast.cli.display import new_console
from orbit_fast.cli.tasks import s3_url
from orbit_fast.core.errors import InvalidConfig

if TYPE_CHECKING:
    from orbit_fast.cli.verb import Invocation
    from orbit_fast.core.location import S3Url

STREAM = "-"
"""stdin as a source, stdout as a destination."""


def is_streamed(names: Sequence[str]) -> bool:
    """Whether one of the arguments of a copy is ``-``."""
    return STREAM in names


def copy_stream(invocation: Invocation) -> int:
    """``cp - URL`` and ``cp URL... -``; the exit status.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    *sources, destination = invocation.arguments
    verb = invocation.settings.operation
    if verb != "cp":
        raise InvalidConfig(f"{verb} does not take - for stdin or stdout: cp does")
    if STREAM not in sources:
        for source in sources:
            s3_url(source, "what goes to stdout")
        return write_objects(invocation, sources)
    if len(sources) > 1 or destination == STREAM:
        raise InvalidConfig("- is the only source where it is one, and the destination is s3://bucket/key")
    return store_stdin(invocation, s3_url(destination, "what stdin gives"))


def write_objects(invocation: Invocation, names: Sequence[str]) -> int:
    """Write the objects of these names to stdout; the exit status.

    Raises:
        S3Error: the job could not be done.
    """
    from orbit_fast.proc.catjob import run_cat  # noqa: PLC0415 - the engine loads when there is something to do

    settings = invocation.settings
    if settings.transfer.expected_size:
        raise InvalidConfig("--expected-size is of what stdin gives")
    if invocation.environment.is_stdout_tty and settings.output.progress is None:
        settings = replace(settings, output=replace(settings.output, progress=False))  # it would be drawn into the data
    console = new_console(settings.output, invocation.environment)
    try:
        return run_cat(names, settings, invocation.environment.variables, console)
    finally:
        console.close()


def store_stdin(invocation: Invocation, url: S3Url) -> int:
    """Store what stdin gives; the exit status.

    Raises:
        S3Error: the job could not be done.
    """
    from orbit_fast.proc.pipejob import run_pipe  # noqa: PLC0415 - as above

    console = new_console(invocation.settings.output, invocation.environment)
    try:
        return run_pipe(url, invocation.settings, invocation.environment.variables, console)
    finally:
        console.close()
