"""How names are really spelt, where a file system takes ``Photo.jpg`` and ``photo.JPG`` for one name.

Many do: macOS's (case, and both Unicode normal forms), FAT and its like, network shares, ext4 with ``+F``. There two
keys can mean one file, and the second would replace the first without a word. So a name below a destination is given
away only where it is new, in one step (`rename_new`), or where what stands there is spelt exactly so; else the key is
refused. The file system itself is asked each time, not a table of ours: it alone knows what is one to it.

What that costs elsewhere: one look a directory, at the first temporary file that is made in it (`folds_case`), and one
at each directory that was there before. Names that have more than one Unicode form are looked at by themselves, because
a file system can fold forms and not case.

Some also store other names than they were given: HFS+ takes accents apart. Only where a key is about to be refused,
and once for each device, a file is made that tells (`_learn_storage`); then names are alike that differ only in what is
not kept.

Directories are only listed where something of the name is there already and spellings fold. What was listed is kept as
hashes, 16 bytes a name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import unicodedata
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final

from orbit_fast.core.errors import NameConflict
from orbit_fast.core.names import folded
from orbit_fast.core.names import other_spellings
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.libc import NOT_SUPPORTED
from orbit_fast.io.libc import rename_exclusively

MAX_NAMES: Final = 2_000_000
"""Names that are remembered, over all directories: 32 MB. A larger directory is listed each time."""

MAX_DIRECTORIES: Final = 16
"""Directories whose names are remembered: keys come in order."""

_HEAPS: Final = 256
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TELLING: Final = "Ae\u0301\u00e9.tmp".encode()
"""Whether case is kept, and each of the two forms."""

_SHOWN: Final = 20_000
"""Among so many names the one that is in the way is looked for, to be told, and one that tells whether case counts."""

_NO_LINKS: Final = NOT_SUPPORTED | {errno.EPERM, errno.EMLINK, errno.EXDEV}
_TRIES: Final = 3
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

Key = tuple[bytes, bytes]
"""What tells one directory from another."""


def rename_new(source: bytes, destination: bytes, *, dir_fd: int) -> bool:
    """Rename within one directory, in one step, unless the new name is taken in any spelling; False where it is.

    Raises:
        OSError: the system refuses.
    """
    try:
        try:
            rename_exclusively(source, destination, dir_fd=dir_fd)
        except OSError as error:
            if error.errno not in NOT_SUPPORTED:
                raise
            # NFS, for one: a second name is refused where one exists, as the rename would be.
            os.link(source, destination, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
            os.unlink(source, dir_fd=dir_fd)
    except FileExistsError:
        return False
    return True


def folds_case(dir_fd: int, temp_name: bytes) -> bool:
    """Whether a directory takes names that differ in case for one. `temp_name` is a file in it, in lower case."""
    try:
        os.stat(temp_name.upper(), dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # nobody knows; to be careful is right everywhere
    return True


def seems_to_fold(directory: bytes) -> bool:
    """Whether a directory takes names that differ in case for one, by what is in it: nothing is made in it.

    True also where what is there does not tell; False where nothing is there.
    """
    is_empty = True
    with contextlib.suppress(OSError), os.scandir(directory or b".") as entries:
        for entry in islice(entries, _SHOWN):
            is_empty = False
            other = entry.name.swapcase()  # of ASCII letters only: these are bytes
            if other != entry.name:
                with contextlib.suppress(FileNotFoundError):
                    there = os.lstat(os.path.join(directory, other))
                    return os.path.samestat(there, entry.stat(follow_symlinks=False))
                return False
    return not is_empty


def as_spelt(path: bytes) -> bytes:
    """An absolute path with its names as their directories have them: spellings of one directory become one."""
    found = b"/"
    for name in path.strip(b"/").split(b"/"):
        if any(os.path.lexists(os.path.join(found, other)) for other in _others(name)):
            found = os.path.join(found, _entry(found, name))
        else:
            found = os.path.join(found, name)
    return found


def _entry(directory: bytes, name: bytes) -> bytes:
    """How the directory spells a name that is there; the name itself where that cannot be told."""
    like: list[bytes] = []
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        asked = os.lstat(os.path.join(directory, name))
        for entry in entries:
            if entry.name == name:
                return name
            if entry.inode() == asked.st_ino and _fold(entry.name) == _fold(name):
                like.append(entry.name)
    return like[0] if like else name


def _as_given(name: bytes) -> bytes:
    return name


def _one_form(name: bytes) -> bytes:
    text = name.decode("utf-8", "surrogateescape")
    return unicodedata.normalize("NFD", text).encode("utf-8", "surrogateescape")


def _one_case(name: bytes) -> bytes:
    return _fold(name).encode("utf-8", "surrogateescape")


class _Names:
    """Hashes of the names of one directory, as spelt and as folded; in heaps, each sorted by itself."""

    __slots__ = ("_exact", "_folded", "_kept", "count")

    def __init__(self, kept: Callable[[bytes], bytes]) -> None:
        self._kept = kept
        self._exact = [array("q") for _ in range(_HEAPS)]
        self._folded = [array("q") for _ in range(_HEAPS)]
        self.count = 0

    def add(self, name: bytes) -> None:
        """One more."""
        for heaps, value in ((self._exact, hash(self._kept(name))), (self._folded, hash(_fold(name)))):
            heaps[value % _HEAPS].append(value)
        self.count += 1

    def seal(self) -> None:
        """There are no more."""
        for heaps in (self._exact, self._folded):
            heaps[:] = [array("q", sorted(heap)) for heap in heaps]

    def has(self, name: bytes) -> bool:
        """Whether a name is spelt exactly so."""
        return _holds(self._exact, hash(self._kept(name)))

    def has_like(self, name: bytes) -> bool:
        """Whether one of them folds to the same."""
        return _holds(self._folded, hash(_fold(name)))


class Spellings:
    """Asks for the spellings of names in directories, and remembers what it was told.

    Remembering is sound within a job: a spelling that is there is only replaced by itself.

    Attributes:
        run: 16 hexadecimal digits that temporary files are called after.
    """

    def __init__(self, most: int = MAX_NAMES) -> None:
        self._most = most
        self._known: OrderedDict[Key, _Names] = OrderedDict()
        self._count = 0
        self._good: Key | None = None
        self._kept: dict[int, Callable[[bytes], bytes]] = {}
        self.run = os.urandom(8).hex()

    def __repr__(self) -> str:
        return f"Spellings(directories={len(self._known)}, names={self._count})"

    def rename(self, temp_name: bytes, name: bytes, *, dir_fd: int, key: Key, folds: bool) -> None:
        """Give a temporary file its name, unless that is another name's file.

        Args:
            temp_name: in the directory.
            name: there too, from then on.
            dir_fd: the directory.
            key: of the directory.
            folds: it folds case.

        Raises:
            NameConflict: what has the name is spelt differently.
            OSError: the system refuses.
        """
        for _ in range(_TRIES):
            try:
                if rename_new(temp_name, name, dir_fd=dir_fd):
                    return
                is_exact = self.is_exact(name, dir_fd=dir_fd, key=key, folds=folds)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # It can do neither: between this look and the rename another worker may take the name.
                is_exact = self.is_exact(name, dir_fd=dir_fd, key=key, folds=folds) is not False
            if is_exact:
                os.rename(temp_name, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
                return
            if is_exact is not None:
                break
        raise taken(key[1], name)

    def is_exact(self, name: bytes, *, dir_fd: int, key: Key, folds: bool) -> bool | None:
        """Whether what has this name is spelt exactly so; None where nothing has it.

        Args:
            name: in the directory; where the directory is not known to fold, something has it.
            dir_fd: the directory.
            key: of the directory.
            folds: it folds case. Where it is not known to, other spellings of the name itself tell.

        Raises:
            OSError: the directory cannot be listed.
        """
        if not folds and not any(_is_there(other, dir_fd) for other in _others(name)):
            return True
        if not _is_there(name, dir_fd):
            return None
        device = os.fstat(dir_fd).st_dev
        if self._has(name, dir_fd, key, self._kept.get(device, _as_given), folds=folds):
            return True
        if device not in self._kept:
            kept = self._kept[device] = _learn_storage(dir_fd, self.run)
            if kept is not _as_given:
                self._forget(key)
                if self._has(name, dir_fd, key, kept, folds=folds):
                    return True
        return False if _is_there(name, dir_fd) else None

    def check_path(self, path: bytes, root: bytes) -> None:
        """See that the file `path` is spelt so, from below `root` on.

        Raises:
            NameConflict: one of its names is spelt differently.
            OSError: a directory cannot be listed.
        """
        parent, _, name = path.rpartition(b"/")
        if self._good != (root, parent):
            top = root.rstrip(b"/")
            if len(parent) > len(top):
                self.check_path(parent, root)
            self._good = (root, parent)
        directory = parent or b"/"
        prefix = directory if directory.endswith(b"/") else directory + b"/"
        if not any(os.path.lexists(prefix + other) for other in _others(name)):
            return
        fd = os.open(directory, _OPEN)
        try:
            if self.is_exact(name, dir_fd=fd, key=(b"", directory), folds=False) is False:
                raise taken(directory, name)
        finally:
            os.close(fd)

    def _has(self, name: bytes, dir_fd: int, key: Key, kept: Callable[[bytes], bytes], *, folds: bool) -> bool:
        """Whether a directory has a name that differs from this one in nothing that it keeps."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            if known.has(name):
                return True
            if folds and known.has_like(name):
                return False
        return self._list(dir_fd, key, name, kept)

    def _list(self, dir_fd: int, key: Key, wanted: bytes, kept: Callable[[bytes], bytes]) -> bool:
        """List a directory, remember it, and say whether it has the `wanted` name."""
        self._forget(key)
        names: _Names | None = _Names(kept)
        is_found = False
        wanted = kept(wanted)
        fd = os.open(b".", _OPEN, dir_fd=dir_fd)
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = os.fsencode(entry.name)
                    is_found = is_found or kept(name) == wanted
                    if names is not None:
                        names.add(name)
                        names = names if names.count <= self._most else None
        finally:
            os.close(fd)
        if names is not None:
            names.seal()
            self._known[key] = names
            self._count += names.count
            while self._count > self._most or len(self._known) > MAX_DIRECTORIES:
                self._forget(next(iter(self._known)))
        return is_found

    def _forget(self, key: Key) -> None:
        old = self._known.pop(key, None)
        self._count -= old.count if old is not None else 0


def _learn_storage(dir_fd: int, run: str) -> Callable[[bytes], bytes]:
    """What of a name a directory keeps as it was given, by a file that is made in it: gives what is left of a name."""
    prefix = f".orbit-{run}-{os.getpid()}.".encode()
    asked = prefix + _TELLING
    try:
        os.close(os.open(asked, _CREATE, 0o600, dir_fd=dir_fd))
        try:
            fd = os.open(b".", _OPEN, dir_fd=dir_fd)
            try:
                with os.scandir(fd) as entries:
                    names = [name for entry in entries if (name := os.fsencode(entry.name)).lower().startswith(prefix)]
            finally:
                os.close(fd)
        finally:
            os.unlink(asked, dir_fd=dir_fd)
    except OSError:
        return _as_given  # nobody knows: what is spelt differently stays
    ways = (_as_given, _one_form, _one_case)
    return next((way for way in ways if any(way(name) == way(asked) for name in names)), _as_given)


def taken(directory: bytes, name: bytes) -> NameConflict:
    """The error for a name that is another one's file."""
    other = _in_the_way(directory or b".", name)
    there = f"{shown(other)!r} is there, which" if other is not None else "another name is there, which"
    path = shown(os.path.join(directory, name))
    return NameConflict(
        f"{there} this file system takes for the same name, and stays: rename one of the two: {path}",
        code="E_NAME_COLLISION",
    )


def _in_the_way(directory: bytes, name: bytes) -> bytes | None:
    try:
        with os.scandir(directory) as entries:
            like = _fold(name)
            return next((entry.name for entry in islice(entries, _SHOWN) if _fold(entry.name) == like), None)
    except OSError:
        return None


def _is_there(name: bytes, dir_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENAMETOOLONG}:
            return False
        raise
    return True


def _others(name: bytes) -> list[bytes]:
    spellings = other_spellings(name.decode("utf-8", "surrogateescape"))
    return [other.encode("utf-8", "surrogateescape") for other in spellings]


def _fold(name: bytes) -> str:
    return folded(name.decode("utf-8", "surrogateescape"))


def _holds(heaps: list[array[int]], value: int) -> bool:
    heap = heaps[value % _HEAPS]
    place = bisect_left(heap, value)
    return place < len(heap) and heap[place] == value
