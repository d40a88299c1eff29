"""After every test of this room: no file descriptor, no child and no signal handler is left behind."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import psutil
import pytest


def open_fds():
    """The file descriptors of this process, with what they lead to."""
    found = {}
    for path in Path("/dev/fd").iterdir():
        try:
            found[int(path.name)] = path.readlink()
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Fails a test that leaks, or closes what is not its own.

    Servers of other rooms may run in this process, or below it: connections that they close meanwhile are theirs.
    """
    before, children = open_fds(), psutil.Process().children()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    yield
    if open_fds() != before:
        gc.collect()  # a cycle may hold something; 0.3 s where many tests have run before, so not for every one
    assert [child for child in psutil.Process().children() if child not in children] == []
    after = open_fds()
    assert {fd: path for fd, path in after.items() if before.get(fd) != path} == {}
    assert {fd: path for fd, path in before.items() if fd not in after and not str(path).startswith("socket:")} == {}
    assert {number: signal.getsignal(number) for number in handlers} == handlers
