"""Opening and reading source files."""

import os
import socket
import stat

import pytest

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.errors import Vanished
from orbit_fast.io.sources import fingerprint
from orbit_fast.io.sources import open_source


@pytest.fixture(autouse=True)
def no_descriptor_left():
    """Every test gives back what it opens."""
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    yield
    after = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    assert len(after) <= len(before)


def _write(path, data=b"hello"):
    path.write_bytes(data)
    return os.fsencode(path)


def test_facts_are_those_of_the_open_file(tmp_path):
    """Size, time, mode and fingerprint come from the descriptor."""
    path = _write(tmp_path / "a", b"12345")
    os.chmod(path, 0o640)
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    facts = os.stat(path)
    with open_source(path) as source:
        assert (source.size, source.mtime_ns, source.mode) == (5, 1_700_000_000_123_456_789, 0o640)
        assert source.fingerprint == (facts.st_dev, facts.st_ino, 5, facts.st_mtime_ns, facts.st_ctime_ns)
        assert fingerprint(source.fd) == source.fingerprint


@pytest.mark.parametrize(("offset", "count", "expected"), [(0, 5, b"hello"), (1, 3, b"ell"), (4, 1, b"o"), (5, 0, b"")])
def test_reads_at_positions(tmp_path, offset, count, expected):
    """`read_into` fills the view with the bytes at the offset."""
    buffer = bytearray(count)
    with open_source(_write(tmp_path / "a")) as source:
        source.read_into(memoryview(buffer), offset)
        assert source.read_all() == b"hello"
    assert buffer == expected


def test_an_empty_file_is_read_whole(tmp_path):
    """A file of no bytes gives no bytes."""
    with open_source(_write(tmp_path / "a", b"")) as source:
        assert source.read_all() == b""
        source.check_unchanged()


def test_short_reads_are_continued(tmp_path, monkeypatch):
    """A file system that gives fewer bytes than asked is asked again."""
    preadv, pread = os.preadv, os.pread
    monkeypatch.setattr(os, "preadv", lambda fd, views, offset: preadv(fd, (views[0][:2],), offset))
    monkeypatch.setattr(os, "pread", lambda fd, count, offset: pread(fd, 3, offset))
    buffer = bytearray(5)
    with open_source(_write(tmp_path / "a")) as source:
        source.read_into(memoryview(buffer), 0)
        assert source.read_all() == b"hello"
    assert buffer == b"hello"


def test_a_truncated_file_has_changed(tmp_path):
    """Reading past the end of a file that became shorter raises at once, whole or in part."""
    path = _write(tmp_path / "a")
    with open_source(path) as source:
        os.truncate(path, 3)
        with pytest.raises(SourceChanged):
            source.read_into(memoryview(bytearray(5)), 0)
        with pytest.raises(SourceChanged):
            source.read_all()


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"other bytes"),
        lambda path: path.write_bytes(b"HELLO"),
        lambda path: os.truncate(path, 1),
        lambda path: os.chmod(path, 0o600),
        lambda path: os.utime(path, ns=(0, 0)),
    ],
    ids=["longer", "same size", "shorter", "mode", "time put back"],
)
def test_any_change_is_noticed(tmp_path, change):
    """Whatever touches the inode changes the fingerprint; a time that is put back does not hide it."""
    path = tmp_path / "a"
    with open_source(_write(path)) as source:
        os.utime(path, ns=(0, 0))
    with open_source(os.fsencode(path)) as source:
        source.check_unchanged()
        change(path)
        with pytest.raises(SourceChanged):
            source.check_unchanged()


def test_replaced_by_rename_is_read_as_it_was(tmp_path):
    """The open descriptor keeps the old version whole when another file takes the name."""
    path = _write(tmp_path / "a")
    with open_source(path) as source:
        os.rename(_write(tmp_path / "b", b"other"), path)
        assert source.read_all() == b"hello"


def test_another_version_is_refused(tmp_path):
    """With an expected fingerprint, only that version opens."""
    path = _write(tmp_path / "a")
    with open_source(path) as source:
        expected = source.fingerprint
    open_source(path, expected=expected).close()
    os.rename(_write(tmp_path / "b", b"hello"), path)
    with pytest.raises(SourceChanged):
        open_source(path, expected=expected)


def test_close_is_idempotent(tmp_path):
    """A second close does not close somebody else's descriptor."""
    source = open_source(_write(tmp_path / "a"))
    fd = source.fd
    source.close()
    other = os.open(tmp_path / "a", os.O_RDONLY)
    assert other == fd
    source.close()
    os.fstat(other)
    os.close(other)


def test_links_are_followed_only_when_asked(tmp_path):
    """A symbolic link is an error of its own, unless it is to be followed."""
    _write(tmp_path / "a")
    link = tmp_path / "link"
    link.symlink_to("a")
    with pytest.raises(LocalError) as caught:
        open_source(os.fsencode(link))
    assert caught.value.code == "E_SYMLINK"
    with open_source(os.fsencode(link), follow_symlinks=True) as source:
        assert source.read_all() == b"hello"


def test_special_files_are_refused_without_waiting(tmp_path):
    """Neither FIFO, directory, device nor socket opens, and none of them blocks."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dir").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.close()
    for name in (tmp_path / "fifo", tmp_path / "dir", "/dev/null", tmp_path / "socket"):
        with pytest.raises(LocalError) as caught:
            open_source(os.fsencode(name))
        assert caught.value.code == "E_SPECIAL", name


def test_missing_and_unreadable(tmp_path, monkeypatch):
    """A file that is gone has vanished; one that may not be read is unreadable; the name is shown."""
    with pytest.raises(Vanished, match=r"No such file.*/gone"):
        open_source(os.fsencode(tmp_path / "gone"))
    path = _write(tmp_path / "a")
    with pytest.raises(Vanished):
        open_source(path + b"/below")
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "x")))
    with pytest.raises(SourceUnreadable, match="Permission denied"):
        open_source(path)


def test_disk_errors_while_reading_are_typed(tmp_path, monkeypatch):
    """EIO from any read call is a source that cannot be read."""

    def fail(*_):
        raise OSError(5, "Input/output error")

    with open_source(_write(tmp_path / "a")) as source:
        monkeypatch.setattr(os, "preadv", fail)
        monkeypatch.setattr(os, "pread", fail)
        monkeypatch.setattr(os, "fstat", fail)
        for read in (lambda: source.read_into(memoryview(bytearray(1)), 0), source.read_all, source.check_unchanged):
            with pytest.raises(SourceUnreadable):
                read()
        monkeypatch.undo()


def test_descriptors_are_not_inherited(tmp_path):
    """A child program does not get the descriptor."""
    with open_source(_write(tmp_path / "a")) as source:
        assert not os.get_inheritable(source.fd)
        assert stat.S_ISREG(os.fstat(source.fd).st_mode)
