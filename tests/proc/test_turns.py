"""Lines and data on one stdout: neither is ever in the middle of the other, and no line waits for who writes data."""

from __future__ import annotations

import errno
import os

import pytest

from orbit_fast.proc import turns as module
from orbit_fast.proc.turns import TurnWriter

MIB = 1 << 20


class Bench:
    """A writer on a pipe, and what was read from it."""

    def __init__(self):
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        self.writer = TurnWriter(self.write_fd)
        self.got = b""
        self.turns = 0
        self.writer.on_turn = self._count

    def _count(self):
        self.turns += 1

    def read(self):
        """Read what is there."""
        try:
            data = os.read(self.read_fd, 8 * MIB)
        except BlockingIOError:
            data = b""
        self.got += data
        return bool(data)

    def read_all(self):
        """Read and pump until nothing comes any more."""
        while True:
            self.writer.pump()
            if not self.read() and not self.writer.wants_write:
                return

    def close(self):
        """Give everything back."""
        self.writer.close()
        for fd in (self.read_fd, self.write_fd):
            os.close(fd)


@pytest.fixture
def bench():
    """A pipe and its writer."""
    bench = Bench()
    yield bench
    bench.close()


def lines(count, letter=b"x"):
    """So many lines of 1000 bytes, each with its number."""
    return b"".join(b"%06d" % number + letter * 993 + b"\n" for number in range(count))


def test_lines_wait_while_data_is_written(bench):
    """Those of before are out first, those of the turn come behind the data; nobody is made to wait."""
    writer = bench.writer
    writer.write(b"before\n")
    assert writer.ask_turn()
    writer.write(lines(2000))
    assert not writer.wants_write
    assert not writer.is_congested
    os.write(bench.write_fd, b"DATA")
    writer.pump()
    writer.write(b"meanwhile\n")
    writer.end_turn()
    assert writer.is_congested
    bench.read_all()
    assert bench.got == b"before\nDATA" + lines(2000) + b"meanwhile\n"
    writer.write(b"after\n")
    bench.read_all()
    assert bench.got.endswith(b"meanwhile\nafter\n")


def test_data_waits_for_lines_of_before(bench):
    """The pipe is full: whoever asked is told when the last of them has gone."""
    writer = bench.writer
    writer.write(lines(3000))
    assert not writer.ask_turn()
    writer.write(b"behind\n")
    while not bench.turns:
        assert bench.read()
        writer.pump()
    while bench.read():
        pass
    assert bench.got == lines(3000)
    assert writer.has_turn
    writer.end_turn()
    bench.read_all()
    assert bench.got == lines(3000) + b"behind\n"


def test_turns_and_lines_alternate(bench):
    """What waited during one turn goes before the next; what comes after that was asked for waits again."""
    writer = bench.writer
    assert writer.ask_turn()
    writer.write(lines(2000))
    writer.end_turn()
    assert not writer.ask_turn()
    writer.write(b"second\n")
    while not bench.turns:
        assert bench.read()
        writer.pump()
    os.write(bench.write_fd, b"DATA")
    writer.end_turn()
    bench.read_all()
    assert bench.got == lines(2000) + b"DATA" + b"second\n"


def test_many_lines_wait_on_disk_and_whoever_makes_them_is_told(bench, monkeypatch):
    """`is_full`, until they have been written."""
    monkeypatch.setattr(module, "FULL_BYTES", 3 * MIB)
    writer = bench.writer
    assert writer.ask_turn()
    for _ in range(4):
        assert not writer.is_full
        writer.write(lines(1000))
    assert writer.is_full
    writer.end_turn()
    bench.read_all()
    assert not writer.is_full
    assert bench.got == 4 * lines(1000)


def test_a_file_takes_lines_at_once(tmp_path):
    """Nobody would say when it can be written to."""
    path = tmp_path / "out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = TurnWriter(fd)
    writer.write(lines(3000))
    assert writer.ask_turn()
    assert path.read_bytes() == lines(3000)
    writer.write(b"behind\n")
    writer.end_turn()
    assert writer.drain(1.0, lambda: 0.0)
    assert path.read_bytes() == lines(3000) + b"behind\n"
    writer.close()
    os.close(fd)


def test_at_the_end_everything_is_drained(bench):
    """As far as there is a reader: the rest is still to be written."""
    writer = bench.writer
    assert writer.ask_turn()
    writer.write(lines(3000))
    writer.end_turn()
    assert not writer.drain(0.0, lambda: 0.0)
    assert writer.wants_write
    while not writer.drain(0.001, lambda: 0.0):
        bench.read()
    bench.read_all()
    assert bench.got == lines(3000)


def test_a_lost_reader_loses_what_waits_too(bench):
    """All of it is counted, and turns come at once: whoever writes data finds out by itself."""
    writer = bench.writer
    assert writer.ask_turn()
    writer.write(lines(2000))
    writer.end_turn()
    os.close(bench.read_fd)
    bench.read_fd = os.open(os.devnull, os.O_RDONLY)
    writer.pump()
    assert writer.broken.errno == errno.EPIPE
    assert writer.lost_bytes == len(lines(2000))
    assert not writer.wants_write
    assert writer.ask_turn()


def test_a_full_disk_is_a_lost_report(bench, monkeypatch):
    """Lines that cannot wait are lost and counted; those of before have gone."""

    class Full:
        def seek(self, offset):
            """Anywhere."""

        def write(self, data):
            """Nothing fits."""
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def close(self):
            """Not even this."""
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    bench.writer.close()
    monkeypatch.setattr(module, "_new_file", Full)
    writer = TurnWriter(bench.write_fd)
    assert writer.ask_turn()
    writer.write(b"lost\n")
    assert writer.broken.errno == errno.ENOSPC
    assert writer.lost_bytes == 5
    monkeypatch.undo()
    writer._forget()
    bench.writer = writer
