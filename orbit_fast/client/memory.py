"""The memory of a session: slots that file uploads read through, handed out one at a time, waited for when all are out.

A flow leases its slot in its first step and gives it back in its ``finally``. So whoever starts a flow waits for a free
slot before, and starts it without another wait in between.
"""

from __future__ import annotations

import asyncio
from collections import deque

from orbit_fast.core.settings import MIB

SLOT_BYTES = MIB
"""A file passes through in pieces of this size, as in the engine."""


LESSON_BYTES = 16 * MIB


def teach_allocator() -> None:
    """Have memory that was freed used again, rather than given back to the system and asked for anew.

    A large object is received into memory of its own, which the caller frees. As long as the C library has seen no
    large piece freed, it returns each of them at once, and the system makes the next one page by page: twice the work
    of receiving it. One large piece, made and freed without being touched, changes that (glibc then keeps up to twice
    its size; others have ways of their own).
    """
    bytes(LESSON_BYTES)


class Slot:
    """The right to use one slot."""

    __slots__ = ("_owner", "_view")

    def __init__(self, owner: Slots, view: memoryview) -> None:
        self._owner = owner
        self._view = view

    @property
    def view(self) -> memoryview:
        """The slot's memory."""
        return self._view

    def release(self) -> None:
        """Give it back; the view may not be used any more."""
        self._owner.take_back(self._view)


class Slots:
    """At most `limit` slots. They are made when they are first needed, and used again.

    Attributes:
        limit: how many may be out at once.
        leased: how many are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = max(1, limit)
        self.leased = 0
        self._free: list[memoryview] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Slots {self.leased} of {self.limit} leased, {len(self._waiting)} waiting>"

    def lease(self) -> Slot | None:
        """A slot, or None when all are out."""
        if self.leased >= self.limit:
            return None
        self.leased += 1
        return Slot(self, self._free.pop() if self._free else memoryview(bytearray(SLOT_BYTES)))

    def take_back(self, view: memoryview) -> None:
        """A slot is free again."""
        self.leased -= 1
        self._free.append(view)
        self._wake()

    async def wait_free(self) -> None:
        """Return when a slot can be leased: that must be done before anything else is awaited."""
        while self.leased >= self.limit:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # the turn was ours, and is somebody else's now
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
