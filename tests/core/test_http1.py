"""Request heads: what is written, what is refused, what botocore signs alike."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.session import Session
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.sigv4 import EMPTY_SHA256
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.core.sigv4 import Signer

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = "20260102T030405Z"
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - botocore's are naive too
PATH_STYLE = Endpoint("http", "127.0.0.1", 9000, "127.0.0.1:9000", "/bucket")
HOST_STYLE = Endpoint("https", "b.s3.amazonaws.com", 443, "b.s3.amazonaws.com")
SIGNER = Signer(Credentials(ACCESS_KEY, SECRET_KEY), "us-east-1", "s3")

UTF8_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-type",
            "expect",
            "if-match",
            "range",
            "x-amz-acl",
            "x-amz-meta-50%s",
            "x-amz-meta-b",
            "x-amzn-trace-id",
        ]
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20),
        st.sampled_from(["", " ", "a\tb", "  a   b  "]),
    ),
)


def encode(request, endpoint=PATH_STYLE, signer=SIGNER, *, content_length=0, payload_sha256=EMPTY_SHA256):
    """Encode a head with the date of these tests."""
    return encode_head(
        request, endpoint, signer, amz_date=DATE, content_length=content_length, payload_sha256=payload_sha256
    )


def split_head(head):
    """Take an encoded head apart: request line, then fields in order."""
    start, *fields = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    return start, [tuple(field.split(": ", 1)) for field in fields]


# --- request heads ------------------------------------------------------------------------------------------------


def test_a_signed_put_is_written_in_full():
    """A PUT's head: request line, what HTTP needs, what S3 needs, the request's own headers, the signature."""
    request = Request(operation="PutObject", method="PUT", key="a b", headers=(("content-type", "text/plain"),))
    head = encode(request, content_length=5, payload_sha256=UNSIGNED_PAYLOAD)
    assert head.startswith(
        b"PUT /bucket/a%20b HTTP/1.1\r\n"
        b"host: 127.0.0.1:9000\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: orbit-fast\r\n"
        b"content-length: 5\r\n"
        b"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
        b"x-amz-date: 20260102T030405Z\r\n"
        b"content-type: text/plain\r\n"
        b"authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/us-east-1/s3/aws4_request, "
        b"SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature="
    )
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n") == 10


def test_an_anonymous_request_carries_nothing_of_sigv4():
    """Without a signer there is no date, no payload hash and no authorization."""
    request = Request(operation="GetObject", method="GET", key="k", headers=(("range", "bytes=0-9"),))
    assert encode(request, signer=None) == (
        b"GET /bucket/k HTTP/1.1\r\nhost: 127.0.0.1:9000\r\naccept-encoding: identity\r\n"
        b"user-agent: orbit-fast\r\nrange: bytes=0-9\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("endpoint", "key", "query", "target"),
    [
        (PATH_STYLE, "", (), "/bucket"),
        (PATH_STYLE, "", (("list-type", "2"), ("delimiter", "/")), "/bucket?delimiter=%2F&list-type=2"),
        (PATH_STYLE, "/lead", (), "/bucket//lead"),
        (PATH_STYLE, "a//b/../c", (("uploads", ""),), "/bucket/a//b/../c?uploads="),
        (HOST_STYLE, "", (), "/"),
        (HOST_STYLE, "", (("location", ""),), "/?location="),
        (HOST_STYLE, "é?#", (), "/%C3%A9%3F%23"),
    ],
)
def test_request_target_table(endpoint, key, query, target):
    """The target is the prefix, the encoded key and the canonical query."""
    request = Request(operation="X", method="GET", key=key, query=query)
    assert split_head(encode(request, endpoint))[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("method", "content_length", "sent"),
    [
        ("PUT", 0, ["0"]),
        ("PUT", 7, ["7"]),
        ("POST", 0, ["0"]),
        ("POST", 9, ["9"]),
        ("GET", 0, []),
        ("HEAD", 0, []),
        ("DELETE", 0, []),
        ("DELETE", 3, ["3"]),
    ],
)
def test_content_length_table(method, content_length, sent):
    """PUT and POST always say how long their body is; the others only when they have one."""
    _, fields = split_head(encode(Request(operation="X", method=method, key="k"), content_length=content_length))
    assert [value for name, value in fields if name == "content-length"] == sent


@pytest.mark.parametrize(
    "value", ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "\x7f", "\x1b[31m", "\u0100", "\U0001f680"]
)
@pytest.mark.parametrize("signer", [SIGNER, None])
def test_header_values_cannot_end_a_line(value, signer):
    """A value with a control character, or beyond latin-1, is refused, and the message does not repeat it."""
    request = Request(operation="X", method="GET", key="k", headers=(("x-amz-meta-a", value),))
    with pytest.raises(InvalidConfig, match="the value of header 'x-amz-meta-a' has a character") as caught:
        encode(request, signer=signer)
    assert value not in caught.value.message


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é", "X-Upper", "a\0", "a\n"])
@pytest.mark.parametrize("signer", [SIGNER, None])
def test_header_names_are_lower_case_tokens(name, signer):
    """A name that HTTP cannot carry, or that is not lower-case, is refused."""
    with pytest.raises(InvalidConfig, match="not a header name"):
        encode(Request(operation="X", method="GET", key="k", headers=((name, "v"),)), signer=signer)


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "authorization",
        "x-amz-date",
        "x-amz-security-token",
    ],
)
def test_headers_that_follow_from_the_request_cannot_be_set(name):
    """A request cannot bring its own framing, host or authorization."""
    with pytest.raises(InvalidConfig, match=f"header {name} cannot be set"):
        encode(Request(operation="X", method="GET", key="k", headers=((name, "v"),)))


def test_a_header_given_twice_is_refused():
    """Two values for one name are a mistake, not a list."""
    headers = (("x-amz-meta-a", "1"), ("range", "bytes=0-1"), ("x-amz-meta-a", "2"))
    with pytest.raises(InvalidConfig, match=r"given twice: x-amz-meta-a$"):
        encode(Request(operation="X", method="GET", key="k", headers=headers))


@pytest.mark.parametrize(
    ("host_header", "path_prefix"),
    [("h\r\nx: y", ""), ("h h", ""), ("hö", ""), ("h", "/a b"), ("h", "/a\r\n"), ("h", "/é")],
)
def test_an_endpoint_cannot_end_the_request_line(host_header, path_prefix):
    """A host or path that would break the head is refused."""
    with pytest.raises(InvalidConfig, match="not a usable endpoint"):
        encode(Request(operation="X", method="GET", key="k"), Endpoint("http", "h", 80, host_header, path_prefix))


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    key=UTF8_TEXT,
    query=st.lists(st.tuples(UTF8_TEXT, UTF8_TEXT), max_size=3),
    headers=HEADERS,
    body=st.binary(max_size=20),
    token=st.sampled_from(["", "a/session+token=="]),
    is_payload_signed=st.booleans(),
)
def test_a_signed_head_equals_botocores(method, key, query, headers, body, token, is_payload_signed):
    """What is sent carries the very Authorization that botocore's S3 signer gives for it."""
    request = Request(operation="X", method=method, key=key, query=tuple(query), headers=tuple(headers.items()))
    endpoint = PATH_STYLE if is_payload_signed else HOST_STYLE
    head = encode(
        request,
        endpoint,
        Signer(Credentials(ACCESS_KEY, SECRET_KEY, token), "eu-west-1", "s3"),
        content_length=len(body),
        payload_sha256=sha256(body).hexdigest() if is_payload_signed else UNSIGNED_PAYLOAD,
    )
    start, fields = split_head(head)
    sent = dict(fields)
    assert len(sent) == len(fields)
    assert {name: sent[name] for name in headers} == {name: value.strip(" \t") for name, value in headers.items()}

    url = f"{endpoint.scheme}://{endpoint.host_header}{start.split(' ')[1]}"
    theirs = AWSRequest(method=method, url=url, data=body, headers=headers)
    theirs.context["client_config"] = Config(s3={"payload_signing_enabled": is_payload_signed})
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=MOMENT):
        S3SigV4Auth(BotocoreCredentials(ACCESS_KEY, SECRET_KEY, token or None), "s3", "eu-west-1").add_auth(theirs)
    for name in ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"):
        assert sent.get(name) == theirs.headers.get(name), name


class RequestMade(Exception):
    """Carries a request out of botocore before it is sent."""


def capture(request, **_kwargs):
    """Stop botocore with the request that it was about to send."""
    raise RequestMade(request)


@pytest.fixture(scope="module")
def botocore_client():
    """Give a client that makes requests and sends none."""
    session = Session()
    session.set_credentials(ACCESS_KEY, SECRET_KEY)
    client = session.create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9000",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send.s3", capture)
    yield client
    client.close()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_keys_are_addressed_and_signed_as_botocores_client_does(botocore_client, key):
    """For any key the target and Authorization of a GET are those of a botocore client."""
    with pytest.raises(RequestMade) as caught:
        botocore_client.get_object(Bucket="bucket", Key=key)
    theirs = caught.value.args[0]
    request = Request(operation="GetObject", method="GET", key=key, headers=(("x-amz-checksum-mode", "ENABLED"),))
    date = theirs.headers["X-Amz-Date"]
    date = date if isinstance(date, str) else date.decode()
    head = encode_head(request, PATH_STYLE, SIGNER, amz_date=date, content_length=0, payload_sha256=EMPTY_SHA256)
    start, fields = split_head(head)
    assert start == f"GET {theirs.url.removeprefix('http://127.0.0.1:9000')} HTTP/1.1"
    assert dict(fields)["authorization"].encode() == theirs.headers["Authorization"]
