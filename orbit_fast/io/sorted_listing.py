"""Unsorted listings, sorted: for directory buckets, wherever the order of keys matters.

Nothing is given before the last page has come, since the first key may be on it. So a listing that breaks off gives
nothing at all; one that names a key twice ends with an error where the key's turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Final
from typing import Protocol

import msgspec

from orbit_fast.core.decode_fields import BAD_LISTING
from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.limits import MAX_PAGE_KEYS
from orbit_fast.core.model import Entry
from orbit_fast.io.external_sort import ExternalSort
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Flow

SORT_BYTES: Final = 24 << 20
"""What one listing holds in memory: about 80,000 keys of 50 bytes. The rest is on disk."""

Page = tuple[tuple[Entry, ...], tuple[str, ...]]
"""Objects and common prefixes."""

_PREFIX: Final = b""
"""The record of a common prefix; an object has facts."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, str, str]).decode


class SortedListing:
    """What a listing names, in whatever order, given in the order of keys. To be closed."""

    def __init__(self, memory_bytes: int = SORT_BYTES) -> None:
        self._sort = ExternalSort(memory_bytes=memory_bytes)

    def add(self, entries: Iterable[Entry], prefixes: Iterable[str] = ()) -> None:
        """One more page.

        Raises:
            LocalError: the disk does not take it.
        """
        add = self._sort.add
        for entry in entries:
            # The order of code points is the order in which keys are compared.
            record = _encode((entry.size, entry.mtime_ns, entry.etag, entry.storage_class))
            add(entry.key.encode("utf-8", "surrogatepass"), record)
        for prefix in prefixes:
            add(prefix.encode("utf-8", "surrogatepass"), _PREFIX)

    def pages(self) -> Iterator[Page]:
        """Everything, in pages. A common prefix that several pages named is given once.

        Raises:
            IncompleteListing: ``E_BAD_LISTING``: a key was named twice.
            LocalError: the disk does not give it back.
        """
        entries: list[Entry] = []
        prefixes: list[str] = []
        last = b""
        last_prefix = b""
        for name, record in self._sort.pairs():
            if record == _PREFIX:
                if name != last_prefix:
                    prefixes.append(name.decode("utf-8", "surrogatepass"))
                last_prefix = name
                continue
            key = name.decode("utf-8", "surrogatepass")
            if name == last:
                message = f"the service sent a listing that cannot be right: it names {key!r} twice"
                raise IncompleteListing(message, code=BAD_LISTING)
            last = name
            size, mtime_ns, etag, storage_class = _decode(record)
            entries.append(Entry(key, size, mtime_ns, etag, storage_class))
            if len(entries) + len(prefixes) >= MAX_PAGE_KEYS:
                yield tuple(entries), tuple(prefixes)
                entries, prefixes = [], []
        if entries or prefixes:
            yield tuple(entries), tuple(prefixes)

    def close(self) -> None:
        """Give memory and temporary files up."""
        self._sort.close()


class Unsorted(Protocol):
    """Pages in no order."""

    def next(self) -> Flow[tuple[Any, Any] | None]:
        """The next one; None behind the last."""

    def close(self) -> None:
        """No more are wanted."""


class SortedPages:
    """The pages of an unsorted listing, sorted, as `pages.Pages`."""

    def __init__(self, pages: Unsorted) -> None:
        self._unsorted = pages
        self._sorted = SortedListing()
        self._pages: Iterator[Page] | None = None

    def next(self) -> Flow[Page | None]:
        """The next page. Before the first one, all there are have been fetched.

        Raises:
            S3Error: one could not be had, or is not to be believed.
        """
        if self._pages is None:
            while True:
                page = yield from self._unsorted.next()
                if page is None:
                    break
                self._sorted.add(*page)
            self._pages = self._sorted.pages()
        yield PAUSE
        return next(self._pages, None)

    def close(self) -> None:
        """Give up the page that is on its way, and what was sorted."""
        self._unsorted.close()
        self._sorted.close()
