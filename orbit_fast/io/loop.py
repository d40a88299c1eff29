"""The event loop, and the only module that knows which one it is.

uvloop where it runs (CPython on Linux and macOS), the standard library's loop elsewhere. Nothing else may name uvloop:
the rest of the room is written against asyncio's transports and protocols.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any
from typing import TypeVar

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """A new event loop, not yet running and set nowhere."""
    if sys.implementation.name == "cpython" and sys.platform in {"linux", "darwin"}:
        import uvloop  # noqa: PLC0415 - 10 ms that only a process with a loop pays

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a new loop to its end, cancel what is left, and close the loop.

    Raises:
        KeyboardInterrupt: SIGINT arrived; `main` was cancelled first.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main)
