"""``orbit uploads s3://bucket[/prefix]``: unfinished multipart uploads."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.tasks import ListUploads
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Show them, or abort them."""
    url = one_url(invocation, "uploads")
    is_listing = not invocation.settings.uploads.abort
    return Work(tasks=(ListUploads(0, url.key),), buckets=(url.bucket,), name=str(url), is_data=is_listing)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="uploads",
    synopsis="s3://BUCKET[/PREFIX]",
    summary="List or abort unfinished multipart uploads.",
    description=(
        (
            "An upload in parts that was neither completed nor aborted is in no listing of objects, and is paid for. "
            "s3://b/logs is those of the key logs and of everything under logs/; * and ? are wildcards unless --raw "
            "is given. A line has the time when the upload was begun in UTC, the storage class, the upload's id and "
            "the key."
        ),
        (
            "--abort deletes the parts that have arrived, 16 uploads at once. An upload that is still going on fails "
            "then: --older-than leaves young ones alone. That there is none is exit status 0."
        ),
    ),
    examples=(
        ("orbit uploads s3://bucket", "all of a bucket"),
        ("orbit uploads --json s3://bucket/logs", "of the key logs and under logs/, for programs"),
        ("orbit uploads --abort --older-than 7d --dry-run s3://bucket", "what would be aborted"),
        ("orbit uploads --abort --older-than 7d s3://bucket", "abort what was begun more than a week ago"),
    ),
    run=run,
    plan=plan,
)
