"""Slots: one holder at a time, and none that anybody can still read is handed out again."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import NoSpace
from orbit_fast.proc import slots as room
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.errand import Errand
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.slots import SlotPool
from orbit_fast.proc.spawn import Method
from orbit_fast.proc.spawn import start_worker
from tests.kit import worker_entries

PAGE = 4096
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memfd")


@pytest.fixture
def arena():
    """Two workers, three slots of one page each."""
    arena = SlotArena.create(max_memory=6 * PAGE, workers=2, slot_size=PAGE)
    yield arena
    assert arena.leased == 0
    arena.close()


@pytest.fixture
def pool(arena):
    """The slots of worker 1."""
    pool = SlotPool(arena, 1)
    yield pool
    assert (pool.leased, pool.lingering) == (0, 0)
    pool.close()


@pytest.mark.parametrize(
    ("max_memory", "workers", "slot_size", "expected"),
    [
        (8 << 20, 2, 1 << 20, (4, 1 << 20)),
        ((8 << 20) - 1, 2, 1 << 20, (3, 1 << 20)),
        (0, 3, 1, (1, PAGE)),
        (10 * PAGE, 1, PAGE + 1, (5, 2 * PAGE)),
    ],
)
def test_geometry(max_memory, workers, slot_size, expected):
    """Slots are whole pages, never more than the memory allowed, but at least one a worker; attached ones agree."""
    arena = SlotArena.create(max_memory=max_memory, workers=workers, slot_size=slot_size)
    assert (arena.slots_per_worker, arena.slot_size) == expected
    again = SlotArena.attach(os.dup(arena.fd))
    assert (again.slots_per_worker, again.slot_size, again.workers) == (*expected, workers)
    again.close()
    arena.close()


@pytest.mark.parametrize(("workers", "slot_size"), [(0, PAGE), (1, 0)])
def test_no_room_for_nothing(workers, slot_size):
    """An arena for nobody, or of nothing, is a mistake of the caller."""
    with pytest.raises(ValueError, match="an arena for"):
        SlotArena.create(max_memory=PAGE, workers=workers, slot_size=slot_size)


def test_a_lease_is_written_in_the_table(arena, pool):
    """While a slot is held the table says by which process; every lease has its own generation."""
    slot = pool.lease()
    assert slot.index in range(3, 6)
    assert (arena.owner(slot.index), arena.generation(slot.index), slot.generation) == (os.getpid(), 0, 0)
    assert (arena.leased, pool.leased, pool.free) == (1, 1, 2)
    assert slot.is_held
    slot.release()
    assert not slot.is_held
    assert (arena.owner(slot.index), arena.generation(slot.index)) == (0, 1)
    again = pool.lease()
    assert (again.index, again.generation) == (slot.index, 1)
    again.release()


def test_use_after_release_raises(pool):
    """The memory of a released slot cannot be touched through the lease."""
    slot = pool.lease()
    slot.view[:3] = b"abc"
    assert slot.view[:3] == b"abc"
    slot.release()
    with pytest.raises(ValueError, match="released"):
        slot.view[0]


def test_releasing_twice_raises(pool):
    """A second release would free a slot that somebody else holds by now."""
    slot = pool.lease()
    slot.release()
    other = pool.lease()
    with pytest.raises(Internal, match="twice"):
        slot.release()
    assert other.is_held
    other.release()


def test_all_in_use(pool):
    """When all slots are leased there is none, until one comes back."""
    held = [pool.lease() for _ in range(3)]
    assert pool.lease() is None
    held[1].release()
    again = pool.lease()
    assert again.index == held[1].index
    for slot in (held[0], held[2], again):
        slot.release()


def test_a_slot_somebody_still_reads_is_not_handed_out(pool, arena):
    """A slice that outlives the release keeps its slot out of use, and its bytes as they are, until it is gone."""
    slot = pool.lease()
    slot.view[:4] = b"mine"
    kept = slot.view[:4]
    slot.release()
    assert (pool.leased, pool.lingering, pool.free) == (0, 1, 2)
    assert arena.owner(slot.index) == os.getpid()
    others = [pool.lease(), pool.lease()]
    assert pool.lease() is None
    assert slot.index not in {other.index for other in others}
    for other in others:
        other.view[:4] = b"else"
    assert kept == b"mine"
    kept.release()
    again = pool.lease()
    assert again.index == slot.index
    assert pool.lingering == 0
    for other in (*others, again):
        other.release()


def test_a_view_held_by_c_code_lingers(pool):
    """A view whose memory C code holds (as a transport does) cannot be released, so its slot lingers."""
    slot = pool.lease()
    held = (ctypes.c_char * 10).from_buffer(slot.view)
    slot.release()
    assert pool.lingering == 1
    del held
    assert pool.lingering == 0
    assert pool.free == 3


def test_slots_lost_in_a_cycle_are_found(pool):
    """When every slot lingers in garbage, asking for one collects the garbage."""
    for _ in range(3):
        slot = pool.lease()
        cycle = [slot.view[:1]]
        cycle.append(cycle)
        slot.release()
        del cycle
    assert pool.lingering == 3
    slot = pool.lease()
    assert slot is not None
    slot.release()


def test_closing_with_a_lease_out_raises(pool):
    """A pool that ends with a slot still held says so."""
    slot = pool.lease()
    with pytest.raises(Internal, match="1 slots are leased"):
        pool.close()
    slot.release()


def test_closing_the_mapping_under_a_pool_raises():
    """A mapping is not unmapped under somebody's feet."""
    arena = SlotArena.create(max_memory=0, workers=1, slot_size=PAGE)
    pool = SlotPool(arena, 0)
    with pytest.raises(Internal, match="still holds memory"):
        arena.close()
    pool.close()
    arena._map.close()
    os.close(arena.fd)
    assert "closed" in repr(arena)


@given(st.lists(st.tuples(st.sampled_from(["lease", "release", "keep", "drop"]), st.integers(0, 5)), max_size=60))
def test_no_two_holders_whatever_happens(steps):
    """After any sequence of leases, releases and forgotten slices, every holder and every slice still has its bytes."""
    arena = SlotArena.create(max_memory=4 * PAGE, workers=1, slot_size=PAGE)
    pool = SlotPool(arena, 0)
    held, kept, serial = [], [], 0
    for action, pick in steps:
        if action == "lease" and (slot := pool.lease()) is not None:
            serial += 1
            slot.view[:8] = serial.to_bytes(8)
            held.append((slot, serial))
        elif action == "release" and held:
            held.pop(pick % len(held))[0].release()
        elif action == "keep" and held:
            slot, number = held[pick % len(held)]
            kept.append((slot.view[:8], number))
        elif action == "drop" and kept:
            kept.pop(pick % len(kept))[0].release()
        assert all(int.from_bytes(slot.view[:8]) == number for slot, number in held)
        assert all(int.from_bytes(view) == number for view, number in kept)
        assert pool.leased == len(held)
    for view, _ in kept:
        view.release()
    for slot, _ in held:
        slot.release()
    slot = view = None
    assert (pool.leased, pool.lingering, pool.free, arena.leased) == (0, 0, 4, 0)
    pool.close()
    arena.close()


def test_slots_of_workers_are_apart(arena):
    """No byte of one worker's slots is another's, and none is the table's or the counters'."""
    arena.board.row(1).set(Cell.BEATS, 77)
    pools = [SlotPool(arena, 0), SlotPool(arena, 1)]
    held = [slot for pool in pools for slot in (pool.lease(), pool.lease(), pool.lease())]
    for slot in held:
        slot.view[:] = bytes([slot.index + 1]) * PAGE
    assert all(bytes(slot.view) == bytes([slot.index + 1]) * PAGE for slot in held)
    assert sorted(slot.index for slot in held) == list(range(6))
    assert arena.board.get(1, Cell.BEATS) == 77
    for slot in held:
        slot.release()
    for pool in pools:
        pool.close()


def test_no_such_worker(arena):
    """Slots of a worker that the arena has no room for are refused."""
    with pytest.raises(IndexError):
        SlotPool(arena, 2)


@linux_only
def test_nobody_can_shrink_it(arena):
    """The mapping's size is sealed: no process that has it can make another one's memory vanish."""
    with pytest.raises(PermissionError):
        os.ftruncate(arena.fd, 0)


@pytest.mark.parametrize("content", [b"", b"x", bytes(PAGE), bytes(3 * PAGE)])
def test_another_file_is_refused(content):
    """What is no arena is not attached."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        with pytest.raises(Internal):
            SlotArena.attach(file.fileno())


def test_without_memfd(monkeypatch, tmp_path):
    """Elsewhere than on Linux the mapping is a file without a name, and works the same."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arena = SlotArena.create(max_memory=0, workers=1, slot_size=PAGE)
    assert list(tmp_path.iterdir()) == []
    assert os.fstat(arena.fd).st_nlink == 0
    assert os.fstat(arena.fd).st_mode & 0o777 == 0o600
    pool = SlotPool(arena, 0)
    slot = pool.lease()
    slot.view[:2] = b"ok"
    slot.release()
    pool.close()
    arena.close()


def limited(limit_kind, size, workers, memory):
    """In a child with a resource limit: slots a worker, or the error's name."""

    def work():
        resource.setrlimit(limit_kind, (size, size))
        try:
            arena = SlotArena.create(max_memory=memory, workers=workers)
        except NoSpace as error:
            return str(error)
        return str(arena.slots_per_worker)

    return Errand("limited", work, str, deadline_s=30, monotonic_s=lambda: 0.0).wait()


@linux_only
def test_less_memory_than_wished():
    """Where the system does not allow the size wanted, a smaller arena is made."""
    assert limited(resource.RLIMIT_FSIZE, 9 << 20, 2, 64 << 20) == "4"


@linux_only
def test_a_part_of_a_limited_address_space():
    """A forked worker has the slots twice, and needs room for everything else."""
    assert limited(resource.RLIMIT_AS, 8 << 30, 2, 4 << 30) == "1024"


@linux_only
def test_no_memory_at_all():
    """Where not even one slot a worker is allowed, one clear line says so."""
    assert "does not give 2 MiB of shared memory" in limited(resource.RLIMIT_FSIZE, 1 << 20, 2, 64 << 20)


@pytest.mark.parametrize("method", [Method.FORK, pytest.param(Method.EXEC, marks=pytest.mark.slow)])
def test_a_killed_worker_leaves_nothing_leased(arena, method):
    """What a worker held when it was killed is free again once it has been reaped, one generation on."""
    worker = start_worker(1, f"{worker_entries.NAME}:lease", arena_fd=arena.fd, method=method)
    held = json.loads(worker_entries.receive(worker.channel)[0])
    assert [arena.owner(index) for index in held] == [worker.pid, worker.pid]
    with memoryview(arena._map) as memory:
        first = arena._first_slot + held[0] * PAGE
        assert memory[first : first + 5] == b"hello"
    worker.kill(signal.SIGKILL)
    assert worker.wait(60) == -signal.SIGKILL
    assert arena.reclaim(1) == 2
    assert [arena.generation(index) for index in held] == [1, 1]
    assert arena.leased == 0
    assert (arena.board.get(1, Cell.REQUESTS), arena.board.get(1, Cell.IN_FLIGHT)) == (2, 0)
    assert arena.reclaim(0) == 0
    worker.close()


def test_magic_is_text():
    """A dump of the mapping begins with the layout's name."""
    assert room.MAGIC.to_bytes(8, "little") == b"ORBSLOT2"


def test_the_stage_is_shared_and_no_slot():
    """What one process puts there, another one sees; slots and counters lie elsewhere; both count as memory."""
    arena = SlotArena.create(max_memory=16 << 12, workers=2, slot_size=4096, stage=10_000)
    other = SlotArena.attach(os.dup(arena.fd))
    assert (len(arena.stage), arena.slots_per_worker) == (12288, 6)
    arena.stage[:] = b"\xaa" * len(arena.stage)
    assert other.stage == arena.stage
    pool = SlotPool(other, 1)
    slots = [pool.lease() for _ in range(6)]
    for slot in slots:
        assert bytes(slot.view) == bytes(4096)
        slot.view[:] = b"\xbb" * 4096
        slot.release()
    del slots, slot
    assert set(arena.stage) == {0xAA}
    pool.close()
    other.close()
    arena.close()


def test_there_is_no_stage_where_none_was_asked_for():
    """Most jobs pass no stream."""
    arena = SlotArena.create(max_memory=1 << 20, workers=1)
    assert len(arena.stage) == 0
    arena.close()


@linux_only
def test_a_sandbox_without_memfd(monkeypatch, tmp_path):
    """Where the kernel's call is not allowed to exist, a file without a name does."""

    def refuse(*_):
        raise OSError(errno.ENOSYS, "no such call")

    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arena = SlotArena.create(max_memory=0, workers=1, slot_size=PAGE)
    assert (list(tmp_path.iterdir()), os.fstat(arena.fd).st_nlink) == ([], 0)
    arena.close()
