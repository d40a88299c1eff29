"""Slots: the fixed pieces of shared memory that payload bytes pass through.

One anonymous mapping is made before the workers and inherited by them. It has no name: nothing is left behind by
``kill -9``, nobody else can open it. On Linux it is a memfd whose size is sealed, so that nobody can shrink it under a
reader; elsewhere a temporary file that is unlinked at once. It holds, in this order::

    header (one page) | counters: a row a worker | slot table: owner, generation | slots | stage

*Who writes what.* Worker ``w`` owns the contiguous slots ``w*n … (w+1)*n-1`` and their table entries; the supervisor
writes them only when it has reaped the worker (`SlotArena.reclaim`). So every 8-byte cell has one writer, and a slot
needs no lock.

The *stage* belongs to the supervisor, and is there only where bytes pass through it: from stdin, or to stdout. Workers
receive into it and send from it where an order says so; a piece of it is used again only when the order has been
answered, or the worker that had it has been reaped.

*When is a slot free?* Not when somebody says so, but when nothing can read it any more. Engines have corrupted uploads
by reusing a buffer that a slow attempt was still sending from. Here every lease hands out a fresh view whose exporter
counts the views derived from it, slices too. `Slot.release` ends the view; if any slice is still held by somebody (a
transport, a Body), the slot *lingers*: it is not leased again before the last slice is gone. That is a mistake of the
one who released it, so tests assert that `SlotPool.lingering` is 0; but it costs a slot, not a byte.

*Memory.* Pages are committed when they are touched, and leases are last in, first out: a job that needs three slots
touches three. A memfd is limited by memory alone (not by the size of ``/dev/shm``), and where the address space, the
file size or the disk does not allow the wanted size, a smaller arena is made.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import mmap
import os
import resource
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import NoSpace
from orbit_fast.proc.cells import ROW_BYTES
from orbit_fast.proc.cells import CellBoard

SLOT_SIZE = 1 << 20
"""Default slot: 1 MiB reads and sends cost the least CPU per byte (64 KiB 0.215, 1 MiB 0.16, 8 MiB 0.28 s/GiB)."""
MAGIC = 0x32544F4C5342524F
"""``ORBSLOT2``, little endian: the layout's name and version."""

_HEADER = struct.Struct("<6Q")
_HEADER_BYTES = 4096
_ENTRY_CELLS = 2
_ENTRY_BYTES = 8 * _ENTRY_CELLS
_SHARES = 4
"""One of so many parts of a limited address space is for the arena."""
_TOO_BIG = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EINVAL})


def _align(size: int) -> int:
    """`size` rounded up to whole pages."""
    page = mmap.ALLOCATIONGRANULARITY
    return (size + page - 1) // page * page


class SlotArena:
    """The shared mapping. Made once by the supervisor, attached by every worker.

    Attributes:
        fd: what a worker attaches by; not inherited by exec unless passed.
        workers: how many workers it has room for.
        slots_per_worker: how many slots each of them owns.
        slot_size: bytes of a slot, whole pages.
        board: the counters.
        stage: the supervisor's own memory; empty where none was asked for.
    """

    __slots__ = ("_first_slot", "_map", "_table", "board", "fd", "slot_size", "slots_per_worker", "stage", "workers")

    def __init__(self, fd: int) -> None:
        """Map what `fd` holds; `create` and `attach` are the ways in.

        Raises:
            Internal: it is not an arena of this version.
            OSError: it cannot be mapped.
        """
        self.fd = fd
        size = os.fstat(fd).st_size
        if size < _HEADER_BYTES:
            raise Internal(f"the shared mapping has {size} bytes")
        self._map = mmap.mmap(fd, size)
        magic, slot_size, per_worker, workers, stage, total = _HEADER.unpack_from(self._map)
        if magic != MAGIC or total != len(self._map):
            self._map.close()
            raise Internal("the shared mapping is not one of this version")
        if sys.platform == "linux":
            self._map.madvise(mmap.MADV_DONTDUMP)
        self.slot_size = int(slot_size)
        self.slots_per_worker = int(per_worker)
        self.workers = int(workers)
        table_at = _HEADER_BYTES + workers * ROW_BYTES
        self._first_slot = _first_slot(workers, per_worker)
        with memoryview(self._map) as memory:
            self.board = CellBoard(memory[_HEADER_BYTES:], workers=workers)
            self._table = memory[table_at : table_at + workers * per_worker * _ENTRY_BYTES].cast("Q")
            self.stage = memory[total - stage :]

    @classmethod
    def create(cls, *, max_memory: int, workers: int, slot_size: int = SLOT_SIZE, stage: int = 0) -> SlotArena:
        """An arena of at most `max_memory` bytes of stage and slots, but at least one slot a worker.

        Where the address space is limited (``ulimit -v``) it takes a quarter of that: a forked worker has it twice.

        Raises:
            NoSpace: the system does not even give one slot a worker.
            OSError: no file descriptors left.
        """
        if workers < 1 or slot_size < 1:
            raise ValueError(f"an arena for {workers} workers with slots of {slot_size} bytes")
        slot_size = _align(slot_size)
        stage = _align(stage)
        per_worker = max(1, (min(max_memory, _address_space() // _SHARES) - stage) // slot_size // workers)
        while True:
            try:
                return cls._make(workers, per_worker, slot_size, stage)
            except OSError as error:
                if error.errno not in _TOO_BIG:
                    raise
                if per_worker == 1:
                    size = (workers * slot_size + stage) >> 20
                    raise NoSpace(f"the system does not give {size} MiB of shared memory: {error.strerror}") from error
            per_worker = per_worker // 2

    @classmethod
    def _make(cls, workers: int, per_worker: int, slot_size: int, stage: int) -> SlotArena:
        total = _first_slot(workers, per_worker) + workers * per_worker * slot_size + stage
        fd = _open_anonymous(total)
        try:
            os.pwrite(fd, _HEADER.pack(MAGIC, slot_size, per_worker, workers, stage, total), 0)
            return cls(fd)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int) -> SlotArena:
        """The arena behind an inherited file descriptor; the arena owns `fd` from now on.

        Raises:
            Internal: it is not an arena of this version.
            OSError: it cannot be mapped.
        """
        return cls(fd)

    @property
    def leased(self) -> int:
        """Slots in use, of all workers."""
        return sum(1 for slot in range(self.workers * self.slots_per_worker) if self._table[slot * _ENTRY_CELLS])

    def owner(self, slot: int) -> int:
        """The process id that holds slot `slot`, or 0."""
        return int(self._table[slot * _ENTRY_CELLS])

    def generation(self, slot: int) -> int:
        """How often slot `slot` has been given back."""
        return int(self._table[slot * _ENTRY_CELLS + 1])

    def mark(self, slot: int, *, owner: int) -> None:
        """Write the table entry of a slot: held by process `owner`. Only its worker's `SlotPool` does."""
        self._table[slot * _ENTRY_CELLS] = owner

    def unmark(self, slot: int) -> None:
        """Write the table entry of a slot: free, one generation on. Only its one writer does."""
        self._table[slot * _ENTRY_CELLS + 1] += 1
        self._table[slot * _ENTRY_CELLS] = 0

    def reclaim(self, worker: int) -> int:
        """Free what a dead worker held; how many slots that were.

        Only when the process has been reaped: then its sockets are closed and nothing sends from its slots.
        """
        first = worker * self.slots_per_worker
        held = [slot for slot in range(first, first + self.slots_per_worker) if self.owner(slot)]
        for slot in held:
            self.unmark(slot)
        self.board.retire(worker)
        return len(held)

    def export(self, slot: int) -> Any:
        """The memory of one slot as an object of its own (a ctypes array), which every view of it refers to."""
        import ctypes  # noqa: PLC0415 - only processes that lease slots need it

        offset = self._first_slot + slot * self.slot_size
        return (ctypes.c_ubyte * self.slot_size).from_buffer(self._map, offset)

    def close(self) -> None:
        """Unmap and close. Closing twice is harmless.

        Raises:
            Internal: a slot of it is still exported.
        """
        if self._map.closed:
            return
        self.board.close()
        self._table.release()
        try:
            self.stage.release()
            self._map.close()
        except BufferError as error:
            raise Internal("the shared mapping is closed while somebody still holds memory of it") from error
        os.close(self.fd)

    def __repr__(self) -> str:
        state = "closed" if self._map.closed else f"leased={self.leased}"
        return f"<SlotArena {self.workers}x{self.slots_per_worker} slots of {self.slot_size} bytes {state}>"


class Slot:
    """The right to use one slot.

    Attributes:
        index: which slot of the arena.
        generation: how often it had been given back before this lease.
        view: its memory, writable. Using it after `release` raises ValueError.
    """

    __slots__ = ("_give_back", "generation", "index", "view")

    def __init__(self, index: int, generation: int, view: memoryview, give_back: Callable[[Slot], None]) -> None:
        self.index = index
        self.generation = generation
        self.view = view
        self._give_back: Callable[[Slot], None] | None = give_back

    @property
    def is_held(self) -> bool:
        """Whether it has not been released yet."""
        return self._give_back is not None

    def release(self) -> None:
        """Give the slot back.

        Raises:
            Internal: it was given back before.
        """
        if self._give_back is None:
            raise Internal(f"slot {self.index} is released twice")
        give_back, self._give_back = self._give_back, None
        give_back(self)

    def __repr__(self) -> str:
        return f"<Slot {self.index} generation={self.generation} {'held' if self.is_held else 'released'}>"


class SlotPool:
    """One worker's slots. Used by one process and one thread.

    Attributes:
        leased: slots that are held; 0 at the end of everything.
    """

    __slots__ = ("_arena", "_exporters", "_first", "_free", "_idle_references", "_lingering", "_owner", "leased")

    def __init__(self, arena: SlotArena, worker: int) -> None:
        """The slots of worker `worker`, all of them free.

        Raises:
            IndexError: the arena has no such worker.
        """
        if not 0 <= worker < arena.workers:
            raise IndexError(f"worker {worker} of {arena.workers}")
        self._arena = arena
        self._first = worker * arena.slots_per_worker
        self._owner = os.getpid()
        self._exporters = [arena.export(self._first + number) for number in range(arena.slots_per_worker)]
        self._free = list(reversed(range(arena.slots_per_worker)))
        self._lingering: list[Slot] = []
        self._idle_references = sys.getrefcount(self._exporters[0])
        self.leased = 0

    @property
    def slot_size(self) -> int:
        """Bytes of a slot."""
        return self._arena.slot_size

    @property
    def free(self) -> int:
        """Slots that can be leased now (a lingering one can not)."""
        self._sweep()
        return len(self._free)

    @property
    def lingering(self) -> int:
        """Slots that were released while somebody still held a view of them. More than 0 is somebody's mistake."""
        self._sweep()
        return len(self._lingering)

    def lease(self) -> Slot | None:
        """A slot, or None when all are in use. The one released last comes first: it is warm."""
        if not self._free and not self._find_free():
            return None
        number = self._free.pop()
        index = self._first + number
        self._arena.mark(index, owner=self._owner)
        self.leased += 1
        # ctypes exports with format "<B", which slices but does not compare or assign; raw() gives plain bytes, and
        # its buffer still refers to the exporter itself.
        view = PickleBuffer(self._exporters[number]).raw()
        return Slot(index, self._arena.generation(index), view, self._give_back)

    def close(self) -> None:
        """Let go of the mapping.

        Raises:
            Internal: a slot is still leased or lingers.
        """
        self._sweep()
        if self.leased or self._lingering:
            raise Internal(f"{self.leased} slots are leased and {len(self._lingering)} linger at the end")
        self._free.clear()
        self._exporters.clear()

    def _give_back(self, slot: Slot) -> None:
        self.leased -= 1
        if not self._reclaim(slot):
            self._lingering.append(slot)

    def _reclaim(self, slot: Slot) -> bool:
        """Free the slot if nothing refers to its memory; whether that is so."""
        try:
            slot.view.release()
        except BufferError:  # a transport holds this very view
            return False
        number = slot.index - self._first
        if sys.getrefcount(self._exporters[number]) != self._idle_references:
            return False
        self._arena.unmark(slot.index)
        self._free.append(number)
        return True

    def _find_free(self) -> bool:
        """Look again whether a lingering slot is free by now."""
        self._sweep()
        if not self._free and not self.leased and self._lingering:
            # All of them linger, so nobody will give one back: what holds them may be a cycle that waits to be found.
            gc.collect()
            self._sweep()
        return bool(self._free)

    def _sweep(self) -> None:
        """Free those lingering slots whose last view has gone."""
        if self._lingering:
            self._lingering = [slot for slot in self._lingering if not self._reclaim(slot)]

    def __repr__(self) -> str:
        return f"<SlotPool leased={self.leased} free={len(self._free)} lingering={len(self._lingering)}>"


def _address_space() -> int:
    """Bytes that a process may map."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _first_slot(workers: int, per_worker: int) -> int:
    """Offset of the first slot: after header, counters and table, on a page of its own."""
    return _align(_HEADER_BYTES + workers * ROW_BYTES + workers * per_worker * _ENTRY_BYTES)


def _open_anonymous(size: int) -> int:
    """A file descriptor of `size` zero bytes that no name leads to.

    Raises:
        OSError: the size is not possible, or no file descriptors are left.
    """
    memfd = _open_memfd()
    fd = _open_unlinked() if memfd < 0 else memfd
    try:
        os.ftruncate(fd, size)
        if memfd >= 0 and sys.platform == "linux":
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        elif hasattr(os, "posix_fallocate"):
            # A page that the disk has no room for would be a SIGBUS at its first touch.
            os.posix_fallocate(fd, 0, size)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_memfd() -> int:
    """Memory without a name, or -1 where the system has no such thing.

    Raises:
        OSError: no file descriptors are left.
    """
    if sys.platform != "linux":
        return -1
    try:
        return os.memfd_create("orbit-slots", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        if error.errno != errno.ENOSYS:  # a sandbox, for one
            raise
    return -1


def _open_unlinked() -> int:
    """A temporary file without a name, 0600.

    Raises:
        OSError: there is no directory for it.
    """
    import tempfile  # noqa: PLC0415 - only where the system has no memfd

    fd, path = tempfile.mkstemp(prefix="orbit-slots-")
    Path(path).unlink()
    return fd
