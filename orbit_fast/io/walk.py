"""A local tree as a stream, in the order in which S3 lists the keys it would become.

Names come in UTF-8 byte order of the whole relative path: within a directory, sub-directories sort as ``name/``, which
makes a depth-first walk give the same order as sorting all keys. Only the names of the directories on the way down are
held, each as one list of bytes that shrinks as it is consumed; files are stat'ed when their turn comes.

One bad entry never ends the walk: it is an entry of its own kind, so that whoever deletes on the strength of a walk
knows what was *not* seen. Only a root that cannot be read raises.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import Enum

import msgspec

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.errors import Vanished
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.files import is_temp_name


class Kind(Enum):
    """What was found."""

    FILE = "file"
    SYMLINK = "symlink"
    """A symbolic link that is not followed, or that leads nowhere."""
    SPECIAL = "special"
    """Socket, FIFO or device."""
    LOOP = "loop"
    """A symbolic link to a directory that it stands in."""
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
    """

    path: bytes
    kind: Kind = Kind.FILE
    size: int = 0
    mtime_ns: int = 0
    error: S3Error | None = None


class _Level:
    """A directory being walked: the names still to come, last first."""

    __slots__ = ("identity", "names", "prefix")

    def __init__(self, prefix: bytes, names: list[bytes], identity: tuple[int, int] | None) -> None:
        self.prefix = prefix
        self.names = names
        self.identity = identity


def walk(root: bytes, *, follow_symlinks: bool = False) -> Iterator[WalkEntry]:
    """Everything below `root` that is not a directory, in key order.

    Args:
        root: a directory; may be a link to one; ``b''`` is the working directory.
        follow_symlinks: go through links, to files and to directories; a link back up is a `Kind.LOOP`.

    Raises:
        SourceMissing: there is no such directory.
        InvalidConfig: it is not a directory, or may not be read.
    """
    base = root if not root or root.endswith(b"/") else root + b"/"
    stat_file = os.stat if follow_symlinks else os.lstat
    levels = [_enter_root(base, follow_symlinks=follow_symlinks)]
    while levels:
        level = levels[-1]
        if not level.names:
            levels.pop()
            continue
        name = level.names.pop()
        path = level.prefix + name
        if name[-1] == 0x2F:
            yield from _descend(base, path, levels, follow_symlinks=follow_symlinks)
            continue
        try:
            facts = stat_file(base + path)
        except OSError as error:
            yield _unseen(base, path, error)
            continue
        if stat.S_ISREG(facts.st_mode):
            kind = Kind.TEMPORARY if name[0] == 0x2E and is_temp_name(name) else Kind.FILE
            yield WalkEntry(path, kind, facts.st_size, facts.st_mtime_ns)
        else:
            yield WalkEntry(path, Kind.SYMLINK if stat.S_ISLNK(facts.st_mode) else Kind.SPECIAL)


def _enter_root(base: bytes, *, follow_symlinks: bool) -> _Level:
    """The level of the root. An error here is the user's to hear: there is no tree."""
    directory = base or b"."
    try:
        names, error = _names(directory, follow_symlinks=follow_symlinks)
        if error is not None:
            raise error
        return _Level(b"", names, _identity(directory) if follow_symlinks else None)
    except FileNotFoundError:
        raise SourceMissing(f"no such directory: {shown(base)}") from None
    except NotADirectoryError:
        raise InvalidConfig(f"not a directory: {shown(base)}") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidConfig(f"{reason}: {shown(base)}", code="E_SOURCE_UNREADABLE") from None


def _descend(base: bytes, path: bytes, levels: list[_Level], *, follow_symlinks: bool) -> Iterator[WalkEntry]:
    """Put the directory `path` on `levels`; what is wrong with it is an entry."""
    directory = base + path
    try:
        identity = _identity(directory) if follow_symlinks else None
        if identity is not None and any(level.identity == identity for level in levels):
            yield WalkEntry(path[:-1], Kind.LOOP)
            return
        names, error = _names(directory, follow_symlinks=follow_symlinks)
    except OSError as refused:
        names, error, identity = [], refused, None
    if error is not None:
        yield WalkEntry(path, Kind.UNREADABLE, error=local_error(error, directory, Side.SOURCE))
    levels.append(_Level(path, names, identity))


def _names(directory: bytes, *, follow_symlinks: bool) -> tuple[list[bytes], OSError | None]:
    """The names in a directory, last first, directories ending in ``/``; and the error that cut the list short.

    Raises:
        OSError: it cannot be opened.
    """
    names: list[bytes] = []
    failure: OSError | None = None
    with os.scandir(directory) as entries:
        try:
            for entry in entries:
                try:
                    is_directory = entry.is_dir(follow_symlinks=follow_symlinks)
                except OSError:  # its stat, when its turn comes, says what is wrong
                    is_directory = False
                names.append(entry.name + b"/" if is_directory else entry.name)
        except OSError as error:
            failure = error
    names.sort(reverse=True)
    return names, failure


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
