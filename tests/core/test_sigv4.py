"""Signature Version 4 against AWS's published examples and botocore's signer."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.sigv4 import EMPTY_SHA256
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import format_amz_date
from orbit_fast.core.uri import encode_key
from orbit_fast.core.uri import encode_query

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_EXAMPLES = Signer(Credentials(ACCESS_KEY, SECRET_KEY), "us-east-1", "s3")
EXAMPLE_HOST = "examplebucket.s3.amazonaws.com"
EXAMPLE_DATE = "20130524T000000Z"

UTF8_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HEADER_VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
HEADER_NAME = st.sampled_from(["content-type", "range", "if-match", "x-amz-acl", "x-amz-meta-a%s", "x-amz-meta-b"])
MOMENT = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2105, 1, 1))  # noqa: DTZ001 - botocore's are naive too


def freeze_botocore(moment):
    """Give botocore's signer a clock that stands still."""
    return mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment)


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload_sha256", "signature"),
    [
        pytest.param(
            "GET",
            "/test.txt",
            "",
            {"range": "bytes=0-9"},
            EMPTY_SHA256,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="GET Object with Range",
        ),
        pytest.param(
            "PUT",
            "/test%24file.text",
            "",
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            sha256(b"Welcome to Amazon S3.").hexdigest(),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            id="PUT Object",
        ),
        pytest.param(
            "GET",
            "/",
            "lifecycle=",
            {},
            EMPTY_SHA256,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="GET Bucket Lifecycle",
        ),
        pytest.param(
            "GET",
            "/",
            "max-keys=2&prefix=J",
            {},
            EMPTY_SHA256,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="List Objects",
        ),
    ],
)
def test_authorize_gives_the_signatures_that_aws_publishes(method, path, query, headers, payload_sha256, signature):
    """The examples of S3's "Signature Calculations for the Authorization Header" come out as printed there."""
    own = {"host": EXAMPLE_HOST, "x-amz-content-sha256": payload_sha256, "x-amz-date": EXAMPLE_DATE}
    signed = sorted((own | headers).items())
    value = AWS_EXAMPLES.authorize(method, path, query, signed, payload_sha256, EXAMPLE_DATE)
    names = ";".join(name for name, _ in signed)
    assert value == (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20130524/us-east-1/s3/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def test_presign_gives_the_url_that_aws_publishes():
    """The example of S3's "Authenticating Requests: Using Query Parameters" comes out as printed there."""
    url = AWS_EXAMPLES.presign(
        method="GET",
        endpoint=Endpoint("https", EXAMPLE_HOST, 443, EXAMPLE_HOST),
        key="test.txt",
        query=(),
        amz_date=EXAMPLE_DATE,
        expires_s=86400,
    )
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    key=UTF8_TEXT,
    query=st.lists(st.tuples(UTF8_TEXT, UTF8_TEXT), max_size=4),
    headers=st.dictionaries(HEADER_NAME, HEADER_VALUE),
    body=st.binary(max_size=40),
    token=st.sampled_from(["", "a/session+token=="]),
    moment=MOMENT,
    secret_key=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80),
)
def test_authorize_equals_botocore(method, key, query, headers, body, token, moment, secret_key):
    """For any request the Authorization value is the one that botocore's S3 signer gives."""
    amz_date = moment.strftime("%Y%m%dT%H%M%SZ")
    path, encoded_query = "/bucket/" + encode_key(key), encode_query(query)
    url = f"http://example.com:9000{path}?{encoded_query}"
    theirs = AWSRequest(method=method, url=url, data=body, headers=headers)
    with freeze_botocore(moment):
        credentials = BotocoreCredentials(ACCESS_KEY, secret_key, token or None)
        S3SigV4Auth(credentials, "s3", "eu-central-1").add_auth(theirs)

    payload_sha256 = sha256(body).hexdigest()
    own = {"host": "example.com:9000", "x-amz-content-sha256": payload_sha256, "x-amz-date": amz_date}
    own |= {"x-amz-security-token": token} if token else {}
    signer = Signer(Credentials(ACCESS_KEY, secret_key, token), "eu-central-1", "s3")
    signed = sorted((own | headers).items())
    value = signer.authorize(method, path, encoded_query, signed, payload_sha256, amz_date)
    assert value == theirs.headers["Authorization"]


@given(
    method=st.sampled_from(["GET", "PUT"]),
    key=UTF8_TEXT.filter(bool),
    query=st.dictionaries(UTF8_TEXT.filter(bool), UTF8_TEXT, max_size=3),
    headers=st.dictionaries(HEADER_NAME, HEADER_VALUE, max_size=2),
    token=st.sampled_from(["", "a/session+token=="]),
    moment=MOMENT,
    expires_s=st.integers(1, 604_800),
)
def test_presign_equals_botocore(method, key, query, headers, token, moment, expires_s):
    """For any object, query and signed headers the URL is the one that botocore's S3 query signer gives."""
    theirs = AWSRequest(
        method=method, url=f"https://h.example/base/{encode_key(key)}", headers=headers, params=dict(query)
    )
    with freeze_botocore(moment):
        credentials = BotocoreCredentials(ACCESS_KEY, SECRET_KEY, token or None)
        S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=expires_s).add_auth(theirs)
    url = Signer(Credentials(ACCESS_KEY, SECRET_KEY, token), "eu-west-1", "s3").presign(
        method=method,
        endpoint=Endpoint("https", "h.example", 443, "h.example", "/base"),
        key=key,
        query=list(query.items()),
        headers=list(headers.items()),
        amz_date=moment.strftime("%Y%m%dT%H%M%SZ"),
        expires_s=expires_s,
    )
    assert url == theirs.url


@pytest.mark.parametrize("expires_s", [-1, 0, 604_801])
def test_presign_refuses_what_s3_refuses(expires_s):
    """A presigned URL lasts between one second and seven days."""
    endpoint = Endpoint("https", EXAMPLE_HOST, 443, EXAMPLE_HOST)
    with pytest.raises(InvalidConfig, match="1 to 604800 seconds"):
        AWS_EXAMPLES.presign(
            method="GET", endpoint=endpoint, key="k", query=(), amz_date=EXAMPLE_DATE, expires_s=expires_s
        )


def test_the_day_key_follows_the_date():
    """A signer that has signed on one day signs on another, and back, as a fresh one does."""
    used = Signer(Credentials(ACCESS_KEY, SECRET_KEY), "us-east-1", "s3")
    values = set()
    for date in ("20260102T235959Z", "20260103T000000Z", "20260102T235959Z"):
        fresh = Signer(Credentials(ACCESS_KEY, SECRET_KEY), "us-east-1", "s3")
        value = used.authorize("GET", "/", "", [("host", "h")], EMPTY_SHA256, date)
        assert value == fresh.authorize("GET", "/", "", [("host", "h")], EMPTY_SHA256, date)
        values.add(value)
    assert len(values) == 2


@pytest.mark.parametrize(
    ("unix_s", "text"),
    [
        (0, "19700101T000000Z"),
        (1767323045.999, "20260102T030405Z"),
        (951_782_400, "20000229T000000Z"),
        (4_107_542_399, "21000228T235959Z"),
        (-0.5, "19691231T235959Z"),
    ],
)
def test_format_amz_date_table(unix_s, text):
    """Times are written in UTC with the fraction of a second cut off."""
    assert format_amz_date(unix_s) == text


@given(st.floats(0, 32_503_680_000))
def test_format_amz_date_is_strftimes(unix_s):
    """Every second until the year 3000 is written as strftime writes it."""
    moment = dt.datetime.fromtimestamp(int(unix_s), dt.UTC)
    assert format_amz_date(unix_s) == moment.strftime("%Y%m%dT%H%M%SZ")


@pytest.mark.parametrize("unix_s", [1e300, float("nan"), float("inf"), -1e300])
def test_format_amz_date_refuses_a_wrecked_clock(unix_s):
    """A time that is no date is an error with a clear line."""
    with pytest.raises(InvalidConfig, match="no usable date"):
        format_amz_date(unix_s)


def test_a_signer_shows_no_secret():
    """Neither repr nor str holds the secret key or the token."""
    signer = Signer(Credentials(ACCESS_KEY, SECRET_KEY, "the-token"), "us-east-1", "s3")
    signer.authorize("GET", "/", "", [("host", "h")], EMPTY_SHA256, EXAMPLE_DATE)
    shown = f"{signer!r} {signer}"
    assert "us-east-1" in shown
    assert not [secret for secret in (SECRET_KEY, "the-token", ACCESS_KEY) if secret in shown]


def test_a_signer_needs_credentials():
    """Anonymous credentials cannot sign."""
    with pytest.raises(Authentication):
        Signer(Credentials(), "us-east-1", "s3")


@pytest.mark.parametrize(
    ("credentials", "region", "error"),
    [
        (Credentials("key\r\nx: 1", "s3cret"), "r", Authentication),
        (Credentials("key", "s3cret", "t0ken\n"), "r", Authentication),
        (Credentials("key", "s3cret", "t0ken\u00e9"), "r", Authentication),
        (Credentials("key", "s3cret\udcff"), "r", Authentication),
        (Credentials("key", "s3cret"), "eu west", InvalidConfig),
        (Credentials("key", "s3cret"), "r\r\nx: 1", InvalidConfig),
    ],
)
def test_what_would_end_a_header_is_no_credential(credentials, region, error):
    """Keys, tokens and regions that HTTP cannot carry are refused at once, in one line that shows no secret."""
    with pytest.raises(error) as caught:
        Signer(credentials, region, "s3")
    assert caught.value.message.isprintable()
    assert "s3cret" not in caught.value.message
    assert "t0ken" not in caught.value.message


def test_empty_sha256_is_the_digest_of_nothing():
    """The constant is what hashlib computes."""
    assert sha256(b"").hexdigest() == EMPTY_SHA256
