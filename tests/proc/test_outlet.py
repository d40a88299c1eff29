"""stdout as a place for data, stdin as a source of it: never waited for, whatever stands behind them."""

from __future__ import annotations

import contextlib
import errno
import os
import pty
import socket

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.proc.inlet import Inlet
from orbit_fast.proc.outlet import Outlet

DATA = memoryview(os.urandom(4 << 20))


@pytest.fixture
def fds():
    """Makes pairs of file descriptors, closed at the end."""
    made = []

    def make(kind):
        if kind == "socket":
            one, other = socket.socketpair()
            pair = one.detach(), other.detach()
        else:
            pair = os.pipe() if kind == "pipe" else pty.openpty()
        made.extend(pair)
        return pair

    yield make
    for fd in made:
        with contextlib.suppress(OSError):  # closed by the test
            os.close(fd)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_full_reader_is_not_waited_for(fds, kind):
    """It takes what it can; then nothing, and nothing is broken; then the rest. The given descriptor stays blocking."""
    read_fd, write_fd = fds(kind)
    outlet = Outlet(write_fd)
    assert (outlet.is_pollable, outlet.fileno() == write_fd) == (True, False)
    taken = 0
    while count := outlet.write(DATA[taken:]):
        taken += count
    assert 0 < taken < len(DATA)
    assert outlet.broken is None
    assert os.get_blocking(write_fd)
    got = os.read(read_fd, taken)
    assert outlet.write(DATA[taken:]) > 0
    while len(got) < taken:
        got += os.read(read_fd, taken - len(got))
    assert got == DATA[:taken]
    outlet.close()
    outlet.close()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_reader_that_is_gone_is_remembered(fds, kind):
    """And nothing is written any more."""
    read_fd, write_fd = fds(kind)
    outlet = Outlet(write_fd)
    os.close(read_fd)
    assert outlet.write(DATA) == 0
    assert outlet.broken.errno == errno.EPIPE
    assert outlet.broken.__traceback__ is None
    outlet.close()


def test_a_pipe_that_cannot_be_opened_again_is_written_to_in_small_pieces(fds, monkeypatch):
    """So many bytes as fit for certain: another user's pipe may block."""
    monkeypatch.setattr("orbit_fast.proc.outlet.open_again", lambda fd, *, is_terminal: fd)
    read_fd, write_fd = fds("pipe")
    outlet = Outlet(write_fd)
    taken = 0
    while count := outlet.write(DATA[taken:]):
        assert count <= 4096
        taken += count
    assert taken > 0
    assert os.read(read_fd, 10) == DATA[:10]
    outlet.close()


def test_a_file_takes_everything_and_a_closed_descriptor_nothing(tmp_path):
    """A file cannot be watched, and need not be."""
    with (tmp_path / "f").open("wb") as file:
        outlet = Outlet(file.fileno())
        assert not outlet.is_pollable
        assert outlet.write(DATA) == 1 << 20
        outlet.close()
        fd = file.fileno()
    assert Outlet(fd).broken.errno == errno.EBADF
    assert (tmp_path / "f").read_bytes() == DATA[: 1 << 20]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_has_not_come_is_not_waited_for(fds, kind):
    """None: nothing yet; then what there is; then the end."""
    read_fd, write_fd = fds(kind)
    inlet = Inlet(read_fd)
    room = bytearray(100)
    assert inlet.is_pollable
    assert inlet.read(memoryview(room)) is None
    os.write(write_fd, b"abc")
    assert inlet.read(memoryview(room)) == 3
    assert room[:3] == b"abc"
    os.close(write_fd)
    assert inlet.read(memoryview(room)) == 0
    assert os.get_blocking(read_fd)
    inlet.close()
    inlet.close()


def test_a_file_is_read_as_far_as_it_goes(tmp_path):
    """From where it stands."""
    (tmp_path / "f").write_bytes(b"0123456789")
    with (tmp_path / "f").open("rb", buffering=0) as file:
        file.seek(4)
        inlet = Inlet(file.fileno())
        room = bytearray(4)
        assert not inlet.is_pollable
        assert [inlet.read(memoryview(room)) for _ in range(3)] == [4, 2, 0]
        inlet.close()


def test_what_is_no_source_of_data(fds, tmp_path):
    """A terminal, a directory, a closed descriptor: one line says so."""
    _, terminal = fds("terminal")
    with pytest.raises(InvalidConfig, match="terminal"):
        Inlet(terminal)
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(InvalidConfig, match="directory"):
        Inlet(directory)
    os.close(directory)
    with pytest.raises(InvalidConfig, match="closed"):
        Inlet(directory)


def test_an_error_of_reading_is_told():
    """With what cannot be read."""
    inlet = Inlet(os.open("/proc/self/mem", os.O_RDONLY))
    with pytest.raises(S3Error, match="stdin"):
        inlet.read(memoryview(bytearray(10)))
    os.close(inlet.fileno())
