"""``ls``: buckets, objects, versions and common prefixes, a page at a time, as text or JSON Lines.

Text is laid out as s5cmd does it, in UTC: time, storage class (``-s``), ETag (``-e``), size, name; ``DIR`` stands for
the size of a common prefix and ``DELETED`` for that of a delete marker. A name is what follows the prefix that was
asked for; a version has its id behind it. With ``--show-fullpath`` a line is nothing but the ``s3://`` URL.

A million lines are written by a loop that does next to nothing: what is the same for a page is done once for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from typing import Protocol

import msgspec

from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.events import event_lines
from orbit_fast.core.model import Bucket
from orbit_fast.core.model import Entry
from orbit_fast.core.reach import Reach
from orbit_fast.core.render.times import RFC3339
from orbit_fast.core.render.times import TEXT
from orbit_fast.core.render.times import clock_face
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.visible import printable

Entries = Sequence[Entry | ListedVersion]
"""Objects, or versions: of one kind."""

_TIME_WIDTH: Final = 19
_ETAG_WIDTH: Final = 38
_NAME_WIDTH: Final = 50
"""What a name takes before a version's id."""


class Renderer(Protocol):
    """Turns what was found into finished lines."""

    def page(self, entries: Entries, prefixes: Sequence[str]) -> bytes:
        """A page of one listing: common prefixes first."""

    def buckets(self, buckets: Sequence[Bucket]) -> bytes:
        """A page of the list of buckets."""


def new_renderer(settings: JobSettings, bucket: str, reach: Reach | None, *, operation: str = "ls") -> Renderer:
    """Who writes what is found in `bucket`, or the list of buckets.

    Args:
        settings: of the job.
        bucket: its name.
        reach: what was asked for; None for buckets.
        operation: what events call it.
    """
    if settings.output.quiet:
        return _Silent()
    if settings.output.json:
        return _Events(bucket, operation)
    return _Text(settings, bucket, reach)


class _Silent:
    """``--quiet``: only what goes wrong is told, and the exit status."""

    def page(self, entries: Entries, prefixes: Sequence[str]) -> bytes:  # noqa: ARG002  the protocol's arguments
        """Nothing."""
        return b""

    def buckets(self, buckets: Sequence[Bucket]) -> bytes:  # noqa: ARG002  as above
        """Nothing."""
        return b""


# --- text ------------------------------------------------------------------------------------------------------------


class _Text:
    """Lines for people."""

    def __init__(self, settings: JobSettings, bucket: str, reach: Reach | None) -> None:
        self._under = reach.under if reach is not None else 0
        self._reach = reach
        self._root = f"s3://{bucket}/"
        self._is_human = settings.output.human_readable
        self._has_class = settings.listing.storage_class
        self._has_etag = settings.listing.etag
        self._is_full = settings.listing.show_fullpath
        self._time = clock_face(TEXT)
        etag = _ETAG_WIDTH if self._has_etag else 1
        self._directory = f"{'':{_TIME_WIDTH}} {'':2} {'':{etag}} {'DIR':>12}  "

    def page(self, entries: Entries, prefixes: Sequence[str]) -> bytes:
        """Directories, then objects."""
        if self._is_full:
            return self._full(entries, prefixes)
        lines = [f"{self._directory}{printable(self._name(prefix))}\n" for prefix in prefixes]
        if entries and isinstance(entries[0], ListedVersion):
            lines += [self._version(one) for one in entries if isinstance(one, ListedVersion)]
        elif self._has_class or self._has_etag or self._is_human:
            lines += [self._line(one, self._name(one.key)) for one in entries]
        else:
            lines += self._plain(entries)
        return "".join(lines).encode()

    def buckets(self, buckets: Sequence[Bucket]) -> bytes:
        """Time and name."""
        if self._is_full:
            return "".join([f"s3://{printable(one.name)}\n" for one in buckets]).encode()
        return "".join([f"{self._when(one.created_ns)}  s3://{printable(one.name)}\n" for one in buckets]).encode()

    def _when(self, time_ns: int) -> str:
        return self._time(time_ns) if time_ns else " " * _TIME_WIDTH

    def _name(self, key: str) -> str:
        return self._reach.relative_name(key) if self._reach is not None else key

    def _plain(self, entries: Entries) -> list[str]:
        """The lines of objects with nothing special asked for: 0.5 us each."""
        time, under = self._time, self._under
        names = [one.key[under:] for one in entries]
        if "" in names:
            names = [self._name(one.key) for one in entries]
        if not "".join(names).isprintable():
            names = [printable(name) for name in names]
        return [f"{time(one.mtime_ns)}      {one.size:12}  {name}\n" for one, name in zip(entries, names, strict=True)]

    def _line(self, one: Entry | ListedVersion, name: str, size: str = "") -> str:
        """The line of anything."""
        shown = size or format_size(one.size, self._is_human)
        storage_class = printable(one.storage_class) if self._has_class else ""
        etag = f"{printable(one.etag):{_ETAG_WIDTH}}" if self._has_etag else " "
        return f"{self._time(one.mtime_ns)} {storage_class:>2} {etag} {shown:>12}  {printable(name)}\n"

    def _version(self, one: ListedVersion) -> str:
        name = f"{printable(self._name(one.key)):{_NAME_WIDTH}} {printable(one.version_id)}"
        return self._line(one, name, "DELETED" if one.is_delete_marker else "")

    def _full(self, entries: Entries, prefixes: Sequence[str]) -> bytes:
        root = self._root
        names = [*prefixes, *(one.key for one in entries)]
        return "".join([f"{root}{printable(name)}\n" for name in names]).encode()


# --- JSON Lines ------------------------------------------------------------------------------------------------------


class _Listed(msgspec.Struct, frozen=True, omit_defaults=True):
    operation: str
    success: bool
    key: str
    type: str
    size: int | None = None
    last_modified: str = ""
    etag: str = ""
    storage_class: str = ""
    version_id: str = ""
    is_latest: bool | None = None
    region: str = ""


class _Events:
    """Lines for programs. Keys come as UTF-8 and are told exactly."""

    def __init__(self, bucket: str, operation: str) -> None:
        self._root = f"s3://{bucket}/"
        self._operation = operation
        self._time = clock_face(RFC3339, end="Z")

    def page(self, entries: Entries, prefixes: Sequence[str]) -> bytes:
        """An event for each."""
        root, time = self._root, self._time
        events = [_Listed("ls", True, root + prefix, "directory") for prefix in prefixes]  # noqa: FBT003  by position is half the time
        if entries and isinstance(entries[0], ListedVersion):
            events += [self._version(one) for one in entries if isinstance(one, ListedVersion)]
        else:
            events += [
                _Listed("ls", True, root + one.key, "file", one.size, time(one.mtime_ns), one.etag, one.storage_class)  # noqa: FBT003  as above
                for one in entries
            ]
        return event_lines(events)

    def buckets(self, buckets: Sequence[Bucket]) -> bytes:
        """An event for each."""
        return event_lines(
            [
                _Listed(
                    operation="ls",
                    success=True,
                    key=f"s3://{one.name}",
                    type="bucket",
                    last_modified=self._time(one.created_ns) if one.created_ns else "",
                    region=one.region,
                )
                for one in buckets
            ]
        )

    def _version(self, one: ListedVersion) -> _Listed:
        is_marker = one.is_delete_marker
        return _Listed(
            operation=self._operation,
            success=True,
            key=self._root + one.key,
            type="delete-marker" if is_marker else "file",
            size=None if is_marker else one.size,
            last_modified=self._time(one.mtime_ns),
            etag=one.etag,
            storage_class=one.storage_class,
            version_id=one.version_id,
            is_latest=one.is_latest,
        )
