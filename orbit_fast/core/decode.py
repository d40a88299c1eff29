"""S3's answers as values: one function a verb, `Reply` in, a small frozen record out.

A reply is a success only if it says so in full: the expected root element with its mandatory children, or the mandatory
headers. An empty body, a web page, an ``<Error>`` behind status 200 or a cut document are errors, whatever the status.
Errors are raised without the object's name, which whoever asked adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from orbit_fast.core.decode_errors import error_of
from orbit_fast.core.decode_errors import error_of_code
from orbit_fast.core.decode_errors import hidden_failure
from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.decode_facts import ContentRange
from orbit_fast.core.decode_facts import checksum_of
from orbit_fast.core.decode_facts import checksum_of_headers
from orbit_fast.core.decode_facts import encryption_of
from orbit_fast.core.decode_facts import http_date_ns
from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.decode_facts import object_facts
from orbit_fast.core.decode_facts import parse_content_length
from orbit_fast.core.decode_facts import parse_content_range
from orbit_fast.core.decode_facts import unquoted
from orbit_fast.core.decode_fields import checksum_in
from orbit_fast.core.decode_listing import ListedPart
from orbit_fast.core.decode_listing import Listing
from orbit_fast.core.decode_listing import PartsPage
from orbit_fast.core.decode_listing import UnfinishedUpload
from orbit_fast.core.decode_listing import UploadsPage
from orbit_fast.core.decode_listing import check_page
from orbit_fast.core.decode_listing import list_multipart_uploads
from orbit_fast.core.decode_listing import list_objects_v1
from orbit_fast.core.decode_listing import list_objects_v2
from orbit_fast.core.decode_listing import list_parts
from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.decode_versions import VersionsPage
from orbit_fast.core.decode_versions import check_versions
from orbit_fast.core.decode_versions import list_object_versions
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.xml import Element
from orbit_fast.core.xml import is_html

__all__ = [
    "ContentRange",
    "Copied",
    "Deleted",
    "DeletedKey",
    "ListedPart",
    "ListedVersion",
    "Listing",
    "PartsPage",
    "UnfinishedUpload",
    "Uploaded",
    "UploadedPart",
    "UploadsPage",
    "VersionsPage",
    "abort_multipart_upload",
    "check_page",
    "check_versions",
    "checksum_of_headers",
    "complete_multipart_upload",
    "copy_object",
    "create_bucket",
    "create_multipart_upload",
    "delete_object",
    "delete_objects",
    "error_of",
    "get_object",
    "get_object_tagging",
    "head_bucket",
    "head_object",
    "hidden_failure",
    "http_date_ns",
    "iso_time_ns",
    "list_multipart_uploads",
    "list_object_versions",
    "list_objects_v1",
    "list_objects_v2",
    "list_parts",
    "object_facts",
    "parse_content_length",
    "parse_content_range",
    "put_object",
    "unquoted",
    "upload_part",
    "upload_part_copy",
]


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """An object that now exists: PutObject, CompleteMultipartUpload.

    Attributes:
        etag: without quotes.
        version_id: or ``''``.
        checksum: what the service says it stored, or None where it says nothing.
        encryption: ``AES256``, ``aws:kms``, ``SSE-C`` … or ``''``: other than ``AES256`` means that the ETag is no MD5.
    """

    etag: str
    version_id: str = ""
    checksum: Checksum | None = None
    encryption: str = ""


class UploadedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that has landed: UploadPart, UploadPartCopy.

    Attributes:
        etag: without quotes.
        checksum: of the part, or None.
        encryption: as of `Uploaded`.
    """

    etag: str
    checksum: Checksum | None = None
    encryption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """An object made by CopyObject.

    Attributes:
        etag: without quotes.
        mtime_ns: its Last-Modified, 0 where the service does not say.
        version_id: of the copy, or ``''``.
        source_version_id: of what was read, or ``''``.
        checksum: of the copy, or None.
        encryption: as of `Uploaded`.
    """

    etag: str
    mtime_ns: int = 0
    version_id: str = ""
    source_version_id: str = ""
    checksum: Checksum | None = None
    encryption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What DeleteObject did: the version it removed or, with `is_delete_marker`, the marker it put there."""

    version_id: str = ""
    is_delete_marker: bool = False


class DeletedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one key of a DeleteObjects.

    Attributes:
        key: the key.
        version_id: as asked, or ``''``.
        marker_version_id: of the delete marker that now stands there, or ``''`` (unknown in quiet mode).
        failure: why it is still there, or None.
    """

    key: str
    version_id: str = ""
    marker_version_id: str = ""
    failure: S3Error | None = None


# --- answers that are headers --------------------------------------------------------------------------------------


def _header_etag(reply: Reply, operation: str) -> str:
    """The ETag that a stored body must be answered with, without quotes.

    Raises:
        NotS3: the answer is a web page.
        BadReply: there is no ETag.
    """
    _refuse_page(reply, operation)
    etag = unquoted(reply.headers.get("etag", ""))
    if not etag:
        raise BadReply(f"{operation}: the service answered {reply.status} without an ETag", status=reply.status)
    return etag


def _refuse_page(reply: Reply, operation: str) -> None:
    """Raise what hides in a body that should be empty: a web page (a proxy's login, a captive portal) or an error.

    Raises:
        NotS3: it is a web page.
        S3Error: it is an S3 error.
    """
    if not reply.body:
        return
    if is_html(reply.body):
        raise NotS3(f"{operation}: the answer is a web page: this is not an S3 endpoint", status=reply.status)
    if b"<Error" in reply.body[:512]:
        success_document(reply, operation, "")


def put_object(reply: Reply) -> Uploaded:
    """PutObject's answer.

    Raises:
        BadReply: no ETag, or a web page.
    """
    headers = reply.headers
    return Uploaded(
        etag=_header_etag(reply, "PutObject"),
        version_id=headers.get("x-amz-version-id", ""),
        checksum=checksum_of_headers(headers),
        encryption=encryption_of(headers),
    )


def upload_part(reply: Reply) -> UploadedPart:
    """UploadPart's answer.

    Raises:
        BadReply: no ETag, or a web page.
    """
    headers = reply.headers
    return UploadedPart(
        etag=_header_etag(reply, "UploadPart"),
        checksum=checksum_of_headers(headers),
        encryption=encryption_of(headers),
    )


def get_object(headers: Mapping[str, str]) -> ObjectFacts:
    """What the head of a GetObject reply says; the same as `object_facts`."""
    return object_facts(headers)


def head_object(reply: Reply) -> ObjectFacts:
    """HeadObject's answer.

    Raises:
        BadReply: the size is missing or unusable.
    """
    return object_facts(reply.headers)


def head_bucket(reply: Reply) -> str:
    """HeadBucket's answer: the bucket's region, or ``''`` where the service does not say."""
    return reply.headers.get("x-amz-bucket-region", "")


def create_bucket(reply: Reply) -> None:
    """CreateBucket's answer, which says nothing.

    Raises:
        BadReply: it is a web page or an error.
    """
    _refuse_page(reply, "CreateBucket")


def abort_multipart_upload(reply: Reply) -> None:
    """AbortMultipartUpload's answer, which says nothing.

    Raises:
        BadReply: it is a web page or an error.
    """
    _refuse_page(reply, "AbortMultipartUpload")


def delete_object(reply: Reply) -> Deleted:
    """DeleteObject's answer.

    Raises:
        BadReply: it is a web page or an error.
    """
    _refuse_page(reply, "DeleteObject")
    return Deleted(
        version_id=reply.headers.get("x-amz-version-id", ""),
        is_delete_marker=reply.headers.get("x-amz-delete-marker", "").lower() == "true",
    )


# --- answers that are documents ------------------------------------------------------------------------------------


def _child_text(root: Element, name: str, operation: str) -> str:
    text = root.text_of(name)
    if not text:
        raise BadReply(f"{operation}: the service left {name} out of its answer")
    return text


def _document_etag(root: Element, operation: str) -> str:
    """The ETag, without quotes, that a result document must have."""
    etag = unquoted(_child_text(root, "ETag", operation))
    if not etag:
        raise BadReply(f"{operation}: the service sent an empty ETag")
    return etag


def _document_checksum(root: Element) -> Checksum | None:
    """The preferred checksum of a result document, with its kind."""
    checksum = checksum_in(root)
    if checksum is None:
        return None
    return checksum_of(checksum.algorithm, checksum.value, root.text_of("ChecksumType"))


def create_multipart_upload(reply: Reply) -> str:
    """CreateMultipartUpload's answer: the upload id.

    Raises:
        BadReply: it is no whole answer.
    """
    operation = "CreateMultipartUpload"
    # rclone and everything else built on gofakes3 leave "Result" out.
    root = success_document(reply, operation, "InitiateMultipartUploadResult", also="InitiateMultipartUpload")
    return _child_text(root, "UploadId", operation)


def complete_multipart_upload(reply: Reply) -> Uploaded:
    """CompleteMultipartUpload's answer: only the result element with an ETag means that the object exists.

    Raises:
        S3Error: the body holds an error behind status 200.
        BadReply: it is no whole answer.
    """
    operation = "CompleteMultipartUpload"
    root = success_document(reply, operation, "CompleteMultipartUploadResult")
    etag = _document_etag(root, operation)
    return Uploaded(
        etag=etag,
        version_id=reply.headers.get("x-amz-version-id", ""),
        checksum=_document_checksum(root) or checksum_of_headers(reply.headers),
        encryption=encryption_of(reply.headers),
    )


def copy_object(reply: Reply) -> Copied:
    """CopyObject's answer: only the result element with an ETag means that the copy exists.

    Raises:
        S3Error: the body holds an error behind status 200.
        BadReply: it is no whole answer.
    """
    operation = "CopyObject"
    root = success_document(reply, operation, "CopyObjectResult")
    etag = _document_etag(root, operation)
    try:
        mtime_ns = iso_time_ns(root.text_of("LastModified"))
    except ValueError:
        mtime_ns = 0
    return Copied(
        etag=etag,
        mtime_ns=mtime_ns,
        version_id=reply.headers.get("x-amz-version-id", ""),
        source_version_id=reply.headers.get("x-amz-copy-source-version-id", ""),
        checksum=_document_checksum(root),
        encryption=encryption_of(reply.headers),
    )


def upload_part_copy(reply: Reply) -> UploadedPart:
    """UploadPartCopy's answer: only the result element with an ETag means that the part exists.

    Raises:
        S3Error: the body holds an error behind status 200.
        BadReply: it is no whole answer.
    """
    operation = "UploadPartCopy"
    root = success_document(reply, operation, "CopyPartResult")
    etag = _document_etag(root, operation)
    return UploadedPart(etag=etag, checksum=_document_checksum(root), encryption=encryption_of(reply.headers))


def get_object_tagging(reply: Reply) -> tuple[tuple[str, str], ...]:
    """GetObjectTagging's answer: names and values.

    Raises:
        S3Error: the body holds an error behind status 200.
        BadReply: it is no whole answer.
    """
    operation = "GetObjectTagging"
    root = success_document(reply, operation, "Tagging")
    tag_set = root.child("TagSet")
    if tag_set is None:
        raise BadReply(f"{operation}: the service left TagSet out of its answer")
    return tuple((_child_text(tag, "Key", operation), tag.text_of("Value")) for tag in tag_set.children)


def delete_objects(
    reply: Reply,
    *,
    keys: Sequence[tuple[str, str]],
    quiet: bool = True,
    bucket: str = "",
) -> tuple[DeletedKey, ...]:
    """DeleteObjects' answer: what became of each (key, version id) that was asked, in that order.

    Without `quiet`, a key that the service neither lists as deleted nor as failed has failed.

    Raises:
        S3Error: the body holds an error behind status 200.
        BadReply: it is no whole answer, or names a key that was not asked.
    """
    root = success_document(reply, "DeleteObjects", "DeleteResult")
    asked = set(keys) if root.children else set()
    told: dict[tuple[str, str], DeletedKey] = {}
    for item in root.children:
        if item.name not in {"Deleted", "Error"}:
            continue
        key, version_id = item.text_of("Key"), item.text_of("VersionId")
        # A service may say which version it was although none was asked for.
        name = (key, version_id) if (key, version_id) in asked else (key, "")
        if name not in asked:
            raise BadReply("DeleteObjects: the service answered about a key that was not asked")
        told[name] = _told_key(item, name, bucket)
    if quiet and not told:
        return tuple([DeletedKey(key=key, version_id=version_id) for key, version_id in keys])
    return tuple([told.get(name) or _unanswered(*name, quiet=quiet) for name in keys])


def _unanswered(key: str, version_id: str, *, quiet: bool) -> DeletedKey:
    """A key that the answer does not name: in quiet mode silence means that it is gone."""
    failure = None if quiet else BadReply("DeleteObjects: the service did not say what became of this key")
    return DeletedKey(key=key, version_id=version_id, failure=failure)


def _told_key(item: Element, name: tuple[str, str], bucket: str) -> DeletedKey:
    """One ``<Deleted>`` or ``<Error>``."""
    key, version_id = name
    if item.name == "Error":
        asked = Request(
            operation="DeleteObject", method="POST", key=key, query=(("versionId", version_id),) if version_id else ()
        )
        failure = error_of_code(item.text_of("Code"), item.text_of("Message"), bucket=bucket, request=asked)
        return DeletedKey(key=key, version_id=version_id, failure=failure)
    return DeletedKey(key=key, version_id=version_id, marker_version_id=item.text_of("DeleteMarkerVersionId"))
