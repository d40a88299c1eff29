"""The objects under a prefix in the order of their keys, page by page, fetched by the workers.

Where the service takes its time several pages are on their way at once; `core.keyspace` says which, and holds what
comes too early. A stream says that it has ended only after it has given everything that there is: one of whose pages
cannot be had never ends. A listing that is not sorted is sorted here, once all of it is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Final
from weakref import WeakSet

from orbit_fast.core.decode_listing import Trail
from orbit_fast.core.errors import S3Error
from orbit_fast.core.keyspace import HELD_PAGES
from orbit_fast.core.keyspace import Ask as PageAsk
from orbit_fast.core.keyspace import KeySpace
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.io.parallel_pages import AT_ONCE
from orbit_fast.io.parallel_pages import PagePace
from orbit_fast.io.sorted_listing import SortedListing

ALL_AT_ONCE: Final = 2 * AT_ONCE
"""Pages of all listings of a job that may be on their way; of each, one always may."""

ALL_HELD_PAGES: Final = 2 * HELD_PAGES
"""Pages that all listings of a job together may hold before their turn: at a thousand keys each about 40 MB."""


class Listings:
    """What the listings of one job share.

    Attributes:
        monotonic_s: the clock.
        in_order: keys are given in their order, even of a service that does not sort; else of such a one as they come.
    """

    def __init__(self, monotonic_s: Callable[[], float], *, in_order: bool = True) -> None:
        self.monotonic_s = monotonic_s
        self.in_order = in_order
        self._open: WeakSet[KeyStream] = WeakSet()  # one that nobody reads any more takes no share

    @property
    def count(self) -> int:
        """How many have begun and have not ended."""
        return len(self._open)

    def begin(self, one: KeyStream) -> None:
        """One more takes its share."""
        self._open.add(one)

    def end(self, one: KeyStream) -> None:
        """One needs nothing more."""
        self._open.discard(one)

    @property
    def at_once(self) -> int:
        """Pages that each may have on their way."""
        return max(1, min(AT_ONCE, ALL_AT_ONCE // max(1, self.count)))

    @property
    def held_pages(self) -> int:
        """Pages that each may hold before their turn."""
        return min(HELD_PAGES, ALL_HELD_PAGES // max(1, self.count))


class KeyStream:
    """One listing.

    Args:
        site: number of the bucket.
        prefix: what keys begin with.
        ask: has a page fetched; returns the number that its answer will have.
        listings: of the job.
    """

    def __init__(self, site: int, prefix: str, ask: Callable[[ListPage], int], listings: Listings) -> None:
        self._site = site
        self._prefix = prefix
        self._ask = ask
        self._listings = listings
        self._pace = PagePace(listings.monotonic_s)
        self._space: KeySpace[Entry] = KeySpace(in_order=True, prefix=prefix)
        self._ready: deque[Sequence[Entry]] = deque()
        self._unsorted: SortedListing | None = None  # what has come of a listing that must be sorted
        self._sorted: Iterator[tuple[Sequence[Entry], Sequence[str]]] | None = None
        self._trail = Trail()
        self._asked: dict[int, tuple[PageAsk, float]] = {}
        self._has_begun = False
        self._has_failed = False

    @property
    def is_ready(self) -> bool:
        """`take` can give something now, or has nothing more to give ever, or was never called."""
        is_over = self._space.is_done and not self._has_failed
        return bool(self._ready) or is_over or not self._has_begun

    @property
    def is_ended(self) -> bool:
        """Every page was taken."""
        return self._space.is_done and not self._ready and not self._has_failed

    def take(self) -> Sequence[Entry]:
        """The next page, if it is there. Sees to it that more is on the way.

        Raises:
            IncompleteListing: the listing had to be sorted, and names a key twice.
            LocalError: it had to be sorted on disk, and the disk does not give it back.
        """
        if not self._has_begun:
            self._has_begun = True
            self._listings.begin(self)
        try:
            self._collect()
            entries = self._ready.popleft() if self._ready else ()
            self._ask_for_more()
        except S3Error:  # of what was sorted
            self._has_failed = True
            self._end()
            raise
        return entries

    def answer(self, answer: Answer) -> Failure | None:
        """A page has come; or one cannot be had: why, said once."""
        one, asked_s = self._asked.pop(answer.number)
        if self._has_failed:
            return None
        if isinstance(answer, Failed):
            self._has_failed = not self._space.refused(one.number)
            if not self._has_failed:
                return None
            self._end()
            return answer.failure
        assert isinstance(answer, Page), "only pages are asked for"
        try:
            self._take_in(one, asked_s, answer)
        except S3Error as error:  # what is unsorted may be found to be wrong, or the disk to be full
            self._has_failed = True
            self._end()
            return Failure.of(error)
        return None

    def _take_in(self, one: PageAsk, asked_s: float, answer: Page) -> None:
        """A page is there."""
        if not answer.is_sorted:
            self._trail.follow(answer.next_token)
            self._space.stay_whole()
            if self._listings.in_order and self._unsorted is None:
                self._unsorted = SortedListing()
        self._pace.came(asked_s, is_full=bool(answer.next_token))
        self._space.answer(one.number, [entry.key for entry in answer.entries], answer.entries, answer.next_token)
        self._collect()
        if not self._ready:  # the page was one of those that come later
            self._ask_for_more()

    def _end(self) -> None:
        """Nothing more is needed."""
        self._listings.end(self)
        if self._unsorted is not None:
            self._unsorted.close()

    def _ask_for_more(self) -> None:
        self._collect()
        if self._space.is_done:
            self._listings.end(self)
        self._space.held_pages = self._listings.held_pages
        for one in self._space.asks(self._pace.at_once(self._listings.at_once)):
            order = ListPage(0, self._site, self._prefix, one.token, "", one.last_key, start_after=one.start_after)
            self._asked[self._ask(order)] = (one, self._pace.now_s())

    def _collect(self) -> None:
        if self._ready:
            return
        if self._unsorted is None:
            self._ready.extend(self._space.take())
            return
        for entries in self._space.take():
            self._unsorted.add(entries)
        if not self._space.is_done:
            return
        self._sorted = self._sorted or self._unsorted.pages()
        entries, _ = next(self._sorted, ((), ()))
        if entries:
            self._ready.append(entries)
        else:
            self._unsorted.close()
