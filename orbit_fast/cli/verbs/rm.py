"""``orbit rm s3://bucket/key…``: delete objects and versions."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.removal import plan_removal
from orbit_fast.core.work import Work


def plan(invocation: Invocation) -> Work:
    """Delete what the arguments stand for."""
    if not invocation.arguments:
        raise InvalidConfig("rm takes S3 URLs: orbit rm s3://bucket/key")
    return plan_removal([s3_url(argument, "rm") for argument in invocation.arguments], invocation.settings)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="rm",
    synopsis="s3://BUCKET/KEY...",
    summary="Delete objects.",
    description=(
        (
            "KEY is one object. With --recursive it is the object KEY and everything under KEY/: s3://b/logs is never "
            "logs2. * (any characters, / too) and ? (one character) are wildcards unless --raw is given; quote them, "
            "and look at them with --dry-run before. Filters are matched on the name behind the prefix."
        ),
        (
            "In a bucket with versions, what is deleted is hidden by a delete marker. --all-versions deletes every "
            "version and marker for good: of KEY exactly that key's, with --recursive those of everything under it. "
            "--version-id deletes one version."
        ),
        (
            "Objects are deleted a thousand at a time, many requests at once, while the listing goes on: if it "
            "fails, what it had named is deleted and the rest is not. A key that is not there counts as deleted, as "
            "S3 has it; a prefix or wildcard that stands for nothing is exit status 2."
        ),
    ),
    examples=(
        ("orbit rm s3://bucket/report.pdf s3://bucket/old.pdf", "two objects"),
        ("orbit rm -R s3://bucket/logs --dry-run", "what would be deleted under logs/"),
        ("orbit rm 's3://bucket/logs/*.tmp' --older-than 7d", "what matches and is old"),
        ("orbit rm --version-id ID s3://bucket/report.pdf", "one version, for good"),
        ("orbit rm -R --all-versions s3://bucket/logs", "everything under logs/, for good"),
    ),
    run=run,
    plan=plan,
)
