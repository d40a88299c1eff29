"""``orbit pipe URL`` and ``orbit cp - URL``: what stdin gives becomes an object, whole or not at all."""

from __future__ import annotations

import os
import pty
import signal
import socket

import psutil
import pytest

from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.trees import content

pytestmark = pytest.mark.slow

MIB = 1 << 20
PART = 8 * MIB
LARGE = content(8, 3 * PART + 777)
"""Four parts."""


@pytest.mark.parametrize("size", [0, 1, 3 * MIB, PART - 1, PART, PART + 1, 3 * PART])
def test_a_stream_of_any_length(orbit, server, bucket, size):
    """Up to one part it is one request; above that, parts; never a part too many."""
    data = content(1, size)
    assert orbit("pipe", "s3://bkt/k", fed=data).expect(0).lines == ["pipe s3://bkt/k"]
    assert server.store.read("bkt", "k") == data
    parts = -(-size // PART)
    assert bucket.current("k").part_sizes == (() if parts < 2 else (PART,) * (parts - 1) + (size - (parts - 1) * PART,))


def test_it_tells_what_it_made(orbit, judge):
    """``--json``: the event is on stdout; the object has its checksum, its type by name, and what the options say."""
    options = ("--metadata", "a=b", "--cache-control", "no-cache", "--storage-class", "STANDARD_IA", "--tags", "t=1")
    result = orbit("pipe", "--json", *options, "s3://bkt/d/page.html", fed=LARGE).expect(0)
    [event] = result.done
    assert (event["operation"], event["destination"]) == ("pipe", "s3://bkt/d/page.html")
    assert (event["size"], event["parts"], event["verified"]) == (len(LARGE), 4, "checksum")
    assert event["checksum"]["type"] == "FULL_OBJECT"
    assert (result.summary["command"], result.counts, result.summary["bytes_copied"]) == ("pipe", (1, 0, 0), len(LARGE))
    found = judge.head_object(Bucket="bkt", Key="d/page.html", ChecksumMode="ENABLED")
    assert (found["ContentType"], found["Metadata"], found["CacheControl"]) == ("text/html", {"a": "b"}, "no-cache")
    assert (found["StorageClass"], found["ChecksumCRC32C"]) == ("STANDARD_IA", event["checksum"]["value"])
    assert judge.get_object_tagging(Bucket="bkt", Key="d/page.html")["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_cp_from_stdin_is_the_same(orbit, server):
    """``orbit cp - URL``: under the name of ``cp``; with ``--no-clobber`` what is there stays, and nothing is lost."""
    assert orbit("cp", "-", "s3://bkt/k", fed=b"one").expect(0).lines == ["cp - s3://bkt/k"]
    for data in (b"two", LARGE):
        result = orbit("cp", "--json", "--no-clobber", "-", "s3://bkt/k", fed=data).expect(0)
        assert result.skipped[0]["reason"] == "exists"
    assert server.store.read("bkt", "k") == b"one"
    orbit("cp", "--audit", "-", "s3://bkt/k2", fed=b"two").expect(0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pipe", "s3://bkt"),
        ("pipe", "s3://bkt/prefix/"),
        ("pipe", "local"),
        ("pipe",),
        ("pipe", "s3://bkt/a", "s3://bkt/b"),
        ("cp", "-", "-"),
        ("cp", "-", "local"),
        ("cp", "-", "f", "s3://bkt/a"),
        ("mv", "-", "s3://bkt/a"),
        ("cp", "--if-source-newer", "-", "s3://bkt/a"),
        ("cp", "--expected-size", "1", "f", "s3://bkt/a"),
        ("pipe", "--expected-size", "40TiB", "s3://bkt/a"),
        ("pipe", "s3://no-such-bucket/a"),
    ],
)
def test_what_makes_no_job(orbit, server, arguments):
    """Exit 2 and one line."""
    result = orbit(*arguments, fed=b"x")
    assert (result.code, len(result.errors)) == (2, 1)
    assert server.store.keys("bkt") == []


def test_a_terminal_and_a_closed_stdin_are_refused(orbit):
    """Nobody types an object; and a closed stdin is not an empty one."""
    master, terminal = pty.openpty()
    with orbit.start("pipe", "s3://bkt/k", stdin=terminal) as process:
        result = finish(process)
    os.close(master)
    os.close(terminal)
    assert (result.code, "stdin is a terminal" in result.errors[0]) == (2, True)
    with orbit.with_prefix("sh", "-c", 'exec "$0" "$@" <&-').start("pipe", "s3://bkt/k") as process:
        result = finish(process)
    assert (result.code, "stdin is closed" in result.errors[0]) == (2, True)


def test_a_dry_run_reads_nothing(orbit, server):
    """It says what it would do; whoever writes to it is not waited for."""
    with orbit.start("pipe", "--dry-run", "s3://bkt/k", stdin=-1) as process:
        assert process.stdout.read() == b"(dry run) pipe s3://bkt/k\n"
        assert process.wait(30) == 0
    assert server.store.keys("bkt") == []


def test_a_file_and_a_socket_give_it_too(orbit, server, tmp_path):
    """``orbit pipe URL < FILE``."""
    (tmp_path / "f").write_bytes(LARGE)
    with (tmp_path / "f").open("rb") as file, orbit.start("pipe", "s3://bkt/f", stdin=file) as process:
        assert finish(process).code == 0
    assert server.store.read("bkt", "f") == LARGE
    here, there = socket.socketpair()
    with orbit.start("pipe", "s3://bkt/s", stdin=there) as process:
        there.close()
        here.sendall(LARGE)
        here.close()
        assert finish(process).code == 0
    assert server.store.read("bkt", "s") == LARGE


def test_little_memory_and_equal_parts(orbit, server, bucket):
    """``--max-memory 16MiB`` and ``--expected-size``: parts of one size, of which two fit."""
    orbit("pipe", "--max-memory", "16MiB", "--processes", "2", "s3://bkt/k", fed=LARGE).expect(0)
    assert server.store.read("bkt", "k") == LARGE
    assert set(bucket.current("k").part_sizes[:-1]) == {7 * MIB}
    orbit("pipe", "--expected-size", "79GiB", "s3://bkt/e", fed=LARGE).expect(0)
    assert set(bucket.current("e").part_sizes[:-1]) == {9 * MIB}


# --- what goes wrong: the server fixture asserts that no upload is left ----------------------------------------------


def test_a_stdin_that_cannot_be_read(orbit, server):
    """What was read is not published; one line, and nothing is left."""
    with orbit.start("pipe", "s3://bkt/k", stdin=os.open("/proc/self/mem", os.O_RDONLY)) as process:
        result = finish(process)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "stdin" in result.errors[0]
    assert server.store.keys("bkt") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_nothing(orbit, server, gate, number):
    """The upload is aborted; 130 or 143."""
    hold = gate.hold("UploadPart", after=1)
    with orbit.start("pipe", "s3://bkt/k", stdin=-1) as process:
        process.stdin.write(LARGE)
        process.stdin.flush()
        hold.wait_for(1)
        process.send_signal(number)
        result = finish(process)
    assert (result.code, server.store.keys("bkt")) == (128 + number, [])


def test_a_part_that_is_refused_leaves_nothing(orbit, server, gate):
    """Exit 1 with the reason, though the writer goes on writing."""
    gate.refuse("UploadPart", "AccessDenied", after=1)
    result = orbit("pipe", "s3://bkt/k", fed=LARGE * 5)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "AccessDenied" in result.errors[0]
    assert server.store.keys("bkt") == []


def test_a_worker_that_dies_is_replaced(orbit, server, gate):
    """Its part is sent again from the same memory."""
    hold = gate.hold("UploadPart")
    with orbit.start("pipe", "s3://bkt/k", stdin=-1) as process:
        process.stdin.write(LARGE)
        process.stdin.flush()
        hold.wait_for(3)
        workers = descendants(process.pid)
        workers[0].kill()
        psutil.wait_procs(workers[:1], 10)
        hold.release()
        result = finish(process)
    assert (result.code, result.err) == (0, b"")
    assert server.store.read("bkt", "k") == LARGE


def test_a_slow_writer_is_waited_for(orbit, server):
    """A pipe that gives a little now and then; the end is where it is closed."""
    with orbit.start("pipe", "s3://bkt/k", stdin=-1) as process:
        for _ in range(5):
            process.stdin.write(b"line\n")
            process.stdin.flush()
        result = finish(process)
    assert result.code == 0
    assert server.store.read("bkt", "k") == b"line\n" * 5


def test_memory_is_used_again_when_the_service_has_the_part(orbit, server, gate):
    """More parts than there are places in the stage, one at a time: what arrives is what was given."""
    data = content(9, 12 * PART)
    orbit("pipe", "--concurrency", "1", "s3://bkt/k", fed=data).expect(0)
    assert server.store.read("bkt", "k") == data
    assert gate.most_at_once["UploadPart"] == 1
