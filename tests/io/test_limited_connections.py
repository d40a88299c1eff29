"""Connections under a limit on bytes: what is granted moves, and whoever waits for more is not given up."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Timeout
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.io.bandwidth import Bandwidth
from orbit_fast.io.bandwidth import Share
from orbit_fast.io.dialer import Dialer
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust
from tests.kit.clock import FakeClock
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import WireServer
from tests.kit.wire import drive

STEP = 1000
AT_ONCE = 8 * STEP
"""What a connection may send in one turn of the loop."""
DATA = bytes(range(256)) * 400
HEAD = b"PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n"


class Bench:
    """A limited pool to a scripted server. `granted` is what the supervisor would say."""

    def __init__(self, script) -> None:
        self.server = WireServer((script,))
        self.clock = FakeClock()
        self.counters = Counters()
        self.granted = 0
        self.told: list[int] = []
        self.ended: list[Exchange] = []

    async def __aenter__(self):
        await self.server.__aenter__()
        loop = asyncio.get_running_loop()
        endpoint = Endpoint("http", "127.0.0.1", self.server.port, "h")
        dialer = Dialer(loop, Resolver(loop, self.clock), endpoint, Trust())
        share = Share(granted=lambda: self.granted, tell=self.told.append, step=STEP)
        self.bandwidth = Bandwidth(loop, self.counters, share)
        self.pool = self.bandwidth.new_pool(loop, self.clock, dialer, limit=2, idle_s=30.0, counters=self.counters)
        return self

    async def __aexit__(self, *what):
        self.pool.close()
        await self.pool.wait_closed()
        assert (self.pool.open_connections, self.pool.waiting, self.counters.connections) == (0, 0, 0)
        await self.server.__aexit__(*what)

    @property
    def moved(self) -> int:
        """Bytes, both ways."""
        return self.counters.bytes_sent + self.counters.bytes_received

    def submit(self, *, body=None, sink=None, data: bytes = b"") -> Exchange:
        """Send one PUT."""
        request = Request(operation="PutObject", method="PUT", key="k", body=data)
        size = len(data) if body is None else body.size
        call = Call(request=request, site=0, body=body, sink=sink)
        exchange = Exchange(call, HEAD % size + data, self.ended.append)
        self.pool.submit(exchange)
        return exchange

    async def settle(self) -> None:
        """Let everything happen that can: until somebody has looked for more twice, and found none."""
        seen = -1
        while seen != self.moved:
            seen = self.moved
            told = len(self.told)
            while len(self.told) < told + 3:  # noqa: ASYNC110 - the moment is not announced by anything else
                await asyncio.sleep(0)

    def tick(self, seconds: int) -> None:
        """Let seconds pass for the pool."""
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.pool.tick()


async def swallow(peer) -> None:
    """Read requests and answer them, the body with 200."""
    while True:
        received = await peer.request()
        peer.reply(headers=f"x-sum: {sum(received.body)}\r\n")


async def give(peer) -> None:
    """Answer every request with `DATA`."""
    while True:
        await peer.request()
        peer.reply(DATA)


@pytest.mark.parametrize("is_streamed", [True, False])
def test_what_is_granted_is_sent(is_streamed):
    """A body in chunks and one in the request alike: it goes on as far as is granted, and arrives as it was."""

    async def main():
        async with Bench(swallow) as bench:
            exchange = bench.submit(body=BytesBody(DATA)) if is_streamed else bench.submit(data=DATA)
            await bench.settle()
            assert bench.moved == 0
            for granted in (1, 30_000, 60_000, 90_000):
                bench.granted = granted
                await bench.settle()
                assert granted <= bench.moved < granted + AT_ONCE
            bench.granted = 1 << 30
            while not bench.ended:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert exchange.failure is None
            assert exchange.head.headers["x-sum"] == str(sum(DATA))
            assert bench.told[-1] == 0 or bench.told[0] == 1

    drive(main())


def test_what_is_granted_is_received():
    """The bytes of an answer wait in the service until they may come."""

    async def main():
        async with Bench(give) as bench:
            sink = BytesSink()
            exchange = bench.submit(sink=sink)
            for granted in (1, 40_000, 80_000):
                bench.granted = granted
                await bench.settle()
                assert granted <= bench.moved < granted + STEP + 100
            bench.granted = 1 << 30
            while not bench.ended:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert (exchange.failure, bytes(sink.data)) == (None, DATA)

    drive(main())


@pytest.mark.parametrize("way", ["up", "down"])
def test_who_waits_is_not_stalled(way):
    """Ten minutes without a byte, because none is granted, end nothing."""

    async def main():
        async with Bench(swallow if way == "up" else give) as bench:
            bench.granted = 20_000
            exchange = bench.submit(body=BytesBody(DATA)) if way == "up" else bench.submit(sink=BytesSink())
            await bench.settle()
            bench.tick(600)
            assert bench.ended == []
            bench.granted = 1 << 30
            while not bench.ended:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert exchange.failure is None

    drive(main())


def test_who_does_not_wait_can_be_stalled():
    """A service that takes nothing more is given up as ever."""

    async def main():
        async def doze(peer) -> None:
            await peer.head()
            await peer.gone()

        async with Bench(doze) as bench:
            bench.granted = 1 << 30
            exchange = bench.submit(data=b"x")
            while not bench.counters.bytes_sent:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            bench.tick(40)
            while not bench.ended:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert isinstance(exchange.failure, Timeout)

    drive(main())


def test_requests_wait_with_their_pool():
    """None is sent before something is granted, then all in turn, also those for which a connection is free."""

    async def main():
        async with Bench(swallow) as bench:
            bench.granted = 1
            bench.submit()
            while len(bench.ended) < 1:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert bench.pool.is_spent
            rest = [bench.submit() for _ in range(5)]
            await bench.settle()
            assert (len(bench.ended), bench.pool.waiting) == (1, 5)
            bench.granted = 1 << 30
            while len(bench.ended) < 6:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            assert bench.ended[1:3] == rest[:2]
            assert bench.server.accepted <= 2

    drive(main())


def test_who_waits_can_be_ended():
    """Closing ends what was not sent, and what was sent in part."""

    async def main():
        async with Bench(swallow) as bench:
            bench.granted = 1
            sent = bench.submit(body=BytesBody(DATA))
            await bench.settle()
            unsent = bench.submit()
            bench.pool.close()
            await bench.pool.wait_closed()
            assert isinstance(unsent.failure, Cancelled)
            assert sent.failure is not None

    drive(main())
