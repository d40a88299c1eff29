"""Jobs of an engine against the embedded server: what they do, what they tell, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import psutil
import pytest

from orbit_fast import AccessDenied
from orbit_fast import BucketNotFound
from orbit_fast import Cancelled
from orbit_fast import Engine
from orbit_fast import EngineLost
from orbit_fast import EngineProgress
from orbit_fast import InvalidConfig
from orbit_fast import NotFound
from orbit_fast import ObjectDeleted
from orbit_fast import ObjectDone
from orbit_fast import ObjectFailed
from orbit_fast import ObjectPlanned
from orbit_fast import ObjectSkipped
from orbit_fast.client import engine_job
from orbit_fast.client.engine_process import BOOT
from tests.kit.command import descendants
from tests.kit.command import is_alive
from tests.kit.command import wait_until_gone
from tests.kit.held_service import HeldService
from tests.kit.library import BUCKET
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import config_of
from tests.kit.library import on_loop
from tests.kit.library import stored

pytestmark = pytest.mark.slow
URL = f"s3://{BUCKET}"
LARGE = random.Random(3).randbytes(2 * PART)


def engine_of(server, **options):
    """An engine whose credentials come with a client's configuration."""
    return Engine(config_of(server), **{"processes": 1, "resume": False, **options})


def fill(directory, count=3):
    """Small files."""
    for number in range(count):
        (directory / f"f{number}").write_bytes(b"x" * number)
    return directory


async def processes_of(job):
    """The process of a job and all below it, once it has a worker."""

    def look():
        while not (found := descendants(job._process.pid)):
            assert is_alive(psutil.Process(job._process.pid))
        return [psutil.Process(job._process.pid), *found]

    return await asyncio.to_thread(look)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_the_jobs(server, tmp_path, loop):
    """Copy up and down, sync, move and delete: events while it goes on, a report at the end."""
    fill(tmp_path)

    async def main():
        engine = engine_of(server)
        job = engine.copy(tmp_path, f"{URL}/a", recursive=True, metadata={"k": "v"})
        async with job:
            events = [event async for event in job]
        done = [event for event in events if isinstance(event, ObjectDone)]
        assert {event.destination for event in done} == {f"{URL}/a/f{number}" for number in range(3)}
        assert all(event.verified == "checksum" and event.operation == "cp" for event in done)
        assert {type(event) for event in events} <= {ObjectDone, EngineProgress}
        assert (job.report.success, job.report.files_copied, job.report.bytes_copied) == (True, 3, 3)
        assert (await job) is job.report

        report = await engine.sync(f"{URL}/a", tmp_path / "b", dry_run=True)
        assert (report.command, report.files_copied, (tmp_path / "b").exists()) == ("sync", 3, False)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "extra").touch()
        events = [event async for event in engine.sync(f"{URL}/a", tmp_path / "b", delete=True, progress=False)]
        assert [event.source for event in events if isinstance(event, ObjectDeleted)] == [f"{tmp_path}/b/extra"]
        assert len(events) == 4
        assert (tmp_path / "b" / "f2").read_bytes() == b"xx"

        events = [event async for event in engine.copy(tmp_path / "f1", f"{URL}/a/f1", no_clobber=True)]
        assert [event.reason for event in events if isinstance(event, ObjectSkipped)] == ["exists"]
        report = await engine.move([tmp_path / "f1", str(tmp_path / "f2")], f"{URL}/m/")
        assert (report.files_copied, (tmp_path / "f1").exists(), stored(server, "m/f2")) == (2, False, b"xx")

        events = [event async for event in engine.delete(f"{URL}/m", recursive=True, dry_run=True)]
        assert {event.source for event in events if isinstance(event, ObjectPlanned)} == {f"{URL}/m/f1", f"{URL}/m/f2"}
        report = await engine.delete([f"{URL}/m", f"{URL}/a"], recursive=True)
        assert (report.files_deleted, stored(server, "m/f2")) == (5, None)

    on_loop(main(), loop)


def test_an_object_that_fails_is_told_of(tmp_path, caplog):
    """By an event and by the report; the others are done. What is logged are log records."""
    fill(tmp_path)

    async def main(service):
        held = service.hold("PutObject", key="a/f1", refusal="AccessDenied")
        held.release()
        job = engine_of(service.server).copy(tmp_path, f"{URL}/a", recursive=True, verbose=2)
        failed = [event async for event in job if isinstance(event, ObjectFailed)]
        assert [(event.source, type(event.error)) for event in failed] == [(f"{tmp_path}/f1", AccessDenied)]
        assert (job.report.exit_code, job.report.files_copied, job.report.files_failed) == (1, 2, 1)
        assert job.report.failures == tuple(failed)
        with pytest.raises(AccessDenied):
            job.report.raise_for_failures()

    with caplog.at_level(logging.DEBUG, "orbit_fast.engine"), HeldService() as service:
        on_loop(main(service))
    assert any(record.levelno == logging.DEBUG and "127.0.0.1" in record.message for record in caplog.records)


def test_a_job_that_cannot_be_done_is_an_error(server, tmp_path):
    """Of the class that a client would raise; the report is there all the same."""
    fill(tmp_path)

    async def main():
        engine = engine_of(server)
        for work, error in (
            (engine.copy(f"{URL}/missing", tmp_path), NotFound),
            (engine.copy(tmp_path, f"{URL}/x"), InvalidConfig),
            (engine.copy(tmp_path / "f1", "s3://nowhere/x"), BucketNotFound),
            (engine.delete("s3://nowhere/x"), BucketNotFound),
        ):
            with pytest.raises(error):
                await work
            assert work.report.exit_code == 2
            with pytest.raises(error):  # again: a job is done once
                await work

    on_loop(main())


def test_the_job_waits_for_who_reads(server, tmp_path):
    """Nobody takes events: before long no more objects are moved. Then it goes on, and none is missing."""
    count = 2500
    below = tmp_path.joinpath(*["d" * 240] * 3)  # long names make long events
    below.mkdir(parents=True)
    fill(below, count)
    log = server.store.log

    async def main():
        async with engine_of(server, progress=False).copy(tmp_path, f"{URL}/a", recursive=True) as job:
            await anext(job)
            before = -1
            while before != len(log):
                before = len(log)
                await asyncio.sleep(0.3)
            assert 0 < before < count * 0.8
            assert [event async for event in job if not isinstance(event, ObjectDone)] == []
        assert job.report.files_copied == count

    on_loop(main())


@pytest.mark.parametrize("how", ["cancel", "leave", "timeout"])
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_end_before_the_end_leaves_no_process(tmp_path, loop, how):
    """Cancelled, left by ``break``, or out of time: nothing runs any more, and the upload is aborted."""
    (tmp_path / "large").write_bytes(LARGE)

    async def main(service):
        engine = engine_of(service.server, part_size=PART)
        held = service.hold("UploadPart")
        job = engine.copy(tmp_path / "large", f"{URL}/large")
        running = []
        is_under_way, is_ending = asyncio.Event(), asyncio.Event()

        async def use():
            async with job:
                running.extend(await processes_of(job))
                await asyncio.to_thread(held.wait)
                is_under_way.set()
                if how != "leave":
                    await job
                await is_ending.wait()

        task = asyncio.ensure_future(use())
        await is_under_way.wait()
        started = time.perf_counter()
        if how == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await task
        else:
            is_ending.set()
            await task
        assert time.perf_counter() - started < 15  # nothing is let go on the other side
        wait_until_gone(running)
        held.release()
        with pytest.raises(Cancelled):
            await job

    with HeldService() as service:
        on_loop(main(service), loop)
        assert service.unfinished == 0


def test_a_process_that_is_killed_is_an_error(tmp_path):
    """By its number; its workers die with it."""
    (tmp_path / "large").write_bytes(LARGE)

    async def main(service):
        held = service.hold("PutObject")
        job = engine_of(service.server).copy(tmp_path / "large", f"{URL}/large")
        async with job:
            running = await processes_of(job)
            await asyncio.to_thread(held.wait)
            running[0].kill()
            with pytest.raises(EngineLost, match="status -9"):
                await job
            assert job.report is None
        wait_until_gone(running)

    with HeldService() as service:
        on_loop(main(service))


def test_a_process_that_is_told_to_end_is_an_error(tmp_path):
    """What was done until then is in the report."""
    (tmp_path / "f").write_bytes(b"x")

    async def main(service):
        held = service.hold("PutObject")
        job = engine_of(service.server).copy(tmp_path / "f", f"{URL}/f")
        async with job:
            await processes_of(job)
            await asyncio.to_thread(held.wait)
            os.kill(job._process.pid, signal.SIGTERM)
            held.release()
            with pytest.raises(Cancelled, match="interrupted by a signal"):
                await job
        assert (job.report.interrupted, job.report.exit_code) == (True, 143)

    with HeldService() as service:
        on_loop(main(service))


def test_a_job_that_is_dropped_says_so_and_ends(tmp_path):
    """As an unclosed file does."""
    (tmp_path / "f").write_bytes(b"x")

    async def main(service):
        held = service.hold("PutObject")
        job = engine_of(service.server).copy(tmp_path / "f", f"{URL}/f")
        await job.__aenter__()
        running = await processes_of(job)
        await asyncio.to_thread(held.wait)
        held_by, job = [job], None
        with pytest.warns(ResourceWarning, match="dropped before it had ended"):
            held_by.clear()
        held.release()
        wait_until_gone(running)

    with HeldService() as service, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of what the job itself had open
        on_loop(main(service))


SCRIPT = """
import asyncio, sys
from orbit_fast import Engine

async def main():
    keys = dict(access_key={access!r}, secret_key={secret!r})
    engine = Engine(endpoint_url={url!r}, region="us-east-1", workers=1, resume=False, **keys)
    job = engine.copy({source!r}, {destination!r}, recursive=True)
    async for event in job:
        print(type(event).__name__, flush=True)
    print(job.report.files_copied)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_a_plain_script_and_its_end(server, tmp_path):
    """It needs no more than the usual lines. When it is killed in the middle, its engine ends with it."""
    fill(tmp_path, 20)
    names = {"url": server.url, "access": server.access_key, "secret": server.secret_key}
    script = SCRIPT.format(**names, source=str(tmp_path), destination=f"{URL}/a")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split().count("ObjectDone") == 20
    assert done.stdout.split()[-1] == "20"
    with HeldService() as service:
        names = {"url": service.server.url, "access": service.server.access_key, "secret": service.server.secret_key}
        held = service.hold("PutObject")
        script = SCRIPT.format(**names, source=str(tmp_path), destination=f"{URL}/a")
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            held.wait()
            running = descendants(process.pid)
            assert len(running) >= 2
            shown = [process.cmdline() for process in running]
            assert not any(service.server.secret_key in text for line in shown for text in line)
            process.kill()
        held.release()
        wait_until_gone(running)
        assert len(service.logged("PutObject")) < 20


def test_from_a_notebook_s_thread(server, tmp_path):
    """Its loop runs in a thread that is not the main one, and other threads run besides."""
    fill(tmp_path)
    reports = []

    def cell():
        reports.append(on_loop(_copied(engine_of(server), tmp_path)))

    threads = [threading.Thread(target=cell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.files_copied for report in reports] == [3, 3]


async def _copied(engine, source):
    return await engine.copy(source, f"{URL}/a", recursive=True)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ("print('Segmentation fault')", "BadReply", "what is no event"),
        ("print('x' * (1 << 21), end='')", "BadReply", "in one line"),
        ("pass", "EngineLost", "status 0"),
    ],
)
def test_a_process_that_is_not_ours(monkeypatch, answer, error, message):
    """What it says is bounded, and never believed."""
    assert "engine_process" in BOOT
    monkeypatch.setattr(engine_job, "BOOT", f"import sys;sys.stdin.buffer.read();{answer}")

    async def main():
        with pytest.raises(Exception, match=message) as caught:
            await Engine().copy("a", "s3://b/a")
        assert type(caught.value).__name__ == error

    on_loop(main())


def test_no_process_to_be_had(monkeypatch):
    """An interpreter that is embedded somewhere, and one that is gone."""

    async def main(name, message):
        monkeypatch.setattr(sys, "executable", name)
        with pytest.raises(Exception, match=message):
            await Engine().copy("a", "s3://b/a")

    on_loop(main("", "no Python interpreter"))
    on_loop(main("/no/such/python", "cannot be started: No such file"))
