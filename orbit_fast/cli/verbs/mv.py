"""``orbit mv SRC... DST``: a copy, and then the end of the source."""

from __future__ import annotations

from orbit_fast.cli.transfers import do_transfer
from orbit_fast.cli.transfers import plan_transfer
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb


def run(invocation: Invocation) -> int:
    """Move everything but the last argument to the last."""
    return do_transfer(invocation)


VERB = Verb(
    name="mv",
    synopsis="SRC... DST",
    summary="Move files and objects: copy them, prove the copies, then delete the sources.",
    description=(
        (
            "SRC and DST are as for cp. Each source is deleted by itself, only after its copy was verified, is at its "
            "place (a file: on stable storage) and was looked at again, and only if the source is still what was "
            "copied. Whatever goes wrong before that, the source stays where it is."
        ),
        "Local directories that become empty are left. Nothing is ever moved onto itself.",
    ),
    examples=(
        ("orbit mv report.pdf s3://bucket/docs/", "upload a file, then delete it here"),
        ("orbit mv 's3://bucket/in/*.csv' s3://bucket/done/", "move what matches, inside the service"),
        ("orbit mv -R s3://bucket/logs logs", "download everything under logs/, and delete it there"),
        ("orbit mv --dry-run -R photos s3://bucket/photos", "say what would be moved"),
    ),
    run=run,
    plan=plan_transfer,
)
