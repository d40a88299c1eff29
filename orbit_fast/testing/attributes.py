"""What an object carries beside its bytes: read from request headers, written to response headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import http_time

META = "x-amz-meta-"
MAX_METADATA = 2048
"""Bytes of names and values of user metadata ("Working with object metadata", S3 user guide)."""

CONTENT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
    "x-amz-website-redirect-location",
)
STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
ACLS = frozenset(
    {
        "private",
        "public-read",
        "public-read-write",
        "authenticated-read",
        "aws-exec-read",
        "bucket-owner-read",
        "bucket-owner-full-control",
    }
)
SSE = "x-amz-server-side-encryption"
CUSTOMER = f"{SSE}-customer"
COPY_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer"


def read_attributes(call: Call) -> Attributes:
    """The attributes that a PutObject, CreateMultipartUpload or CopyObject asks for.

    Raises:
        Refusal: one of them cannot be.
    """
    headers = call.headers
    metadata = {name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)}
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > MAX_METADATA:
        raise Refusal("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(MAX_METADATA))
    storage_class = headers.get("x-amz-storage-class", "STANDARD")
    if storage_class not in STORAGE_CLASSES:
        raise Refusal("InvalidStorageClass", StorageClassRequested=storage_class)
    acl = headers.get("x-amz-acl", "")
    if acl and acl not in ACLS:
        raise Refusal("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=acl)
    customer_key_md5 = customer_key(call, CUSTOMER)
    return Attributes(
        headers=_content_headers(headers),
        metadata=metadata,
        tags=parse_tags(headers.get("x-amz-tagging", "")),
        storage_class=storage_class,
        encryption={} if customer_key_md5 else _encryption(headers),
        customer_key_md5=customer_key_md5,
        acl=acl,
    )


def _content_headers(headers: Mapping[str, str]) -> dict[str, str]:
    found = {name: headers[name] for name in CONTENT_HEADERS if name in headers}
    codings = [one.strip() for one in found.get("content-encoding", "").split(",")]
    kept = ",".join(one for one in codings if one and one != "aws-chunked")
    if kept:
        found["content-encoding"] = kept
    else:
        found.pop("content-encoding", None)
    found.setdefault("content-type", "binary/octet-stream")
    return found


def _encryption(headers: Mapping[str, str]) -> dict[str, str]:
    kind = headers.get(SSE, "AES256")
    key_id = headers.get(f"{SSE}-aws-kms-key-id", "")
    if kind not in {"AES256", "aws:kms", "aws:kms:dsse"}:
        raise Refusal(
            "InvalidArgument", "The encryption method specified is not supported", ArgumentName=SSE, ArgumentValue=kind
        )
    if kind == "AES256":
        if key_id:
            raise Refusal(
                "InvalidArgument",
                f"Server Side Encryption with AWS KMS managed key requires HTTP header {SSE} : aws:kms",
            )
        return {SSE: kind}
    return {SSE: kind, f"{SSE}-aws-kms-key-id": key_id or "arn:aws:kms:us-east-1:000000000000:key/aws-s3"}


def customer_key(call: Call, prefix: str) -> str:
    """The MD5 of the customer-provided key in the headers that start with `prefix`, or ``''``.

    Raises:
        Refusal: the three headers do not fit together, or came over plain HTTP.
    """
    headers = call.headers
    names = [f"{prefix}-{name}" for name in ("algorithm", "key", "key-md5")]
    present = [name for name in names if name in headers]
    if not present:
        return ""
    if call.settings.sse_c_needs_tls and not call.request.is_tls:
        raise Refusal(
            "InvalidRequest",
            "Requests specifying Server Side Encryption with Customer provided keys must "
            "be made over a secure connection.",
        )
    if len(present) < 3:
        raise Refusal(
            "InvalidArgument",
            "Requests specifying Server Side Encryption with Customer provided keys must "
            "provide an appropriate secret key, its algorithm and its MD5.",
        )
    try:
        key = base64.b64decode(headers[names[1]], validate=True)
    except binascii.Error:
        key = b""
    if headers[names[0]] != "AES256" or len(key) != 32:
        raise Refusal("InvalidArgument", "The secret key was invalid for the specified algorithm.")
    md5 = base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode("ascii")
    if md5 != headers[names[2]]:
        raise Refusal("InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided.")
    return md5


def check_customer_key(call: Call, stored_md5: str, prefix: str = CUSTOMER) -> None:
    """The request brings the key that the object was stored with, and none where it was stored with none.

    Raises:
        Refusal: it does not.
    """
    given = customer_key(call, prefix)
    if stored_md5 and not given:
        raise Refusal(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct "
            "parameters must be provided to retrieve the object.",
        )
    if given and not stored_md5:
        raise Refusal("InvalidRequest", "The encryption parameters are not applicable to this object.")
    if given != stored_md5:
        raise Refusal("AccessDenied")


def parse_tags(text: str) -> dict[str, str]:
    """Tags in the form of a query string, as ``x-amz-tagging`` has them.

    Raises:
        Refusal: more than ten, or not tags.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError:
        raise Refusal(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
            "query parameters without tag name duplicates.",
        ) from None
    return check_tags(pairs)


def check_tags(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The tags, if S3 takes them.

    Raises:
        Refusal: more than ten, a name twice, or a name or value too long.
    """
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise Refusal("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > 10:
        raise Refusal("BadRequest", "Object tags cannot be greater than 10")
    if any(not 0 < len(name) <= 128 or len(value) > 256 for name, value in pairs):
        raise Refusal("InvalidTag")
    return tags


def encryption_headers(attributes: Attributes) -> list[tuple[str, str]]:
    """How the object is encrypted."""
    if attributes.customer_key_md5:
        return [(f"{CUSTOMER}-algorithm", "AES256"), (f"{CUSTOMER}-key-md5", attributes.customer_key_md5)]
    return list(attributes.encryption.items())


def version_header(version: Version, versioning: str) -> list[tuple[str, str]]:
    """`x-amz-version-id`, which only a bucket that is or was versioned sends."""
    return [("x-amz-version-id", version.version_id)] if versioning else []


def object_headers(version: Version, versioning: str) -> list[tuple[str, str]]:
    """The head of a GetObject or HeadObject answer, without length, range and checksum."""
    attributes = version.attributes
    headers = [
        ("last-modified", http_time(version.modified_s)),
        ("etag", f'"{version.etag}"'),
        ("accept-ranges", "bytes"),
        *attributes.headers.items(),
        *((META + name, value) for name, value in attributes.metadata.items()),
        *encryption_headers(attributes),
        *version_header(version, versioning),
    ]
    if attributes.storage_class != "STANDARD":
        headers.append(("x-amz-storage-class", attributes.storage_class))
    if attributes.tags:
        headers.append(("x-amz-tagging-count", str(len(attributes.tags))))
    return headers


def is_md5_etag(attributes: Attributes) -> bool:
    """Whether the ETag of an object uploaded in one piece is the MD5 of its bytes."""
    return not attributes.customer_key_md5 and attributes.encryption.get(SSE, "AES256") == "AES256"
