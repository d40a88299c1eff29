"""PutObject, GetObject, HeadObject and the ways to delete."""

from __future__ import annotations

import hashlib
import secrets

from orbit_fast.testing import checks
from orbit_fast.testing import xmlin
from orbit_fast.testing.archives import check_readable
from orbit_fast.testing.archives import restore_header
from orbit_fast.testing.attributes import check_customer_key
from orbit_fast.testing.attributes import encryption_headers
from orbit_fast.testing.attributes import is_md5_etag
from orbit_fast.testing.attributes import object_headers
from orbit_fast.testing.attributes import read_attributes
from orbit_fast.testing.attributes import version_header
from orbit_fast.testing.blob import Content
from orbit_fast.testing.call import Call
from orbit_fast.testing.call import check_proof
from orbit_fast.testing.conditions import check_read
from orbit_fast.testing.conditions import check_write
from orbit_fast.testing.conditions import matches
from orbit_fast.testing.conditions import parse_range
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import NULL_VERSION
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import ObjectChecksum
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element

MAX_PUT = 5 * 1024**3
"""Bytes that one PutObject or UploadPart may carry ("Amazon S3 multipart upload limits")."""


MAX_KEY = 1024
"""Bytes of a key in UTF-8 ("Naming Amazon S3 objects", S3 user guide)."""


def check_key(key: str) -> None:
    """The key is not too long.

    Raises:
        Refusal: it is.
    """
    size = len(key.encode("utf-8"))
    if size > MAX_KEY:
        raise Refusal("KeyTooLongError", Size=str(size), MaxSizeAllowed=str(MAX_KEY))


def etag_of(md5: bytes, attributes: Attributes) -> str:
    """The ETag of an object uploaded in one piece: its MD5, unless it is encrypted with a key of KMS or the client."""
    if is_md5_etag(attributes):
        return md5.hex()
    return hashlib.md5(md5 + secrets.token_bytes(16), usedforsecurity=False).hexdigest()


def checksum_headers(checksum: ObjectChecksum) -> list[tuple[str, str]]:
    """An object's checksum and its type."""
    return [
        (f"{checks.PREFIX}{checksum.algorithm.lower()}", checksum.value),
        (f"{checks.PREFIX}type", checksum.kind),
    ]


def put_object(call: Call) -> HttpResponse:
    """PutObject."""
    bucket = call.bucket
    attributes = read_attributes(call)
    received = call.request.received
    assert received is not None
    check_write(call.headers, bucket, call.key)
    algorithm, value = next(iter(received.checksums.items()), ("", ""))
    if not algorithm:
        algorithm = checks.DEFAULT_ALGORITHM
        value = checks.checksum_of(algorithm, received.content)
    version = bucket.add(
        Version(
            key=call.key,
            content=received.content,
            etag=etag_of(received.md5, attributes),
            modified_s=call.store.now(),
            attributes=attributes,
            checksum=ObjectChecksum(algorithm=algorithm, value=value),
        )
    )
    assert version.checksum is not None
    return HttpResponse(
        headers=[
            ("etag", f'"{version.etag}"'),
            *checksum_headers(version.checksum),
            *encryption_headers(attributes),
            *version_header(version, bucket.versioning),
        ]
    )


def get_object(call: Call) -> HttpResponse:
    """GetObject, and HeadObject whose body is left out by the connection."""
    bucket = call.bucket
    version = bucket.find(call.key, call.version_id)
    check_customer_key(call, version.attributes.customer_key_md5)
    check_read(call.headers, version)
    is_head = call.request.method == "HEAD"
    if not is_head:
        check_readable(call, version)
    headers = [*object_headers(version, bucket.versioning), *restore_header(call, version)]
    content, status = version.content, 200
    chosen = _chosen_range(call, version)
    if chosen is not None:
        offset, length = chosen
        content, status = content.slice(offset, length), 206
        headers.append(("content-range", f"bytes {offset}-{offset + length - 1}/{version.size}"))
        if version.part_sizes and "partNumber" in call.query:
            headers.append(("x-amz-mp-parts-count", str(len(version.part_sizes))))
    elif version.checksum is not None and call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers += checksum_headers(version.checksum)
    response = HttpResponse(status=status, headers=_overridden(call, headers), body=content)
    if is_head:
        response.length, response.body = content.size, Content()
    return response


def _chosen_range(call: Call, version: Version) -> tuple[int, int] | None:
    """Offset and length of what is asked, or None for everything."""
    text = call.headers.get("range")
    if "partNumber" not in call.query:
        if text is None or ("if-range" in call.headers and not matches(call.headers["if-range"], version.etag)):
            return None
        return parse_range(text, version.size)
    if text is not None:
        raise Refusal("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    number = call.number("partNumber", 0, 0x7FFFFFFF)
    sizes = version.part_sizes or (version.size,)
    if not 1 <= number <= len(sizes):
        raise Refusal("InvalidPartNumber", PartNumberRequested=str(number), ActualPartCount=str(len(sizes)))
    return (sum(sizes[: number - 1]), sizes[number - 1]) if version.size else None


def _overridden(call: Call, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers with what ``response-content-type`` and its relatives in the query put in their place."""
    wanted = {
        name.removeprefix("response-"): value for name, value in call.query.items() if name.startswith("response-")
    }
    if not wanted:
        return headers
    if any(char < " " or char > "~" for value in wanted.values() for char in value):
        raise Refusal("InvalidArgument", "Header value cannot be represented using ISO-8859-1.")
    if call.request.proof.identity is None:
        raise Refusal("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    return [pair for pair in headers if pair[0] not in wanted] + list(wanted.items())


def delete_object(call: Call) -> HttpResponse:
    """DeleteObject, of the current version or of the one named."""
    bucket = call.bucket
    if_match = call.headers.get("if-match")
    if if_match is not None:
        _check_delete(bucket, call.key, if_match)
    return HttpResponse(status=204, headers=_delete(call, bucket, call.key, call.version_id))


def _check_delete(bucket: Bucket, key: str, if_match: str) -> None:
    current = bucket.current(key)
    if current is None:
        raise Refusal("NoSuchKey", Key=key)
    if not matches(if_match, current.etag):
        raise Refusal("PreconditionFailed", Condition="If-Match")


def _delete(call: Call, bucket: Bucket, key: str, version_id: str) -> list[tuple[str, str]]:
    """Delete, and say what happened in response headers."""
    if not version_id:
        marker = bucket.remove(key, call.store.now())
        return [("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.version_id)] if marker else []
    removed = bucket.remove_version(key, version_id)
    headers = [("x-amz-version-id", version_id)] if bucket.versioning or version_id != NULL_VERSION else []
    if removed is not None and removed.is_marker:
        headers.append(("x-amz-delete-marker", "true"))
    return headers


def delete_objects(call: Call) -> HttpResponse:
    """DeleteObjects: up to 1,000 keys in one request; each has its own result."""
    bucket = call.bucket
    check_proof(call)
    root = xmlin.parse(call.request.content, "Delete")
    wanted = list(root.children("Object"))
    if not 1 <= len(wanted) <= 1000:
        raise Refusal("MalformedXML")
    is_quiet = root.text("Quiet") == "true"
    results = [_delete_one(call, bucket, one, is_quiet=is_quiet) for one in wanted]
    return document("DeleteResult", "".join(results))


def _delete_one(call: Call, bucket: Bucket, wanted: xmlin.Node, *, is_quiet: bool) -> str:
    key, version_id, if_match = wanted.need("Key"), wanted.text("VersionId") or "", wanted.text("ETag")
    if not key:
        raise Refusal("UserKeyMustBeSpecified")
    if wanted.text("Size") is not None or wanted.text("LastModifiedTime") is not None:
        raise Refusal("NotImplemented", Header="Size")  # conditions of directory buckets
    named = element("Key", key) + (element("VersionId", version_id) if version_id else "")
    try:
        check_key(key)
        if if_match is not None:
            _check_delete(bucket, key, if_match)
        headers = dict(_delete(call, bucket, key, version_id))
    except Refusal as refusal:
        return f"<Error>{named}{element('Code', refusal.code)}{element('Message', refusal.message)}</Error>"
    if is_quiet:
        return ""
    if "x-amz-delete-marker" in headers:
        named += "<DeleteMarker>true</DeleteMarker>"
        named += element("DeleteMarkerVersionId", headers["x-amz-version-id"])
    return f"<Deleted>{named}</Deleted>"
