"""``orbit cat URL...`` and ``orbit cp URL... -``: what goes to stdout, what is said of it, and what is not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import psutil
import pytest

from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.event_schema import validated
from tests.kit.fault_run import stored
from tests.kit.trees import content

pytestmark = pytest.mark.slow

MIB = 1 << 20
RANGE = 8 * MIB
LARGE = content(5, 3 * RANGE + 12345)
"""An object in four ranges."""


@pytest.fixture
def put(server, bucket):
    """Places an object."""

    def put(key, data, **how):
        bucket.add(stored(key, data, now_s=server.store.now(), **how))

    return put


def told(result):
    """The events, which are on stderr."""
    events = validated(result.err)
    assert events[-1]["operation"] == "summary"
    assert events[-1]["exit_code"] == result.code
    return events


def test_objects_are_written_in_order(orbit, put):
    """``orbit cat s3://B/a s3://B/many*``: arguments in their order, what a wildcard matches in the order of keys."""
    names = [f"many/{number:03}" for number in range(150)]
    for number, name in enumerate(names):
        put(name, content(number, number * 70))
    put("z", b"last\n")
    wanted = b"last\n" + b"".join(content(number, number * 70) for number in range(150)) + b"last\n"
    result = orbit("cat", "s3://bkt/z", "s3://bkt/many/*", "s3://bkt/z").expect(0)
    assert result.out == wanted


def test_a_large_object_comes_in_parallel_ranges(orbit, put, gate):
    """``orbit cat --json s3://B/large``: several ranges at once, proven as a whole; events are on stderr."""
    put("large", LARGE, checksum="CRC32C")
    hold = gate.hold("GetObject")
    with orbit.start("cat", "--json", "s3://bkt/large") as process:
        hold.wait_for(4)
        hold.release()
        result = finish(process)
    assert result.out == LARGE
    [event, summary] = told(result)
    assert (event["source"], event["destination"], event["size"]) == ("s3://bkt/large", "-", len(LARGE))
    assert (event["verified"], event["checksum"]["algorithm"]) == ("checksum", "CRC32C")
    assert (summary["command"], summary["files_copied"], summary["bytes_copied"]) == ("cat", 1, len(LARGE))
    assert gate.most_at_once["GetObject"] == 4


@pytest.mark.parametrize(
    ("how", "verified"),
    [
        ({"checksum": "SHA256"}, "checksum"),
        ({"checksum": ""}, "etag"),
        ({"checksum": "SHA256", "kind": "COMPOSITE", "part_size": 5 * MIB}, "checksum"),
        ({"checksum": "", "part_size": 5 * MIB}, "etag"),
        ({"checksum": "", "etag": "unknown"}, "size"),
    ],
)
def test_whatever_the_service_states_proves_a_large_object(orbit, put, how, verified):
    """``orbit cat --json``: digests that do not combine are computed as the bytes pass."""
    put("large", LARGE, **how)
    result = orbit("cat", "--json", "s3://bkt/large")
    assert (result.code, result.out == LARGE) == (0, True)
    assert told(result)[0]["verified"] == verified


@pytest.mark.parametrize("how", [{"checksum": "CRC32C"}, {"checksum": ""}])
def test_a_large_object_that_is_not_what_the_service_states(orbit, put, bucket, how):
    """Exit 3, with a line that says that the bytes are gone already; the next object is written all the same."""
    put("large", LARGE, **how)
    put("next", b"next")
    damage(bucket, "large")
    result = orbit("cat", "s3://bkt/large", "s3://bkt/next")
    assert result.code == 3
    assert result.out.endswith(b"next")
    [line] = result.errors
    assert line.startswith('ERROR "cat s3://bkt/large": E_CHECKSUM_MISMATCH: checksum mismatch for large')
    assert line.endswith("have been passed on already")


def damage(bucket, key):
    """The service's bytes are not those that it has a checksum of."""
    version = bucket.current(key)
    bad = bytearray(version.content.read())
    bad[RANGE + 5] ^= 1
    bucket.remove(key, 0)
    version.content = type(version.content).of(bytes(bad))
    bucket.add(version)


def test_a_small_object_is_proven_before_a_byte_of_it_is_written(orbit, put, bucket):
    """Exit 3 and nothing on stdout."""
    put("small", b"x" * (RANGE + 100))
    damage(bucket, "small")
    put("tiny", b"y" * 5, checksum="CRC32C")
    version = bucket.current("tiny")
    bucket.remove("tiny", 0)
    version.content = type(version.content).of(b"y" * 4 + b"z")
    bucket.add(version)
    result = orbit("cat", "s3://bkt/tiny")
    assert (result.code, result.out) == (3, b"")


NOT_THERE = "NoSuchKey: no such object: s3://bkt/no (orbit ls s3://bkt/ says what is there)"


def test_what_is_missing(orbit, put):
    """Alone: exit 2. Among others: one line, the others are written, exit 1. A wildcard without a match: 2."""
    put("a", b"a")
    put("b", b"b")
    result = orbit("cat", "s3://bkt/no")
    assert (result.code, result.out, result.errors) == (
        2,
        b"",
        [f'ERROR "cat": {NOT_THERE}'],
    )
    result = orbit("cat", "s3://bkt/a", "s3://bkt/no", "s3://bkt/b")
    assert (result.code, result.out) == (1, b"ab")
    assert result.errors == [f'ERROR "cat s3://bkt/no": {NOT_THERE}']
    result = orbit("cat", "s3://bkt/a", "s3://bkt/n*", "s3://bkt/b")
    assert (result.code, result.out) == (1, b"ab")
    (line,) = result.errors
    assert line.startswith('ERROR "cat s3://bkt/n*": E_NO_SOURCE: nothing matches s3://bkt/n*')
    result = orbit("cat", "s3://bkt/n*")
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)
    result = orbit("cat", "s3://no-such-bucket/a", "s3://bkt/a")
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)
    orbit("cat", "/local").expect(
        2, err=b"ERROR \"cat\": E_USAGE: cat is about S3: '/local' does not begin with s3://\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("bytes=2-5", b"2345"), ("7-", b"789"), ("bytes=-3", b"789"), ("0-", b"0123456789"), ("bytes=3-300", b"3456789")],
)
def test_a_range(orbit, put, text, wanted):
    """``orbit cat --range bytes=A-B``: as HTTP counts, of every object; without a byte it is an error."""
    put("d/1", b"0123456789")
    put("d/2", b"0123456789")
    assert orbit("cat", "--range", text, "s3://bkt/d/*").expect(0).out == wanted * 2
    if text == "7-":
        put("d/0", b"01")
        result = orbit("cat", "--range", text, "s3://bkt/d/*")
        assert (result.code, result.out) == (1, wanted * 2)
        assert "InvalidRange" in result.errors[0]


def test_a_range_of_a_large_object(orbit, put):
    """Over the borders of the ranges that it is fetched in."""
    put("large", LARGE)
    first, last = 100, 2 * RANGE + 200
    result = orbit("cat", "--range", f"bytes={first}-{last}", "s3://bkt/large").expect(0)
    assert result.out == LARGE[first : last + 1]


def test_an_older_version(orbit, judge):
    """``orbit cat --version-id ID``; of many objects it makes no sense."""
    judge.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    old = judge.put_object(Bucket="bkt", Key="k", Body=b"old")["VersionId"]
    judge.put_object(Bucket="bkt", Key="k", Body=b"new")
    assert orbit("cat", "--version-id", old, "s3://bkt/k").expect(0).out == b"old"
    assert orbit("cat", "--version-id", old, "s3://bkt/k*").code == 2


def test_archived_objects(orbit, judge, server):
    """They fail, with what to do, named or listed; what may be read is read, once it is restored too."""
    for key, storage_class in {"cold": "GLACIER", "cool": "GLACIER_IR", "thawed": "DEEP_ARCHIVE"}.items():
        judge.put_object(Bucket="bkt", Key=key, Body=key.encode(), StorageClass=storage_class)
    judge.restore_object(Bucket="bkt", Key="thawed", RestoreRequest={"Days": 1})
    server.store.finish_restores("bkt")
    for arguments in (("s3://bkt/cold", "s3://bkt/cool", "s3://bkt/thawed"), ("s3://bkt/*",)):
        result = orbit("cat", *arguments)
        assert (result.code, result.out, len(result.errors)) == (1, b"coolthawed", 1)
        assert result.errors[0].endswith("it is archived (GLACIER): restore it first (orbit restore s3://bkt/cold)")
    assert orbit("cp", "--ignore-glacier-warnings", "s3://bkt/*", "-").expect(0).out == b"coolthawed"


def test_a_customer_key_over_tls(tls, tmp_path):
    """``--sse-c-key-file``: in ranges there and back; without the key it cannot be read."""
    orbit = tls.orbit.with_environment(AWS_CA_BUNDLE=str(tls.ca_file))
    (tmp_path / "key").write_bytes(b"k" * 32)
    data = content(3, RANGE + 1)
    orbit("pipe", "-q", "--sse-c-key-file", tmp_path / "key", "s3://bkt/sealed", fed=data).expect(0)
    assert orbit("cat", "--sse-c-key-file", tmp_path / "key", "s3://bkt/sealed").expect(0).out == data
    result = orbit("cat", "s3://bkt/sealed")
    assert (result.code, result.out, len(result.errors)) == (2, b"", 1)


def test_cp_to_stdout_is_the_same(orbit, put):
    """``orbit cp URL... -``: also of a tree, with its filters; a dry run writes nothing."""
    put("t/a", b"a")
    put("t/b", b"b")
    assert orbit("cp", "s3://bkt/t/a", "-").expect(0).out == b"a"
    assert orbit("cp", "-R", "--exclude", "a", "s3://bkt/t", "-").expect(0).out == b"b"
    result = orbit("cp", "--json", "--dry-run", "s3://bkt/t/a", "-")
    assert (result.code, result.out) == (0, b"")
    [event, _] = told(result)
    assert (event["operation"], event["dry_run"]) == ("cp", True)
    assert orbit("mv", "s3://bkt/t/a", "-").code == 2
    assert orbit("cp", "s3://bkt/t/a", "local", "-").code == 2


# --- readers ---------------------------------------------------------------------------------------------------------


def test_a_reader_that_goes_ends_it_quietly(orbit, put):
    """``orbit cat URL | head -c 1``: status 141, nothing on stderr."""
    put("large", LARGE)
    read_fd, write_fd = os.pipe()
    with orbit.start("cat", "s3://bkt/large", stdout=write_fd) as process:
        os.close(write_fd)
        assert os.read(read_fd, 1) == LARGE[:1]
        os.close(read_fd)
        result = finish(process)
    assert (result.code, result.err) == (141, b"")


def test_a_slow_reader_is_waited_for(orbit, put, server):
    """What the stage does not hold is not asked for; then everything comes."""
    data = content(6, 20 * MIB)
    put("large", data)
    with orbit.start("cat", "--max-memory", "16MiB", "s3://bkt/large") as process:
        first = process.stdout.read(10)
        asked = sum(entry.operation == "GetObject" for entry in server.store.log)
        rest = process.stdout.read()
        assert process.wait(30) == 0
    assert first + rest == data
    assert asked < 20  # ranges of 1 or 2 MiB


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_a_stdout_that_takes_nothing(orbit, put, target):
    """A full disk, a closed descriptor: exit 2 and one line."""
    put("a", b"a")
    shell = f"exec {{}} cat s3://bkt/a {'>&-' if target == 'closed' else '> /dev/full'}"
    command = orbit.with_prefix("sh", "-c", shell.format('"$0"'))
    with command.start("cat") as process:
        result = finish(process)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "stdout" in result.errors[0]


def test_a_file_and_a_socket_take_it(orbit, put, tmp_path):
    """``orbit cat URL > FILE``, and stdout that is a socket."""
    put("large", LARGE)
    with (tmp_path / "f").open("wb") as file, orbit.start("cat", "s3://bkt/large", stdout=file) as process:
        assert finish(process).code == 0
    assert (tmp_path / "f").read_bytes() == LARGE
    here, there = socket.socketpair()
    with here, orbit.start("cat", "s3://bkt/large", stdout=there) as process:
        there.close()
        with here.makefile("rb") as reader:
            assert reader.read() == LARGE
        assert process.wait(30) == 0


# --- workers and signals ---------------------------------------------------------------------------------------------


def test_a_worker_that_dies_is_replaced(orbit, put, gate):
    """Its ranges are fetched again; the output is whole."""
    put("large", LARGE)
    hold = gate.hold("GetObject")
    with orbit.start("cat", "s3://bkt/large") as process:
        hold.wait_for(4)
        workers = descendants(process.pid)
        workers[0].kill()
        psutil.wait_procs(workers[:1], 10)
        hold.release()
        result = finish(process)
    assert (result.code, result.out == LARGE, result.err) == (0, True, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(orbit, put, gate, number):
    """130 or 143; what was not written is not."""
    put("large", LARGE)
    hold = gate.hold("GetObject")
    with orbit.start("cat", "s3://bkt/large") as process:
        hold.wait_for(4)
        process.send_signal(number)
        result = finish(process)
    assert (result.code, result.out) == (128 + number, b"")


def test_an_object_that_fails_in_the_middle(orbit, put, gate):
    """One line says how much was passed on; the next object is written; exit 1."""
    put("large", LARGE)
    put("next", b"next")
    gate.refuse("GetObject", "AccessDenied", key="large", after=3)
    result = orbit("cat", "s3://bkt/large", "s3://bkt/next")
    assert result.code == 1
    assert result.out.endswith(b"next")
    assert LARGE.startswith(result.out[:-4])
    [line] = result.errors
    assert "AccessDenied" in line


def test_stdout_on_a_closed_pipe_before_anything(orbit, put):
    """Nobody reads from the beginning: 141."""
    put("a", b"a" * 100)
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with orbit.start("cat", "s3://bkt/a", stdout=write_fd, stderr=subprocess.PIPE) as process:
        os.close(write_fd)
        assert finish(process).code == 141
