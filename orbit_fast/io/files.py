"""The door to local files: sources to read (`orbit_fast.io.sources`), and files that appear only when they are whole.

A *landing file* is written under a temporary name in its own directory, readable by the owner only, from one process
or from several, at any positions. `publish` gives it its mode and modification time, closes it (a network file system
reports a full disk there) and renames it over the final name in one step: that name holds the old bytes or the new
ones, never some of each. Whatever stood there, a link included, is replaced, not written through. A landing file that
is not published is discarded. For a small file that is open, write, chmod, utime, close, rename: six system calls.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import re
import sys
from pathlib import Path
from typing import Final

from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import Vanished
from orbit_fast.io.directories import Directories
from orbit_fast.io.directories import Directory
from orbit_fast.io.directories import check_name
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.libc import NOT_SUPPORTED
from orbit_fast.io.libc import reserve
from orbit_fast.io.sources import Fingerprint
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import fill
from orbit_fast.io.sources import fingerprint
from orbit_fast.io.sources import open_source
from orbit_fast.io.sources import regular
from orbit_fast.io.spelling import rename_new

__all__ = [
    "Fingerprint",
    "LandingFile",
    "Landings",
    "SourceFile",
    "State",
    "fingerprint",
    "is_temp_name",
    "open_source",
    "read_umask",
    "temp_run",
]

_RESERVE_ABOVE: Final = 1 << 20  # bytes; a smaller file meets a full disk at its one write
_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_REOPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TEMP_MODE: Final = 0o600
_TEMP_NAME: Final = re.compile(rb"\.orbit-([0-9a-f]{16})-[0-9]+(?:\.[Aa](?:\xc3\xa9|e\xcc\x81){2})?\.tmp")
_TRIES: Final = 3
_NO_NAMES: Final = frozenset({b"", b".", b".."})


def is_temp_name(name: bytes) -> bool:
    """Whether a file of this name is an unfinished download: never a source."""
    return name.startswith(b".orbit-") and _TEMP_NAME.fullmatch(name) is not None


def temp_run(name: bytes) -> bytes:
    """The run whose unfinished download has this name, or ``b''`` where it is none."""
    found = _TEMP_NAME.fullmatch(name) if name.startswith(b".orbit-") else None
    return b"" if found is None else found[1]


def read_umask() -> int:
    """The process's umask.

    On Linux it is read; elsewhere it can only be learnt by setting it, so call this once, before there are threads.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            found = re.search(rb"^Umask:\s*([0-7]+)$", Path("/proc/self/status").read_bytes(), re.MULTILINE)
            if found:
                return int(found[1], 8)
    mask = os.umask(0o077)  # the stricter one, for the moment in which it is wrong
    os.umask(mask)
    return mask


class State(enum.Enum):
    """Where a landing file is in its life."""

    OPEN = "open"
    LEFT = "left"
    """Closed, the temporary file stays for another process."""
    PUBLISHED = "published"
    DISCARDED = "discarded"


class LandingFile:
    """A file on its way to its name. Ends by `publish`, `discard`, or `leave`; `discard` after an end does nothing."""

    __slots__ = ("_directories", "_directory", "_umask", "fd", "name", "state", "temp_name")

    def __init__(self, landings: Landings, directory: Directory, name: bytes, temp_name: bytes, fd: int) -> None:
        self._directories = landings.directories
        self._umask = landings.umask
        self._directory = directory
        self.name = name
        self.temp_name = temp_name
        self.fd = fd
        self.state = State.OPEN

    def __repr__(self) -> str:
        return f"LandingFile({shown(self.path)!r}, {self.state.value}, fd={self.fd})"

    @property
    def path(self) -> bytes:
        """The final path."""
        return self._directory.join(self.name)

    @property
    def temp_path(self) -> bytes:
        """The path of the temporary file, for `Landings.reopen` in another process."""
        return self._directory.join(self.temp_name)

    def write_at(self, view: memoryview | bytes, offset: int) -> None:
        """Write all of `view` at `offset`.

        Raises:
            NoSpace: the disk is full.
            LocalError: the disk refuses.
        """
        try:
            done = os.pwrite(self.fd, view, offset)
            if done != len(view):
                rest = memoryview(view)
                while done < len(rest):
                    done += os.pwrite(self.fd, rest[done:], offset + done)
        except OSError as error:
            raise local_error(error, self.path, Side.DESTINATION) from None

    def truncate(self) -> None:
        """Make it empty again, for another attempt.

        Raises:
            LocalError: the disk refuses.
        """
        try:
            os.ftruncate(self.fd, 0)
        except OSError as error:
            raise local_error(error, self.path, Side.DESTINATION) from None

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what was written at `offset`.

        Raises:
            SizeMismatch: the file is shorter.
            LocalError: the disk refuses.
        """
        try:
            fill(self.fd, view, offset)
        except EOFError:
            raise SizeMismatch(f"shorter than what was written to it: {shown(self.temp_path)}") from None
        except OSError as error:
            raise local_error(error, self.path, Side.DESTINATION) from None

    def publish(
        self,
        *,
        mtime_ns: int | None = None,
        mode: int | None = None,
        is_durable: bool = False,
        no_clobber: bool = False,
    ) -> bool:
        """Give the file its mode, its time and its name. When this raises, the temporary file is gone.

        Args:
            mtime_ns: modification time, nanoseconds since 1970 UTC; None leaves now.
            mode: permission bits (set-uid, set-gid and sticky are dropped); None is 0666 without the umask.
            is_durable: return only when file and name are on stable storage.
            no_clobber: leave a file that has this name already.

        Returns:
            False where `no_clobber` found the name taken; the temporary file is gone then.

        Raises:
            NameConflict: a directory has this name, or a file that only the file system takes for it.
            NoSpace: the disk is full, as some file systems say only now.
            LocalError: the system refuses.
        """
        assert self.state is State.OPEN, self
        try:
            self._dress(mtime_ns, mode)
            if is_durable:
                os.fsync(self.fd)
            self._close()
            is_published = self._rename_exclusively() if no_clobber else self._rename()
            if is_durable and is_published:
                self._sync_directory()
        except OSError as error:
            failure = local_error(error, self.path, Side.DESTINATION)
            self.discard()
            raise failure from None
        except BaseException:
            self.discard()
            raise
        if is_published:
            self._end(State.PUBLISHED)
        else:
            self.discard()
        return is_published

    def leave(self) -> None:
        """Close, and leave the temporary file to the process that ends it. When this raises, the file is gone.

        Raises:
            LocalError: the file system refuses what was written before (a network file system says so only now).
        """
        if self.state is not State.OPEN:
            return
        try:
            self._close()
        except OSError as error:
            failure = local_error(error, self.path, Side.DESTINATION)
            self.discard()  # nobody can know what it holds
            raise failure from None
        self._end(State.LEFT)

    def discard(self) -> None:
        """Remove the temporary file. After any end this does nothing."""
        if self.state is not State.OPEN:
            return
        with contextlib.suppress(OSError):  # nothing better can be done with what is thrown away
            self._close()
        with contextlib.suppress(OSError):
            os.unlink(self.temp_name, dir_fd=self._directory.fd)
        self._end(State.DISCARDED)

    def _dress(self, mtime_ns: int | None, mode: int | None) -> None:
        wanted = 0o666 & ~self._umask if mode is None else mode & 0o777
        if wanted != _TEMP_MODE:
            os.fchmod(self.fd, wanted)
        if mtime_ns is not None:
            os.utime(self.fd, ns=(mtime_ns, mtime_ns))

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _rename(self) -> bool:
        self._directories.rename(self._directory, self.temp_name, self.name)
        return True

    def _rename_exclusively(self) -> bool:
        is_new = rename_new(self.temp_name, self.name, dir_fd=self._directory.fd)
        if not is_new:
            self._directories.check(self._directory, self.temp_name, self.name)
        return is_new

    def _sync_directory(self) -> None:
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._directory.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _end(self, state: State) -> None:
        self.state = state
        self._directories.release(self._directory)


class Landings:
    """Makes the landing files of one process.

    The processes of one job give their files the same names: the job's `run` and the number of what lands in them. A
    number that is used again names the file of a process that died over it; that one is removed.

    Attributes:
        umask: taken off the mode of new files.
        directories: the open directories they land in.
    """

    def __init__(self, *, umask: int, directories: Directories | None = None, run: str = "") -> None:
        self.umask = umask
        self.directories = directories or Directories()
        self._is_shared = bool(run)
        self._run = self.directories.spellings.run = run or os.urandom(8).hex()
        self._count = 0
        self._last: Directory | None = None

    def __repr__(self) -> str:
        return f"Landings(made={self._count}, {self.directories!r})"

    def create(self, path: bytes, *, root: bytes = b"", size: int = 0, number: int | None = None) -> LandingFile:
        """Open a new temporary file beside `path`, making the directories that are missing.

        Args:
            path: where it shall be published.
            root: the directory that `path` must stay inside, spelt as its beginning; ``b''`` where the user named
                `path` himself.
            size: bytes that will be written; above 1 MiB the disk is asked for them now.
            number: stands in the temporary name, so that it can be told what it was for; None counts.

        Raises:
            UnsafePath: `path` leaves `root`, or a symbolic link stands in the way.
            NameConflict: a file stands where a directory is needed, or a name that only the file system takes for it.
            NoSpace: the disk is full.
            LocalError: the system refuses.
        """
        try:
            try:
                landing = self._open_beside(path, root, number)
            except FileNotFoundError:  # somebody removed the directory since it was opened
                landing = self._open_beside(path, root, number)
        except OSError as error:
            raise local_error(error, path, Side.DESTINATION) from None
        if size > _RESERVE_ABOVE:
            self._reserve(landing, size)
        return landing

    def land(self, path: bytes, *, root: bytes, number: int, data: memoryview | bytes, mtime_ns: int) -> None:
        """Make a small file whole: what `create`, `write_at` and `publish` do one after another, for the express lane.

        Args:
            path: where.
            root: as for `create`.
            number: as for `create`.
            data: all of it.
            mtime_ns: its modification time, nanoseconds since 1970 UTC; 0 leaves now.

        Raises:
            OSError: it could not be made, and nothing is left of it; `create` may know a way, or the reason.
            S3Error: as `create`.
        """
        parent, slash, name = path.rpartition(b"/")
        directory = self._last
        if directory is None or directory.key != (root, parent or slash):
            directory = self._remember(parent or slash, root)
        if name in _NO_NAMES or b"\0" in name:
            check_name(name, path)
        dir_fd = directory.fd
        temp_name = self._temp_name(number)
        fd = -1
        try:
            fd = os.open(temp_name, _CREATE, _TEMP_MODE, dir_fd=dir_fd)
            try:
                if os.write(fd, data) != len(data):
                    raise OSError(errno.EIO, "a short write")
                mode = 0o666 & ~self.umask
                if mode != _TEMP_MODE:
                    os.fchmod(fd, mode)
                if mtime_ns:
                    os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)
            self.directories.rename(directory, temp_name, name)
        except BaseException:
            if fd >= 0:  # it is ours
                with contextlib.suppress(OSError):
                    os.unlink(temp_name, dir_fd=dir_fd)
            self._forget_last()  # perhaps somebody has removed the directory
            raise

    def _remember(self, path: bytes, root: bytes) -> Directory:
        """Open a directory and keep it for the files that follow."""
        self._forget_last()
        self._last = self.directories.acquire(path, root)
        return self._last

    def _forget_last(self) -> None:
        if self._last is not None:
            self.directories.release(self._last)
            self._last = None

    def reopen(self, temp: bytes, path: bytes, *, root: bytes = b"") -> LandingFile:
        """Open a temporary file that another process of the job created for `path`.

        Raises:
            UnsafePath: `temp` is not a temporary file beside `path`, or `path` leaves `root`.
            Vanished: it is gone.
            LocalError: the system refuses.
        """
        directory, name = self._place(path, root)
        temp_name = temp.rpartition(b"/")[2]
        try:
            if not is_temp_name(temp_name) or directory.join(temp_name) != temp:
                raise UnsafePath(f"not a temporary file of {shown(path)}: {shown(temp)}")
            fd = os.open(temp_name, _REOPEN, dir_fd=directory.fd)
            try:
                regular(fd, temp)
            except BaseException:
                os.close(fd)
                raise
        except OSError as error:
            self.directories.release(directory)
            raise local_error(error, temp, Side.DESTINATION) from None
        except S3Error:
            self.directories.release(directory)
            raise
        return LandingFile(self, directory, name, temp_name, fd)

    def discard(self, temp: bytes, path: bytes, *, root: bytes = b"") -> None:
        """Remove a temporary file that another process of the job created for `path`; one that is gone is fine.

        Raises:
            S3Error: as `reopen`, but for `Vanished`.
        """
        with contextlib.suppress(Vanished):
            self.reopen(temp, path, root=root).discard()

    def sweep(self, number: int, path: bytes, *, root: bytes = b"") -> None:
        """Remove the temporary file that a process of this run made for `path` under `number`, if it left one.

        Only when that process is dead. Nothing is raised: what cannot be removed stays.
        """
        parent, slash, _ = path.rpartition(b"/")
        directory = parent or slash
        temp = directory + (b"" if not directory or directory.endswith(b"/") else b"/") + self._temp_name(number)
        if os.path.lexists(temp):
            with contextlib.suppress(S3Error):
                self.discard(temp, path, root=root)

    def make_directory(self, path: bytes, *, root: bytes) -> None:
        """Make the directory `path` inside `root`.

        Raises:
            S3Error: as `create`.
        """
        self.directories.release(self.directories.acquire(path, root))

    def close(self) -> None:
        """Close the directories that are kept open."""
        self._forget_last()
        self.directories.close()

    def _place(self, path: bytes, root: bytes) -> tuple[Directory, bytes]:
        parent, slash, name = path.rpartition(b"/")
        check_name(name, path)
        return self.directories.acquire(parent or slash, root), name

    def _open_beside(self, path: bytes, root: bytes, number: int | None) -> LandingFile:
        directory, name = self._place(path, root)
        try:
            temp_name, fd = self._open_temp(directory, number)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                self.directories.forget(directory)
            self.directories.release(directory)
            raise
        landing = LandingFile(self, directory, name, temp_name, fd)
        try:
            self.directories.check(directory, temp_name, name)
        except BaseException:
            landing.discard()
            raise
        return landing

    def _open_temp(self, directory: Directory, number: int | None) -> tuple[bytes, int]:
        for _ in range(_TRIES):
            self._count += 1
            name = self._temp_name(self._count if number is None else number)
            try:
                return name, os.open(name, _CREATE, _TEMP_MODE, dir_fd=directory.fd)
            except FileExistsError:  # a fork of this process, a number met twice, or somebody who guesses
                if self._is_shared and number is not None:
                    os.unlink(name, dir_fd=directory.fd)  # of a worker that died
                else:
                    self._run = os.urandom(8).hex()
        raise FileExistsError(errno.EEXIST, "no free temporary name")

    def _temp_name(self, number: int) -> bytes:
        return f".orbit-{self._run}-{number}.tmp".encode()

    def _reserve(self, landing: LandingFile, size: int) -> None:
        try:
            reserve(landing.fd, size)
        except OSError as error:
            if error.errno in NOT_SUPPORTED:
                return
            failure = local_error(error, landing.path, Side.DESTINATION)
            landing.discard()
            raise failure from None
