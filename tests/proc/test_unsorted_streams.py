"""A listing in no order is one in order, once all of it is there; and never a shorter one."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.merge import Merge
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.io import sorted_listing
from orbit_fast.proc.key_stream import KeyStream
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.sync_sides import ListedSide
from tests.kit.paged_service import PagedService

NAMES = st.sets(st.text(alphabet="01ab/\u00e9\U0001f6f0", min_size=1, max_size=5), max_size=30)
REFUSAL = Failed("page", 0, Failure.of(ServerFault("no", code="InternalError")))


def _anywhere(key):
    """A place in no order, always the same."""
    return hashlib.sha256(key.encode()).digest()


class Reader:
    """Whoever reads a stream of a service that does not sort.

    Attributes:
        found: the keys that were taken.
        failure: what the stream said was wrong.
    """

    def __init__(self, keys, *, in_order=True):
        self.service = PagedService(keys, page_s=0.05, place=_anywhere)
        listings = Listings(self.service.monotonic_s, in_order=in_order)
        self.stream = KeyStream(4, "p/", lambda order: self.service.ask(self, order), listings)
        self.found = []
        self.failure = None

    def answer(self, answer):
        """As a finder."""
        self.failure = self.stream.answer(answer)

    def take(self):
        """The next page."""
        self.found += [entry.key for entry in self.stream.take()]

    def drain(self):
        """Take until the stream has ended."""
        while not self.stream.is_ended and self.failure is None:
            if self.stream.is_ready:
                self.take()
            else:
                assert self.service.waiting, "nothing to take, and nothing on its way"
                self.service.answer()


@pytest.mark.slow
@given(names=NAMES)
def test_what_comes_in_no_order_is_given_in_order(names) -> None:
    """Every key once; one page at a time, from the beginning on, however slow the service is."""
    keys = {f"p/{name}" for name in names}
    reader = Reader(keys | {"o", "q"})
    reader.drain()
    assert reader.found == sorted(keys)
    assert len(reader.service.orders) == max(1, -(-len(keys) // 3))


def test_where_order_does_not_matter_pages_are_given_as_they_come() -> None:
    """A copy begins with the first page."""
    keys = [f"p/{number}" for number in range(9)]
    reader = Reader(keys, in_order=False)
    reader.take()
    reader.service.answer()
    reader.take()
    assert reader.found == sorted(keys, key=_anywhere)[:3]
    reader.drain()
    assert reader.found == sorted(keys, key=_anywhere)


def test_a_listing_that_breaks_off_gives_nothing() -> None:
    """The first keys may be on the page that never came."""
    reader = Reader([f"p/{number}" for number in range(9)])
    reader.take()
    for _ in range(2):
        reader.service.answer()
        assert not reader.stream.is_ready
    reader.service.answer(answer=REFUSAL)
    assert reader.failure is not None
    assert not reader.found
    assert not reader.stream.is_ended


@pytest.mark.parametrize("in_order", [True, False])
def test_pages_in_a_circle_are_no_listing(in_order) -> None:
    """Without an order of keys only the tokens show it."""
    reader = Reader(["p/1"], in_order=in_order)
    reader.take()
    for token in ("a", "b", "a"):
        assert reader.failure is None
        reader.service.answer(answer=Page(0, (), (), token, is_sorted=False))
    assert reader.failure is not None
    assert reader.failure.code == "E_LIST_LOOP"
    assert not reader.stream.is_ended


def test_a_key_that_comes_twice_is_no_listing() -> None:
    """On two pages: it is found out when the keys are sorted, and the stream never ends."""
    reader = Reader([])
    reader.take()
    pages = (("p/b", "p/a"), "next"), (("p/c", "p/b"), "")
    for keys, token in pages:
        reader.service.answer(answer=Page(0, tuple(Entry(key, 1) for key in keys), (), token, is_sorted=False))
    assert reader.failure is not None
    assert reader.failure.code == "E_BAD_LISTING"
    assert "'p/b' twice" in reader.failure.message
    assert not reader.stream.is_ended
    assert not reader.stream.is_ready


def test_a_key_that_comes_twice_far_behind_ends_what_is_taken(monkeypatch) -> None:
    """The pages before it are given, the end never is."""
    monkeypatch.setattr(sorted_listing, "MAX_PAGE_KEYS", 2)
    reader = Reader([])
    reader.take()
    pages = (("p/d", "p/a"), "next"), (("p/c", "p/b", "p/d"), "")
    for keys, token in pages:
        reader.service.answer(answer=Page(0, tuple(Entry(key, 1) for key in keys), (), token, is_sorted=False))
    assert reader.failure is None
    with pytest.raises(IncompleteListing, match="'p/d' twice"):
        reader.drain()
    assert not reader.stream.is_ended


def _rows(source, destination):
    """What a sync of two sides decides on, row by row."""
    merge = Merge()
    sides = []
    for service, feed, end in (
        (source, merge.feed_source, merge.end_source),
        (destination, merge.feed_destination, merge.end_destination),
    ):
        side = ListedSide(4, "p/", "", service.ask, Listings(service.monotonic_s), on_failure=lambda failure: failure)
        sides.append((side, service, feed, end))
    for side, service, feed, end in sides:
        while not side.is_ended:
            if side.is_ready:
                feed(*side.take())
            else:
                assert service.answer() is None
        end()
    return merge.take()


@pytest.mark.slow
@given(source=NAMES, destination=NAMES)
def test_a_sync_sees_the_same_in_no_order_as_in_order(source, destination) -> None:
    """Whichever side is a directory bucket: the same names, at both or at one, in the same order."""
    keys = [{f"p/{name}" for name in names} | {"p/"} for names in (source, destination)]
    expected = _rows(PagedService(keys[0]), PagedService(keys[1]))
    for places in ((_anywhere, None), (None, _anywhere), (_anywhere, _anywhere)):
        sides = [PagedService(found, place=place) for found, place in zip(keys, places, strict=True)]
        assert _rows(*sides) == expected
