"""Extras of a sync on a local disk: only what was seen is removed, and never through a link."""

from __future__ import annotations

import os

import pytest

from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.tasks import RemoveExtraFiles
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.tasks.extras import remove_files
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import staged


class Output:
    """Keeps lines."""

    is_congested = False

    def __init__(self):
        self.lines = b""
        self.errors = b""

    def say(self, lines, errors):
        """As `Output`."""
        self.lines += lines
        self.errors += errors


def _extra(root, name):
    facts = os.stat(root / name, follow_symlinks=False)
    return (os.fsencode(name), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _remove(tmp_path, root, extras, **output):
    """Run the task; its tally, and what it said."""
    with staged(tmp_path, JobSettings(output=OutputSettings(**output))) as stage:
        said = Output()
        given = TaskSurroundings(around=stage.around, run=None, output=said, presign=None)
        Driver([]).run(remove_files(given, RemoveExtraFiles(0, os.fsencode(root) + b"/", tuple(extras))))
        given.flush()
    return given.tallied, said


@pytest.fixture
def root(tmp_path):
    """A directory with a few files."""
    root = tmp_path / "root"
    for name in ("a", "d/b", "d/e/c"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_files_go_and_directories_stay(tmp_path, root):
    """Each is told; one that is gone already has been deleted."""
    extras = [_extra(root, name) for name in ("a", "d/b", "d/e/c")]
    (root / "d" / "b").unlink()
    tallied, said = _remove(tmp_path, root, extras)
    assert (tallied.deleted, tallied.failed) == (3, 0)
    assert said.lines == b"".join(b"rm %s/%s\n" % (os.fsencode(root), name) for name, *_ in extras)
    assert sorted(os.listdir(root)) == ["d"]
    assert os.listdir(root / "d" / "e") == []


def test_a_plan_removes_nothing(tmp_path, root):
    """A dry run says what would go."""
    tallied, said = _remove(tmp_path, root, [_extra(root, "a")], dry_run=True, json=True)
    assert tallied.deleted == 1
    assert b'"dry_run":true' in said.lines
    assert (root / "a").exists()


def test_what_has_changed_stays(tmp_path, root):
    """Written to, replaced by a link, or by a directory since it was seen: a failure, and it is there."""
    extras = [_extra(root, name) for name in ("a", "d/b", "d/e/c")]
    (root / "a").write_bytes(b"more")
    (root / "d" / "b").unlink()
    (root / "d" / "b").symlink_to("../a")
    (root / "d" / "e" / "c").unlink()
    (root / "d" / "e" / "c").mkdir()
    tallied, said = _remove(tmp_path, root, extras)
    assert (tallied.deleted, tallied.failed) == (0, 3)
    assert said.errors.count(b"PreconditionFailed: it has changed since it was looked at, and stays") == 3
    assert (root / "a").read_bytes() == b"more"
    assert (root / "d" / "b").is_symlink()


def test_another_file_of_the_same_size_and_time_stays(tmp_path, root):
    """It took the place of the one that was seen, as a copy does where ``A`` and ``a`` are one name."""
    extra = _extra(root, "a")
    (root / "new").write_bytes(b"y")
    os.utime(root / "new", ns=(extra[2], extra[2]))
    (root / "new").rename(root / "a")
    tallied, said = _remove(tmp_path, root, [extra])
    assert (tallied.deleted, tallied.failed) == (0, 1)
    assert b"it has changed since it was looked at, and stays" in said.errors
    assert (root / "a").read_bytes() == b"y"


def test_nothing_is_removed_through_a_link(tmp_path, root):
    """A directory that somebody has replaced by a link elsewhere is not entered."""
    extras = [_extra(root, "d/e/c")]
    (root / "d" / "e").rename(tmp_path / "elsewhere")
    (root / "d" / "e").symlink_to(tmp_path / "elsewhere")
    tallied, said = _remove(tmp_path, root, extras)
    assert (tallied.deleted, tallied.failed) == (0, 1)
    assert said.errors.count(b"\n") == 1
    assert (tmp_path / "elsewhere" / "c").exists()


def test_a_name_that_leads_outside_is_refused(tmp_path, root):
    """No component of a name is another directory's."""
    (tmp_path / "outside").write_bytes(b"x")
    tallied, _ = _remove(tmp_path, root, [_extra(root, "../outside")])
    assert (tallied.deleted, tallied.failed) == (0, 1)
    assert (tmp_path / "outside").exists()
