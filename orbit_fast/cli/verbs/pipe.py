"""``orbit pipe s3://bucket/key``: stdin as an object."""

from __future__ import annotations

from orbit_fast.cli.streaming import store_stdin
from orbit_fast.cli.tasks import one_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb


def run(invocation: Invocation) -> int:
    """Store what stdin gives."""
    return store_stdin(invocation, one_url(invocation, "pipe"))


VERB = Verb(
    name="pipe",
    synopsis="s3://BUCKET/KEY",
    summary="Store what stdin gives as an object.",
    description=(
        (
            "Up to 8 MiB go in one request. A longer stream goes in parts, several at once, which begin with 8 MiB and "
            "double after every thousand: it may have as many bytes as 10,000 parts hold in --max-memory. With "
            "--expected-size all parts have one size, which some services insist on. No bytes make an empty object."
        ),
        (
            "Every part carries a checksum that the service checks. If stdin cannot be read to its end, or the job is "
            "interrupted, nothing is left: there is no half object."
        ),
    ),
    examples=(
        ("pg_dump shop | orbit pipe s3://bucket/shop.sql", "what a program writes"),
        ("tar c photos | orbit pipe --storage-class STANDARD_IA s3://bucket/photos.tar", "with a storage class"),
        ("orbit pipe --expected-size 2TiB --max-memory 1GiB s3://bucket/disk.img < /dev/sdb", "a very large one"),
    ),
    run=run,
)
