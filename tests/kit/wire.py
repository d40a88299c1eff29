"""Servers that play a script, byte for byte: what a test says is what is on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Self
from typing import TypeVar

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.io.loop import run

T = TypeVar("T")

LIMIT_S = 60.0
"""A test that waits longer hangs."""


def drive(main: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine on the product's own loop, with a limit."""

    async def limited() -> T:
        async with asyncio.timeout(LIMIT_S):
            return await main

    return run(limited())


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def head(self) -> tuple[str, dict[str, str]]:
        """Read one request's head."""
        raw = await self._reader.readuntil(b"\r\n\r\n")
        line, *fields = raw.decode("latin-1").split("\r\n")[:-2]
        return line, dict(field.split(": ", 1) for field in fields)

    async def request(self) -> Received:
        """Read one whole request."""
        line, headers = await self.head()
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Received(line, headers, body)

    async def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        return await self._reader.readexactly(size)

    async def rest(self) -> bytes:
        """Read until the client closes."""
        return await self._reader.read()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    def reply(self, body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> None:
        """Send a well-formed reply."""
        self.send(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode("latin-1") + body)

    async def gone(self) -> None:
        """Wait until the client has closed its end."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while await self._reader.read(65536):
                pass

    def reset(self) -> None:
        """Close with RST."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class WireServer:
    """Plays `scripts`: the first for the first connection, and so on; the last one for all that follow.

    Attributes:
        accepted: connections so far.
        failures: what went wrong inside scripts; a test fails with it at the end.
    """

    def __init__(self, scripts: Sequence[Script], *, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._playing: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.failures: list[Exception] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._playing):
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        if kind is None and self.failures:
            raise self.failures[0]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client went away, as many tests want
        except Exception as error:  # noqa: BLE001 - kept for the end of the test, which fails with it
            self.failures.append(error)
        finally:
            self._playing.discard(task)
            writer.close()


async def serve_forever(peer: Peer) -> None:
    """Answer every request with an empty 200."""
    while True:
        await peer.request()
        peer.reply()


@dataclass(slots=True)
class BytesBody:
    """A `Body` over bytes, in chunks out of one memory that it uses again and again.

    Attributes:
        data: the whole.
        chunk_size: bytes of a chunk.
        rewinds: how often it was started again.
        failure: raised instead of the second chunk.
    """

    data: bytes
    chunk_size: int = 65536
    rewinds: int = 0
    position: int = 0
    failure: Exception | None = None
    memory: bytearray | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """Not signed."""
        return "UNSIGNED-PAYLOAD"

    def rewind(self) -> None:
        """Start again."""
        self.rewinds += 1
        self.position = 0

    def next_chunk(self) -> memoryview:
        """The next chunk, in the memory of the one before."""
        if self.failure is not None and self.position:
            raise self.failure
        if self.memory is None:
            self.memory = bytearray(self.chunk_size)
        chunk = self.data[self.position : self.position + self.chunk_size]
        self.position += len(chunk)
        self.memory[: len(chunk)] = chunk
        return memoryview(self.memory)[: len(chunk)]


class BytesSink:
    """A `Sink` that keeps what it receives, and can refuse at any moment.

    Attributes:
        begins: arguments of every `begin`.
        data: what arrived since the last one.
        is_finished: the body ended well.
    """

    def __init__(self, *, room: int = 1 << 16, refuse: str = "", failure: S3Error | None = None) -> None:
        self._memory = bytearray(room)
        self._refuse = refuse
        self._failure = failure or Cancelled("refused by the sink")
        self.begins: list[tuple[int, int]] = []
        self.data = bytearray()
        self.is_finished = False

    def _may(self, moment: str) -> None:
        if self._refuse == moment:
            raise self._failure

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:
        """Start afresh."""
        assert headers is not None
        self.begins.append((status, length))
        self.data = bytearray()
        self.is_finished = False
        self._may("begin")

    def buffer(self) -> memoryview:
        """The memory."""
        self._may("buffer")
        return memoryview(self._memory)

    def received(self, count: int) -> None:
        """Keep what arrived."""
        self._may("received")
        self.data += self._memory[:count]

    def finish(self) -> None:
        """The end."""
        self._may("finish")
        self.is_finished = True
