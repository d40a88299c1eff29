"""Finders: one for each source argument. They find objects in slices, as fast as the ledger has room for them.

A finder never waits: a local one looks at a few hundred names and returns; one in S3 asks the ledger for a page and is
told when it has come. What it finds goes to the `Intake`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.core.advice import nothing_matches
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Stat
from orbit_fast.core.model import Entry
from orbit_fast.core.names import file_name
from orbit_fast.core.names import key_name
from orbit_fast.core.visible import Name
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.key_stream import KeyStream
from orbit_fast.proc.key_stream import Listings

SLICE = 256
"""Names that a local finder looks at before it lets the loop turn: about a millisecond."""

AskFor = Callable[["Finder", Ask], object]
"""Has a page or a stat fetched, or a task done, and the answer brought to the finder."""

NumberedAsk = Callable[["Finder", Ask], int]
"""As `AskFor`; returns the number that the answer will have, for whoever asks for many at once."""


class Finder(Protocol):
    """One source argument."""

    @property
    def is_done(self) -> bool:
        """Everything has been found."""

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer comes."""

    def pull(self) -> None:
        """Find some more. Called while there is room and it is neither done nor waiting.

        Raises:
            S3Error: the source cannot be read: the job cannot be done.
        """

    def answer(self, answer: Answer) -> Failure | None:
        """What was asked for; a failure that ends the job, if this is one."""


_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", SourceMissing.default_code})


class OneOfMany:
    """One source argument of several: where there is nothing, it fails alone and the others are looked at all the same.

    Attributes:
        finder: of this argument; it asks through `ask`, so that the answers come here.
    """

    def __init__(self, name: Name, intake: Intake, ask: NumberedAsk, finder: Finder | None = None) -> None:
        """`name` is the argument; `intake` is told that it is missing."""
        self._name = name
        self._intake = intake
        self._ask = ask
        self.finder = finder

    @property
    def is_done(self) -> bool:
        """Everything has been found."""
        return self.finder is not None and self.finder.is_done

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer comes."""
        return self.finder is not None and self.finder.is_waiting

    def ask(self, _: Finder, order: Ask) -> int:
        """Have something fetched for the finder; the number that the answer will have."""
        return self._ask(self, order)

    def pull(self) -> None:
        """Find some more."""
        assert self.finder is not None, "it is set when the job is planned"
        try:
            self.finder.pull()
        except SourceMissing as error:
            self._intake.fail((self._name, ""), error)

    def answer(self, answer: Answer) -> Failure | None:
        """What the finder asked for."""
        assert self.finder is not None, "only it asks"
        failure = self.finder.answer(answer)
        if failure is None or failure.code not in _MISSING:
            return failure
        self._intake.miss((self._name, ""), failure)
        return None


class FileFinder:
    """One local file."""

    is_waiting = False

    def __init__(self, path: bytes, intake: Intake) -> None:
        self._path = path
        self._intake = intake
        self.is_done = False

    def pull(self) -> None:
        """Look at the file."""
        self.is_done = True
        try:
            found = os.stat(self._path)
            # A link that the user names is meant as what it leads to.
            path = os.path.realpath(self._path) if os.path.islink(self._path) else self._path
        except FileNotFoundError:
            raise SourceMissing(f"no such file or directory: {os.fsdecode(self._path)}") from None
        except OSError as error:
            raise SourceMissing(f"cannot look at {os.fsdecode(self._path)}: {error.strerror}") from None
        try:
            name = file_name(self._path)
        except S3Error as error:
            self._intake.fail((self._path, ""), error)
            return
        self._intake.offer_file(path, name, found.st_size, found.st_mtime_ns)

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")


class TreeFinder:
    """Every file below a local directory."""

    is_waiting = False

    def __init__(self, root: bytes, intake: Intake, *, follow_symlinks: bool) -> None:
        self._root = root if root.endswith(b"/") else root + b"/"
        self._intake = intake
        self._follow_symlinks = follow_symlinks
        self._walk: Iterator[WalkEntry] | None = None
        self.is_done = False

    def pull(self) -> None:
        """Look at the next few names."""
        if self._walk is None:
            self._walk = walk(self._root, follow_symlinks=self._follow_symlinks)
        count = 0
        for entry in islice(self._walk, SLICE):
            count += 1
            self._offer(entry)
        self.is_done = count < SLICE

    def _offer(self, entry: WalkEntry) -> None:
        path = self._root + entry.path
        if entry.kind is Kind.TEMPORARY:
            return
        if entry.kind is Kind.FILE:
            try:
                name = key_name(entry.path)
            except S3Error as error:
                self._intake.fail((path, ""), error)
                return
            self._intake.offer_file(path, name, entry.size, entry.mtime_ns)
        elif entry.kind is Kind.UNREADABLE and entry.error is not None:
            self._intake.fail((path, ""), entry.error)
        else:
            self._intake.skip((path, ""), _SKIPPED[entry.kind])

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")


_SKIPPED = {
    Kind.SYMLINK: "symlink",
    Kind.LOOP: "symlink",
    Kind.SPECIAL: "special",
    Kind.VANISHED: "vanished",
    Kind.UNREADABLE: "special",
}


class Taker(Protocol):
    """Who takes the objects that are found."""

    def offer_object(self, url: S3Url, site: int, entry: Entry, name: str, restore: str | None = None) -> None:
        """An S3 object of the bucket of `url`, called `name` below its source."""


class ObjectFinder:
    """One S3 source argument: a key, everything under a prefix, or what a wildcard matches.

    Pages are fetched while the objects of those before them are still being moved, and taken when there is room.
    """

    def __init__(
        self,
        source: KeySource,
        site: int,
        intake: Taker,
        ask: NumberedAsk,
        listings: Listings,
        *,
        version_id: str = "",
    ) -> None:
        """`site` is the number of the source's bucket; `version_id` is of a single key."""
        self._source = source
        self._site = site
        self._intake = intake
        self._ask = ask
        self._version_id = version_id
        self._found = 0
        self._is_over = False
        self._key = source.single_key  # to be looked up before anything is listed
        self._lookup = 0
        self._keys: KeyStream | None = None
        if source.list_prefix is not None:
            self._keys = KeyStream(site, source.list_prefix, lambda order: ask(self, order), listings)

    @property
    def is_done(self) -> bool:
        """Everything has been found, or nothing more will be."""
        return self._is_over

    @property
    def is_waiting(self) -> bool:
        """Nothing can be done before an answer comes."""
        return bool(self._lookup) or (not self._key and self._keys is not None and not self._keys.is_ready)

    def pull(self) -> None:
        """Take the next page that has come, and ask for what comes next.

        Raises:
            SourceMissing: everything was listed, and there is nothing.
        """
        if self._key:
            self._lookup = self._ask(self, Stat(0, self._site, self._key, self._version_id))
            return
        assert self._keys is not None, "else it was done"
        for entry in self._keys.take():
            if self._source.holds(entry.key) and entry.key != self._source.single_key:
                self._found += 1
                name = self._source.relative_name(entry.key)
                self._intake.offer_object(self._source.url, self._site, entry, name)
        self._is_over = self._keys.is_ended
        if self._is_over and not self._found:
            raise nothing_matches(self._source.url)

    def answer(self, answer: Answer) -> Failure | None:
        """Take in an object, or a page for later."""
        failure: Failure | None
        if answer.number == self._lookup:
            failure = self._looked_up(answer)
        else:
            assert self._keys is not None, "nothing else is asked for"
            failure = self._keys.answer(answer)
        if failure is None:
            return None
        self._is_over = True
        return replace(failure, exit_code=InvalidConfig.exit_code, scope=InvalidConfig.default_scope)

    def _looked_up(self, answer: Answer) -> Failure | None:
        self._lookup, self._key = 0, ""
        self._is_over = self._keys is None
        if isinstance(answer, Found):
            self._found += 1
            name = self._source.relative_name(answer.entry.key)
            self._intake.offer_object(self._source.url, self._site, answer.entry, name, answer.restore)
            return None
        assert isinstance(answer, Failed), "nothing else is asked for"
        failure = answer.failure
        if self._keys is not None and (failure.code in {"NoSuchKey", "NoSuchVersion"} or failure.status == 403):
            # No object of the tree's own name: the usual case. Who may not know is told 403; the listing decides.
            return None
        return failure
