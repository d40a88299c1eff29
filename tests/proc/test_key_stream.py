"""A stream of keys gives every key once, in order, however pages come in; and says that it ended only then."""

from __future__ import annotations

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import ServerFault
from orbit_fast.core.keyspace import HELD_PAGES
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.io.parallel_pages import AT_ONCE
from orbit_fast.proc import key_stream as module
from orbit_fast.proc.key_stream import KeyStream
from orbit_fast.proc.key_stream import Listings
from tests.kit.paged_service import PagedService

REFUSAL = Failed("page", 0, Failure.of(ServerFault("no", code="InternalError")))
NAMES = st.sets(st.text(alphabet="01ab/\u00e9", min_size=1, max_size=5), max_size=40)


class Reader:
    """Whoever reads a stream.

    Attributes:
        found: the keys that were taken.
    """

    def __init__(self, service, *, prefix="p/", listings=None):
        self.service = service
        self.found = []
        self.listings = listings or Listings(service.monotonic_s)
        self.stream = KeyStream(4, prefix, lambda order: service.ask(self, order), self.listings)

    def answer(self, answer):
        """As a finder."""
        return self.stream.answer(answer)

    def take(self):
        """The next page."""
        assert self.stream.is_ready
        self.found += [entry.key for entry in self.stream.take()]

    def drain(self, picks=(0,)):
        """Take until the stream has ended; answers come in the order of `picks`. The most that waited at once."""
        waiting, turn, most = self.service.waiting, 0, 0
        while not self.stream.is_ended:
            if self.stream.is_ready:
                self.take()
            else:
                assert waiting, "nothing to take, and nothing on its way"
                assert self.service.answer(picks[turn % len(picks)] % len(waiting)) is None
            most = max(most, len(waiting))
            turn += 1
        while waiting:  # the trial, whose answer nobody needs any more
            assert self.service.answer() is None
        assert self.stream.is_ended
        return most


def _keys(count):
    return [f"p/{number:05}" for number in range(count)]


@given(names=NAMES, page_s=st.sampled_from([0.0, 0.05]), picks=st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_a_listing_comes_whole_and_in_order(names, page_s, picks) -> None:
    """However slow the service is, and whichever page comes first."""
    keys = {f"p/{name}" for name in names}
    reader = Reader(PagedService(keys | {"o", "q"}, page_s=page_s))
    reader.drain(picks)
    assert reader.found == sorted(keys)


def test_one_page_at_a_time_where_the_service_is_fast() -> None:
    """Each page once, the next one on its way while the last one is dealt with."""
    reader = Reader(PagedService(_keys(30)))
    reader.take()
    reader.service.answer()
    reader.take()
    assert reader.found == _keys(3)
    assert len(reader.service.waiting) == 1
    assert reader.drain() == 1
    assert len(reader.service.orders) == 10


def test_a_slow_service_is_asked_for_several_pages_at_once() -> None:
    """And still each key comes once, in order."""
    reader = Reader(PagedService(_keys(3000), size=10, page_s=0.1))
    assert reader.drain() == AT_ONCE
    assert reader.found == _keys(3000)


def test_nobody_is_asked_for_what_nobody_takes() -> None:
    """Pages are fetched when keys are wanted."""
    reader = Reader(PagedService(_keys(30)))
    assert reader.stream.is_ready
    assert not reader.service.orders
    reader.take()
    reader.service.answer()
    assert reader.stream.is_ready
    assert not reader.service.waiting


def test_the_trial_may_fail() -> None:
    """A service that cannot begin a listing anywhere is listed page by page, and nobody is told."""
    service = PagedService(_keys(100), size=10, page_s=0.1)
    reader = Reader(service)
    while not reader.stream.is_ended:
        trial = next((place for place, one in enumerate(service.waiting) if one[1].start_after), None)
        if trial is not None:
            assert service.answer(trial, REFUSAL) is None
        elif reader.stream.is_ready:
            reader.take()
        else:
            assert service.answer() is None
    assert reader.found == _keys(100)
    assert sum(bool(order.start_after) for order in service.orders) == 1


def test_a_page_that_cannot_be_had_is_told_once_and_the_stream_never_ends() -> None:
    """Whatever else comes or fails after it."""
    service = PagedService(_keys(3000), size=10, page_s=0.1)
    reader = Reader(service)
    while len(service.waiting) < AT_ONCE:
        if reader.stream.is_ready:
            reader.take()
        else:
            service.answer()
    failure = service.answer(5, REFUSAL)
    assert failure.code == "InternalError"
    assert service.answer(3, REFUSAL) is None
    while service.waiting:
        assert service.answer() is None
    while reader.stream.is_ready:
        reader.take()
    assert not reader.stream.is_ended
    assert not service.waiting
    assert reader.listings.count == 0


@pytest.mark.parametrize("count", [1, 3, 8, 40])
def test_the_listings_of_a_job_share_what_may_be_on_its_way(count) -> None:
    """Many are fetched a page at a time each; together they have few pages on their way, and hold few."""
    service = PagedService(_keys(300), size=1, page_s=0.1)
    listings = Listings(service.monotonic_s)
    readers = [Reader(service, prefix="", listings=listings) for _ in range(count)]
    most = held = 0
    while not all(reader.stream.is_ended for reader in readers):
        for reader in readers:
            if reader.stream.is_ready and not reader.stream.is_ended:
                reader.take()
        if service.waiting:
            service.answer()
        most = max(most, len(service.waiting))
        held = max(held, sum(reader.stream._space._held for reader in readers))
    assert all(reader.found == _keys(300) for reader in readers)
    assert most <= max(count, module.ALL_AT_ONCE) + count  # one more each: the trial
    assert held <= module.ALL_HELD_PAGES + module.ALL_AT_ONCE
    assert listings.count == 0


def test_a_listing_that_nobody_reads_any_more_takes_no_share() -> None:
    """When its line of a script has failed for another reason."""
    service = PagedService(_keys(30))
    listings = Listings(service.monotonic_s)
    readers = [Reader(service, listings=listings) for _ in range(30)]
    for reader in readers:
        reader.take()
    assert (listings.count, listings.at_once, listings.held_pages) == (30, 1, module.ALL_HELD_PAGES // 30)
    service.waiting.clear()
    del reader, readers[1:]
    gc.collect()
    assert (listings.count, listings.at_once, listings.held_pages) == (1, AT_ONCE, HELD_PAGES)
