"""S3's verbs as requests: one function a verb, values in, `Request` out.

A request is neither addressed nor signed here; names and values are plain text, encoded later by the head's encoder.
What is sent is what botocore's serialiser sends for the same call; the tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from orbit_fast.core.encode_headers import ONLY_IF_ABSENT
from orbit_fast.core.encode_headers import CopySource
from orbit_fast.core.encode_headers import Headers
from orbit_fast.core.encode_headers import body_checksum
from orbit_fast.core.encode_headers import checksum_header
from orbit_fast.core.encode_headers import metadata_headers
from orbit_fast.core.encode_headers import object_headers
from orbit_fast.core.encode_headers import quoted
from orbit_fast.core.encode_headers import sse_c_headers
from orbit_fast.core.encode_headers import tagging
from orbit_fast.core.limits import MAX_DELETE_KEYS
from orbit_fast.core.limits import MAX_PAGE_BUCKETS
from orbit_fast.core.limits import MAX_PAGE_KEYS
from orbit_fast.core.limits import MAX_PARTS
from orbit_fast.core.messages import PartFact
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Request
from orbit_fast.core.xml import escape
from orbit_fast.core.xml import is_plain

__all__ = [
    "ONLY_IF_ABSENT",
    "CopySource",
    "Headers",
    "abort_multipart_upload",
    "complete_multipart_upload",
    "copy_object",
    "create_bucket",
    "create_multipart_upload",
    "create_session",
    "delete_bucket",
    "delete_object",
    "delete_objects",
    "get_object",
    "get_object_tagging",
    "head_bucket",
    "head_object",
    "list_buckets",
    "list_multipart_uploads",
    "list_object_versions",
    "list_objects_v1",
    "list_objects_v2",
    "list_parts",
    "metadata_headers",
    "object_headers",
    "put_object",
    "sse_c_headers",
    "tagging",
    "upload_part",
    "upload_part_copy",
]

Query = tuple[tuple[str, str], ...]

XMLNS: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_FULL_OBJECT_ALGORITHMS: Final = frozenset({"CRC32", "CRC32C", "CRC64NVME"})


# --- objects -------------------------------------------------------------------------------------------------------


def put_object(
    key: str,
    *,
    headers: Headers = (),
    checksum: Checksum | None,
    body: bytes = b"",
    if_none_match: bool = False,
) -> Request:
    """Store one object in one request; a large body travels beside the request."""
    if checksum is not None:
        headers = (*headers, checksum_header(checksum))
    if if_none_match:
        headers += ONLY_IF_ABSENT
    return Request(operation="PutObject", method="PUT", key=key, headers=headers, body=body)


def get_object(
    key: str,
    *,
    version_id: str = "",
    byte_range: tuple[int, int] | None = None,
    if_match: str = "",
    checksum_mode: bool = True,
    headers: Headers = (),
) -> Request:
    """Read an object, or the bytes `byte_range` = (first, last) of it, both included."""
    if byte_range is not None:
        headers = (*headers, ("range", _range(byte_range)))
    return Request(
        operation="GetObject",
        method="GET",
        key=key,
        query=_version(version_id),
        headers=headers + _reading(if_match, checksum_mode=checksum_mode),
    )


def head_object(
    key: str,
    *,
    version_id: str = "",
    if_match: str = "",
    checksum_mode: bool = True,
    headers: Headers = (),
) -> Request:
    """Ask what an object is, without its bytes."""
    return Request(
        operation="HeadObject",
        method="HEAD",
        key=key,
        query=_version(version_id),
        headers=headers + _reading(if_match, checksum_mode=checksum_mode),
    )


def head_part(key: str, *, number: int, version_id: str = "", headers: Headers = ()) -> Request:
    """Ask what part `number` (1-based) of an object that was uploaded in parts is: its size, as Content-Length."""
    query = (("partNumber", str(number)), *_version(version_id))
    return Request(operation="HeadObject", method="HEAD", key=key, query=query, headers=headers)


def delete_object(key: str, *, version_id: str = "", if_match: str = "") -> Request:
    """Delete one object, or one version of it; with `if_match` only while it has that ETag."""
    headers: Headers = (("if-match", quoted(if_match)),) if if_match else ()
    return Request(operation="DeleteObject", method="DELETE", key=key, query=_version(version_id), headers=headers)


def delete_objects(
    keys: Sequence[tuple[str, str]],
    *,
    quiet: bool = True,
    use_md5: bool = False,
    etags: Mapping[str, str] = MappingProxyType({}),
) -> Request:
    """Delete up to 1,000 (key, version id) pairs; a version id of ``''`` means the current object.

    A key that stands in `etags` is deleted only while its current object has that ETag.

    S3 demands a checksum of this body: CRC32 as botocore sends it, or with `use_md5` Content-MD5, which services demand
    that know nothing else.

    Raises:
        InvalidKey: XML cannot carry one of the keys; it must be deleted by `delete_object`.
    """
    assert 0 < len(keys) <= MAX_DELETE_KEYS, f"{len(keys)} keys in one DeleteObjects"
    parts = [f'<Delete xmlns="{XMLNS}">']
    conditions = [f"<ETag>{escape(quoted(etags[key]))}</ETag>" if key in etags else "" for key, _ in keys]
    if not is_plain("".join([key + version_id for key, version_id in keys])):
        keys = [(escape(key), escape(version_id)) for key, version_id in keys]
    for (key, version_id), condition in zip(keys, conditions, strict=True):
        version = f"<VersionId>{version_id}</VersionId>" if version_id else condition
        parts.append(f"<Object><Key>{key}</Key>{version}</Object>")
    if quiet:
        parts.append("<Quiet>true</Quiet>")
    parts.append("</Delete>")
    body = "".join(parts).encode()
    return Request(
        operation="DeleteObjects",
        method="POST",
        query=(("delete", ""),),
        headers=body_checksum(body, use_md5=use_md5),
        body=body,
    )


def copy_object(
    key: str,
    *,
    source: CopySource,
    headers: Headers = (),
    metadata_directive: str = "",
    tagging_directive: str = "",
) -> Request:
    """Copy an object of at most 5 GiB inside the service.

    Args:
        key: the destination.
        source: what to read.
        headers: what the copy is given (used by S3 where a directive says ``REPLACE``) and SSE-C keys of both sides.
        metadata_directive: ``COPY``, ``REPLACE`` or ``''`` for S3's default (``COPY``).
        tagging_directive: the same for tags.
    """
    directives = (("x-amz-metadata-directive", metadata_directive), ("x-amz-tagging-directive", tagging_directive))
    return Request(
        operation="CopyObject",
        method="PUT",
        key=key,
        headers=headers + source.headers() + tuple(pair for pair in directives if pair[1]),
    )


def get_object_tagging(key: str, *, version_id: str = "") -> Request:
    """Ask for an object's tags."""
    query: Query = (("tagging", ""), *_version(version_id))
    return Request(operation="GetObjectTagging", method="GET", key=key, query=query)


# --- multipart uploads ---------------------------------------------------------------------------------------------


def create_multipart_upload(key: str, *, headers: Headers = (), algorithm: str) -> Request:
    """Begin a multipart upload whose parts carry checksums of `algorithm` (``''``: none).

    CRCs are asked for as a checksum of the full object, which is the only kind that a later reader can use at any part
    size; SHA-1 and SHA-256 can only be composite.
    """
    if algorithm:
        headers = (*headers, ("x-amz-checksum-algorithm", algorithm))
    if algorithm in _FULL_OBJECT_ALGORITHMS:
        headers = (*headers, ("x-amz-checksum-type", "FULL_OBJECT"))
    return Request(operation="CreateMultipartUpload", method="POST", key=key, query=(("uploads", ""),), headers=headers)


def upload_part(
    key: str,
    *,
    upload_id: str,
    number: int,
    checksum: Checksum | None,
    headers: Headers = (),
) -> Request:
    """Send part `number` (1-based); its body travels beside the request."""
    if checksum is not None:
        headers = (*headers, checksum_header(checksum))
    query = _part(upload_id, number)
    return Request(operation="UploadPart", method="PUT", key=key, query=query, headers=headers)


def upload_part_copy(
    key: str,
    *,
    upload_id: str,
    number: int,
    source: CopySource,
    byte_range: tuple[int, int] | None = None,
    headers: Headers = (),
) -> Request:
    """Fill part `number` with an object, or with the bytes (first, last) of it, both included."""
    headers += source.headers()
    if byte_range is not None:
        headers = (*headers, ("x-amz-copy-source-range", _range(byte_range)))
    query = _part(upload_id, number)
    return Request(operation="UploadPartCopy", method="PUT", key=key, query=query, headers=headers)


def complete_multipart_upload(
    key: str,
    *,
    upload_id: str,
    parts: Sequence[PartFact],
    algorithm: str,
    checksum: Checksum | None = None,
    headers: Headers = (),
) -> Request:
    """Make the object out of its parts.

    The size of the whole, the sum of the parts, is announced, so that a service which lost a part refuses.

    Args:
        key: the object.
        upload_id: of the upload.
        parts: all of them, numbered 1, 2, 3 … in order.
        algorithm: of the parts' checksums, or ``''``.
        checksum: of the whole object, where the algorithm can give one.
        headers: `ONLY_IF_ABSENT`, SSE-C keys.
    """
    assert [part.number for part in parts] == list(range(1, len(parts) + 1)), "parts must be 1..N in order"
    assert 0 < len(parts) <= MAX_PARTS, f"{len(parts)} parts"
    name = f"Checksum{algorithm}"
    lines = [f'<CompleteMultipartUpload xmlns="{XMLNS}">']
    for part in parts:
        proof = f"<{name}>{escape(part.checksum)}</{name}>" if algorithm and part.checksum else ""
        lines.append(
            f"<Part><ETag>{escape(quoted(part.etag))}</ETag>{proof}<PartNumber>{part.number}</PartNumber></Part>"
        )
    lines.append("</CompleteMultipartUpload>")
    headers = (*headers, ("x-amz-mp-object-size", str(sum(part.size for part in parts))))
    if checksum is not None:
        headers = (*headers, checksum_header(checksum), ("x-amz-checksum-type", checksum.kind))
    return Request(
        operation="CompleteMultipartUpload",
        method="POST",
        key=key,
        query=(("uploadId", upload_id),),
        headers=headers,
        body="".join(lines).encode(),
    )


def abort_multipart_upload(key: str, *, upload_id: str) -> Request:
    """Give an upload up and free its parts."""
    query = (("uploadId", upload_id),)
    return Request(operation="AbortMultipartUpload", method="DELETE", key=key, query=query)


# --- listings ------------------------------------------------------------------------------------------------------


def list_objects_v2(
    *,
    prefix: str,
    delimiter: str = "",
    token: str = "",
    start_after: str = "",
    max_keys: int = MAX_PAGE_KEYS,
) -> Request:
    """One page of a listing; keys come back percent-encoded, so that XML can carry all of them."""
    query = _present(
        ("prefix", prefix),
        ("delimiter", delimiter),
        ("continuation-token", token),
        ("start-after", start_after),
    )
    fixed = (("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(max_keys)))
    return Request(operation="ListObjectsV2", method="GET", query=fixed + query)


def list_objects_v1(
    *,
    prefix: str,
    delimiter: str = "",
    marker: str = "",
    max_keys: int = MAX_PAGE_KEYS,
) -> Request:
    """One page of a listing by the older verb, for services that lack the newer one."""
    query = _present(("prefix", prefix), ("delimiter", delimiter), ("marker", marker))
    fixed = (("encoding-type", "url"), ("max-keys", str(max_keys)))
    return Request(operation="ListObjects", method="GET", query=fixed + query)


def list_object_versions(
    *,
    prefix: str,
    delimiter: str = "",
    key_marker: str = "",
    version_id_marker: str = "",
    max_keys: int = MAX_PAGE_KEYS,
) -> Request:
    """One page of all versions and delete markers, behind that version of that key."""
    query = _present(
        ("prefix", prefix),
        ("delimiter", delimiter),
        ("key-marker", key_marker),
        ("version-id-marker", version_id_marker),
    )
    fixed = (("versions", ""), ("encoding-type", "url"), ("max-keys", str(max_keys)))
    return Request(operation="ListObjectVersions", method="GET", query=fixed + query)


def list_parts(key: str, *, upload_id: str, marker: int = 0, headers: Headers = ()) -> Request:
    """One page of an upload's landed parts, those after part number `marker`."""
    query: Query = (("uploadId", upload_id),)
    if marker:
        query += (("part-number-marker", str(marker)),)
    return Request(operation="ListParts", method="GET", key=key, query=query, headers=headers)


def list_multipart_uploads(*, prefix: str = "", key_marker: str = "", upload_id_marker: str = "") -> Request:
    """One page of the bucket's unfinished uploads."""
    query = _present(("prefix", prefix), ("key-marker", key_marker), ("upload-id-marker", upload_id_marker))
    fixed = (("uploads", ""), ("encoding-type", "url"))
    return Request(operation="ListMultipartUploads", method="GET", query=fixed + query)


# --- buckets -------------------------------------------------------------------------------------------------------


def head_bucket() -> Request:
    """Ask whether the bucket is there, may be used, and where it lives."""
    return Request(operation="HeadBucket", method="HEAD")


def create_bucket(*, region: str = "") -> Request:
    """Make the bucket in `region`; ``us-east-1`` and ``''`` are S3's default and must not be named."""
    body = ""
    if region not in {"", "us-east-1"}:
        location = f"<LocationConstraint>{escape(region)}</LocationConstraint>"
        body = f'<CreateBucketConfiguration xmlns="{XMLNS}">{location}</CreateBucketConfiguration>'
    return Request(operation="CreateBucket", method="PUT", body=body.encode())


def delete_bucket() -> Request:
    """Remove the bucket, which must be empty."""
    return Request(operation="DeleteBucket", method="DELETE")


def create_session() -> Request:
    """Ask a directory bucket for keys of a session that may do as much as the caller may."""
    return Request(operation="CreateSession", method="GET", query=(("session", ""),))


def list_buckets(*, token: str = "", max_buckets: int = MAX_PAGE_BUCKETS) -> Request:
    """One page of the caller's buckets; asked of a site without a bucket."""
    query = (("max-buckets", str(max_buckets)), *_present(("continuation-token", token)))
    return Request(operation="ListBuckets", method="GET", query=query)


# --- small parts of requests ---------------------------------------------------------------------------------------


def _present(*pairs: tuple[str, str]) -> Query:
    """The pairs that have a value."""
    return tuple(pair for pair in pairs if pair[1])


def _version(version_id: str) -> Query:
    return (("versionId", version_id),) if version_id else ()


def _part(upload_id: str, number: int) -> Query:
    assert 1 <= number <= MAX_PARTS, f"part number {number}"
    return (("partNumber", str(number)), ("uploadId", upload_id))


def _range(byte_range: tuple[int, int]) -> str:
    first, last = byte_range
    assert 0 <= first <= last, f"byte range {byte_range}"
    return f"bytes={first}-{last}"


def _reading(if_match: str, *, checksum_mode: bool) -> Headers:
    """Conditions and wishes of a GET or HEAD."""
    headers: Headers = (("if-match", quoted(if_match)),) if if_match else ()
    return (*headers, ("x-amz-checksum-mode", "ENABLED")) if checksum_mode else headers
