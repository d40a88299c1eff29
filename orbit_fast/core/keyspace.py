"""How one listing is fetched by many requests at once: a key space cut into ranges, each listed page by page.

S3 gives a listing one page after another, each with the token of the next, so a listing takes as long as its pages in
a row, whatever the network could do. But a listing may begin after any key (``StartAfter``; in ListObjects ``Marker``):
cut the key space at some keys, list the stretches side by side, and put them together again. Nobody knows beforehand
where the keys are, so cuts are guesses, made while pages come in:

* A range begins as the whole listing. Nothing is guessed before its first page says that more follows.
* A range that has more to give is cut between the last key seen and its end, where the characters of the keys seen so
  far suggest a middle. The first place where a counter may still grow (a digit, or a character that varies) comes
  first: so directories are found as well as dates, counters and digests. Asking for the directories' names (a listing
  with a delimiter) was tried: it costs requests and finds no better places.
* The guess costs one request. If it finds nothing, the range it was cut from has become smaller, and the next guess is
  a better one. Guesses that find nothing are budgeted: `FREE_MISSES`, and one for every page that has something.
* Before the first cut the service is asked to begin right after where a page ended, at a key that probably does not
  exist. Only one that then lists what the next page lists is believed to be able to begin anywhere. One that takes no
  notice (`refused`), or knows only keys that exist, is listed page by page.
* How many requests there are at once doubles with the pages that came, up to what the caller allows now (less, when the
  service asks to slow down): a listing of one page costs one request, a listing of two at most one more.

Whatever the guesses, every key of the listing is given once: ranges are ``(after, until]`` and adjoin; what a page says
beyond its range's end is left to the next range.

In order. Where the keys must come in their order, what comes too early is held until its turn. What is near goes first:
a range waits when so much is held before it (`NEAR`), or it is `RANGE_PAGES` ahead by itself, and only near ranges are
cut. So memory is bounded (`HELD_PAGES`) and the stream never stops for long.
"""

from __future__ import annotations

import string
from bisect import bisect_left
from bisect import bisect_right
from bisect import insort
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from typing import Generic
from typing import TypeVar

RANGE_PAGES: Final = 12
"""Pages that a range may be ahead of those before it, where order matters."""

HELD_PAGES: Final = 64
"""Pages that all ranges together may be ahead: at a thousand keys each about 20 MB."""

NEAR: Final = 0.6
"""The share of them that what comes next may take, whatever far ranges hold; these began when nothing was near."""

FREE_MISSES: Final = 24
"""Guesses that may find nothing, beside one for every page that has something."""

MIN_CUT_PAGES: Final = 3.0
MIN_CUT_PAGES_IN_ORDER: Final = 1.5
"""A range is cut where the guess is that so many pages lie before the cut: each range costs about one more request."""

PLACE_MISSES: Final = 3
"""After so many guesses that found nothing, only characters that were seen at a place are expected there."""

TRIALS: Final = 3
"""So often a service may begin elsewhere than its next page: once or twice, keys may have come or gone between."""

_MADE_UP: Final = "!"

_SAMPLES: Final = 16
_PLACES: Final = 256
_DIGITS: Final = 10
_CLASSES: Final = (
    string.digits,
    string.ascii_lowercase,
    string.ascii_uppercase,
    "".join(map(chr, range(0x430, 0x450))),  # Cyrillic
    "".join(map(chr, range(0x3041, 0x30FF))),  # kana
    "".join(map(chr, range(0x4E00, 0xA000, 64))),  # Chinese characters: every 64th is close enough to cut at
    "".join(map(chr, range(0xAC00, 0xD7A4, 64))),  # Hangul, likewise
)
"""Characters that stand for one another: where one of them was seen, each of the others may be."""

_ALPHABETS: Final = _CLASSES[3:]

_HEX: Final = ("abcdef", "ABCDEF")

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A page to be fetched.

    Attributes:
        number: to answer with.
        start_after: list keys after this one; ``''`` where the listing begins at its beginning, or goes on by `token`.
        token: of the page before, or ``''``.
        last_key: the keys of the page must come after it.
        is_trial: nothing is needed of it but whether it succeeds.
    """

    number: int
    start_after: str = ""
    token: str = ""
    last_key: str = ""
    is_trial: bool = False


class _Range(Generic[E]):
    """A stretch of the key space: after a key, up to and with another (None: to the end).

    Attributes:
        after: it begins after this key.
        until: and ends with this one.
        last: the last key that came, or `after`.
        token: how it goes on; ``''`` before its first page.
        asked: the number of the request that is on its way, or 0.
        pages: what came and was not taken.
        count: pages that came.
        is_ended: nothing more will come.
        is_cut: it was cut since its last page.
        first: after this key its last page began; the first one of all with it.
    """

    __slots__ = ("after", "asked", "count", "first", "is_cut", "is_ended", "last", "pages", "token", "until")

    def __init__(self, after: str, until: str | None) -> None:
        self.after = after
        self.until = until
        self.last = after
        self.token = ""
        self.asked = 0
        self.pages: list[Sequence[E]] = []
        self.count = 0
        self.is_ended = False
        self.is_cut = False
        self.first = after

    def __repr__(self) -> str:
        state = "ended" if self.is_ended else f"asked={self.asked}"
        return f"<Range after={self.after!r} until={self.until!r} last={self.last!r} pages={len(self.pages)} {state}>"


class KeySpace(Generic[E]):
    """The ranges of one listing. The caller asks for `asks`, answers each, and takes what may be taken.

    Attributes:
        held_pages: in order, pages that all ranges together may be ahead.
        pages: pages that came.
        misses: guesses that found nothing.
        requests: pages that were asked for.
    """

    def __init__(self, *, in_order: bool, prefix: str = "", held_pages: int = HELD_PAGES) -> None:
        """A listing that has not begun.

        Args:
            in_order: keys are to be given in their order.
            prefix: what all keys begin with.
            held_pages: with `in_order`, pages that all ranges together may be ahead.
        """
        self.held_pages = held_pages
        self._in_order = in_order
        self._may_cut = True
        self._under = len(prefix)
        self._min_cut_pages = MIN_CUT_PAGES_IN_ORDER if in_order else MIN_CUT_PAGES
        self._ranges: list[_Range[E]] = [_Range("", None)]
        self._asked: dict[int, _Range[E]] = {}
        self._ready: list[Sequence[E]] = []
        self._trial = 0
        self._trials = 0
        self._trial_after = ""
        self._trial_found: str | None = None  # the first key that the trial's answer lists
        self._follows = ""  # the first key of the next page that it should list
        self._is_tried = False
        self._places: list[_Place] = []
        self._held = 0
        self.pages = 0
        self.misses = 0
        self.requests = 0

    def __repr__(self) -> str:
        return f"<KeySpace pages={self.pages} misses={self.misses} held={self._held} {self._ranges!r}>"

    # --- what the caller does -----------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Every key came and was taken."""
        return not self._ranges and not self._ready

    def asks(self, limit: int) -> list[Ask]:
        """The pages to fetch now, when `limit` may be on their way at once."""
        limit = max(1, min(limit, 2 * self.pages))
        asks: list[Ask] = []
        for each in self._near():
            if len(self._asked) >= limit:
                return asks
            if not each.asked and not each.is_ended:
                asks.append(self._ask(each))
        if not self._is_tried:
            return asks + self._try(limit - len(self._asked))
        while len(self._asked) < limit:
            cut = self._cut_one()
            if cut is None:
                break
            asks.append(self._ask(cut))
        return asks

    def answer(self, number: int, keys: Sequence[str], entries: Sequence[E], next_token: str) -> None:
        """The page that was asked for has come.

        Args:
            number: of the `Ask`.
            keys: what it lists, in order.
            entries: what is known of each.
            next_token: how it goes on; ``''`` on the last page.
        """
        if number == self._trial:
            self._trial_found = keys[0] if keys else ""
            self._judge()
            return
        mine = self._asked.pop(number)
        mine.asked = 0
        mine.count += 1
        mine.is_cut = False
        self.pages += 1
        end = len(keys) if mine.until is None else bisect_right(keys, mine.until)
        if not end and mine.count == 1 and mine.after and (keys or not next_token):
            self._miss(mine, is_empty=not keys)
        if end:
            mine.first = mine.last or keys[0]
            mine.last = keys[end - 1]
            self._see([*keys[:: max(1, len(keys) // _SAMPLES)], mine.last])
            self._keep(mine, entries if end == len(keys) else entries[:end])
        mine.token = next_token
        mine.is_ended = not next_token or end < len(keys) or mine.last == mine.until
        self._settle()
        if self._trial and not self._is_tried and not self._follows:
            self._follows = next((key for key in keys if key > self._trial_after), "")
            self._judge()

    def refused(self, number: int) -> bool:
        """A page could not be had: whether the listing does without it, because it was only a trial."""
        if number != self._trial:
            return False
        self._may_cut = False
        return True

    def stay_whole(self) -> None:
        """Keys come in no order, so no key says what comes after it: never cut."""
        self._may_cut = False

    def take(self) -> list[Sequence[E]]:
        """The pages that may be taken now; with `in_order` each comes after those before it."""
        if self._in_order:
            while self._ranges:
                first = self._ranges[0]
                self._ready += first.pages
                self._held -= len(first.pages)
                first.pages = []
                if not first.is_ended:
                    break
                del self._ranges[0]
        ready, self._ready = self._ready, []
        return ready

    # --- ranges -------------------------------------------------------------------------------------------------------

    def _try(self, room: int) -> list[Ask]:
        """Ask for what comes after the last key that came: the same as the next page, by another name."""
        first = self._ranges[0] if self._ranges else None
        if room <= 0 or self._trial or not self._may_cut or first is None or not first.token:
            return []
        self.requests += 1
        self._trial = self.requests
        self._trials += 1
        self._trial_found, self._follows = None, ""
        self._trial_after = first.last + _MADE_UP
        return [Ask(number=self._trial, start_after=self._trial_after, last_key=self._trial_after, is_trial=True)]

    def _judge(self) -> None:
        """Compare the trial with the next page, when both have come."""
        if self._trial_found is None or not self._follows:
            return
        self._is_tried = self._trial_found == self._follows
        if self._trials >= TRIALS:
            self._may_cut = self._is_tried
        elif not self._is_tried:
            self._trial = 0  # another one

    def _ask(self, mine: _Range[E]) -> Ask:
        self.requests += 1
        mine.asked = self.requests
        self._asked[mine.asked] = mine
        start_after = "" if mine.token else mine.last
        return Ask(number=mine.asked, start_after=start_after, token=mine.token, last_key=mine.last)

    def _keep(self, mine: _Range[E], entries: Sequence[E]) -> None:
        if self._in_order:
            mine.pages.append(entries)
            self._held += 1
        else:
            self._ready.append(entries)

    def _settle(self) -> None:
        """Forget ranges that have given everything."""
        if not self._in_order:
            self._ranges = [each for each in self._ranges if not each.is_ended]

    def _near(self) -> Iterator[_Range[E]]:
        """The ranges that may go on; in order, those that are not too far ahead."""
        if not self._in_order:
            yield from self._ranges
            return
        before = 0
        for each in self._ranges:
            is_first = each is self._ranges[0]
            if is_first or (len(each.pages) < RANGE_PAGES and self._held < self.held_pages):
                yield each
            before += len(each.pages) + bool(each.asked)
            if before >= NEAR * self.held_pages:
                return

    def _cut_one(self) -> _Range[E] | None:
        """A new range, cut from one that has more to give; None where there is none, or guesses were bad too often."""
        if not self._may_cut or self.misses > FREE_MISSES + (self.pages - self.misses):
            return None
        candidates = list(self._near())
        if not self._in_order:
            # The one that goes on for longest has probably most to give; it is cut again when all others were.
            candidates.sort(key=lambda each: (each.is_cut, -each.count))
        elif self._held >= self.held_pages:
            return None
        for each in candidates:
            if not each.token or each.is_ended:
                continue
            cut = self._middle(each)
            if cut is None:
                continue
            new: _Range[E] = _Range(cut, each.until)
            each.until = cut
            each.is_cut = True
            self._ranges.insert(self._ranges.index(each) + 1, new)
            return new
        return None

    # --- guesses ------------------------------------------------------------------------------------------------------

    def _miss(self, mine: _Range[E], *, is_empty: bool) -> None:
        """A guess found nothing: nothing is behind it before the next range, or (`is_empty`) nothing at all."""
        self.misses += 1
        if is_empty and 0 < len(mine.after) <= len(self._places):
            self._places[len(mine.after) - 1].miss()

    def _see(self, keys: Sequence[str]) -> None:
        """Learn which characters stand where, from a few keys."""
        for key in keys:
            for place, character in enumerate(key[:_PLACES]):
                if place == len(self._places):
                    self._places.append(_Place())
                if character not in self._places[place].seen:
                    self._places[place].see(character)

    def _middle(self, mine: _Range[E]) -> str | None:
        """A key strictly between the last one of a range and its end, hopefully with as much before it as after."""
        low, high = mine.last, mine.until
        last_resort = None
        varies_at = _shared(mine.first, low)
        begin = max(self._under, 0 if high is None else _shared(low, high))
        for place in range(begin, min(varies_at + 1, len(low), len(self._places))):
            choices = self._choices(low, high, place)
            if not choices:
                continue
            is_constant = len(self._places[place].seen) == 1
            # Where every key so far has one character, the next one says for one request whether any has another.
            cut = low[:place] + choices[0 if is_constant else len(choices) // 2]
            if not self._is_far(mine, cut):
                break
            if not is_constant or low[place].isdigit():
                return cut
            last_resort = last_resort or cut  # a word, more likely than a counter
        return last_resort

    def _choices(self, low: str, high: str | None, place: int) -> list[str]:
        """Characters that may stand at `place` of a key between `low` and `high` which agrees with `low` before it."""
        letters = self._places[place].letters
        first = bisect_right(letters, low[place])
        last = len(letters)
        if high is not None and high.startswith(low[:place]):
            limit = high[place] if place < len(high) else ""
            last = bisect_left(letters, limit)
            if last < len(letters) and letters[last] == limit and len(high) > place + 1:
                last += 1
        return letters[first:last]

    def _is_far(self, mine: _Range[E], cut: str) -> bool:
        """Whether, if keys are spread evenly, `MIN_CUT_PAGES` pages lie between the last key of a range and `cut`."""
        start = min(_shared(mine.first, cut), _shared(mine.last, cut))
        first, last, end = (self._value(key, start) for key in (mine.first, mine.last, cut))
        return end - last >= self._min_cut_pages * (last - first)

    def _value(self, key: str, start: int) -> float:
        """Where a key lies between all keys that agree with it before `start`, from 0 to 1."""
        value, unit = 0.0, 1.0
        for place in range(start, min(start + _DIGITS, len(key), len(self._places))):
            letters = self._places[place].letters
            unit /= len(letters) + 1
            value += unit * (bisect_left(letters, key[place]) + 1)
        return value


class _Place:
    """What was seen at one place of keys.

    Attributes:
        seen: the characters.
        letters: those that may well stand there too, sorted: all digits where there was one, and so on.
    """

    __slots__ = ("_misses", "letters", "seen")

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.letters: list[str] = []
        self._misses = 0

    def see(self, character: str) -> None:
        """One more."""
        self.seen.add(character)
        if self._misses >= PLACE_MISSES:
            insort(self.letters, character)
        elif not any(letters[0] <= character <= letters[-1] for letters in _ALPHABETS if letters[0] in self.letters):
            self._expect()

    def miss(self) -> None:
        """A guess at this place found nothing."""
        self._misses += 1
        self._expect()

    def _expect(self) -> None:
        if self._misses >= PLACE_MISSES:
            self.letters = sorted(self.seen)
            return
        likely = set(self.seen)
        for letters in _CLASSES:
            within = {one for one in self.seen if letters[0] <= one <= letters[-1]}
            if within:
                likely.difference_update(within)
                likely.update(letters)
        for few, letters in zip(_HEX, _CLASSES[1:3], strict=True):
            if not self.seen.isdisjoint(string.digits) and self.seen.isdisjoint(set(letters) - set(few)):
                likely.difference_update(set(letters) - set(few))
        self.letters = sorted(likely)


def _shared(one: str, other: str) -> int:
    """How many characters two keys have in common at their beginning."""
    length = min(len(one), len(other))
    for place in range(length):
        if one[place] != other[place]:
            return place
    return length
