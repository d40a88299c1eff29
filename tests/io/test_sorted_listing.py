"""Unsorted pages in, sorted pages out: everything once, whatever is in names, in memory or on disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.model import Entry
from orbit_fast.io import sorted_listing
from orbit_fast.io.sorted_listing import SortedListing

KEYS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4), unique=True, max_size=30)


def _all(listing):
    """What it gives, pages put together."""
    pages = list(listing.pages())
    return [entry for page in pages for entry in page[0]], [prefix for page in pages for prefix in page[1]]


@given(keys=KEYS, prefixes=st.lists(st.sampled_from(["a/", "b/", "\U0001f6f0/"]), max_size=5), size=st.integers(1, 5))
def test_everything_comes_out_in_order(keys, prefixes, size) -> None:
    """Objects with all that is known of them; a common prefix of several pages once."""
    entries = [Entry(key, number, number * 10**9, f"e{number}", "EXPRESS_ONEZONE") for number, key in enumerate(keys)]
    listing = SortedListing()
    for start in range(0, len(entries), size):
        listing.add(entries[start : start + size])
    listing.add((), prefixes)
    assert _all(listing) == (sorted(entries, key=lambda entry: entry.key), sorted(set(prefixes)))
    listing.close()


def test_what_does_not_fit_in_memory_is_sorted_on_disk(monkeypatch) -> None:
    """In pages of so many names."""
    monkeypatch.setattr(sorted_listing, "MAX_PAGE_KEYS", 100)
    keys = [f"{number * 7919 % 5000:05}" for number in range(5000)]
    listing = SortedListing(memory_bytes=50_000)
    listing.add(Entry(key, 1) for key in keys)
    assert listing._sort.is_on_disk
    pages = list(listing.pages())
    assert [len(page[0]) for page in pages] == [100] * 50
    assert [entry.key for page in pages for entry in page[0]] == sorted(keys)
    listing.close()


def test_a_key_that_comes_twice_is_no_listing() -> None:
    """Even with the same facts: a service that says it twice may have left out another one."""
    listing = SortedListing()
    listing.add([Entry("b", 1), Entry("a", 1)])
    listing.add([Entry("b", 1)])
    with pytest.raises(IncompleteListing, match="names 'b' twice") as caught:
        _all(listing)
    assert caught.value.code == "E_BAD_LISTING"
    listing.close()
