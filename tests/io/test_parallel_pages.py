"""Pages fetched side by side are those of one listing, in order; one that cannot be had is a listing that failed."""

from __future__ import annotations

from bisect import bisect_right
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.io import parallel_pages as module
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.parallel_pages import AT_ONCE
from orbit_fast.io.parallel_pages import ParallelPages
from orbit_fast.io.together import Together


class Service:
    """A listing whose pages come when the test says so; flows are but their orders."""

    def __init__(self, keys, *, size=3, page_s=0.1):
        self.keys = sorted(keys)
        self.size = size
        self.page_s = page_s
        self.now_s = 0.0
        self.waiting = []
        self.most = 0
        self.allowed = 0

    def __call__(self, order, on_end):
        """Start a flow."""
        self.waiting.append((order, on_end))
        self.most = max(self.most, len(self.waiting))
        return SimpleNamespace(cancel=lambda: self.end(order, Cancelled("cancelled")))

    def end(self, order, result):
        """This one ends."""
        place = next(place for place, (one, _) in enumerate(self.waiting) if one is order)
        self.waiting.pop(place)[1](result)

    def answer(self, place=0, result=None):
        """One of those that wait ends with its page, or with `result`."""
        order = self.waiting[place][0]
        self.now_s += self.page_s
        after = order.token or order.start_after
        start = bisect_right(self.keys, after) if after else 0
        page = tuple(Entry(key, 1) for key in self.keys[start : start + self.size])
        token = page[-1].key if start + self.size < len(self.keys) else ""
        self.end(order, result or Page(0, page, (), token))

    def pages(self, *, in_order=True):
        """The pages, through this service."""
        around = SimpleNamespace(monotonic_s=lambda: self.now_s)
        given = SimpleNamespace(around=around, together=self._together, allowed=lambda: self.allowed)
        return ParallelPages(given, 0, "", in_order=in_order)

    def _together(self, *, limit):
        return Together(self, limit=limit)


@pytest.fixture(autouse=True)
def orders(monkeypatch):
    """Flows are not run: an order stands for its own."""
    monkeypatch.setattr(module, "list_page", lambda _, order: order)


def _read(pages, service, picks=(0,)):
    """Everything, answers coming in the order of `picks`."""
    found, turn = [], 0
    while True:
        flow = pages.next()
        try:
            while True:
                if next(flow) is not PAUSE:
                    service.answer(picks[turn % len(picks)] % len(service.waiting))
                    turn += 1
        except StopIteration as stop:
            if stop.value is None:
                pages.close()
                assert not service.waiting
                return found
            found += [entry.key for entry in stop.value[0]]


@given(
    keys=st.sets(st.text(alphabet="01ab/", min_size=1, max_size=5), max_size=60),
    picks=st.lists(st.integers(0, 20), min_size=1, max_size=40),
    page_s=st.sampled_from([0.0, 0.1]),
)
def test_every_key_comes_once_and_in_order(keys, picks, page_s) -> None:
    """Whichever answer comes first, and however slow they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "list_page", lambda _, order: order)
        service = Service(keys, page_s=page_s)
        assert _read(service.pages(), service, picks) == sorted(keys)


@pytest.mark.parametrize(("page_s", "most"), [(0.1, AT_ONCE), (0.001, 1)])
def test_how_many_at_once(page_s, most):
    """A slow service is asked for many pages at once, a fast one for the next only."""
    keys = [f"{number:05}" for number in range(9000)]
    service = Service(keys, size=50, page_s=page_s)
    assert _read(service.pages(), service) == keys
    assert service.most == most


@pytest.mark.parametrize("in_order", [False, True])
def test_a_service_that_asks_to_slow_down(in_order):
    """Fewer pages are on their way then, but always one."""
    keys = [f"{number:05}" for number in range(3000)]
    service = Service(keys, size=50)
    service.allowed = 3
    assert sorted(_read(service.pages(in_order=in_order), service)) == keys
    assert service.most == 3


def test_whoever_reads_slowly_is_not_swamped():
    """Pages that nobody has taken yet are few, however many there are."""
    service = Service([f"{number:06}" for number in range(20_000)], size=10)
    pages, taken = service.pages(in_order=False), 0
    while True:
        flow = pages.next()
        try:
            while True:
                if next(flow) is not PAUSE:
                    service.answer(0)
        except StopIteration as stop:
            if stop.value is None:
                break
            taken += len(stop.value[0])
        while service.waiting:  # all that was asked for comes before the next page is taken
            service.answer(0)
        assert len(pages._ready) < 2 * AT_ONCE
    assert taken == 20_000


def test_what_came_before_a_failure_is_given_first():
    """In order, and then the failure."""
    keys = [f"{number:05}" for number in range(900)]
    service = Service(keys, size=10)
    pages, found, count = service.pages(), [], 0

    def read():
        nonlocal count
        while True:
            flow = pages.next()
            try:
                while True:
                    if next(flow) is not PAUSE:
                        count += 1
                        service.answer(len(service.waiting) - 1, BadReply("no") if count == 20 else None)
            except StopIteration as stop:
                found.extend(entry.key for entry in stop.value[0])

    with pytest.raises(BadReply):
        read()
    pages.close()
    assert found
    assert found == keys[: len(found)]
    assert not service.waiting


def test_a_page_that_fails_is_the_listings_failure():
    """It is raised, and what is on its way is given up."""
    service = Service([f"{number:05}" for number in range(900)], size=10)
    pages = service.pages()
    flow = pages.next()
    next(flow)
    service.answer(0, BadReply("no"))
    with pytest.raises(BadReply):
        next(flow)
    pages.close()
    assert not service.waiting


def test_a_service_that_begins_every_listing_at_its_beginning():
    """The trial fails, which is nobody's business; the listing is fetched page by page."""
    keys = [f"{number:05}" for number in range(900)]
    service = Service(keys, size=10)
    pages, found = service.pages(), []
    while True:
        flow = pages.next()
        try:
            while True:
                if next(flow) is not PAUSE:
                    trial = [place for place, (order, _) in enumerate(service.waiting) if order.start_after]
                    service.answer(trial[0] if trial else 0, BadReply("the beginning again") if trial else None)
        except StopIteration as stop:
            if stop.value is None:
                break
            found += [entry.key for entry in stop.value[0]]
    assert found == keys
    assert service.most == 2
