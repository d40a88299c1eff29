"""Versions and delete markers as boto3 sees them, and deleting what is meant."""

from __future__ import annotations

import base64
import hashlib

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def versioned(client, bucket):
    """A bucket whose versioning is on."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def _refused(function, **arguments):
    """The status and headers of an answer that must be an error."""
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    return caught.value.response["ResponseMetadata"]


def _listed(client, bucket, **arguments):
    """Every version and delete marker of a listing: (key, version id), newest first within a key."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, **arguments)
    return [
        (one["Key"], one["VersionId"])
        for page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]


def test_a_delete_marker_is_told_in_headers(client, versioned):
    """GET and HEAD of what a marker hides are 404, of the marker itself 405; both name it."""
    client.put_object(Bucket=versioned, Key="k", Body=b"1")
    marker = client.delete_object(Bucket=versioned, Key="k")["VersionId"]
    for function in (client.get_object, client.head_object):
        hidden = _refused(function, Bucket=versioned, Key="k")
        assert hidden["HTTPStatusCode"] == 404
        assert hidden["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert hidden["HTTPHeaders"]["x-amz-version-id"] == marker
        named = _refused(function, Bucket=versioned, Key="k", VersionId=marker)
        assert named["HTTPStatusCode"] == 405
        assert named["HTTPHeaders"]["allow"] == "DELETE"
        assert named["HTTPHeaders"]["last-modified"].endswith(" GMT")


def test_suspended_versioning_replaces_only_the_null_version(client, server, bucket):
    """What was there before versioning is `null`; a suspended bucket overwrites and deletes just that one."""
    client.put_object(Bucket=bucket, Key="k", Body=b"before")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = client.put_object(Bucket=bucket, Key="k", Body=b"kept")["VersionId"]
    assert client.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert client.put_object(Bucket=bucket, Key="k", Body=b"after")["VersionId"] == "null"
    assert _listed(client, bucket) == [("k", "null"), ("k", kept)]
    deleted = client.delete_object(Bucket=bucket, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert sorted(_listed(client, bucket)) == sorted([("k", "null"), ("k", kept)])
    client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def test_delete_objects_tells_what_became_of_versions(client, versioned):
    """A plain key gets a marker, a named version goes for good, a named marker says that it was one."""
    version = client.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    first = client.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
    assert (first["Key"], first["DeleteMarker"]) == ("k", True)
    marker = first["DeleteMarkerVersionId"]
    wanted = [{"Key": "k", "VersionId": marker}, {"Key": "k", "VersionId": version}]
    told = client.delete_objects(Bucket=versioned, Delete={"Objects": wanted})["Deleted"]
    assert told == [
        {"Key": "k", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker},
        {"Key": "k", "VersionId": version},
    ]
    assert _listed(client, versioned) == []


def test_delete_objects_refuses_single_keys(client, raw, versioned):
    """A key that is too long, or whose condition does not hold, fails alone; an empty key fails everything."""
    client.put_object(Bucket=versioned, Key="k", Body=b"1")
    wanted = [{"Key": "x" * 1025}, {"Key": "k", "ETag": "other"}, {"Key": "none"}]
    answer = client.delete_objects(Bucket=versioned, Delete={"Objects": wanted})
    assert [one["Code"] for one in answer["Errors"]] == ["KeyTooLongError", "PreconditionFailed"]
    assert [one["Key"] for one in answer["Deleted"]] == ["none"]
    body = b"<Delete><Object><Key></Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    refused = raw.send("POST", f"/{versioned}?delete=", headers={"content-md5": digest}, body=body)
    assert refused.code == "UserKeyMustBeSpecified"


def test_a_listing_goes_on_where_versions_were_deleted(client, versioned):
    """Deleting each page before asking for the next one loses no version: not of one key either."""
    for number in range(7):
        client.put_object(Bucket=versioned, Key="k", Body=b"%d" % number)
        client.put_object(Bucket=versioned, Key=f"other-{number}", Body=b"")
    markers, seen = {}, []
    while True:
        page = client.list_object_versions(Bucket=versioned, MaxKeys=3, **markers)
        seen += [(one["Key"], one["VersionId"]) for one in page["Versions"]]
        wanted = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in page["Versions"]]
        client.delete_objects(Bucket=versioned, Delete={"Objects": wanted, "Quiet": True})
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}
    assert len(set(seen)) == len(seen) == 14
    assert _listed(client, versioned) == []


def test_a_null_version_that_is_gone_still_marks_its_place(client, bucket):
    """A page may begin behind a `null` version that was deleted meanwhile."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    oldest = client.put_object(Bucket=bucket, Key="k", Body=b"0")["VersionId"]
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_object(Bucket=bucket, Key="k", Body=b"1")
    client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    page = client.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker="null")
    assert [one["VersionId"] for one in page["Versions"]] == [oldest]


WRONG_IDS = [
    ("list_object_versions", {"KeyMarker": "k", "VersionIdMarker": "?"}),
    ("get_object", {"Key": "k", "VersionId": ""}),
]


@pytest.mark.parametrize(("operation", "arguments"), WRONG_IDS)
def test_version_ids_that_are_none(client, versioned, operation, arguments):
    """A marker that never was a version id, and an empty version id, are refused."""
    client.put_object(Bucket=versioned, Key="k", Body=b"1")
    answer = _refused(getattr(client, operation), Bucket=versioned, **arguments)
    assert answer["HTTPStatusCode"] == 400


def test_a_page_of_versions_has_at_most_a_thousand(client, server, versioned):
    """Asking for more than 1,000 gives 1,000, and says where to go on."""
    made = [server.store.put(versioned, "k", b"").version_id for _ in range(1001)]
    page = client.list_object_versions(Bucket=versioned, MaxKeys=5000)
    assert [one["VersionId"] for one in page["Versions"]] == made[:0:-1]
    assert [one["IsLatest"] for one in page["Versions"]] == [True] + [False] * 999
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("k", made[1])


def test_a_delete_may_have_a_condition(client, bucket):
    """DeleteObject with If-Match deletes only what has that ETag."""
    etag = client.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert _refused(client.delete_object, Bucket=bucket, Key="k", IfMatch='"other"')["HTTPStatusCode"] == 412
    assert client.delete_object(Bucket=bucket, Key="k", IfMatch=etag)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert _refused(client.delete_object, Bucket=bucket, Key="k", IfMatch=etag)["HTTPStatusCode"] == 404


def test_an_aborted_upload_still_marks_its_place(client, bucket):
    """Aborting the last upload of each page before asking for the next one loses none."""
    for number in range(5):
        client.create_multipart_upload(Bucket=bucket, Key="same" if number < 4 else "then")
    markers, seen = {}, []
    while True:
        page = client.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **markers)
        for one in page["Uploads"][-1:]:
            client.abort_multipart_upload(Bucket=bucket, Key=one["Key"], UploadId=one["UploadId"])
        seen += [one["UploadId"] for one in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert len(set(seen)) == len(seen) == 5
