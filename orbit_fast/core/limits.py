"""Every limit that orbit keeps to, each with where it comes from.

The first group is S3's: what the service refuses. The second is orbit's own: how much of anything that a stranger sends
is read before it is called hostile. Sizes are bytes.
"""

from __future__ import annotations

from typing import Final

from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import KIB
from orbit_fast.core.settings import MIB

# --- S3 -----------------------------------------------------------------------------------------------------------

MAX_PARTS: Final = 10_000
"""Parts of one multipart upload: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

MIN_PART_BYTES: Final = 5 * MIB
"""Every part but the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

MAX_PART_BYTES: Final = 5 * GIB
"""One part: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

MAX_OBJECT_BYTES: Final = MAX_PARTS * MAX_PART_BYTES
"""One object, 48.8 TiB since December 2025: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

MAX_PUT_BYTES: Final = 5 * GIB
"""One PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html."""

MAX_COPY_BYTES: Final = 5 * GIB
"""One CopyObject, above it UploadPartCopy: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""

MAX_KEY_BYTES: Final = 1024
"""A key as UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""

MAX_PAGE_KEYS: Final = 1000
"""Keys in a page of a listing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html."""

MAX_PAGE_PARTS: Final = 1000
"""Parts in a page of ListParts: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html."""

MAX_PAGE_UPLOADS: Final = 1000
"""Uploads in a page: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html."""

MAX_PAGE_BUCKETS: Final = 1000
"""Buckets in a page, up to 10,000: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html."""

MAX_DELETE_KEYS: Final = 1000
"""Keys of one DeleteObjects: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html."""

MAX_METADATA_BYTES: Final = 2 * KIB
"""Names and values of user metadata: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html."""

MAX_TAGS: Final = 10
"""Tags of one object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html."""

MAX_TAG_KEY_CHARS: Final = 128
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html."""

MAX_TAG_VALUE_CHARS: Final = 256
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html."""

MAX_PRESIGN_S: Final = 604_800
"""X-Amz-Expires: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html."""

# --- what orbit reads of a reply: a service that sends more is broken or hostile --------------------------------------

MAX_HEAD_BYTES: Final = 64 * KIB
"""A reply's status line and headers; S3's own are below 8 KiB."""

MAX_HEAD_FIELDS: Final = 128
"""Header fields, and trailer fields, of one reply."""

MAX_CHUNK_EXTENSION_BYTES: Final = 4 * KIB
"""One chunk's size line (RFC 9112, 7.1.1 asks recipients to limit it)."""

MAX_INTERIM_REPLIES: Final = 8
"""1xx replies before the final one (RFC 9110, 15.2 allows any number)."""

MAX_PAGE_BYTES: Final = 16 * MIB
"""A page of a listing: 1,000 keys of 1,024 bytes, each percent-encoded threefold, are 3 MiB."""

MAX_ERROR_BYTES: Final = 64 * KIB
"""An error's body; S3's are below 1 KiB."""

MAX_XML_DEPTH: Final = 16
"""Nesting of elements; S3's replies go six deep."""

MAX_DRAIN_BYTES: Final = 64 * KIB
"""Unwanted body read to keep a connection; beyond it a new connection is cheaper."""

# --- local file systems -----------------------------------------------------------------------------------------------

MAX_NAME_BYTES: Final = 255
"""One component of a path: NAME_MAX of Linux's and macOS's file systems."""

MAX_PATH_BYTES: Final = 4095
"""A path: Linux's PATH_MAX of 4096 counts the closing NUL (``linux/limits.h``)."""
