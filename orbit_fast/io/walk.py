"""A local tree as a stream, in the order in which S3 lists the keys it would become.

Names come in UTF-8 byte order of the whole relative path: within a directory, sub-directories sort as ``name/``, which
makes a depth-first walk give the same order as sorting all keys. Only the names of the directories on the way down are
held, and of a directory with more than `MAX_NAMES` they are sorted on disk; files are stat'ed when their turn comes.

One bad entry never ends the walk: it is an entry of its own kind, so that whoever deletes on the strength of a walk
knows what was *not* seen. Only a root that cannot be read raises.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import Enum
from typing import Final

import msgspec

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.errors import Vanished
from orbit_fast.core.moments import held
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.external_sort import ExternalSort
from orbit_fast.io.files import is_temp_name

MAX_NAMES: Final = 200_000
"""Names of one directory that are sorted in memory: about 20 MB."""


class Kind(Enum):
    """What was found."""

    FILE = "file"
    DIRECTORY = "directory"
    """Its `path` ends in ``/``. Only where directories are asked for."""
    SYMLINK = "symlink"
    """A symbolic link that is not followed, or that leads nowhere."""
    SPECIAL = "special"
    """Socket, FIFO or device."""
    LOOP = "loop"
    """A symbolic link to a directory that it stands in. Its `path` does not end in ``/``."""
    TEMPORARY = "temporary"
    """A download that never became whole: not data."""
    VANISHED = "vanished"
    """It was listed and is not there any more."""
    UNREADABLE = "unreadable"
    """`WalkEntry.error` says why. A directory's `path` ends in ``/``: nothing is known of what is below."""


class WalkEntry(msgspec.Struct, frozen=True, gc=False):
    """One name below the root.

    Attributes:
        path: relative to the root, ``/`` between components.
        kind: what it is.
        size: bytes, of a file.
        mtime_ns: modification time, of a file.
        error: why it is unreadable or gone.
        ctime_ns: when anything of it was changed last, of a file: it tells a file from another one in its place.
    """

    path: bytes
    kind: Kind = Kind.FILE
    size: int = 0
    mtime_ns: int = 0
    error: S3Error | None = None
    ctime_ns: int = 0


class _Level:
    """A directory being walked: the names still to come."""

    __slots__ = ("identity", "names", "prefix")

    def __init__(self, prefix: bytes, names: Iterator[bytes], identity: tuple[int, int] | None) -> None:
        self.prefix = prefix
        self.names = names
        self.identity = identity


def walk(root: bytes, *, follow_symlinks: bool = False, directories: bool = False) -> Iterator[WalkEntry]:
    """Everything below `root`, in key order: 3 us an entry, of which the system's part is 2.

    Args:
        root: a directory; may be a link to one; ``b''`` is the working directory.
        follow_symlinks: go through links, to files and to directories; a link back up is a `Kind.LOOP`.
        directories: tell of directories too, each before what is in it.

    Raises:
        SourceMissing: there is no such directory.
        InvalidConfig: it is not a directory, or may not be read.
    """
    base = root if not root or root.endswith(b"/") else root + b"/"
    stat_file = os.stat if follow_symlinks else os.lstat
    levels = [_enter_root(base, follow_symlinks=follow_symlinks)]
    while levels:
        level = levels[-1]
        prefix = level.prefix
        for name in level.names:
            path = prefix + name
            if name[-1] == 0x2F:
                entry = _descend(base, path, levels, follow_symlinks=follow_symlinks)
                if entry.kind is not Kind.DIRECTORY or directories:
                    yield entry
                break
            try:
                facts = stat_file(base + path)
            except OSError as error:
                yield _unseen(base, path, error)
                continue
            if stat.S_ISREG(facts.st_mode):
                kind = Kind.TEMPORARY if name[0] == 0x2E and is_temp_name(name) else Kind.FILE
                yield WalkEntry(path, kind, facts.st_size, held(facts.st_mtime_ns), None, held(facts.st_ctime_ns))
            elif stat.S_ISLNK(facts.st_mode):
                yield WalkEntry(path, Kind.SYMLINK)
            else:
                is_loop = follow_symlinks and stat.S_ISDIR(facts.st_mode)
                yield WalkEntry(path, Kind.LOOP if is_loop else Kind.SPECIAL)
        else:
            levels.pop()


def _enter_root(base: bytes, *, follow_symlinks: bool) -> _Level:
    """The level of the root. An error here is the user's to hear: there is no tree."""
    directory = base or b"."
    try:
        identity = _identity(directory) if follow_symlinks else None
        names, error = _names(directory, [identity] if identity else [])
        if error is not None:
            raise error
        return _Level(b"", names, identity)
    except FileNotFoundError:
        raise SourceMissing(f"no such directory: {shown(base)}") from None
    except NotADirectoryError:
        raise InvalidConfig(f"not a directory: {shown(base)}") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidConfig(f"{reason}: {shown(base)}", code="E_SOURCE_UNREADABLE") from None


def _descend(base: bytes, path: bytes, levels: list[_Level], *, follow_symlinks: bool) -> WalkEntry:
    """Put the directory `path` on `levels`; the entry for it, which says what is wrong with it if anything is."""
    directory = base + path
    try:
        identity = _identity(directory) if follow_symlinks else None
        above = [level.identity for level in levels if level.identity is not None]
        if identity in above:  # mounted below itself
            levels.append(_Level(path, iter(()), identity))
            return WalkEntry(path, Kind.LOOP)
        names, error = _names(directory, [*above, identity] if identity else [])
    except OSError as refused:
        names, error, identity = iter(()), refused, None
    levels.append(_Level(path, names, identity))
    if error is not None:
        return WalkEntry(path, Kind.UNREADABLE, error=local_error(error, directory, Side.SOURCE))
    return WalkEntry(path, Kind.DIRECTORY)


def _names(directory: bytes, above: list[tuple[int, int]]) -> tuple[Iterator[bytes], OSError | None]:
    """The names in a directory, in order, directories ending in ``/``; and the error that cut the list short.

    Args:
        directory: where.
        above: where links are followed: the directories that it stands in, itself included. A link to one of them is
            no directory.

    Raises:
        OSError: it cannot be opened.
        LocalError: there are too many for memory, and the disk does not take them either.
    """
    names: list[bytes] = []
    failure: OSError | None = None
    spill: ExternalSort | None = None
    with os.scandir(directory) as entries:
        try:
            for entry in entries:
                try:
                    is_directory = entry.is_dir(follow_symlinks=bool(above))
                    if is_directory and above and entry.is_symlink():
                        is_directory = _identity(entry.path) not in above
                except OSError:  # its stat, when its turn comes, says what is wrong
                    is_directory = False
                names.append(entry.name + b"/" if is_directory else entry.name)
                if len(names) >= MAX_NAMES:
                    spill = spill or ExternalSort()
                    for name in names:
                        spill.add(name)
                    names.clear()
        except OSError as error:
            failure = error
    if spill is not None:
        for name in names:
            spill.add(name)
        return _spilled(spill), failure
    names.sort()
    return iter(names), failure


def _spilled(spill: ExternalSort) -> Iterator[bytes]:
    with spill:
        for name, _ in spill.pairs():
            yield name


def _identity(directory: bytes) -> tuple[int, int]:
    facts = os.stat(directory)
    return (facts.st_dev, facts.st_ino)


def _unseen(base: bytes, path: bytes, error: OSError) -> WalkEntry:
    """The entry for a name whose stat failed: a link that leads nowhere, gone, or refused."""
    if os.path.islink(base + path):
        return WalkEntry(path, Kind.SYMLINK)
    failure = local_error(error, base + path, Side.SOURCE)
    kind = Kind.VANISHED if isinstance(failure, Vanished) else Kind.UNREADABLE
    return WalkEntry(path, kind, error=failure)
