"""The external sort gives everything back, sorted, from little memory, and leaves no file behind."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import Scope
from orbit_fast.io import external_sort as module
from orbit_fast.io.external_sort import MAX_RUNS
from orbit_fast.io.external_sort import ExternalSort
from orbit_fast.io.external_sort import Spool

PAIRS = st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=120)


@given(pairs=PAIRS, memory_bytes=st.sampled_from([1, 300, 1000, 1 << 20]))
def test_everything_comes_back_in_order(pairs, memory_bytes) -> None:
    """Any bytes, duplicates too, however little memory there is; twice if asked twice."""
    with ExternalSort(memory_bytes=memory_bytes) as sort:
        for name, record in pairs:
            sort.add(name, record)
        assert len(sort) == len(pairs)
        for _ in range(2):
            found = list(sort.pairs())
            assert [name for name, _ in found] == sorted(name for name, _ in pairs)
            assert sorted(found) == sorted(pairs)
        if memory_bytes in {1, 1 << 20}:
            assert sort.is_on_disk == (memory_bytes == 1 and bool(pairs))


def test_many_runs_become_few(monkeypatch) -> None:
    """Open files stay few however many runs there are: full levels are merged into one run of the next."""
    monkeypatch.setattr(module, "_FRAME_BYTES", 64)
    count = MAX_RUNS * MAX_RUNS + 5
    with ExternalSort(memory_bytes=1) as sort:
        for number in range(count):
            sort.add(b"%06d" % (number * 7919 % count), b"%d" % number)
        assert [len(level) for level in sort._runs] == [5, 0, 1]
        assert [name for name, _ in sort.pairs()] == [b"%06d" % number for number in range(count)]


def test_nothing_stays_on_disk(tmp_path) -> None:
    """The files have no name while they are used, and are closed when the sort is."""
    before = len(os.listdir("/dev/fd"))
    sort = ExternalSort(memory_bytes=1, directory=os.fsencode(tmp_path))
    for number in range(10):
        sort.add(b"%d" % number)
    sort._pairs.clear()
    assert sort.is_on_disk
    assert not os.listdir(tmp_path)
    with sort:
        assert len(list(sort.pairs())) == 10
    assert len(os.listdir("/dev/fd")) == before
    assert not os.listdir(tmp_path)


@given(pairs=PAIRS, cut=st.integers(0, 120))
def test_a_spool_keeps_the_order_of_its_pairs(pairs, cut) -> None:
    """What was added comes back as it was added, also when it is read in between."""
    with Spool() as spool:
        for name, record in pairs[:cut]:
            spool.add(name, record)
        assert list(spool.pairs()) == pairs[:cut]
        for name, record in pairs[cut:]:
            spool.add(name, record)
        assert list(spool.pairs()) == pairs
        assert len(spool) == len(pairs)


def test_a_spool_on_disk_can_be_read_and_added_to(monkeypatch) -> None:
    """Frames on disk, and those that are not yet there."""
    monkeypatch.setattr(module, "_FRAME_BYTES", 10)
    with Spool() as spool:
        expected = []
        for number in range(50):
            spool.add(b"%03d" % number, b"x")
            expected.append((b"%03d" % number, b"x"))
            assert list(spool.pairs()) == expected


def test_a_full_disk_stops_the_job(monkeypatch) -> None:
    """No space for temporary files is told as what it is."""

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(module.tempfile, "TemporaryFile", lambda **_: Full())
    with ExternalSort(memory_bytes=1) as sort, pytest.raises(NoSpace) as caught:
        sort.add(b"", bytes(1 << 20))
    assert caught.value.scope is Scope.JOB


def test_a_file_that_was_cut_is_an_error(monkeypatch) -> None:
    """A temporary file that lost its end is never a shorter list."""
    monkeypatch.setattr(module, "_FRAME_BYTES", 10)
    with Spool() as spool:
        for number in range(10):
            spool.add(b"%09d" % number)
        spool._file.truncate(5)
        with pytest.raises(module.S3Error, match="shorter than what was written"):
            list(spool.pairs())
