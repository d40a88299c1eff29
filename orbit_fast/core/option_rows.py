"""The rows of the option table, by heading. `options` says what is made of them."""

from __future__ import annotations

from orbit_fast.core import limits
from orbit_fast.core.settings import MIB
from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import age
from orbit_fast.core.values import choice
from orbit_fast.core.values import customer_key
from orbit_fast.core.values import integer
from orbit_fast.core.values import join_pairs
from orbit_fast.core.values import join_tags
from orbit_fast.core.values import pair
from orbit_fast.core.values import pattern
from orbit_fast.core.values import seconds
from orbit_fast.core.values import size
from orbit_fast.core.values import tags

_RUNS = frozenset({"cp", "demo"})
_EVERY = frozenset({"cp", "demo", "version"})

_MOST_OBJECTS = 65_536
_MOST_PROCESSES = 1024
_LEAST_MEMORY = 16 * MIB

_CHECKSUMS = ("CRC32C", "CRC32", "CRC64NVME", "SHA1", "SHA256")
_DIRECTIVES = ("COPY", "REPLACE")
_STYLES = ("auto", "path", "virtual")
_ENCRYPTIONS = ("AES256", "aws:kms")
_SYMLINKS = ("follow", "skip")
_LEVELS = ("debug", "info", "warning", "error")
_ACLS = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl"""

CLIENT = (
    Option(
        name="endpoint-url",
        path="client.endpoint_url",
        help="Send requests to this S3 service. Also AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and the profile.",
        metavar="URL",
        has_sides=True,
    ),
    Option(
        name="region",
        path="client.region",
        help="Region to sign for.",
        metavar="NAME",
        default_text="the environment's or the profile's, else us-east-1",
        has_sides=True,
    ),
    Option(
        name="aws-profile",
        path="client.profile",
        help="Profile of the AWS configuration files.",
        metavar="NAME",
        also=("--profile",),
        has_sides=True,
    ),
    Option(
        name="credentials-file",
        path="client.credentials_file",
        help="Shared credentials file to read instead of ~/.aws/credentials.",
        metavar="FILE",
    ),
    Option(
        name="no-sign-request",
        path="client.no_sign_request",
        help="Send requests unsigned: public buckets.",
        shape=Shape.FLAG,
        has_sides=True,
    ),
    Option(
        name="use-acceleration", path="client.use_acceleration", help="Use S3 Transfer Acceleration.", shape=Shape.FLAG
    ),
    Option(
        name="request-payer",
        path="client.request_payer",
        help="Agree to pay for requests to requester-pays buckets.",
        shape=Shape.OPTIONAL,
        parse=choice(("requester",)),
        metavar="requester",
        optional_value="requester",
        choices=("requester",),
    ),
    Option(
        name="no-verify-ssl",
        path="client.verify_ssl",
        help="Accept any TLS certificate. Anybody on the way can read and change everything.",
        shape=Shape.FLAG,
        constant=False,
    ),
    Option(
        name="ca-bundle",
        path="client.ca_bundle",
        help="Certificates (PEM) to trust instead of the system's.",
        metavar="FILE",
    ),
    Option(
        name="use-list-objects-v1",
        path="client.use_list_v1",
        help="List with ListObjects, for services without ListObjectsV2.",
        shape=Shape.FLAG,
    ),
    Option(
        name="addressing-style",
        path="client.addressing_style",
        help="Put the bucket into the path or into the host name of requests.",
        parse=choice(_STYLES),
        choices=_STYLES,
    ),
    Option(
        name="force-path-style",
        path="client.addressing_style",
        help="The same as --addressing-style path.",
        shape=Shape.FLAG,
        constant="path",
    ),
    Option(
        name="unsigned-payload",
        path="client.unsigned_payload",
        help="Over plain HTTP, leave the body out of the signature, as is done over TLS.",
        shape=Shape.FLAG,
    ),
    Option(
        name="retry-attempts",
        path="network.retry_attempts",
        help="Retries of a request after its first try.",
        parse=integer(0, 1000),
        metavar="N",
    ),
    Option(
        name="timeout",
        path="network.timeout_s",
        help="Try again when no byte has moved for this long.",
        parse=seconds,
        metavar="SECONDS",
    ),
)

TRANSFER = (
    Option(
        name="workers",
        path="transfer.workers",
        help="Objects in flight, all processes together.",
        parse=integer(1, _MOST_OBJECTS),
        metavar="N",
        also=("--parallel",),
        verbs=_RUNS,
    ),
    Option(
        name="concurrency",
        path="transfer.concurrency",
        help="Parts of one object in flight.",
        parse=integer(1, limits.MAX_PARTS),
        metavar="N",
        verbs=_RUNS,
    ),
    Option(
        name="part-size",
        path="transfer.part_size",
        help="Larger objects move in parts of this size; plain numbers are MiB.",
        parse=size(limits.MIN_PART_BYTES, limits.MAX_PART_BYTES, default_unit=MIB),
        metavar="SIZE",
    ),
    Option(
        name="processes",
        path="transfer.processes",
        help="Worker processes.",
        parse=integer(1, _MOST_PROCESSES),
        metavar="N",
        default_text="the CPUs available",
        verbs=_RUNS,
    ),
    Option(
        name="max-memory",
        path="transfer.max_memory",
        help="Buffers of all processes together.",
        parse=size(_LEAST_MEMORY),
        metavar="SIZE",
        verbs=_RUNS,
    ),
    Option(
        name="no-verify",
        path="transfer.verify",
        help="Do not compare what was downloaded with the service's checksum.",
        shape=Shape.FLAG,
        constant=False,
    ),
    Option(
        name="require-verify",
        path="transfer.require_verify",
        help="Fail objects for which the service offers nothing to compare with but the size.",
        shape=Shape.FLAG,
    ),
    Option(
        name="audit",
        path="transfer.audit",
        help="When all is done, list an S3 destination once and compare every key and size.",
        shape=Shape.FLAG,
    ),
    Option(
        name="checksum-algorithm",
        path="transfer.checksum_algorithm",
        help="Checksum that uploads carry and the service verifies.",
        parse=choice(_CHECKSUMS),
        choices=_CHECKSUMS,
    ),
    Option(
        name="preserve-metadata",
        path="transfer.preserve_metadata",
        help="Keep modification time and mode in the object's metadata, and restore them.",
        shape=Shape.FLAG,
    ),
)

SELECTION = (
    Option(
        name="recursive",
        path="selection.recursive",
        help="Take directories and prefixes with everything under them.",
        shape=Shape.FLAG,
        also=("-R",),
    ),
    Option(
        name="include",
        path="selection.include",
        help="Only names that match; * stands for anything, / too, ? for one character.",
        shape=Shape.MANY,
        parse=pattern,
        metavar="PATTERN",
    ),
    Option(
        name="exclude",
        path="selection.exclude",
        help="No names that match, whatever --include says.",
        shape=Shape.MANY,
        parse=pattern,
        metavar="PATTERN",
    ),
    Option(
        name="newer-than",
        path="selection.newer_than_ns",
        help="Only what was modified after this date, or less than this long ago (24h, 7d).",
        parse=age,
        metavar="AGE",
    ),
    Option(
        name="older-than",
        path="selection.older_than_ns",
        help="Only what was modified before this date, or longer ago than this.",
        parse=age,
        metavar="AGE",
    ),
    Option(
        name="min-size",
        path="selection.min_size",
        help="Only objects of at least this size.",
        parse=size(),
        metavar="SIZE",
    ),
    Option(
        name="max-size",
        path="selection.max_size",
        help="Only objects of at most this size.",
        parse=size(),
        metavar="SIZE",
    ),
    Option(
        name="flatten",
        path="selection.flatten",
        help="Drop the directories from names: everything lands side by side.",
        shape=Shape.FLAG,
    ),
    Option(name="raw", path="selection.raw", help="No wildcards: * and ? in keys mean themselves.", shape=Shape.FLAG),
    Option(
        name="symlink",
        path="selection.follow_symlinks",
        help="What to do with symbolic links; skipped ones are reported.",
        parse=choice(_SYMLINKS, (True, False)),
        choices=_SYMLINKS,
        default_text="skip",
    ),
    Option(
        name="no-clobber",
        path="selection.no_clobber",
        help="Skip what exists at the destination.",
        shape=Shape.FLAG,
        also=("-n",),
    ),
    Option(
        name="if-size-differ",
        path="selection.if_size_differ",
        help="Skip what exists at the destination with the same size.",
        shape=Shape.FLAG,
    ),
    Option(
        name="if-source-newer",
        path="selection.if_source_newer",
        help="Skip what exists at the destination and is as new as the source.",
        shape=Shape.FLAG,
    ),
    Option(
        name="force-glacier-transfer",
        path="selection.force_glacier_transfer",
        help="Try archived objects too, instead of skipping them.",
        shape=Shape.FLAG,
    ),
    Option(
        name="ignore-glacier-warnings",
        path="selection.ignore_glacier_warnings",
        help="Do not count skipped archived objects as failures.",
        shape=Shape.FLAG,
    ),
    Option(name="version-id", path="selection.version_id", help="Version of the source object.", metavar="ID"),
)

OBJECT = (
    Option(
        name="content-type",
        path="object.content_type",
        help="Content-Type.",
        metavar="TYPE",
        default_text="guessed from the name",
    ),
    Option(
        name="no-guess-mime-type",
        path="object.guess_mime_type",
        help="Do not guess Content-Type from the name.",
        shape=Shape.FLAG,
        constant=False,
    ),
    Option(name="content-encoding", path="object.content_encoding", help="Content-Encoding.", metavar="CODING"),
    Option(name="content-disposition", path="object.content_disposition", help="Content-Disposition.", metavar="TEXT"),
    Option(name="content-language", path="object.content_language", help="Content-Language.", metavar="TAG"),
    Option(name="cache-control", path="object.cache_control", help="Cache-Control.", metavar="TEXT"),
    Option(name="expires-header", path="object.expires", help="Expires.", metavar="DATE"),
    Option(
        name="metadata",
        path="object.metadata",
        help="User metadata.",
        shape=Shape.MANY,
        parse=pair,
        join=join_pairs,
        metavar="NAME=VALUE",
    ),
    Option(
        name="metadata-directive",
        path="object.metadata_directive",
        help="Copies between buckets keep the source's properties, or get those given here.",
        parse=choice(_DIRECTIVES),
        choices=_DIRECTIVES,
    ),
    Option(
        name="tags",
        path="object.tags",
        help="Object tags; several may be joined by &.",
        shape=Shape.MANY,
        parse=tags,
        join=join_tags,
        metavar="NAME=VALUE",
    ),
    Option(name="acl", path="object.acl", help="Canned access control list.", parse=choice(_ACLS), choices=_ACLS),
    Option(
        name="storage-class",
        path="object.storage_class",
        help="STANDARD, STANDARD_IA, GLACIER_IR, DEEP_ARCHIVE ...",
        metavar="CLASS",
    ),
    Option(
        name="sse", path="object.sse", help="Server-side encryption.", parse=choice(_ENCRYPTIONS), choices=_ENCRYPTIONS
    ),
    Option(name="sse-kms-key-id", path="object.sse_kms_key_id", help="KMS key for --sse aws:kms.", metavar="ID"),
    Option(
        name="sse-c-key-file",
        path="object.sse_c_key",
        help="File with the 256-bit key that the service encrypts with and forgets: 32 bytes, or base64.",
        parse=customer_key,
        metavar="FILE",
    ),
)

OUTPUT = (
    Option(
        name="json", path="output.json", help="JSON Lines on stdout, the summary last.", shape=Shape.FLAG, verbs=_EVERY
    ),
    Option(
        name="verbose",
        path="output.verbose",
        help="Say more: objects that were skipped as you asked, too.",
        shape=Shape.COUNT,
        also=("-v",),
        verbs=_RUNS,
    ),
    Option(
        name="quiet", path="output.quiet", help="Say only what went wrong.", shape=Shape.FLAG, also=("-q",), verbs=_RUNS
    ),
    Option(
        name="log-level",
        path="output.log_level",
        help="Diagnostics on stderr.",
        parse=choice(_LEVELS),
        choices=_LEVELS,
        verbs=_EVERY,
    ),
    Option(name="dry-run", path="output.dry_run", help="Say what would be done, and do nothing.", shape=Shape.FLAG),
    Option(name="stat", path="output.stat", help="Print statistics at the end.", shape=Shape.FLAG),
    Option(
        name="human-readable",
        path="output.human_readable",
        help="Sizes such as 15.3 GiB.",
        shape=Shape.FLAG,
        also=("-H",),
        verbs=_RUNS,
    ),
    Option(
        name="progress",
        path="output.progress",
        help="Show progress on stderr when it is a terminal; with --json, as events.",
        shape=Shape.TOGGLE,
        default_text="on a terminal",
        verbs=_RUNS,
    ),
)
