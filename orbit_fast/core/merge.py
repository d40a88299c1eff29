"""Two sorted sides, name by name: what is only at the source, at both, only at the destination.

Both sides come in batches, each at its own pace, in strictly increasing order of names (relative names, compared by
code points, which is the order of their UTF-8 bytes and of S3's listings). A decision is given out as soon as it is
certain, so copies begin with the first batches and nobody holds a listing: a side that is ahead stops wanting more once
it has `LOOK_AHEAD` names that nothing could be said about.

A name counts as missing on one side only when that side has given a later name, or has ended. A side that repeats a
name or goes backwards is not what was asked for: names that it skipped may still come, so nothing may be concluded
from it, and the merge ends with an error.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final
from typing import Generic
from typing import TypeVar

from orbit_fast.core.errors import IncompleteListing

LOOK_AHEAD: Final = 4096
"""Names that a side may be ahead: four pages, so that a page is always on its way while another one is compared."""

S = TypeVar("S")
D = TypeVar("D")
R = TypeVar("R")


class _Feed(Generic[R]):
    """One side: the batches that have not been consumed, the first of them being read."""

    __slots__ = ("_batches", "_last", "_title", "buffered", "is_ended", "names", "place", "records")

    def __init__(self, title: str) -> None:
        self._title = title
        self._batches: deque[tuple[Sequence[str], Sequence[R]]] = deque()
        self._last: str | None = None
        self.names: Sequence[str] = ()
        self.records: Sequence[R] = ()
        self.place = 0
        self.buffered = 0
        self.is_ended = False

    def add(self, names: Sequence[str], records: Sequence[R]) -> None:
        """More names, which come after those before."""
        assert not self.is_ended, "a side that has ended has no more names"
        assert len(names) == len(records), "each name has its record"
        if not names:
            return
        is_after = self._last is None or self._last < names[0]
        if not is_after or not all(map(operator.lt, names, names[1:])):
            before = [self._last, *names] if self._last is not None else list(names)
            culprit = next((a, b) for a, b in pairwise(before) if a >= b)
            raise IncompleteListing(
                f"the names of the {self._title} are not in order: {culprit[1]!r} comes after {culprit[0]!r}",
                code="E_BAD_LISTING",
            )
        self._last = names[-1]
        self._batches.append((names, records))
        self.buffered += len(names)

    def has_name(self) -> bool:
        """Whether there is a name to compare; turns to the next batch where the current one is used up."""
        while self.place == len(self.names):
            if not self._batches:
                return False
            self.names, self.records = self._batches.popleft()
            self.place = 0
        return True

    def move(self, place: int) -> None:
        """Names before `place` in the current batch are done with."""
        self.buffered -= place - self.place
        self.place = place
        if place == len(self.names):
            self.names = self.records = ()
            self.place = 0


class Merge(Generic[S, D]):
    """The merge. `S` and `D` are what is known of a name at the source and at the destination."""

    def __init__(self) -> None:
        self._source: _Feed[S] = _Feed("source")
        self._destination: _Feed[D] = _Feed("destination")

    def __repr__(self) -> str:
        source, destination = self._source, self._destination
        return (
            f"<Merge source={source.buffered}{' ended' if source.is_ended else ''}"
            f" destination={destination.buffered}{' ended' if destination.is_ended else ''}>"
        )

    # --- what comes in ------------------------------------------------------------------------------------------------

    def feed_source(self, names: Sequence[str], records: Sequence[S]) -> None:
        """The next names at the source, each with what is known of it.

        Raises:
            IncompleteListing: they are not in strictly increasing order, or do not come after those before.
        """
        self._source.add(names, records)

    def feed_destination(self, names: Sequence[str], records: Sequence[D]) -> None:
        """The next names at the destination, as `feed_source`.

        Raises:
            IncompleteListing: as there.
        """
        self._destination.add(names, records)

    def end_source(self) -> None:
        """The source has no more names: its listing ended whole."""
        self._source.is_ended = True

    def end_destination(self) -> None:
        """The destination has no more names: its listing ended whole."""
        self._destination.is_ended = True

    @property
    def wants_source(self) -> bool:
        """Whether more names of the source are of use now."""
        return not self._source.is_ended and self._source.buffered < LOOK_AHEAD

    @property
    def wants_destination(self) -> bool:
        """Whether more names of the destination are of use now."""
        return not self._destination.is_ended and self._destination.buffered < LOOK_AHEAD

    @property
    def is_whole(self) -> bool:
        """Both sides have ended, so that what is missing on one is known to be missing."""
        return self._source.is_ended and self._destination.is_ended

    @property
    def is_done(self) -> bool:
        """Both sides have ended and everything was taken."""
        return self.is_whole and not self._source.buffered and not self._destination.buffered

    # --- what comes out -----------------------------------------------------------------------------------------------

    def take(self) -> list[tuple[str, S | None, D | None]]:
        """Every name that is certain by now, in order: name, what the source has, what the destination has."""
        out: list[tuple[str, S | None, D | None]] = []
        source, destination = self._source, self._destination
        while True:
            has_source, has_destination = source.has_name(), destination.has_name()
            if has_source and has_destination:
                self._compare(out)
            elif has_source and destination.is_ended:
                place = source.place
                rest = zip(source.names[place:], source.records[place:], strict=True)
                out.extend((name, record, None) for name, record in rest)
                source.move(len(source.names))
            elif has_destination and source.is_ended:
                place = destination.place
                others = zip(destination.names[place:], destination.records[place:], strict=True)
                out.extend((name, None, record) for name, record in others)
                destination.move(len(destination.names))
            else:
                return out

    def _compare(self, out: list[tuple[str, S | None, D | None]]) -> None:
        """Until one of the two current batches is used up. The hot loop: 0.15 us a name."""
        source, destination = self._source, self._destination
        here, there = source.names, destination.names
        i, j = source.place, destination.place
        here_end, there_end = len(here), len(there)
        append = out.append
        while i < here_end and j < there_end:
            name, other = here[i], there[j]
            if name == other:
                append((name, source.records[i], destination.records[j]))
                i += 1
                j += 1
            elif name < other:
                append((name, source.records[i], None))
                i += 1
            else:
                append((other, None, destination.records[j]))
                j += 1
        source.move(i)
        destination.move(j)
