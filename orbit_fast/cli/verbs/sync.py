"""``orbit sync SRC DST``: copy what is missing or different, and with ``--delete`` nothing else stays there."""

from __future__ import annotations

import shlex

from orbit_fast.cli.display import new_console
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.work import Sync


def plan(invocation: Invocation) -> Sync:
    """One source and one destination.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    names = invocation.arguments
    if len(names) != 2 or not all(names):
        raise InvalidConfig("sync needs one source and one destination: orbit sync SRC DST")
    return Sync(source=names[0], destination=names[1], command=shlex.join(["orbit", *invocation.environment.arguments]))


def run(invocation: Invocation) -> int:
    """Make the second argument what the first one is.

    Raises:
        InvalidConfig: the arguments do not make a job.
    """
    sync = plan(invocation)
    from orbit_fast.proc.syncjob import run_sync  # noqa: PLC0415  the engine loads when there is something to move

    settings, environment = invocation.settings, invocation.environment
    console = new_console(settings.output, environment)
    try:
        return int(run_sync(sync.source, sync.destination, settings, environment.variables, console, sync.command))
    finally:
        console.close()


VERB = Verb(
    name="sync",
    synopsis="SRC DST",
    summary="Copy what is missing or different: local to S3, S3 to local, S3 to S3.",
    description=(
        (
            "SRC and DST are directories or s3://bucket/prefix; SRC may also be a wildcard in S3 (unless --raw), which "
            "then says what both sides are looked at for. A file is different when its size differs or the source is "
            "newer, in whole seconds; --size-only, --checksum and --if-source-newer change that. Copies begin while "
            "both sides are still being listed."
        ),
        (
            "--delete (or --mode mirror) deletes what only DST has: after all copies, and only if both sides were seen "
            "whole and nothing failed. What the filters leave out is neither copied nor deleted. What cannot be seen "
            "in SRC (unreadable, a link that is not followed, vanished) is not deleted in DST."
        ),
        (
            "A listing may leave out what is there. So before the first deletion, each name is looked for in SRC by "
            "itself, where there are up to 10,000 of them; if one is there, or nobody can tell, nothing is deleted. "
            "--delete-verify head looks for any number, --delete-verify none for none."
        ),
        (
            "Two syncs do not write to one DST at once on a machine, nor to one inside the other: the second one ends "
            "with exit status 2, or waits with --wait."
        ),
        (
            "An empty SRC, filters that protect less than in the last sync --delete of SRC and DST, and more than 100 "
            "deletions that are also more than half of DST, stop the job before the first deletion; the message names "
            "the option that goes on. Local directories that become empty stay."
        ),
    ),
    examples=(
        ("orbit sync site s3://bucket/site", "upload what is missing or different"),
        ("orbit sync --delete s3://bucket/site site", "make a directory the same as a prefix"),
        ("orbit sync --dry-run --delete a s3://b/a", "say what would be copied and deleted"),
        ("orbit sync --exclude '*.tmp' --checksum s3://b/a s3://c/a", "compare checksums, without temporary files"),
        ("orbit sync --mode update photos s3://b/photos", "only what is missing or newer"),
    ),
    run=run,
    plan=plan,
)
