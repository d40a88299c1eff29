"""Flows: what a transfer does, written straight down, with no loop in it.

A flow is a generator that yields `Call`s (requests it wants made) and is given their `Reply`s, or has an `S3Error`
thrown in. Whoever drives it makes the request: the client with its pool and its retries (`Client.run`), or a test by
hand. So the steps of an upload read from top to bottom, cost no Task and no Future, and closing the generator runs its
``finally`` blocks: that is how a cancelled download removes its temporary file.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from typing import Protocol
from typing import TypeVar

from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request

T = TypeVar("T")

FIRST_BYTE_S = 30.0
"""How long the first byte of an answer may take where nothing else is said."""


class Body(Protocol):
    """A request body that is sent in chunks and can be sent again.

    The memory of a chunk belongs to the body. The connection asks for the next chunk only when no byte of the one
    before is still held by a transport, and reports the end of a request only when that is true of the last one.
    """

    @property
    def size(self) -> int:
        """Bytes in all."""

    @property
    def sha256(self) -> str:
        """Hex digest of the whole body, or ``UNSIGNED-PAYLOAD``."""

    def rewind(self) -> None:
        """Start again from the first byte."""

    def next_chunk(self) -> memoryview | bytes:
        """The next bytes, at least one, until `size` have been given.

        Raises:
            S3Error: the source cannot be read, or is not what it was.
        """


class Sink(Protocol):
    """Where the body of a successful reply goes. `begin` starts it afresh, also on a retry."""

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:
        """The head has arrived; `length` body bytes follow, or an unknown number where it is -1.

        Raises:
            S3Error: this is not the reply that was asked for (wrong range, other version).
        """

    def buffer(self) -> memoryview:
        """Where the next bytes may be put; never empty."""

    def received(self, count: int) -> None:
        """`count` bytes now stand at the start of `buffer()`.

        Raises:
            S3Error: more than was planned, or the disk refuses them.
        """

    def finish(self) -> None:
        """The body has ended as it should.

        Raises:
            S3Error: the bytes are not what they should be.
        """


@dataclass(slots=True, kw_only=True)
class Call:
    """One request that a flow wants made.

    Attributes:
        request: what to ask.
        site: number of the site to ask it of.
        body: a large request body (instead of `request.body`).
        sink: takes the body of a 2xx reply; without one it is collected into `Reply.body`.
        first_byte_s: how long the first byte of the answer may take once the request is sent, at the default
            ``--timeout``; see `io.pace`.
        max_body: a collected body may not be longer (bytes).
        is_idempotent: the request may be sent again when it is not known whether the service acted on it.
        check: looks at a good reply; what it returns is `Reply.decoded`, what it raises is a failure of this try, and
            tried again like any other.
        again: gives the request for another try, where that is not the same one.
        kept: bytes of the answer that have come for good: a try that adds to them is not counted.
        may_lag: what is asked for was written a moment ago: "not there" is tried again for `LAG_S` seconds.
        hold: asked after every piece of the answer: whether the next one has to wait, until the function that it is
            given is called.
    """

    request: Request
    site: int
    body: Body | None = None
    sink: Sink | None = None
    first_byte_s: float = FIRST_BYTE_S
    max_body: int = 1 << 20
    is_idempotent: bool = True
    check: Callable[[Reply], Any] | None = None
    again: Callable[[], Request] | None = None
    kept: Callable[[], int] | None = None
    may_lag: bool = False
    hold: Callable[[Callable[[], None]], bool] | None = None


class Pause:
    """What a flow yields in the middle of long work, so that the loop can look after everything else; see `PAUSE`."""

    __slots__ = ()


PAUSE = Pause()
"""Yield it every few milliseconds of work that makes no request; what comes back is of no use."""


@dataclass(frozen=True, slots=True)
class Until:
    """What a flow yields to wait for something that is not a request's answer.

    Attributes:
        subscribe: called once with a function that wakes the flow up; that must be called later, and at most once.
    """

    subscribe: Callable[[Callable[[], None]], None]


Flow = Generator[Call | Pause | Until, Reply, T]
