"""What an argument of ``ls``, ``du`` or ``rm`` stands for, page by page: listed, told apart, filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orbit_fast.core.advice import nothing_matches
from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.filters import Selection
from orbit_fast.core.model import Entry
from orbit_fast.core.reach import Reach
from orbit_fast.core.reach import Stretch
from orbit_fast.core.reach import is_filtered
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import Haul
from orbit_fast.io.pages import Pages
from orbit_fast.io.pages import read_pages
from orbit_fast.io.task import TaskSurroundings

Entries = Sequence[Entry | ListedVersion]


@dataclass(frozen=True, slots=True)
class Seen:
    """What of one page belongs to the argument and passes the filters."""

    entries: Entries
    prefixes: Sequence[str] = ()


class Survey:
    """Everything that one argument stands for.

    Args:
        given: what the task is given.
        site: which bucket.
        reach: what the argument means.
        all_versions: versions and delete markers instead of objects.
        in_order: in the order of keys; else as pages come.
    """

    def __init__(
        self, given: TaskSurroundings, site: int, reach: Reach, *, all_versions: bool, in_order: bool = True
    ) -> None:
        self._given = given
        self._in_order = in_order
        self._site = site
        self._reach = reach
        self._all_versions = all_versions
        self._todo = list(reach.stretches)
        self._pages: Pages[Haul] | None = None
        selection = given.settings.selection
        self._filter = Selection(selection) if is_filtered(selection) else None
        self._is_any = False

    def next(self) -> Flow[Seen | None]:
        """The next page, which may have nothing left in it; None behind the last.

        Raises:
            SourceMissing: that was the last, and there is nothing that the argument stands for, filters or not.
            S3Error: the listing could not be had whole.
        """
        while self._todo:
            stretch = self._todo[0]
            if self._pages is None:
                self._pages = read_pages(
                    self._given, self._site, stretch, all_versions=self._all_versions, in_order=self._in_order
                )
            haul = yield from self._pages.next()
            if haul is None:
                self._end_stretch()
                continue
            return self._seen(stretch, haul)
        if not self._is_any and not self._reach.is_bucket:
            raise nothing_matches(self._reach.url)
        return None

    def close(self) -> None:
        """No more is wanted. To be called in a ``finally``."""
        if self._pages is not None:
            self._pages.close()

    def _end_stretch(self) -> None:
        self.close()
        self._pages = None
        self._todo.pop(0)

    def _seen(self, stretch: Stretch, haul: Haul) -> Seen:
        entries: Entries
        entries, prefixes = haul
        if stretch.is_exact:
            entries = [one for one in entries if one.key == stretch.prefix]
        elif self._reach.wildcard is not None:
            matches = self._reach.wildcard.matches
            entries = [one for one in entries if matches(one.key)]
        self._is_any = self._is_any or bool(entries) or bool(prefixes)
        if self._filter is not None:
            name, accepts, accepts_name = self._reach.relative_name, self._filter.accepts, self._filter.accepts_name
            entries = [one for one in entries if accepts(name(one.key), one.size, one.mtime_ns)]
            prefixes = tuple(prefix for prefix in prefixes if accepts_name(name(prefix)))
        return Seen(entries, prefixes)
