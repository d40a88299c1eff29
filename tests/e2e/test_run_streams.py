"""``orbit run`` with lines that write data, and lines that sync."""

from __future__ import annotations

import threading
import time

import pytest

from tests.kit.command import LIMIT_S
from tests.kit.fault_run import stored
from tests.kit.trees import content

pytestmark = pytest.mark.slow

MIB = 1 << 20
LARGE = content(5, 20 * MIB + 12345)
PIECES = b"".join(b"<%03d>" % number for number in range(100))


def write(tmp_path, *lines):
    """A file of commands."""
    (tmp_path / "script").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "script"


@pytest.fixture
def put(server, bucket):
    """Places an object."""

    def put(key, data, **how):
        bucket.add(stored(key, data, now_s=server.store.now(), **how))

    return put


def test_data_and_lines_never_mix(orbit, tmp_path, put, bucket, judge):
    """Objects come whole and in order, whether stdout is a pipe or a file; what others say stands between them."""
    put("large", LARGE)
    judge.put_object(Bucket="bkt", Key="archived", Body=b"cold", StorageClass="GLACIER")
    for number in range(100):
        put(f"k/{number:03}", b"<%03d>" % number)
    for number in range(300):
        put(f"listed/{number:03}", b"")
    put("bad", b"damaged", checksum="CRC32C")
    bad = bucket.current("bad")
    bucket.remove("bad", 0)
    bad.content = type(bad.content).of(b"DAMAGED")
    bucket.add(bad)
    script = write(
        tmp_path,
        "cat s3://bkt/large",
        *("ls s3://bkt/listed/" for _ in range(5)),
        "cat s3://bkt/none",
        "cat s3://bkt/none 's3://bkt/k/*' s3://bkt/archived",
        "version",
        "cat --range bytes=1-3 s3://bkt/k/042",
        "cat s3://bkt/bad s3://nowhere/k",
        "cat s3://bkt/large",
        *(f"cp s3://bkt/k/{number:03} -" for number in range(100)),
    )
    result = orbit("run", script)
    assert result.code == 3
    with (tmp_path / "out").open("wb") as out, orbit.start("run", script, stdout=out) as process:
        process.stderr.read()
        assert process.wait() == 3
    for text in (result.out, (tmp_path / "out").read_bytes()):
        parts = text.split(LARGE)
        assert len(parts) == 3
        between = parts[1].partition(PIECES)
        assert between[1] == PIECES
        assert b"042" in between[2]
        assert PIECES[:500] in parts[2]
        said = (parts[0] + between[0] + between[2] + parts[2]).splitlines()
        assert sum(line.endswith(b" 000") for line in said) == 5
    assert sorted(line.partition(": ")[0] + ":" + line.split(": ")[2] for line in result.errors) == [
        f'ERROR "{script}:11:E_CHECKSUM_MISMATCH',
        f'ERROR "{script}:11:NoSuchBucket',
        f'ERROR "{script}:7:NoSuchKey',
        f'ERROR "{script}:8:InvalidObjectState',
        f'ERROR "{script}:8:NoSuchKey',
    ]


def many(tmp_path):
    """A directory of 200 files."""
    (tmp_path / "src").mkdir()
    for number in range(200):
        (tmp_path / "src" / str(number)).write_bytes(b"x")
    return tmp_path / "src"


def wait_for_copies(bucket):
    """Wait until all of them have been uploaded."""
    end_s = time.monotonic() + LIMIT_S
    while sum(key.startswith("a/") for key in bucket.keys()) < 200:  # noqa: SIM118 - it is no dict
        assert time.monotonic() < end_s
        threading.Event().wait(0.005)


def test_a_slow_reader_holds_nothing_up_but_data(orbit, tmp_path, put, bucket, gate):
    """Copies are done in the middle of an object that is written; their lines come when it has been."""
    put("large", LARGE)
    hold = gate.hold("PutObject")
    script = write(tmp_path, "cat s3://bkt/large", f"cp {many(tmp_path)} s3://bkt/a", "cat s3://bkt/large")
    with orbit.start("run", script) as process:
        assert process.stdout.read(MIB) == LARGE[:MIB]
        hold.release()
        wait_for_copies(bucket)
        rest = process.stdout.read()
        assert process.wait() == 0
    assert rest.startswith(LARGE[MIB:])
    before, large, behind = rest[len(LARGE) - MIB :].partition(LARGE)
    assert large
    lines = (before + behind).splitlines()
    assert len(lines) == 200
    assert all(line.startswith(b"cp ") for line in lines)


def test_a_reader_who_goes_fails_the_lines_that_write(orbit, tmp_path, put, bucket):
    """And no other."""
    put("large", LARGE)
    script = write(
        tmp_path, "cat s3://bkt/large", "cat s3://bkt/large", f"cp {many(tmp_path)} s3://bkt/a", "cat s3://bkt/large"
    )
    with orbit.start("run", "-q", script) as process:
        assert process.stdout.read(MIB) == LARGE[:MIB]
        process.stdout.close()
        errors = process.stderr.read().decode().splitlines()
        assert process.wait() == 1
    wait_for_copies(bucket)
    assert [line.partition(": ")[0] for line in errors[:3]] == [f'ERROR "{script}:{number}' for number in (1, 2, 4)]


def test_syncs_side_by_side(orbit, tmp_path, put, bucket):
    """Each with its own finders, guard and failures; a failed listing deletes nothing."""
    for number in range(3):
        (tmp_path / f"s{number}").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"s{number}" / name).write_bytes(b"%d" % number)
    (tmp_path / "empty").mkdir()
    for key in ("d0/extra", "d1/extra", "d2/extra", "d3/extra", "there/x"):
        put(key, b"?")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "extra").write_bytes(b"kept")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "extra").write_bytes(b"gone")
    script = write(
        tmp_path,
        f"sync --delete {tmp_path}/s0 s3://bkt/d0",
        f"sync {tmp_path}/s1 s3://bkt/d1",
        f"sync --delete {tmp_path}/s2/ s3://bkt/d2/",
        f"sync --delete {tmp_path}/empty s3://bkt/d3",
        f"sync --delete s3://nowhere/x {tmp_path}/kept",
        f"sync --delete s3://bkt/there {tmp_path}/gone",
        f"sync --max-delete 3 {tmp_path}/s1 s3://bkt/d4",
        f"sync {tmp_path}/none s3://bkt/d4",
    )
    result = orbit("run", "--json", script)
    assert result.code == 1
    assert {key for key in bucket.keys() if key[0] == "d"} == {  # noqa: SIM118 - it is no dict
        *("d0/a", "d0/b", "d1/a", "d1/b", "d1/extra", "d2/a", "d2/b", "d3/extra")
    }
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["extra"]
    assert [path.name for path in (tmp_path / "gone").iterdir()] == ["x"]
    assert sorted((event["line"], event["code"]) for event in result.failures) == [
        (4, "E_EMPTY_SOURCE"),
        (5, "NoSuchBucket"),
        (7, "E_USAGE"),
        (8, "E_NO_SOURCE"),
    ]
    [refusal] = [event for event in result.failures if event["line"] == 4]
    assert f"orbit sync --delete {tmp_path}/empty s3://bkt/d3 --allow-empty-source" in refusal["error"]
    assert (result.summary["files_copied"], result.summary["files_deleted"]) == (7, 3)


def test_syncs_to_one_place_take_turns(orbit, tmp_path, put, bucket):
    """In the order of the lines, each whole, also where one's place lies in another's; a failed one holds up nobody."""
    for name in ("s0", "s1", "s2"):
        (tmp_path / name).mkdir()
        for number in range(30):
            (tmp_path / name / f"{name}-{number:02}").write_bytes(b"x")
    put("d/sub/extra", b"?")
    script = write(
        tmp_path,
        f"sync --delete {tmp_path}/s0 s3://bkt/d/sub",
        f"sync {tmp_path}/s1 s3://bkt/d",
        f"sync {tmp_path}/none s3://bkt/d/sub/deeper",
        f"sync --delete {tmp_path}/s2 s3://bkt/d/sub/",
    )
    result = orbit("run", "--json", script)
    assert [(event["line"], event["code"]) for event in result.failures] == [(3, "E_NO_SOURCE")]
    assert sorted(bucket.keys()) == sorted(
        [*(f"d/s1-{number:02}" for number in range(30)), *(f"d/sub/s2-{number:02}" for number in range(30))]
    )
    assert (result.summary["files_copied"], result.summary["files_deleted"]) == (90, 31)
    order = [event["source"].split("/")[-2] for event in result.done if event["source"][0] == "/"]
    assert [name for name, before in zip(order, ["", *order], strict=False) if name != before] == ["s0", "s1", "s2"]


def test_what_fails_in_one_sync_is_not_another_ones(orbit, tmp_path, put, bucket, gate):
    """Its deletions are given up, for a failure that came before or behind the listing; the other's are done."""
    for number in range(2):
        (tmp_path / f"s{number}").mkdir()
        (tmp_path / f"s{number}" / "a").write_bytes(b"%d" % number)
        put(f"d{number}/extra", b"?")
    gate.refuse("PutObject", "AccessDenied", key="d0/a")
    script = write(tmp_path, *(f"sync --delete {tmp_path}/s{number} s3://bkt/d{number}" for number in range(2)))
    result = orbit("run", "--json", script)
    assert result.code == 1
    assert sorted(bucket.keys()) == ["d0/extra", "d1/a"]
    assert [(event["line"], event["code"]) for event in result.failures] == [
        (1, "AccessDenied"),
        (1, "E_DELETE_CANCELLED"),
    ]
