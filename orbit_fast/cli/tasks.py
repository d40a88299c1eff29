"""How a verb that moves no items is run: its tasks, done by the engine, and the names that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orbit_fast.cli.display import new_console
from orbit_fast.cli.verb import Invocation
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.work import Work

if TYPE_CHECKING:
    from orbit_fast.core.tasks import Task


def one_url(invocation: Invocation, verb: str) -> S3Url:
    """The one argument of a verb: an S3 URL.

    Raises:
        InvalidConfig: there is none, there are more, or it is not one.
    """
    if len(invocation.arguments) != 1:
        raise InvalidConfig(f"{verb} takes one S3 URL: orbit {verb} s3://bucket/key")
    return s3_url(invocation.arguments[0], verb)


def s3_url(text: str, verb: str) -> S3Url:
    """An argument that must be an S3 URL.

    Raises:
        InvalidConfig: it is not one.
    """
    if not is_s3_url(text):
        raise InvalidConfig(f"{verb} is about S3: {text!r} does not begin with s3://")
    return parse_s3_url(text)


def bucket_url(invocation: Invocation, verb: str) -> str:
    """The bucket that the one argument of a verb names.

    Raises:
        InvalidConfig: there is none, there are more, or there is a key behind it.
    """
    if len(invocation.arguments) != 1:
        raise InvalidConfig(f"{verb} takes one bucket: orbit {verb} s3://bucket")
    url = s3_url(invocation.arguments[0], verb)
    if url.key:
        raise InvalidConfig(f"{verb} is about a bucket, and {url} has a key: orbit {verb} s3://{url.bucket}")
    return url.bucket


def do_tasks(
    invocation: Invocation, verb: str, tasks: Sequence[Task], buckets: Sequence[str], *, name: str, is_data: bool = True
) -> int:
    """As `do_work`."""
    assert verb == invocation.settings.operation
    return do_work(invocation, Work(tasks=tuple(tasks), buckets=tuple(buckets), name=name, is_data=is_data))


def do_work(invocation: Invocation, work: Work) -> int:
    """Have the tasks of a command done; the exit status."""
    from orbit_fast.proc.taskjob import run_work  # noqa: PLC0415 - the engine loads when there is something to do

    console = new_console(invocation.settings.output, invocation.environment)
    try:
        return run_work(work, invocation.settings, invocation.environment.variables, console)
    finally:
        console.close()
