"""One sync at a time for one destination."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.proc.destination_lock import DestinationLock
from orbit_fast.proc.destination_lock import lock_name

PLACE = S3Url("b", "p/")


def _lock(directory, logs=None, name="n"):
    log = [].append if logs is None else logs.append
    return DestinationLock(str(directory) if directory else "", name, "s3://b/p/", log=log)


def test_destinations_are_told_apart(tmp_path):
    """By service, bucket and prefix, or by the real directory; however they are written."""
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    path = bytes(tmp_path)
    names = {
        lock_name(PLACE, "", {}),
        lock_name(PLACE, "http://h:1", {}),
        lock_name(S3Url("b", "q/"), "", {}),
        lock_name(S3Url("c", "p/"), "", {}),
        lock_name(path + b"/d/", "", {}),
        lock_name(path + b"/e/", "", {}),
    }
    assert len(names) == 6
    assert lock_name(path + b"/link/", "", {}) == lock_name(path + b"/d/", "", {})
    assert lock_name(PLACE, "HTTP://h:1/", {}) == lock_name(PLACE, "", {"AWS_ENDPOINT_URL": "http://h:1"})
    both = {"AWS_ENDPOINT_URL": "http://other", "AWS_ENDPOINT_URL_S3": "http://h:1"}
    assert lock_name(PLACE, "", both) == lock_name(PLACE, "http://h:1", {})


def test_the_second_is_refused_until_the_first_is_done(tmp_path):
    """It is told the process that has it; other destinations are free; nothing is left behind."""
    first, second, other = _lock(tmp_path), _lock(tmp_path), _lock(tmp_path, name="other")
    first.take()
    path = tmp_path / "locks" / "n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    other.take()
    with pytest.raises(InvalidConfig) as caught:
        second.take()
    assert caught.value.message.startswith(f"another sync is writing to s3://b/p/: process {os.getpid()} (--wait ")
    assert (caught.value.code, caught.value.exit_code) == ("E_LOCKED", 2)
    second.release()
    first.release()
    second.take()
    second.release()
    other.release()
    assert os.listdir(path.parent) == []


def test_one_that_waits_gets_it_in_its_turn(tmp_path):
    """When the one before is done, under the name that the next one looks for."""
    first, second, third = (_lock(tmp_path) for _ in range(3))
    first.take()
    told: list[str] = []
    waits = threading.Event()
    waiter = threading.Thread(target=second.take, args=(lambda text: (told.append(text), waits.set()),))
    waiter.start()
    assert waits.wait(10)
    first.release()
    waiter.join(10)
    assert not waiter.is_alive()
    assert told == [f"another sync is writing to s3://b/p/: process {os.getpid()}"]
    with pytest.raises(InvalidConfig):
        third.take()
    second.release()


def test_a_file_that_was_removed_locks_nothing(tmp_path):
    """Somebody cleans up, and a third sync makes a new file: that one counts, and whoever waited waits for it too."""
    first, second, third = (_lock(tmp_path) for _ in range(3))
    first.take()
    told: list[str] = []
    waits = threading.Semaphore(0)
    waiter = threading.Thread(target=second.take, args=(lambda text: (told.append(text), waits.release()),))
    waiter.start()
    assert waits.acquire(timeout=10)
    (tmp_path / "locks" / "n").unlink()
    third.take()
    first.release()
    assert waits.acquire(timeout=10)
    assert waiter.is_alive()
    third.release()
    waiter.join(10)
    assert (waiter.is_alive(), len(told)) == (False, 2)
    second.release()


def test_without_a_state_directory_nothing_is_locked(tmp_path):
    """No home, or one that cannot be written: it is logged, and no failure."""
    (tmp_path / "file").touch()
    for directory, words in ((None, "no home directory"), (tmp_path / "file" / "x", "Not a directory")):
        logs: list[str] = []
        locks = [_lock(directory, logs) for _ in range(2)]
        for lock in locks:
            lock.take()
            lock.release()
        assert len(logs) == 2
        assert words in logs[0]
