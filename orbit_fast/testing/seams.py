"""Where a test may take hold of an exchange: on its head, after its operation, and while its answer is written.

`service.Intercept` sits between the verified body and the operation; these are the other three places. A server without
them behaves as if they did not exist.

    on head     the head has been read and accepted; a response returned here is sent at once and the body stays unread
    alter       each piece of the body, before it is decoded and verified: damage on the way
    revise      the operation is done and logged; what it answers may be changed, held back or thrown away
    transmit    how the bytes of one response are written to the connection
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass

from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse

OnHead = Callable[[HttpRequest], HttpResponse | None]
Revise = Callable[[HttpRequest, HttpResponse], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What a test hooks in.

    Attributes:
        on_head: sees each accepted head before the body is read; what it returns is sent instead, and the connection
            closes after it.
        revise: sees each response after its operation; what it returns is sent instead.
    """

    on_head: OnHead | None = None
    revise: Revise | None = None


class Line:
    """The connection as `HttpResponse.transmit` sees it: raw bytes out, and ways to end.

    Attributes:
        head: the response's head as it would have been written.
        body: the response's body.
    """

    def __init__(
        self, transport: asyncio.Transport, can_write: asyncio.Event, lost: asyncio.Event, head: bytes, body: bytes
    ) -> None:
        self._transport = transport
        self._can_write = can_write
        self._lost = lost
        self.head = head
        self.body = body

    async def write(self, data: bytes) -> None:
        """Write `data`, and wait while the client reads slowly.

        Raises:
            ConnectionResetError: the client has gone.
        """
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        await self._can_write.wait()

    def close(self) -> None:
        """Close in good order once everything is written."""
        self._transport.close()

    def reset(self) -> None:
        """Close with a TCP reset, whatever is still unread or unsent."""
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:  # the client may have gone meanwhile
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def stop_reading(self) -> None:
        """Leave everything that the client sends from now on in the kernel's buffers."""
        self._transport.pause_reading()

    async def until_lost(self) -> None:
        """Wait until the client has gone, or the server stops."""
        await self._lost.wait()
