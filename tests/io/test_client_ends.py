"""How runs of the client end: cancelled at any moment, by mistakes, without a service."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Request
from orbit_fast.io.flow import Call
from tests.kit.client_bench import EXPIRED
from tests.kit.client_bench import GOOD
from tests.kit.client_bench import Bench
from tests.kit.client_bench import put
from tests.kit.client_bench import replies
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import drive


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
