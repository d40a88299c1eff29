"""The peers of extras: what is there, or cannot be looked at, fails the task; what is not there says nothing."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.core.tasks import LookForKeys
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.tasks import flow_of
from orbit_fast.io.tasks import peers
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

ABSENT = NotFound("here", "x")


class Beside:
    """Runs the flows of a task one by one, as soon as they are started, with the answers given."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.asked = []

    def run(self, flow, on_end):
        """As `Client.run`."""
        driver = Driver([self.answers.pop(0)])
        try:
            on_end(driver.run(flow))
        except S3Error as error:
            on_end(error)
        self.asked += [request.key for request in driver.requests]
        return self

    def cancel(self):
        """Nothing is under way."""


def _keys(tmp_path, keys, answers):
    """Look for keys; the paths that were asked for."""
    beside = Beside(answers)
    with staged(tmp_path, JobSettings()) as stage:
        given = TaskSurroundings(around=stage.around, run=beside.run, output=None, presign=None)
        Driver([]).run(flow_of(given, LookForKeys(0, tuple(keys))))
    assert beside.answers == []
    return beside.asked


def test_keys_that_are_not_there(tmp_path):
    """One HEAD each; what cannot be a key is not asked for."""
    assert _keys(tmp_path, ["p/a", "p/b/", "k" * 1025, "p/c"], [ABSENT] * 3) == ["p/a", "p/b/", "p/c"]


def test_a_key_that_is_there(tmp_path):
    """The task fails and says which, and asks for no other."""
    there = reply(content_length="1", etag='"e"')
    with pytest.raises(
        IncompleteListing, match=r"^s3://here/b is at the source, which was listed without it$"
    ) as caught:
        _keys(tmp_path, ["a", "b", "c"], [ABSENT, there])
    assert (caught.value.code, caught.value.exit_code) == ("E_LIST_INCOMPLETE", 2)


def test_a_key_nobody_knows_of(tmp_path):
    """Any failure but "not found" fails the task, with its code; a task that is cancelled is cancelled."""
    with pytest.raises(IncompleteListing, match="cannot be told whether s3://here/a is at the source: busy") as caught:
        _keys(tmp_path, ["a", "b"], [ServerFault("busy", code="InternalError", status=500)])
    assert (caught.value.code, caught.value.status, caught.value.exit_code) == ("InternalError", 500, 2)
    with pytest.raises(Cancelled):
        _keys(tmp_path, ["a", "b"], [Cancelled("stop")])


def _files(root, *names, follows=False):
    """Look for files."""
    task = LookForFiles(0, os.fsencode(root) + b"/", names)
    given = SimpleNamespace(settings=JobSettings(selection=SelectionSettings(follow_symlinks=follows)))
    Driver([]).run(flow_of(given, task))


@pytest.fixture
def root(tmp_path):
    """A file, a directory, and a link that leads nowhere."""
    root = tmp_path / "top"
    (root / "d").mkdir(parents=True)
    (root / "f").write_bytes(b"x")
    (root / "link").symlink_to("nowhere")
    (tmp_path / "outside").write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    "name",
    ["a", "a/", "d/a", "f/a", "f/", "d", "../outside", "d//", "./f", "f\0", "n" * 256, "n" * 255, "no/f", "a" * 4000],
)
def test_files_that_are_not_there(root, name):
    """Also where a directory has a file's name, or a file a directory's, and what no path can be called."""
    _files(root, name)


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("name", ["f", "d/", "link", "link/"])
def test_files_that_are_there(root, name, follows):
    """A file, a directory for its marker, and a link that leads nowhere."""
    with pytest.raises(IncompleteListing, match="is at the source, which was listed without it"):
        _files(root, "a", name, "b", follows=follows)


def test_links_that_are_followed(root):
    """A link is what it leads to; where links are not followed, nobody looks, and it may be anything."""
    (root / "to-d").symlink_to("d")
    (root / "to-f").symlink_to("f")
    _files(root, "to-d", "to-f/", "to-d/x", follows=True)
    for name in ("to-d/", "to-f"):
        with pytest.raises(IncompleteListing):
            _files(root, name, follows=True)
    for name in ("to-d", "to-d/", "to-f", "to-f/"):
        with pytest.raises(IncompleteListing):
            _files(root, name)


def test_files_nobody_knows_of(root, monkeypatch):
    """The system refuses to look, or the directory itself has gone: nothing is known."""

    def refuse(path):
        raise OSError(errno.EACCES, "no", path)

    with monkeypatch.context() as patched:
        patched.setattr(peers.os, "lstat", refuse)
        with pytest.raises(IncompleteListing, match=r"cannot be told whether .*/top/a is at the source") as caught:
            _files(root, "a")
    assert caught.value.code == "E_SOURCE_UNREADABLE"
    with pytest.raises(IncompleteListing) as caught:
        _files(root / "gone", "a")
    assert caught.value.code == "E_VANISHED"
