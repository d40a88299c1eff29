"""What only the destination of a sync has, noted on disk until every copy has ended; and the look at folded names.

Where a local destination folds names (`io.spelling`), a file can be an extra by its name, and to the file system what
an object of the source is called: ``photo.jpg`` there, ``Photo.JPG`` at the source, which nobody copied because it is
archived, or left out. Then nothing is deleted. To find such pairs, names that the source has and the destination has
not are noted too, all of them sorted on disk by what they fold to; the file system has the last word on each pair.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Final

from orbit_fast.core.names import folded
from orbit_fast.io.external_sort import ExternalSort
from orbit_fast.io.external_sort import Pair
from orbit_fast.io.external_sort import Spool
from orbit_fast.io.spelling import seems_to_fold

SLICE: Final = 2000
"""Names that are compared before others have their turn: some milliseconds."""

_AT_SOURCE: Final = b"s"
_EXTRA: Final = b"x"


class Extras:
    """Names and what belongs to each, in the order in which they were added.

    Args:
        root: the local destination, with a ``/`` at its end; ``b''`` where it is in S3.
    """

    def __init__(self, root: bytes = b"") -> None:
        self._root = root
        self._spool = Spool()
        self._folds = bool(root) and seems_to_fold(root)
        self._sorted = ExternalSort()
        self._rest: Iterator[Pair] | None = None
        self._like = b""
        self._group: tuple[list[bytes], list[bytes]] = ([], [])
        self.is_looked_through = not root
        """No extra is one to the file system with a name of the source, or one was found."""

    def __len__(self) -> int:
        return len(self._spool)

    def add(self, name: str, record: bytes) -> None:
        """Only the destination has it.

        Raises:
            LocalError: the disk does not take it.
        """
        self._spool.add(name.encode(), record)
        self._note(name, _EXTRA)

    def missed(self, names: Iterable[str]) -> None:
        """Only the source has them.

        Raises:
            LocalError: the disk does not take them.
        """
        if self._root:
            for name in names:
                self._note(name, _AT_SOURCE)

    def pairs(self) -> Iterator[Pair]:
        """All extras.

        Raises:
            LocalError: the disk does not give them back.
        """
        return self._spool.pairs()

    def look(self) -> tuple[str, str] | None:
        """Look through some more names: an extra, and the name at the source that it goes by too; None for no such.

        Raises:
            LocalError: the disk does not give them back.
        """
        if self._rest is None:
            self._rest = self._sorted.pairs() if self._spool.count else iter(())
        taken = 0
        for like, record in islice(self._rest, SLICE):
            taken += 1
            if like != self._like:
                self._like, self._group = like, ([], [])
            extras, others = self._group
            (extras if record[:1] == _EXTRA else others).append(record[1:])
            new = [(record[1:], other) for other in others] if record[:1] == _EXTRA else []
            new += [(extra, record[1:]) for extra in extras] if record[:1] == _AT_SOURCE else []
            for extra, other in new:
                if self._is_one(extra, other):
                    self.is_looked_through = True
                    return extra.decode(), other.decode()
        self.is_looked_through = taken < SLICE
        return None

    def close(self) -> None:
        """Give up what is noted."""
        self._spool.close()
        self._sorted.close()

    def _note(self, name: str, kind: bytes) -> None:
        # A name that is all ASCII has one form only, and its case counts where case is not folded.
        if self._folds or (self._root and not name.isascii()):
            self._sorted.add(folded(name).encode(), kind + name.encode())

    def _is_one(self, extra: bytes, other: bytes) -> bool:
        try:
            return os.path.samestat(os.lstat(self._root + extra), os.lstat(self._root + other))
        except OSError:
            return False  # the one or the other is no name here
