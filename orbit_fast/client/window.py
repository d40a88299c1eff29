"""A few flows at once, for one task: the parts of a transfer, the ranges of a stream, the items of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from typing import Generic
from typing import TypeVar

from orbit_fast.client.session import Running
from orbit_fast.client.session import Session
from orbit_fast.io.flow import Flow

T = TypeVar("T")


class Window(Generic[T]):
    """At most `limit` flows, told of as they end. Whoever makes one ends it: by `rest`, or by `cancel`.

    Attributes:
        limit: how many may run at once.
    """

    __slots__ = ("_on_end", "_running", "_session", "limit")

    def __init__(self, session: Session, limit: int, on_end: Callable[[T], None]) -> None:
        self.limit = limit
        self._session = session
        self._on_end = on_end
        self._running: set[Running[T]] = set()

    async def start(self, flow: Callable[[], Flow[T]], *, needs_slot: bool = False) -> None:
        """Start a flow as soon as there is room for it (and a slot, where it leases one in its first step).

        Raises:
            S3Error: one that was started before has failed.
        """
        self._collect()
        while len(self._running) >= self.limit:
            await self._wait_for_one()
        if needs_slot:
            await self._session.slots.wait_free()
        self._running.add(self._session.start(flow()))

    async def rest(self) -> None:
        """Wait until all have ended.

        Raises:
            S3Error: one has failed.
        """
        self._collect()
        while self._running:
            await self._wait_for_one()

    async def cancel(self) -> None:
        """End those that run, and return when they hold nothing any more. What ended well meanwhile is told."""
        for running in tuple(self._running):
            await running.end()
        ended, self._running = self._running, set()
        for running in ended:
            self._tell(running)

    def _tell(self, running: Running[Any]) -> None:
        result = running.outcome()
        if not isinstance(result, BaseException):
            self._on_end(result)

    async def _wait_for_one(self) -> None:
        await asyncio.wait([running.waiter for running in self._running], return_when=asyncio.FIRST_COMPLETED)
        self._collect()

    def _collect(self) -> None:
        for running in [running for running in self._running if running.is_ended]:
            self._running.discard(running)
            self._on_end(running.result())
