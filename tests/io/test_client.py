"""The client against servers that play a script: retries, repairs, cancellation."""

from __future__ import annotations

import asyncio
import email.utils
import random

import msgspec
import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import ClockSkew
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import WrongRegion
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.exchange import Counters
from orbit_fast.io.flow import Call
from tests.kit.clock import FakeClock
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import WireServer
from tests.kit.wire import drive

KEYS = Credentials("AKIAOLD", "old-secret", "old-token")
NEW_KEYS = Credentials("AKIANEW", "new-secret", "new-token")


class ZeroRandom(random.Random):
    """Every wait is as short as it can be."""

    def random(self):
        """The least."""
        return 0.0


def error(code: str, *more: str) -> bytes:
    """An S3 error document."""
    return f"<Error><Code>{code}</Code><Message>told so</Message>{''.join(more)}</Error>".encode()


class Told:
    """Remembers what the hooks were called with."""

    def __init__(self) -> None:
        self.expired: list[tuple[int, str]] = []
        self.asked: list[str] = []
        self.found: list[Site] = []
        self.answer: Site | None = None

    def hooks(self) -> Hooks:
        """Hooks that write here."""
        return Hooks(
            on_need_credentials=lambda identity, key: self.expired.append((identity, key)),
            resolve_region=self._resolve,
            on_region_found=self.found.append,
        )

    def _resolve(self, site: Site, region: str) -> Site | None:
        assert site.number == 0
        self.asked.append(region)
        return self.answer


class Bench:
    """A client and a scripted server; every test ends with nothing open and nothing running."""

    def __init__(self, *scripts, attempts: int = 3, is_custom: bool = True) -> None:
        self.server = WireServer(scripts)
        self.clock = FakeClock()
        self.counters = Counters()
        self.told = Told()
        self._attempts = attempts
        self._is_custom = is_custom

    async def __aenter__(self):
        await self.server.__aenter__()
        self.client = Client(
            asyncio.get_running_loop(),
            self.clock,
            settings=NetworkSettings(retry_attempts=self._attempts),
            rng=ZeroRandom(),
            hooks=self.told.hooks(),
            counters=self.counters,
        )
        port = self.server.port
        endpoint = Endpoint("http", "127.0.0.1", port, f"127.0.0.1:{port}", "/b", is_custom=self._is_custom)
        self.site = Site(number=0, bucket="b", endpoint=endpoint)
        self.client.set_identity(0, KEYS)
        self.client.set_site(self.site)
        return self

    async def __aexit__(self, *what):
        self.client.close()
        await self.client.wait_closed()
        assert self.counters.connections == 0
        assert self.counters.in_flight == 0
        assert not self.client._runs
        assert not self.client._parked
        await self.server.__aexit__(*what)


def put(*, key: str = "k", **call):
    """A flow of one PUT; gives back status and attempts."""
    reply = yield Call(request=Request(operation="PutObject", method="PUT", key=key, body=b"abc"), site=0, **call)
    return reply.status, reply.attempts


def get(sink: BytesSink):
    """A flow of one GET."""
    reply = yield Call(request=Request(operation="GetObject", method="GET", key="k"), site=0, sink=sink)
    return reply.status, reply.attempts


def replies(*answers):
    """A script that answers one request after the other: (status, body, headers) each, the last for ever."""
    seen = []

    async def script(peer: Peer):
        while True:
            seen.append(await peer.request())
            status, body, headers = answers[min(len(seen), len(answers)) - 1]
            peer.reply(body, status=status, headers=headers)

    script.seen = seen
    return script


GOOD = ("200 OK", b"", "")


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


class WatchedLoop:
    """A loop that tells how long its timers were set to."""

    def __init__(self, loop):
        self._loop = loop
        self.waits = []

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def call_later(self, delay, callback, *args):
        """As the loop's, remembered."""
        self.waits.append(delay)
        return self._loop.call_later(delay, callback, *args)


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


# --- repairs ---------------------------------------------------------------------------------------------------------


EXPIRED = ("400 Bad Request", error("ExpiredToken"), "")


def test_expired_credentials_are_asked_for_once_and_all_who_wait_go_on():
    """Ten requests meet the expiry; one question is asked; all are signed anew and succeed."""
    seen = []

    async def strict(peer: Peer):
        while True:
            received = await peer.request()
            seen.append(received)
            if "AKIANEW" in received.headers["authorization"]:
                peer.reply()
            else:
                peer.reply(EXPIRED[1], status=EXPIRED[0])

    async def main():
        async with Bench(strict) as bench:
            performing = [asyncio.ensure_future(bench.client.perform(put())) for _ in range(10)]
            while len(bench.client._parked.get(0, ())) < 10:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            assert bench.told.expired == [(0, "AKIAOLD")]
            bench.client.set_identity(0, NEW_KEYS)
            assert await asyncio.gather(*performing) == [(200, 2)] * 10
            assert await bench.client.perform(put()) == (200, 1)

    drive(main())
    assert len(seen) == 21
    assert seen[-1].headers["x-amz-security-token"] == "new-token"


def test_the_same_credentials_again_end_the_wait():
    """Asking the service again would not help."""
    script = replies(EXPIRED)

    async def main():
        async with Bench(script) as bench:
            performing = asyncio.ensure_future(bench.client.perform(put()))
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            bench.client.set_identity(0, KEYS)
            with pytest.raises(ExpiredCredentials):
                await performing

    drive(main())
    assert len(script.seen) == 1


def test_fresh_credentials_that_are_expired_too_are_a_failure():
    """The repair is made once a request."""

    async def main():
        async with Bench(replies(EXPIRED)) as bench:
            performing = asyncio.ensure_future(bench.client.perform(put()))
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            bench.client.set_identity(0, NEW_KEYS)
            with pytest.raises(ExpiredCredentials):
                await performing
            assert len(bench.told.expired) == 1

    drive(main())


def test_nobody_waits_for_credentials_for_ever():
    """When none come, the request fails with what the service said."""

    async def main():
        async with Bench(replies(EXPIRED)) as bench:
            ended = []
            run = bench.client.run(put(), ended.append)
            while not bench.told.expired:  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            assert 59 < run._timer.when() - bench.client.loop.time() <= 60
            run._credentials_late()
            assert isinstance(ended[0], ExpiredCredentials)

    drive(main())


@pytest.mark.parametrize("skew_s", [-7200.0, 900.0, 86_400.0 * 400])
def test_a_wrong_clock_is_set_by_the_service_and_stays_so(skew_s):
    """The next request needs no repair."""

    async def main():
        answers: list[tuple[str, bytes, str]] = []
        script = replies(("200 OK", b"", ""))
        async with Bench(script) as bench:
            date = email.utils.formatdate(bench.clock.unix_s + skew_s, usegmt=True)
            answers += [("403 Forbidden", error("RequestTimeTooSkewed"), f"date: {date}\r\n"), GOOD]
            script.seen.clear()
        async with Bench(replies(*answers)) as bench:
            assert await bench.client.perform(put()) == (200, 2)
            assert bench.clock.offset_s == pytest.approx(skew_s, abs=1)
            assert await bench.client.perform(put()) == (200, 1)

    drive(main())


@pytest.mark.parametrize("date", ["", "date: yesterday\r\n", "same"])
def test_a_skew_that_cannot_be_repaired_is_a_failure(date):
    """No date, no readable date, or a date that equals ours."""
    script = replies(("403 Forbidden", error("RequestTimeTooSkewed"), ""))

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(ClockSkew):
                await bench.client.perform(put())

    if date == "same":
        date = f"date: {email.utils.formatdate(FakeClock().unix_s, usegmt=True)}\r\n"
    script = replies(("403 Forbidden", error("RequestTimeTooSkewed"), date))
    drive(main())
    assert len(script.seen) == 1


MOVED = ("301 Moved Permanently", error("PermanentRedirect"), "x-amz-bucket-region: eu-central-1\r\n")


def test_a_bucket_elsewhere_is_signed_for_its_region_at_the_same_host():
    """A custom endpoint keeps its host; the region is remembered and told."""
    script = replies(MOVED, GOOD)

    async def main():
        async with Bench(script) as bench:
            assert await bench.client.perform(put()) == (200, 2)
            assert await bench.client.perform(put()) == (200, 1)
            assert [site.endpoint.region for site in bench.told.found] == ["eu-central-1"]
            assert bench.told.asked == []

    drive(main())
    regions = [received.headers["authorization"].split("/")[2] for received in script.seen]
    assert regions == ["us-east-1", "eu-central-1", "eu-central-1"]


@pytest.mark.parametrize("is_known", [True, False])
def test_at_aws_another_region_is_another_host(is_known):
    """Which somebody else must know; nobody follows the service's own pointer."""
    second = replies(GOOD)

    async def main():
        async with WireServer([second]) as there, Bench(replies(MOVED), is_custom=False) as bench:
            if is_known:
                endpoint = msgspec.structs.replace(bench.site.endpoint, port=there.port, region="eu-central-1")
                bench.told.answer = msgspec.structs.replace(bench.site, endpoint=endpoint)
                assert await bench.client.perform(put()) == (200, 2)
            else:
                with pytest.raises(WrongRegion):
                    await bench.client.perform(put())
            assert bench.told.asked == ["eu-central-1"]
            bench.client.close()
            await bench.client.wait_closed()

    drive(main())
    assert len(second.seen) == int(is_known)


def test_a_region_that_changes_nothing_is_not_tried_again():
    """A service that names the region we signed for would send us in circles."""
    script = replies(("301 Moved Permanently", error("PermanentRedirect"), "x-amz-bucket-region: us-east-1\r\n"))

    async def main():
        async with Bench(script) as bench:
            with pytest.raises(S3Error):
                await bench.client.perform(put())

    drive(main())
    assert len(script.seen) == 1


def test_a_redirect_is_never_followed():
    """The other host hears nothing."""
    second = replies(GOOD)

    async def main():
        async with WireServer([second]) as there:
            location = f"location: http://127.0.0.1:{there.port}/b/k\r\n"
            async with Bench(replies(("307 Temporary Redirect", error("TemporaryRedirect"), location))) as bench:
                with pytest.raises(S3Error) as caught:
                    await bench.client.perform(put())
                assert not caught.value.is_retryable()
            assert there.accepted == 0

    drive(main())


# --- ends ------------------------------------------------------------------------------------------------------------


def _holding(moment: str, heard: asyncio.Event):
    """A script that stops at one moment of an exchange."""

    async def script(peer: Peer):
        await peer.head()
        heard.set()
        if moment == "sending":
            await asyncio.Event().wait()
        elif moment == "receiving":
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
        elif moment == "retrying":
            peer.reply(status="503 Slow Down", headers="retry-after: 30\r\n")
        elif moment == "parked":
            peer.reply(EXPIRED[1], status=EXPIRED[0])
        await peer.gone()

    return script


@pytest.mark.parametrize("moment", ["dialing", "sending", "waiting", "receiving", "retrying", "parked"])
def test_a_run_can_be_cancelled_at_every_moment(moment):
    """Its finally blocks run, `on_done` is called once with Cancelled, and nothing is left."""

    async def main():
        heard, ended = asyncio.Event(), asyncio.Event()
        async with Bench(_holding(moment, heard)) as bench:
            sink = BytesSink()
            body = BytesBody(bytes(20_000_000)) if moment == "sending" else None
            closed, done = [], []

            def flow():
                try:
                    yield Call(request=Request(operation="X", method="PUT"), site=0, sink=sink, body=body)
                finally:
                    closed.append(True)

            run = bench.client.run(flow(), lambda result: (done.append(result), ended.set()))
            if moment != "dialing":
                await heard.wait()
            states = {"receiving": lambda: sink.data, "retrying": lambda: run._timer, "parked": lambda: run._failure}
            while not states.get(moment, lambda: True)():  # noqa: ASYNC110 - nothing else announces it
                await asyncio.sleep(0)
            run.cancel()
            run.cancel()
            await ended.wait()
            assert closed == [True]
            assert [type(result) for result in done] == [Cancelled]
            run.cancel()

    drive(main())


def test_a_cancelled_await_cancels_the_flow_and_waits_for_its_memory():
    """`perform` ends when the flow's finally blocks have run."""

    async def main():
        heard = asyncio.Event()

        async def hold(peer: Peer):
            await peer.head()
            heard.set()
            await peer.gone()

        async with Bench(hold) as bench:
            closed = []

            def flow():
                try:
                    yield from put()
                finally:
                    closed.append(True)

            performing = asyncio.ensure_future(bench.client.perform(flow()))
            await heard.wait()
            performing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await performing
            assert closed == [True]

    drive(main())


def test_a_mistake_in_a_flow_ends_that_flow_only():
    """It becomes an Internal error, the loop's handler hears of it, and the connection goes on."""

    def wrong():
        yield from put()
        raise KeyError("mistake")

    async def main():
        async with Bench(replies(GOOD)) as bench:
            heard = []
            bench.client.loop.set_exception_handler(lambda _, context: heard.append(context["exception"]))
            with pytest.raises(Internal, match="KeyError"):
                await bench.client.perform(wrong())
            assert isinstance(heard[0], KeyError)
            assert await bench.client.perform(put()) == (200, 1)
            assert bench.server.accepted == 1

    drive(main())


def test_what_cannot_be_encoded_or_addressed_fails_at_once():
    """No connection is made for it."""

    def unknown_site():
        yield Call(request=Request(operation="GetObject", method="GET"), site=9)

    def bad_header():
        request = Request(operation="PutObject", method="PUT", key="k", headers=(("x-amz-meta-a", "b\r\nc: d"),))
        yield Call(request=request, site=0)

    async def main():
        async with Bench(replies(GOOD)) as bench:
            for flow in (unknown_site(), bad_header()):
                with pytest.raises(S3Error):
                    await bench.client.perform(flow)
            assert bench.server.accepted == 0

    drive(main())


def test_a_flow_without_calls_is_done_at_once():
    """Its result is there before `run` returns."""

    def flow():
        return "done"
        yield

    async def main():
        async with Bench(replies(GOOD)) as bench:
            ended = []
            bench.client.run(flow(), ended.append)
            assert ended == ["done"]

    drive(main())


def test_a_dead_endpoint_is_not_hammered():
    """Fifty requests, each with its tries, knock only a few times on a closed door; all fail."""

    async def main():
        async with Bench(replies(GOOD), attempts=0) as bench:
            bench.server._server.close()
            results = await asyncio.gather(
                *[bench.client.perform(put()) for _ in range(50)],
                return_exceptions=True,
            )
            assert {type(result) for result in results} == {ConnectFailed}
            before = bench.counters.requests
            results = await asyncio.gather(
                *[bench.client.perform(put()) for _ in range(50)],
                return_exceptions=True,
            )
            assert {type(result) for result in results} == {ConnectFailed}
            assert bench.counters.requests == before

    drive(main())


def test_garbage_is_not_an_answer():
    """A service that speaks something else fails as such, after its tries."""

    async def ssh(peer: Peer):
        await peer.request()
        peer.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        await peer.gone()

    async def main():
        async with Bench(ssh) as bench:
            with pytest.raises(BadReply) as caught:
                await bench.client.perform(put())
            assert caught.value.code == "E_HTTP"

    drive(main())


def test_no_repr_shows_a_secret():
    """Clients, runs and hooks can be logged."""

    async def main():
        async with Bench(replies(EXPIRED)) as bench:
            run = bench.client.run(put(), lambda _: None)
            shown = repr(bench.client) + repr(run) + repr(bench.client.route(0)) + repr(bench.client._identities)
            assert "old-secret" not in shown
            assert "old-token" not in shown

    drive(main())
