"""The pool against servers that play a script, byte for byte, on the product's own loop."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import Timeout
from orbit_fast.core.errors import TlsTrust
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.io.dialer import Dialer
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.pool import IDLE_TICKS
from orbit_fast.io.pool import Pool
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust
from tests.kit.clock import FakeClock
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import WireServer
from tests.kit.wire import drive
from tests.kit.wire import serve_forever


async def until(is_so) -> None:
    """Let the loop turn until something is so."""
    while not is_so():  # noqa: ASYNC110 - the moment is not announced by anything but the state itself
        await asyncio.sleep(0)


HEAD = b"PUT /b/k HTTP/1.1\r\nhost: h\r\ncontent-length: %d\r\n\r\n"


class Bench:
    """A pool to a scripted server; every test ends with nothing open."""

    def __init__(self, *scripts, limit: int = 4) -> None:
        self.server = WireServer(scripts)
        self.clock = FakeClock()
        self.counters = Counters()
        self._limit = limit
        self._next: asyncio.Event = asyncio.Event()
        self.ended: list[Exchange] = []

    async def __aenter__(self):
        await self.server.__aenter__()
        loop = asyncio.get_running_loop()
        self.loop = loop
        endpoint = Endpoint("http", "127.0.0.1", self.server.port, "h")
        dialer = Dialer(loop, Resolver(loop, self.clock), endpoint, Trust())
        self.pool = Pool(loop, self.clock, dialer, limit=self._limit, idle_s=30.0, counters=self.counters)
        return self

    async def __aexit__(self, *what):
        self.pool.close()
        await self.pool.wait_closed()
        assert (self.pool.open_connections, self.pool.busy, self.pool.dialing, self.pool.waiting) == (0, 0, 0, 0)
        assert self.counters.connections == 0
        await self.server.__aexit__(*what)

    def submit(self, *, body=None, sink=None, data: bytes = b"", is_idempotent: bool = True) -> Exchange:
        """Send one PUT."""
        call = Call(
            request=Request(operation="PutObject", method="PUT", key="k", body=data),
            site=0,
            body=body,
            sink=sink,
            is_idempotent=is_idempotent,
        )
        size = len(data) if body is None else body.size
        exchange = Exchange(call, HEAD % size + data, self._on_end)
        self.pool.submit(exchange)
        return exchange

    def _on_end(self, exchange: Exchange) -> None:
        self.ended.append(exchange)
        self._next.set()

    async def wait(self, count: int) -> None:
        """Wait until so many exchanges have ended."""
        while len(self.ended) < count:
            self._next.clear()
            await self._next.wait()

    async def one(self, **call) -> Exchange:
        """Send one and wait for its end."""
        exchange = self.submit(**call)
        await self.wait(len(self.ended) + 1)
        assert self.ended[-1] is exchange
        return exchange

    def tick(self, seconds: int) -> None:
        """Let seconds pass for the pool."""
        for _ in range(seconds):
            self.clock.advance(1.0)
            self.pool.tick()


def test_a_connection_is_used_again():
    """Requests one after the other go over one connection."""

    async def main():
        async with Bench(serve_forever) as bench:
            for _ in range(5):
                exchange = await bench.one()
                assert exchange.head.status == 200
            assert bench.server.accepted == 1
            assert repr(bench.pool) == (
                f"<Pool http://127.0.0.1:{bench.server.port}: open 1 (busy 0, idle 1), dialing 0, waiting 0, limit 4>"
            )

    drive(main())


def test_the_limit_is_kept_and_the_queue_is_first_in_first_out():
    """Twenty requests over two connections: all end, never more than two open, in order."""

    async def main():
        async with Bench(serve_forever, limit=2) as bench:
            submitted = [bench.submit() for _ in range(20)]
            await bench.wait(20)
            assert bench.server.accepted == 2
            order = [submitted.index(exchange) for exchange in bench.ended]
            assert sorted(order) == list(range(20))
            assert max(abs(place - number) for place, number in enumerate(order)) <= 2

    drive(main())


def test_idle_connections_retire_before_the_service_closes_them():
    """Four ticks without work, and it is closed from here; the newest are used first."""

    async def main():
        async with Bench(serve_forever) as bench:
            for _ in range(3):
                bench.submit()
            await bench.wait(3)
            assert bench.pool.open_connections == 3
            for count in range(IDLE_TICKS + 1):
                await bench.one()
                bench.tick(1)
                assert bench.server.accepted == 3, count
            await asyncio.sleep(0)
            assert bench.pool.open_connections == 1

    drive(main())


def test_a_stale_connection_costs_nothing():
    """Closed between two requests in the way that RST reaches us first with the second: sent again, body and all."""

    async def main():
        async def die_on_second(peer: Peer):
            await peer.request()
            peer.reply()
            await peer.head()
            peer.reset()

        async def serve(peer: Peer):
            received = await peer.request()
            assert received.body == b"abc" * 1000
            peer.reply()
            await peer.gone()

        async with Bench(die_on_second, serve) as bench:
            await bench.one()
            body = BytesBody(b"abc" * 1000, chunk_size=512)
            exchange = await bench.one(body=body)
            assert exchange.failure is None
            assert exchange.is_second_chance
            assert body.rewinds == 1
            assert bench.server.accepted == 2

    drive(main())


def test_a_second_chance_is_the_last():
    """A service that always closes is a failure, after two connections and not more."""

    async def main():
        async def serve_once(peer: Peer):
            await peer.request()
            peer.reply()
            await peer.head()
            peer.reset()

        async def refuse(peer: Peer):
            await peer.head()
            peer.reset()

        async with Bench(serve_once, refuse) as bench:
            await bench.one()
            exchange = await bench.one()
            assert isinstance(exchange.failure, Network)
            assert bench.server.accepted == 2

    drive(main())


def test_a_second_chance_does_not_wait_behind_the_others():
    """The place of the stale connection is its own: the new one serves it first. Also when the limit has come down."""

    async def main():
        async def stale(peer: Peer):
            await peer.request()
            peer.reply()
            await peer.head()
            peer.reset()

        async with Bench(serve_forever, stale, serve_forever, limit=2) as bench:
            bench.submit()
            bench.submit()
            await bench.wait(2)
            bench.pool.limit = 1
            for _ in range(30):
                bench.submit()
            await bench.wait(32)
            assert [exchange.failure for exchange in bench.ended] == [None] * 32
            places = [place for place, exchange in enumerate(bench.ended) if exchange.is_second_chance]
            assert len(places) == 1
            assert places[0] < 20

    drive(main())


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_an_early_refusal_is_read_though_the_service_closes(size):
    """The status arrives whether the rest of the body could be sent or not."""

    async def main():
        async def refuse(peer: Peer):
            await peer.head()
            peer.reply(b"<Error/>", status="403 Forbidden", headers="connection: close\r\n")

        async with Bench(refuse) as bench:
            exchange = await bench.one(body=BytesBody(bytes(size), chunk_size=100_000))
            assert exchange.failure is None
            assert exchange.head.status == 403
            assert exchange.content == b"<Error/>"

    drive(main())


@pytest.mark.parametrize("chunk_size", [1000, 65_536, 1 << 20])
def test_a_large_body_arrives_whole_at_a_slow_reader(chunk_size):
    """Its one memory is written again only when the kernel has the bytes of before."""
    data = bytes(range(256)) * 20_000

    async def main():
        async def slow(peer: Peer):
            _, headers = await peer.head()
            left = int(headers["content-length"])
            at = 0
            while left:
                size = min(left, 300_000)
                assert await peer.read(size) == data[at : at + size]
                at += size
                left -= size
                await asyncio.sleep(0)
            peer.reply()
            await peer.gone()

        async with Bench(slow) as bench:
            exchange = await bench.one(body=BytesBody(data, chunk_size=chunk_size))
            assert exchange.failure is None
            assert bench.counters.bytes_sent > len(data)

    drive(main())


def test_a_large_reply_goes_into_the_sink():
    """Through a small memory that is used again and again."""
    data = bytes(range(256)) * 20_000

    async def main():
        async def send(peer: Peer):
            for _ in range(2):
                await peer.request()
                peer.reply(data)
            await peer.gone()

        async with Bench(send) as bench:
            for _ in range(2):
                sink = BytesSink(room=100_000)
                exchange = await bench.one(sink=sink)
                assert exchange.failure is None
                assert sink.data == data
                assert sink.is_finished
            assert bench.server.accepted == 1

    drive(main())


@pytest.mark.parametrize("moment", ["dialing", "sending", "waiting", "receiving", "queued"])
def test_an_exchange_can_be_abandoned_at_every_moment(moment):
    """It ends once, with the given failure, and nothing stays open or queued for it."""

    async def main():
        heard = asyncio.Event()

        async def hold(peer: Peer):
            await peer.head()
            if moment == "receiving":
                peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc")
            heard.set()
            if moment in {"sending", "queued"}:
                await asyncio.Event().wait()
            await peer.gone()

        async with Bench(hold, limit=1) as bench:
            first = None
            if moment == "queued":
                first = bench.submit()
                await heard.wait()
            sink = BytesSink()
            exchange = bench.submit(body=BytesBody(bytes(20_000_000)) if moment == "sending" else None, sink=sink)
            if moment != "dialing":
                await heard.wait()
            await until(lambda: moment != "receiving" or sink.data)
            exchange.abandon(Cancelled("enough"))
            await bench.wait(1)
            assert bench.ended == [exchange]
            assert exchange.failure.message == "enough"
            if first is not None:
                first.abandon(Cancelled("also"))
                await bench.wait(2)

    drive(main())


def test_closing_ends_everything():
    """What is under way, what waits, and what comes later fail; nothing is left."""

    async def main():
        async def hold(peer: Peer):
            await peer.gone()

        async with Bench(hold, limit=1) as bench:
            under_way = bench.submit()
            queued = bench.submit()
            await until(lambda: under_way.was_sent)
            bench.pool.close()
            await bench.pool.wait_closed()
            late = bench.submit()
            await bench.wait(3)
            assert isinstance(under_way.failure, Network)
            assert isinstance(queued.failure, Cancelled)
            assert isinstance(late.failure, Cancelled)

    drive(main())


def test_closing_while_a_connection_is_being_opened():
    """The dial is cancelled too."""

    async def main():
        async with Bench(serve_forever) as bench:
            exchange = bench.submit()
            await asyncio.sleep(0)
            assert bench.pool.dialing == 1
            bench.pool.close()
            await bench.wait(1)
            assert isinstance(exchange.failure, Cancelled)

    drive(main())


def test_a_service_that_never_answers_is_given_up_by_the_ticks():
    """The first byte has its limit, though the test's clock is all that moves."""

    async def main():
        async def hold(peer: Peer):
            await peer.head()
            await peer.gone()

        async with Bench(hold) as bench:
            exchange = bench.submit()
            await until(lambda: exchange.was_sent)
            bench.tick(29)
            await asyncio.sleep(0)
            assert bench.ended == []
            bench.tick(4)
            await bench.wait(1)
            assert isinstance(exchange.failure, Timeout)

    drive(main())


def test_a_process_that_slept_times_nobody_out():
    """An hour between two ticks counts as two seconds."""

    async def main():
        awake = asyncio.Event()

        async def late(peer: Peer):
            await peer.request()
            await awake.wait()
            peer.reply()
            await peer.gone()

        async with Bench(late) as bench:
            exchange = bench.submit()
            await until(lambda: exchange.was_sent)
            bench.tick(1)
            bench.clock.advance(3600.0)
            bench.pool.tick()
            awake.set()
            await bench.wait(1)
            assert exchange.failure is None

    drive(main())


class RefusingOpener:
    """No connection ever; counts how often it was asked."""

    is_tls = False

    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        self.dials = 0

    async def dial(self, make_protocol: object) -> None:
        """Fail."""
        assert make_protocol is not None
        self.dials += 1
        await asyncio.sleep(0)
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (ConnectFailed("refused"), "E_CONNECT"),
        (TlsTrust("self-signed"), "E_TLS_TRUST"),
        (RuntimeError("mistake"), "E_INTERNAL"),
    ],
)
def test_a_failed_dial_fails_one_waiting_exchange(failure, expected):
    """Each has its own try, so that nobody waits for ever."""

    async def main():
        loop = asyncio.get_running_loop()
        opener = RefusingOpener(failure)
        pool = Pool(loop, FakeClock(), opener, limit=2, idle_s=30.0, counters=Counters())
        ended: list[Exchange] = []
        for _ in range(5):
            call = Call(request=Request(operation="GetObject", method="GET"), site=0)
            pool.submit(Exchange(call, b"", ended.append))
        await until(lambda: len(ended) == 5)
        assert {exchange.failure.code for exchange in ended} == {expected}
        assert not any(exchange.was_sent for exchange in ended)
        assert opener.dials == 5
        pool.close()
        await pool.wait_closed()

    drive(main())


def test_a_service_that_takes_few_connections_is_not_hammered():
    """With one connection open, a refused second one is tried again at the next tick, and everything is served."""

    async def main():
        async with Bench(serve_forever, limit=8) as bench:
            await bench.one()
            bench.pool._opener = opener = RefusingOpener(ConnectFailed("refused"))
            for _ in range(50):
                bench.submit()
            await bench.wait(51)
            assert [exchange.failure for exchange in bench.ended] == [None] * 51
            assert opener.dials <= 8

    drive(main())


class SlowOpener:
    """Opens connections when the test says so."""

    is_tls = False

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self.waiting: list[asyncio.Event] = []

    async def dial(self, make_protocol) -> None:
        """Wait, then open one."""
        gate = asyncio.Event()
        self.waiting.append(gate)
        await gate.wait()
        await self._dialer.dial(make_protocol)


def test_connections_are_opened_by_and_by():
    """Eight at first, then two for each that is open: not hundreds at once for a few objects."""

    async def main():
        gone = asyncio.Event()

        async def hold(peer):
            await peer.request()
            await gone.wait()
            peer.reply()
            await serve_forever(peer)

        async with Bench(hold, limit=100) as bench:
            bench.pool._opener = opener = SlowOpener(bench.pool._opener)
            for _ in range(90):
                bench.submit()
            sizes = []
            while bench.pool.open_connections < 90:
                await until(lambda: len(opener.waiting) == bench.pool.dialing > 0)
                sizes.append(bench.pool.dialing)
                gates, opener.waiting = opener.waiting, []
                opened = bench.pool.open_connections + len(gates)
                for gate in gates:
                    gate.set()
                await until(lambda: bench.pool.open_connections == opened)  # noqa: B023 - awaited at once
            assert sizes[0] == 8
            assert all(dialing <= 2 * sum(sizes[:number]) for number, dialing in enumerate(sizes) if number)
            gone.set()
            await bench.wait(90)

    drive(main())
