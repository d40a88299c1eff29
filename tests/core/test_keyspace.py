"""A listing cut into ranges is still that listing: every key once, in order when asked, for few requests more."""

from __future__ import annotations

import hashlib
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.keyspace import FREE_MISSES
from orbit_fast.core.keyspace import HELD_PAGES
from orbit_fast.core.keyspace import RANGE_PAGES
from orbit_fast.core.keyspace import TRIALS
from orbit_fast.core.keyspace import KeySpace

KEYS = st.lists(st.text(alphabet="0129abfk/é\uffff\U0001f600", max_size=6), max_size=60, unique=True).map(sorted)


def _page(keys, ask, size):
    """What S3 answers: at most `size` keys after the place asked for, and the token of the next page."""
    after = ask.token or ask.start_after
    start = bisect_right(keys, after) if after else 0
    page = keys[start : start + size]
    assert not page or not ask.last_key or page[0] > ask.last_key
    return page, page[-1] if start + size < len(keys) else ""


@given(
    keys=KEYS,
    size=st.integers(1, 7),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    picks=st.lists(st.integers(0, 30), max_size=300),
    prefix=st.sampled_from(["", "", "0", "a"]),
    in_order=st.booleans(),
)
def test_every_key_comes_once(keys, size, limits, picks, prefix, in_order) -> None:
    """Any keys, page size, limits that change all the time, and answers in any order."""
    keys = [key for key in keys if key.startswith(prefix) and key]
    space: KeySpace[str] = KeySpace(in_order=in_order, prefix=prefix)
    waiting, taken, turn = [], [], 0
    while not space.is_done:
        limit = limits[turn % len(limits)]
        asked = space.asks(limit)
        waiting += asked
        assert len(waiting) <= limit + 1 or not asked  # one is the trial
        if waiting:
            ask = waiting.pop(picks[turn % len(picks)] % len(waiting) if picks else 0)
            page, token = _page(keys, ask, size)
            space.answer(ask.number, page, page, token)
        turn += 1
        for batch in space.take():
            taken += batch
        if in_order:
            assert taken == keys[: len(taken)]
    assert sorted(taken) == keys
    assert space.misses <= FREE_MISSES + (space.pages - space.misses) + max(limits)


def _simulate(keys, *, in_order, limit=16, size=100, prefix=""):
    """Lists `keys` in rounds: what is asked for at the start of one is answered at its end. The space, and rounds."""
    space: KeySpace[str] = KeySpace(in_order=in_order, prefix=prefix)
    rounds, taken, held = 0, [], 0
    while not space.is_done:
        asks = space.asks(limit)
        rounds += bool(asks)
        for ask in asks:
            page, token = _page(keys, ask, size)
            space.answer(ask.number, page, page, token)
        held = max(held, space._held)
        for batch in space.take():
            taken += batch
    assert (taken if in_order else sorted(taken)) == keys
    assert held <= HELD_PAGES + limit
    return space, rounds


def _word(number):
    """Letters that look like nothing counted them."""
    digest = hashlib.md5(b"w%d" % number).digest()
    return "".join("aeioubcdfghjklmnprstvwyzKLM-_"[byte % 29] for byte in digest[: 3 + digest[15] % 9])


def _character(number):
    """One of twenty thousand Chinese characters."""
    return chr(0x4E00 + int.from_bytes(hashlib.md5(b"c%d" % number).digest()[:4]) % 20_992)


SHAPES = {
    "counter": [f"k{number:06}" for number in range(20_000)],
    "directories": [f"dir{number // 50:03}/file{number % 50:05}.bin" for number in range(20_000)],
    "digests": sorted(hashlib.md5(b"%d" % number).hexdigest() for number in range(20_000)),
    "dates": [f"logs/2024/{1 + n // 1800:02}/{1 + n // 60 % 30:02}/part-{n % 60:05}.gz" for n in range(20_000)],
    "skewed": [f"a/{number:07}" for number in range(18_000)] + [f"z{number:05}" for number in range(2_000)],
    "letters": sorted(f"ключ-{number:06}" for number in range(20_000)),
    "page directories": [f"dir/{number // 100:04}/{number:07}.bin" for number in range(20_000)],
    "words": sorted(f"{_word(number)}/{number:05}.jpg" for number in range(20_000)),
    "hot directory": sorted({f"{_word(n)}/x" for n in range(300)} | {f"mmm/data/{_word(n)}{n}" for n in range(19_700)}),
    "characters": sorted(f"{_character(n)}{_character(n + 1)}{n}" for n in range(20_000)),
    "character directories": sorted(f"{_character(n % 50)}{_character(n % 50 + 9)}/{n:05}" for n in range(20_000)),
}


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_side_by_side_is_faster(shape, in_order) -> None:
    """Two hundred pages, sixteen at once: at least five times as fast as one by one, for at most as many more."""
    keys = sorted(SHAPES[shape])
    space, rounds = _simulate(keys, in_order=in_order)
    assert rounds <= 200 / 5
    assert space.requests <= 400


@pytest.mark.parametrize("in_order", [False, True])
def test_nothing_is_guessed_outside_the_prefix(in_order) -> None:
    """Where all keys begin alike because only such were asked for, no guess is spent on others."""
    keys = [f"backup/2024/{number:06}" for number in range(20_000)]
    blind, _ = _simulate(keys, in_order=in_order)
    knowing, _ = _simulate(keys, in_order=in_order, prefix="backup/2024/")
    assert knowing.misses < blind.misses


@pytest.mark.parametrize(("count", "most"), [(0, 1), (1, 1), (100, 1), (101, 3), (500, 12)])
def test_a_short_listing_stays_cheap(count, most) -> None:
    """One page is one request; few pages are few more."""
    space, _ = _simulate(SHAPES["counter"][:count], in_order=True)
    assert space.requests <= most


STRANGE = {
    "nothing comes after a key that does not exist": lambda keys, after: [],
    "it begins a page later": lambda keys, after: keys[bisect_right(keys, after) + 100 :],
    "it begins a key later": lambda keys, after: keys[bisect_right(keys, after) + 1 :],
    "it begins at its end": lambda keys, after: keys[-100:],
}


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("how", STRANGE)
def test_a_service_that_begins_elsewhere_is_listed_page_by_page(how, in_order) -> None:
    """One that heeds only keys that exist would leave gaps that nobody sees: it is found out before anything is cut."""
    keys = SHAPES["counter"][:2000]
    space: KeySpace[str] = KeySpace(in_order=in_order)
    trials, taken = 0, []
    while not space.is_done:
        for ask in space.asks(16):
            assert ask.is_trial or not ask.start_after
            trials += ask.is_trial
            if ask.start_after and ask.start_after not in keys:
                begun = STRANGE[how](keys, ask.start_after)
                page, token = begun[:100], begun[99] if len(begun) > 100 else ""
            else:
                page, token = _page(keys, ask, 100)
            space.answer(ask.number, page, page, token)
        for batch in space.take():
            taken += batch
    assert taken == keys
    assert 0 < trials <= TRIALS


def test_keys_that_come_and_go_make_no_service_a_strange_one() -> None:
    """A trial that differs from the next page is made again."""
    keys = SHAPES["counter"][:5000]
    space: KeySpace[str] = KeySpace(in_order=True)
    trials, cuts, taken = 0, 0, []
    while not space.is_done:
        for ask in space.asks(16):
            trials += ask.is_trial
            cuts += bool(ask.start_after) and not ask.is_trial
            page, token = _page(keys, ask, 100)
            if ask.is_trial and trials == 1:
                page = page[1:]  # the key came after this was listed
            space.answer(ask.number, page, page, token)
        for batch in space.take():
            taken += batch
    assert taken == keys
    assert trials == 2
    assert cuts


@pytest.mark.parametrize("in_order", [False, True])
def test_a_service_that_cannot_begin_anywhere(in_order) -> None:
    """Where the trial is refused the listing goes on page by page; another page that fails is the listing's failure."""
    keys = SHAPES["counter"][:1000]
    space: KeySpace[str] = KeySpace(in_order=in_order)
    trials, taken = 0, []
    while not space.is_done:
        for ask in space.asks(16):
            assert ask.is_trial or not ask.start_after
            trials += ask.is_trial
            if ask.is_trial:
                assert space.refused(ask.number)
                continue
            page, token = _page(keys, ask, 100)
            space.answer(ask.number, page, page, token)
        for batch in space.take():
            taken += batch
    assert taken == keys
    assert trials == 1
    other: KeySpace[str] = KeySpace(in_order=in_order)
    (first,) = other.asks(1)
    assert not other.refused(first.number)


def test_a_page_of_no_keys_that_goes_on() -> None:
    """An empty page with a token is no end."""
    space: KeySpace[str] = KeySpace(in_order=True)
    (ask,) = space.asks(1)
    space.answer(ask.number, [], [], "more")
    (ask,) = space.asks(1)
    assert ask.token == "more"
    space.answer(ask.number, ["a"], ["a"], "")
    assert space.take() == [["a"]]
    assert space.is_done


def test_who_is_far_ahead_waits() -> None:
    """While the first range gets no answer, the others stop after some pages each."""
    keys = SHAPES["digests"]
    space: KeySpace[str] = KeySpace(in_order=True)
    first, waiting = None, []
    for _ in range(300):
        waiting += space.asks(16)
        if space.pages > 20 and first is None:
            first = next((ask for ask in waiting if ask.number == space._ranges[0].asked), None)
            if first is not None:
                waiting.remove(first)
        if not waiting:
            break
        ask = waiting.pop(0)
        page, token = _page(keys, ask, 100)
        space.answer(ask.number, page, page, token)
        space.take()
    assert first is not None
    assert not waiting
    assert max(len(each.pages) for each in space._ranges) <= RANGE_PAGES
    assert space._held <= HELD_PAGES + 16
    assert "held=" in repr(space)
