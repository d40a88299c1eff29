"""What a job says: lines to their streams, counts, and the summary last, whatever becomes of stdout."""

from __future__ import annotations

import json
import os
import resource

import pytest

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.console import Snapshot
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.notes import INFO
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.proc import report as module
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.writer import LineWriter
from tests.kit.clock import FakeClock

PAIR = ("a", "s3://b/a")
DENIED = Failure.of(AccessDenied("no"))


class TerminalConsole(SilentConsole):
    """A display on the terminal that stdout shares."""

    is_stdout_tty = True

    def __init__(self):
        self.written = []
        self.shown = []
        self.closed = 0

    def write(self, lines, *, is_error=False):
        """Taken."""
        self.written.append((lines, is_error))
        return True

    def show(self, snapshot):
        """Remembered."""
        self.shown.append(snapshot)

    def close(self):
        """Counted."""
        self.closed += 1


class Bench:
    """A report whose streams are files."""

    def __init__(self, tmp_path, *, console=None, json=True, out_fd=None, **groups):
        self.clock = FakeClock()
        self.paths = [tmp_path / "out", tmp_path / "err"]
        self._fds = [os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC) for path in self.paths]
        output = groups.pop("output", OutputSettings(json=json))
        settings = JobSettings(output=output, **groups)
        self.report = Report(settings, console or SilentConsole(), self.clock.monotonic_s)
        self.report.out.close()
        self.report.err.close()
        self.report.out = LineWriter(self._fds[0] if out_fd is None else out_fd)
        self.report.err = LineWriter(self._fds[1])

    def close(self, *, retries=0):
        """The exit code, the events on stdout and the lines on stderr."""
        code = self.report.close(retries=retries)
        for fd in self._fds:
            os.close(fd)
        out, err = (path.read_bytes() for path in self.paths)
        events = [json.loads(line) for line in out.splitlines()] if out.startswith(b"{") else out.splitlines()
        return code, events, err.splitlines()


def test_finished_lines_go_to_their_streams_unread(tmp_path):
    """Whatever a worker made of them."""
    bench = Bench(tmp_path, json=False)
    bench.report.forward(b"one\n", b"two\n")
    bench.report.forward(b"", b"")
    bench.report.pump()
    assert [path.read_bytes() for path in bench.paths] == [b"one\n", b"two\n"]
    assert bench.close() == (0, [b"one"], [b"two"])


def test_stdout_can_be_left_to_what_workers_say(tmp_path):
    """Failures and the summary then go to stderr, as events too."""
    bench = Bench(tmp_path)
    bench.report.leaves_stdout = True
    bench.report.forward(b"a record\n", b"")
    bench.report.failed(PAIR, DENIED)
    code, out, err = bench.close()
    assert (code, out) == (2, [b"a record"])
    assert [json.loads(line)["operation"] for line in err] == ["cp", "summary"]


def test_on_a_shared_terminal_the_display_writes(tmp_path):
    """Above its own lines; it shows the progress, and is taken away before the summary."""
    console = TerminalConsole()
    bench = Bench(tmp_path, console=console, json=False)
    bench.report.forward(b"one\n", b"two\n")
    bench.report.show(Snapshot())
    assert console.written == [(b"one\n", False), (b"two\n", True)]
    assert console.shown == [Snapshot()]
    assert bench.close() == (0, [], [])
    assert console.closed == 1


def test_everything_is_counted_and_said_once(tmp_path):
    """Ends that workers told are counted only; what this side knows alone is said too; the summary is last."""
    bench = Bench(tmp_path, output=OutputSettings(json=True, progress=True))
    report = bench.report
    report.ended(Outcome(1, Status.DONE, 10, Verified.SIZE))
    report.ended(Outcome(2, Status.FAILED, failure=DENIED))
    report.ended(Outcome(3, Status.FAILED, failure=Failure.of(Cancelled("given up"))))
    report.failed(PAIR, Failure.of(Cancelled("given up")))
    tried = AccessDenied("no")
    tried.attempts = 3
    report.failed(PAIR, Failure.of(tried))
    report.skipped(PAIR, "symlink")
    report.skipped(("s3://b/g", ""), "glacier", 7)
    report.progress(Snapshot(bytes_done=5, files_done=1))
    bench.clock.advance(2.0)
    code, events, errors = bench.close(retries=4)
    assert code == 1
    assert errors == []
    assert [event["operation"] for event in events] == ["cp", "cp", "cp", "progress", "summary"]
    assert (events[0]["code"], events[0]["attempts"]) == ("AccessDenied", 3)
    assert [event.get("reason") for event in events[1:3]] == ["symlink", "glacier"]
    summary = events[-1]
    assert (summary["files_copied"], summary["files_skipped"], summary["files_failed"]) == (1, 2, 2)
    assert (summary["bytes_copied"], summary["unverified"], summary["retries"]) == (10, 1, 4)
    assert (summary["duration_secs"], summary["throughput_bps"]) == (2.0, 5)
    assert (summary["exit_code"], summary["success"], summary["interrupted"]) == (1, False, False)


def test_only_the_first_reason_for_a_stop_is_said(tmp_path):
    """The job stops once."""
    bench = Bench(tmp_path)
    bench.report.stopped_by(NoSpace("disk full"))
    bench.report.stopped(DENIED)
    bench.report.stopped_by_item(DENIED)
    code, events, _ = bench.close()
    assert code == 2
    assert [event.get("code") for event in events] == ["E_NO_SPACE", None]


def test_a_stop_that_an_objects_line_has_told_is_not_said_again(tmp_path):
    """It only counts for the exit code."""
    bench = Bench(tmp_path)
    bench.report.stopped_by_item(Failure.of(NoSpace("disk full")))
    code, events, _ = bench.close()
    assert (code, len(events)) == (2, 1)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (OutputSettings(), [b"orbit: warning: w", b"orbit: error: e"]),
        (OutputSettings(log_level="error"), [b"orbit: error: e"]),
        (OutputSettings(log_level="info"), [b"orbit: info: i", b"orbit: warning: w", b"orbit: error: e"]),
        (OutputSettings(log_level="error", verbose=1), [b"orbit: info: i", b"orbit: warning: w", b"orbit: error: e"]),
        (
            OutputSettings(verbose=2, json=True),
            [b"orbit: debug: d", b"orbit: info: i", b"orbit: warning: w", b"orbit: error: e"],
        ),
    ],
)
def test_log_lines_are_for_those_who_asked(tmp_path, output, said):
    """--log-level says from where on, -v and -vv ask for more; all of it on stderr, events or not."""
    bench = Bench(tmp_path, output=output)
    for level in Level:
        bench.report.log(level, level.name[0].lower())
    assert bench.close()[2] == said


def test_what_several_workers_note_is_said_once(tmp_path):
    """And nothing of it to those who did not ask."""
    assert int(Level.INFO) == INFO
    for output, said in [(OutputSettings(verbose=1), [b"orbit: info: n", b"orbit: info: m"]), (OutputSettings(), [])]:
        bench = Bench(tmp_path, output=output)
        for text in "nmn":
            bench.report.log_once(Level(INFO), text)
        assert bench.close()[2] == said


def test_a_dry_run_copies_no_bytes(tmp_path):
    """It says how many objects it would have copied."""
    bench = Bench(tmp_path, output=OutputSettings(json=True, dry_run=True))
    bench.report.ended(Outcome(1, Status.PLANNED, 10))
    summary = bench.close()[1][-1]
    assert (summary["files_copied"], summary["bytes_copied"]) == (1, 0)


def test_archived_objects_may_be_ignored(tmp_path):
    """--ignore-glacier-warnings."""
    for ignores, code in [(False, 1), (True, 0)]:
        bench = Bench(tmp_path, selection=SelectionSettings(ignore_glacier_warnings=ignores))
        bench.report.skipped(("s3://b/g", ""), "glacier", 7)
        assert bench.close()[0] == code


def test_an_interrupted_job_says_so(tmp_path):
    """130, in the summary too."""
    bench = Bench(tmp_path)
    bench.report.tally.signal = 2
    code, events, _ = bench.close()
    assert (code, events[-1]["exit_code"], events[-1]["interrupted"]) == (130, 130, True)


def test_a_report_that_could_not_be_written_is_no_success(tmp_path):
    """The disk is full: the work is done, the exit code is not 0."""
    fd = os.open("/dev/full", os.O_WRONLY)
    bench = Bench(tmp_path, out_fd=fd)
    bench.report.ended(Outcome(1, Status.DONE, 10, Verified.CHECKSUM))
    code, events, _ = bench.close()
    os.close(fd)
    assert (code, events) == (1, [])


def test_a_reader_who_is_gone_is_no_success_either(tmp_path):
    """And nobody is waited for."""
    read_fd, write_fd = os.pipe()
    bench = Bench(tmp_path, out_fd=write_fd)
    os.close(read_fd)
    assert bench.close()[0] == 1
    os.close(write_fd)


def test_a_reader_who_never_reads_can_be_given_up_by_a_signal(tmp_path, monkeypatch):
    """The end of the job waits for a slow reader, and looks for signals meanwhile."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    read_fd, write_fd = os.pipe()
    bench = Bench(tmp_path, out_fd=write_fd)
    line = b"x" * (resource.getpagesize() - 1) + b"\n"
    bench.report.forward(line * 100, b"")
    looks = []

    def look():
        looks.append(1)
        bench.clock.advance(1.0)
        if len(looks) == 3:
            bench.report.tally.signal = 2

    bench.report.on_wait = look
    assert bench.close()[0] == 130
    assert 3 < len(looks) < 20
    os.close(read_fd)
    os.close(write_fd)


def test_a_reader_who_never_reads_is_given_up_in_the_end(tmp_path, monkeypatch):
    """Then the report is lost, which is no success."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    read_fd, write_fd = os.pipe()
    bench = Bench(tmp_path, out_fd=write_fd)
    bench.report.forward(b"x" * (1 << 20) + b"\n", b"")
    bench.report.on_wait = lambda: bench.clock.advance(module.DRAIN_S / 10)
    assert bench.close()[0] == 1
    os.close(read_fd)
    os.close(write_fd)


def test_who_makes_lines_waits_for_their_reader(tmp_path):
    """Either stream's."""
    bench = Bench(tmp_path, json=False)
    assert not bench.report.is_congested
    bench.report.err.write(b"x" * (2 << 20) + b"\n")
    assert bench.report.is_congested
    bench.close()
