"""What ``head`` says of the headers that came."""

from __future__ import annotations

import pytest

from orbit_fast.core.render.head import bucket_fields
from orbit_fast.core.render.head import object_fields
from orbit_fast.core.render.head import render
from orbit_fast.core.settings import OutputSettings
from tests.kit.event_schema import validated

HEADERS = {
    "content-length": "2048",
    "content-type": "text/plain",
    "date": "Mon, 02 Mar 2026 03:04:05 GMT",
    "etag": '"abc-3"',
    "last-modified": "Mon, 02 Mar 2026 03:04:05 GMT",
    "server": "AmazonS3",
    "x-amz-bucket-region": "eu-1",
    "x-amz-checksum-crc32c": "yZRlqg==",
    "x-amz-checksum-type": "FULL_OBJECT",
    "x-amz-meta-owner": "me\x1b[31m",
    "x-amz-mp-parts-count": "3",
    "x-amz-request-id": "R",
    "x-amz-restore": 'ongoing-request="true"',
    "x-amz-server-side-encryption-bucket-key-enabled": "true",
    "x-amz-storage-class": "GLACIER",
    "x-amz-version-id": "v1",
}


def test_all_that_describes_the_object():
    """Numbers are numbers, metadata stands together, what speaks of the reply is left out."""
    fields = object_fields("s3://b/k", HEADERS)
    assert fields == {
        "operation": "head",
        "success": True,
        "key": "s3://b/k",
        "type": "file",
        "size": 2048,
        "last_modified": "2026-03-02T03:04:05Z",
        "etag": "abc-3",
        "checksum": {"algorithm": "CRC32C", "value": "yZRlqg==", "type": "FULL_OBJECT"},
        "content_type": "text/plain",
        "bucket_region": "eu-1",
        "parts": 3,
        "restore": 'ongoing-request="true"',
        "server_side_encryption_bucket_key_enabled": True,
        "storage_class": "GLACIER",
        "version_id": "v1",
        "metadata": {"owner": "me\x1b[31m"},
    }
    assert validated(render(fields, OutputSettings(json=True)))


def test_what_is_odd_is_text_or_left_out():
    """Digits that are none, a time that is none: the object is told of all the same."""
    fields = object_fields("s3://b/k", {"last-modified": "soon", "x-amz-mp-parts-count": "\xb2", "etag": "x"})
    assert fields == {
        "operation": "head",
        "success": True,
        "key": "s3://b/k",
        "type": "file",
        "etag": "x",
        "mp_parts_count": "\xb2",
    }


@pytest.mark.parametrize(("is_human", "size"), [(False, b"size: 2048\n"), (True, b"size: 2.0 KiB\n")])
def test_text(is_human, size):
    """A line for each field, the deeper ones by their full names, nothing that drives a terminal."""
    text = render(object_fields("s3://b/k", HEADERS), OutputSettings(human_readable=is_human))
    assert text.startswith(b"key: s3://b/k\ntype: file\n" + size)
    assert b"metadata.owner: me\\x1b[31m\n" in text
    assert b"checksum.algorithm: CRC32C\n" in text
    assert b"server_side_encryption_bucket_key_enabled: true\n" in text
    assert b"operation" not in text


def test_a_key_that_is_not_utf8_is_exact_beside():
    """As in every event."""
    fields = object_fields("s3://b/\udcff", {})
    assert (fields["key"], fields["key_b64"]) == ("s3://b/\ufffd", "czM6Ly9iL/8=")


def test_a_bucket():
    """Its region."""
    fields = bucket_fields("s3://b", {"x-amz-bucket-region": "eu-1", "x-amz-request-id": "R", "server": "S"})
    assert fields == {"operation": "head", "success": True, "key": "s3://b", "type": "bucket", "region": "eu-1"}
    assert validated(render(fields, OutputSettings(json=True)))
