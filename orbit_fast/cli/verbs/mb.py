"""``orbit mb s3://bucket``: make a bucket."""

from __future__ import annotations

from orbit_fast.cli.tasks import bucket_url
from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.tasks import MakeBucket
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Make one bucket."""
    bucket = bucket_url(invocation, "mb")
    return Work(tasks=(MakeBucket(0),), buckets=(bucket,), name=f"s3://{bucket}", is_data=False)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="mb",
    synopsis="s3://BUCKET",
    summary="Make a bucket.",
    description=(
        (
            "In the region of --region, else of the environment or the profile. A bucket that exists already is an "
            "error, whoever owns it."
        ),
    ),
    examples=(
        ("orbit mb s3://bucket", "in the configured region"),
        ("orbit mb s3://bucket --region eu-central-1", "in Frankfurt"),
    ),
    run=run,
    plan=plan,
)
