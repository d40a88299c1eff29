"""The two sides of a comparison, each as batches of names in S3's order with what is known of them.

Names are bytes below the side's root, written as Latin-1: then the order of code points, in which `core.merge` wants
them, is the order of bytes, in which S3 lists and `walk` walks. The root itself, where it is an object or a file, has
the empty name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Final
from typing import Protocol

import msgspec

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import SkipReason
from orbit_fast.core.events import new_renderer
from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.manifest import read_rows
from orbit_fast.core.messages import Failure
from orbit_fast.core.reach import Stretch
from orbit_fast.core.tasks import Root
from orbit_fast.core.verification import Known
from orbit_fast.core.verification import known_row
from orbit_fast.core.verification import row_name
from orbit_fast.core.verification import sum_row
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.external_sort import ExternalSort
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import Haul
from orbit_fast.io.pages import Pages
from orbit_fast.io.pages import read_pages
from orbit_fast.io.sources import fingerprint_of
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk

BATCH: Final = 500

Batch = tuple[list[str], list[Known]]

_SKIPPED: Final = {Kind.SYMLINK: SkipReason.SYMLINK, Kind.LOOP: SkipReason.SYMLINK, Kind.SPECIAL: SkipReason.SPECIAL}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Known).decode


class CompareSide(Protocol):
    """One side."""

    def next(self) -> Flow[Batch | None]:
        """The next names; None behind the last.

        Raises:
            S3Error: the side could not be seen whole.
        """

    def close(self) -> None:
        """No more are wanted."""


def side_of(given: TaskSurroundings, root: Root, other: Root) -> CompareSide:
    """The side below `root`, to be compared with what is below `other`."""
    if root.manifest:
        return ListedSide(root.manifest, _shown(given, other))
    if root.site >= 0:
        return ObjectSide(given, root, has_markers=other.site >= 0)
    return FileSide(given, root)


def key_of(root: Root, known: Known) -> str:
    """The key of an object of a side in S3."""
    return known.name.split(b"/", 3)[3].decode("utf-8", "surrogateescape") if root.site >= 0 else ""


def _shown(given: TaskSurroundings, root: Root) -> bytes:
    """What the names of a side begin with."""
    if root.site >= 0:
        return f"s3://{given.around.sites[root.site].bucket}/{root.key}".encode("utf-8", "surrogateescape")
    return root.path


class ObjectSide:
    """Objects in S3."""

    def __init__(self, given: TaskSurroundings, root: Root, *, has_markers: bool) -> None:
        """`has_markers`: empty objects that stand for directories take part."""
        self._given = given
        self._site = root.site
        self._url = f"s3://{given.around.sites[root.site].bucket}/"
        self._has_markers = has_markers
        key = root.key
        stretches = [Stretch(key, is_exact=True)] if root.is_one or (key and not key.endswith("/")) else []
        if not root.is_one:
            stretches.append(Stretch(f"{key}/" if stretches else key))
        self._todo = stretches
        self._pages: Pages[Haul] | None = None

    def next(self) -> Flow[Batch | None]:
        """The next page."""
        while self._todo:
            stretch = self._todo[0]
            if self._pages is None:
                self._pages = read_pages(self._given, self._site, stretch, all_versions=False)
            haul = yield from self._pages.next()
            if haul is not None:
                return self._batch(stretch, haul)
            self.close()
            self._pages = None
            self._todo.pop(0)
        return None

    def close(self) -> None:
        """Give up the page that is on its way."""
        if self._pages is not None:
            self._pages.close()

    def _batch(self, stretch: Stretch, haul: Haul) -> Batch:
        names: list[str] = []
        records: list[Known] = []
        under = len(stretch.prefix)
        for entry in haul[0]:
            name = entry.key[under:]
            if stretch.is_exact:
                if name:
                    continue
            elif not name or (not self._has_markers and not entry.size and name.endswith("/")):
                continue
            url = self._url + entry.key
            names.append(name if name.isascii() else _latin(name.encode("utf-8", "surrogateescape")))
            records.append(
                Known(url.encode("utf-8", "surrogateescape"), entry.size, entry.mtime_ns, entry.etag),
            )
        return names, records


class FileSide:
    """Local files. What is no file is told of and left out."""

    def __init__(self, given: TaskSurroundings, root: Root) -> None:
        self._given = given
        self._root = root.path
        follow = given.settings.selection.follow_symlinks
        entries = [_one(root.path, follow_symlinks=follow)] if root.is_one else walk(root.path, follow_symlinks=follow)
        self._entries: Iterator[WalkEntry] = iter(entries)

    def next(self) -> Flow[Batch | None]:
        """The next few."""
        yield PAUSE
        names: list[str] = []
        records: list[Known] = []
        is_over = True
        for entry in islice(self._entries, BATCH):
            is_over = False
            kind, path = entry.kind, entry.path
            name = self._root + path
            if kind is Kind.UNREADABLE and path.endswith(b"/"):
                raise entry.error or InvalidConfig(f"cannot be read: {os.fsdecode(name)}")
            if kind in _SKIPPED:
                self._skip(name, _SKIPPED[kind])
            elif kind is not Kind.TEMPORARY:
                names.append(_latin(path))
                # Of what cannot be seen nothing is known: it says what is wrong when it is opened.
                is_file = kind is Kind.FILE
                records.append(Known(name, entry.size if is_file else -1, entry.mtime_ns))
        return None if is_over else (names, records)

    def close(self) -> None:
        """There is nothing to give back."""

    def _skip(self, name: bytes, reason: SkipReason) -> None:
        given = self._given
        lines = new_renderer(given.settings, operation="verify").skipped((name, b""), reason)
        given.say(lines.out, lines.err)
        given.tallied.skipped += 1


def _one(path: bytes, *, follow_symlinks: bool) -> WalkEntry:
    try:
        facts = fingerprint_of(path, follow_symlinks=follow_symlinks)
    except S3Error:
        return WalkEntry(b"", Kind.VANISHED)
    return WalkEntry(b"", Kind.FILE, facts[2], facts[3])


class ListedSide:
    """The lines of a manifest, sorted; of several lines of one name the last one counts."""

    def __init__(self, path: bytes, other_root: bytes) -> None:
        self._path = path
        self._other_root = other_root
        self._sort: ExternalSort | None = None
        self._pairs: Iterator[tuple[bytes, bytes]] = iter(())
        self._held: tuple[bytes, bytes] | None = None

    def next(self) -> Flow[Batch | None]:
        """The next few.

        Raises:
            InvalidConfig: a line cannot be read.
        """
        if self._sort is None:
            self._sort = ExternalSort()
            yield from self._read(self._sort)
            self._pairs = self._sort.pairs()
            self._held = next(self._pairs, None)
        yield PAUSE
        names: list[str] = []
        records: list[Known] = []
        while self._held is not None and len(names) < BATCH:
            name, record = self._held
            self._held = next(self._pairs, None)
            if self._held is None or self._held[0] != name:
                names.append(_latin(name))
                records.append(_decode(record))
        return (names, records) if names else None

    def close(self) -> None:
        """Give the temporary files up."""
        if self._sort is not None:
            self._sort.close()

    def _read(self, sort: ExternalSort) -> Flow[None]:
        title = os.fsdecode(self._path)
        try:
            with open(self._path, "rb") as file:
                for number, row in enumerate(_rows((line.rstrip(b"\n") for line in file), title)):
                    name = row_name(row, self._other_root)
                    if not name:
                        raise InvalidConfig(f"{title}:{row.line}: names no object")
                    sort.add(name, _encode(known_row(row)))
                    if number % BATCH == 0:
                        yield PAUSE
        except OSError as error:
            raise local_error(error, self._path, Side.SOURCE) from None


def _rows(lines: Iterable[bytes], title: str) -> Iterator[ManifestRow]:
    """Of a list of checksums, or of what `read_rows` reads."""
    lines = iter(lines)
    first = next((line for line in lines if line), b"")
    if sum_row(first) is None:
        yield from read_rows(_with(first, lines), title)
        return
    for number, line in enumerate(_with(first, lines), 1):
        row = sum_row(line)
        if row is not None:
            yield msgspec.structs.replace(row, line=number)
        elif line:
            raise InvalidConfig(f"{title}:{number}: not a line of a list of checksums")


def _with(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _latin(name: bytes) -> str:
    return name.decode("latin-1")


def tell_failure(given: TaskSurroundings, pair: tuple[bytes, bytes], failure: Failure) -> None:
    """One name could not be compared."""
    lines = new_renderer(given.settings, operation="verify").failed(pair, failure, failure.attempts, line=given.line)
    given.say(lines.out, lines.err)
    given.failed(failure)
