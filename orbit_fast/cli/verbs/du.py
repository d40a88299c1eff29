"""``orbit du s3://bucket[/prefix]``: how much is there."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.tasks import CountObjects
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Add up one argument."""
    url = one_url(invocation, "du")
    return Work(tasks=(CountObjects(0, url.key),), buckets=(url.bucket,), name=str(url))


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="du",
    synopsis="s3://BUCKET[/PREFIX]",
    summary="Add up objects and their bytes.",
    description=(
        (
            "Everything in the bucket, or the object PREFIX and everything under PREFIX/, or what a wildcard matches. "
            "With --group a line for each storage class. With --all-versions every version counts; delete markers "
            "take no room."
        ),
    ),
    examples=(
        ("orbit du -H s3://bucket", "all of a bucket"),
        ("orbit du --group s3://bucket/logs", "by storage class"),
        ("orbit du 's3://bucket/*.gz' --older-than 30d", "what matches and is old"),
        ("orbit du --all-versions s3://bucket", "with older versions"),
    ),
    run=run,
    plan=plan,
)
