"""Several flows at once inside one: bounded, and all ended before the one that started them goes on.

together = Together(start, limit=16)
for chunk in chunks:
yield from together.room()
together.start(delete(chunk), on_end)
yield from together.rest()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Protocol

from orbit_fast.core.errors import S3Error
from orbit_fast.io.flow import Flow
from orbit_fast.io.flow import Until


class Handle(Protocol):
    """A flow that runs."""

    def cancel(self) -> None:
        """End it early; its end is told all the same."""


class Together:
    """Flows that were started by one flow.

    Attributes:
        limit: how many may run at once.
    """

    __slots__ = ("_run", "_running", "_waiter", "limit")

    def __init__(self, run: Callable[[Flow[Any], Callable[[Any], None]], Handle], *, limit: int) -> None:
        """`run` starts a flow and calls back with its result or the `S3Error` that ended it (`Client.run`)."""
        self._run = run
        self._running: dict[object, Handle | None] = {}
        self._waiter: Callable[[], None] | None = None
        self.limit = limit

    def __len__(self) -> int:
        return len(self._running)

    def start(self, flow: Flow[Any], on_end: Callable[[Any], None]) -> None:
        """Start a flow; `on_end` gets its result or the `S3Error` that ended it, and raises nothing."""
        token = object()
        self._running[token] = None

        def ended(result: Any) -> None:
            self._running.pop(token, None)
            on_end(result)
            self._wake()

        handle = self._run(flow, ended)
        if token in self._running:
            self._running[token] = handle

    def room(self) -> Flow[None]:
        """Wait until one more may be started."""
        while len(self._running) >= self.limit:
            yield Until(self._wait)

    def change(self) -> Flow[None]:
        """Wait until one of them ends; nothing to wait for where none runs."""
        if self._running:
            yield Until(self._wait)

    def rest(self) -> Flow[None]:
        """Wait until all have ended."""
        while self._running:
            yield Until(self._wait)

    def cancel(self) -> None:
        """End all of them early. To be called in the ``finally`` of the flow that started them."""
        for handle in list(self._running.values()):
            if handle is not None:
                handle.cancel()

    def _wait(self, wake: Callable[[], None]) -> None:
        self._waiter = wake

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter()


def raised(result: Any) -> Any:
    """The result of a flow that was started beside others.

    Raises:
        S3Error: it is the error that ended it.
    """
    if isinstance(result, S3Error):
        raise result
    return result
