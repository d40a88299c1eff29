"""Sorting more than memory holds: sorted runs on disk, merged when they are read.

For sides that do not come in S3's order: lists that people write, directories of millions of files, services that do
not sort. Names and records are bytes and may hold anything; what is equal is kept. Memory is bounded by what the caller
gives, whatever is put in: what does not fit is sorted and written as a *run*, a temporary file that has no name any
more when the first byte is written, so that nothing is left behind however the process ends. Many runs are first merged
into one, so that the number of open files is bounded too.

A run is a row of frames: four bytes of length (big-endian), then so many bytes of MessagePack, an array of pairs. Only
one frame of each run is in memory while runs are merged.
"""

from __future__ import annotations

import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Iterator
from operator import itemgetter
from typing import IO
from typing import Final
from typing import Self

import msgspec

from orbit_fast.core.errors import S3Error
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error

MEMORY_BYTES: Final = 64 << 20
"""What is sorted in memory, as Python objects: about 300,000 names of 50 bytes."""

MAX_RUNS: Final = 32
"""So many runs are merged into one: each is an open file, and a frame in memory."""

_FRAME_BYTES: Final = 128 << 10
_FRAME_PAIRS: Final = 2000
_PAIR_BYTES: Final = sys.getsizeof((b"", b"")) + 16  # the tuple, and its place in two lists

Pair = tuple[bytes, bytes]
"""A name and what belongs to it."""

_name = itemgetter(0)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Pair]).decode


class Spool:
    """Pairs in a private temporary file, in the order in which they were added. Nothing is on disk before `add`."""

    def __init__(self, directory: bytes | None = None) -> None:
        """An empty spool; its file will be in `directory`, or where the system keeps temporary files."""
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._pending: list[Pair] = []
        self._pending_bytes = 0
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def add(self, name: bytes, record: bytes = b"") -> None:
        """One more pair.

        Raises:
            LocalError: the disk does not take it.
        """
        self._pending.append((name, record))
        self._pending_bytes += len(name) + len(record)
        self.count += 1
        if self._pending_bytes >= _FRAME_BYTES:
            self._flush()

    def pairs(self) -> Iterator[Pair]:
        """All pairs, from the first. The spool may be read again, and is not to be added to while it is read.

        Raises:
            LocalError: the disk does not give them back.
        """
        for frame in self.frames():
            yield from frame

    def frames(self) -> Iterator[list[Pair]]:
        """As `pairs`, many at a time."""
        if self._file is not None:
            offset = 0
            while True:
                frame, offset = self._read(self._file, offset)
                if frame is None:
                    break
                yield frame
        if self._pending:
            yield list(self._pending)

    def close(self) -> None:
        """Give the file up."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._pending = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        frame = _encode(self._pending)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - `close` closes it
            data = len(frame).to_bytes(4) + frame
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise _disk_error(error) from None
        self._pending = []
        self._pending_bytes = 0

    def _read(self, file: IO[bytes], offset: int) -> tuple[list[Pair] | None, int]:
        """The frame at `offset`, None at the end, and where the next one is."""
        try:
            file.seek(offset)
            head = file.read(4)
            if not head:
                file.seek(0, 2)
                return None, offset
            size = int.from_bytes(head)
            frame = bytearray()
            while len(frame) < size:
                frame += file.read(size - len(frame)) or _cut_short()
            file.seek(0, 2)  # where the next frame is written
        except OSError as error:
            raise _disk_error(error) from None
        return _decode(frame), offset + 4 + size


class ExternalSort:
    """Pairs in, the same pairs out in the order of their names' bytes."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, directory: bytes | None = None) -> None:
        """An empty one.

        Args:
            memory_bytes: what may be held, more or less; a frame for each run comes on top while runs are merged.
            directory: for temporary files; None is where the system keeps them.
        """
        self._memory_bytes = memory_bytes
        self._directory = directory
        self._pairs: list[Pair] = []
        self._size = 0
        self._runs: list[list[Spool]] = []
        self.count = 0

    def __len__(self) -> int:
        return self.count

    @property
    def is_on_disk(self) -> bool:
        """Whether memory did not suffice."""
        return bool(self._runs)

    def add(self, name: bytes, record: bytes = b"") -> None:
        """One more pair.

        Raises:
            LocalError: the disk does not take it.
        """
        self._pairs.append((name, record))
        self._size += _PAIR_BYTES + sys.getsizeof(name) + sys.getsizeof(record)
        self.count += 1
        if self._size >= self._memory_bytes:
            self._spill()

    def pairs(self) -> Iterator[Pair]:
        """Everything, sorted. May be read more than once; nothing is added while it is read.

        Raises:
            LocalError: the disk does not give it back.
        """
        self._pairs.sort(key=_name)
        runs = [spool for level in self._runs for spool in level]
        if not runs:
            yield from self._pairs
        else:
            last = (self._pairs[start : start + _FRAME_PAIRS] for start in range(0, len(self._pairs), _FRAME_PAIRS))
            yield from _merged([*(run.frames() for run in runs), last])

    def close(self) -> None:
        """Give memory and files up."""
        for level in self._runs:
            for run in level:
                run.close()
        self._runs = []
        self._pairs = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spill(self) -> None:
        self._pairs.sort(key=_name)
        self._keep(0, self._pairs)
        self._pairs = []
        self._size = 0

    def _keep(self, level: int, pairs: Iterable[Pair]) -> None:
        """Write a run of this level; as many as are merged at once become one of the next."""
        run = Spool(self._directory)
        if level == len(self._runs):
            self._runs.append([])
        self._runs[level].append(run)
        for name, record in pairs:
            run.add(name, record)
        if len(self._runs[level]) >= MAX_RUNS:
            full, self._runs[level] = self._runs[level], []
            try:
                self._keep(level + 1, _merged([each.frames() for each in full]))
            finally:
                for each in full:
                    each.close()


def _merged(runs: list[Iterator[list[Pair]]]) -> Iterator[Pair]:
    """The pairs of sorted runs, sorted.

    Not one by one: everything up to the smallest of the frames' last names is in memory, so it is sorted at once, which
    finds the runs in it and merges them in C (0.3 us a pair; a heap of runs takes 1.5).
    """
    frames = [(frame, run) for run in runs if (frame := next(run, None))]
    while frames:
        bound = min(frame[-1][0] for frame, _ in frames)
        ready: list[Pair] = []
        rest = []
        for frame, run in frames:
            end = bisect_right(frame, bound, key=_name)
            ready += frame[:end]
            left: list[Pair] | None = frame[end:] or next(run, None)
            if left:
                rest.append((left, run))
        ready.sort(key=_name)
        yield from ready
        frames = rest


def _cut_short() -> bytes:
    raise OSError("a temporary file is shorter than what was written to it")


def _disk_error(error: OSError) -> S3Error:
    return local_error(error, tempfile.gettempdirb(), Side.DESTINATION)
