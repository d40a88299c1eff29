"""The system calls that Python does not offer."""

import os
import sys
import tempfile

import pytest

from orbit_fast.io import libc


def test_missing_calls_say_so(monkeypatch):
    """A C library without the function answers ENOSYS, which every caller has a way around."""
    monkeypatch.setattr(libc, "_function", lambda *_: None)
    with pytest.raises(OSError, match="not implemented") as caught:
        libc.rename_exclusively(b"a", b"b", dir_fd=0)
    assert caught.value.errno in libc.NOT_SUPPORTED
    with pytest.raises(OSError, match="not implemented") as caught:
        libc.reserve(0, 1)
    assert caught.value.errno in libc.NOT_SUPPORTED


def test_memory_is_given_back_where_the_c_library_can(monkeypatch):
    """All that is free, and nothing is said where it has no such call (musl, macOS)."""
    asked = []
    monkeypatch.setattr(libc, "_function", lambda name, _: lambda padding: asked.append((name, padding)))
    libc.give_back_memory()
    assert asked == [("malloc_trim", 0)]
    monkeypatch.setattr(libc, "_function", lambda *_: None)
    libc.give_back_memory()


def test_renaming_without_replacing(tmp_path):
    """A free name is taken in one step; a taken one is left, and so is the source."""
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            libc.rename_exclusively(b"a", b"b", dir_fd=directory)
        assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_text()) == ("a", "b")
        libc.rename_exclusively(b"a", b"c", dir_fd=directory)
        with pytest.raises(FileNotFoundError):
            libc.rename_exclusively(b"a", b"d", dir_fd=directory)
    finally:
        os.close(directory)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's")
def test_reserving(tmp_path):
    """The file has the size and the blocks; a descriptor that may not be written is refused."""
    path = tmp_path / "a"
    with path.open("wb") as file:
        libc.reserve(file.fileno(), 1 << 20)
    assert path.stat().st_size == 1 << 20
    assert path.stat().st_blocks * 512 >= 1 << 20
    with path.open("rb") as file, pytest.raises(OSError, match="Bad file descriptor"):
        libc.reserve(file.fileno(), 1 << 20)


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="a file system in memory is needed")
def test_reserving_in_memory_touches_no_page():
    """There the size is set and the room looked at, but no page is cleared; more than there is is refused."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        libc.reserve(file.fileno(), 1 << 20)
        found = os.fstat(file.fileno())
        assert (found.st_size, found.st_blocks) == (1 << 20, 0)
        with pytest.raises(OSError, match="No space left"):
            libc.reserve(file.fileno(), 1 << 60)


def test_reserving_elsewhere_is_not_supported(monkeypatch, tmp_path):
    """Where there is no such call the answer is one that callers pass over."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="not implemented") as caught:
        libc.reserve(0, 1)
    assert caught.value.errno in libc.NOT_SUPPORTED
