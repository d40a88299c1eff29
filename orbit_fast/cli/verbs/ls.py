"""``orbit ls [s3://bucket[/prefix]]``: buckets, and what is in them."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.tasks import ListBuckets
from orbit_fast.core.tasks import ListObjects
from orbit_fast.core.work import Work

_BUCKETS = frozenset({(), ("s3://",)})


def plan(invocation: Invocation) -> Work:
    """Show a listing."""
    if invocation.arguments in _BUCKETS:
        return Work(tasks=(ListBuckets(0),), buckets=("",), name="")
    if len(invocation.arguments) != 1:
        raise InvalidConfig("ls takes one S3 URL at most: orbit ls s3://bucket/prefix")
    url = s3_url(invocation.arguments[0], "ls")
    return Work(tasks=(ListObjects(0, url.key),), buckets=(url.bucket,), name=str(url))


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="ls",
    synopsis="[s3://BUCKET[/PREFIX]]",
    summary="List buckets, objects and prefixes.",
    description=(
        (
            "Without an argument, your buckets. Else what begins with PREFIX, up to the next /: objects, and DIR for "
            "prefixes. With --recursive everything under PREFIX/, and the object PREFIX itself. * (any characters, / "
            "too) and ? (one character) are wildcards unless --raw is given."
        ),
        (
            "A line has the time of the last change in UTC, the size, and the name behind PREFIX. Lines come as the "
            "service lists them, page by page. --all-versions shows a version's id behind its name, and DELETED for "
            "delete markers."
        ),
        "Nothing there is exit status 2, unless it is the bucket that is empty.",
    ),
    examples=(
        ("orbit ls", "your buckets"),
        ("orbit ls s3://bucket", "what is at the top of a bucket"),
        ("orbit ls -R -H s3://bucket/logs", "everything under logs/, with sizes such as 15.3 GiB"),
        ("orbit ls 's3://bucket/logs/*.gz'", "what matches"),
        ("orbit ls -e -s s3://bucket/logs/", "with ETags and storage classes"),
        ("orbit ls --all-versions s3://bucket/report.pdf", "every version"),
        ("orbit ls -R --show-fullpath s3://bucket", "URLs alone, for other programs"),
    ),
    run=run,
    plan=plan,
)
