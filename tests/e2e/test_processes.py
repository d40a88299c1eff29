"""The processes of a job: what ``ps`` shows, what the death of a worker costs, and how a signal ends it all."""

from __future__ import annotations

import os
import signal
import sys
import time

import psutil
import pytest

from tests.kit.buckets import objects_of
from tests.kit.buckets import uploads_of
from tests.kit.command import LIMIT_S
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.command import is_alive
from tests.kit.trees import MIB
from tests.kit.trees import PART
from tests.kit.trees import content
from tests.kit.trees import differences
from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

pytestmark = pytest.mark.slow
SMALL = {f"small-{number:02}": content(number, 1000 + number) for number in range(24)}
MANY = {f"many-{number:03}": content(number, number) for number in range(150)}
"""Enough for four workers: there is one more for each 32 small files that are to be moved."""
LARGE = {"large": content(99, 6 * PART + 77)}


def wait_until(is_true, what):
    """Wait for what has no event of its own: the state of another process."""
    deadline_s = time.monotonic() + LIMIT_S
    while not is_true():
        assert time.monotonic() < deadline_s, f"not in {LIMIT_S} s: {what}"
        time.sleep(0.01)


def workers_of(process):
    """The worker processes of a running command, by name."""
    found = {}
    for child in descendants(process.pid):
        title = " ".join(child.cmdline()) if sys.platform == "linux" else child.name()
        if title.startswith("orbit: worker"):
            found[title] = child
    return found


def assert_all_gone(processes):
    """None of these processes runs any more."""
    wait_until(lambda: not any(is_alive(one) for one in processes), f"the end of {processes}")


@pytest.mark.parametrize("count", [1, 3])
def test_ps_shows_named_workers(count, orbit, gate, judge, tmp_path):
    """``orbit cp --processes N`` is a supervisor and N processes called ``orbit: worker 0`` ..."""
    source = make_tree(tmp_path / "src", MANY)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--json", "--processes", str(count), source, "s3://bkt/") as process:
        hold.wait_for(32)
        wait_until(lambda: len(workers_of(process)) == count, "as many workers as were asked for")
        workers = workers_of(process)
        names = {one.name() for one in workers.values()}
        parents = {one.ppid() for one in workers.values()}
        secrets = [one.cmdline() for one in [psutil.Process(process.pid), *workers.values()]]
        gate.open()
        result = finish(process).expect(0)
    assert set(workers) == {f"orbit: worker {number}" for number in range(count)}
    assert names == set(workers)
    assert parents == {process.pid}
    assert "secret" not in str(secrets)
    assert {event["process"] for event in result.done} <= set(range(count))
    assert_all_gone(workers.values())
    assert objects_of(judge, "bkt") == MANY


@pytest.mark.parametrize("victims", [1, 2])
def test_killed_worker_costs_time_only_up(victims, orbit, gate, server, judge, tmp_path):
    """Workers are killed while small files and parts of a large one are on the way up: all arrives, exit 0."""
    files = SMALL | LARGE
    source = make_tree(tmp_path / "src", files)
    parts, puts = gate.hold("UploadPart", after=2), gate.hold("PutObject", after=4)
    with orbit.start("cp", "-R", "--json", "--processes", "2", "--part-size", "5", source, "s3://bkt/") as process:
        parts.wait_for(2)
        puts.wait_for(2)
        killed = list(workers_of(process).values())[:victims]
        for worker in killed:
            worker.kill()
        assert_all_gone(killed)
        gate.open()
        result = finish(process).expect(0)
    assert result.counts == (len(files), 0, 0)
    assert sorted(event["source"].rpartition("/")[2] for event in result.done) == sorted(files)
    assert differences(objects_of(judge, "bkt"), files) == []
    assert uploads_of(judge, "bkt") == []


def test_killed_worker_costs_time_only_down(orbit, gate, server, tmp_path):
    """The same on the way down; no temporary file is left beside what arrived."""
    files = SMALL | LARGE
    for key, data in files.items():
        server.store.put("bkt", key, data)
    gets = gate.hold("GetObject", after=6)
    destination = tmp_path / "dest"
    with orbit.start("cp", "-R", "--json", "--processes", "2", "--part-size", "5", "s3://bkt/", destination) as process:
        gets.wait_for(4)
        victim = workers_of(process).popitem()[1]
        victim.kill()
        assert_all_gone([victim])
        gate.open()
        result = finish(process).expect(0)
    assert result.counts == (len(files), 0, 0)
    assert differences(read_tree(destination), files) == []


def test_killed_supervisor_takes_its_workers_along(orbit, gate, server, tmp_path):
    """SIGKILL of the command leaves no worker behind that goes on by itself."""
    source = make_tree(tmp_path / "src", MANY)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--processes", "2", source, "s3://bkt/") as process:
        hold.wait_for(32)
        wait_until(lambda: len(workers_of(process)) == 2, "two workers")
        workers = list(workers_of(process).values())
        process.kill()
        process.wait(LIMIT_S)
        assert_all_gone(workers)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_an_upload(number, code, orbit, gate, server, judge, tmp_path):
    """SIGINT and SIGTERM: 130 and 143, the upload aborted, no process left, the summary says interrupted."""
    files = SMALL | LARGE
    source = make_tree(tmp_path / "src", files)
    parts = gate.hold("UploadPart", after=1)
    with orbit.start("cp", "-R", "--json", "--processes", "2", "--part-size", "5", source, "s3://bkt/") as process:
        parts.wait_for(2)
        workers = list(workers_of(process).values())
        process.send_signal(number)
        result = finish(process, LIMIT_S).expect(code)
    assert result.summary["interrupted"] is True
    assert result.summary["success"] is False
    assert_all_gone(workers)
    gate.open()
    wait_until(lambda: uploads_of(judge, "bkt") == [], "the abort of the upload")
    landed = objects_of(judge, "bkt")
    assert "large" not in landed
    assert landed == {name: files[name] for name in landed}
    assert {event["destination"] for event in result.done} <= {f"s3://bkt/{name}" for name in landed}


def test_signal_ends_a_download(orbit, gate, server, tmp_path):
    """Nothing half is left: what is there under its name is whole, and no temporary file remains."""
    files = SMALL | LARGE
    for key, data in files.items():
        server.store.put("bkt", key, data)
    gets = gate.hold("GetObject", key="large", after=1)
    destination = tmp_path / "dest"
    with orbit.start("cp", "-R", "--json", "--processes", "2", "--part-size", "5", "s3://bkt/", destination) as process:
        gets.wait_for(2)
        workers = list(workers_of(process).values())
        process.send_signal(signal.SIGINT)
        result = finish(process, LIMIT_S).expect(130)
    assert result.summary["interrupted"] is True
    assert_all_gone(workers)
    landed = read_tree(destination)
    assert "large" not in landed
    assert landed == {name: files[name] for name in landed}


def test_second_signal_ends_at_once(orbit, gate, server, tmp_path):
    """Two SIGINTs while the service is silent: the end comes in a moment, with 130 and a summary."""
    source = make_tree(tmp_path / "src", MANY)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--json", "--processes", "2", source, "s3://bkt/") as process:
        hold.wait_for(32)
        wait_until(lambda: len(workers_of(process)) == 2, "two workers")
        workers = list(workers_of(process).values())
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two pending signals of one number are one
        assert process.poll() is None
        started_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        result = finish(process, LIMIT_S).expect(130)
        took_s = time.monotonic() - started_s
    assert took_s < 4.5  # after five seconds the first one would have ended it
    assert result.summary["interrupted"] is True
    assert_all_gone(workers)


def test_terminal_interrupt_reaches_everybody(orbit, gate, server, judge, tmp_path):
    """Ctrl-C goes to the whole process group, workers included: they leave the decision to the supervisor."""
    source = make_tree(tmp_path / "src", LARGE)
    parts = gate.hold("UploadPart", after=1)
    with orbit.start("cp", "-R", "--json", "--processes", "2", "--part-size", "5", source, "s3://bkt/") as process:
        parts.wait_for(2)
        workers = list(workers_of(process).values())
        for one in [*workers, psutil.Process(process.pid)]:
            os.kill(one.pid, signal.SIGINT)
        result = finish(process, LIMIT_S).expect(130)
    assert_all_gone(workers)
    gate.open()
    wait_until(lambda: uploads_of(judge, "bkt") == [], "the abort of the upload")
    assert result.counts[0] == 0
    assert objects_of(judge, "bkt") == {}


def test_interrupt_in_text(orbit, gate, server, tmp_path):
    """Without ``--json`` an interrupted command ends with 130 and no traceback."""
    source = make_tree(tmp_path / "src", {"a": b"1" * MIB})
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--stat", source, "s3://bkt/") as process:
        hold.wait_for(1)
        process.send_signal(signal.SIGINT)
        result = finish(process, LIMIT_S)
    assert result.code == 130
    assert b"Traceback" not in result.err
