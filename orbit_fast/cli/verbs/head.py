"""``orbit head s3://bucket[/key]``: everything that the service knows about an object or a bucket."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import check_key
from orbit_fast.core.tasks import HeadBucket
from orbit_fast.core.tasks import HeadObject
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Show one object or bucket."""
    url = one_url(invocation, "head")
    version_id = invocation.settings.selection.version_id
    if url.key:
        check_key(url.key)
        return Work(tasks=(HeadObject(0, url.key, version_id),), buckets=(url.bucket,), name=str(url))
    if version_id:
        raise InvalidConfig("--version-id is of an object: orbit head s3://bucket/key --version-id ID")
    return Work(tasks=(HeadBucket(0),), buckets=(url.bucket,), name=f"s3://{url.bucket}")


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="head",
    synopsis="s3://BUCKET[/KEY]",
    summary="Show everything that is known about an object or a bucket.",
    description=(
        (
            "Of an object: size, time, ETag, checksum, content headers, storage class, encryption, version, restore "
            "status and user metadata, as HeadObject returns them. Of a bucket: its region."
        ),
    ),
    examples=(
        ("orbit head s3://bucket/report.pdf", "one line for each field"),
        ("orbit head --json s3://bucket/report.pdf", "one event, for programs"),
        ("orbit head --version-id ID s3://bucket/report.pdf", "an older version"),
        ("orbit head s3://bucket", "whether the bucket is there, and where"),
    ),
    run=run,
    plan=plan,
)
