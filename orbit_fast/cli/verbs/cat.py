"""``orbit cat s3://bucket/key...``: objects on stdout."""

from __future__ import annotations

from orbit_fast.cli.streaming import write_objects
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.work import Cat


def plan(invocation: Invocation) -> Cat:
    """The objects, in order.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    if not invocation.arguments:
        raise InvalidConfig("cat needs an object: orbit cat s3://bucket/key")
    for name in invocation.arguments:
        s3_url(name, "cat")
    return Cat(sources=invocation.arguments)


def run(invocation: Invocation) -> int:
    """Write the objects to stdout, in order.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    return write_objects(invocation, plan(invocation).sources)


VERB = Verb(
    name="cat",
    synopsis="s3://BUCKET/KEY...",
    summary="Write objects to stdout.",
    description=(
        (
            "Objects are written in the order of the arguments, and those that a wildcard matches in the order of "
            "their keys. Their ranges are fetched in parallel and written in order."
        ),
        (
            "An object of up to 8 MiB is verified before its first byte is written. A larger one is verified when it "
            "has been written; if it is not what the service stores, the exit status is 3. An object that fails is "
            "told of on stderr, and the next one follows. With --json, events and the summary go to stderr."
        ),
    ),
    examples=(
        ("orbit cat s3://bucket/report.csv", "one object"),
        ("orbit cat 's3://bucket/logs/2026-*.gz' | zcat", "everything that matches, one after another"),
        ("orbit cat --range bytes=-1000 s3://bucket/app.log", "the last 1000 bytes"),
        ("orbit cat --version-id ID s3://bucket/report.csv", "an older version"),
    ),
    run=run,
    plan=plan,
)
