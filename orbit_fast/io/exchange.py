"""One try of one request: what goes out, and what came back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orbit_fast.core.errors import S3Error
from orbit_fast.core.http1 import ReplyHead
from orbit_fast.io.flow import Call


@dataclass(slots=True)
class Counters:
    """What this process's connections have done so far. Written by the loop's thread only.

    Attributes:
        bytes_sent: handed to transports: heads and bodies.
        bytes_received: taken from transports.
        requests: tries begun.
        retries: tries begun again after a failure.
        throttles: answers that said "slow down".
        connections: open now.
        in_flight: flows that have begun and not ended.
    """

    bytes_sent: int = 0
    bytes_received: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0
    connections: int = 0
    in_flight: int = 0


class Holder(Protocol):
    """Whoever has an exchange now and can end it early: a pool (while it waits) or a connection."""

    def abandon(self, exchange: Exchange, failure: S3Error) -> None:
        """End the exchange with `failure`, as soon as no transport holds memory of its body."""


class Exchange:
    """One try of a `Call`. It ends exactly once: `on_end` is called with it.

    When that happens, no transport holds memory of the call's body or sink any more.

    Attributes:
        call: what is asked.
        payload: the encoded head, with the small body behind it.
        on_end: called at the end.
        head: the final reply's head, or None where none came.
        content: the collected body of the reply.
        failure: why there is no good answer, or None. An answer with a bad status is not a failure here.
        holder: who can abandon it now.
        was_sent: a connection has begun to send it.
        is_of_directory: a directory bucket answers: its reply is marked as such.
        is_second_chance: it met a stale connection and is on its way over a new one.
    """

    __slots__ = (
        "call",
        "content",
        "failure",
        "head",
        "holder",
        "is_of_directory",
        "is_second_chance",
        "on_end",
        "payload",
        "was_sent",
    )

    def __init__(self, call: Call, payload: bytes, on_end: Callable[[Exchange], None]) -> None:
        self.call = call
        self.payload = payload
        self.on_end = on_end
        self.head: ReplyHead | None = None
        self.content = b""
        self.failure: S3Error | None = None
        self.holder: Holder | None = None
        self.was_sent = False
        self.is_of_directory = False
        self.is_second_chance = False

    def abandon(self, failure: S3Error) -> None:
        """End it early with `failure`. Does nothing when it has ended."""
        if self.holder is not None:
            self.holder.abandon(self, failure)

    def end(self) -> None:
        """Tell whoever asked. Called once, by the holder."""
        self.holder = None
        if self.failure is not None:
            self.failure.__traceback__ = None  # its frames hold this exchange, and it holds them
        self.on_end(self)

    def __repr__(self) -> str:
        request = self.call.request
        status = self.head.status if self.head else "no answer"
        return f"<Exchange {request.operation} {request.key[:80]!a}: {status}, failure={self.failure!r}>"
