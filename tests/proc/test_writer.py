"""One owner of stdout: whole lines, never a wait, and a report that is lost is known to be lost."""

from __future__ import annotations

import errno
import itertools
import json
import os
import pty
import resource
import select
import socket
import subprocess
import sys
import termios

import pytest

from orbit_fast.proc import writer as room
from orbit_fast.proc.errand import Errand
from orbit_fast.proc.writer import LineWriter

LINE = b"x" * 99 + b"\n"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, /proc")


@pytest.fixture
def pipe():
    """A pipe: read end, write end (blocking, as a shell makes it)."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.fixture
def writing():
    """Makes writers and ends them."""
    made = []

    def make(fd, **more):
        made.append(LineWriter(fd, **more))
        return made[-1]

    yield make
    for writer in made:
        writer.close()
        writer.close()


def read_now(fd):
    """What can be read now."""
    os.set_blocking(fd, False)
    found = []
    try:
        while data := os.read(fd, 1 << 16):
            found.append(data)
    except BlockingIOError:
        pass
    return b"".join(found)


def ticking(step_s=1.0):
    """A clock that goes on by `step_s` whenever it is read."""
    ticks = itertools.count()
    return lambda: next(ticks) * step_s


def test_nobody_reads(pipe, writing):
    """A pipe that nobody reads takes whole lines until it is full; then the writer goes on without waiting."""
    writer = writing(pipe[1])
    lines = b"".join(b"%05d %s" % (number, LINE) for number in range(2000))
    writer.write(lines)
    for _ in range(5):
        writer.pump()
    assert writer.wants_write
    first = read_now(pipe[0])
    assert first.endswith(b"\n")
    assert lines.startswith(first)
    writer.pump()
    rest = read_now(pipe[0])
    while writer.wants_write:
        writer.pump()
        rest += read_now(pipe[0])
    assert first + rest == lines
    assert writer.broken is None


def test_the_given_file_stays_blocking(pipe, writing):
    """The flag that others share is not touched, while the writer itself does not block."""
    writer = writing(pipe[1])
    assert os.get_blocking(pipe[1])
    assert not os.get_blocking(writer.fileno())
    writer.write(LINE)
    writer.pump()
    assert read_now(pipe[0]) == LINE


def test_pipe_that_cannot_be_opened_again(pipe, writing, monkeypatch):
    """Where the pipe cannot be opened once more, poll says when there is room, and nothing waits either."""
    monkeypatch.setattr(room, "open_again", lambda fd, is_terminal: fd)
    writer = writing(pipe[1])
    assert writer.fileno() == pipe[1]
    writer.write(LINE * 2000)
    writer.pump()
    assert writer.wants_write
    found = read_now(pipe[0])
    while writer.wants_write:
        writer.pump()
        found += read_now(pipe[0])
    assert found == LINE * 2000


def test_a_line_longer_than_one_write(pipe, writing):
    """A line longer than an atomic write arrives whole, between its neighbours."""
    writer = writing(pipe[1])
    lines = [b"before\n", b"y" * 10_000 + b"\n", b"after\n"]
    for line in lines:
        writer.write(line)
    writer.pump()
    assert read_now(pipe[0]) == b"".join(lines)


def test_two_writers_never_mix_lines(pipe, writing):
    """Two programs that write to one pipe mix lines, not parts of lines."""
    writers = [writing(pipe[1]), writing(pipe[1])]
    lines = [b"a" * 149 + b"\n", b"b" * 211 + b"\n"]
    found = b""
    for writer, line in zip(writers, lines, strict=True):
        writer.write(line * 2000)
    while any(writer.wants_write for writer in writers):
        for writer in writers:
            writer.pump()
        found += os.read(pipe[0], 3000)
    found += read_now(pipe[0])
    assert sorted(found.splitlines(keepends=True)) == sorted(line for line in lines for _ in range(2000))


def test_reader_gone(pipe, writing):
    """When the reader is gone the rest is dropped and counted, and later lines too."""
    writer = writing(pipe[1])
    writer.write(LINE)
    os.close(pipe[0])
    writer.pump()
    assert writer.broken.errno == errno.EPIPE
    writer.write(LINE * 2)
    assert writer.lost_bytes == 300
    assert not writer.wants_write
    assert not writer.drain(5, ticking())


def test_reader_gone_before_the_start(pipe, writing):
    """A pipe without a reader is no error until there is something to say."""
    os.close(pipe[0])
    writer = writing(pipe[1])
    assert writer.broken is None
    writer.write(LINE)
    writer.pump()
    assert writer.broken.errno == errno.EPIPE


@linux_only
def test_full_device(writing):
    """A device that is full breaks the writer with ENOSPC."""
    fd = os.open("/dev/full", os.O_WRONLY)
    writer = writing(fd)
    assert not writer.is_pollable
    writer.write(LINE)
    assert not writer.drain(5, ticking())
    assert (writer.broken.errno, writer.lost_bytes) == (errno.ENOSPC, 100)
    os.close(fd)


def test_closed_file_descriptor(writing):
    """A file descriptor that is not open breaks the writer at once."""
    fd = os.dup(2)
    os.close(fd)
    writer = writing(fd)
    assert writer.broken.errno == errno.EBADF
    assert "broken" in repr(writer)
    writer.write(LINE)
    assert writer.lost_bytes == 100


def test_read_only_file(tmp_path, writing):
    """A file that is open for reading only breaks the writer at its first write."""
    fd = os.open(tmp_path / "out", os.O_RDONLY | os.O_CREAT)
    writer = writing(fd)
    writer.write(LINE)
    writer.pump()
    assert writer.broken.errno == errno.EBADF
    os.close(fd)


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_regular_file(tmp_path, writing, flags):
    """A regular file takes everything, from where it stands."""
    path = tmp_path / "out"
    path.write_bytes(b"before\n")
    fd = os.open(path, os.O_WRONLY | flags)
    os.lseek(fd, 0, os.SEEK_END)
    writer = writing(fd)
    writer.write(LINE * 10_000)
    assert writer.drain(5, ticking(0.0))
    assert path.read_bytes() == b"before\n" + LINE * 10_000
    os.close(fd)


def test_one_pump_is_bounded(tmp_path, writing):
    """One pump writes a bounded amount, so that the loop goes on turning."""
    fd = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    writer = writing(fd)
    writer.write(LINE * 10_000)
    writer.pump()
    assert 0 < os.fstat(fd).st_size <= room.FILE_STEP
    assert writer.wants_write
    os.close(fd)


@pytest.mark.parametrize(
    ("by_others", "content"), [(b"", b"aaaaa\n"), (b"others", b"aaaaa\nbbbbothers")], ids=["alone", "shared"]
)
def test_disk_full_in_the_middle_of_a_line(tmp_path, by_others, content):
    """Of the line that a full disk cut short nothing stays, unless somebody has written behind it."""
    path = tmp_path / "out"

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def work():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        limit(10)
        writer = LineWriter(fd)
        writer.write(b"aaaaa\nbbbbb\nccccc\n")
        writer.pump()
        limit(100)
        with path.open("ab") as other:
            other.write(by_others)
        limit(10)
        writer.drain(5, lambda: 0.0)
        return [writer.broken.errno, writer.lost_bytes]

    result = Errand("writer", work, list, deadline_s=30, monotonic_s=lambda: 0.0).wait()
    assert result == [errno.EFBIG, 12]
    assert path.read_bytes() == content


def test_terminal_that_nobody_reads(writing):
    """A terminal whose reader is slow (or that was stopped with Ctrl-S) never makes the writer wait."""
    reader, terminal = pty.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    writer = writing(terminal)
    writer.write(LINE * 5000)
    for _ in range(5):
        writer.pump()
    assert writer.wants_write
    assert os.get_blocking(terminal)
    found = read_now(reader)
    while writer.wants_write:
        writer.pump()
        found += read_now(reader)
    while select.select([reader], [], [], 0.05)[0]:
        found += read_now(reader)
    assert found == LINE * 5000
    os.close(reader)
    os.close(terminal)


def test_socket(writing):
    """A socket as stdout (inetd, ssh) is served like a pipe."""
    ours, theirs = socket.socketpair()
    writer = writing(ours.fileno())
    writer.write(LINE * 5000)
    writer.pump()
    found = read_now(theirs.fileno())
    while writer.wants_write:
        writer.pump()
        found += read_now(theirs.fileno())
    assert found == LINE * 5000
    ours.close()
    theirs.close()


def test_drain_gives_up(pipe, writing):
    """Draining into a pipe that nobody reads ends when its time is over, and says that not all was written."""
    writer = writing(pipe[1])
    writer.write(LINE * 5000)
    assert not writer.drain(0.02, ticking(0.001))
    assert writer.broken is None


def test_drain_waits_for_a_slow_reader(pipe, writing):
    """Draining goes on while somebody reads, however slowly."""
    writer = writing(pipe[1])
    writer.write(LINE * 5000)
    reader = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.buffer.read()) != 500000)"], stdin=pipe[0]
    )
    os.close(pipe[0])
    assert writer.drain(30, lambda: 0.0)
    writer.close()
    os.close(pipe[1])
    assert reader.wait(60) == 0


def test_congestion(pipe, writing):
    """Whoever makes lines is told to wait while too many are queued."""
    writer = writing(pipe[1], capacity=1000)
    writer.write(LINE * 9)
    assert not writer.is_congested
    writer.write(LINE)
    assert writer.is_congested
    assert writer.queued_bytes == 1000
    writer.pump()
    assert not writer.is_congested


def test_half_a_line_is_refused(pipe, writing):
    """A line without its end is the caller's mistake; nothing of it is written."""
    writer = writing(pipe[1])
    with pytest.raises(ValueError, match="without its end"):
        writer.write(b"half")
    writer.write(b"")
    assert not writer.wants_write


@pytest.mark.slow
@linux_only
def test_closed_standard_fds_are_held():
    """With stdin and stdout closed, nothing opened later becomes stdout, and the writer knows that it is gone."""
    code = (
        "import os, json\n"
        "from orbit_fast.proc.writer import hold_standard_fds, LineWriter\n"
        "held = hold_standard_fds()\n"
        "fd = os.open('/dev/null', os.O_RDWR)\n"
        "writer = LineWriter(1)\n"
        "writer.write(b'line\\n'); writer.pump()\n"
        "os.write(2, json.dumps([held, fd, writer.broken.errno]).encode())\n"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&- >&-', sys.executable, code], stderr=subprocess.PIPE, check=True
    )
    held, fd, number = json.loads(done.stderr)
    assert held == [0, 1]
    assert fd > 2
    assert number == errno.EBADF
