"""Where the filters of the last sync that deleted are kept: a small file for each pair of sides.

It is a hint in the state directory, for the owner only. One that cannot be read, or is not there, asks nothing; one
that cannot be written stops nothing. A sync that is done, and was allowed to delete, writes it; what nobody has written
for `EXPIRES_S` is not believed, and removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from typing import Final

import msgspec

from orbit_fast.core.filter_record import VERSION
from orbit_fast.core.filter_record import FilterRecord
from orbit_fast.core.filter_record import weakened
from orbit_fast.proc.journal import check_private
from orbit_fast.proc.journal import make_private

EXPIRES_S: Final = 100 * 24 * 3600
"""A sync that runs once a quarter is still known."""

_MAX_BYTES: Final = 1 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FilterMemory:
    """The record of one pair of sides."""

    def __init__(
        self, state_directory: str, sides: bytes, record: FilterRecord, *, now_s: float, log: Callable[[str], None]
    ) -> None:
        """Nothing is read or written yet.

        Args:
            state_directory: where orbit keeps its state, or ``''``.
            sides: what tells the source and the destination from others.
            record: the filters of this sync.
            now_s: Unix time.
            log: is told what stands in the way.
        """
        self._state_directory = state_directory
        self._directory = os.path.join(state_directory, "filters")
        self._path = os.path.join(self._directory, hashlib.sha256(sides).hexdigest()[:32])
        self._record = record
        self._now_s = now_s
        self._log = log

    def weakened(self) -> tuple[str, ...]:
        """The filters that protect less than in the last sync, as far as that is known."""
        if not self._state_directory:
            return ()
        try:
            before = self._read()
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._log(f"the filters of the last sync are not known: {self._path}: {error}")
            return ()
        return () if before is None else weakened(before, self._record)

    def keep(self) -> None:
        """This sync is done: the next one is compared with it."""
        if not self._state_directory:
            return
        temporary = f"{self._path}.{os.getpid()}"
        try:
            make_private(self._state_directory)
            make_private(self._directory)
            self._purge()
            fd = os.open(temporary, _WRITE, 0o600)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(msgspec.json.encode(self._record))
                os.replace(temporary, self._path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            self._log(f"the filters of this sync are not kept: {self._path}: {error.strerror}")

    def _read(self) -> FilterRecord | None:
        """The last record; None for one that has expired, or is of another version.

        Raises:
            OSError: it cannot be read, or others may write to it.
            DecodeError: it is no record.
        """
        with os.fdopen(os.open(self._path, _READ), "rb") as file:
            facts = os.fstat(file.fileno())
            check_private(facts, self._path)
            if self._now_s - facts.st_mtime > EXPIRES_S:
                return None
            record = msgspec.json.decode(file.read(_MAX_BYTES), type=FilterRecord)
        return record if record.version == VERSION else None

    def _purge(self) -> None:
        """Remove what has expired, and what a crash has left."""
        for name in os.listdir(self._directory):
            path = os.path.join(self._directory, name)
            with contextlib.suppress(OSError):
                if self._now_s - os.stat(path, follow_symlinks=False).st_mtime > EXPIRES_S:
                    os.unlink(path)
