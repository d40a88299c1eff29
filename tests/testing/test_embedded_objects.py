"""Objects as boto3 sees them: put, get, head, delete, copy, tags."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os

import pytest
from botocore.exceptions import ClientError

from orbit_fast.testing.store import Attributes

NAMES = ["p", "a b", "a+b", "100%", "q?x#y", "@&*[]", "ümlaut", "u\u0308", "e\U0001f680", "n\nl\tt", "u\x85", "a//b",
         "/lead", "dir/", "..", "../../evil", "<&>\"'", "~-_.!()", "k" * 1024, "=;,:"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_name_comes_back(client, server, bucket, name):
    """A key is any text: it is stored, listed and read under exactly its name."""
    client.put_object(Bucket=bucket, Key=name, Body=name.encode())
    assert server.store.keys(bucket) == [name]
    assert client.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode()
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == [name]
    client.delete_object(Bucket=bucket, Key=name)
    assert server.store.keys(bucket) == []


ATTRIBUTES = {
    "ContentType": "text/x",
    "ContentEncoding": "gzip",
    "ContentDisposition": 'attachment; filename="a"',
    "ContentLanguage": "de",
    "CacheControl": "no-store",
    "StorageClass": "STANDARD_IA",
    "Metadata": {"one": "1", "two": "zwei und mehr"},
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "key-1",
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_are_kept(client, bucket, name):
    """What an object is given when it is put is what HeadObject says."""
    wanted = {name: ATTRIBUTES[name]} | ({"ServerSideEncryption": "aws:kms"} if name == "SSEKMSKeyId" else {})
    client.put_object(Bucket=bucket, Key="k", Body=b"x", **wanted)
    assert client.head_object(Bucket=bucket, Key="k")[name] == ATTRIBUTES[name]


def test_expires_and_tags(client, bucket):
    """Expires is kept as sent; tags are counted, and read by their own operation."""
    client.put_object(Bucket=bucket, Key="k", Expires=dt.datetime(2030, 1, 2, tzinfo=dt.UTC), Tagging="a=1&b=%20")
    head = client.head_object(Bucket=bucket, Key="k")
    assert head["ExpiresString"] == "Wed, 02 Jan 2030 00:00:00 GMT"
    assert client.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    assert client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": " "},
    ]
    client.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "c", "Value": "3"}]
    client.delete_object_tagging(Bucket=bucket, Key="k")
    assert client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_etag_is_the_md5_unless_encrypted_with_a_key(client, bucket):
    """An ETag is the MD5 of the body, and is not under KMS."""
    digest = f'"{hashlib.md5(b"x").hexdigest()}"'
    assert client.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"] == digest
    assert client.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")["ETag"] != digest


RANGES = [
    ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
    ("bytes=3-5", 206, b"345", "bytes 3-5/10"),
    ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=10-", 416, b"", ""),
    ("bytes=-0", 416, b"", ""),
    ("bytes=5-3", 200, b"0123456789", ""),
    ("bytes=0-1,4-5", 200, b"0123456789", ""),
    ("lines=0-1", 200, b"0123456789", ""),
    ("nonsense", 200, b"0123456789", ""),
]


@pytest.mark.parametrize(("text", "status", "body", "content_range"), RANGES)
def test_ranges(raw, server, bucket, text, status, body, content_range):
    """One satisfiable range gives 206, one beyond the end 416, anything else the whole object."""
    server.store.put(bucket, "k", b"0123456789")
    answer = raw.send("GET", f"/{bucket}/k", headers={"range": text})
    assert answer.status == status
    assert answer.headers.get("content-range", "") == content_range
    if status == 416:
        assert answer.code == "InvalidRange"
        assert b"<ActualObjectSize>10</ActualObjectSize>" in answer.body
    else:
        assert answer.body == body


def test_checksum_comes_only_with_the_whole_object(client, bucket):
    """A stored checksum is told in checksum mode, for HEAD and whole GET, never for a range."""
    client.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="CRC32C")
    assert client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC32C"] == "mnG7TA=="
    assert client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumType"] == "FULL_OBJECT"
    ranged = client.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED", Range="bytes=0-4")
    assert "ChecksumCRC32C" not in ranged
    assert "x-amz-checksum-crc32c" not in client.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]


def _past():
    return dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


def _future():
    return dt.datetime(2099, 1, 1, tzinfo=dt.UTC)


ETAG = hashlib.md5(b"x").hexdigest()
READ_CONDITIONS = [
    ({"IfMatch": ETAG}, 200),
    ({"IfMatch": f'"{ETAG}"'}, 200),
    ({"IfMatch": "*"}, 200),
    ({"IfMatch": "other"}, 412),
    ({"IfNoneMatch": "other"}, 200),
    ({"IfNoneMatch": ETAG}, 304),
    ({"IfModifiedSince": _past()}, 200),
    ({"IfModifiedSince": _future()}, 304),
    ({"IfUnmodifiedSince": _past()}, 412),
    ({"IfUnmodifiedSince": _future()}, 200),
    ({"IfMatch": ETAG, "IfUnmodifiedSince": _past()}, 200),
    ({"IfNoneMatch": "other", "IfModifiedSince": _future()}, 200),
]


def _status(function, **arguments):
    try:
        return function(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(("condition", "status"), READ_CONDITIONS)
def test_read_conditions(client, server, bucket, condition, status):
    """GET and HEAD give 412 and 304 by the precedence of RFC 9110."""
    server.store.put(bucket, "k", b"x")
    assert _status(client.get_object, Bucket=bucket, Key="k", **condition) == status
    assert _status(client.head_object, Bucket=bucket, Key="k", **condition) == status


WRITE_CONDITIONS = [
    ({"IfNoneMatch": "*"}, False, 200, ""),
    ({"IfNoneMatch": "*"}, True, 412, "PreconditionFailed"),
    ({"IfMatch": ETAG}, True, 200, ""),
    ({"IfMatch": "other"}, True, 412, "PreconditionFailed"),
    ({"IfMatch": ETAG}, False, 404, "NoSuchKey"),
    ({"IfNoneMatch": ETAG}, True, 501, "NotImplemented"),
]


@pytest.mark.parametrize(("condition", "exists", "status", "code"), WRITE_CONDITIONS)
def test_write_conditions(client, server, bucket, condition, exists, status, code):
    """A conditional PUT takes effect only where its condition holds."""
    if exists:
        server.store.put(bucket, "k", b"x")
    assert _status(client.put_object, Bucket=bucket, Key="k", Body=b"new", **condition) == status
    assert server.store.log[-1].code == code
    stored = server.store.read(bucket, "k") if exists or status == 200 else None
    assert stored == (b"new" if status == 200 else b"x" if exists else None)


ERRORS = [
    ("get_object", {"Key": "none"}, 404, "NoSuchKey"),
    ("head_object", {"Key": "none"}, 404, "404"),
    ("get_object", {"Bucket": "no-such-bucket", "Key": "k"}, 404, "NoSuchBucket"),
    ("list_objects_v2", {"Bucket": "no-such-bucket"}, 404, "NoSuchBucket"),
    ("head_bucket", {"Bucket": "no-such-bucket"}, 404, "404"),
    ("put_object", {"Bucket": "no-such-bucket", "Key": "k"}, 404, "NoSuchBucket"),
    ("put_object", {"Key": "k" * 1025}, 400, "KeyTooLongError"),
    ("put_object", {"Key": "ü" * 513}, 400, "KeyTooLongError"),
    ("put_object", {"Key": "k", "Metadata": {"a": "x" * 2048}}, 400, "MetadataTooLarge"),
    ("put_object", {"Key": "k", "StorageClass": "NONE"}, 400, "InvalidStorageClass"),
    ("put_object", {"Key": "k", "ACL": "nobody"}, 400, "InvalidArgument"),
    ("put_object", {"Key": "k", "ServerSideEncryption": "rot13"}, 400, "InvalidArgument"),
    ("put_object", {"Key": "k", "Tagging": "a=1&a=2"}, 400, "InvalidTag"),
    ("get_object", {"Key": "there", "PartNumber": 2}, 416, "InvalidPartNumber"),
    ("get_object", {"Key": "there", "VersionId": "nope"}, 404, "NoSuchVersion"),
    ("get_object", {"Key": "icy"}, 403, "InvalidObjectState"),
    ("get_bucket_policy", {}, 501, "NotImplemented"),
    ("get_bucket_lifecycle_configuration", {}, 501, "NotImplemented"),
    ("delete_bucket", {}, 409, "BucketNotEmpty"),
    ("copy_object", {"Key": "c", "CopySource": "nowhere/k"}, 404, "NoSuchBucket"),
    ("copy_object", {"Key": "c", "CopySource": "{bucket}/none"}, 404, "NoSuchKey"),
    ("copy_object", {"Key": "there", "CopySource": "{bucket}/there"}, 400, "InvalidRequest"),
    ("copy_object", {"Key": "c", "CopySource": "{bucket}/huge"}, 400, "InvalidRequest"),
    ("copy_object", {"Key": "c", "CopySource": "{bucket}/icy"}, 403, "InvalidObjectState"),
    ("copy_object", {"Key": "c", "CopySource": "{bucket}/there", "CopySourceIfMatch": "no"}, 412, "PreconditionFailed"),
    (
        "copy_object",
        {"Key": "c", "CopySource": "{bucket}/there", "CopySourceIfNoneMatch": ETAG},
        412,
        "PreconditionFailed",
    ),
    ("copy_object", {"Key": "c", "CopySource": "{bucket}/there", "MetadataDirective": "KEEP"}, 400, "InvalidArgument"),
    ("list_objects_v2", {"ContinuationToken": "nonsense"}, 400, "InvalidArgument"),
    ("list_objects_v2", {"EncodingType": "hex"}, 400, "InvalidArgument"),
    ("delete_object", {"Key": "there", "IfMatch": "other"}, 412, "PreconditionFailed"),
    ("restore_object", {"Key": "there", "RestoreRequest": {"Days": 1}}, 403, "InvalidObjectState"),
    (
        "put_object",
        {"Key": "k", "SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32},
        400,
        "InvalidRequest",
    ),
]


@pytest.mark.parametrize(("operation", "arguments", "status", "code"), ERRORS)
def test_errors(client, server, bucket, operation, arguments, status, code):
    """Every refusal has S3's status and code, and changes nothing."""
    server.store.put(bucket, "there", b"x")
    server.store.put(bucket, "huge", bytes((1 << 20) + 1))
    server.store.put(bucket, "icy", b"x", Attributes(storage_class="GLACIER"))
    arguments = {"Bucket": bucket} | arguments
    if "CopySource" in arguments:
        arguments["CopySource"] = arguments["CopySource"].format(bucket=bucket)
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert caught.value.response["Error"]["Code"] == code
    assert server.store.keys(bucket) == ["huge", "icy", "there"]


def test_restore_makes_an_archived_object_readable(client, server, bucket):
    """After RestoreObject the bytes can be read, and HeadObject says why."""
    server.store.put(bucket, "icy", b"cold", Attributes(storage_class="DEEP_ARCHIVE"))
    client.restore_object(Bucket=bucket, Key="icy", RestoreRequest={"Days": 2})
    assert client.get_object(Bucket=bucket, Key="icy")["Body"].read() == b"cold"
    assert 'ongoing-request="false"' in client.head_object(Bucket=bucket, Key="icy")["Restore"]


def test_copy_takes_metadata_or_replaces_it(client, server, bucket):
    """CopyObject keeps bytes, metadata and tags; REPLACE takes the request's; the storage class is the request's."""
    client.put_object(Bucket=bucket, Key="a b/ü", Body=b"x", Metadata={"m": "1"}, Tagging="t=1", ContentType="a/b",
                      StorageClass="STANDARD_IA")  # fmt: skip
    source = {"Bucket": bucket, "Key": "a b/ü"}
    client.copy_object(Bucket=bucket, Key="same", CopySource=source)
    same = client.get_object(Bucket=bucket, Key="same")
    assert (same["Metadata"], same["ContentType"], same["TagCount"]) == ({"m": "1"}, "a/b", 1)
    assert "StorageClass" not in same
    client.copy_object(Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"},
                       TaggingDirective="REPLACE", Tagging="u=1&v=2")  # fmt: skip
    new = client.get_object(Bucket=bucket, Key="new")
    assert (new["Metadata"], new["ContentType"], new["TagCount"]) == ({"n": "2"}, "binary/octet-stream", 2)
    assert server.store.read(bucket, "new") == b"x"


def test_customer_keys_are_demanded_again(tls_client, tls_server):
    """What was stored with a customer's key is read with that key only."""
    tls_server.store.create_bucket("ssec")
    key, other = os.urandom(32), os.urandom(32)
    options = {"Bucket": "ssec", "Key": "k", "SSECustomerAlgorithm": "AES256"}
    tls_client.put_object(Body=b"secret", SSECustomerKey=key, **options)
    got = tls_client.get_object(SSECustomerKey=key, **options)
    assert got["Body"].read() == b"secret"
    assert got["SSECustomerKeyMD5"] == base64.b64encode(hashlib.md5(key).digest()).decode()
    assert _status(tls_client.get_object, SSECustomerKey=other, **options) == 403
    assert _status(tls_client.get_object, Bucket="ssec", Key="k") == 400
    assert _status(tls_client.head_object, Bucket="ssec", Key="k") == 400


def test_delete_objects_answers_for_each_key(client, server, bucket):
    """DeleteObjects deletes what there is, says Deleted for what there was not, and is silent when asked to be."""
    for key in ("a", "b", "c&<"):
        server.store.put(bucket, key, b"x")
    wanted = [{"Key": key} for key in ("a", "c&<", "none")]
    result = client.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [entry["Key"] for entry in result["Deleted"]] == ["a", "c&<", "none"]
    assert server.store.keys(bucket) == ["b"]
    quiet = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert server.store.keys(bucket) == []


def test_versions(client, server, bucket):
    """A versioned bucket keeps what was overwritten or deleted, and forgets a version only when told to."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    second = client.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    marker = client.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    assert _status(client.get_object, Bucket=bucket, Key="k") == 404
    assert client.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
    assert _status(client.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"]) == 405
    listed = client.list_object_versions(Bucket=bucket)
    assert [(one["VersionId"], one["IsLatest"]) for one in listed["Versions"]] == [(second, False), (first, False)]
    assert listed["DeleteMarkers"][0]["IsLatest"] is True
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    client.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    for version in (first, second):
        client.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert server.store.bucket(bucket).versions == {}


def test_buckets(client, server):
    """Buckets are made, found, located, listed and removed."""
    client.create_bucket(Bucket="made-here")
    assert client.head_bucket(Bucket="made-here")["BucketRegion"] == "us-east-1"
    assert client.get_bucket_location(Bucket="made-here")["LocationConstraint"] is None
    assert "made-here" in [one["Name"] for one in client.list_buckets()["Buckets"]]
    client.delete_bucket(Bucket="made-here")
    assert "made-here" not in server.store.buckets


def test_large_bodies_live_in_files_that_vanish_with_the_object(client, server, bucket):
    """An object above one MiB is on disk, comes back whole and in ranges, and leaves no file behind."""
    data = os.urandom(3 * 1024 * 1024 + 7)
    client.put_object(Bucket=bucket, Key="big", Body=data)
    path = server.store.bucket(bucket).find("big").content.pieces[0][0].path
    assert path.stat().st_size == len(data)
    assert client.get_object(Bucket=bucket, Key="big")["Body"].read() == data
    part = client.get_object(Bucket=bucket, Key="big", Range=f"bytes=1000000-{len(data) - 2}")["Body"].read()
    assert part == data[1_000_000:-1]
    client.delete_object(Bucket=bucket, Key="big")
    assert not path.exists()


def test_tls_upload_with_trailer_and_large_download(tls_client, tls_server):
    """Over TLS boto3 sends its checksum in a trailer; the server verifies and stores it."""
    tls_server.store.create_bucket("tls")
    data = os.urandom(2 * 1024 * 1024 + 1)
    tls_client.put_object(Bucket="tls", Key="k", Body=data)
    entry = tls_server.store.log[-1]
    assert entry.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert tls_client.get_object(Bucket="tls", Key="k", ChecksumMode="ENABLED")["Body"].read() == data
    assert tls_client.head_object(Bucket="tls", Key="k")["ContentLength"] == len(data)
    assert "ContentEncoding" not in tls_client.head_object(Bucket="tls", Key="k")
