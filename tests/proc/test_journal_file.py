"""The journal's file: private, locked, on stable storage when it must be, and never in the way of a job."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from orbit_fast.core.journal import Ended
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import Intent
from orbit_fast.core.journal import Landing
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import Started
from orbit_fast.core.journal import encode_line
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import PartFact
from orbit_fast.proc.journal import EXPIRES_S
from orbit_fast.proc.journal import SYNC_EVERY_S
from orbit_fast.proc.journal import Journal
from orbit_fast.proc.journal import Phase
from orbit_fast.proc.journal import state_directory

HEADER = Header(run="0" * 16, operation="cp", sources=(b"/a",), destination=b"s3://b/k")
AGAIN = Header(run="1" * 16, operation="cp", sources=(b"/a",), destination=b"s3://b/k")
INTENT = Intent(transfer=1, place=Place(Direction.UPLOAD, "aws", "b", "k", b"/a"), when_ns=1)
STARTED = Started(transfer=1, size=20, part_size=10, token="id")
PART = Landing(transfer=1, part=PartFact(1, 0, 10))


class Desk:
    """Makes journals below a directory, and closes what they leave open."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "name.journal"
        self.now_s = 1e9
        self.monotonic = 100.0
        self.warnings = []
        self.opened = []

    def journal(self, header=HEADER):
        """One that is open."""
        clock = SimpleNamespace(now_s=lambda: self.now_s, monotonic_s=lambda: self.monotonic)
        journal = Journal(str(self.directory), "name", clock=clock, warn=self.warnings.append)
        journal.open()
        journal.begin(header)
        self.opened.append(journal)
        return journal

    def died(self, *records, header=HEADER):
        """A run recorded this, and was killed."""
        journal = self.journal(header)
        for record in records:
            journal.record(record, is_urgent=True)
        journal.write()
        journal._drop()
        os.utime(self.path, (self.now_s, self.now_s))
        return journal


@pytest.fixture
def desk(tmp_path):
    """A place for journals that does not exist yet."""
    desk = Desk(tmp_path / "state" / "orbit")
    yield desk
    for journal in desk.opened:
        journal._drop()


@pytest.fixture
def synced(monkeypatch):
    """What was flushed to stable storage, in order: the size of each file, or None for a directory."""
    found = []

    def fsync(fd):
        facts = os.fstat(fd)
        found.append(None if stat.S_ISDIR(facts.st_mode) else facts.st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_nothing_is_made_before_there_is_something_to_say(desk):
    """A job without large objects leaves no trace."""
    journal = desk.journal()
    journal.write()
    journal.close(is_clean=True)
    assert not desk.directory.parent.exists()


def test_what_a_dead_run_recorded_is_known_to_the_next(desk):
    """Both runs are; the file is nobody else's business."""
    desk.died(INTENT, STARTED, PART)
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (desk.directory, desk.directory.parent)} == {0o700}
    journal = desk.journal(AGAIN)
    [transfer] = journal.state.transfers.values()
    assert (transfer.started, transfer.parts) == (STARTED, {1: PART.part})
    journal.record(Ended(transfer=1))
    assert journal.state.runs == [HEADER, AGAIN]
    journal.close(is_clean=True)
    assert list(desk.directory.iterdir()) == []
    assert desk.warnings == []


def test_it_stays_as_long_as_something_may_be_left(desk):
    """An object that has not ended, or temporary files that nobody has looked for."""
    desk.died(INTENT, STARTED)
    desk.journal(AGAIN).close(is_clean=True)
    assert desk.path.exists()
    journal = desk.journal()
    journal.record(Ended(transfer=1))
    journal.close(is_clean=False)
    assert desk.path.exists()
    desk.journal().close(is_clean=True)
    assert not desk.path.exists()


def test_urgent_records_are_on_stable_storage_and_others_soon(desk, synced):
    """An intent waits for the disk; parts are flushed once a second."""
    journal = desk.journal()
    journal.record(INTENT, is_urgent=True)
    journal.write()
    whole = len(encode_line(HEADER) + encode_line(INTENT))
    directories = [None, None, None]  # two that were made, and what the journal itself is in
    assert synced == [*directories, whole]
    journal.record(PART)
    journal.write()
    assert desk.path.stat().st_size > whole
    assert len(synced) == 4
    desk.monotonic += SYNC_EVERY_S
    journal.write()
    journal.write()
    assert len(synced) == 5


def test_a_torn_line_is_skipped_and_the_next_one_is_not_spoilt(desk):
    """What follows a line that was cut short stands on a line of its own."""
    desk.died(INTENT)
    with desk.path.open("ab") as file:
        file.write(encode_line(STARTED)[:30])
    os.utime(desk.path, (desk.now_s, desk.now_s))
    desk.died(STARTED, header=AGAIN)
    assert desk.journal().state.transfers[1].started == STARTED


def test_two_runs_of_one_command_do_not_share_it(desk):
    """The second neither goes on with anything nor writes; when the first is gone, a third does."""
    desk.died(INTENT, STARTED)
    first = desk.journal()
    second = desk.journal(AGAIN)
    assert (first.phase, second.phase) == (Phase.OPEN, Phase.OFF)
    assert second.state.transfers == {}
    second.record(Ended(transfer=1), is_urgent=True)
    second.write()
    second.close(is_clean=True)
    assert "another run" in desk.warnings[-1]
    first.close(is_clean=False)
    assert desk.journal().state.transfers


def test_the_lock_dies_with_its_process(desk):
    """However it dies."""
    desk.died(INTENT, STARTED)
    code = "import fcntl,os,sys; fd=os.open(sys.argv[1], os.O_RDWR); fcntl.flock(fd, 2); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, desk.path], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"1\n"
        assert desk.journal().phase is Phase.OFF
        other.kill()
        other.wait()
        assert desk.journal().phase is Phase.OPEN


def test_of_two_that_begin_at_once_one_has_it(desk):
    """There was no file when both looked."""
    first, second = desk.journal(), desk.journal(AGAIN)
    for journal in (first, second):
        journal.record(INTENT, is_urgent=True)
        journal.write()
    assert (first.phase, second.phase) == (Phase.OPEN, Phase.OFF)


def test_a_journal_that_was_removed_meanwhile_is_not_written_into(desk):
    """Its name belongs to another file by now, or to none."""
    desk.died(INTENT, STARTED)
    held = os.open(desk.path, os.O_RDWR)
    journal = Journal(str(desk.directory), "name", clock=SimpleNamespace(now_s=lambda: 1e9, monotonic_s=lambda: 0.0),
                      warn=desk.warnings.append)  # fmt: skip
    desk.path.unlink()
    assert not journal._take(held)
    journal.open()
    assert journal.phase is Phase.ABSENT


def test_old_journals_are_removed_unread(desk):
    """This command's when it is opened; those of others when a new one is made, unless they are in use."""
    desk.died(INTENT, STARTED)
    other, used = desk.directory / "other.journal", desk.directory / "used.journal"
    for path in (other, used):
        path.write_bytes(desk.path.read_bytes())
        os.utime(path, (desk.now_s, desk.now_s))
    desk.now_s += EXPIRES_S + 1
    with used.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        journal = desk.journal(AGAIN)
        assert (journal.phase, journal.state.transfers) == (Phase.ABSENT, {})
        journal.record(INTENT)
        journal.write()
    assert sorted(path.name for path in desk.directory.iterdir()) == ["name.journal", "used.journal"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda desk: desk.path.write_bytes(encode_line(Header(version=99, run="", operation="", sources=(),
                                                              destination=b""))),
        lambda desk: desk.path.chmod(0o622),
        lambda desk: (desk.path.rename(desk.directory / "x"), desk.path.symlink_to(desk.directory / "x")),
        lambda desk: (desk.path.unlink(), desk.path.mkdir()),
    ],
    ids=["another version", "others may write", "a link", "a directory"],
)  # fmt: skip
def test_what_cannot_be_trusted_is_left_alone(desk, spoil):
    """The job goes on without a journal, and says why where somebody wants to hear it."""
    desk.died(INTENT, STARTED)
    spoil(desk)
    if desk.path.is_file():
        os.utime(desk.path, (desk.now_s, desk.now_s))
    before = sorted(desk.directory.rglob("*"))
    journal = desk.journal()
    assert (journal.phase, journal.state.transfers) == (Phase.OFF, {})
    journal.record(INTENT, is_urgent=True)
    journal.write()
    journal.close(is_clean=True)
    assert sorted(desk.directory.rglob("*")) == before
    [warning] = desk.warnings
    assert warning.startswith("no journal is kept in")


def test_a_directory_that_cannot_be_written_is_no_failure(desk):
    """A file stands in its way."""
    desk.directory.parent.parent.mkdir(exist_ok=True)
    desk.directory.parent.write_bytes(b"")
    journal = desk.journal()
    journal.record(INTENT, is_urgent=True)
    journal.write()
    assert not journal.is_on
    assert len(desk.warnings) == 1


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails_takes_the_journal_away(desk, monkeypatch, call):
    """What was recorded before may be there; from now on nothing is."""
    journal = desk.journal()
    journal.record(INTENT, is_urgent=True)
    journal.write()

    def refuse(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(os, call, refuse)
    journal.record(STARTED, is_urgent=True)
    journal.write()
    assert (journal.is_on, journal.state.transfers) == (False, {})
    journal.record(PART, is_urgent=True)
    journal.write()
    assert journal.is_lost
    [warning] = desk.warnings
    assert "No space left on device" in warning
    monkeypatch.undo()
    assert not desk.journal().is_on  # what stands in it is still under way
    journal.close(is_clean=True)
    after = desk.journal()
    assert (after.is_on, list(after.state.transfers)) == (True, [1])
    after.close(is_clean=True)


def test_a_full_disk_does_not_hide_what_was_written(desk, monkeypatch):
    """A line that it cut short goes, when nothing more can be written."""
    desk.died(INTENT, STARTED)
    whole = desk.path.read_bytes()
    desk.path.write_bytes(whole + b"0123abcd {")
    os.utime(desk.path, (desk.now_s, desk.now_s))

    def refuse(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "write", refuse)
    journal = desk.journal()
    assert (journal.is_on, list(journal.state.transfers)) == (True, [1])
    assert desk.path.read_bytes() == whole


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/orbit"),
        ({"XDG_STATE_HOME": "s", "HOME": "/usr"}, "/usr/.local/state/orbit"),
        ({"HOME": "/usr"}, "/usr/.local/state/orbit"),
        ({"HOME": "/dev/null"}, ""),
        ({"HOME": "usr"}, ""),
        ({}, ""),
    ],
)
def test_where_journals_are(variables, expected):
    """The XDG state directory; a home that is none has no journals."""
    assert state_directory(variables) == expected


def test_without_a_home_there_is_none(desk):
    """Nothing is made, and nothing said: not everybody has a home."""
    journal = Journal("", "name", clock=SimpleNamespace(monotonic_s=lambda: 0.0), warn=desk.warnings.append)
    journal.open()
    journal.record(INTENT)
    journal.close(is_clean=True)
    assert not journal.is_on
    assert desk.warnings == []
