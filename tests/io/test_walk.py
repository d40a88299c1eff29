"""The walk of a local tree: key order, nothing missed silently, nothing raised for one bad entry."""

import contextlib
import inspect
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.errors import Vanished
from orbit_fast.core.messages import encode
from orbit_fast.core.moments import held
from orbit_fast.io import walk as walk_module
from orbit_fast.io.walk import Kind
from orbit_fast.io.walk import WalkEntry
from orbit_fast.io.walk import walk

NOBODY = 65534


@pytest.fixture
def open_tree():
    """A directory that every user may reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    yield path
    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o777)
    shutil.rmtree(path)


@contextlib.contextmanager
def _unprivileged():
    """As a user whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _make(root, names):
    for name in names:
        path = os.path.join(os.fsencode(root), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(name)


def _walk(root, **options):
    return list(walk(os.fsencode(root), **options))


def _kinds(root, **options):
    return {entry.path: entry.kind for entry in _walk(root, **options)}


def test_files_with_their_facts(tmp_path):
    """Each file comes with its relative path, size and time; directories do not come."""
    _make(tmp_path, [b"a", b"d/e/f"])
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "a", ns=(0, 1_700_000_000_123_456_789))
    entries = _walk(tmp_path)
    assert [entry.path for entry in entries] == [b"a", b"d/e/f"]
    changed_ns = (tmp_path / "a").stat().st_ctime_ns
    assert entries[0] == WalkEntry(b"a", Kind.FILE, 1, 1_700_000_000_123_456_789, None, changed_ns)
    assert entries[1].size == 5


@pytest.mark.parametrize(
    "names",
    [
        [b"a-b", b"a/x", b"a.txt", b"a0", b"a/-", b"a b"],
        ["é".encode(), "e\u0301".encode(), "😀".encode(), "\uffff".encode(), b"z", b"Z"],
        [b"a\n", b"a\t/b", b"a\x7f", b"a!/c", b"\xff", b"\xc3"],
        [b"d/d/d", b"d/d-", b"d-/d", b"d/d0"],
    ],
)
def test_order_is_that_of_the_keys(tmp_path, names):
    """The joined names come in byte order, although a directory's own name would sort elsewhere."""
    _make(tmp_path, names)
    assert [entry.path for entry in _walk(tmp_path)] == sorted(names)


_COMPONENT = st.text(alphabet="a-./0é\u0301 ~!", min_size=1, max_size=3).filter(
    lambda text: "/" not in text and text not in {".", ".."}
)


@given(st.sets(st.lists(_COMPONENT, min_size=1, max_size=3).map(tuple), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_tree_comes_complete_and_in_order(tmp_path_factory, paths):
    """Whatever the tree: every file once, in byte order of its key."""
    root = tmp_path_factory.mktemp("tree")
    made = []
    for path in sorted(paths):
        with contextlib.suppress(NotADirectoryError, FileExistsError, IsADirectoryError):
            name = "/".join(path).encode()
            _make(root, [name])
            made.append(name)
    assert [entry.path for entry in _walk(root)] == sorted(set(made))


def test_the_root_may_be_spelt_in_many_ways(tmp_path, monkeypatch):
    """With a slash at its end, relative, empty, or a link: the paths are the same."""
    _make(tmp_path / "root", [b"a", b"d/b"])
    (tmp_path / "link").symlink_to("root")
    monkeypatch.chdir(tmp_path / "root")
    expected = [b"a", b"d/b"]
    for root in (b".", b"", b"../root", b"../root/", b"../link", os.fsencode(tmp_path / "root")):
        assert [entry.path for entry in walk(root)] == expected, root
        assert [entry.path for entry in walk(root, follow_symlinks=True)] == expected, root


def test_links_are_told_not_followed(tmp_path):
    """To a file, to a directory, to nowhere: a link is an entry of its own."""
    _make(tmp_path / "root", [b"file", b"dir/x"])
    for name, target in (("to-file", "file"), ("to-dir", "dir"), ("to-nothing", "gone")):
        (tmp_path / "root" / name).symlink_to(target)
    kinds = _kinds(tmp_path / "root")
    assert [name for name, kind in kinds.items() if kind is Kind.SYMLINK] == [b"to-dir", b"to-file", b"to-nothing"]
    assert [name for name, kind in kinds.items() if kind is Kind.FILE] == [b"dir/x", b"file"]


def test_followed_links_keep_the_order(tmp_path):
    """Files and directories behind links come under the link's name, in key order."""
    _make(tmp_path / "root", [b"dir/x", b"l-", b"l0"])
    (tmp_path / "root" / "l").symlink_to("dir")
    (tmp_path / "root" / "file").symlink_to("dir/x")
    (tmp_path / "root" / "nowhere").symlink_to("gone")
    entries = _walk(tmp_path / "root", follow_symlinks=True)
    assert [entry.path for entry in entries] == [b"dir/x", b"file", b"l-", b"l/x", b"l0", b"nowhere"]
    assert [entry.kind for entry in entries if entry.kind is not Kind.FILE] == [Kind.SYMLINK]
    assert entries[1].size == 5


def test_loops_end(tmp_path):
    """A link to a directory that it stands in is told once, at any depth, and two ways into one directory are none."""
    _make(tmp_path / "root", [b"a/b/file"])
    (tmp_path / "root" / "a" / "b" / "up").symlink_to("../..")
    (tmp_path / "root" / "a" / "self").symlink_to(".")
    (tmp_path / "root" / "again").symlink_to("a/b")
    kinds = _kinds(tmp_path / "root", follow_symlinks=True)
    assert kinds[b"a/b/up"] is Kind.LOOP
    assert kinds[b"a/self"] is Kind.LOOP
    assert kinds[b"again/file"] is Kind.FILE
    assert kinds[b"a/b/file"] is Kind.FILE


def test_a_link_to_itself_is_a_link(tmp_path):
    """A link that never ends anywhere is told as one."""
    (tmp_path / "me").symlink_to("me")
    assert _kinds(tmp_path, follow_symlinks=True) == {b"me": Kind.SYMLINK}


def test_special_files_are_told(tmp_path):
    """FIFO and socket are special; neither is opened."""
    os.mkfifo(tmp_path / "fifo")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket"))
    server.close()
    assert _kinds(tmp_path) == {b"fifo": Kind.SPECIAL, b"socket": Kind.SPECIAL}


def test_unfinished_downloads_are_told(tmp_path):
    """A temporary file of this program is not data; a file that only looks like one is."""
    _make(tmp_path, [b".orbit-0123456789abcdef-1.tmp", b".orbit-mine.tmp"])
    assert _kinds(tmp_path) == {b".orbit-0123456789abcdef-1.tmp": Kind.TEMPORARY, b".orbit-mine.tmp": Kind.FILE}


def test_an_unreadable_directory_is_an_entry(open_tree):
    """It comes where its files would, says why, and the rest of the tree comes too."""
    _make(open_tree, [b"a", b"closed/secret", b"open/x", b"z"])
    (open_tree / "closed").chmod(0)
    with _unprivileged():
        entries = _walk(open_tree)
    assert [entry.path for entry in entries] == [b"a", b"closed/", b"open/x", b"z"]
    assert entries[1].kind is Kind.UNREADABLE
    assert isinstance(entries[1].error, SourceUnreadable)
    assert entries[1].error.message.startswith("Permission denied: ")


def test_a_directory_that_can_be_listed_only(open_tree):
    """Names without facts are unreadable entries, each."""
    _make(open_tree, [b"dir/a", b"dir/b"])
    (open_tree / "dir").chmod(0o444)
    with _unprivileged():
        kinds = _kinds(open_tree)
    assert kinds == {b"dir/a": Kind.UNREADABLE, b"dir/b": Kind.UNREADABLE}


def test_what_vanishes_is_told(tmp_path):
    """A file and a directory that go between listing and their turn are entries with an error."""
    _make(tmp_path, [b"a", b"b", b"c/x", b"d"])
    entries = walk(os.fsencode(tmp_path))
    assert next(entries).path == b"a"
    (tmp_path / "b").unlink()
    shutil.rmtree(tmp_path / "c")
    rest = list(entries)
    assert [(entry.path, entry.kind) for entry in rest] == [
        (b"b", Kind.VANISHED),
        (b"c/", Kind.UNREADABLE),
        (b"d", Kind.FILE),
    ]
    assert isinstance(rest[0].error, Vanished)
    assert isinstance(rest[1].error, Vanished)


def test_a_listing_that_breaks_off_is_told(tmp_path, monkeypatch):
    """When the disk fails in the middle of a directory, what came is walked and the failure is an entry before it."""
    _make(tmp_path, [b"dir/a", b"dir/b", b"z"])
    scandir = os.scandir

    class Broken:
        def __init__(self, path):
            self.inner = scandir(path)
            self.count = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.inner.close()

        def __iter__(self):
            return self

        def __next__(self):
            self.count += 1
            if self.count > 1:
                raise OSError(5, "Input/output error")
            return next(self.inner)

    monkeypatch.setattr(
        walk_module.os, "scandir", lambda path: Broken(path) if path.endswith(b"/dir/") else scandir(path)
    )
    entries = _walk(tmp_path)
    assert [entry.kind for entry in entries] == [Kind.UNREADABLE, Kind.FILE, Kind.FILE]
    assert entries[0].path == b"dir/"
    assert entries[2].path == b"z"


@pytest.mark.parametrize(
    ("root", "kind", "message"),
    [("missing", SourceMissing, "no such directory: "), ("file", InvalidConfig, "not a directory: ")],
)
def test_a_root_that_is_no_directory_raises(tmp_path, root, kind, message):
    """Only the root's own fault ends the walk, with one line."""
    _make(tmp_path, [b"file"])
    with pytest.raises(kind, match=message):
        _walk(tmp_path / root)


def test_an_unreadable_root_raises(open_tree):
    """A root that may not be listed is a configuration error that names it."""
    (open_tree / "closed").mkdir(mode=0)
    with _unprivileged(), pytest.raises(InvalidConfig, match="Permission denied: ") as caught:
        _walk(open_tree / "closed")
    assert caught.value.code == "E_SOURCE_UNREADABLE"


def test_a_deep_tree_is_walked(tmp_path):
    """Depth is bounded by the system's path length, not by the interpreter's stack."""
    path = os.fsencode(tmp_path) + b"/d" * 300
    os.makedirs(path)
    _make(path, [b"leaf"])
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        entries = _walk(tmp_path)
    finally:
        sys.setrecursionlimit(before)
    assert [entry.path for entry in entries] == [b"d/" * 300 + b"leaf"]


def test_files_are_looked_at_when_their_turn_comes(tmp_path, monkeypatch):
    """The walk is lazy: a slice of it stats a slice of the tree."""
    _make(tmp_path, [b"%03d" % number for number in range(100)])
    seen = []
    lstat = os.lstat
    monkeypatch.setattr(walk_module.os, "lstat", lambda path: (seen.append(path), lstat(path))[1])
    entries = walk(os.fsencode(tmp_path))
    for _ in range(5):
        next(entries)
    assert len(seen) == 5
    entries.close()


def test_directories_are_told_where_asked_for(tmp_path):
    """Each stands before what is in it, at the place of a key that ends in a slash; empty ones too."""
    _make(tmp_path, [b"a-b", b"a/x", b"a.txt", b"b/c/y"])
    (tmp_path / "empty").mkdir()
    entries = _walk(tmp_path, directories=True)
    assert [entry.path for entry in entries] == [
        b"a-b",
        b"a.txt",
        b"a/",
        b"a/x",
        b"b/",
        b"b/c/",
        b"b/c/y",
        b"empty/",
    ]
    assert [entry.path for entry in entries if entry.kind is Kind.DIRECTORY] == [b"a/", b"b/", b"b/c/", b"empty/"]


def test_a_loop_comes_at_the_place_of_its_name(tmp_path):
    """A link back up is no directory: it sorts without a slash, so the walk never goes backwards."""
    _make(tmp_path, [b"a/a-b", b"a/a.txt", b"z"])
    (tmp_path / "a" / "a").symlink_to(".")
    paths = [entry.path for entry in _walk(tmp_path, follow_symlinks=True, directories=True)]
    assert paths == [b"a/", b"a/a", b"a/a-b", b"a/a.txt", b"z"]


@settings(max_examples=25, deadline=None)
@given(names=st.sets(st.binary(min_size=1, max_size=3).filter(lambda name: not {*name} & {0, 0x2F}), max_size=12))
def test_a_large_directory_is_sorted_on_disk(names):
    """Names that memory is not meant to hold give the same walk, whatever bytes they are."""
    names -= {b".", b".."}
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk_module, "MAX_NAMES", 3)
        _make(root, names)
        assert [entry.path for entry in _walk(root)] == sorted(names)


@pytest.mark.parametrize("year", [1, 2440, 9999])
def test_times_that_no_message_carries(year, tmp_path):
    """A file of a time before 1677 or after 2262, where the file system keeps such, is found with the nearest one."""
    path = tmp_path / "f"
    path.touch()
    seconds = (year - 1970) * 31_556_952
    os.utime(path, ns=(0, seconds * 10**9))
    (entry,) = _walk(tmp_path)
    assert entry.mtime_ns == held(path.stat().st_mtime_ns)
    assert encode(entry.mtime_ns)
