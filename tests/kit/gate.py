"""Makes an S3 server wait, or refuse, where a test wants it to: deterministic moments without a sleep."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable

from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal

LIMIT_S = 60.0


class Hold:
    """Requests that wait for `release`. Their bodies have arrived; their operations have not run.

    Attributes:
        arrived: how many have come, the released ones included.
    """

    def __init__(self, matches: Callable[[HttpRequest], bool]) -> None:
        self._matches = matches
        self._changed = threading.Condition()
        self._is_released = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.arrived = 0

    def wait_for(self, count: int) -> None:
        """Wait until `count` requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.arrived >= count, LIMIT_S), f"{self.arrived} of {count} came"

    def release(self) -> None:
        """Let all go on, and hold nothing any more."""
        with self._changed:
            self._is_released = True
            waiting, self._waiting = self._waiting, []
        for loop, go_on in waiting:
            with contextlib.suppress(RuntimeError):  # the server has ended, and its loop with it
                loop.call_soon_threadsafe(go_on.set)

    async def pass_by(self, request: HttpRequest) -> None:
        """What the server calls for each request."""
        go_on = asyncio.Event()
        with self._changed:
            if self._is_released or not self._matches(request):
                return
            self.arrived += 1
            self._waiting.append((asyncio.get_running_loop(), go_on))
            self._changed.notify_all()
        await go_on.wait()


class Gate:
    """The intercept of one server. Lets everything pass until it is told otherwise.

    Attributes:
        requests: every request, in order.
        most_at_once: by operation, how many requests were inside at one time; it needs a hold to mean much.
    """

    def __init__(self) -> None:
        self._holds: list[Hold] = []
        self._refusals: list[tuple[Callable[[HttpRequest], bool], str]] = []
        self.requests: list[HttpRequest] = []
        self.most_at_once: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    async def __call__(self, request: HttpRequest) -> HttpResponse | None:
        """What the server calls for each request."""
        name = request.operation
        self.requests.append(request)
        self._now[name] += 1
        self.most_at_once[name] = max(self.most_at_once[name], self._now[name])
        try:
            for hold in list(self._holds):
                await hold.pass_by(request)
        finally:
            self._now[name] -= 1
        for matches, code in list(self._refusals):
            if matches(request):
                raise Refusal(code)
        return None

    def hold(self, operation: str, *, after: int = 0, key: str = "") -> Hold:
        """Hold requests of an operation back, all but the first `after`; with `key`, only those whose key ends so."""
        seen = 0

        def matches(request: HttpRequest) -> bool:
            nonlocal seen
            if request.operation != operation or not request.key.endswith(key):
                return False
            seen += 1
            return seen > after

        hold = Hold(matches)
        self._holds.append(hold)
        return hold

    def refuse(self, operation: str, code: str, *, key: str = "", times: int = 1 << 30, after: int = 0) -> None:
        """Refuse `times` requests of an operation with an S3 error code, all but the first `after`.

        With `key`, only those whose key ends so.
        """
        left = times
        passing = after

        def matches(request: HttpRequest) -> bool:
            nonlocal left, passing
            if left <= 0 or request.operation != operation or not request.key.endswith(key):
                return False
            if passing:
                passing -= 1
                return False
            left -= 1
            return True

        self._refusals.append((matches, code))

    def open(self) -> None:
        """Release everything that is held."""
        for hold in self._holds:
            hold.release()
