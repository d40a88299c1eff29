"""Destination directories, opened so that no key and no symbolic link leads outside the root.

Every component below the root is entered by itself, relative to the one before, refusing symbolic links: what the
kernel resolves is one plain name at a time, so neither ``..`` nor a link that somebody plants while the job runs can
redirect it. The root itself is the user's own word and may be reached through links.

Entering a directory costs a system call a level, and most files share their directory with the file before. So open
directories are kept, the least recently used closed first; one that a file still lands in stays open until that file
is done.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import UnsafePath
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.spelling import Spellings
from orbit_fast.io.spelling import folds_case
from orbit_fast.io.spelling import taken

# With O_PATH a directory can be entered that may not be read. No O_TRUNC-like effect, no lock, no access time.
_OPEN: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_CAPACITY: Final = 64  # descriptors; the soft limit is 256 on macOS and sockets and files need the rest
_TRIES: Final = 3


class Directory:
    """An open directory. `fd` is good for ``dir_fd=`` until `Directories.release`."""

    __slots__ = ("fd", "folds", "is_cached", "key", "path", "users")

    def __init__(self, path: bytes, fd: int, key: tuple[bytes, bytes]) -> None:
        self.path = path
        self.fd = fd
        self.key = key
        self.users = 0
        self.is_cached = False
        self.folds: bool | None = None
        """It takes names that differ in case for one; None where nobody has looked."""

    def __repr__(self) -> str:
        return f"Directory({shown(self.path)!r}, fd={self.fd}, users={self.users}, is_cached={self.is_cached})"

    def join(self, name: bytes) -> bytes:
        """The path of `name` in this directory, as it was spelt by the caller."""
        if not self.path or self.path.endswith(b"/"):
            return self.path + name
        return self.path + b"/" + name


def sync_upwards(path: bytes, root: bytes) -> None:
    """Have the name `path`, and those of every directory above it up to `root`, on stable storage.

    A file that was flushed can still be lost with the directory that was made for it.

    Raises:
        LocalError: one of them cannot be opened or flushed.
    """
    directory = os.path.dirname(path.rstrip(b"/"))
    last = os.path.dirname(root.rstrip(b"/")) if root else directory
    try:
        while True:
            _sync(directory)
            if len(directory) <= len(last) or directory == b"/":
                return
            directory = os.path.dirname(directory)
    except OSError as error:
        raise local_error(error, path, Side.DESTINATION) from None


def _sync(path: bytes) -> None:
    """Have the names in a directory on stable storage."""
    fd = os.open(path or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Directories:
    """The open destination directories of one process. At most `capacity` idle ones are kept."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = max(1, capacity)
        self._cache: OrderedDict[tuple[bytes, bytes], Directory] = OrderedDict()
        self._open_count = 0
        self.spellings = Spellings()

    def __repr__(self) -> str:
        return f"Directories(open={self._open_count}, cached={len(self._cache)})"

    @property
    def open_count(self) -> int:
        """Descriptors held: cached ones and those that are only still in use."""
        return self._open_count

    def acquire(self, path: bytes, root: bytes) -> Directory:
        """Open `path`, making what is missing of it; the caller must `release` it.

        Args:
            path: the directory; ``b''`` is the working directory.
            root: the directory that it must be or stand in, spelt as the beginning of `path`; ``b''`` where the user
                named `path` himself.

        Raises:
            UnsafePath: it is not below `root`, or a symbolic link stands in the way.
            NameConflict: a file stands where a directory is needed.
            LocalError: the system refuses.
        """
        if len(root) > 1 and root.endswith(b"/"):
            root = root.rstrip(b"/") or b"/"
        directory = self._cache.get((root, path))
        if directory is None:
            directory = self._walk(path, root)
        else:
            self._cache.move_to_end(directory.key)
        directory.users += 1
        return directory

    def release(self, directory: Directory) -> None:
        """The caller needs `directory` no more."""
        directory.users -= 1
        if directory.users == 0 and not directory.is_cached:
            self._close(directory)

    def rename(self, directory: Directory, temp_name: bytes, name: bytes) -> None:
        """Give a temporary file in `directory` its name, in place of what has it.

        Raises:
            NameConflict: what has it is spelt differently, and only the same to the file system.
            OSError: the system refuses.
        """
        fd, folds = directory.fd, directory.folds
        if folds is None:
            folds = directory.folds = folds_case(fd, temp_name)
        if (folds or not name.isascii()) and directory.key[0]:
            self.spellings.rename(temp_name, name, dir_fd=fd, key=directory.key, folds=folds)
        else:
            os.rename(temp_name, name, src_dir_fd=fd, dst_dir_fd=fd)

    def check(self, directory: Directory, temp_name: bytes, name: bytes) -> None:
        """See that nothing is in `directory` that only the file system takes for `name`; `temp_name` is a file in it.

        Raises:
            NameConflict: something is.
            OSError: the directory cannot be listed.
        """
        if directory.folds is None:
            directory.folds = folds_case(directory.fd, temp_name)
        if (directory.folds or not name.isascii()) and directory.key[0]:
            self._check(directory, name)

    def _check(self, directory: Directory, name: bytes) -> None:
        folds = bool(directory.folds)
        if self.spellings.is_exact(name, dir_fd=directory.fd, key=directory.key, folds=folds) is False:
            raise taken(directory.path, name)

    def forget(self, directory: Directory) -> None:
        """Open `directory` and everything above it afresh next time: it has been removed or moved."""
        root = directory.key[0]
        for key in [key for key in self._cache if key[0] == root]:
            self._drop(self._cache[key])

    def close(self) -> None:
        """Close every directory that is not in use; the others close when they are released."""
        for directory in list(self._cache.values()):
            self._drop(directory)

    def _walk(self, path: bytes, root: bytes) -> Directory:
        if path == root or not root:
            return self._keep(Directory(path, _open_trusted(path), (root, path)))
        names = names_below(path, root)
        current = self.acquire(root, root)
        for name in names:
            try:
                entered = self._enter(current, name, root)
                entered.users += 1
            finally:
                self.release(current)
            current = entered
        current.users -= 1
        return current

    def _enter(self, parent: Directory, name: bytes, root: bytes) -> Directory:
        path = parent.join(name)
        cached = self._cache.get((root, path))
        if cached is not None:
            self._cache.move_to_end(cached.key)
            return cached
        fd, is_new = _open_component(parent.fd, name, path)
        try:
            if not is_new:
                self._check(parent, name)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OSError):
                raise local_error(error, path, Side.DESTINATION) from None
            raise
        return self._keep(Directory(path, fd, (root, path)))

    def _keep(self, directory: Directory) -> Directory:
        self._open_count += 1
        while len(self._cache) >= self._capacity:
            self._drop(next(iter(self._cache.values())))
        self._cache[directory.key] = directory
        directory.is_cached = True
        return directory

    def _drop(self, directory: Directory) -> None:
        del self._cache[directory.key]
        directory.is_cached = False
        if directory.users == 0:
            self._close(directory)

    def _close(self, directory: Directory) -> None:
        self._open_count -= 1
        os.close(directory.fd)
        directory.fd = -1


def names_below(path: bytes, root: bytes) -> list[bytes]:
    """The components of `path` below `root`; none where they are the same.

    Raises:
        UnsafePath: `path` does not begin with `root`, or has a component that is empty, ``.``, ``..`` or holds a NUL.
    """
    if path == root:
        return []
    prefix = root if root.endswith(b"/") else root + b"/"
    if not path.startswith(prefix):
        raise UnsafePath(f"outside the destination directory: {shown(path)}")
    names = path[len(prefix) :].split(b"/")
    for name in names:
        check_name(name, path)
    return names


def check_name(name: bytes, path: bytes) -> None:
    """One component of a path must be a name of its own.

    Raises:
        UnsafePath: it is empty, ``.``, ``..``, or holds a ``/`` or a NUL.
    """
    if name in {b"", b".", b".."} or b"\0" in name or b"/" in name:
        raise UnsafePath(f"not a name that can stand below the destination directory: {shown(path)}")


def prepare_destination(root: bytes, *, is_durable: bool = False) -> None:
    """Make the directory that a job downloads to, and see that files can be made in it.

    Args:
        root: the directory.
        is_durable: return only when its name, and those that were made for it, are on stable storage.

    Raises:
        InvalidConfig: it cannot be made, is a file, or may not be written.
    """
    try:
        parents = _missing_above(root) if is_durable else []
        _make_trusted(root or b".")
        for parent in parents:
            _sync(parent)
    except FileExistsError:
        raise InvalidConfig(f"the destination is a file, not a directory: {shown(root)}", code="E_IO") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidConfig(f"the destination cannot be made: {reason}: {shown(root)}", code="E_IO") from None
    if not os.access(root or b".", os.W_OK | os.X_OK):
        raise InvalidConfig(f"the destination directory cannot be written: {shown(root)}", code="E_IO")


def _missing_above(path: bytes) -> list[bytes]:
    """The directories that get an entry when `path` is made: those above each that is missing, the nearest first."""
    above = []
    path = path.rstrip(b"/")
    while path and not os.path.isdir(path):
        path = os.path.dirname(path)
        above.append(path)
    return above


def _make_trusted(path: bytes) -> None:
    """Make a directory that the user named, with those above it."""
    Path(os.fsdecode(path)).mkdir(parents=True, exist_ok=True)


def _open_trusted(path: bytes) -> int:
    """Open a directory that the user named, made if need be; links in it are followed."""
    try:
        with contextlib.suppress(FileNotFoundError):
            return os.open(path or b".", _OPEN)
        _make_trusted(path)
        return os.open(path, _OPEN)
    except OSError as error:
        raise local_error(error, path, Side.DESTINATION) from None


def _open_component(parent_fd: int, name: bytes, path: bytes) -> tuple[int, bool]:
    """Open one directory in another, made if need be, never through a link; whether it was made."""
    is_new = False
    try:
        for _ in range(_TRIES):  # somebody may remove it between the two calls
            with contextlib.suppress(FileNotFoundError):
                return os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=parent_fd), is_new
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o777, dir_fd=parent_fd)  # the kernel takes the umask off
                is_new = True
        return os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=parent_fd), is_new
    except NotADirectoryError:
        raise _in_the_way(parent_fd, name, path) from None
    except OSError as error:
        raise local_error(error, path, Side.DESTINATION) from None


def _in_the_way(parent_fd: int, name: bytes, path: bytes) -> UnsafePath | NameConflict:
    """What stands where a directory is needed."""
    try:
        mode = os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        mode = 0
    if stat.S_ISLNK(mode):
        return UnsafePath(f"a symbolic link stands in the way: {shown(path)}")
    return NameConflict(f"a file stands where a directory is needed: {shown(path)}")
