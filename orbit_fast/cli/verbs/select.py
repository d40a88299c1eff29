"""``orbit select csv|json|parquet s3://bucket/key --query SQL``: S3 Select."""

from __future__ import annotations

from orbit_fast.cli.tasks import do_work
from orbit_fast.cli.tasks import s3_url
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.removal import check_keys
from orbit_fast.core.selecting import INPUT_FORMATS
from orbit_fast.core.selecting import check_query
from orbit_fast.core.tasks import SelectRecords
from orbit_fast.core.work import Work

_USAGE = "select takes a format and an S3 URL: orbit select csv s3://bucket/key --query SQL"


def plan(invocation: Invocation) -> Work:
    """Ask one object, or what a wildcard matches.

    Raises:
        InvalidConfig: the arguments or options make no sense.
    """
    arguments = invocation.arguments
    if len(arguments) == 1 and is_s3_url(arguments[0]):
        arguments = ("json", *arguments)  # as s5cmd has it
    if len(arguments) != 2:
        raise InvalidConfig(_USAGE)
    input_format, name = arguments
    if input_format not in INPUT_FORMATS:
        raise InvalidConfig(f"select knows {', '.join(INPUT_FORMATS)}, not {input_format!r}")
    url = s3_url(name, "select")
    check_keys([url], invocation.settings, "select")
    check_query(input_format, invocation.settings.select)
    task = SelectRecords(0, url.key, input_format)
    return Work(tasks=(task,), buckets=(url.bucket,), name=str(url), takes_stdout=True)


def run(invocation: Invocation) -> int:
    """Do what `plan` says."""
    return do_work(invocation, plan(invocation))


VERB = Verb(
    name="select",
    synopsis="csv|json|parquet s3://BUCKET/KEY --query SQL",
    summary="Ask the content of objects by SQL, inside the service (S3 Select).",
    description=(
        (
            "The service reads the objects and sends only the records that the query asks for. They are written to "
            "stdout as they come, those of many objects in the order of keys; events, with --json, and everything "
            "else go to stderr. * and ? are wildcards unless --raw is given."
        ),
        (
            "An object that fails is told of on stderr, and the next one follows. One whose answer breaks off after "
            "some records has failed: what came of it is not all. In a line of run with --json, records are events "
            "with a field of that name."
        ),
        (
            "Not every service can select, and AWS offers it only to accounts that have used it before: one that "
            "cannot is exit status 2."
        ),
    ),
    words=INPUT_FORMATS,
    examples=(
        ("orbit select csv --use-header USE --query 'SELECT s.name FROM s3object s' s3://b/x.csv", "by the first line"),
        (r"orbit select csv --delimiter '\t' --compression GZIP --query SQL s3://bucket/x.tsv.gz", "compressed TSV"),
        ("orbit select json --query 'SELECT s.id FROM s3object s' 's3://bucket/events/*.json'", "many objects"),
        ("orbit select parquet --output-format csv --query SQL s3://bucket/x.parquet", "Parquet in, CSV out"),
    ),
    run=run,
    plan=plan,
)
