"""Landing files: whole under their name or not there."""

import contextlib
import errno
import os
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import Vanished
from orbit_fast.io import files
from orbit_fast.io import spelling
from orbit_fast.io.files import Landings
from orbit_fast.io.files import State
from orbit_fast.io.files import is_temp_name
from orbit_fast.io.files import read_umask

MIB = 1 << 20


@pytest.fixture
def root(tmp_path):
    """A destination directory, in which no temporary file is left at the end."""
    path = tmp_path / "root"
    path.mkdir()
    yield os.fsencode(path)
    assert _temps(path) == []


@pytest.fixture
def landings():
    """A maker of landing files with umask 022, which holds no descriptor at the end."""
    made = Landings(umask=0o022)
    yield made
    made.close()
    assert made.directories.open_count == 0


def _temps(path):
    return [name for _, _, names in os.walk(os.fsencode(path)) for name in names if is_temp_name(name)]


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _raise(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_lands_whole(root, landings):
    """Bytes, mode and time are there when the name is; before, only an owner-only temporary file beside it."""
    landing = landings.create(root + b"/a/b", root=root)
    assert os.path.dirname(landing.temp_path) == root + b"/a"
    assert os.stat(landing.temp_path).st_mode & 0o777 == 0o600
    landing.write_at(b"world", 6)
    landing.write_at(memoryview(b"hello "), 0)
    assert not os.path.exists(root + b"/a/b")
    assert landing.publish(mtime_ns=1_700_000_000_123_456_789)
    facts = os.stat(root + b"/a/b")
    assert (facts.st_mode & 0o7777, facts.st_mtime_ns) == (0o644, 1_700_000_000_123_456_789)
    assert _read(root + b"/a/b") == b"hello world"
    assert landing.state is State.PUBLISHED


@pytest.mark.parametrize(
    ("umask", "mode", "expected"),
    [
        (0o022, None, 0o644),
        (0o077, None, 0o600),
        (0o002, None, 0o664),
        (0o000, None, 0o666),
        (0o077, 0o755, 0o755),
        (0o022, 0o4755, 0o755),
        (0o022, 0o7777, 0o777),
        (0o022, 0, 0),
    ],
)
def test_modes(root, umask, mode, expected):
    """Without a mode it is 0666 less the umask; a given one loses set-uid, set-gid and sticky."""
    made = Landings(umask=umask)
    made.create(root + b"/a", root=root).publish(mode=mode)
    made.close()
    assert os.stat(root + b"/a").st_mode & 0o7777 == expected


def test_a_small_file_costs_six_system_calls(root, landings, monkeypatch):
    """In a directory that is open already: open, write, chmod, utime, close, rename."""
    landings.create(root + b"/warm", root=root).publish()
    calls = []
    for name in (
        "open", "write", "pwrite", "fchmod", "chmod", "utime", "close", "rename", "stat", "fstat", "lstat",
        "mkdir", "fsync", "unlink", "link", "ftruncate", "posix_fallocate", "access",
    ):  # fmt: skip
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _real=real, _name=name, **k: (calls.append(_name), _real(*a, **k))[1])
    landing = landings.create(root + b"/a", root=root, size=5)
    landing.write_at(b"hello", 0)
    landing.publish(mtime_ns=1)
    assert calls == ["open", "pwrite", "fchmod", "utime", "close", "rename"]


def test_short_writes_are_continued(root, landings, monkeypatch):
    """A disk that takes fewer bytes than given is given the rest."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:2], offset))
    landing = landings.create(root + b"/a", root=root)
    landing.write_at(b"hello", 1)
    landing.write_at(memoryview(b"HE"), 0)
    landing.publish()
    assert _read(root + b"/a") == b"HEello"


def test_replaces_a_file_and_breaks_a_hard_link(root, landings):
    """The name gets the new bytes; another name of the old file keeps the old ones."""
    with open(root + b"/a", "wb") as file:
        file.write(b"old")
    os.link(root + b"/a", root + b"/other")
    landing = landings.create(root + b"/a", root=root)
    landing.write_at(b"new", 0)
    assert _read(root + b"/a") == b"old"
    landing.publish()
    assert (_read(root + b"/a"), _read(root + b"/other")) == (b"new", b"old")


def test_a_link_at_the_destination_is_replaced(root, landings, tmp_path):
    """Nothing is written through a link that has the final name."""
    (tmp_path / "victim").write_bytes(b"keep")
    os.symlink(tmp_path / "victim", root + b"/a")
    landings.create(root + b"/a", root=root).publish()
    assert not os.path.islink(root + b"/a")
    assert (tmp_path / "victim").read_bytes() == b"keep"


def test_a_directory_at_the_destination_is_a_conflict(root, landings):
    """A directory is not replaced, with and without no-clobber, and no temporary file stays."""
    os.mkdir(root + b"/a")
    with pytest.raises(NameConflict, match="Is a directory"):
        landings.create(root + b"/a", root=root).publish()
    assert not landings.create(root + b"/a", root=root).publish(no_clobber=True)
    assert os.path.isdir(root + b"/a")


@pytest.mark.parametrize("has_call", [True, False], ids=["in one step", "by a second name"])
def test_no_clobber(root, landings, monkeypatch, has_call):
    """An existing name is left, a free one is taken, also where the system lacks the call for it."""
    if not has_call:
        monkeypatch.setattr(spelling, "rename_exclusively", _raise(errno.EINVAL))
    first = landings.create(root + b"/a", root=root)
    first.write_at(b"first", 0)
    assert first.publish(no_clobber=True)
    second = landings.create(root + b"/a", root=root)
    second.write_at(b"second", 0)
    assert not second.publish(no_clobber=True)
    assert second.state is State.DISCARDED
    assert _read(root + b"/a") == b"first"
    assert os.listdir(root) == [b"a"]
    assert os.stat(root + b"/a").st_nlink == 1


def test_no_clobber_respects_a_dangling_link(root, landings):
    """A link that leads nowhere is a name that is taken."""
    os.symlink("nowhere", root + b"/a")
    assert not landings.create(root + b"/a", root=root).publish(no_clobber=True)
    assert os.path.islink(root + b"/a")


def test_no_clobber_reports_other_errors(root, landings, monkeypatch):
    """What is not "exists" and not "unknown call" is raised, and the temporary file goes."""
    monkeypatch.setattr(spelling, "rename_exclusively", _raise(errno.EACCES))
    with pytest.raises(LocalError, match="Permission denied"):
        landings.create(root + b"/a", root=root).publish(no_clobber=True)


def test_durable_publishing_syncs_file_then_name(root, landings, monkeypatch):
    """The file is on stable storage before it has its name, the directory after."""
    events = []
    fsync, rename = os.fsync, os.rename

    def record_sync(fd):
        events.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "rename", lambda *a, **k: (events.append("rename"), rename(*a, **k)))
    landings.create(root + b"/a", root=root).publish(is_durable=True)
    assert events == ["file", "rename", "directory"]
    landings.create(root + b"/b", root=root).publish()
    assert events == ["file", "rename", "directory", "rename"]


@pytest.mark.parametrize("call", ["fchmod", "utime", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failed_publish_leaves_nothing(root, landings, monkeypatch, call, number):
    """Whichever call fails, the old bytes stay and the temporary file goes."""
    with open(root + b"/a", "wb") as file:
        file.write(b"old")
    landing = landings.create(root + b"/a", root=root)
    landing.write_at(b"new", 0)
    monkeypatch.setattr(os, call, _raise(number))
    with pytest.raises(LocalError) as caught:
        landing.publish(mtime_ns=1, is_durable=True)
    monkeypatch.undo()
    assert isinstance(caught.value, NoSpace) == (number in {errno.ENOSPC, errno.EDQUOT})
    assert landing.state is State.DISCARDED
    assert _read(root + b"/a") == b"old"
    assert os.listdir(root) == [b"a"]


@pytest.mark.parametrize("end", ["publish", "leave"])
def test_a_disk_that_is_full_at_close_is_noticed_before_the_rename(root, landings, monkeypatch, end):
    """A network file system says so at close: the final name never appears, and nothing is left."""
    landing = landings.create(root + b"/a", root=root)
    close, fd = os.close, landing.fd

    def full(number):
        close(number)
        if number == fd:
            raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "close", full)
    with pytest.raises(NoSpace):
        getattr(landing, end)()
    monkeypatch.undo()
    assert os.listdir(root) == []


def test_an_interrupt_in_publish_leaves_nothing(root, landings, monkeypatch):
    """What is no OSError passes through, and the temporary file goes."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    landing = landings.create(root + b"/a", root=root)
    monkeypatch.setattr(os, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        landing.publish()
    monkeypatch.undo()
    assert os.listdir(root) == []


def test_discard_after_any_end_does_nothing(root, landings):
    """It can stand in a finally block."""
    published = landings.create(root + b"/a", root=root)
    published.publish()
    published.discard()
    assert os.path.exists(root + b"/a")
    dropped = landings.create(root + b"/b", root=root)
    dropped.discard()
    dropped.discard()
    dropped.leave()
    assert os.listdir(root) == [b"a"]
    with pytest.raises(AssertionError):
        dropped.publish()


def test_parts_land_from_several_openings(root, landings):
    """One process creates, others write their ranges, one publishes."""
    created = landings.create(root + b"/d/a", root=root, number=7)
    created.leave()
    assert created.state is State.LEFT
    others = [Landings(umask=0o022) for _ in range(3)]
    for number, other in enumerate(others):
        part = other.reopen(created.temp_path, root + b"/d/a", root=root)
        part.write_at(b"%d" % number * 3, number * 3)
        part.leave()
    last = others[0].reopen(created.temp_path, root + b"/d/a", root=root)
    back = bytearray(9)
    last.read_into(memoryview(back), 0)
    assert back == b"000111222"
    with pytest.raises(SizeMismatch):
        last.read_into(memoryview(bytearray(2)), 8)
    last.publish()
    assert _read(root + b"/d/a") == b"000111222"
    for other in others:
        other.close()
        assert other.directories.open_count == 0


def test_reopen_takes_only_temporary_files_beside_the_target(root, landings, tmp_path):
    """Neither another file, another directory, a link nor a FIFO is opened for writing."""
    (tmp_path / "victim").write_bytes(b"keep")
    created = landings.create(root + b"/a", root=root)
    linked = os.path.basename(created.temp_path)
    for temp in (os.fsencode(tmp_path / "victim"), root + b"/x", root + b"/sub/" + linked, linked):
        with pytest.raises(UnsafePath):
            landings.reopen(temp, root + b"/a", root=root)
    created.discard()
    with pytest.raises(Vanished):
        landings.reopen(created.temp_path, root + b"/a", root=root)
    os.symlink(tmp_path / "victim", created.temp_path)
    with pytest.raises(UnsafePath):
        landings.reopen(created.temp_path, root + b"/a", root=root)
    os.unlink(created.temp_path)
    os.mkfifo(created.temp_path)
    with pytest.raises(LocalError) as caught:
        landings.reopen(created.temp_path, root + b"/a", root=root)
    assert caught.value.code == "E_SPECIAL"
    os.unlink(created.temp_path)


def test_discard_by_path(root, landings):
    """An abandoned temporary file is removed by its path; doing so twice is fine."""
    created = landings.create(root + b"/a", root=root)
    created.leave()
    for _ in range(2):
        landings.discard(created.temp_path, root + b"/a", root=root)
        assert os.listdir(root) == []


def test_another_attempt_starts_empty(root, landings):
    """After `truncate` nothing of the attempt before is left."""
    landing = landings.create(root + b"/a", root=root)
    landing.write_at(b"long bytes", 0)
    landing.truncate()
    landing.write_at(b"short", 0)
    landing.publish()
    assert _read(root + b"/a") == b"short"


@pytest.mark.parametrize("name", [b"..", b".", b"", b"../x", b"a/../../x", b"a/./b", b"a//b", b"/x", b"a\0b"])
def test_no_key_leaves_the_root(root, landings, tmp_path, name):
    """A path that would land elsewhere, or is no name, is refused before anything is made."""
    with pytest.raises(UnsafePath):
        landings.create(root + b"/" + name, root=root)
    assert sorted(os.listdir(tmp_path)) == ["root"]
    assert landings.directories.open_count <= 2


@given(st.lists(st.sampled_from(["a", "..", ".", "", "link", "b"]), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_nothing_lands_outside(tmp_path_factory, components):
    """Whatever the path, with a trap link inside, the outside stays empty."""
    base = tmp_path_factory.mktemp("confined")
    root, outside = base / "root", base / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    made = Landings(umask=0o022)
    with contextlib.suppress(UnsafePath, NameConflict):
        made.create(os.fsencode(f"{root}/{'/'.join(components)}"), root=os.fsencode(root)).publish()
    made.close()
    assert not list(outside.iterdir())
    assert sorted(path.name for path in base.iterdir()) == ["outside", "root"]


def test_a_file_that_the_user_named(tmp_path, landings, monkeypatch):
    """Without a root the path is the user's: relative, through links, its directories made."""
    monkeypatch.chdir(tmp_path)
    for path in (b"plain", b"new/dir/file", os.fsencode(tmp_path / "absolute")):
        landing = landings.create(path)
        assert os.path.exists(landing.temp_path)
        landing.publish()
        assert os.path.exists(path)


def test_a_directory_that_was_removed_is_made_again(root, landings):
    """A kept descriptor of a removed directory does not fail the next file."""
    landings.create(root + b"/d/a", root=root).publish()
    os.unlink(root + b"/d/a")
    os.rmdir(root + b"/d")
    landings.create(root + b"/d/b", root=root).publish()
    assert os.listdir(root + b"/d") == [b"b"]


def test_make_directory(root, landings):
    """A directory marker becomes a directory, confined like a file."""
    landings.make_directory(root + b"/a/b", root=root)
    assert os.path.isdir(root + b"/a/b")
    with pytest.raises(UnsafePath):
        landings.make_directory(root + b"/../b", root=root)


def test_temporary_names_are_never_reused(root, landings):
    """A name that exists, as after a fork, is passed over; the file of the other is not touched."""
    first = landings.create(root + b"/a", root=root, number=1)
    second = landings.create(root + b"/a", root=root, number=1)
    assert first.temp_path != second.temp_path
    assert first.temp_name.endswith(b"-1.tmp")
    assert second.temp_name.endswith(b"-1.tmp")
    first.discard()
    second.discard()


def test_no_free_temporary_name_is_an_error(root, landings, monkeypatch):
    """Somebody who takes every name does not make this loop for ever."""
    landings.create(root + b"/warm", root=root).publish()
    tried = []

    def taken(name, *_, **__):
        tried.append(name)
        raise FileExistsError(errno.EEXIST, "")

    monkeypatch.setattr(os, "open", taken)
    with pytest.raises(LocalError, match="File exists"):
        landings.create(root + b"/a", root=root)
    monkeypatch.undo()
    assert len(set(tried)) == len(tried) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b".orbit-0123456789abcdef-0.tmp", True),
        (b".orbit-0123456789abcdef-4711.tmp", True),
        (b".orbit-0123456789abcdef-.tmp", False),
        (b".orbit-0123456789ABCDEF-1.tmp", False),
        (b".orbit-0123456789abcdef-1.tmp\n", False),
        (b"x.orbit-0123456789abcdef-1.tmp", False),
        (b".orbit-notes.tmp", False),
        (b"", False),
    ],
)
def test_temp_names(name, expected):
    """Only names that this program gives are taken for its own."""
    assert is_temp_name(name) is expected


def test_a_name_too_long(root, landings):
    """A component of 256 bytes is refused by its own error, and leaves nothing."""
    with pytest.raises(NameTooLong):
        landings.create(root + b"/" + b"n" * 256, root=root).publish()
    with pytest.raises(NameTooLong):
        landings.create(root + b"/" + b"n" * 256 + b"/x", root=root)


def test_space_is_asked_for_up_front(root, landings, monkeypatch):
    """Above 1 MiB the disk is asked before a byte arrives; when it refuses, nothing is left."""
    asked = []
    monkeypatch.setattr(files, "reserve", lambda fd, size: asked.append(size))
    landings.create(root + b"/a", root=root, size=MIB).discard()
    landings.create(root + b"/a", root=root, size=MIB + 1).discard()
    assert asked == [MIB + 1]
    monkeypatch.setattr(files, "reserve", _raise(errno.ENOSPC))
    with pytest.raises(NoSpace) as caught:
        landings.create(root + b"/a", root=root, size=MIB + 1)
    assert caught.value.scope is Scope.JOB
    assert os.listdir(root) == []
    monkeypatch.setattr(files, "reserve", _raise(errno.EOPNOTSUPP))
    landings.create(root + b"/a", root=root, size=MIB + 1).publish()


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's")
def test_reserving_takes_blocks(root, landings):
    """A reserved file owns its blocks before they are written, and a size that no disk has is refused."""
    landing = landings.create(root + b"/a", root=root, size=4 * MIB)
    assert os.fstat(landing.fd).st_blocks * 512 >= 4 * MIB
    landing.discard()
    with pytest.raises((NoSpace, TooLarge)):
        landings.create(root + b"/a", root=root, size=1 << 60)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_while_writing(root, landings):
    """ENOSPC from a write is its own error and stops the job."""
    landing = landings.create(root + b"/a", root=root)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, landing.fd)
    os.close(full)
    with pytest.raises(NoSpace) as caught:
        landing.write_at(b"x", 0)
    assert caught.value.scope is Scope.JOB
    landing.discard()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o027])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_read_umask(mask, platform, monkeypatch):
    """The umask is found on either system and is unchanged after."""
    monkeypatch.setattr(sys, "platform", platform)
    before = os.umask(mask)
    try:
        assert read_umask() == mask
    finally:
        assert os.umask(before) == mask


def test_repr_of_a_landing_file(root, landings):
    """It says which file, which state and which descriptor."""
    landing = landings.create(root + b"/a", root=root)
    assert repr(landing).endswith(f"/{os.path.basename(root).decode()}/a', open, fd={landing.fd})")
    landing.discard()
    assert repr(landings).startswith("Landings(made=1, Directories(")
