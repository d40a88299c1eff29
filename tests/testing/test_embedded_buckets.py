"""Buckets as boto3 sees them: made where they may be, denied, paid for, listed in pages; and links that run out."""

from __future__ import annotations

import datetime as dt

import boto3
import botocore.auth
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings


def _client(server, region):
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=region,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture(scope="module")
def regions():
    """Servers of two regions and a client of each: region to (server, client)."""
    with (
        S3Server() as here,
        S3Server(settings=ServerSettings(region="eu-west-1")) as there,
    ):
        found = {"us-east-1": (here, _client(here, "us-east-1")), "eu-west-1": (there, _client(there, "eu-west-1"))}
        for server, client in found.values():
            client.create_bucket(
                Bucket="mine", **({"CreateBucketConfiguration": _at("eu-west-1")} if server is there else {})
            )
            server.store.foreign.add("theirs")
        yield found
        for _, client in found.values():
            client.close()


def _at(region):
    return {"LocationConstraint": region}


def _answer(function, **arguments):
    try:
        return function(**arguments)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


MAKING = [
    ("us-east-1", "new", "", (200, "")),
    ("us-east-1", "mine", "", (200, "")),
    ("us-east-1", "theirs", "", (409, "BucketAlreadyExists")),
    ("us-east-1", "new", "us-east-1", (400, "InvalidLocationConstraint")),
    ("us-east-1", "new", "nowhere", (400, "InvalidLocationConstraint")),
    ("us-east-1", "new", "eu-west-1", (400, "IllegalLocationConstraintException")),
    ("us-east-1", "No_Good", "", (400, "InvalidBucketName")),
    ("eu-west-1", "new", "eu-west-1", (200, "")),
    ("eu-west-1", "newer", "EU", (200, "")),
    ("eu-west-1", "new", "", (400, "IllegalLocationConstraintException")),
    ("eu-west-1", "mine", "eu-west-1", (409, "BucketAlreadyOwnedByYou")),
    ("eu-west-1", "theirs", "eu-west-1", (409, "BucketAlreadyExists")),
]


@pytest.mark.parametrize(("region", "name", "constraint", "answer"), MAKING)
def test_where_buckets_may_be_made(regions, region, name, constraint, answer):
    """The location is this server's region, unnamed in us-east-1 and named elsewhere; names are unique."""
    server, client = regions[region]
    server.store.buckets.pop("new", None)
    options = {"CreateBucketConfiguration": _at(constraint)} if constraint else {}
    assert _answer(client.create_bucket, Bucket=name, **options) == answer


def test_location_and_head(regions):
    """A region is told as LocationConstraint and in the header, us-east-1 only in the header."""
    for region, (_, client) in regions.items():
        location = client.get_bucket_location(Bucket="mine")["LocationConstraint"]
        assert location == (None if region == "us-east-1" else region)
        assert client.head_bucket(Bucket="mine")["BucketRegion"] == region
        assert _answer(client.head_bucket, Bucket="theirs") == (403, "403")
        assert _answer(client.head_bucket, Bucket="nobodys") == (404, "404")


def test_only_empty_buckets_go(client, server, bucket):
    """Objects, old versions and delete markers all keep a bucket alive."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = client.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"]
    marker = client.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for version_id in (version, marker):
        assert _answer(client.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
        client.delete_object(Bucket=bucket, Key="k", VersionId=version_id)
    assert _answer(client.delete_bucket, Bucket=bucket) == (204, "")
    assert bucket not in server.store.buckets


def test_buckets_in_pages(regions):
    """ListBuckets pages where it is asked to, and knows prefix and region."""
    server, client = regions["us-east-1"]
    for number in range(5):
        server.store.create_bucket(f"page-{number}")
    pages = client.get_paginator("list_buckets").paginate(Prefix="page-", PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["Buckets"]] for page in pages] == [
        ["page-0", "page-1"],
        ["page-2", "page-3"],
        ["page-4"],
    ]
    assert client.list_buckets(BucketRegion="eu-west-1")["Buckets"] == []
    assert _answer(client.list_buckets, ContinuationToken="é") == (400, "InvalidArgument")


def test_the_requester_pays(client, server, bucket):
    """Without saying so nobody reads or lists such a bucket; who says so is told that they were charged."""
    server.store.put(bucket, "k", b"x")
    server.store.bucket(bucket).requester_pays = True
    payer = {"RequestPayer": "requester"}
    assert _answer(client.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert _answer(client.list_objects_v2, Bucket=bucket) == (403, "AccessDenied")
    assert client.get_object(Bucket=bucket, Key="k", **payer)["RequestCharged"] == "requester"
    assert client.list_objects_v2(Bucket=bucket, **payer)["KeyCount"] == 1
    assert client.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    server.store.create_bucket("payers-own")
    source = {"Bucket": "payers-own", "Key": "copy", "CopySource": f"{bucket}/k"}
    assert _answer(client.copy_object, **source) == (403, "AccessDenied")
    assert _answer(client.copy_object, **source, **payer) == (200, "")
    server.store.buckets.pop("payers-own")


def test_operations_are_denied_one_by_one(client, server, bucket):
    """What a bucket denies is refused, and everything else works."""
    server.store.put(bucket, "k", b"x")
    server.store.bucket(bucket).denied |= {"GetObject", "DeleteObjects"}
    assert _answer(client.get_object, Bucket=bucket, Key="k") == (403, "AccessDenied")
    assert _answer(client.head_object, Bucket=bucket, Key="k") == (200, "")
    assert _answer(client.delete_objects, Bucket=bucket, Delete={"Objects": [{"Key": "k"}]}) == (403, "AccessDenied")
    assert _answer(client.copy_object, Bucket=bucket, Key="c", CopySource=f"{bucket}/k") == (403, "AccessDenied")
    assert server.store.keys(bucket) == ["k"]


def test_acls_are_accepted(client, server, bucket):
    """PutObjectAcl takes a canned ACL, which GetObjectAcl shows; two kinds at once are refused."""
    server.store.put(bucket, "k", b"x")
    client.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    grants = client.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [one["Permission"] for one in grants] == ["FULL_CONTROL", "READ"]
    both = {"ACL": "private", "GrantRead": "id=abc"}
    assert _answer(client.put_object_acl, Bucket=bucket, Key="k", **both) == (400, "InvalidRequest")
    assert _answer(client.put_object_acl, Bucket=bucket, Key="none", ACL="private") == (404, "NoSuchKey")


def test_object_attributes(client, server, bucket):
    """GetObjectAttributes tells what was asked for, the parts in pages."""
    upload = {"Bucket": bucket, "Key": "k"}
    made = client.create_multipart_upload(**upload, ChecksumAlgorithm="CRC32C", ChecksumType="COMPOSITE")
    upload["UploadId"] = made["UploadId"]
    parts = []
    for number in (1, 2, 3):
        sent = client.upload_part(PartNumber=number, Body=b"x" * 65536, ChecksumAlgorithm="CRC32C", **upload)
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32C": sent["ChecksumCRC32C"]})
    done = client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
    asked = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    told = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=asked, MaxParts=2)
    assert told["ETag"] == done["ETag"].strip('"')
    assert (told["StorageClass"], told["ObjectSize"]) == ("STANDARD", 3 * 65536)
    assert told["Checksum"] == {"ChecksumCRC32C": done["ChecksumCRC32C"], "ChecksumType": "COMPOSITE"}
    shown = told["ObjectParts"]
    assert (shown["TotalPartsCount"], shown["IsTruncated"], shown["NextPartNumberMarker"]) == (3, True, 2)
    assert [one["ChecksumCRC32C"] for one in shown["Parts"]] == [one["ChecksumCRC32C"] for one in parts[:2]]
    rest = client.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], PartNumberMarker=2)
    assert [one["PartNumber"] for one in rest["ObjectParts"]["Parts"]] == [3]
    assert "ETag" not in rest
    one_piece = client.put_object(Bucket=bucket, Key="one", Body=b"x")
    told = client.get_object_attributes(Bucket=bucket, Key="one", ObjectAttributes=asked)
    assert told["ETag"] == one_piece["ETag"].strip('"')
    assert "ObjectParts" not in told


def test_links_read_and_write_until_they_run_out(raw, server, bucket, monkeypatch):
    """A presigned PUT stores, a presigned GET reads, and neither does after its time."""
    target = f"/{bucket}/a%20b%2B%C3%BC"
    assert raw.send_unsigned("PUT", raw.presigned("PUT", target), body=b"by link").status == 200
    assert server.store.read(bucket, "a b+ü") == b"by link"
    link = raw.presigned("GET", target)
    assert raw.send_unsigned("GET", link).body == b"by link"
    assert raw.send_unsigned("PUT", link, body=b"other").code == "SignatureDoesNotMatch"
    past = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(seconds=61)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: past)
    for method in ("GET", "PUT"):
        late = raw.send_unsigned(method, raw.presigned(method, target, expires_s=60), body=b"")
        assert (late.status, late.code) == (403, "AccessDenied")
        assert b"Request has expired" in late.body
    too_long = raw.send_unsigned("GET", raw.presigned("GET", target, expires_s=604_801))
    assert too_long.code == "AuthorizationQueryParametersError"
