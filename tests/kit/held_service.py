"""The embedded S3 server with a hand on its exchanges: a test holds a request, does something, and lets it go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Self

from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import Line
from orbit_fast.testing import Refusal
from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.store import LogEntry
from tests.kit.command import Orbit

LIMIT_S = 60.0
BUCKET = "held"


@dataclass(eq=False)
class Held:
    """One request that is held.

    Attributes:
        operation: S3's name.
        key: or ``''`` for any.
        is_after: held when its operation is done, so that only the answer is missing.
        half: the answer's head and half of its body are sent, and no more.
        of_range: only a request for a range of an object.
        refusal: the error code that it is answered with when it is let go, or ``''``.
    """

    operation: str
    key: str = ""
    is_after: bool = False
    half: bool = False
    of_range: bool = False
    refusal: str = ""
    _arrived: threading.Event = field(default_factory=threading.Event)
    _go: threading.Event = field(default_factory=threading.Event)

    def fits(self, request: HttpRequest) -> bool:
        """Whether this is the request."""
        is_asked = request.operation == self.operation and self.key in {"", request.key}
        return is_asked and (not self.of_range or "range" in request.headers)

    def wait(self) -> None:
        """Wait until the request has come."""
        assert self._arrived.wait(LIMIT_S), f"no {self.operation} came"

    def release(self) -> None:
        """Let it go."""
        self._go.set()

    async def stand(self) -> None:
        """Be held."""
        self._arrived.set()
        await asyncio.to_thread(self._go.wait, LIMIT_S)
        if self.refusal:
            raise Refusal(self.refusal)

    async def send_half(self, line: Line) -> None:
        """As `HttpResponse.transmit`."""
        await line.write(line.head + line.body[: len(line.body) // 2])
        self._arrived.set()
        await line.until_lost()


class HeldService:
    """A server whose requests can be held, and a command that talks to it.

    Attributes:
        server: the embedded server.
        on_request: called with every request before its operation; may raise `Refusal`.
    """

    def __init__(self, *, root: Path | None = None, **settings: Any) -> None:
        self.server = S3Server(settings=ServerSettings(**settings), intercept=self._intercept, root=root)
        self.server.seams = Seams(revise=self._revise)
        self.server.store.create_bucket(BUCKET)
        self.on_request: Callable[[HttpRequest], None] = lambda _request: None
        self._holds: list[Held] = []
        self._all: list[Held] = []

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._all:
            held.release()
        self.server.close()

    def hold(self, operation: str, **named: Any) -> Held:
        """Hold the next request of this kind."""
        held = Held(operation, **named)
        self._holds.append(held)
        self._all.append(held)
        return held

    def orbit(self, directory: Path, **variables: str) -> Orbit:
        """The command, with the keys of this server in its environment."""
        keys = {
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_ENDPOINT_URL": self.server.url,
        }
        return Orbit({**keys, **variables}, directory)

    def logged(self, operation: str) -> list[LogEntry]:
        """What was answered to requests of this kind."""
        return [entry for entry in self.server.store.log if entry.operation == operation]

    def data(self, key: str) -> bytes | None:
        """The bytes of an object, or None."""
        version = self.server.store.bucket(BUCKET).current(key)
        return None if version is None else version.content.read()

    @property
    def unfinished(self) -> int:
        """Multipart uploads that were neither completed nor aborted."""
        return len(self.server.store.bucket(BUCKET).uploads)

    def _take(self, request: HttpRequest, *, is_early: bool) -> Held | None:
        for held in self._holds:
            if held.fits(request) and is_early != (held.is_after or held.half):
                self._holds.remove(held)
                return held
        return None

    async def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        held = self._take(request, is_early=True)
        if held is not None:
            await held.stand()
        await asyncio.to_thread(self.on_request, request)
        return None

    async def _revise(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        held = self._take(request, is_early=False)
        if held is None:
            return response
        if held.half:
            response.transmit = held.send_half
        else:
            await held.stand()
        return response
