"""What a job does to a disk, written down while it does it: one line of JSON for each call that changes something.

`install` is called in a process before it begins the job; its workers are forked and write to the same record. A call
stands there once it is done, but for those that flush: they cover what was there when they began.
"""

from __future__ import annotations

import base64
import fcntl
import functools
import json
import os
import stat
from collections.abc import Callable
from typing import Any

from orbit_fast.io import files
from orbit_fast.io import spelling

_STDOUT = 1


def install(record: str) -> None:
    """Write down what this process and its children do to files, at the end of the file `record`."""
    opened, write, close = os.open, os.write, os.close

    def note(kind: str, **facts: Any) -> None:
        line = json.dumps({"kind": kind, **facts}).encode() + b"\n"
        # Opened each time: workers close every descriptor that they do not know.
        fd = opened(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write(fd, line)
        finally:
            close(fd)

    for name, wrap in _WRAPPERS.items():
        setattr(os, name, wrap(getattr(os, name), note))
    files.reserve = _reserved(files.reserve, note)
    spelling.rename_exclusively = _renamed_exclusively(spelling.rename_exclusively, note)


def _path(name: Any, directory: int | None = None) -> str:
    text = os.fsdecode(name)
    if directory is not None:
        text = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), text)
    return os.path.abspath(text)


def _file(fd: int) -> int:
    """The number of a regular file, or 0 for anything else."""
    facts = os.fstat(fd)
    return facts.st_ino if stat.S_ISREG(facts.st_mode) else 0


def _opened(call: Callable[..., int], note: Callable[..., None]) -> Callable[..., int]:
    def wrapper(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        is_new = bool(flags & os.O_EXCL)
        fd = call(path, flags, mode, dir_fd=dir_fd)
        if is_new:
            note("create", path=_path(path, dir_fd), file=_file(fd))
        return fd

    return wrapper


def _written(call: Callable[..., int], note: Callable[..., None]) -> Callable[..., int]:
    def wrapper(fd: int, data: Any) -> int:
        number = _file(fd)
        if not number:
            return call(fd, data)
        offset = os.fstat(fd).st_size if _appends(fd) else os.lseek(fd, 0, os.SEEK_CUR)
        done = call(fd, data)
        written = bytes(memoryview(data)[:done])
        kind = "said" if number == _file(_STDOUT) else "write"  # it may have been opened again
        note(kind, file=number, offset=offset, data=base64.b64encode(written).decode())
        return done

    return wrapper


def _appends(fd: int) -> bool:
    return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)


def _written_at(call: Callable[..., int], note: Callable[..., None]) -> Callable[..., int]:
    def wrapper(fd: int, data: Any, offset: int) -> int:
        done = call(fd, data, offset)
        number = _file(fd)
        if number:
            written = bytes(memoryview(data)[:done])
            note("write", file=number, offset=offset, data=base64.b64encode(written).decode())
        return done

    return wrapper


def _truncated(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    def wrapper(fd: int, size: int) -> None:
        call(fd, size)
        if _file(fd):
            note("resize", file=_file(fd), size=size)

    return wrapper


def _flushed(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    def wrapper(fd: int) -> None:
        number = _file(fd)
        if number:
            note("flush", file=number)
        else:
            note("flush directory", path=os.readlink(f"/proc/self/fd/{fd}"))
        call(fd)

    return wrapper


def _renamed(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    def wrapper(old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        call(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        note("rename", path=_path(old, src_dir_fd), to=_path(new, dst_dir_fd))

    return wrapper


def _removed(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    def wrapper(path: Any, *, dir_fd: int | None = None) -> None:
        call(path, dir_fd=dir_fd)
        note("remove", path=_path(path, dir_fd))

    return wrapper


def _made(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    def wrapper(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        call(path, mode, dir_fd=dir_fd)
        note("mkdir", path=_path(path, dir_fd))

    return wrapper


def _reserved(call: Callable[[int, int], None], note: Callable[..., None]) -> Callable[[int, int], None]:
    @functools.wraps(call)
    def wrapper(fd: int, size: int) -> None:
        call(fd, size)
        note("resize", file=_file(fd), size=os.fstat(fd).st_size)

    return wrapper


def _renamed_exclusively(call: Callable[..., None], note: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(call)
    def wrapper(old: bytes, new: bytes, *, dir_fd: int) -> None:
        call(old, new, dir_fd=dir_fd)
        note("rename", path=_path(old, dir_fd), to=_path(new, dir_fd))

    return wrapper


_WRAPPERS: dict[str, Callable[..., Callable[..., Any]]] = {
    "open": _opened,
    "write": _written,
    "pwrite": _written_at,
    "ftruncate": _truncated,
    "fsync": _flushed,
    "rename": _renamed,
    "unlink": _removed,
    "mkdir": _made,
}
