"""The client against servers that play a script: requests, replies, retries."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Request
from orbit_fast.io.flow import Call
from tests.kit.client_bench import GOOD
from tests.kit.client_bench import KEYS
from tests.kit.client_bench import Bench
from tests.kit.client_bench import WatchedLoop
from tests.kit.client_bench import error
from tests.kit.client_bench import get
from tests.kit.client_bench import put
from tests.kit.client_bench import replies
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import drive


def test_a_signed_request_and_its_reply():
    """Head, signature and body as S3 wants them; the reply goes into the flow."""
    script = replies(GOOD)

    async def main():
        async with Bench(script) as bench:
            assert await bench.client.perform(put(key="a b")) == (200, 1)
            assert bench.counters.requests == 1
            assert bench.counters.retries == 0

    drive(main())
    received = script.seen[0]
    assert received.line == "PUT /b/a%20b HTTP/1.1"
    assert received.body == b"abc"
    assert received.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAOLD/20260102/us-east-1/s3/")
    assert received.headers["x-amz-date"] == "20260102T030405Z"
    assert received.headers["x-amz-security-token"] == "old-token"
    assert received.headers["x-amz-content-sha256"] == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize(
    ("change", "keys", "name", "value"),
    [
        ({"sign_payload": False}, KEYS, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ({"request_payer": "requester"}, KEYS, "x-amz-request-payer", "requester"),
        ({}, Credentials(), "authorization", None),
        ({}, Credentials(), "x-amz-date", None),
    ],
)
def test_what_a_site_changes_in_a_request(change, keys, name, value):
    """Unsigned payloads, requester pays, and anonymous requests."""
    script = replies(GOOD)

    async def main():
        async with Bench(script) as bench:
            bench.client.set_identity(0, keys)
            bench.client.set_site(msgspec.structs.replace(bench.site, **change))
            await bench.client.perform(put())

    drive(main())
    assert script.seen[0].headers.get(name) == value


@pytest.mark.parametrize(
    ("first", "attempts"),
    [
        (("503 Slow Down", error("SlowDown"), ""), 2),
        (("500 Internal Server Error", error("InternalError"), ""), 2),
        (("429 Too Many", b"", ""), 2),
        (("400 Bad Request", error("RequestTimeout"), ""), 2),
        (("200 OK", error("InternalError"), ""), 2),
        (("200 OK", b"<html><body>log in</body></html>", ""), 2),
    ],
)
def test_a_passing_failure_is_tried_again(first, attempts):
    """Whatever its status: also a 200 that hides an error, or is a web page."""

    async def main():
        async with Bench(replies(first, GOOD)) as bench:
            assert await bench.client.perform(put()) == (200, attempts)
            assert bench.counters.retries == attempts - 1

    drive(main())


@pytest.mark.parametrize(
    ("answer", "kind", "requests"),
    [
        (("503 Slow Down", error("SlowDown"), ""), RateLimitExceeded, 4),
        (("500 Internal Server Error", b"", ""), ServerFault, 4),
        (("403 Forbidden", error("AccessDenied"), ""), AccessDenied, 1),
        (("400 Bad Request", error("BadDigest"), ""), S3Error, 2),
    ],
)
def test_a_lasting_failure_reaches_the_flow(answer, kind, requests):
    """After the tries it is worth, as its own class."""
    script = replies(answer)

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(kind):
                await bench.client.perform(put())

    drive(main())
    assert len(script.seen) == requests


def test_a_flow_may_catch_a_failure_and_go_on():
    """The error is thrown where the call was yielded; what is yielded next starts with fresh tries."""

    def flow():
        try:
            yield from put()
        except AccessDenied:
            return (yield from put(key="other"))

    async def main():
        answers = [("403 Forbidden", error("AccessDenied"), ""), ("503 Slow Down", b"", ""), GOOD]
        async with Bench(replies(*answers)) as bench:
            assert await bench.client.perform(flow()) == (200, 2)

    drive(main())


def test_a_body_is_rewound_and_a_sink_begun_for_every_try():
    """The second try sends and receives everything from the start."""

    async def main():
        answers = [("500 Internal Server Error", b"", ""), ("200 OK", b"", "")]
        async with Bench(replies(*answers)) as bench:
            body = BytesBody(b"abcdef" * 100, chunk_size=64)

            def send():
                request = Request(operation="UploadPart", method="PUT", key="k")
                return (yield Call(request=request, site=0, body=body)).status

            assert await bench.client.perform(send()) == 200
            assert body.rewinds == 1

        async def cut(peer: Peer):
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
            peer.reset()

        async with Bench(cut, replies(("200 OK", b"abcdef", ""))) as bench:
            sink = BytesSink()
            assert await bench.client.perform(get(sink)) == (200, 2)
            assert sink.begins == [(200, 6), (200, 6)]
            assert sink.data == b"abcdef"

    drive(main())


def test_the_same_damage_twice_is_no_accident():
    """A sink's checksum error is worth one more try."""
    script = replies(("200 OK", b"abc", ""))

    async def main():
        async with Bench(script) as bench:
            sink = BytesSink(refuse="finish", failure=ChecksumMismatch("k", "a", "b"))
            with pytest.raises(ChecksumMismatch):
                await bench.client.perform(get(sink))

    drive(main())
    assert len(script.seen) == 2


def test_a_lost_answer_is_not_risked_twice_when_it_matters():
    """A request that is not idempotent is sent once where the connection breaks after it."""
    seen = []

    async def swallow(peer: Peer):
        seen.append(await peer.request())
        peer.reset()

    async def main():
        async with Bench(swallow) as bench:
            with pytest.raises(Network):
                await bench.client.perform(put(is_idempotent=False))

    drive(main())
    assert len(seen) == 1


def test_retry_after_is_waited():
    """The one timer of a run is set to what the service asks."""

    async def main():
        async with Bench(replies(("503 Slow Down", b"", "retry-after: 7\r\n"))) as bench:
            ended = []
            bench.client.loop = watched = WatchedLoop(bench.client.loop)
            run = bench.client.run(put(), ended.append)
            while not watched.waits:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            assert watched.waits == [7]
            assert not ended
            run.cancel()
            assert isinstance(ended[0], Cancelled)

    drive(main())
