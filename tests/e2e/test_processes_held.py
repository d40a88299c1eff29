"""Processes that are stopped, hung up on, left alone or given little: their work is done, or nobody goes on with it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

import psutil
import pytest

from tests.e2e.test_processes import LARGE
from tests.e2e.test_processes import LIMIT_S
from tests.e2e.test_processes import MANY
from tests.e2e.test_processes import SMALL
from tests.e2e.test_processes import assert_all_gone
from tests.e2e.test_processes import wait_until
from tests.e2e.test_processes import workers_of
from tests.kit.buckets import objects_of
from tests.kit.buckets import uploads_of
from tests.kit.command import finish
from tests.kit.mounts import mount
from tests.kit.trees import differences
from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does to orphans, and prlimit, are Linux's"),
]
GONE_S = 20.0
"""They may wait for the service for a minute, and try again then."""
FEWEST_FILES = 64


def stopped(process):
    """Whether a process stands still."""
    return process.status() == psutil.STATUS_STOPPED


def test_nothing_is_sent_when_the_supervisor_is_dead(orbit, gate, server, tmp_path):
    """SIGKILL: the workers are gone too, and the service is asked for nothing any more."""
    source = make_tree(tmp_path / "src", MANY)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--processes", "2", source, "s3://bkt/") as process:
        hold.wait_for(32)
        wait_until(lambda: len(workers_of(process)) == 2, "two workers")
        workers = list(workers_of(process).values())
        killed_s = time.monotonic()
        process.kill()
        process.wait(LIMIT_S)
        assert_all_gone(workers)
        took_s = time.monotonic() - killed_s
        arrived = hold.arrived
        gate.open()
        wait_until(lambda: server.open_connections == 0, "the end of all connections")
    assert took_s < GONE_S
    assert hold.arrived == arrived


def test_a_hangup_ends_it(orbit, gate, server, judge, tmp_path):
    """SIGHUP is as SIGTERM: 129, the upload aborted or kept as asked, no process left."""
    source = make_tree(tmp_path / "src", SMALL | LARGE)
    parts = gate.hold("UploadPart", after=1)
    arguments = ("cp", "-R", "--json", "--no-resume", "--processes", "2", "--part-size", "5", source, "s3://bkt/")
    with orbit.start(*arguments) as process:
        parts.wait_for(2)
        workers = list(workers_of(process).values())
        process.send_signal(signal.SIGHUP)
        result = finish(process, LIMIT_S).expect(129)
    assert result.summary["interrupted"] is True
    assert_all_gone(workers)
    gate.open()
    wait_until(lambda: uploads_of(judge, "bkt") == [], "the abort of the upload")
    assert "large" not in objects_of(judge, "bkt")


@pytest.mark.parametrize("who", ["worker", "everybody"])
def test_what_is_stopped_goes_on(who, orbit, gate, server, judge, tmp_path):
    """SIGSTOP, and SIGCONT when connections have been idle for longer than any limit: all arrives, exit 0."""
    source = make_tree(tmp_path / "src", SMALL | LARGE)
    puts, parts = gate.hold("PutObject", after=4), gate.hold("UploadPart", after=2)
    arguments = ("cp", "-R", "--json", "--timeout", "1", "--processes", "2", "--part-size", "5", source, "s3://bkt/")
    with orbit.start(*arguments) as process:
        puts.wait_for(2)
        parts.wait_for(2)
        wait_until(lambda: len(workers_of(process)) == 2, "two workers")
        workers = list(workers_of(process).values())
        family = workers[:1] if who == "worker" else [psutil.Process(process.pid), *workers]
        for one in family:
            one.send_signal(signal.SIGSTOP)
        wait_until(lambda: all(map(stopped, family)), "that they stand still")
        gate.open()
        server.drop_connections()
        time.sleep(1.5)  # longer than a silence may last
        for one in family:
            one.send_signal(signal.SIGCONT)
        result = finish(process, LIMIT_S).expect(0)
    assert result.counts == (len(SMALL) + 1, 0, 0)
    assert differences(objects_of(judge, "bkt"), SMALL | LARGE) == []


def test_a_signal_reaches_a_job_whose_worker_is_stopped(orbit, gate, server, tmp_path):
    """It does not answer any more: it is killed, and the job ends as it was told to."""
    source = make_tree(tmp_path / "src", MANY)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", "--json", "--processes", "2", source, "s3://bkt/") as process:
        hold.wait_for(32)
        wait_until(lambda: len(workers_of(process)) == 2, "two workers")
        workers = list(workers_of(process).values())
        workers[0].send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        result = finish(process, LIMIT_S).expect(130)
    assert result.summary["interrupted"] is True
    assert_all_gone(workers)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="there is no prlimit")
def test_few_open_files_will_do(orbit, server, judge, tmp_path):
    """With 64 files a process there is less at once, both ways; with fewer nothing is begun, and the reason is told."""
    files = {f"{number}": b"%d" % number for number in range(300)} | LARGE
    source = make_tree(tmp_path / "src", files)
    few = [shutil.which("prlimit"), f"--nofile={FEWEST_FILES}:{FEWEST_FILES}"]
    narrow = type(orbit)(orbit.environment, prefix=tuple(few))
    assert narrow("cp", "-R", "--json", "--part-size", "5", source, "s3://bkt/").expect(0).counts == (301, 0, 0)
    assert differences(objects_of(judge, "bkt"), files) == []
    assert narrow("sync", "--json", "--part-size", "5", "s3://bkt/", tmp_path / "back").expect(0).counts == (301, 0, 0)
    assert differences(read_tree(tmp_path / "back"), files) == []
    fewer = type(orbit)(orbit.environment, prefix=(few[0], f"--nofile={FEWEST_FILES - 1}:{FEWEST_FILES - 1}"))
    refused = fewer("cp", "-R", source, "s3://bkt/again/")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert f"ulimit -n {FEWEST_FILES}" in refused.errors[0]


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no /dev/shm")
def test_a_tiny_dev_shm_is_no_hindrance(orbit, server, judge, tmp_path):
    """What the processes share has no name in any file system."""
    files = SMALL | LARGE
    source = make_tree(tmp_path / "src", files)
    with mount("/dev/shm", "size=64k") as disk:
        confined = type(orbit)(orbit.environment, prefix=disk.prefix)
        result = confined("cp", "-R", "--json", "--processes", "2", "--part-size", "5", source, "s3://bkt/").expect(0)
        assert list(disk.path.iterdir()) == []
    assert result.counts == (len(files), 0, 0)
    assert differences(objects_of(judge, "bkt"), files) == []
