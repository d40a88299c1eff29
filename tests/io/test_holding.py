"""A connection whose answer is not read for a while: nothing comes in, no time runs out, and then it goes on."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Timeout
from orbit_fast.core.model import Request
from orbit_fast.io.connection import State
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.holding import HoldingConnection
from orbit_fast.io.reader import Scratch
from tests.kit.wire import BytesSink

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n"


class Transport:
    """Remembers whether it is read from."""

    def __init__(self) -> None:
        self.reads = True
        self.is_aborted = False

    def get_extra_info(self, name):
        """Nothing."""

    def set_write_buffer_limits(self, high, low):
        """Nothing to limit."""

    def get_write_buffer_size(self):
        """All has gone out."""
        return 0

    def write(self, data):
        """It goes out."""

    def pause_reading(self):
        """Read nothing."""
        self.reads = False

    def resume_reading(self):
        """Read."""
        self.reads = True

    def abort(self):
        """Remember it."""
        self.is_aborted = True

    def is_closing(self):
        """Whether it was aborted."""
        return self.is_aborted


class Owner:
    """A pool that counts what comes back."""

    def __init__(self) -> None:
        self.scratch = Scratch(1 << 16)
        self.counters = Counters()
        self.released = 0

    def made(self, connection):
        """Open."""

    def release(self, connection):
        """Free."""
        self.released += 1

    def lost(self, connection):
        """Closed."""

    def is_late(self, waited_s):
        """Nothing is."""
        return False


class Bench:
    """A connection with one exchange, whose answer is held where `is_full` says so."""

    def __init__(self) -> None:
        loop = asyncio.new_event_loop()
        self.owner, self.transport, self.sink = Owner(), Transport(), BytesSink()
        self.connection = HoldingConnection(self.owner, loop, 30.0)
        loop.close()
        self.connection.connection_made(self.transport)
        self.is_full = False
        self.go_on = None
        self.ended = []
        call = Call(request=Request(operation="GetObject", method="GET"), site=0, sink=self.sink, hold=self.hold)
        self.exchange = Exchange(call, b"GET / HTTP/1.1\r\n\r\n", self.ended.append)
        self.connection.start(self.exchange)

    def hold(self, go_on):
        """As a call's."""
        self.go_on = go_on
        return self.is_full

    def arrive(self, data):
        """The service has sent this."""
        view = self.connection.get_buffer(-1)
        view[: len(data)] = data
        self.connection.buffer_updated(len(data))


@pytest.fixture
def bench():
    """A connection."""
    return Bench()


def test_it_is_read_while_there_is_room(bench):
    """Nothing is held where nobody asks for it."""
    bench.arrive(HEAD + b"a" * 100)
    bench.arrive(b"b" * 200)
    assert (bench.transport.reads, bench.owner.released, len(bench.sink.data)) == (True, 1, 300)


def test_it_is_not_read_while_there_is_none(bench):
    """However long that takes, it is not given up; then it is read to its end, and the connection is free."""
    bench.is_full = True
    bench.arrive(HEAD + b"a" * 100)
    assert not bench.transport.reads
    for second in range(100):
        bench.connection.tick(float(second))
    assert not bench.transport.is_aborted
    bench.is_full = False
    bench.go_on()
    assert bench.transport.reads
    bench.arrive(b"b" * 200)
    assert (bench.ended, bench.exchange.failure) == ([bench.exchange], None)
    assert bench.connection.state is State.IDLE


def test_time_counts_again_when_it_is_read_again(bench):
    """A service that then sends nothing is given up after the usual time, not at once."""
    bench.is_full = True
    bench.arrive(HEAD + b"a" * 100)
    bench.connection.tick(0.0)
    bench.connection.tick(1000.0)
    bench.go_on()
    for second in range(1001, 1030):
        bench.connection.tick(float(second))
    assert not bench.transport.is_aborted
    bench.connection.tick(1040.0)
    assert isinstance(bench.exchange.failure, Timeout)


def test_who_wakes_it_too_late_changes_nothing(bench):
    """The exchange was given up: the next one is not read, or not held, because of it."""
    bench.is_full = True
    bench.arrive(HEAD + b"a" * 100)
    bench.connection.abandon(bench.exchange, Cancelled("enough"))
    bench.connection.connection_lost(None)
    bench.transport.reads = False
    bench.go_on()
    assert (bench.transport.reads, bench.ended) == (False, [bench.exchange])


def test_who_wakes_it_twice_does_not_wake_the_next(bench):
    """The next answer over this connection has no room yet, whoever had some before."""
    bench.is_full = True
    bench.arrive(HEAD + b"a" * 100)
    go_on = bench.go_on
    go_on()
    bench.arrive(b"b" * 200)
    call = bench.exchange.call
    bench.connection.start(Exchange(call, b"GET / HTTP/1.1\r\n\r\n", bench.ended.append))
    bench.arrive(HEAD + b"a" * 100)
    assert not bench.transport.reads
    go_on()
    assert not bench.transport.reads


def test_the_end_of_an_answer_is_not_held(bench):
    """A connection that goes back to its pool is read from."""
    bench.is_full = True
    bench.arrive(HEAD + b"a" * 300)
    assert (bench.transport.reads, bench.owner.released) == (True, 1)
