"""``orbit restore s3://bucket/key``: archived objects, made readable for a while."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.removal import check_keys
from orbit_fast.core.tasks import RestoreObjects
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Request restores, or tell of them."""
    settings = invocation.settings
    url = one_url(invocation, "restore")
    check_keys([url], settings, "restore")
    task = RestoreObjects(0, url.key, settings.selection.version_id)
    return Work(tasks=(task,), buckets=(url.bucket,), name=str(url), is_data=settings.restore.status)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="restore",
    synopsis="s3://BUCKET/KEY",
    summary="Have archived objects made readable for some days, or tell how far that is.",
    description=(
        (
            "An object of storage class GLACIER or DEEP_ARCHIVE can be read only for some days after it was restored, "
            "which takes minutes to days by --tier. One that is restored already is kept for --days from now; one "
            "whose restore is going on is left alone. KEY is one object; with --recursive it is that and everything "
            "under KEY/; * and ? are wildcards unless --raw is given."
        ),
        (
            "One object that is not archived is exit status 2; among many it is skipped. --status requests nothing: "
            "it tells whether a restore is in progress, until when it holds, or that none was requested."
        ),
    ),
    examples=(
        ("orbit restore --days 7 s3://bucket/old.tar", "one object, for a week"),
        ("orbit restore -R --tier Bulk --dry-run s3://bucket/2019", "what would be restored under 2019/"),
        ("orbit restore --tier Bulk 's3://bucket/2019/*.tar'", "what matches, at the lowest price"),
        ("orbit restore --status -R s3://bucket/2019", "how far each of them is"),
        ("orbit restore --version-id ID s3://bucket/old.tar", "an older version"),
    ),
    run=run,
    plan=plan,
)
