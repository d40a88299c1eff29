"""Long computations beside the loop: in threads, while connections go on.

Only what lets go of Python's lock while it works is worth it: reading files, and hashing what was read. A thread shares
nothing with the loop but what it was given, and it asks now and then whether its result is wanted any more.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Final
from typing import TypeVar

from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import SourceChanged
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.flow import Flow
from orbit_fast.io.flow import Until
from orbit_fast.io.sinks import Md5
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import fill

T = TypeVar("T")

STEP_BYTES: Final = 1 << 20
SMALL_BYTES: Final = 256 << 10
"""Files up to this size are read where the loop runs: a thread costs more."""

IsOver = Callable[[], bool]


def aside(work: Callable[[IsOver], T]) -> Flow[T]:
    """Have `work` done in a thread; it is given a function that says whether to stop.

    Raises:
        S3Error: `work` raised it.
    """
    over = threading.Event()
    future = asyncio.get_running_loop().run_in_executor(None, work, over.is_set)
    # Whoever gives up does not look at the result: then nobody shall complain that nobody did.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        yield Until(lambda wake: future.add_done_callback(lambda _: wake()))
        return future.result()
    finally:
        over.set()


class FileAside:
    """An open file that is hashed in a thread, if it is worth it."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file

    def read_into(self, view: memoryview, offset: int) -> None:
        """As `SourceFile.read_into`."""
        self._file.read_into(view, offset)

    def pieces(self, size: int, piece_size: int, algorithm: str) -> Flow[list[str]]:
        """The checksum of each `piece_size` bytes: base64, or of ``MD5`` hexadecimal.

        Raises:
            SourceChanged: the file has become shorter.
            SourceUnreadable: the disk refuses.
        """
        if size <= SMALL_BYTES:
            return _pieces(_Reader(self._file), (size, piece_size), algorithm, lambda: False)
        # The flow may be given up, and the file closed, before the thread notices.
        reader = _Reader(self._file, own=True)

        def work(is_over: IsOver) -> list[str]:
            try:
                return _pieces(reader, (size, piece_size), algorithm, is_over)
            finally:
                reader.close()

        return (yield from aside(work))


def is_same_content(first: SourceFile, second: SourceFile) -> Flow[bool]:
    """Whether two files of one size hold the same bytes.

    Raises:
        SourceChanged: one has become shorter.
        SourceUnreadable: the disk refuses.
    """
    size = first.size
    if size <= SMALL_BYTES:
        return _is_same((_Reader(first), _Reader(second)), size, lambda: False)
    readers = (_Reader(first, own=True), _Reader(second, own=True))

    def work(is_over: IsOver) -> bool:
        try:
            return _is_same(readers, size, is_over)
        finally:
            for reader in readers:
                reader.close()

    return (yield from aside(work))


class _Reader:
    """Reads a file; with a descriptor of its own where it may outlive the one that was opened."""

    def __init__(self, file: SourceFile, *, own: bool = False) -> None:
        self._path = file.path
        self._is_own = own
        self._fd = os.dup(file.fd) if own else file.fd

    def read(self, view: memoryview, offset: int) -> None:
        try:
            fill(self._fd, view, offset)
        except EOFError:
            raise SourceChanged(f"the file became shorter while it was being read: {os.fsdecode(self._path)}") from None
        except OSError as error:
            raise local_error(error, self._path, Side.SOURCE) from None

    def close(self) -> None:
        if self._is_own:
            os.close(self._fd)


def _pieces(reader: _Reader, sizes: tuple[int, int], algorithm: str, is_over: IsOver) -> list[str]:
    size, piece_size = sizes
    memory = memoryview(bytearray(min(STEP_BYTES, max(size, 1))))
    values = []
    for start in range(0, max(size, 1), piece_size):
        end = min(start + piece_size, size)
        hasher = Md5() if algorithm == "MD5" else new_hasher(algorithm)
        for position in range(start, end, STEP_BYTES):
            if is_over():
                raise Cancelled("given up")
            chunk = memory[: min(STEP_BYTES, end - position)]
            reader.read(chunk, position)
            hasher.update(chunk)
        values.append(hasher.value())
    return values


def _is_same(readers: tuple[_Reader, _Reader], size: int, is_over: IsOver) -> bool:
    step = min(STEP_BYTES, max(size, 1))
    views = (memoryview(bytearray(step)), memoryview(bytearray(step)))
    for offset in range(0, size, step):
        count = min(step, size - offset)
        if is_over():
            raise Cancelled("given up")
        for reader, view in zip(readers, views, strict=True):
            reader.read(view[:count], offset)
        if views[0][:count] != views[1][:count]:
            return False
    return True
