"""``orbit presign s3://bucket/key``: a URL that is good for one request without credentials."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import check_key
from orbit_fast.core.tasks import Presign
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Make one URL."""
    url = one_url(invocation, "presign")
    check_key(url.key)
    version_id = invocation.settings.selection.version_id
    if version_id and invocation.settings.presign.method != "GET":
        raise InvalidConfig("--version-id is of an object that is read: not with --method PUT")
    return Work(tasks=(Presign(0, url.key, version_id),), buckets=(url.bucket,), name=str(url))


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="presign",
    synopsis="s3://BUCKET/KEY",
    summary="Make a URL with which anybody can read or write one object for a while.",
    description=(
        (
            "The URL is signed with your credentials and works as long as they do, but no longer than --expires. "
            "Whoever has it needs nothing else: treat it as a secret. The object need not exist."
        ),
    ),
    examples=(
        ("orbit presign s3://bucket/report.pdf", "good for an hour, to read"),
        ("orbit presign --expires 7d s3://bucket/report.pdf", "good for a week, the longest that S3 allows"),
        ("orbit presign --method PUT s3://bucket/inbox/file", "to write: curl -T file URL"),
        ("orbit presign --version-id ID s3://bucket/report.pdf", "an older version"),
    ),
    run=run,
    plan=plan,
)
