"""What Python does not offer of the C library: reserving space, renaming without replacing, giving memory back.

All are looked up when first needed. Those of the file system say "not here" with an `OSError` of
``ENOSYS``/``EINVAL``/``EOPNOTSUPP`` where the system or the file system lacks it, so that callers have one fallback.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import Any
from typing import Final

NOT_SUPPORTED: Final[frozenset[int]] = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What a system or file system says that does not know one of these calls."""

_TMPFS: Final = 0x01021994  # linux/magic.h, TMPFS_MAGIC
_RENAME_NOREPLACE: Final = 1  # linux/fs.h
_RENAME_EXCL: Final = 4  # macOS sys/stdio.h


@functools.cache
def _function(name: str, argument_types: tuple[Any, ...]) -> Callable[..., int] | None:
    """The C library's function of this name, returning int and setting errno, or None where it has none."""
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError:
        return None
    function.argtypes = argument_types
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return] # ctypes functions are untyped


def _call(name: str, argument_types: tuple[Any, ...], *arguments: Any) -> None:
    """Call a C function that answers 0 or -1 with errno.

    Raises:
        OSError: it answered -1, or does not exist (``ENOSYS``).
    """
    function = _function(name, argument_types)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while function(*arguments) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def reserve(fd: int, size: int) -> None:
    """Give the file `size` bytes of disk, now, so that a full disk is known before the bytes are moved.

    The call itself, not ``posix_fallocate``: where a file system cannot reserve, the C library's own stand-in writes
    to every block, which costs more than it saves.

    A file system in memory is different: there, reserving means clearing every page, a quarter of what a download
    costs the kernel; so it is only asked whether there is room.

    Raises:
        OSError: ``ENOSPC``, ``EDQUOT`` ..., or one of `NOT_SUPPORTED`.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if _is_in_memory(fd):
        room = os.fstatvfs(fd)
        if room.f_bavail * room.f_frsize < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.ftruncate(fd, size)
        return
    _call("fallocate64", (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64), fd, 0, 0, size)


def _is_in_memory(fd: int) -> bool:
    facts = ctypes.create_string_buffer(256)  # struct statfs64 has 120 bytes, its first member is the type
    _call("fstatfs64", (ctypes.c_int, ctypes.c_char_p), fd, facts)
    return int.from_bytes(facts.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) == _TMPFS


def rename_exclusively(source: bytes, destination: bytes, *, dir_fd: int) -> None:
    """Rename within one directory unless the new name exists, in one step.

    Raises:
        FileExistsError: it exists.
        OSError: anything else, or one of `NOT_SUPPORTED`.
    """
    name, flag = ("renameat2", _RENAME_NOREPLACE) if sys.platform == "linux" else ("renameatx_np", _RENAME_EXCL)
    types = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    _call(name, types, dir_fd, source, dir_fd, destination, flag)


def give_back_memory() -> None:
    """Give the system what this process's allocator has free, which it would keep for later. glibc's does; others not.

    Takes a millisecond for some megabytes.
    """
    trim = _function("malloc_trim", (ctypes.c_size_t,))
    if trim is not None:
        trim(0)
