"""The two sides of a sync, each as a stream of names in S3's order: a local walk, or a listing in S3.

A side gives names in batches (`take`), when it is asked to and not before, so nobody holds a tree or a listing. It says
that it has ended only after it has given everything that there is; a listing that fails ends the job instead.
"""

from __future__ import annotations

import os
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
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failure
from orbit_fast.core.names import key_name
from orbit_fast.core.sync import TEMPORARY
from orbit_fast.core.sync import Seen
from orbit_fast.core.sync import Unknown
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk
from orbit_fast.proc.key_stream import KeyStream
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.questions import Asker

SLICE: Final = 512
"""Names that a local side gives at once: about two milliseconds."""

Batch = tuple[list[str], Sequence[Seen]]

_REASONS: Final = {
    Kind.SYMLINK: "symlink",
    Kind.LOOP: "symlink",
    Kind.SPECIAL: "special",
    Kind.TEMPORARY: TEMPORARY,
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
            elif kind is not Kind.TEMPORARY or self._is_source:
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
        ask: has pages fetched; returns the number that the answer will have.
        listings: of the job.
        on_failure: is told why the listing cannot be had; returns that failure as the job's.
    """

    def __init__(
        self,
        site: int,
        base: str,
        begins: str,
        ask: Callable[[Asker, Ask], int],
        listings: Listings,
        *,
        on_failure: Callable[[Failure], Failure],
    ) -> None:
        self._under = len(base)
        self._on_failure = on_failure
        self._keys = KeyStream(site, base + begins, lambda order: ask(self, order), listings)
        self.found = 0

    @property
    def is_ready(self) -> bool:
        """Whether a page can be taken now."""
        return self._keys.is_ready

    @property
    def is_ended(self) -> bool:
        """Every page was taken."""
        return self._keys.is_ended

    def take(self) -> Batch:
        """The next page, if it is there."""
        entries = self._keys.take()
        under = self._under
        if entries and len(entries[0].key) == under:
            entries = entries[1:]  # the marker of the prefix itself: it has no name below
        self.found += len(entries)
        return [entry.key[under:] for entry in entries], entries

    def answer(self, answer: Answer) -> Failure | None:
        """A page has come, or cannot be had: then the job cannot be done."""
        failure = self._keys.answer(answer)
        return None if failure is None else self._on_failure(failure)


def as_job_failure(failure: Failure, what: str) -> Failure:
    """A listing that failed: the job as a whole cannot be done."""
    message = f"{what} could not be listed whole: {failure.message}"
    return replace(
        failure, message=message, exit_code=int(InvalidConfig.exit_code), scope=int(InvalidConfig.default_scope)
    )
