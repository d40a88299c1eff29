"""A listing in pages that come when a test says so."""

from __future__ import annotations

from bisect import bisect_right

from msgspec.structs import replace

from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry


class PagedService:
    """What askers ask waits here until it is answered; the clock goes on by `page_s` with every answer.

    Attributes:
        place: what pages are sorted by; None by keys. Otherwise listings begin at their beginning, as those of
            directory buckets do, and pages say that they are not sorted.
        orders: all that was asked.
        waiting: what was not answered yet, and by whom it was asked.
        now_s: what the clock shows.
    """

    def __init__(self, keys, *, size=3, page_s=0.0, place=None):
        """One that lists `keys`, so many on a page."""
        self.place = place
        self.keys = sorted(keys, key=place)
        self.size = size
        self.waiting = []
        self.orders = []
        self.page_s = page_s
        self.now_s = 0.0

    def ask(self, asker, order):
        """What askers call; the number of the answer."""
        self.orders.append(order)
        self.waiting.append((asker, order, len(self.orders)))
        return len(self.orders)

    def monotonic_s(self):
        """The clock."""
        return self.now_s

    def answer(self, place=0, answer=None):
        """Bring the page that one question asks for, or `answer`; what the asker says to it."""
        asker, order, number = self.waiting.pop(place)
        self.now_s += self.page_s
        if answer is not None:
            return asker.answer(replace(answer, number=number))
        keys = [key for key in self.keys if key.startswith(order.prefix)]
        assert self.place is None or not order.start_after, "what is not sorted has no other beginning"
        after = order.token or order.start_after
        start = bisect_right(keys, after) if after and self.place is None else int(after or 0)
        page = keys[start : start + self.size]
        token = page[-1] if start + self.size < len(keys) else ""
        if token and self.place is not None:
            token = str(start + self.size)
        return asker.answer(Page(number, tuple(Entry(key, 1) for key in page), (), token, self.place is None))
