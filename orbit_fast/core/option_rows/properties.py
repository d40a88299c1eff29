"""Options that give uploaded and copied objects their properties."""

from __future__ import annotations

from orbit_fast.core.values import Option
from orbit_fast.core.values import Shape
from orbit_fast.core.values import choice
from orbit_fast.core.values import customer_key
from orbit_fast.core.values import join_pairs
from orbit_fast.core.values import join_tags
from orbit_fast.core.values import pair
from orbit_fast.core.values import tags
from orbit_fast.core.verb_groups import CONTENT
from orbit_fast.core.verb_groups import MOVES
from orbit_fast.core.verb_groups import UPLOADS

_DIRECTIVES = ("COPY", "REPLACE")
_ENCRYPTIONS = ("AES256", "aws:kms")
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

ROWS = (
    Option(
        name="content-type",
        path="object.content_type",
        help="Content-Type.",
        metavar="TYPE",
        default_text="guessed from the name",
        verbs=UPLOADS,
    ),
    Option(
        name="no-guess-mime-type",
        path="object.guess_mime_type",
        help="Do not guess Content-Type from the name.",
        shape=Shape.FLAG,
        constant=False,
        verbs=UPLOADS,
    ),
    Option(
        name="content-encoding",
        path="object.content_encoding",
        help="Content-Encoding.",
        metavar="CODING",
        verbs=UPLOADS,
    ),
    Option(
        name="content-disposition",
        path="object.content_disposition",
        help="Content-Disposition.",
        metavar="TEXT",
        verbs=UPLOADS,
    ),
    Option(
        name="content-language", path="object.content_language", help="Content-Language.", metavar="TAG", verbs=UPLOADS
    ),
    Option(name="cache-control", path="object.cache_control", help="Cache-Control.", metavar="TEXT", verbs=UPLOADS),
    Option(name="expires-header", path="object.expires", help="Expires.", metavar="DATE", verbs=UPLOADS),
    Option(
        name="metadata",
        path="object.metadata",
        help="User metadata.",
        shape=Shape.MANY,
        parse=pair,
        join=join_pairs,
        metavar="NAME=VALUE",
        verbs=UPLOADS,
    ),
    Option(
        name="metadata-directive",
        path="object.metadata_directive",
        help="Copies between buckets keep the source's properties, or get those given here.",
        parse=choice(_DIRECTIVES),
        choices=_DIRECTIVES,
        verbs=MOVES,
    ),
    Option(
        name="tags",
        path="object.tags",
        help="Object tags; several may be joined by &.",
        shape=Shape.MANY,
        parse=tags,
        join=join_tags,
        metavar="NAME=VALUE",
        verbs=UPLOADS,
    ),
    Option(
        name="acl",
        path="object.acl",
        help="Canned access control list.",
        parse=choice(_ACLS),
        choices=_ACLS,
        verbs=UPLOADS,
    ),
    Option(
        name="storage-class",
        path="object.storage_class",
        help="STANDARD, STANDARD_IA, GLACIER_IR, DEEP_ARCHIVE ...",
        metavar="CLASS",
        verbs=UPLOADS,
    ),
    Option(
        name="sse",
        path="object.sse",
        help="Server-side encryption.",
        parse=choice(_ENCRYPTIONS),
        choices=_ENCRYPTIONS,
        verbs=UPLOADS,
    ),
    Option(
        name="sse-kms-key-id",
        path="object.sse_kms_key_id",
        help="KMS key for --sse aws:kms.",
        metavar="ID",
        verbs=UPLOADS,
    ),
    Option(
        name="sse-c-key-file",
        path="object.sse_c_key",
        help="File with the 256-bit key that the service encrypts with and forgets: 32 bytes, or base64.",
        parse=customer_key,
        metavar="FILE",
        verbs=CONTENT,
    ),
)
