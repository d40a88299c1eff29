"""Locks of dead and of living processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from orbit_fast.proc.filelock import LINGER_MS
from orbit_fast.proc.filelock import lock

HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_EX)
if sys.argv[2] == "orphaned" and os.fork():
    os._exit(0)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    """A file."""
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file"


@pytest.fixture
def held(path):
    """Has another process lock the file; what is returned ends it when its stdin is closed."""
    processes = []

    def held(how):
        command = [sys.executable, "-S", "-c", HOLDER, str(path), how]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout.readline() == b"locked\n"
        if how == "orphaned":
            process.wait(60)
        return process

    yield held
    for process in processes:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def take(path):
    """Whether it can be locked, and after how many seconds that is known."""
    fd = os.open(path, os.O_RDWR)
    started_s = time.monotonic()
    try:
        return lock(fd), time.monotonic() - started_s
    finally:
        os.close(fd)


def test_a_living_process_keeps_it(path, held):
    """Nothing is waited for."""
    held("alive")
    is_locked, took_s = take(path)
    assert not is_locked
    assert took_s < LINGER_MS / 1000


def test_a_file_that_nobody_has_is_locked(path):
    """By one at a time, also of one process."""
    with path.open("rb") as first:
        assert lock(first.fileno())
        assert take(path)[0] is False
    assert take(path)[0] is True


@pytest.mark.skipif(sys.platform != "linux", reason="nobody else tells who has a lock")
def test_what_a_dead_process_has_left_to_a_child_is_waited_for(path, held):
    """A child that is about to die, or to close what it was born with, is nobody who writes there."""
    process = held("orphaned")
    timer = threading.Timer(0.1, process.stdin.close)
    timer.start()
    assert take(path)[0] is True
    timer.join()
