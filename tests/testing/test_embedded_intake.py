"""Bodies that are not what their headers say: nothing wrong is ever stored."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from awscrt import checksums as awscrt_checksums
from crc32c import crc32c

BODY = b"the body" * 4000


def _b64(data):
    return base64.b64encode(data).decode()


SUMS = {
    "x-amz-checksum-crc32": _b64(zlib.crc32(BODY).to_bytes(4, "big")),
    "x-amz-checksum-crc32c": _b64(crc32c(BODY).to_bytes(4, "big")),
    "x-amz-checksum-crc64nvme": _b64(awscrt_checksums.crc64nvme(BODY).to_bytes(8, "big")),
    "x-amz-checksum-sha1": _b64(hashlib.sha1(BODY).digest()),
    "x-amz-checksum-sha256": _b64(hashlib.sha256(BODY).digest()),
    "content-md5": _b64(hashlib.md5(BODY).digest()),
}


@pytest.mark.parametrize("name", SUMS)
def test_right_sums_are_taken_and_wrong_ones_refused(raw, server, bucket, name):
    """Each checksum header is compared with the bytes that arrived."""
    assert raw.send("PUT", f"/{bucket}/k", headers={name: SUMS[name]}, body=BODY).status == 200
    assert server.store.read(bucket, "k") == BODY
    answer = raw.send("PUT", f"/{bucket}/wrong", headers={name: SUMS[name]}, body=BODY[:-1] + b"Y")
    assert (answer.status, answer.code) == (400, "BadDigest")
    assert server.store.keys(bucket) == ["k"]


MALFORMED = [
    ({"x-amz-checksum-crc32": "AAAA"}, "InvalidRequest"),
    ({"x-amz-checksum-crc32": "not base64!"}, "InvalidRequest"),
    ({"x-amz-checksum-md17": "AAAA"}, "InvalidRequest"),
    ({name: SUMS[name] for name in ("x-amz-checksum-crc32", "x-amz-checksum-sha1")}, "InvalidRequest"),
    ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
    ({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": SUMS["x-amz-checksum-crc32"]}, "InvalidRequest"),
    ({"content-md5": "AAAA"}, "InvalidDigest"),
    ({"content-md5": "***"}, "InvalidDigest"),
]


@pytest.mark.parametrize(("headers", "code"), MALFORMED)
def test_malformed_sums(raw, server, bucket, headers, code):
    """Headers that cannot be right are refused whatever the body is."""
    assert raw.send("PUT", f"/{bucket}/k", headers=headers, body=BODY).code == code
    assert server.store.keys(bucket) == []


def test_the_payload_hash_is_compared(raw, server, bucket):
    """A body that is not the one signed is refused; an unsigned payload is taken."""
    answer = raw.send("PUT", f"/{bucket}/k", body=BODY, wire_body=BODY[:-1] + b"Y")
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert server.store.keys(bucket) == []
    assert raw.send("PUT", f"/{bucket}/k", body=BODY, payload_hash="UNSIGNED-PAYLOAD").status == 200


CRC_LINE = f"x-amz-checksum-crc32:{SUMS['x-amz-checksum-crc32']}\r\n".encode()
GOOD = b"4000\r\n" + BODY[:0x4000] + b"\r\n3d00\r\n" + BODY[0x4000:] + b"\r\n0\r\n"
CODED = [
    (GOOD + CRC_LINE + b"\r\n", ""),
    (b"7d00;x=y\r\n" + BODY + b"\r\n0\r\n" + CRC_LINE + b"\r\n", ""),
    (GOOD + b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n", "BadDigest"),
    (GOOD + b"x-amz-checksum-sha1:AAAAAA==\r\n\r\n", "InvalidRequest"),
    (GOOD + b"\r\n", "InvalidRequest"),
    (GOOD + CRC_LINE, "IncompleteBody"),
    (GOOD + CRC_LINE + b"\r\nmore", "IncompleteBody"),
    (b"3d00\r\n" + BODY[0x4000:] + b"\r\n0\r\n" + CRC_LINE + b"\r\n", "IncompleteBody"),
    (b"xyz\r\n" + BODY, "IncompleteBody"),
    (b"-5\r\n" + BODY, "IncompleteBody"),
    (b"1_0\r\n" + BODY, "IncompleteBody"),
    (b"7cff\r\n" + BODY + b"\r\n0\r\n" + CRC_LINE + b"\r\n", "IncompleteBody"),
    (b"10\r\n" + BODY[:16] + b"\r\n7cf0\r\n" + BODY[16:] + b"\r\n0\r\n" + CRC_LINE + b"\r\n", "InvalidChunkSizeError"),
    (b"1" * 20000, "IncompleteBody"),
]


@pytest.mark.parametrize(("coded", "code"), CODED)
def test_chunked_bodies_with_trailer(raw, server, bucket, coded, code):
    """aws-chunked is decoded, its trailer compared, and every break of its grammar refused."""
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    answer = raw.send(
        "PUT", f"/{bucket}/k", headers=headers, body=coded, payload_hash="STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    )
    assert answer.code == code
    assert server.store.keys(bucket) == ([] if code else ["k"])
    if not code:
        assert server.store.read(bucket, "k") == BODY


def test_delete_objects_needs_a_digest(raw, bucket):
    """DeleteObjects without Content-MD5 or checksum is refused, and with a wrong one too."""
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    assert raw.send("POST", f"/{bucket}?delete=", body=body).code == "InvalidRequest"
    md5 = {"content-md5": _b64(hashlib.md5(body).digest())}
    assert raw.send("POST", f"/{bucket}?delete=", body=body, headers=md5).status == 200
    assert raw.send("POST", f"/{bucket}?delete=", body=body + b" ", headers=md5).code == "BadDigest"


DOCUMENTS = [
    b"",
    b"<Delete>",
    b"<Remove></Remove>",
    b"<Delete></Delete>",
    b"<Delete><Object></Object></Delete>",
    b'<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
    '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x [<!ENTITY a "b">]><Delete></Delete>'.encode("utf-16"),
    b'<?xml version="1.0" encoding="UTF-7"?><Delete></Delete>',
    b'<?xml version="1.0" encoding="none"?><Delete></Delete>',
]


@pytest.mark.parametrize("body", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_malformed_documents(raw, bucket, body):
    """A document that is not the one expected is refused."""
    headers = {"content-md5": _b64(hashlib.md5(body).digest())}
    assert raw.send("POST", f"/{bucket}?delete=", body=body, headers=headers).code == "MalformedXML"
