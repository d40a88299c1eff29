"""Signatures: AWS's published examples, botocore's signer, and everything that can be wrong with them."""

from __future__ import annotations

import calendar
import time

import pytest

from orbit_fast.testing import Identity
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.auth import Verifier
from orbit_fast.testing.aws_chunked import AwsChunkedDecoder
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import Refusal
from tests.kit.raw_s3 import RawS3

KEY = Identity(access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SIGNED_AT = calendar.timegm((2013, 5, 24, 0, 0, 0))
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SCOPE = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
HOST = {"host": "examplebucket.s3.amazonaws.com"}
DATE = {"x-amz-date": "20130524T000000Z"}

# "Examples: Signature Calculations" and "Authenticating Requests: Using Query Parameters", S3 API reference
PUBLISHED = [
    ("GET", "/test.txt", "", HOST | DATE | {"range": "bytes=0-9", "x-amz-content-sha256": EMPTY},
     "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    ("PUT", "/test%24file.text", "",
     HOST | DATE | {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY",
                    "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    ("GET", "/", "lifecycle", HOST | DATE | {"x-amz-content-sha256": EMPTY},
     "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    ("GET", "/", "max-keys=2&prefix=J", HOST | DATE | {"x-amz-content-sha256": EMPTY},
     "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]  # fmt: skip


def _request(method, path, query, headers):
    return HttpRequest(method=method, path=path, query_text=query, header_pairs=list(headers.items()), headers=headers)


def _verifier(now=SIGNED_AT, region="us-east-1", identity=KEY):
    return Verifier({identity.access_key: identity}, region, lambda: now, allow_anonymous=False)


def _published(index, **changes):
    method, path, query, headers, signed, signature = PUBLISHED[index]
    authorization = f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={signed},Signature={signature}"
    return _request(method, path, query, {**headers, "authorization": authorization, **changes})


@pytest.mark.parametrize("index", range(len(PUBLISHED)))
def test_published_examples_verify(index):
    """AWS's example requests are found to be signed by AWS's example key."""
    assert _verifier().verify(_published(index)).identity is KEY


def test_published_presigned_example_verifies():
    """AWS's example of a presigned URL verifies until it expires."""
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={SCOPE.replace('/', '%2F')}&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    assert _verifier(SIGNED_AT + 86400).verify(_request("GET", "/test.txt", query, HOST)).identity is KEY
    with pytest.raises(Refusal, match="Request has expired"):
        _verifier(SIGNED_AT + 86401).verify(_request("GET", "/test.txt", query, HOST))
    with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
        _verifier().verify(_request("GET", "/other.txt", query, HOST))


CHANGED = [
    ({"range": "bytes=0-8"}, "SignatureDoesNotMatch"),
    ({"host": "other.s3.amazonaws.com"}, "SignatureDoesNotMatch"),
    ({"x-amz-content-sha256": "0" * 64}, "SignatureDoesNotMatch"),
    ({"x-amz-content-sha256": "nonsense"}, "InvalidArgument"),
    ({"x-amz-content-sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "NotImplemented"),
    ({"x-amz-meta-a": "unsigned"}, "AccessDenied"),
    ({"x-amz-date": "20130524T000001Z"}, "SignatureDoesNotMatch"),
    ({"x-amz-date": "20130525T000000Z"}, "AccessDenied"),
    ({"x-amz-date": "2013-05-24"}, "AccessDenied"),
    ({"authorization": "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo="}, "InvalidRequest"),
    ({"authorization": "AWS4-HMAC-SHA256 nonsense"}, "AuthorizationHeaderMalformed"),
    ({"authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE[:-4]},SignedHeaders=host,Signature=0"},
     "AuthorizationHeaderMalformed"),
    ({"authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE.replace('/s3/', '/ec2/')},SignedHeaders=host,Signature=0"},
     "AuthorizationHeaderMalformed"),
    ({"authorization": f"AWS4-HMAC-SHA256 Credential=X{SCOPE},SignedHeaders=host,Signature=0"}, "InvalidAccessKeyId"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code"), CHANGED)
def test_a_changed_request_does_not_verify(changes, code):
    """Whatever is changed behind the signature's back is refused, with S3's code for it."""
    with pytest.raises(Refusal) as caught:
        _verifier().verify(_published(0, **changes))
    assert caught.value.code == code


@pytest.mark.parametrize(("skew_s", "is_fine"), [(0, True), (899, True), (-899, True), (901, False), (-901, False)])
def test_clocks_may_differ_by_fifteen_minutes(skew_s, is_fine):
    """A request signed more than 15 minutes away is refused with both times named."""
    verifier = _verifier(SIGNED_AT + skew_s)
    if is_fine:
        assert verifier.verify(_published(0)).identity is KEY
    else:
        with pytest.raises(Refusal) as caught:
            verifier.verify(_published(0))
        assert caught.value.code == "RequestTimeTooSkewed"
        assert caught.value.details["RequestTime"] == "20130524T000000Z"


def test_a_wrong_region_is_told():
    """A request for another region gets the right one, in the document and in a header."""
    with pytest.raises(Refusal) as caught:
        _verifier(region="eu-west-1").verify(_published(0))
    assert caught.value.code == "AuthorizationHeaderMalformed"
    assert caught.value.details["Region"] == "eu-west-1"
    assert ("x-amz-bucket-region", "eu-west-1") in caught.value.headers


def _chunked(payload_hash, headers, signed, signature, chunks, trailer=b""):
    headers = {
        "host": "s3.amazonaws.com",
        **DATE,
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": payload_hash,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        **headers,
    }
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={signed},Signature={signature}"
    proof = _verifier().verify(_request("PUT", "/examplebucket/chunkObject.txt", "", headers))
    coded = b"".join(
        f"{size:x};chunk-signature={chunk}\r\n".encode() + b"a" * size + (b"\r\n" if size else b"")
        for size, chunk in zip((65536, 1024, 0), chunks, strict=True)
    )
    return proof, coded + trailer + b"\r\n"


# "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", S3 API reference
CHUNKED = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    {"content-length": "66824"},
    (
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
        "x-amz-storage-class"
    ),
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ),
)


@pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
def test_published_signed_chunks_verify(step):
    """AWS's example of a body in signed chunks verifies, in pieces of any size."""
    proof, coded = _chunked(*CHUNKED)
    received = bytearray()
    decoder = AwsChunkedDecoder(proof, received.extend)
    for start in range(0, len(coded), step):
        decoder.feed(coded[start : start + step])
    decoder.finish()
    assert received == b"a" * 66560


# "... Transferring Payload in Multiple Chunks, Including Trailing Headers", S3 API reference
TRAILED = (
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    {"x-amz-trailer": "x-amz-checksum-crc32c"},
    (
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;"
        "x-amz-trailer"
    ),
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    (
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ),
)
TRAILER_SIGNATURE = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"


@pytest.mark.parametrize(
    ("value", "signature", "is_right"),
    [("sOO8/Q==", TRAILER_SIGNATURE, True), ("sOO8/A==", TRAILER_SIGNATURE, False), ("sOO8/Q==", "0" * 64, False)],
)
def test_published_signed_trailer_verifies(value, signature, is_right):
    """AWS's example of a signed trailer verifies; another value or signature does not."""
    trailer = f"x-amz-checksum-crc32c:{value}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    proof, coded = _chunked(*TRAILED, trailer)
    decoder = AwsChunkedDecoder(proof, lambda _: None)
    decoder.feed(coded)
    if is_right:
        decoder.finish()
        assert decoder.trailers == {"x-amz-checksum-crc32c": value}
    else:
        with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
            decoder.finish()


@pytest.mark.parametrize("position", [3, 40, 100, 66000, -20])
def test_a_changed_byte_of_a_signed_body_is_found(position):
    """Whichever byte of size, signature or data changes, the body is refused."""
    proof, coded = _chunked(*CHUNKED)
    changed = bytearray(coded)
    changed[position] ^= 1
    decoder = AwsChunkedDecoder(proof, lambda _: None)

    def receive():
        decoder.feed(bytes(changed))
        decoder.finish()

    with pytest.raises(Refusal):
        receive()


def test_botocore_signs_as_the_server_verifies(raw, server, bucket):
    """Odd paths and queries signed by botocore verify; one changed character does not."""
    server.store.put(bucket, "a b/+~ü*", b"x")
    target = f"/{bucket}/a%20b/%2B~%C3%BC%2A"
    assert raw.send("GET", target).body == b"x"
    assert raw.send("GET", target + "?response-content-type=a%2Fb%20c").headers["content-type"] == "a/b c"
    assert raw.send_unsigned("GET", raw.presigned("GET", target)).body == b"x"
    changed = raw.presigned("GET", target).replace("%2A", "%2B")
    assert raw.send_unsigned("GET", changed).code == "SignatureDoesNotMatch"
    assert raw.send_unsigned("GET", target).code == "AccessDenied"


def test_wrong_secret_and_unknown_key(server, bucket):
    """A wrong secret and an unknown key are told apart."""
    wrong = RawS3(url=server.url, access_key=server.access_key, secret_key="wrong")
    unknown = RawS3(url=server.url, access_key="NOBODY", secret_key="wrong")
    assert wrong.send("GET", f"/{bucket}").code == "SignatureDoesNotMatch"
    assert unknown.send("GET", f"/{bucket}").code == "InvalidAccessKeyId"


def test_session_tokens(server, bucket):
    """Temporary keys need their token, and stop working when they expire."""
    server.identities["TEMP"] = Identity(access_key="TEMP", secret_key="s", token="t", expires_at_s=time.time() + 60)
    try:
        temporary = RawS3(url=server.url, access_key="TEMP", secret_key="s", token="t")
        assert temporary.send("GET", f"/{bucket}").status == 200
        assert temporary.send_unsigned("GET", temporary.presigned("GET", f"/{bucket}")).status == 200
        other = RawS3(url=server.url, access_key="TEMP", secret_key="s", token="other")
        assert other.send("GET", f"/{bucket}").code == "InvalidToken"
        server.identities["TEMP"] = Identity(access_key="TEMP", secret_key="s", token="t", expires_at_s=1)
        assert temporary.send("GET", f"/{bucket}").code == "ExpiredToken"
    finally:
        del server.identities["TEMP"]


def test_anonymous_requests_where_allowed():
    """A server that allows it serves unsigned requests."""
    with S3Server(settings=ServerSettings(allow_anonymous=True)) as open_server:
        open_server.store.create_bucket("public")
        anyone = RawS3(url=open_server.url, access_key="", secret_key="")
        assert anyone.send_unsigned("PUT", "/public/k", body=b"x").status == 200
        assert anyone.send_unsigned("GET", "/public/k").body == b"x"


def test_secrets_stay_out_of_reprs():
    """Neither the server's nor an identity's representation shows a secret."""
    server = S3Server(secret_key="very-secret")
    assert "very-secret" not in repr(server) + repr(server.identities)
