"""Small files that are made in one go: as the landing files that are made step by step."""

from __future__ import annotations

import errno
import os

import pytest

from orbit_fast.core.errors import UnsafePath
from orbit_fast.io.files import Landings

RUN = "0123456789abcdef"
TIME_NS = 1_767_323_045 * 10**9


@pytest.fixture
def landings():
    """What makes them; at its end no directory is open."""
    landings = Landings(umask=0o027, run=RUN)
    yield landings
    landings.close()
    assert landings.directories.open_count == 0


def path_of(root, *names):
    """The path of a file below the root."""
    return os.fsencode(root.joinpath(*names))


def test_a_small_file_is_made_whole(tmp_path, landings):
    """Content, mode without the umask, time, and directories on the way; nothing else stays."""
    path = path_of(tmp_path, "a", "b", "f")
    landings.land(path, root=os.fsencode(tmp_path), number=1, data=memoryview(b"abc"), mtime_ns=TIME_NS)
    made = tmp_path / "a" / "b" / "f"
    assert made.read_bytes() == b"abc"
    assert (made.stat().st_mode & 0o777, made.stat().st_mtime_ns) == (0o640, TIME_NS)
    assert [name.name for name in made.parent.iterdir()] == ["f"]


def test_what_stood_there_is_replaced(tmp_path, landings):
    """A link too, which is not written through."""
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"new", mtime_ns=0)
    assert not (tmp_path / "f").is_symlink()
    assert ((tmp_path / "f").read_bytes(), (tmp_path / "target").read_bytes()) == (b"new", b"old")


def test_files_of_several_directories_take_turns(tmp_path, landings):
    """One directory is remembered; the others are opened again."""
    for number in range(6):
        path = path_of(tmp_path, str(number % 2), f"f{number}")
        landings.land(path, root=os.fsencode(tmp_path), number=number, data=b"%d" % number, mtime_ns=0)
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("f*")}
    assert found == {f"{number % 2}/f{number}": b"%d" % number for number in range(6)}


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a\0b"])
def test_what_is_no_name_is_refused(tmp_path, landings, name):
    """Nothing is made."""
    root = os.fsencode(tmp_path)
    with pytest.raises(UnsafePath):
        landings.land(root + b"/" + name, root=root, number=1, data=b"x", mtime_ns=0)
    assert list(tmp_path.iterdir()) == []


def test_a_path_outside_the_root_is_refused(tmp_path, landings):
    """A directory that is remembered for one root is not for another."""
    (tmp_path / "in").mkdir()
    landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"x", mtime_ns=0)
    with pytest.raises(UnsafePath):
        landings.land(path_of(tmp_path, "g"), root=path_of(tmp_path, "in"), number=2, data=b"x", mtime_ns=0)
    assert not (tmp_path / "g").exists()


def test_a_link_in_the_way_is_refused(tmp_path, landings):
    """It could lead anywhere."""
    (tmp_path / "out").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "d").symlink_to(tmp_path / "out")
    root = path_of(tmp_path, "root")
    with pytest.raises(UnsafePath):
        landings.land(root + b"/d/f", root=root, number=1, data=b"x", mtime_ns=0)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("call", ["write", "fchmod", "utime", "rename"])
def test_a_failure_leaves_nothing(tmp_path, landings, monkeypatch, call):
    """Whichever step it is: no temporary file, no descriptor, and what stood there stands."""
    (tmp_path / "f").write_bytes(b"old")
    before = len(os.listdir("/dev/fd"))

    def fail(*_args, **_names):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="full"):
            landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"x", mtime_ns=TIME_NS)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"
    assert len(os.listdir("/dev/fd")) <= before + 1  # the root stays open


def test_a_short_write_is_a_failure(tmp_path, landings, monkeypatch):
    """The disk took less than was given."""
    monkeypatch.setattr(os, "write", lambda _fd, data: len(data) - 1)
    with pytest.raises(OSError, match="short"):
        landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"xy", mtime_ns=0)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_of_somebody_else_is_left_alone(tmp_path, landings):
    """The name is taken: whose it is, `create` finds out."""
    taken = tmp_path / f".orbit-{RUN}-1.tmp"
    taken.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"x", mtime_ns=0)
    assert taken.read_bytes() == b"theirs"


def test_only_the_owner_can_read_it_before_it_has_its_name(tmp_path, landings, monkeypatch):
    """The temporary file is made with mode 0600."""
    modes = []
    write = os.write

    def spy(fd, data):
        modes.append(os.fstat(fd).st_mode & 0o777)
        return write(fd, data)

    monkeypatch.setattr(os, "write", spy)
    landings.land(path_of(tmp_path, "f"), root=os.fsencode(tmp_path), number=1, data=b"x", mtime_ns=0)
    assert modes == [0o600]
