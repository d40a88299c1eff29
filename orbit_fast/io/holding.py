"""A connection that reads nothing while whoever takes the answer has no room for it: see `Call.hold`.

What the service sends meanwhile fills the kernel's window, and then waits on its side.
"""

from __future__ import annotations

from collections.abc import Callable

from orbit_fast.io.connection import Connection
from orbit_fast.io.connection import State
from orbit_fast.io.exchange import Exchange

_BUSY = State.BUSY


class HoldingConnection(Connection):
    """See the module's text."""

    _hold: Callable[[Callable[[], None]], bool] | None = None  # the call's
    _has_no_room = False

    def start(self, exchange: Exchange) -> None:
        """Send `exchange`. Only when idle."""
        self._hold = exchange.call.hold
        super().start(exchange)

    def tick(self, now_s: float) -> None:
        """Give up an exchange that gets nowhere, unless it is we who hold it."""
        if self._has_no_room:
            self._pace.forget()
        else:
            super().tick(now_s)

    def buffer_updated(self, nbytes: int) -> None:
        """`nbytes` have been put where `get_buffer` said."""
        Connection.buffer_updated(self, nbytes)
        if self._hold is not None and not self._has_no_room:
            self._wait_for_room(self._hold)

    def _wait_for_room(self, hold: Callable[[Callable[[], None]], bool]) -> None:
        transport, number = self._transport, self._number
        if self.state is not _BUSY or transport is None or transport.is_closing():
            return

        def go_on() -> None:
            if self._has_no_room and number == self._number:
                self._has_no_room = False
                self._read_on()

        if hold(go_on):
            self._has_no_room = True
            transport.pause_reading()

    @property
    def _may_read(self) -> bool:
        """Nothing speaks against reading."""
        return not self._has_no_room

    def _read_on(self) -> None:
        """Read again, unless something speaks against it."""
        if self._transport is not None and not self._transport.is_closing() and self._may_read:
            self._transport.resume_reading()

    def _forget(self) -> None:
        self._hold, self._has_no_room = None, False
        super()._forget()
