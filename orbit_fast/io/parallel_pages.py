"""A listing fetched by several requests at once, given page by page, in the order of keys where that matters.

`core.keyspace` decides which stretches of the key space are listed side by side; this fetches them. A service that
ever gave a page in less than `SLOW_S` keeps us busy with one request at a time, and gets no more. Nor does one that
asks to slow down: of what the job may still have in flight, a listing takes no more than that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Any
from typing import Final

from orbit_fast.core.decode_listing import Trail
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.keyspace import Ask
from orbit_fast.core.keyspace import KeySpace
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import list_page
from orbit_fast.io.task import TaskSurroundings

AT_ONCE: Final = 16
"""Pages on their way: at 50 ms a page about 150,000 keys a second, more than one process parses and prints."""

PAGES_TO_KNOW: Final = 3
"""A listing that is no longer than that is fetched page by page. The first page may have waited for a connection."""

SLOW_S: Final = 0.01
"""A page takes 2 to 4 ms to parse and print: below this, one request on its way is enough to be busy."""


class PagePace:
    """Whether a service is so slow that several pages should be on their way.

    What counts is the fastest full page: a slow one may have waited for others, or for us.
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self.now_s = monotonic_s
        self._fastest_s = math.inf
        self._count = 0

    def came(self, asked_s: float, *, is_full: bool) -> None:
        """A page that was asked for at this time has come."""
        if is_full:
            self._count += 1
            self._fastest_s = min(self._fastest_s, self.now_s() - asked_s)

    def at_once(self, most: int) -> int:
        """How many pages should be on their way, at most so many."""
        return most if self._count >= PAGES_TO_KNOW and self._fastest_s >= SLOW_S else 1


class ParallelPages:
    """The pages of everything that begins with a prefix.

    Args:
        given: what the task is given.
        site: which bucket.
        prefix: of the keys.
        in_order: pages are given in the order of keys; else as they come, each key once. Of a service that does not
            sort they always come as it sends them.
    """

    def __init__(self, given: TaskSurroundings, site: int, prefix: str, *, in_order: bool = True) -> None:
        self._given = given
        self._site = site
        self._prefix = prefix
        self._space: KeySpace[Entry] = KeySpace(in_order=in_order, prefix=prefix)
        self._together = given.together(limit=AT_ONCE)
        self._ready: deque[Sequence[Entry]] = deque()
        self._failure: S3Error | None = None
        self._trail = Trail()
        self._pace = PagePace(given.around.monotonic_s)

    def next(self) -> Flow[tuple[tuple[Entry, ...], tuple[str, ...]] | None]:
        """The next page; None behind the last.

        Raises:
            S3Error: one could not be had, or is not to be believed: then the listing is not whole. What came before it
                is given first.
        """
        while True:
            if self._failure is None:
                self._ahead()
            if self._ready:
                yield PAUSE  # what was written to the connection leaves when the loop turns
                return tuple(self._ready.popleft()), ()
            if self._failure is not None:
                raise self._failure
            if self._space.is_done:
                return None
            yield from self._together.change()

    def close(self) -> None:
        """Give up the pages that are on their way."""
        self._together.cancel()

    def _ahead(self) -> None:
        if len(self._ready) >= AT_ONCE:
            return  # whoever reads is slower
        for ask in self._space.asks(self._pace.at_once(min(AT_ONCE, self._given.allowed() or AT_ONCE))):
            order = ListPage(
                0,
                self._site,
                self._prefix,
                ask.token,
                last_key=ask.last_key,
                start_after=ask.start_after,
            )
            flow = list_page(self._given.around, order)
            self._together.start(flow, partial(self._take, ask, self._pace.now_s()))

    def _take(self, ask: Ask, asked_s: float, result: Any) -> None:
        if isinstance(result, S3Error):
            if not self._space.refused(ask.number) and not isinstance(result, Cancelled):
                self._failure = self._failure or result
            return
        page: Page = result
        if not page.is_sorted:
            self._space.stay_whole()
            try:
                self._trail.follow(page.next_token)
            except BadReply as error:
                self._failure = self._failure or error
                return
        self._pace.came(asked_s, is_full=bool(page.next_token))
        self._space.answer(ask.number, [entry.key for entry in page.entries], page.entries, page.next_token)
        self._ready.extend(self._space.take())
