"""The two sides of a sync, each as a stream of names in S3's order: a local walk, or a listing in S3.

A side gives names in batches (`take`), when it is asked to and not before, so nobody holds a tree or a listing. It says
that it has ended only after it has given everything that there is; a listing that fails ends the job instead.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import islice
from typing import Final
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import S3Error
from orbit_fast.core.keyspace import Ask as PageAsk
from orbit_fast.core.keyspace import KeySpace
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.core.names import key_name
from orbit_fast.core.sync import Seen
from orbit_fast.core.sync import Unknown
from orbit_fast.io.parallel_pages import PagePace
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk
from orbit_fast.proc.questions import Asker

SLICE: Final = 512
"""Names that a local side gives at once: about two milliseconds."""

AT_ONCE: Final = 12
"""Pages of one listing that may be on their way."""

HELD_PAGES: Final = 64
"""Pages that a listing may be ahead of its slowest range: at a thousand keys each about 20 MB."""

Batch = tuple[list[str], Sequence[Seen]]

_REASONS: Final = {
    Kind.SYMLINK: "symlink",
    Kind.LOOP: "symlink",
    Kind.SPECIAL: "special",
    Kind.VANISHED: "vanished",
}


class SyncSide(Protocol):
    """One side."""

    @property
    def is_ready(self) -> bool:
        """`take` can give something now, or has nothing more to give ever."""

    @property
    def is_ended(self) -> bool:
        """Everything was given."""

    def take(self) -> Batch:
        """The next names and what is known of each. Sees to it that more is on the way.

        Raises:
            S3Error: there is no such side, or it cannot be read.
        """


class LocalSide:
    """A local directory.

    Args:
        root: the directory.
        follow_symlinks: as the user wishes; links at a destination are never followed.
        is_source: it must exist; what has no name in S3 is told.
        on_unnamed: is told the path of each file of a source whose name cannot be a key.
    """

    is_ready = True

    def __init__(
        self, root: bytes, *, follow_symlinks: bool, is_source: bool, on_unnamed: Callable[[bytes, S3Error], None]
    ) -> None:
        self.root = root if root.endswith(b"/") else root + b"/"
        self._is_source = is_source
        self._on_unnamed = on_unnamed
        self._entries: Iterator[WalkEntry] = iter(())
        if is_source or os.path.lexists(root):
            self._entries = walk(self.root, follow_symlinks=follow_symlinks, directories=True)
        self.is_ended = False

    def take(self) -> Batch:
        """The next names of the walk."""
        names: list[str] = []
        seen: list[Seen] = []
        count = 0
        for entry in islice(self._entries, SLICE):
            count += 1
            kind = entry.kind
            try:
                name = entry.path.decode()
            except UnicodeDecodeError:
                self._unnamed(entry)
                continue
            if kind is Kind.FILE or kind is Kind.DIRECTORY:
                names.append(name)
                seen.append(entry)
            elif kind is not Kind.TEMPORARY:
                names.append(name)
                seen.append(Unknown(_REASONS.get(kind, ""), entry.error))
        self.is_ended = count < SLICE
        return names, seen

    def _unnamed(self, entry: WalkEntry) -> None:
        """A name that no key can have: at a source it cannot be copied, at a destination nobody has put it there."""
        if self._is_source and entry.kind is not Kind.DIRECTORY:
            try:
                key_name(entry.path)
            except InvalidKey as error:
                self._on_unnamed(self.root + entry.path, error)


class ListedSide:
    """A prefix in S3.

    Args:
        site: number of the bucket.
        base: what stands before the names in keys.
        begins: with what the names of interest begin.
        ask: has pages fetched.
        monotonic_s: the clock.
        on_failure: is told why the listing cannot be had; returns that failure as the job's.
    """

    def __init__(
        self,
        site: int,
        base: str,
        begins: str,
        ask: Callable[[Asker, Ask], object],
        monotonic_s: Callable[[], float],
        *,
        on_failure: Callable[[Failure], Failure],
    ) -> None:
        self._site = site
        self._prefix = base + begins
        self._under = len(base)
        self._ask = ask
        self._pace = PagePace(monotonic_s)
        self._on_failure = on_failure
        self._space: KeySpace[Entry] = KeySpace(in_order=True, prefix=self._prefix, held_pages=HELD_PAGES)
        self._ready: deque[Sequence[Entry]] = deque()
        self._has_begun = False
        self.found = 0

    @property
    def is_ready(self) -> bool:
        """Whether a page can be taken now."""
        return bool(self._ready) or self._space.is_done or not self._has_begun

    @property
    def is_ended(self) -> bool:
        """Every page was taken."""
        return self._space.is_done and not self._ready

    def take(self) -> Batch:
        """The next page, if it is there."""
        self._has_begun = True
        self._collect()
        entries = self._ready.popleft() if self._ready else ()
        self._ask_for_more()
        under = self._under
        if entries and len(entries[0].key) == under:
            entries = entries[1:]  # the marker of the prefix itself: it has no name below
        self.found += len(entries)
        return [entry.key[under:] for entry in entries], entries

    def answer(self, one: PageAsk, asked_s: float, answer: Answer) -> Failure | None:
        """A page has come, or cannot be had: then the job cannot be done."""
        if isinstance(answer, Failed):
            return None if self._space.refused(one.number) else self._on_failure(answer.failure)
        assert isinstance(answer, Page), "only pages are asked for"
        self._pace.came(asked_s, is_full=bool(answer.next_token))
        self._space.answer(one.number, [entry.key for entry in answer.entries], answer.entries, answer.next_token)
        self._collect()
        if not self._ready:  # the page was one of those that come later
            self._ask_for_more()
        return None

    def _ask_for_more(self) -> None:
        self._collect()
        for one in self._space.asks(self._pace.at_once(AT_ONCE)):
            order = ListPage(0, self._site, self._prefix, one.token, "", one.last_key, start_after=one.start_after)
            self._ask(_PageAsker(self, one, self._pace.now_s()), order)

    def _collect(self) -> None:
        if not self._ready:
            self._ready.extend(self._space.take())


class _PageAsker:
    """Brings one page to its side."""

    __slots__ = ("_asked_s", "_one", "_side")

    def __init__(self, side: ListedSide, one: PageAsk, asked_s: float) -> None:
        self._side = side
        self._one = one
        self._asked_s = asked_s

    def answer(self, answer: Answer) -> Failure | None:
        """The page."""
        return self._side.answer(self._one, self._asked_s, answer)


def as_job_failure(failure: Failure, what: str) -> Failure:
    """A listing that failed: the job as a whole cannot be done."""
    message = f"{what} could not be listed whole: {failure.message}"
    return replace(
        failure, message=message, exit_code=int(InvalidConfig.exit_code), scope=int(InvalidConfig.default_scope)
    )
