"""Directory buckets of the embedded server, as botocore's client meets them: sessions, no order, their own limits."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from orbit_fast.testing import S3Server
from orbit_fast.testing.settings import ServerSettings

BUCKET = "base--use1-az4--x-s3"
NAMES = [f"d/{number}" for number in range(7)] + ["d/deep/x", "d/deep/y", "top"]


@pytest.fixture(scope="module")
def server():
    """A server with a directory bucket of a few keys."""
    with S3Server(settings=ServerSettings(max_page_keys=3)) as server:
        server.store.create_bucket(BUCKET)
        for name in NAMES:
            server.store.put(BUCKET, name, name.encode())
        yield server


def _client(server, **options):
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def _refused(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(Bucket=BUCKET, **parameters)
    return caught.value.response["Error"]["Code"]


def test_botocore_uses_it_within_one_session(server):
    """Put, read, copy and delete: its client begins one session and is believed."""
    client = _client(server)
    before = server.store.counts["CreateSession"]
    made = client.put_object(Bucket=BUCKET, Key="new", Body=b"abc")
    told = client.get_object(Bucket=BUCKET, Key="new")
    assert (told["Body"].read(), told["StorageClass"], told["ETag"]) == (b"abc", "EXPRESS_ONEZONE", made["ETag"])
    assert made["ETag"] != '"900150983cd24fb0d6963f7d28e17f72"'  # the MD5
    client.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "new"})
    gone = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "new"}, {"Key": "copy"}]})
    assert len(gone["Deleted"]) == 2
    assert server.store.counts["CreateSession"] == before + 1


def test_a_session_that_is_over_is_refused_and_the_callers_own_keys_are_good_too(server):
    """With the code that clients know; who has switched sessions off needs none."""
    client = _client(server)
    client.head_object(Bucket=BUCKET, Key="top")
    server.store.sessions.end()
    assert _refused(client.delete_object, Key="nothing") == "ExpiredToken"
    own = _client(server, s3_disable_express_session_auth=True)
    assert own.head_object(Bucket=BUCKET, Key="top")["ContentLength"] == 3


def test_pages_come_in_no_order_but_whole(server):
    """Every key once, over all pages, and every time in the same order."""
    pages = _client(server).get_paginator("list_objects_v2")
    found = [[one["Key"] for page in pages.paginate(Bucket=BUCKET) for one in page["Contents"]] for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] != sorted(found[0])
    assert sorted(found[0]) == sorted(NAMES)
    below = list(pages.paginate(Bucket=BUCKET, Prefix="d/", Delimiter="/"))
    assert sorted(one["Key"] for page in below for one in page.get("Contents", ())) == NAMES[:7]
    assert [one["Prefix"] for page in below for one in page.get("CommonPrefixes", ())] == ["d/deep/"]


def test_what_such_a_bucket_does_not_know_is_refused(server):
    """A beginning elsewhere, prefixes within names, other delimiters, versions, tags; parts with gaps."""
    client = _client(server)
    assert _refused(client.list_objects_v2, StartAfter="d/3") == "NotImplemented"
    assert _refused(client.list_objects_v2, Prefix="d/d") == "InvalidArgument"
    assert _refused(client.list_objects_v2, Delimiter="d") == "InvalidArgument"
    assert _refused(client.list_multipart_uploads, Prefix="d") == "InvalidArgument"
    for call in (client.list_objects, client.list_object_versions):
        assert _refused(call) == "NotImplemented"
    assert _refused(client.get_object_tagging, Key="top") == "NotImplemented"
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="gap")["UploadId"]
    part = client.upload_part(Bucket=BUCKET, Key="gap", UploadId=upload, PartNumber=2, Body=b"x")
    parts = {"Parts": [{"PartNumber": 2, "ETag": part["ETag"]}]}
    given = {"Key": "gap", "UploadId": upload, "MultipartUpload": parts}
    assert _refused(client.complete_multipart_upload, **given) == "InvalidPartOrder"


def test_who_may_begin_no_session_gets_nothing(server):
    """And there are no sessions of other buckets."""
    bucket = server.store.buckets[BUCKET]
    bucket.denied.add("CreateSession")
    try:
        assert _refused(_client(server).get_object, Key="top") == "AccessDenied"
    finally:
        bucket.denied.clear()
