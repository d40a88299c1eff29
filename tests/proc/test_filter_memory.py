"""The filters of the last sync: a private hint, that stops nothing where it cannot be kept."""

from __future__ import annotations

import os
import stat

import pytest

from orbit_fast.core.filter_record import FilterRecord
from orbit_fast.proc.filter_memory import EXPIRES_S
from orbit_fast.proc.filter_memory import FilterMemory

NOW_S = 2_000_000_000.0
EXCLUDES = FilterRecord(exclude=("a",))
NOTHING = FilterRecord()


class Bench:
    """A state directory, and what was logged."""

    def __init__(self, directory):
        self.directory = directory
        self.logs = []

    def memory(self, record, sides=b"one\0other", now_s=NOW_S):
        """Of a sync with these filters."""
        state = str(self.directory) if self.directory else ""
        return FilterMemory(state, sides, record, now_s=now_s, log=self.logs.append)

    def keep(self, record, **how):
        """A sync with these filters is done, at its time."""
        before = set(self.files())
        self.memory(record, **how).keep()
        for path in set(self.files()) - before:
            os.utime(path, (how.get("now_s", NOW_S),) * 2)

    def files(self):
        """What is kept."""
        return sorted((self.directory / "filters").glob("*"))


@pytest.fixture
def bench(tmp_path):
    """A state directory that is not there yet."""
    return Bench(tmp_path / "state" / "orbit")


def test_the_last_sync_is_remembered(bench):
    """By its two sides, and only the last one; nobody is asked anything the first time."""
    assert bench.memory(NOTHING).weakened() == ()
    bench.keep(EXCLUDES)
    assert bench.memory(NOTHING).weakened() == ("--exclude",)
    assert bench.memory(EXCLUDES).weakened() == ()
    assert bench.memory(NOTHING, sides=b"other\0one").weakened() == ()
    bench.keep(NOTHING)
    assert bench.memory(NOTHING).weakened() == ()
    [path] = bench.files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert bench.logs == []


def test_what_is_old_is_forgotten(bench):
    """It asks nothing any more, and the next one that is kept removes it, with what a crash has left."""
    bench.keep(EXCLUDES, sides=b"old")
    later_s = NOW_S + EXPIRES_S
    assert bench.memory(NOTHING, sides=b"old", now_s=later_s).weakened() == ("--exclude",)
    assert bench.memory(NOTHING, sides=b"old", now_s=later_s + 1).weakened() == ()
    left = bench.directory / "filters" / "x.123"
    left.touch()
    os.utime(left, (NOW_S, NOW_S))
    bench.keep(NOTHING, sides=b"new", now_s=later_s + 1)
    assert len(bench.files()) == 1
    assert bench.logs == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"exclude":"a"}',
        b'{"exclude":[1]}',
        b'{"unheard":1}',
        b'{"exclude":["' + b"a" * (1 << 20) + b'"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_says_nothing(bench, content):
    """It is told to whoever listens, and replaced by the next one."""
    bench.keep(EXCLUDES)
    [path] = bench.files()
    path.write_bytes(content)
    os.utime(path, (NOW_S, NOW_S))
    assert bench.memory(NOTHING).weakened() == ()
    [log] = bench.logs
    assert log.startswith(f"the filters of the last sync are not known: {path}: ")
    bench.keep(EXCLUDES)
    assert bench.memory(NOTHING, now_s=0).weakened() == ("--exclude",)


def test_another_version_says_nothing(bench):
    """It may mean something else by the same words."""
    bench.keep(FilterRecord(version=2, exclude=("a",)))
    assert bench.memory(NOTHING).weakened() == ()
    assert bench.logs == []


def test_what_others_may_write_says_nothing(bench):
    """Nor does a link."""
    bench.keep(EXCLUDES)
    [path] = bench.files()
    path.chmod(0o620)
    assert bench.memory(NOTHING).weakened() == ()
    path.chmod(0o600)
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))
    assert bench.memory(NOTHING).weakened() == ()
    assert len(bench.logs) == 2


def test_without_a_state_directory_nothing_is_kept(tmp_path):
    """No home is no matter; one that cannot be written is told."""
    homeless = Bench(None)
    homeless.memory(EXCLUDES).keep()
    assert (homeless.memory(NOTHING).weakened(), homeless.logs) == ((), [])
    (tmp_path / "file").touch()
    bench = Bench(tmp_path / "file" / "x")
    bench.memory(EXCLUDES).keep()
    [log] = bench.logs
    assert log.endswith(": Not a directory")


def test_a_disk_that_is_full_leaves_the_last_one(bench, monkeypatch):
    """Half a record is none: the old one stays, and nothing beside it."""
    bench.keep(EXCLUDES)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        bench.memory(NOTHING).keep()
    assert bench.memory(NOTHING, now_s=0).weakened() == ("--exclude",)
    assert len(bench.files()) == 1
    assert "No space left" in bench.logs[0]
