"""``orbit cp SRC... DST``: local to S3, S3 to local, S3 to S3."""

from __future__ import annotations

from orbit_fast.cli.display import new_console
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig


def run(invocation: Invocation) -> int:
    """Copy everything but the last argument to the last."""
    names = invocation.arguments
    if len(names) < 2:
        raise InvalidConfig("cp needs a source and a destination: orbit cp SRC... DST")
    if not all(names):
        raise InvalidConfig("a source or destination is the empty string")
    from orbit_fast.proc.job import run_copy  # noqa: PLC0415  the engine loads when there is something to copy

    console = new_console(invocation.settings.output, invocation.environment)
    try:
        return int(run_copy(names[:-1], names[-1], invocation.settings, invocation.environment.variables, console))
    finally:
        console.close()


VERB = Verb(
    name="cp",
    synopsis="SRC... DST",
    summary="Copy files and objects: local to S3, S3 to local, S3 to S3.",
    description=(
        (
            "SRC is a file, a directory, or s3://bucket/key; after the bucket everything is the key, byte for byte. "
            "* (any characters, / too) and ? (one character) in a key are wildcards unless --raw is given. "
            "Directories and prefixes need --recursive; a prefix ends at /, so s3://b/logs takes the key logs and "
            "what is under logs/."
        ),
        (
            "DST is a file, a directory or s3://bucket/prefix. With many sources, a wildcard or --recursive it is a "
            "directory, or a prefix."
        ),
        (
            "Everything is verified: uploads carry a checksum that the service checks, downloads are compared with "
            "what the service stores and appear under their name only when they are whole."
        ),
    ),
    examples=(
        ("orbit cp report.pdf s3://bucket/docs/", "upload a file as docs/report.pdf"),
        ("orbit cp -R photos s3://bucket/photos", "upload a directory"),
        ("orbit cp 's3://bucket/logs/*.gz' logs/", "download what matches"),
        ("orbit cp -R s3://bucket/a s3://other/a", "copy between buckets, inside the service"),
        ("orbit cp -R --json data s3://bucket/data", "JSON Lines, the summary last"),
    ),
    run=run,
)
