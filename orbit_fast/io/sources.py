"""Source files: opened without following a link and without waiting, read at positions, watched for changes.

A source must be a regular file (opening a FIFO would block for ever, reading a device has no end) and carries its
fingerprint: if that differs at the end, the bytes that were read may belong to no version of the file.
"""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Final
from typing import Self

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.moments import held
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown

Fingerprint = tuple[int, int, int, int, int]
"""Device, inode, size, mtime_ns, ctime_ns."""

_SOURCE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def fingerprint(fd: int) -> Fingerprint:
    """What tells this version of an open file from another: device, inode, size, mtime_ns, ctime_ns."""
    return _fingerprint(os.fstat(fd))


def fingerprint_of(path: bytes, *, follow_symlinks: bool = False) -> Fingerprint:
    """The fingerprint of what has this name now.

    Raises:
        Vanished: there is nothing.
        LocalError: the system refuses to tell.
    """
    try:
        return _fingerprint(os.stat(path, follow_symlinks=follow_symlinks))
    except OSError as error:
        raise local_error(error, path, Side.SOURCE) from None


def _fingerprint(facts: os.stat_result) -> Fingerprint:
    return (facts.st_dev, facts.st_ino, facts.st_size, held(facts.st_mtime_ns), held(facts.st_ctime_ns))


class SourceFile:
    """An open regular file to read from, as it was when it was opened.

    Attributes:
        path: as it was given.
        fd: its descriptor.
        size: bytes.
        mtime_ns: modification time.
        mode: permission bits, ``& 0o777``.
        fingerprint: see `Fingerprint`.
    """

    __slots__ = ("fd", "fingerprint", "mode", "mtime_ns", "path", "size")

    def __init__(self, path: bytes, fd: int, facts: os.stat_result) -> None:
        self.path = path
        self.fd = fd
        self.size = facts.st_size
        self.mtime_ns = held(facts.st_mtime_ns)
        self.mode = facts.st_mode & 0o777
        self.fingerprint = _fingerprint(facts)

    def __repr__(self) -> str:
        return f"SourceFile({shown(self.path)!r}, fd={self.fd}, size={self.size})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with the bytes that start at `offset`.

        Raises:
            SourceChanged: the file has become shorter.
            SourceUnreadable: the disk refuses.
        """
        try:
            fill(self.fd, view, offset)
        except EOFError:
            raise _changed(self.path) from None
        except OSError as error:
            raise local_error(error, self.path, Side.SOURCE) from None

    def read_all(self) -> bytes:
        """The whole file, as long as it was when it was opened.

        Raises:
            SourceChanged: the file has become shorter.
            SourceUnreadable: the disk refuses.
        """
        try:
            data = os.pread(self.fd, self.size, 0)
        except OSError as error:
            raise local_error(error, self.path, Side.SOURCE) from None
        if len(data) == self.size:
            return data
        buffer = bytearray(self.size)  # a network file system may give less than was asked
        self.read_into(memoryview(buffer), 0)
        return bytes(buffer)

    def check_unchanged(self) -> None:
        """The file still is what it was when it was opened.

        Raises:
            SourceChanged: it is not, or was written to meanwhile.
            SourceUnreadable: the system does not say.
        """
        try:
            now = fingerprint(self.fd)
        except OSError as error:
            raise local_error(error, self.path, Side.SOURCE) from None
        if now != self.fingerprint:
            raise _changed(self.path)

    def close(self) -> None:
        """Give the descriptor back. May be called again."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def open_source(path: bytes, *, follow_symlinks: bool = False, expected: tuple[int, ...] | None = None) -> SourceFile:
    """Open a regular file for reading.

    Args:
        path: the file.
        follow_symlinks: whether `path` itself may be a symbolic link (its directories always may).
        expected: the fingerprint it must have, where another process has opened it before.

    Raises:
        Vanished: there is no such file (any more).
        SourceUnreadable: it may not be read.
        LocalError: it is a symbolic link (``E_SYMLINK``), or neither file nor link (``E_SPECIAL``).
        SourceChanged: it is not the one expected.
    """
    try:
        fd = os.open(path, _SOURCE if follow_symlinks else _SOURCE | os.O_NOFOLLOW)
        try:
            source = SourceFile(path, fd, regular(fd, path))
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        raise local_error(error, path, Side.SOURCE) from None
    if expected is not None and source.fingerprint != tuple(expected):
        source.close()
        raise _changed(path)
    return source


def regular(fd: int, path: bytes) -> os.stat_result:
    """What is known of an open file that must be a regular one.

    Raises:
        LocalError: it is not (``E_SPECIAL``).
    """
    facts = os.fstat(fd)
    if not stat.S_ISREG(facts.st_mode):
        raise LocalError(f"not a regular file: {shown(path)}", code="E_SPECIAL")
    return facts


def _changed(path: bytes) -> SourceChanged:
    return SourceChanged(f"the file changed while it was being read: {shown(path)}")


def fill(fd: int, view: memoryview, offset: int) -> None:
    """Fill `view` with the file's bytes from `offset` on.

    Raises:
        EOFError: the file ends before.
        OSError: the disk refuses.
    """
    wanted = view.nbytes
    done = os.preadv(fd, (view,), offset)
    while done < wanted:
        count = os.preadv(fd, (view[done:],), offset + done)
        if count == 0:
            raise EOFError
        done += count
