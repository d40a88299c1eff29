"""Prepared request heads: the bytes of the general encoder, for everything that can be put into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.sigv4 import EMPTY_SHA256
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.skeleton import Skeleton
from orbit_fast.core.uri import encode_key

DATE = "20260102T030405Z"
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
WORDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
VALUES = st.one_of(WORDS, st.sampled_from(["", "a  b ", "50%s", "é"]))
NAMES = st.sampled_from(["cache-control", "content-type", "x-amz-acl", "x-amz-meta-b", "x-amz-storage-class", "expect"])
ENDPOINTS = st.sampled_from(
    [
        Endpoint("http", "127.0.0.1", 9000, "127.0.0.1:9000", "/bucket", is_custom=True),
        Endpoint("https", "b.s3.amazonaws.com", 443, "b.s3.amazonaws.com"),
        Endpoint("http", "gateway", 80, "gateway", "/50%25/bucket", region="eu%s", is_custom=True),
    ]
)


@given(
    KEYS,
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sampled_from(["x-amz-checksum-crc32c", "if-match", ""]),
    WORDS,
    ENDPOINTS,
    st.sampled_from(["", "token%s"]),
    st.sampled_from([("PUT", 4096, "ab" * 32), ("PUT", 0, EMPTY_SHA256), ("GET", 0, EMPTY_SHA256)]),
    st.booleans(),
)
def test_a_filled_skeleton_is_the_general_head(key, fixed, varying, value, endpoint, token, shape, is_unsigned):
    """Whatever is fixed and whatever varies: byte for byte, signature included."""
    method, length, digest = shape
    digest = UNSIGNED_PAYLOAD if is_unsigned else digest
    headers = tuple(fixed.items()) + (((varying, value),) if varying else ())
    signer = Signer(Credentials("AKIA", "secret", token), endpoint.region, "s3")
    skeleton = Skeleton(method, endpoint, signer, headers=headers, varying=varying, amz_date=DATE)
    filled = skeleton.fill(skeleton.prefix + encode_key(key), value if varying else "", length, digest)
    request = Request(operation="", method=method, key=key, headers=headers)
    assert filled == encode_head(request, endpoint, signer, amz_date=DATE, content_length=length, payload_sha256=digest)


def test_a_skeleton_can_be_filled_again_and_on_another_day():
    """Filling changes nothing in it; the signer's key of the day is the skeleton's own."""
    endpoint = Endpoint("http", "h", 80, "h", "/b")
    signer = Signer(Credentials("AKIA", "secret"), "us-east-1", "s3")
    today = Skeleton("GET", endpoint, signer, headers=(), varying="", amz_date=DATE)
    first = today.fill("/b/k", "", 0, EMPTY_SHA256)
    tomorrow = Skeleton("GET", endpoint, signer, headers=(), varying="", amz_date="20260103T030405Z")
    assert tomorrow.fill("/b/k", "", 0, EMPTY_SHA256) != first
    assert today.fill("/b/k", "", 0, EMPTY_SHA256) == first


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ((("x-amz-meta-50%", "v"),), "h"),
        ((("Content-Type", "v"),), "h"),
        ((("content-type", "a\r\nb: c"),), "h"),
        ((("host", "v"),), "h"),
        ((), "h\r\nevil: 1"),
    ],
)
def test_what_cannot_stand_in_a_head_is_refused(headers, host):
    """Once, when it is written down."""
    signer = Signer(Credentials("AKIA", "secret"), "us-east-1", "s3")
    with pytest.raises(InvalidConfig):
        Skeleton("PUT", Endpoint("http", "h", 80, host), signer, headers=headers, varying="", amz_date=DATE)
