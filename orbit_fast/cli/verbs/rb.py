"""``orbit rb s3://bucket``: remove a bucket."""

from __future__ import annotations

from orbit_fast.cli.tasks import bucket_url
from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.tasks import RemoveBucket
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Remove one bucket."""
    bucket = bucket_url(invocation, "rb")
    return Work(tasks=(RemoveBucket(0),), buckets=(bucket,), name=f"s3://{bucket}", is_data=False)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="rb",
    synopsis="s3://BUCKET",
    summary="Remove a bucket.",
    description=(
        (
            "It must be empty, of older versions and delete markers too. With --force it is emptied first: every "
            "version of every object is deleted for good, and unfinished uploads are aborted."
        ),
    ),
    examples=(
        ("orbit rb s3://bucket", "an empty bucket"),
        ("orbit rb --force --dry-run s3://bucket", "what would be deleted"),
        ("orbit rb --force s3://bucket", "a bucket and everything in it"),
    ),
    run=run,
    plan=plan,
)
