"""The receive window that a connection begins its first large body with."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from orbit_fast.core.model import Request
from orbit_fast.io.connection import Connection
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.loop import new_loop
from orbit_fast.io.reader import Scratch
from tests.kit.wire import BytesSink

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked for a window this way")


class Owner:
    """A pool of one connection that is kept."""

    def __init__(self) -> None:
        self.scratch = Scratch(1 << 16)
        self.counters = Counters()

    def made(self, connection: Connection) -> None:
        """Open."""

    def release(self, connection: Connection) -> None:
        """Free."""

    def withdraw(self, connection: Connection) -> None:
        """Closing while idle."""

    def lost(self, connection: Connection) -> None:
        """Closed."""


def option(end: socket.socket, name: int) -> int:
    """What the kernel says of our end."""
    return end.getsockopt(socket.SOL_SOCKET, name)


def exchange_of(sink: BytesSink | None, ended: asyncio.Event) -> Exchange:
    """A GET whose body goes into `sink`, or is collected."""
    call = Call(request=Request(operation="GetObject", method="GET", key="k"), site=0, sink=sink)
    return Exchange(call, b"GET /b/k HTTP/1.1\r\n\r\n", lambda _: ended.set())


async def serve_and_look() -> tuple[list[int], list[int], bytes]:
    """Two replies over one connection, the second one into a sink and byte by byte: the options after each."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    _, protocol = await loop.create_connection(lambda: Connection(Owner(), loop, 30.0), *listener.getsockname())
    peer, _ = await loop.sock_accept(listener)
    ours = protocol._transport.get_extra_info("socket")
    seen, lowest, sink = [], [], BytesSink()
    for target in (None, sink):
        ended = asyncio.Event()
        protocol.start(exchange_of(target, ended))
        await loop.sock_recv(peer, 1000)
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc":
            await loop.sock_sendall(peer, bytes([byte]))
        await asyncio.wait_for(ended.wait(), 10)
        seen.append(option(ours, socket.SO_RCVBUF))
        lowest.append(option(ours, socket.SO_RCVLOWAT))
    protocol.close()
    peer.close()
    listener.close()
    return seen, lowest, bytes(sink.data)


def test_the_first_body_for_a_sink_widens_the_window_once():
    """Room for 2 MiB and more is there with the first large body; a single byte still wakes the reader."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        (before, after), lowest, taken = runner.run(serve_and_look())
    limit = int(Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split()[2])
    assert before < after
    assert after >= min(4 << 20, limit // 2)
    assert lowest == [1, 1]
    assert taken == b"abc"
