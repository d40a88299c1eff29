"""Names to addresses, with a loop whose name server is the test."""

from __future__ import annotations

import asyncio
import socket

import pytest

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import NoSuchHost
from orbit_fast.core.model import Endpoint
from orbit_fast.io.dialer import Dialer
from orbit_fast.io.loop import new_loop
from orbit_fast.io.resolver import FRESH_S
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust
from tests.kit.clock import FakeClock


class NamesLoop(asyncio.SelectorEventLoop):
    """A loop that answers for the name server and for the network.

    Attributes:
        answer: addresses, or what is raised.
        asked: lookups so far.
        dead: addresses that refuse connections.
        tried: addresses in the order they were tried.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answer: list[str] | Exception = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        self.asked = 0
        self.dead: set[str] = set()
        self.tried: list[str] = []

    async def getaddrinfo(self, host, port, **_):
        """Answer what the test has set."""
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answer]

    async def create_connection(self, _make, host, _port, **_):
        """Refuse the dead."""
        self.tried.append(host)
        if host in self.dead:
            raise ConnectionRefusedError(111, "Connection refused")


@pytest.fixture
def loop():
    """The loop, closed at the end."""
    made = NamesLoop()
    yield made
    made.close()


def _first(loop, resolver) -> str:
    return loop.run_until_complete(resolver.addresses("s3.example", 443))[0]


def test_connections_are_spread_over_all_addresses(loop):
    """Each goes to the address used least recently."""
    resolver = Resolver(loop, FakeClock())
    assert [_first(loop, resolver) for _ in range(7)] == [f"10.0.0.{number}" for number in (1, 2, 3, 1, 2, 3, 1)]
    assert loop.asked == 1


def test_the_name_is_asked_for_again_after_a_few_seconds(loop):
    """And what it says then is what counts."""
    clock = FakeClock()
    resolver = Resolver(loop, clock)
    _first(loop, resolver)
    loop.answer = ["10.0.0.9"]
    clock.advance(FRESH_S - 0.1)
    assert _first(loop, resolver) == "10.0.0.2"
    clock.advance(0.2)
    assert _first(loop, resolver) == "10.0.0.9"
    assert loop.asked == 2


def test_lookups_at_the_same_time_are_one(loop):
    """A burst of connections asks once; one that is cancelled does not take the others with it."""
    resolver = Resolver(loop, FakeClock())

    async def main():
        asking = [asyncio.ensure_future(resolver.addresses("s3.example", 443)) for _ in range(10)]
        await asyncio.sleep(0)
        asking[0].cancel()
        return await asyncio.gather(*asking, return_exceptions=True)

    results = loop.run_until_complete(main())
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(len(addresses) == 3 for addresses in results[1:])
    assert loop.asked == 1


def test_an_address_that_failed_comes_last_for_a_while(loop):
    """Also before those that were used more recently."""
    clock = FakeClock()
    resolver = Resolver(loop, clock)
    _first(loop, resolver)
    resolver.note_failure("s3.example", 443, "10.0.0.2")
    assert [_first(loop, resolver) for _ in range(4)] == ["10.0.0.3", "10.0.0.1", "10.0.0.3", "10.0.0.1"]
    clock.advance(31)
    assert _first(loop, resolver) == "10.0.0.2"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NoSuchHost),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), ConnectFailed),
        (UnicodeError("label too long"), NoSuchHost),
        ([], NoSuchHost),
    ],
)
def test_a_name_without_address_is_one_clear_line(loop, answer, kind):
    """A name that does not exist is told from a name server that does not answer; the next one asks again."""
    resolver = Resolver(loop, FakeClock())
    good, loop.answer = loop.answer, answer
    with pytest.raises(ConnectFailed) as caught:
        _first(loop, resolver)
    assert type(caught.value) is kind
    assert caught.value.code == "E_DNS"
    assert "s3.example" in caught.value.message
    loop.answer = good
    assert _first(loop, resolver) == "10.0.0.1"


@pytest.mark.parametrize(
    ("dead", "tried"),
    [
        (set(), ["10.0.0.1"]),
        ({"10.0.0.1"}, ["10.0.0.1", "10.0.0.2"]),
        ({"10.0.0.1", "10.0.0.2"}, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ({"10.0.0.1", "10.0.0.2", "10.0.0.3"}, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
    ],
)
def test_up_to_three_addresses_are_tried(loop, dead, tried):
    """A connection fails only when all of them refuse."""
    loop.answer = [f"10.0.0.{number}" for number in range(1, 9)]
    loop.dead = dead
    dialer = Dialer(loop, Resolver(loop, FakeClock()), Endpoint("http", "s3.example", 80, "h"), Trust())
    if len(dead) == 3:
        with pytest.raises(ConnectFailed, match="Connection refused"):
            loop.run_until_complete(dialer.dial(asyncio.BufferedProtocol))
    else:
        loop.run_until_complete(dialer.dial(asyncio.BufferedProtocol))
    assert loop.tried == tried


def test_an_address_that_refused_is_tried_last_by_the_next_connections(loop):
    """One dead machine costs one attempt, and not one in three."""
    loop.dead = {"10.0.0.1"}
    dialer = Dialer(loop, Resolver(loop, FakeClock()), Endpoint("http", "s3.example", 80, "h"), Trust())
    for _ in range(4):
        loop.run_until_complete(dialer.dial(asyncio.BufferedProtocol))
    assert [address[-1] for address in loop.tried] == ["1", "2", "3", "2", "3"]


def test_the_products_loop_is_uvloop_here():
    """On CPython under Linux and macOS."""
    loop = new_loop()
    assert type(loop).__module__.startswith("uvloop")
    loop.close()
