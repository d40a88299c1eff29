"""One connection over a transport that a test holds in its hands."""

from __future__ import annotations

import asyncio
import socket

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import Timeout
from orbit_fast.core.model import Request
from orbit_fast.io.connection import Connection
from orbit_fast.io.connection import State
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.reader import Scratch
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n"
BODY = bytes(range(256)) * 40


class HeldTransport:
    """Keeps references to what is written, like a real one; the test says when the kernel takes it."""

    def __init__(self, protocol: Connection, *, is_tls: bool = False, takes_all: bool = False) -> None:
        self.protocol = protocol
        self.held: list[bytes | memoryview] = []
        self.wire = bytearray()
        self.limits: tuple[int, int] = (-1, -1)
        self.is_aborted = False
        self.socket: socket.socket | None = None
        self.on_lost = lambda: None
        self._is_tls = is_tls
        self._takes_all = takes_all

    def get_extra_info(self, name: str) -> object:
        """Only what a connection asks."""
        if name == "socket":
            return self.socket
        return object() if name == "ssl_object" and self._is_tls else None

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Remember them."""
        self.limits = (low, high)

    def get_write_buffer_size(self) -> int:
        """Bytes that are still referred to."""
        return sum(len(piece) for piece in self.held)

    def write(self, data: bytes | memoryview) -> None:
        """Take a reference."""
        self.held.append(data)
        if self._takes_all:
            self.drain()

    def drain(self) -> None:
        """The kernel takes everything."""
        held, self.held = self.held, []
        for piece in held:
            self.wire += piece
        self.protocol.resume_writing()

    def abort(self) -> None:
        """Remember it; the test calls `lose`."""
        self.is_aborted = True

    def is_closing(self) -> bool:
        """Whether it was aborted."""
        return self.is_aborted

    def lose(self, error: Exception | None = None) -> None:
        """The end: nothing is referred to any more."""
        self.held = []
        self.protocol.connection_lost(error)
        self.on_lost()


class Owner:
    """A pool that only remembers what it was told."""

    def __init__(self) -> None:
        self.scratch = Scratch(1 << 16)
        self.counters = Counters()
        self.told: list[str] = []
        self.late_s = float("inf")

    def made(self, connection: Connection) -> None:
        """Open."""
        assert connection.state is State.IDLE
        self.told.append("made")

    def release(self, connection: Connection) -> None:
        """Free."""
        assert connection.state is State.IDLE
        self.told.append("release")

    def withdraw(self, connection: Connection) -> None:
        """Closing while idle."""
        assert connection.state is State.IDLE
        self.told.append("withdraw")

    def lost(self, connection: Connection) -> None:
        """Closed."""
        assert connection.state is State.CLOSED
        self.told.append("lost")

    def again(self, exchange: Exchange) -> None:
        """A second chance."""
        assert exchange.failure is not None
        self.told.append("again")

    def is_late(self, waited_s: float) -> bool:
        """From then on."""
        return waited_s >= self.late_s


class Bench:
    """A connection, its transport and its owner, and what its exchanges ended with."""

    def __init__(self, *, is_tls: bool = False, takes_all: bool = False) -> None:
        self.loop = asyncio.new_event_loop()
        self.owner = Owner()
        self.connection = Connection(self.owner, self.loop, 30.0)
        self.transport = HeldTransport(self.connection, is_tls=is_tls, takes_all=takes_all)
        self.transport.on_lost = self.turn  # what follows at the loop's next turn, follows at once
        self.connection.connection_made(self.transport)
        self.ended: list[Exchange] = []

    def start(self, payload: bytes = b"HEAD", **call: object) -> Exchange:
        """Start one exchange."""
        exchange = Exchange(self.call(**call), payload, self.ended.append)
        self.connection.start(exchange)
        return exchange

    @staticmethod
    def call(**call: object) -> Call:
        """A PUT."""
        return Call(request=Request(operation="PutObject", method="PUT", key="k"), site=0, **call)

    def hear(self, data: bytes) -> None:
        """Bytes arrive."""
        while data:
            view = self.connection.get_buffer(-1)
            assert len(view) > 0
            size = min(len(view), len(data))
            view[:size] = data[:size]
            self.connection.buffer_updated(size)
            data = data[size:]

    def turn(self) -> None:
        """Let the loop run what is due."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def serve_one(self) -> None:
        """One exchange that goes well."""
        self.start()
        self.transport.drain()
        self.hear(OK)
        self.ended.clear()
        self.owner.told.clear()


@pytest.fixture
def bench():
    """A connection whose transport holds everything until it is drained."""
    made = Bench()
    yield made
    made.loop.close()


@pytest.fixture
def open_bench():
    """A connection whose kernel takes everything at once."""
    made = Bench(takes_all=True)
    yield made
    made.loop.close()


def test_a_small_request_is_one_write_and_goes_back_to_the_pool(bench):
    """Head and body are one immutable piece; the reply ends it though the transport may still hold that piece."""
    exchange = bench.start(b"HEADbody")
    assert bench.transport.held == [b"HEADbody"]
    bench.hear(OK)
    assert bench.ended == [exchange]
    assert exchange.failure is None
    assert exchange.head.status == 200
    assert bench.owner.told == ["made", "release"]
    assert bench.owner.counters.bytes_sent == 8
    assert bench.owner.counters.bytes_received == len(OK)


def test_the_next_chunk_is_asked_for_only_when_nothing_is_held(bench):
    """A body that uses one memory for all chunks arrives whole, whatever the transport does in between."""
    body = BytesBody(BODY, chunk_size=1000)
    bench.start(body=body)
    assert body.position == 0  # the head is still held
    while bench.transport.held:
        before = body.position
        bench.transport.drain()
        assert body.position - before in {0, 240, 1000}
    assert bytes(bench.transport.wire) == b"HEAD" + BODY


def test_a_kernel_that_takes_everything_gives_others_their_turn(open_bench):
    """After a few chunks the rest is sent from the loop."""
    body = BytesBody(BODY, chunk_size=1000)
    open_bench.start(body=body)
    assert body.position == 8000
    open_bench.turn()
    assert body.position == len(BODY)
    assert bytes(open_bench.transport.wire) == b"HEAD" + BODY


def test_a_success_ends_only_when_the_body_is_let_go(bench):
    """The reply may be faster than our transport; the memory is not free before that."""
    bench.start(body=BytesBody(b"abc"))
    bench.transport.drain()
    assert bench.transport.get_write_buffer_size() == 3
    bench.hear(OK)
    assert bench.ended == []
    bench.transport.drain()
    assert [exchange.failure for exchange in bench.ended] == [None]
    assert bench.owner.told == ["made", "release"]


def test_a_success_is_not_believed_when_the_connection_breaks_before_the_body_is_out(bench):
    """What the transport still held never arrived."""
    bench.start(body=BytesBody(b"abc"))
    bench.transport.drain()
    bench.hear(OK)
    bench.transport.lose()
    assert isinstance(bench.ended[0].failure, Network)


@pytest.mark.parametrize("body", [None, BytesBody(BODY, chunk_size=1000)])
def test_memory_of_a_body_is_free_a_turn_after_the_connection(bench, body):
    """Uvloop lets go of queued chunks when its handle is closed: after `connection_lost`, before the next turn."""
    exchange = bench.start(body=body)
    bench.transport.drain()
    bench.transport.on_lost = lambda: None
    bench.transport.lose()
    assert bench.ended == ([exchange] if body is None else [])
    bench.turn()
    assert bench.ended == [exchange]


def test_an_early_refusal_is_read_and_the_sending_stops(bench):
    """Its status counts; the connection is closed, and the end comes when the transport holds nothing."""
    body = BytesBody(BODY, chunk_size=1000)
    exchange = bench.start(body=body)
    bench.transport.drain()
    bench.hear(SLOW_DOWN)
    assert bench.transport.is_aborted
    assert bench.ended == []
    bench.transport.lose()
    assert bench.ended == [exchange]
    assert exchange.failure is None
    assert exchange.head.status == 503
    assert body.position == 1000
    assert bench.owner.told == ["made", "lost"]


def test_a_refusal_after_the_last_chunk_does_not_wait_for_the_transport(bench):
    """A service that does not read the rest must not hold us."""
    bench.start(body=BytesBody(b"abc"))
    bench.transport.drain()
    bench.hear(SLOW_DOWN)
    assert bench.transport.is_aborted
    bench.transport.lose()
    assert bench.ended[0].head.status == 503
    assert bench.ended[0].failure is None


def test_an_early_success_is_a_failure(bench):
    """Nobody can have stored what was not sent."""
    bench.start(body=BytesBody(BODY, chunk_size=1000))
    bench.transport.drain()
    bench.hear(OK)
    bench.transport.lose()
    assert isinstance(bench.ended[0].failure, BadReply)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (SLOW_DOWN, 503),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<Error/>", 403),
        (OK, None),
        (b"HTTP/1.1 50", None),
        (b"", None),
    ],
)
def test_what_was_said_before_a_write_failed_is_still_read(bench, said, status):
    """The service answered and closed; our write met the closed connection before our read met the answer."""
    here, there = socket.socketpair()
    with here, there:
        bench.transport.socket = here
        bench.start(body=BytesBody(BODY, chunk_size=1000))
        bench.transport.drain()
        there.sendall(said)
        there.close()
        bench.transport.lose(BrokenPipeError(32, "Broken pipe"))
    (exchange,) = bench.ended
    if status is None:
        assert exchange.failure is not None
    else:
        assert exchange.failure is None
        assert exchange.head.status == status
    assert bench.owner.told == ["made", "lost"]


def test_an_interim_reply_does_not_stop_the_sending(bench):
    """100 Continue is no answer."""
    bench.start(body=BytesBody(BODY, chunk_size=1000))
    bench.transport.drain()
    bench.hear(b"HTTP/1.1 100 Continue\r\n\r\n")
    while bench.transport.held:
        bench.transport.drain()
    bench.hear(OK)
    assert bytes(bench.transport.wire) == b"HEAD" + BODY
    assert bench.ended[0].failure is None


@pytest.mark.parametrize("moment", ["head held", "chunk held", "all sent", "answer begun", "drained"])
def test_an_abandoned_exchange_ends_when_the_transport_is_gone(bench, moment):
    """At every moment: first the transport dies, then the memory is free."""
    exchange = bench.start(body=BytesBody(b"abc" * 1000, chunk_size=1000))
    drains = {"head held": 0, "chunk held": 1}.get(moment, 4)
    for _ in range(drains):
        bench.transport.drain()
    if moment == "answer begun":
        bench.hear(OK[:20])
    exchange.abandon(Cancelled("enough"))
    exchange.abandon(Cancelled("twice"))
    assert bench.transport.is_aborted
    assert bench.ended == []
    bench.transport.lose()
    assert bench.ended == [exchange]
    assert exchange.failure.message == "enough"
    exchange.abandon(Cancelled("too late"))
    assert bench.ended == [exchange]


def test_nothing_is_asked_of_a_body_that_was_abandoned(bench):
    """Late signals of the transport do not touch it."""
    body = BytesBody(BODY, chunk_size=1000)
    exchange = bench.start(body=body)
    exchange.abandon(Cancelled("enough"))
    bench.transport.drain()
    bench.turn()
    assert body.position == 0


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(SourceChanged("changed"), SourceChanged), (OSError("disk"), Internal)],
)
def test_a_body_that_fails_ends_the_exchange(bench, failure, expected):
    """With its own error, or as a mistake of ours where it raises what it may not."""
    bench.start(body=BytesBody(BODY, chunk_size=1000, failure=failure))
    bench.transport.drain()
    if expected is Internal:
        with pytest.raises(OSError, match="disk"):
            bench.transport.drain()
    else:
        bench.transport.drain()
    bench.transport.lose()
    assert isinstance(bench.ended[0].failure, expected)


@pytest.mark.parametrize("moment", ["begin", "buffer", "received"])
def test_a_sink_that_refuses_costs_the_connection(bench, moment):
    """The rest of the body is not worth reading."""
    bench.start(sink=BytesSink(refuse=moment))
    bench.hear(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")
    bench.hear(b"abc")
    bench.transport.lose()
    assert isinstance(bench.ended[0].failure, Cancelled)


def test_a_sink_that_refuses_the_whole_does_not_cost_the_connection(bench):
    """Its bytes are wrong, but they ended where they should."""
    bench.start(sink=BytesSink(refuse="finish"))
    bench.hear(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc")
    assert isinstance(bench.ended[0].failure, Cancelled)
    assert bench.owner.told == ["made", "release"]


@pytest.mark.parametrize(
    ("heard", "code", "words"),
    [
        (b"", "E_CONN_RESET", "before it answered"),
        (b"HTTP/1.1 20", "E_CONN_RESET", "answer's head"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "E_SHORT_BODY", "6 bytes before the end"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "E_SHORT_BODY", "middle of its answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nab", "E_SHORT_BODY", "middle of its answer"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\nab", "E_SHORT_BODY", "answer (500), 7 bytes before"),
    ],
)
def test_a_broken_connection_says_where(bench, heard, code, words):
    """A reset is a failure at every phase, with the phase in its message."""
    bench.start()
    bench.hear(heard)
    bench.transport.lose(ConnectionResetError(104, "Connection reset by peer"))
    failure = bench.ended[0].failure
    assert failure.code == code
    assert words in failure.message
    assert "Connection reset by peer" in failure.message


def test_a_stale_connection_gives_a_second_chance(bench):
    """Closed by the service while idle: the failure says nothing about the request."""
    bench.serve_one()
    exchange = bench.start()
    bench.transport.lose(ConnectionResetError())
    assert bench.owner.told == ["lost", "again"]
    assert bench.ended == []
    assert isinstance(exchange.failure, Network)


@pytest.mark.parametrize("case", ["fresh", "heard", "second", "not idempotent"])
def test_what_is_not_stale_fails(bench, case):
    """A first exchange, one that was answered in part, a second chance, and what must not happen twice."""
    if case != "fresh":
        bench.serve_one()
    exchange = Exchange(bench.call(is_idempotent=case != "not idempotent"), b"HEAD", bench.ended.append)
    exchange.is_second_chance = case == "second"
    bench.connection.start(exchange)
    if case == "heard":
        bench.hear(b"H")
    bench.transport.lose()
    assert bench.ended == [exchange]
    assert "again" not in bench.owner.told


@pytest.mark.parametrize("case", ["late", "in time", "fresh", "heard", "second", "a write"])
def test_what_reads_and_is_late_gets_another_connection(bench, case):
    """A first exchange too. Nothing else does: one whose answer has begun, a second chance, and above all no write."""
    if case != "fresh":
        bench.serve_one()
    operation = "PutObject" if case == "a write" else "GetObject"
    call = Call(request=Request(operation=operation, method="GET", key="k"), site=0)
    exchange = Exchange(call, b"HEAD", bench.ended.append)
    exchange.is_second_chance = case == "second"
    bench.owner.late_s = 3.0 if case == "in time" else 2.0
    bench.connection.start(exchange)
    bench.transport.drain()
    if case == "heard":
        bench.hear(b"H")
    for second in (100.0, 101.0, 102.0):
        assert not bench.transport.is_aborted
        bench.connection.tick(second)
    is_moved = case in {"late", "fresh"}
    assert bench.transport.is_aborted == is_moved
    if is_moved:
        bench.transport.lose()
        assert bench.owner.told[-1] == "again"
    assert bench.ended == []


@pytest.mark.parametrize("event", ["bytes", "eof"])
def test_an_idle_connection_that_stirs_is_closed(bench, event):
    """A 408 out of nowhere must not be the next request's answer."""
    bench.serve_one()
    if event == "bytes":
        bench.hear(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    else:
        bench.connection.eof_received()
    assert bench.transport.is_aborted
    assert bench.owner.told == ["withdraw"]
    bench.transport.lose()
    assert bench.owner.told == ["withdraw", "lost"]


@pytest.mark.parametrize("reply", [OK.replace(b"200 OK\r\n", b"200 OK\r\nconnection: close\r\n"), OK + b"x"])
def test_a_connection_that_cannot_be_trusted_is_not_used_again(bench, reply):
    """The service said close, or sent more than its reply."""
    bench.start()
    bench.hear(reply)
    assert bench.ended[0].failure is None
    assert bench.transport.is_aborted
    assert bench.owner.told == ["made"]


@pytest.mark.parametrize(
    ("heard", "seconds", "code"),
    [
        (b"", 61, "E_TIMEOUT"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", 32, "E_STALLED"),
        (b"HTTP/1.1 2", 32, "E_TIMEOUT"),
    ],
)
def test_an_exchange_that_gets_nowhere_is_given_up(bench, heard, seconds, code):
    """No first byte, no further byte, no end of a head: each within its limit, seen by the ticks alone."""
    bench.start(sink=BytesSink(), first_byte_s=60.0)
    bench.transport.drain()
    bench.hear(heard)
    ticks = 0
    while not bench.transport.is_aborted:
        bench.connection.tick(float(ticks))
        ticks += 1
        assert ticks < 100
    assert abs(ticks - seconds) <= 2
    bench.transport.lose()
    assert isinstance(bench.ended[0].failure, Timeout)
    assert bench.ended[0].failure.code == code


def test_a_request_that_nobody_reads_is_given_up(bench):
    """A transport that never lets go of a chunk is a stall, and the body is free when it is gone."""
    bench.start(body=BytesBody(BODY, chunk_size=1000), first_byte_s=900.0)
    bench.transport.drain()
    for second in range(40):
        bench.connection.tick(float(second))
    assert bench.transport.is_aborted
    bench.transport.lose()
    assert bench.ended[0].failure.code == "E_STALLED"


@pytest.mark.parametrize(("is_tls", "limits"), [(False, (0, 0)), (True, (0, 1))])
def test_transports_report_every_byte_they_hold(is_tls, limits):
    """Their limits make them say when they are empty, and only then."""
    bench = Bench(is_tls=is_tls)
    assert bench.transport.limits == limits
    bench.loop.close()
