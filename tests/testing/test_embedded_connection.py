"""The wire: framing, keep-alive, refusals before the body, and things that are not HTTP."""

from __future__ import annotations

import re
import socket

import pytest

from orbit_fast.testing import HttpResponse
from orbit_fast.testing import Refusal
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.blob import Content
from tests.kit.raw_s3 import RawS3


def _head(raw, method, target, headers=None, **options):
    signed = raw.signed(method, target, headers=headers, **options)
    signed.setdefault("Host", raw.url.removeprefix("http://"))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _statuses(data):
    return re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", data)


BROKEN = [
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: " + b"x" * 20000,
    b"GET / HTTP/1.1\r\nA: " + b"x" * 20000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
def test_what_is_not_http_gets_400_and_the_door(raw, data):
    """Broken framing is answered once, with 400, and the connection closed."""
    answer = raw.dialogue(data, half_close=True)
    assert _statuses(answer) == [b"400"]
    assert b"connection: close" in answer


def test_pipelined_requests_are_answered_in_order(raw, server, bucket):
    """Requests sent without waiting are all answered, in the order they came."""
    for name in "abc":
        server.store.put(bucket, name, name.encode())
    requests = b"".join(_head(raw, "GET", f"/{bucket}/{name}") for name in "abc")
    last = _head(raw, "GET", f"/{bucket}/none", {"connection": "close"})
    answer = raw.dialogue(requests + last)
    assert _statuses(answer) == [b"200", b"200", b"200", b"404"]
    positions = [answer.index(b"\r\n\r\n" + name) for name in (b"a", b"b", b"c")]
    assert positions == sorted(positions)


def test_head_has_length_and_no_body(raw, server, bucket):
    """HEAD tells the length of the object and sends nothing of it; its errors have no body either."""
    server.store.put(bucket, "k", b"0123456789")
    answer = raw.dialogue(_head(raw, "HEAD", f"/{bucket}/k", {"connection": "close"}))
    assert b"content-length: 10\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    missing = raw.dialogue(_head(raw, "HEAD", f"/{bucket}/none", {"connection": "close"}))
    assert missing.startswith(b"HTTP/1.1 404 ")
    assert missing.endswith(b"\r\n\r\n")


def test_expect_is_answered_before_the_body(raw, server, bucket):
    """A good head gets 100 Continue; a refused one gets its refusal and no invitation to send."""
    body = b"hello"
    headers = {"expect": "100-continue", "connection": "close", "content-length": "5"}
    head = _head(raw, "PUT", f"/{bucket}/k", headers, body=body)
    host, port = raw.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert server.store.read(bucket, "k") == body
    stranger = RawS3(url=raw.url, access_key="NOBODY", secret_key="x")
    answer = stranger.dialogue(_head(stranger, "PUT", f"/{bucket}/k", headers, body=body))
    assert _statuses(answer) == [b"403"]


def test_a_refusal_does_not_wait_for_a_large_body(raw, bucket):
    """A head that is refused is answered at once when a large body is announced, and the connection closes."""
    stranger = RawS3(url=raw.url, access_key="NOBODY", secret_key="x")
    head = _head(stranger, "PUT", f"/{bucket}/k", {"content-length": str(1 << 30)}, payload_hash="UNSIGNED-PAYLOAD")
    answer = stranger.dialogue(head + b"some of it")
    assert _statuses(answer) == [b"403"]
    assert b"<Code>InvalidAccessKeyId</Code>" in answer
    assert b"connection: close" in answer


def test_a_refused_small_body_keeps_the_connection(raw, server, bucket):
    """After a refused request with a small body the next one on the connection is served."""
    server.store.put(bucket, "k", b"x")
    stranger = RawS3(url=raw.url, access_key="NOBODY", secret_key="x")
    first = _head(stranger, "PUT", f"/{bucket}/k", {"content-length": "5"}, body=b"hello") + b"hello"
    second = _head(raw, "GET", f"/{bucket}/k", {"connection": "close"})
    assert _statuses(raw.dialogue(first + second)) == [b"403", b"200"]


def test_a_body_cut_off_stores_nothing(raw, server, bucket):
    """A client that goes away in the middle of a body leaves nothing behind."""
    head = _head(raw, "PUT", f"/{bucket}/k", {"content-length": "3000000"}, payload_hash="UNSIGNED-PAYLOAD")
    assert _statuses(raw.dialogue(head + b"x" * 2_000_000, half_close=True)) in ([], [b"400"])
    assert server.store.keys(bucket) == []


LENGTHS = [
    ({"transfer-encoding": "chunked"}, b"5\r\nhello\r\n0\r\n\r\n", b"NotImplemented"),
    ({}, b"", b"MissingContentLength"),
    ({"content-length": str(6 * 1024**3)}, b"", b"EntityTooLarge"),
]


@pytest.mark.parametrize(("headers", "body", "code"), LENGTHS)
def test_a_put_has_a_length(raw, bucket, headers, body, code):
    """S3 takes no body without a length, and none above 5 GiB."""
    head = _head(raw, "PUT", f"/{bucket}/k", {**headers, "connection": "close"}, payload_hash="UNSIGNED-PAYLOAD")
    assert b"<Code>" + code + b"</Code>" in raw.dialogue(head + body)


TARGETS = [
    ("GET", "/{bucket}/k%ff", "InvalidURI"),
    ("PATCH", "/{bucket}/k", "MethodNotAllowed"),
    ("POST", "/{bucket}/k", "MethodNotAllowed"),
    ("GET", "/{bucket}?cors", "NotImplemented"),
    ("GET", "/{bucket}?uploads&versions", "InvalidArgument"),
    ("PUT", "/{bucket}/k?partNumber=1", "InvalidArgument"),
    ("PUT", "/{bucket}/k?uploadId=x", "InvalidArgument"),
    ("PUT", "/", "MethodNotAllowed"),
    ("PUT", "/Not_A_Bucket_Name", "InvalidBucketName"),
]


@pytest.mark.parametrize(("method", "target", "code"), TARGETS)
def test_addresses_that_mean_nothing(raw, bucket, method, target, code):
    """What is not an operation is refused with a reason."""
    assert raw.send(method, target.format(bucket=bucket), headers={"content-length": "0"}).code == code


def test_virtual_host_style(raw, server, bucket):
    """The bucket may be named by the Host header."""
    server.store.put(bucket, "k", b"x")
    assert raw.send("GET", "/k", headers={"host": f"{bucket}.localhost:80"}).body == b"x"


@pytest.mark.slow
def test_idle_connections_are_closed():
    """A connection that asks for nothing is closed after the limit."""
    with S3Server(settings=ServerSettings(idle_timeout_s=1.0)) as server:
        raw = RawS3(url=server.url, access_key=server.access_key, secret_key=server.secret_key)
        assert raw.dialogue(b"") == b""
        assert _statuses(raw.dialogue(_head(raw, "GET", "/"))) == [b"200"]


def test_connections_can_be_dropped(server, raw):
    """Every open connection is aborted when a test wants it."""
    host, port = raw.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(_head(raw, "GET", "/"))
        assert connection.recv(65536)
        server.drop_connections()
        assert connection.recv(1) == b""
        assert server.open_connections == 0


async def _break_gets(request):
    if request.operation == "GetObject":
        raise Refusal("InternalError")
    if request.operation == "PutObject":
        return HttpResponse(status=200, headers=[("x-made-up", "1")], body=Content.of(b"<html>"))
    return None


def test_an_intercept_answers_instead():
    """An intercept sees verified requests, may refuse or answer them, and lets the others through."""
    with S3Server(intercept=_break_gets) as server:
        server.store.create_bucket("bucket")
        raw = RawS3(url=server.url, access_key=server.access_key, secret_key=server.secret_key)
        assert raw.send("PUT", "/bucket/k", body=b"x").body == b"<html>"
        assert server.store.keys("bucket") == []
        assert raw.send("GET", "/bucket/k").code == "InternalError"
        assert raw.send("GET", "/bucket").status == 200
        assert raw.send("GET", "/bucket/k", after_signing={"Authorization": None}).code == "AccessDenied"
        assert server.store.counts == {"PutObject": 1, "GetObject": 2, "ListObjects": 1}
        assert [entry.status for entry in server.store.log] == [200, 500, 200, 403]
