"""Options that one command or a few have for themselves."""

from __future__ import annotations

from orbit_fast.core.limits import MAX_OBJECT_BYTES
from orbit_fast.core.limits import MAX_PRESIGN_S
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import byte_range
from orbit_fast.core.values import choice
from orbit_fast.core.values import delimiter
from orbit_fast.core.values import integer
from orbit_fast.core.values import lifetime
from orbit_fast.core.values import query
from orbit_fast.core.values import size

_METHODS = ("GET", "PUT")
_TIERS = ("Standard", "Bulk", "Expedited")
_FORMATS = ("csv", "json")
_HEADERS = ("USE", "IGNORE", "NONE")
_STRUCTURES = ("lines", "document")
_COMPRESSIONS = ("GZIP", "BZIP2", "NONE")
_MOST_DAYS = 36_500

ROWS: tuple[Option, ...] = (
    Option(
        name="all-versions",
        path="listing.all_versions",
        help="All versions and delete markers, not only what a plain request sees.",
        shape=Shape.FLAG,
        verbs=frozenset({"du", "ls", "rm", "versions"}),
    ),
    Option(
        name="etag",
        path="listing.etag",
        help="Show ETags.",
        shape=Shape.FLAG,
        also=("-e",),
        verbs=frozenset({"ls"}),
    ),
    Option(
        name="storage-class",
        path="listing.storage_class",
        help="Show storage classes.",
        shape=Shape.FLAG,
        also=("-s",),
        key="show_storage_class",
        verbs=frozenset({"ls"}),
    ),
    Option(
        name="show-fullpath",
        path="listing.show_fullpath",
        help="Show nothing but the s3:// URL of each.",
        shape=Shape.FLAG,
        verbs=frozenset({"ls"}),
    ),
    Option(
        name="group",
        path="listing.group",
        help="A line for each storage class.",
        shape=Shape.FLAG,
        also=("-g",),
        verbs=frozenset({"du"}),
    ),
    Option(
        name="force",
        path="bucket.force",
        help="Empty the bucket first: all objects, all versions, unfinished uploads.",
        shape=Shape.FLAG,
        verbs=frozenset({"rb"}),
    ),
    Option(
        name="abort",
        path="uploads.abort",
        help="Abort them: their parts are deleted for good.",
        shape=Shape.FLAG,
        verbs=frozenset({"uploads"}),
    ),
    Option(
        name="days",
        path="restore.days",
        help="How long the restored copies can be read.",
        parse=integer(1, _MOST_DAYS),
        metavar="N",
        verbs=frozenset({"restore"}),
    ),
    Option(
        name="tier",
        path="restore.tier",
        help="How fast, and how dear: Bulk takes longest, and Expedited is not for DEEP_ARCHIVE.",
        parse=choice(_TIERS),
        choices=_TIERS,
        verbs=frozenset({"restore"}),
    ),
    Option(
        name="status",
        path="restore.status",
        help="Request nothing; tell how far each restore is.",
        shape=Shape.FLAG,
        verbs=frozenset({"restore"}),
    ),
    Option(
        name="query",
        path="select.query",
        help="What to ask, in SQL: SELECT s._1 FROM s3object s WHERE s._2 = 'x'.",
        parse=query,
        metavar="SQL",
        verbs=frozenset({"select"}),
    ),
    Option(
        name="output-format",
        path="select.output_format",
        help="How records are written.",
        parse=choice(_FORMATS),
        choices=_FORMATS,
        default_text="that of the objects; json for parquet",
        verbs=frozenset({"select"}),
    ),
    Option(
        name="delimiter",
        path="select.delimiter",
        help="What stands between the fields of CSV, read and written: one character; \\t is a tab.",
        parse=delimiter,
        metavar="CHAR",
        verbs=frozenset({"select"}),
    ),
    Option(
        name="use-header",
        path="select.use_header",
        help="Take the first line of CSV for names (USE), leave it out (IGNORE), or take it for a record (NONE).",
        parse=choice(_HEADERS),
        choices=_HEADERS,
        verbs=frozenset({"select"}),
    ),
    Option(
        name="structure",
        path="select.structure",
        help="Whether JSON is a value a line, or one document.",
        parse=choice(_STRUCTURES),
        choices=_STRUCTURES,
        verbs=frozenset({"select"}),
    ),
    Option(
        name="compression",
        path="select.compression",
        help="How CSV and JSON are compressed.",
        parse=choice(_COMPRESSIONS),
        choices=_COMPRESSIONS,
        verbs=frozenset({"select"}),
    ),
    Option(
        name="file",
        path="script.file",
        help="Read the commands from here; the same as naming the file.",
        metavar="FILE",
        verbs=frozenset({"run"}),
    ),
    Option(
        name="fail-fast",
        path="script.fail_fast",
        help="Begin nothing new once something has failed.",
        shape=Shape.FLAG,
        verbs=frozenset({"run"}),
    ),
    Option(
        name="expires",
        path="presign.expires_s",
        help="How long the URL is good: seconds, or 24h, 7d; seven days at most.",
        parse=lifetime(1, MAX_PRESIGN_S),
        metavar="SECONDS",
        also=("--expires-in",),
        verbs=frozenset({"presign"}),
    ),
    Option(
        name="method",
        path="presign.method",
        help="What the URL is good for: to read the object, or to write it.",
        parse=choice(_METHODS),
        choices=_METHODS,
        verbs=frozenset({"presign"}),
    ),
    Option(
        name="range",
        path="selection.byte_range",
        help="Only these bytes of each object, as HTTP counts them: bytes=0-99, bytes=100-, bytes=-10.",
        parse=byte_range,
        metavar="RANGE",
        verbs=frozenset({"cat"}),
    ),
    Option(
        name="write",
        path="doctor.write",
        help="Put, get and delete a small object under the prefix, and see what the service does with checksums.",
        shape=Shape.FLAG,
        verbs=frozenset({"doctor"}),
    ),
    Option(
        name="read",
        path="verify.read",
        help="Read the objects' data instead of trusting what services store of it.",
        shape=Shape.FLAG,
        verbs=frozenset({"verify"}),
    ),
    Option(
        name="expected-size",
        path="transfer.expected_size",
        help="How much stdin will give, about: then all parts have one size, and a large one fits.",
        parse=size(1, MAX_OBJECT_BYTES),
        metavar="SIZE",
        verbs=frozenset({"cp", "pipe"}),
    ),
)
