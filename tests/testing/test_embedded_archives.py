"""Archived objects as boto3 sees them: refused, restored, and gone again."""

from __future__ import annotations

import math

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.archives import DAY_S
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import Restore


@pytest.fixture(scope="module")
def slow():
    """A server whose restores end when a test says so, and a client of it."""
    with S3Server(settings=ServerSettings(restore_s=math.inf)) as server:
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        yield server, client
        client.close()


def _answer(function, **arguments):
    """The status of an answer and the code of its error."""
    try:
        return function(**arguments)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_the_way_of_a_restore(slow, storage_class):
    """202 begins it, 409 while it runs, 200 moves its expiry; only a finished one lets GET read."""
    server, client = slow
    bucket = f"way-{storage_class.lower().replace('_', '-')}"
    server.store.create_bucket(bucket)
    server.store.put(bucket, "icy", b"cold", Attributes(storage_class=storage_class))
    one = {"Bucket": bucket, "Key": "icy"}
    wanted = {"RestoreRequest": {"Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}}
    assert "Restore" not in client.head_object(**one)
    assert _answer(client.restore_object, **one, **wanted) == (202, "")
    assert client.head_object(**one)["Restore"] == 'ongoing-request="true"'
    assert _answer(client.restore_object, **one, **wanted) == (409, "RestoreAlreadyInProgress")
    assert _answer(client.get_object, **one) == (403, "InvalidObjectState")
    server.store.finish_restores(bucket)
    assert client.head_object(**one)["Restore"].startswith('ongoing-request="false", expiry-date="')
    assert client.get_object(**one)["Body"].read() == b"cold"
    assert _answer(client.restore_object, **one, **wanted) == (200, "")
    server.store.bucket(bucket).find("icy").restore = Restore(ready_s=0, expires_s=server.store.now() - DAY_S)
    assert _answer(client.get_object, **one) == (403, "InvalidObjectState")
    assert "Restore" not in client.head_object(**one)


WRONG = [
    ("STANDARD", {"Days": 1}, (403, "InvalidObjectState")),
    ("GLACIER_IR", {"Days": 1}, (403, "InvalidObjectState")),
    ("GLACIER", {"Days": 0}, (400, "InvalidArgument")),
    ("GLACIER", {}, (400, "MalformedXML")),
    ("GLACIER", {"Days": 1, "GlacierJobParameters": {"Tier": "Fast"}}, (400, "MalformedXML")),
    ("DEEP_ARCHIVE", {"Days": 1, "GlacierJobParameters": {"Tier": "Expedited"}}, (400, "InvalidArgument")),
    ("GLACIER", {"Type": "SELECT"}, (501, "NotImplemented")),
]


@pytest.mark.parametrize(("storage_class", "wanted", "answer"), WRONG)
def test_restores_that_cannot_be(slow, storage_class, wanted, answer):
    """Objects that are not archived, no days, unknown tiers: refused, and nothing is begun."""
    server, client = slow
    server.store.create_bucket("wrong")
    server.store.put("wrong", "k", b"", Attributes(storage_class=storage_class))
    assert _answer(client.restore_object, Bucket="wrong", Key="k", RestoreRequest=wanted) == answer
    assert server.store.bucket("wrong").find("k").restore is None


def test_a_version_is_restored_by_its_id(slow):
    """RestoreObject with a version id begins just that one."""
    server, client = slow
    bucket = server.store.create_bucket("versioned")
    bucket.versioning = "Enabled"
    first, second = (server.store.put("versioned", "k", b"x", Attributes(storage_class="GLACIER")) for _ in "12")
    client.restore_object(Bucket="versioned", Key="k", VersionId=first.version_id, RestoreRequest={"Days": 1})
    assert first.restore is not None
    assert second.restore is None
