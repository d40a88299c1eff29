"""The journal's file: where it is, who may write it, and when its lines are on stable storage.

One file for each command in the XDG state directory, readable by the owner only. The run that writes it holds a lock on
it (``flock``) which the system takes away when that run is dead, however it died: whoever gets the lock knows that
nobody alive uses what the journal speaks of. A run that does not get it, because another one does the same at the same
time, neither goes on with anything nor writes.

The file is made when there is something to say, and removed when nothing is left to go on with. A journal that nobody
has written for `EXPIRES_S` is removed unread. What stands in the way of a journal (a read-only home, a full disk) never
stops a job: without one, what is interrupted is cleaned up instead of kept. Where it comes under way, the lock is held
to the end all the same: what the file speaks of is this run's, and the next one makes the best of what it holds.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Final

from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.journal import MAX_LINE
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import Record
from orbit_fast.core.journal import State
from orbit_fast.core.journal import encode_line
from orbit_fast.core.journal import replay
from orbit_fast.io.clock import Clock
from orbit_fast.proc.filelock import lock

EXPIRES_S: Final = 7 * 24 * 3600
"""S3's own advice for unfinished uploads is a week."""

SYNC_EVERY_S: Final = 1.0
"""How long the landing of a part may be known to this process and the page cache only."""

_SUFFIX: Final = ".journal"
_OPEN: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES: Final = 3


class Phase(enum.Enum):
    """Where a journal stands."""

    ABSENT = "absent"
    """There is no file; one is made when there is something to say."""
    OPEN = "open"
    OFF = "off"
    """Not wanted, not possible, or another run's."""


def state_directory(variables: Mapping[str, str]) -> str:
    """Where journals are, or ``''`` where there is no home; relative directories do not count (XDG says so)."""
    base, home = variables.get("XDG_STATE_HOME", ""), variables.get("HOME", "")
    if base.startswith("/"):
        return os.path.join(base, "orbit")
    return os.path.join(home, ".local", "state", "orbit") if home.startswith("/") and os.path.isdir(home) else ""


class Journal:
    """One command's journal.

    Attributes:
        state: what earlier runs left, and what this one has recorded since.
        phase: where it stands.
        is_lost: it was this run's, and could not be kept any more.
    """

    def __init__(self, directory: str, name: str, *, clock: Clock, warn: Callable[[str], None]) -> None:
        """Nothing is read or made before `open`.

        Args:
            directory: where journals are, or ``''`` for none.
            name: of this command's.
            clock: tells their age.
            warn: is told, in one line, why there is none.
        """
        self._directory = directory
        self._path = os.path.join(directory, name + _SUFFIX) if directory else ""
        self._clock = clock
        self._warn = warn
        self._fd = -1
        self._header: Header | None = None
        self._is_announced = False
        self._lines: list[bytes] = []
        self._is_urgent = False
        self._synced_s = clock.monotonic_s()
        self._is_unsynced = False
        self.state = State()
        self.phase = Phase.OFF
        self.is_lost = False

    def __repr__(self) -> str:
        return f"<Journal {self._path or 'nowhere'} {self.phase.value} transfers={len(self.state.transfers)}>"

    @property
    def is_on(self) -> bool:
        """Whether what is recorded will be read by the next run."""
        return self.phase is not Phase.OFF

    def open(self) -> None:
        """Read what earlier runs left, if nobody else does the same now. From now on there is something to record."""
        if not self._path:
            return  # nobody's home: an interrupted job begins anew
        self.phase = Phase.ABSENT
        with self._troubles():
            for _ in range(_TRIES):
                try:
                    fd = os.open(self._path, _OPEN)
                except FileNotFoundError:
                    return
                if self._take(fd):
                    return
            self._give_up("another run of the same command has it")

    def begin(self, header: Header) -> None:
        """Who writes from now on: recorded with the first thing that is."""
        self._header = header

    def announce(self) -> None:
        """Make sure that this run is known before it leaves anything behind."""
        if self.phase is Phase.OFF or self._is_announced or self._header is None:
            return
        self._is_announced = True
        self.record(self._header, is_urgent=True)

    def record(self, record: Record, *, is_urgent: bool = False) -> None:
        """Note something; an urgent record is on stable storage when `write` returns."""
        if self.phase is Phase.OFF:
            return
        self.announce()
        self.state.add(record)
        try:
            self._lines.append(encode_line(record))
        except ValueError as error:
            self._give_up(f"it cannot hold what it should: {error}")
        self._is_urgent = self._is_urgent or is_urgent

    def write(self) -> None:
        """Write what was recorded; to stable storage where it is urgent, or has waited for `SYNC_EVERY_S`."""
        if not self._lines and not self._is_unsynced:
            return
        with self._troubles():
            if self.phase is Phase.ABSENT:
                self._create()
            if self.phase is Phase.OPEN:
                self._append()

    def close(self, *, is_clean: bool) -> None:
        """Give it up; it is removed where nothing is left to go on with, and nothing (`is_clean`) to look for."""
        self.write()
        if self.phase is Phase.OPEN:
            with self._troubles():
                if is_clean and not self.state.transfers:
                    os.unlink(self._path)
                else:
                    os.fsync(self._fd)
        self._drop()

    # --- the file ----------------------------------------------------------------------------------------------------

    def _take(self, fd: int) -> bool:
        """Lock and read the file; False where it is no longer the one that has its name."""
        self._fd = fd
        check_private(os.fstat(fd), self._path)
        if not lock(fd):
            self._give_up("another run of the same command has it")
            return True
        if not is_named(fd, self._path):
            self._drop()
            return False
        if self._clock.now_s() - os.fstat(fd).st_mtime > EXPIRES_S:
            os.unlink(self._path)
            self._drop()
            return False
        self.phase = Phase.OPEN
        try:
            self.state = replay(self._read())
        except ResumeStateError as error:
            self._give_up(error.message)
            return True
        if not self.state.transfers and not self.state.runs:
            os.ftruncate(fd, 0)  # nothing in it can be read
        return True

    def _read(self) -> Iterator[bytes]:
        """The lines, to the end; what has no line feed at the end of the file is given one, or goes."""
        last = b"\n"
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            while line := file.readline(MAX_LINE):
                last = line
                yield line
        if not last.endswith(b"\n"):
            try:
                os.write(self._fd, b"\n")
            except OSError:  # a full disk, which may be why the line was cut short
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - len(last))

    def _create(self) -> None:
        make_private(self._directory)
        check_private(os.stat(self._directory), self._directory)
        self._purge()
        try:
            self._fd = os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._give_up("another run of the same command has it")
            return
        if not lock(self._fd) or not is_named(self._fd, self._path):
            self._give_up("another run of the same command has it")
            return
        self.phase = Phase.OPEN
        _sync_directory(self._directory)

    def _append(self) -> None:
        data = memoryview(b"".join(self._lines))
        self._lines.clear()
        self._is_unsynced = self._is_unsynced or bool(data)
        while data:
            data = data[os.write(self._fd, data) :]
        now_s = self._clock.monotonic_s()
        if self._is_unsynced and (self._is_urgent or now_s - self._synced_s >= SYNC_EVERY_S):
            os.fsync(self._fd)
            self._synced_s = now_s
            self._is_urgent = self._is_unsynced = False

    def _purge(self) -> None:
        """Remove the journals of other commands that have expired."""
        expired_s = self._clock.now_s() - EXPIRES_S
        for name in os.listdir(self._directory):
            if not name.endswith(_SUFFIX):
                continue
            path = os.path.join(self._directory, name)
            with contextlib.suppress(OSError):
                if os.stat(path, follow_symlinks=False).st_mtime > expired_s:
                    continue
                fd = os.open(path, _OPEN)
                try:
                    if lock(fd):
                        os.unlink(path)
                finally:
                    os.close(fd)

    # --- what stands in the way --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _troubles(self) -> Iterator[None]:
        """A system that refuses takes the journal away, nothing else."""
        try:
            yield
        except OSError as error:
            self._give_up(os.strerror(error.errno) if error.errno else str(error))

    def _give_up(self, reason: str) -> None:
        self.is_lost = self.phase is Phase.OPEN and self._is_announced
        self.phase = Phase.OFF
        self._lines.clear()
        self._is_unsynced = False
        self.state = State()
        if not self.is_lost:
            self._drop()
        self._warn(f"no journal is kept in {self._directory}, an interrupted job begins anew: {reason}")

    def _drop(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def make_private(path: str) -> None:
    """Make a directory and those above it, for the owner only; their names are on stable storage.

    Raises:
        OSError: the system refuses.
    """
    if not os.path.isdir(path):
        above = os.path.dirname(path)
        make_private(above)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        _sync_directory(above)


def _sync_directory(path: str) -> None:
    """Have the names in a directory on stable storage."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_named(fd: int, path: str) -> bool:
    """Whether the open file still is the one of this name."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), named)


def check_private(facts: os.stat_result, path: str) -> None:
    """What others may write says nothing.

    Raises:
        PermissionError: they may.
    """
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
        raise PermissionError(errno.EPERM, "others may write to it", path)
