"""ListBuckets and DeleteBucket: as botocore sends and reads them."""

from __future__ import annotations

import pytest

from orbit_fast.core import encode
from orbit_fast.core.decode_buckets import list_buckets
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Bucket
from orbit_fast.core.model import Reply
from tests.kit.s3_oracle import Oracle
from tests.kit.s3_oracle import comparable

BODY = (
    "<ListAllMyBucketsResult><Owner><ID>x</ID></Owner><Buckets>"
    "<Bucket><Name>one</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate>"
    "<BucketRegion>eu-west-1</BucketRegion></Bucket>"
    "<Bucket><Name>two</Name><CreationDate>2026-01-02T03:04:05Z</CreationDate></Bucket>"
    "</Buckets>{}</ListAllMyBucketsResult>"
)


@pytest.fixture(scope="module")
def oracle():
    """What botocore does."""
    return Oracle()


def page(text, **asked):
    """What is read in an answer."""
    return list_buckets(Reply(status=200, headers={}, body=text.encode()), **asked)


def test_requests(oracle):
    """As botocore sends them."""
    sent = oracle.request("ListBuckets", Bucket=None, MaxBuckets=7, ContinuationToken="t")
    assert comparable(encode.list_buckets(token="t", max_buckets=7)) == sent
    assert comparable(encode.delete_bucket()) == oracle.request("DeleteBucket")


def test_buckets(oracle):
    """Names, times, regions, and how to go on, as botocore reads them."""
    text = BODY.format("<ContinuationToken>t</ContinuationToken>")
    found = page(text)
    told = oracle.parse("ListBuckets", headers={}, body=text.encode())
    assert [one.name for one in found.buckets] == [one["Name"] for one in told["Buckets"]]
    assert [one.created_ns for one in found.buckets] == [
        int(one["CreationDate"].timestamp()) * 10**9 for one in told["Buckets"]
    ]
    assert [one.region for one in found.buckets] == ["eu-west-1", ""]
    assert (found.next_token, page(BODY.format("")).next_token) == ("t", "")


def test_a_bucket_without_a_time():
    """Services that have none are believed all the same."""
    text = "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name>{}</Bucket></Buckets></ListAllMyBucketsResult>"
    assert page(text.format("")).buckets == (Bucket("b"),)
    assert page(text.format("<CreationDate>0001-01-01T00:00:00Z</CreationDate>")).buckets == (Bucket("b"),)
    assert page("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>").buckets == ()


@pytest.mark.parametrize(
    ("text", "asked", "error"),
    [
        ("", {}, BadReply),
        ("<html></html>", {}, BadReply),
        ("<ListAllMyBucketsResult/>", {}, BadReply),
        (BODY.format("")[:-20], {}, BadReply),
        ("<ListAllMyBucketsResult><Buckets><Bucket/></Buckets></ListAllMyBucketsResult>", {}, BadReply),
        (BODY.format("<ContinuationToken>t</ContinuationToken>"), {"token": "t"}, BadReply),
        ("<Error><Code>AccessDenied</Code><Message>no</Message></Error>", {}, AccessDenied),
    ],
)
def test_what_is_not_believed(text, asked, error):
    """Nothing but a whole page is a list of buckets."""
    with pytest.raises(error):
        page(text, **asked)
