"""``orbit cp SRC... DST``: local to S3, S3 to local, S3 to S3."""

from __future__ import annotations

from orbit_fast.cli.transfers import do_transfer
from orbit_fast.cli.transfers import plan_cp
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb


def run(invocation: Invocation) -> int:
    """Copy everything but the last argument to the last."""
    return do_transfer(invocation)


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
            "directory, or a prefix. - is stdin as the one source (as in pipe), and stdout as the destination (as in "
            "cat)."
        ),
        (
            "With --files-from, SRC is one directory or s3://bucket/prefix, and only what the file names below it is "
            "copied: a name a line, JSON Lines as orbit writes them, or an S3 Inventory in CSV. Filters still apply; a "
            "name that is not there, or leads out of SRC, fails by itself."
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
        ("tar c photos | orbit cp - s3://bucket/photos.tar", "what a program writes"),
        ("git ls-files | orbit cp --files-from - . s3://bucket/src", "what a list names"),
        ("orbit cp -R --source-endpoint-url https://old.example s3://a s3://b", "from another service"),
        ("orbit cp -R --json data s3://bucket/data", "JSON Lines, the summary last"),
    ),
    run=run,
    plan=plan_cp,
)
