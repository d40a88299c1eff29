"""Immutable bytes, in memory when small and in a file when large.

A blob's file is removed when nothing refers to the blob any more. An object is a `Content`: a sequence of blobs, so
that completing a multipart upload or copying an object moves no byte.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STEP = 1024 * 1024
"""Bytes read from a file at a time."""


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


class Blob:
    """Some bytes that never change."""

    __slots__ = ("__weakref__", "_data", "path", "size")

    def __init__(self, size: int, *, data: bytes = b"", path: Path | None = None) -> None:
        self.size = size
        self.path = path
        self._data = data
        if path is not None:
            weakref.finalize(self, _remove, path)

    def chunks(self, offset: int, length: int) -> Iterator[memoryview | bytes]:
        """The bytes from `offset` on, `length` of them, in steps of at most `STEP` when they are on disk."""
        if self.path is None:
            yield memoryview(self._data)[offset : offset + length]
            return
        with self.path.open("rb", buffering=0) as file:
            file.seek(offset)
            while length:
                piece = file.read(min(length, STEP))
                length -= len(piece)
                yield piece

    def __repr__(self) -> str:
        return f"Blob({self.size} bytes{' on disk' if self.path else ''})"


class BlobWriter:
    """Collects a blob; what exceeds `spill_size` bytes goes to a file in `directory`."""

    __slots__ = ("_directory", "_file", "_path", "_pieces", "_spill_size", "size")
    _numbers = itertools.count()

    def __init__(self, directory: Path, spill_size: int) -> None:
        self.size = 0
        self._directory = directory
        self._spill_size = spill_size
        self._pieces: list[bytes] = []
        self._file = -1
        self._path: Path | None = None

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self.size += len(data)
        if self._file >= 0:
            self._write_file(data)
            return
        self._pieces.append(data)
        if self.size > self._spill_size:
            self._path = self._directory / f"blob-{os.getpid()}-{next(self._numbers)}"
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                self._write_file(piece)

    def _write_file(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def finish(self) -> Blob:
        """The blob; the writer is empty afterwards."""
        if self._file < 0:
            pieces, self._pieces = self._pieces, []
            return Blob(self.size, data=pieces[0] if len(pieces) == 1 else b"".join(pieces))
        os.close(self._file)
        self._file = -1
        path, self._path = self._path, None
        return Blob(self.size, path=path)

    def discard(self) -> None:
        """Forget what was written. Harmless after `finish`."""
        self._pieces = []
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None:
            _remove(self._path)
            self._path = None


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an object or a part: blobs one after the other."""

    pieces: tuple[tuple[Blob, int, int], ...] = ()
    """(blob, offset, length) each."""

    @classmethod
    def of(cls, data: bytes) -> Content:
        """A content that holds `data` in memory."""
        return cls.of_blob(Blob(len(data), data=data))

    @classmethod
    def of_blob(cls, blob: Blob) -> Content:
        """A content that is one whole blob."""
        return cls(((blob, 0, blob.size),)) if blob.size else cls()

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(length for _, _, length in self.pieces)

    def slice(self, offset: int, length: int) -> Content:
        """The part that starts at `offset` and has `length` bytes, or fewer where the content ends before."""
        pieces = []
        for blob, start, count in self.pieces:
            if offset < count and length:
                taken = min(count - offset, length)
                pieces.append((blob, start + offset, taken))
                length -= taken
                offset = 0
            else:
                offset -= min(offset, count)
        return Content(tuple(pieces))

    def chunks(self) -> Iterator[memoryview | bytes]:
        """All bytes in order."""
        for blob, offset, length in self.pieces:
            yield from blob.chunks(offset, length)

    def read(self) -> bytes:
        """All bytes as one value."""
        return b"".join(self.chunks())

    @classmethod
    def join(cls, contents: list[Content]) -> Content:
        """One content after the other."""
        return cls(tuple(itertools.chain.from_iterable(content.pieces for content in contents)))
