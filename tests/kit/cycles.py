"""What is left to the collector that looks for cycles, where it should be gone when it has ended."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_to_the_collector(*kinds: type) -> Iterator[set[str]]:
    """The names of the types, of `kinds` or below, of what is left to it in the meantime; filled at the end."""
    found: set[str] = set()
    gc.collect()
    gc.freeze()  # of the rest of the test run, nothing is looked at
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(one).__name__ for one in gc.garbage if isinstance(one, kinds))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()
