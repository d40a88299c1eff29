"""Destination directories: confined, made when missing, kept open within a bound."""

import inspect
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import UnsafePath
from orbit_fast.io.directories import Directories
from orbit_fast.io.directories import names_below
from orbit_fast.io.directories import prepare_destination
from orbit_fast.io.directories import sync_upwards


@pytest.fixture
def directories():
    """A small cache, which holds no descriptor at the end."""
    kept = Directories(capacity=3)
    yield kept
    kept.close()
    assert kept.open_count == 0


def _root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return os.fsencode(root)


def _visit(directories, path, root):
    directory = directories.acquire(path, root)
    directories.release(directory)
    return directory


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        (b"out", b"out", []),
        (b"out/a", b"out", [b"a"]),
        (b"out/a/b", b"out", [b"a", b"b"]),
        (b"/a", b"/", [b"a"]),
        (b"./a", b".", [b"a"]),
        (b"out/ ", b"out", [b" "]),
        (b"out/...", b"out", [b"..."]),
        (b"out/\xff", b"out", [b"\xff"]),
    ],
)
def test_names_below(path, root, expected):
    """The components below the root, byte for byte."""
    assert names_below(path, root) == expected


@pytest.mark.parametrize(
    "path",
    [b"other", b"outer/a", b"out/..", b"out/../x", b"out/./a", b"out//a", b"out/a/", b"out/a\0b", b"/etc", b"out/a/.."],
)
def test_paths_that_leave_the_root_are_refused(path):
    """No component may be empty, a dot or two, or hold a NUL; the root must be the beginning."""
    with pytest.raises(UnsafePath):
        names_below(path, b"out")


@given(st.lists(st.sampled_from([b"a", b"..", b".", b"", b"b c", b"\xff", b"a\0"]), max_size=5))
def test_what_is_accepted_stays_below(components):
    """Whatever is accepted, normalised, is still below the root."""
    path = b"/".join([b"/r", *components])
    try:
        names = names_below(path, b"/r")
    except UnsafePath:
        assert {b"", b".", b"..", b"a\0"} & set(components)
    else:
        assert os.path.normpath(path) == b"/".join([b"/r", *names])


def test_missing_directories_are_made_with_the_umask(tmp_path, directories):
    """Every missing component is made, with the mode that mkdir gives it."""
    root = _root(tmp_path)
    before = os.umask(0o027)
    try:
        directory = _visit(directories, root + b"/a/b", root)
    finally:
        os.umask(before)
    assert directory.path == root + b"/a/b"
    assert os.stat(root + b"/a/b").st_mode & 0o777 == 0o750


def test_a_root_that_is_missing_is_made(tmp_path, directories):
    """The user's own directory is made with those above it."""
    root = os.fsencode(tmp_path / "x" / "y")
    _visit(directories, root + b"/z", root + b"/")
    assert os.path.isdir(root + b"/z")


def test_links_below_the_root_are_not_followed(tmp_path, directories):
    """A planted link stops the walk; nothing is made where it leads."""
    root = _root(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, root + b"/link")
    os.symlink("nowhere", root + b"/dangling")
    for name in (b"/link", b"/link/sub", b"/dangling"):
        with pytest.raises(UnsafePath, match="symbolic link"):
            directories.acquire(root + name, root)
    assert not list(outside.iterdir())


def test_the_root_itself_may_be_a_link(tmp_path, directories):
    """What the user named is reached as the user named it."""
    _root(tmp_path)
    link = tmp_path / "link"
    link.symlink_to("root")
    _visit(directories, os.fsencode(link / "a"), os.fsencode(link))
    assert (tmp_path / "root" / "a").is_dir()


def test_without_a_root_links_are_followed(tmp_path, directories):
    """A file that the user named himself may stand behind a link, and a trusted entry is no pass for a confined one."""
    root = _root(tmp_path)
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", root + b"/link")
    _visit(directories, root + b"/link", b"")
    with pytest.raises(UnsafePath):
        directories.acquire(root + b"/link", root)


def test_a_file_in_the_way_is_a_conflict(tmp_path, directories):
    """A file where a directory is needed is named as that, below the root and at it."""
    root = _root(tmp_path)
    (tmp_path / "root" / "a").write_bytes(b"")
    with pytest.raises(NameConflict, match=r"root/a$"):
        directories.acquire(root + b"/a/b", root)
    with pytest.raises(NameConflict):
        directories.acquire(root + b"/a", b"")


def test_idle_directories_are_bounded(tmp_path, directories):
    """However many are visited, at most `capacity` stay open."""
    root = _root(tmp_path)
    for number in range(20):
        _visit(directories, root + b"/d%d/e" % number, root)
        assert directories.open_count <= 3


def test_one_in_use_is_not_closed(tmp_path, directories):
    """A directory that a file lands in stays good when the cache has forgotten it."""
    root = _root(tmp_path)
    used = directories.acquire(root + b"/used", root)
    for number in range(9):
        _visit(directories, root + b"/d%d" % number, root)
    os.close(os.open(b"made", os.O_CREAT | os.O_WRONLY, dir_fd=used.fd))
    assert os.path.exists(root + b"/used/made")
    directories.release(used)
    assert used.fd == -1


def test_the_same_directory_is_opened_once(tmp_path, directories):
    """A second visit costs no descriptor."""
    root = _root(tmp_path)
    first = _visit(directories, root + b"/a", root)
    assert _visit(directories, root + b"/a", root) is first
    assert directories.open_count == 2


def test_a_very_deep_path_is_walked(tmp_path, directories):
    """Depth is bounded by the system, not by the interpreter's stack."""
    root = _root(tmp_path)
    path = root + b"/a" * 300
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        _visit(directories, path, root)
    finally:
        sys.setrecursionlimit(before)
    assert os.path.isdir(path)


def test_a_replaced_directory_does_not_redirect(tmp_path, directories):
    """A link put in a directory's place while it is open does not move what lands in it."""
    root = _root(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    used = directories.acquire(root + b"/a", root)
    os.rename(root + b"/a", root + b"/moved")
    os.symlink(outside, root + b"/a")
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=used.fd))
    directories.forget(used)
    directories.release(used)
    assert os.listdir(root + b"/moved") == [b"file"]
    with pytest.raises(UnsafePath):
        directories.acquire(root + b"/a", root)


def test_prepare_destination(tmp_path):
    """The destination is made; one that is a file or cannot be made is one clear line."""
    good = os.fsencode(tmp_path / "a" / "b")
    prepare_destination(good)
    prepare_destination(good)
    assert os.path.isdir(good)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidConfig, match="is a file, not a directory"):
        prepare_destination(os.fsencode(tmp_path / "file"))
    with pytest.raises(InvalidConfig, match="cannot be made: Not a directory"):
        prepare_destination(os.fsencode(tmp_path / "file" / "below"))


def test_prepare_refuses_what_cannot_be_written(tmp_path, monkeypatch):
    """A directory without write permission is refused before any byte is moved."""
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    with pytest.raises(InvalidConfig, match="cannot be written"):
        prepare_destination(os.fsencode(tmp_path))
    assert asked == [(os.fsencode(tmp_path), os.W_OK | os.X_OK)]


def test_repr_tells_what_is_held(tmp_path, directories):
    """Both reprs name what matters when something leaks."""
    root = _root(tmp_path)
    used = directories.acquire(root, root)
    assert repr(directories) == "Directories(open=1, cached=1)"
    assert f"fd={used.fd}, users=1" in repr(used)
    directories.release(used)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which directory it was")
def test_names_are_durable_all_the_way_up(tmp_path, monkeypatch):
    """What is made for a file is flushed too: every directory that got an entry, and no other."""
    synced, fsync = [], os.fsync

    def record(fd):
        synced.append(os.readlink(f"/proc/self/fd/{fd}").removeprefix(str(tmp_path)))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", record)
    root = os.fsencode(tmp_path / "a" / "b")
    prepare_destination(root)
    assert synced == []
    prepare_destination(root + b"/c/d/", is_durable=True)
    assert synced == ["/a/b/c", "/a/b"]
    synced.clear()
    prepare_destination(root + b"/c/d", is_durable=True)
    assert synced == []
    sync_upwards(root + b"/c/d/e", root)
    assert synced == ["/a/b/c/d", "/a/b/c", "/a/b", "/a"]
    synced.clear()
    sync_upwards(root + b"/f", b"")
    assert synced == ["/a/b"]
    monkeypatch.chdir(tmp_path)
    synced.clear()
    prepare_destination(b"x/y", is_durable=True)
    assert synced == ["/x", ""]
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    synced.clear()
    sync_upwards(os.fsencode(tmp_path / "f"), b"/")
    assert (synced[0], synced[-1], len(synced)) == (str(tmp_path), "/", len(tmp_path.parts))
    with pytest.raises(LocalError):
        sync_upwards(b"nowhere/f", b"")
