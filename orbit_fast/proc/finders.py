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

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import KeySource
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import Stat
from orbit_fast.core.names import file_name
from orbit_fast.core.names import key_name
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk
from orbit_fast.proc.intake import Intake

SLICE = 256
"""Names that a local finder looks at before it lets the loop turn: about a millisecond."""

Ask = Callable[["Finder", ListPage | Stat], None]
"""Has a page or a stat fetched and the answer brought to the finder."""


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

    def answer(self, answer: Page | Found | Failed) -> Failure | None:
        """What was asked for; a failure that ends the job, if this is one."""


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

    def answer(self, answer: Page | Found | Failed) -> None:
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

    def answer(self, answer: Page | Found | Failed) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")


_SKIPPED = {
    Kind.SYMLINK: "symlink",
    Kind.LOOP: "symlink",
    Kind.SPECIAL: "special",
    Kind.VANISHED: "vanished",
    Kind.UNREADABLE: "special",
}


class ObjectFinder:
    """One S3 source argument: a key, everything under a prefix, or what a wildcard matches.

    Pages are fetched one after another, the next one while the last one's objects are still being moved.
    """

    def __init__(self, source: KeySource, site: int, intake: Intake, ask: Ask, *, version_id: str = "") -> None:
        self._source = source
        self._site = site
        self._intake = intake
        self._ask = ask
        self._version_id = version_id
        self._found = 0
        self._token = ""
        self._last_key = ""
        self._todo = ["list"] if source.list_prefix is not None else []
        if source.single_key:
            self._todo.append("stat")
        self.is_waiting = False

    @property
    def is_done(self) -> bool:
        """Everything has been found."""
        return not self._todo and not self.is_waiting

    def pull(self) -> None:
        """Ask for what comes next."""
        self.is_waiting = True
        if self._todo[-1] == "stat":
            self._ask(self, Stat(0, self._site, self._source.single_key, self._version_id))
        else:
            prefix = self._source.list_prefix or ""
            self._ask(self, ListPage(0, self._site, prefix, self._token, "", self._last_key))

    def answer(self, answer: Page | Found | Failed) -> Failure | None:
        """Take in a page or an object."""
        self.is_waiting = False
        if isinstance(answer, Failed):
            return self._failed(answer.failure)
        if isinstance(answer, Found):
            self._todo.pop()
            self._found += 1
            name = self._source.relative_name(answer.entry.key)
            self._intake.offer_object(self._source.url, self._site, answer.entry, name, answer.restore)
            return None
        self._take(answer)
        if self._todo or self._found:
            return None
        return self._nothing()

    def _take(self, page: Page) -> None:
        for entry in page.entries:
            if self._source.holds(entry.key) and entry.key != self._source.single_key:
                self._found += 1
                name = self._source.relative_name(entry.key)
                self._intake.offer_object(self._source.url, self._site, entry, name)
        if page.entries:
            self._last_key = page.entries[-1].key
        self._token = page.next_token
        if not page.next_token:
            self._todo.pop()

    def _failed(self, failure: Failure) -> Failure | None:
        if self._todo == ["list", "stat"] and (failure.code in {"NoSuchKey", "NoSuchVersion"} or failure.status == 403):
            # No object of the tree's own name: the usual case. Who may not know is told 403; the listing decides.
            self._todo.pop()
            return None
        self._todo.clear()
        return replace(failure, exit_code=InvalidConfig.exit_code, scope=InvalidConfig.default_scope)

    def _nothing(self) -> Failure:
        return Failure.of(SourceMissing(f"nothing matches {self._source.url}"))
