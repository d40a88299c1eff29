"""Targets for documents of a service: XML as such, pages of listings by both roads, every other answer, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orbit_fast.core import decode
from orbit_fast.core import decode_listing
from orbit_fast.core import decode_versions
from orbit_fast.core.decode_buckets import list_buckets
from orbit_fast.core.decode_errors import error_of
from orbit_fast.core.decode_errors import hidden_failure
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import S3Error
from orbit_fast.core.limits import MAX_XML_DEPTH
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.render.times import RFC3339
from orbit_fast.core.render.times import clock_face
from orbit_fast.core.xml import Element
from orbit_fast.core.xml import escape
from orbit_fast.core.xml import parse_any
from orbit_fast.io.service import service_answer
from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.xmlin import parse as parse_request
from tests.fuzz.pieces import check_error
from tests.fuzz.pieces import check_travels
from tests.fuzz.pieces import outcome

_ANY_STATUS = (200, 301, 400, 403, 404, 412, 416, 500, 503)
_DECODERS: tuple[Callable[[Reply], Any], ...] = (
    decode.put_object,
    decode.upload_part,
    decode.create_bucket,
    decode.delete_object,
    decode.abort_multipart_upload,
    decode.create_multipart_upload,
    decode.complete_multipart_upload,
    decode.copy_object,
    decode.upload_part_copy,
    decode.get_object_tagging,
    decode.list_parts,
    decode.list_multipart_uploads,
    list_buckets,
)
_MODELLED = (
    "GetBucketAcl",
    "GetBucketLifecycleConfiguration",
    "GetBucketLocation",
    "GetBucketVersioning",
    "GetObjectAttributes",
    "ListObjectVersions",
    "RestoreObject",
)
_MODELLED_HEADERS = ("last-modified", "x-amz-delete-marker", "x-amz-version-id", "x-amz-restore-output-path")
_OPERATIONS = ("CompleteMultipartUpload", "CopyObject", "UploadPartCopy", "DeleteObjects", "PutObject")


def xml(data: bytes) -> None:
    """A document: bounded, free of declarations, and the same once it is written and read again."""
    root = outcome(lambda: parse_any(data), BadReply)
    outcome(lambda: parse_request(Content.of(data), "Delete"), Refusal)
    if isinstance(root, str):
        return
    assert _depth(root) <= MAX_XML_DEPTH
    assert _length(root) <= len(data), "something was expanded"
    again = parse_any(_written(root).encode())
    assert _plain(again) == _plain(root)


def _depth(element: Element) -> int:
    return 1 + max(map(_depth, element.children), default=0)


def _length(element: Element) -> int:
    return len(element.name) + len(element.text.encode()) + sum(map(_length, element.children))


def _written(element: Element) -> str:
    inner = escape(element.text) + "".join(map(_written, element.children))
    return f"<{element.name}>{inner}</{element.name}>"


def _plain(element: Element) -> tuple[str, str, list[Any]]:
    return element.name, element.text, [_plain(child) for child in element.children]


# --- listings -------------------------------------------------------------------------------------------------------

_shown = clock_face(RFC3339, end="Z")


def listing(data: bytes) -> None:
    """A page of objects: both roads say the same, it checks or is refused, what it names is under the prefix."""
    scanned = decode_listing._scan_entries(data)
    for read in (decode.list_objects_v2, decode.list_objects_v1):
        page = outcome(lambda read=read: read(_reply(data)), S3Error)
        if scanned is not None:
            slow = data.replace(b"<Contents>", b"<!----><Contents>", 1)
            assert decode_listing._scan_entries(slow) is None
            assert outcome(lambda read=read, slow=slow: read(_reply(slow)), S3Error) == page
        if isinstance(page, str):
            continue
        assert page.is_truncated == bool(page.next_token)
        for entry in page.entries:
            assert entry.key
            assert entry.size >= 0
            check_travels(entry)
            _shown(entry.mtime_ns)
        refused = outcome(lambda page=page: decode.check_page(page, prefix="a", after="a"), BadReply)
        if refused is None:
            keys = [entry.key for entry in page.entries]
            assert all(key.startswith("a") for key in (*keys, *page.prefixes))
            assert keys == sorted({*keys})
            assert not keys or keys[0] > "a"


def versions(data: bytes) -> None:
    """A page of versions, likewise."""
    scanned = decode_versions._scan(data)
    page = outcome(lambda: decode.list_object_versions(_reply(data)), S3Error)
    if scanned is not None:
        first = min(at for at in (data.find(b"<Version>"), data.find(b"<DeleteMarker>")) if at >= 0)
        slow = data[:first] + b"<!---->" + data[first:]
        assert decode_versions._scan(slow) is None
        assert outcome(lambda: decode.list_object_versions(_reply(slow)), S3Error) == page
    if isinstance(page, str):
        return
    assert page.is_truncated == bool(page.next_marker[0])
    for version in page.versions:
        assert version.key
        assert version.version_id
        assert version.size >= 0
        check_travels(version)
        _shown(version.mtime_ns)
    if outcome(lambda: decode.check_versions(page, prefix="a"), BadReply) is None:
        keys = [version.key for version in page.versions]
        assert keys == sorted(keys)
        assert all(key.startswith("a") for key in (*keys, *page.prefixes))


# --- all other answers ------------------------------------------------------------------------------------------


def answers(data: bytes) -> None:
    """A body under every decoder: a value that can be passed on, or an error of the tree."""
    for read in _DECODERS:
        for headers in ({}, {"etag": '"e"'}):
            got = outcome(lambda read=read, headers=headers: read(_reply(data, headers)), S3Error)
            if not isinstance(got, str):
                check_travels(got)
                _check_times(got)
    keys = [("a", ""), ("b", "1"), ("c", "")]
    for quiet in (True, False):
        told = outcome(lambda quiet=quiet: decode.delete_objects(_reply(data), keys=keys, quiet=quiet), S3Error)
        if isinstance(told, str):
            continue
        assert [(one.key, one.version_id) for one in told] == keys
        for one in told:
            if one.failure is not None:
                check_error(one.failure)
    for operation in _OPERATIONS:
        failure = hidden_failure(_reply(data), request=Request(operation=operation, method="PUT"), bucket="bucket")
        if failure is not None:
            check_error(failure)


def _check_times(got: object) -> None:
    for name in ("parts", "uploads", "buckets"):
        for one in getattr(got, name, ()):
            for field in ("mtime_ns", "initiated_ns", "created_ns"):
                _shown(getattr(one, field, 0))


def modelled(data: bytes) -> None:
    """A body, and headers made of it, that botocore's model reads: a dictionary, or an error of the tree."""
    headers = {name: data[:60].decode("latin-1") for name in _MODELLED_HEADERS}
    for operation in _MODELLED:
        for said in ({}, headers):
            reply = _reply(data, said)
            got = outcome(lambda operation=operation, reply=reply: service_answer(operation, reply), S3Error)
            assert isinstance(got, dict | str)


def errors(data: bytes) -> None:
    """A body behind every status is an error of one clean line."""
    text = data[:200].decode("latin-1")
    for status in _ANY_STATUS:
        for headers in ({}, {"retry-after": text, "date": text, "location": text, "x-amz-bucket-region": text}):
            for key in ("", "key"):
                request = Request(operation="PutObject", method="PUT", key=key, headers=(("content-md5", "x"),))
                error = error_of(status, headers, data, request=request, bucket="bucket")
                check_error(error)
                assert error.message.isprintable()
                assert error.retry_after_s is None or 0 <= error.retry_after_s <= 86_400
                assert len(error.region) <= 64
                assert len(error.code) <= 64
                assert len(error.request_id) <= 128


def _reply(body: bytes, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status=200, headers=headers or {}, body=body)
