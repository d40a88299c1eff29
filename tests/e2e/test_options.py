"""Every option that chooses objects, says how they move, or what is said about them: what it changes, and what not."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC
from datetime import datetime
from types import SimpleNamespace

import pytest

from tests.e2e.test_processes import wait_until
from tests.e2e.test_processes import workers_of
from tests.kit.buckets import put_all
from tests.kit.command import finish
from tests.kit.trees import MIB
from tests.kit.trees import PART
from tests.kit.trees import content
from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

pytestmark = pytest.mark.slow

FILES = {"a.txt": b"1", "b.bin": b"22", "sub/c.txt": b"333", "sub/deep/d.bin": b"4444", "sub/[x]?": b"55555"}
"""Five files, of one to five bytes."""

SELECTIONS = {
    "everything": ((), set(FILES)),
    "include": (("--include", "*.txt"), {"a.txt", "sub/c.txt"}),
    "two includes": (("--include", "*.txt", "--include", "sub/deep/*"), {"a.txt", "sub/c.txt", "sub/deep/d.bin"}),
    "anchored include": (("--include", "sub/*.txt"), {"sub/c.txt"}),
    "question mark": (("--include", "?.txt"), {"a.txt"}),
    "exclude": (("--exclude", "*.bin"), {"a.txt", "sub/c.txt", "sub/[x]?"}),
    "exclude wins": (("--include", "*.txt", "--exclude", "sub/*"), {"a.txt"}),
    "order does not matter": (("--exclude", "sub/*", "--include", "*.txt"), {"a.txt"}),
    "min-size": (("--min-size", "4"), {"sub/deep/d.bin", "sub/[x]?"}),
    "max-size": (("--max-size", "2"), {"a.txt", "b.bin"}),
    "both sizes": (("--min-size", "2", "--max-size", "3"), {"b.bin", "sub/c.txt"}),
    "nothing": (("--include", "nope"), set()),
}


@pytest.fixture
def source(tmp_path):
    """A directory with `FILES`."""
    return make_tree(tmp_path / "src", FILES)


def stored(server, prefix=""):
    """What the server's store holds."""
    store = server.store
    return {key.removeprefix(prefix): store.read("bkt", key) for key in store.keys("bkt") if key.startswith(prefix)}


@pytest.mark.parametrize("row", SELECTIONS)
@pytest.mark.parametrize("way", ["up", "down", "inside"])
def test_selection(way, row, orbit, server, source, tmp_path):
    """Names and sizes choose the same objects whichever way they go; what is left out is no event."""
    options, wanted = SELECTIONS[row]
    wanted = {name: FILES[name] for name in wanted}
    for name, data in FILES.items():
        server.store.put("bkt", f"from/{name}", data)
    ends = {
        "up": (source, "s3://bkt/to"),
        "down": ("s3://bkt/from/", tmp_path / "out"),
        "inside": ("s3://bkt/from", "s3://bkt/to/"),
    }
    result = orbit("cp", "-R", "--json", *options, *ends[way]).expect(0)
    landed = read_tree(tmp_path / "out") if way == "down" else stored(server, "to/")
    assert landed == wanted
    assert result.counts == (len(wanted), 0, 0)
    assert len(result.events) == len(wanted) + 1


def test_filter_from(orbit, server, source, tmp_path):
    """``--filter-from``: the lines of files mean what ``--include`` and ``--exclude`` mean, and add to them."""
    (tmp_path / "one").write_text("# texts\n+ *.txt\n\n- sub/[x]*\n")
    (tmp_path / "two").write_text("+ *.bin\n- sub/deep/*\n")
    arguments = ("--filter-from", tmp_path / "one", "--filter-from", tmp_path / "two", "--exclude", "a*")
    orbit("cp", "-R", source, "s3://bkt/", *arguments).expect(0)
    assert set(stored(server)) == {"b.bin", "sub/c.txt"}
    (tmp_path / "two").write_text("+ *.bin\n* x\n")
    wrong = orbit("cp", "-R", source, "s3://bkt/", *arguments)
    assert (wrong.code, len(wrong.errors)) == (2, 1)
    assert f"--filter-from: {tmp_path}/two:2: " in wrong.errors[0]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (("--newer-than", "2h"), {"new"}),
        (("--older-than", "2h"), {"old", "older"}),
        (("--older-than", "2h", "--newer-than", "2020-01-01"), {"old"}),
        (("--newer-than", "2001-01-01T00:00:00Z"), {"new", "old", "older"}),
    ],
)
def test_ages(options, wanted, orbit, server, tmp_path):
    """``--newer-than`` and ``--older-than`` take durations and dates."""
    source = make_tree(tmp_path / "src", {"new": b"", "old": b"", "older": b""})
    os.utime(source / "old", (time.time() - 86_400,) * 2)
    os.utime(source / "older", (datetime(2015, 6, 1, tzinfo=UTC).timestamp(),) * 2)
    orbit("cp", "-R", source, "s3://bkt/", *options).expect(0)
    assert set(stored(server)) == wanted


@pytest.mark.parametrize("way", ["up", "down", "inside"])
def test_flatten(way, orbit, server, source, tmp_path):
    """``--flatten`` drops directories; of two files that then have one name the second fails, and both are named."""
    make_tree(source, {"other/c.txt": b"666666"})
    for name, data in read_tree(source).items():
        server.store.put("bkt", f"from/{name}", data)
    ends = {
        "up": (source, "s3://bkt/to"),
        "down": ("s3://bkt/from/", tmp_path / "out"),
        "inside": ("s3://bkt/from/", "s3://bkt/to"),
    }
    result = orbit("cp", "-R", "--json", "--flatten", *ends[way]).expect(1)
    landed = read_tree(tmp_path / "out") if way == "down" else stored(server, "to/")
    assert set(landed) == {"a.txt", "b.bin", "c.txt", "d.bin", "[x]?"}
    (failure,) = result.failures
    assert failure["source"].endswith("/c.txt")
    assert landed["c.txt"] == (b"333" if failure["source"].endswith("other/c.txt") else b"666666")


def test_raw(orbit, server, tmp_path):
    """``--raw``: ``*`` and ``?`` in a key mean themselves; without it they are wildcards."""
    put = {"p/a*": b"star", "p/ab": b"b", "p/a?": b"mark"}
    for key, data in put.items():
        server.store.put("bkt", key, data)
    orbit("cp", "s3://bkt/p/a*", f"{tmp_path}/wild/").expect(0)
    orbit("cp", "--raw", "s3://bkt/p/a*", f"{tmp_path}/raw/").expect(0)
    orbit("cp", "s3://bkt/p/a?", f"{tmp_path}/one/").expect(0)
    assert read_tree(tmp_path / "wild") == {"a*": b"star", "ab": b"b", "a?": b"mark"} == read_tree(tmp_path / "one")
    assert read_tree(tmp_path / "raw") == {"a*": b"star"}


def test_local_names_are_no_patterns(orbit, server, tmp_path):
    """A local file's name is meant as it is, and a key with a star can be written."""
    source = make_tree(tmp_path / "src", {"a*": b"star", "ab": b"b"})
    orbit("cp", source / "a*", "s3://bkt/x*y").expect(0)
    assert stored(server) == {"x*y": b"star"}


def test_recursive_prefix_ends_at_slash(orbit, server, tmp_path):
    """``-R s3://bkt/logs`` means ``logs`` and everything under ``logs/``, and not ``logs2``."""
    for key in ("logs", "logs2", "logs2/x", "logs.old/x"):
        server.store.put("bkt", key, b"x")
    orbit("cp", "-R", "s3://bkt/logs", tmp_path / "out").expect(0)
    assert read_tree(tmp_path / "out") == {"logs": b"x"}


@pytest.mark.parametrize(("choice", "landed"), [("skip", {"real": b"1"}), ("follow", {"real": b"1", "link": b"1"})])
def test_symlink(choice, landed, orbit, server, tmp_path):
    """``--symlink skip`` (the default) reports links, ``follow`` copies what they lead to."""
    source = make_tree(tmp_path / "src", {"real": b"1"})
    (source / "link").symlink_to("real")
    result = orbit("cp", "-R", "--json", "--symlink", choice, source, "s3://bkt/").expect(0)
    assert stored(server) == landed
    assert [event["reason"] for event in result.skipped] == (["symlink"] if choice == "skip" else [])
    if choice == "skip":
        orbit("cp", "-R", source, "s3://bkt/").expect(0, err=f'WARNING "cp {source}/link": skipped: symlink\n'.encode())


CONDITIONS = {
    "none": ((), {"same", "longer", "newer", "older"}, {}),
    "no-clobber": (("--no-clobber",), set(), dict.fromkeys(("same", "longer", "newer", "older"), "exists")),
    "size": (("--if-size-differ",), {"longer"}, dict.fromkeys(("same", "newer", "older"), "same-size")),
    "newer": (("--if-source-newer",), {"newer"}, dict.fromkeys(("same", "longer", "older"), "not-newer")),
    "both": (
        ("--if-size-differ", "--if-source-newer"),
        set(),
        {"same": "same-size", "newer": "same-size", "older": "same-size", "longer": "not-newer"},
    ),
}
"""Options, which of the four that exist are copied, and why the others are not. ``fresh`` is always copied."""


@pytest.fixture
def pairs(server, tmp_path):
    """Four files that exist at the destination of an upload, and one that does not."""
    hour = 3600
    now = time.time()
    rows = {
        "same": (b"src", b"dst", -hour),
        "longer": (b"longer", b"dst", -hour),
        "newer": (b"src", b"dst", hour),
        "older": (b"src", b"dst", -24 * hour),
    }
    source = make_tree(tmp_path / "src", {name: row[0] for name, row in rows.items()} | {"fresh": b"src"})
    for name, (_, there, age) in rows.items():
        server.store.put("bkt", f"to/{name}", there)
        os.utime(source / name, (now + age, now + age))
    return SimpleNamespace(source=source, rows=rows)


@pytest.mark.parametrize("row", CONDITIONS)
def test_conditions_up(row, orbit, server, pairs):
    """What exists in S3 is left as it is, by its existence, its size or its age; conditions combine."""
    options, copied, reasons = CONDITIONS[row]
    result = orbit("cp", "-R", "--json", "-v", *options, pairs.source, "s3://bkt/to/").expect(0)
    landed = stored(server, "to/")
    assert landed == {name: (here if name in copied else there) for name, (here, there, _) in pairs.rows.items()} | {
        "fresh": b"src"
    }
    assert {event["source"].rpartition("/")[2]: event["reason"] for event in result.skipped} == reasons
    assert result.counts == (len(copied) + 1, len(reasons), 0)


@pytest.mark.parametrize("row", CONDITIONS)
def test_conditions_down(row, orbit, server, tmp_path):
    """The same on the way down, against files; ages are turned: here the objects are made now."""
    options, copied, reasons = CONDITIONS[row]
    hour = 3600
    now = time.time()
    ages = {"same": hour, "longer": hour, "newer": -hour, "older": 24 * hour}
    target = make_tree(tmp_path / "out", dict.fromkeys(ages, b"dst"))
    sources = {name: b"longer" if name == "longer" else b"src" for name in [*ages, "fresh"]}
    for name, data in sources.items():
        server.store.put("bkt", f"from/{name}", data)
    for name, age in ages.items():
        os.utime(target / name, (now + age, now + age))
    result = orbit("cp", "-R", "--json", "-v", *options, "s3://bkt/from/", target).expect(0)
    assert read_tree(target) == {name: sources[name] if name in copied else b"dst" for name in ages} | {"fresh": b"src"}
    assert {event["source"].rpartition("/")[2]: event["reason"] for event in result.skipped} == reasons


@pytest.mark.parametrize("size", [3, PART + 1])
def test_no_clobber_holds_at_the_last_moment(size, orbit, server, gate, tmp_path):
    """``--no-clobber``: an object that appears while the upload runs is not overwritten either."""
    source = make_tree(tmp_path / "src", {"k": content(1, size)})
    hold = gate.hold("PutObject" if size == 3 else "CompleteMultipartUpload")
    with orbit.start("cp", "--json", "-n", "--part-size", "5", source / "k", "s3://bkt/k") as process:
        hold.wait_for(1)
        server.store.put("bkt", "k", b"theirs")
        gate.open()
        result = finish(process).expect(0)
    assert [event["reason"] for event in result.skipped] == ["exists"]
    assert stored(server) == {"k": b"theirs"}


@pytest.mark.parametrize("way", ["up", "down", "inside"])
def test_dry_run(way, orbit, server, source, tmp_path):
    """``--dry-run`` says what would be done, with sizes, and changes nothing on either side."""
    put = {f"from/{name}": data for name, data in FILES.items()}
    for key, data in put.items():
        server.store.put("bkt", key, data)
    ends = {
        "up": (source, "s3://bkt/to"),
        "down": ("s3://bkt/from/", tmp_path / "out"),
        "inside": ("s3://bkt/from/", "s3://bkt/to"),
    }
    result = orbit("cp", "-R", "--json", "--dry-run", *ends[way]).expect(0)
    assert all(event["dry_run"] for event in result.done)
    assert {event["source"].split("/src/")[-1].split("/from/")[-1]: event["size"] for event in result.done} == {
        name: len(data) for name, data in FILES.items()
    }
    assert result.counts == (len(FILES), 0, 0)
    assert result.summary["bytes_copied"] == 0
    assert stored(server) == put
    assert not (tmp_path / "out").exists()
    assert read_tree(source) == FILES
    assert not {"PutObject", "GetObject", "CopyObject"} & server.store.counts.keys()


def test_version_id(orbit, judge, tmp_path):
    """``--version-id`` fetches, or copies, that version and not the latest."""
    judge.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    old = judge.put_object(Bucket="bkt", Key="k", Body=b"old")["VersionId"]
    judge.put_object(Bucket="bkt", Key="k", Body=b"new")
    result = orbit("cp", "--json", "--version-id", old, "s3://bkt/k", tmp_path / "old").expect(0)
    orbit("cp", "s3://bkt/k", tmp_path / "new").expect(0)
    orbit("cp", "--version-id", old, "s3://bkt/k", "s3://bkt/copy").expect(0)
    assert [(tmp_path / name).read_bytes() for name in ("old", "new")] == [b"old", b"new"]
    assert judge.get_object(Bucket="bkt", Key="copy")["Body"].read() == b"old"
    assert result.done[0]["version_id"] == old


@pytest.mark.parametrize(
    ("options", "code", "landed"),
    [
        ((), 1, {"hot": b"1"}),
        (("--ignore-glacier-warnings",), 0, {"hot": b"1"}),
        (("--force-glacier-transfer",), 1, {"hot": b"1"}),
    ],
)
def test_archived(options, code, landed, orbit, server, judge, gate, tmp_path):
    """Archived objects are skipped and counted, ``--ignore-…`` forgives, ``--force-…`` tries them all the same."""
    judge.put_object(Bucket="bkt", Key="cold", Body=b"2", StorageClass="GLACIER")
    put_all(judge, "bkt", {"hot": b"1"})
    gate.refuse("GetObject", "InvalidObjectState", key="cold")
    result = orbit("cp", "-R", "--json", *options, "s3://bkt/", tmp_path / "out").expect(code)
    assert read_tree(tmp_path / "out") == landed
    is_forced = "--force-glacier-transfer" in options
    assert [event["reason"] for event in result.skipped] == ([] if is_forced else ["glacier"])
    assert [event["code"] for event in result.failures] == (["InvalidObjectState"] if is_forced else [])


def test_archived_objects_that_are_restored_are_just_copied(orbit, server, judge, tmp_path):
    """A listing does not say so: each is looked at."""
    for key in ("cold", "warm"):
        judge.put_object(Bucket="bkt", Key=key, Body=key.encode(), StorageClass="GLACIER")
    judge.restore_object(Bucket="bkt", Key="warm", RestoreRequest={"Days": 1})
    server.store.finish_restores("bkt")
    result = orbit("cp", "-R", "--json", "s3://bkt/", tmp_path / "out").expect(1)
    assert read_tree(tmp_path / "out") == {"warm": b"warm"}
    assert [event["source"] for event in result.skipped] == ["s3://bkt/cold"]


# --- how they move -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "variables", "parts"), [
    (("--part-size", "5"), {}, 3),
    (("--part-size", "6MiB"), {}, 2),
    ((), {"ORBIT_PART_SIZE": "5"}, 3),
    (("--part-size", "11MiB"), {"ORBIT_PART_SIZE": "5"}, 0),
    ((), {}, 0),
])  # fmt: skip
def test_part_size(options, variables, parts, orbit, server, bucket, tmp_path):
    """``--part-size`` (plain numbers are MiB) decides the parts; the option wins over ``ORBIT_PART_SIZE``."""
    data = content(7, 11 * MIB)
    source = make_tree(tmp_path / "src", {"k": data})
    orbit = orbit.with_environment(**variables)
    result = orbit("cp", "--json", source / "k", "s3://bkt/k", *options).expect(0)
    assert server.store.counts["UploadPart"] == parts == len(bucket.find("k").part_sizes)
    assert result.done[0].get("parts", 0) == parts
    assert stored(server) == {"k": data}
    orbit("cp", "s3://bkt/k", tmp_path / "back", *options).expect(0)
    assert server.store.counts["GetObject"] == max(parts, 1)
    assert (tmp_path / "back").read_bytes() == data


@pytest.mark.parametrize("option", ["--workers", "--parallel"])
def test_workers(option, orbit, gate, server, tmp_path):
    """``--workers N``: N objects in flight, all processes together, and not one more."""
    files = {f"{number:02}": content(number, 10) for number in range(20)}
    source = make_tree(tmp_path / "src", files)
    hold = gate.hold("PutObject")
    with orbit.start("cp", "-R", option, "4", "--processes", "2", source, "s3://bkt/") as process:
        hold.wait_for(2)  # one process has half of them
        gate.open()
        finish(process)
    assert stored(server) == files
    assert gate.most_at_once["PutObject"] <= 4


@pytest.mark.parametrize("count", [1, 3])
def test_concurrency(count, orbit, gate, server, tmp_path):
    """``--concurrency N``: N parts of one object in flight, and not one more."""
    data = content(3, 6 * PART)
    source = make_tree(tmp_path / "src", {"k": data})
    hold = gate.hold("UploadPart")
    arguments = ("--concurrency", str(count), "--part-size", "5")
    with orbit.start("cp", *arguments, source / "k", "s3://bkt/k") as process:
        hold.wait_for(count)
        gate.open()
        finish(process)
    assert stored(server) == {"k": data}
    assert gate.most_at_once["UploadPart"] == count


def shared_memory(process):
    """Bytes of the anonymous shared memory that a worker has its buffers in, however often it is mapped."""
    sizes = {}
    with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as file:
        for row in (line.split() for line in file if "memfd:" in line):
            start, end = (int(text, 16) for text in row[0].split("-"))
            sizes[row[4]] = end - start
    return sum(sizes.values())


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="Linux only")
@pytest.mark.parametrize("mebibytes", [16, 64])
def test_max_memory(mebibytes, orbit, gate, server, tmp_path):
    """``--max-memory SIZE``: the buffers of all processes together are that large, and a large file moves in them."""
    data = content(3, 6 * PART)
    source = make_tree(tmp_path / "src", {"k": data})
    hold = gate.hold("UploadPart")
    arguments = ("--max-memory", f"{mebibytes}MiB", "--processes", "2", "--part-size", "5")
    with orbit.start("cp", *arguments, source / "k", "s3://bkt/k") as process:
        hold.wait_for(1)
        sizes = set()

        def is_known():
            sizes.clear()
            sizes.update(map(shared_memory, workers_of(process).values()))
            return len(sizes) == 1 and sizes != {0}  # one that has just started has not yet looked at it

        wait_until(is_known, "the same size in all workers")
        gate.open()
        finish(process)
    assert mebibytes * MIB <= sizes.pop() < (mebibytes + 1) * MIB  # the slots, and the table of them
    assert stored(server) == {"k": data}


def damage(bucket, key):
    """Change a byte of a stored object behind the service's back: its checksum and ETag stay."""
    version = bucket.find(key)
    data = bytearray(version.content.read())
    data[len(data) // 2] ^= 1
    version.content = type(version.content).of(bytes(data))
    return bytes(data)


@pytest.mark.parametrize("size", [1000, 2 * PART])
def test_damage_is_found(size, orbit, judge, bucket, tmp_path):
    """Bytes that are not what the service's checksum says: exit 3 and no file; ``--no-verify`` takes them."""
    source = make_tree(tmp_path / "src", {"k": content(1, size)})
    orbit("cp", source / "k", "s3://bkt/k", "--part-size", "5").expect(0)
    damaged = damage(bucket, "k")
    arguments = ("cp", "--json", "--part-size", "5", "--retry-attempts", "1", "s3://bkt/k")
    result = orbit(*arguments, tmp_path / "back").expect(3)
    assert [event["code"] for event in result.failures] == ["E_CHECKSUM_MISMATCH"]
    assert not (tmp_path / "back").exists()
    orbit(*arguments, tmp_path / "back", "--no-verify").expect(0)
    assert (tmp_path / "back").read_bytes() == damaged


def test_require_verify(orbit, bucket, judge, tmp_path):
    """``--require-verify``: an object of which only the size can be compared fails with 3; else it says so."""
    put_all(judge, "bkt", {"k": b"content"})
    version = bucket.find("k")
    version.checksum, version.etag = None, "not-an-md5"
    plain = orbit("cp", "--json", "s3://bkt/k", tmp_path / "plain").expect(0)
    strict = orbit("cp", "--json", "--require-verify", "s3://bkt/k", tmp_path / "strict").expect(3)
    assert (plain.done[0]["verified"], plain.summary["unverified"]) == ("size", 1)
    assert [event["code"] for event in strict.failures] == ["E_UNVERIFIED"]
    assert (tmp_path / "plain").read_bytes() == b"content"
    assert not (tmp_path / "strict").exists()


# --- what is said --------------------------------------------------------------------------------------------------


def test_quiet_and_verbose(orbit, server, source):
    """``-q`` says only what went wrong; ``-v`` also what was skipped as asked; neither changes what is done."""
    server.store.put("bkt", "a.txt", b"there")
    loud = orbit("cp", "-R", "-v", "--no-clobber", source, "s3://bkt/").expect(0)
    assert f"skip cp {source}/a.txt s3://bkt/a.txt: exists" in loud.lines
    plain = orbit("cp", "-R", "--no-clobber", source, "s3://bkt/").expect(0)
    assert plain.lines == []
    quiet = orbit("cp", "-R", "-q", source, "s3://bkt/").expect(0)
    assert quiet.lines == []
    assert stored(server) == FILES


@pytest.mark.parametrize("human", [(), ("-H",), ("--human-readable",)])
def test_stat(human, orbit, server, tmp_path):
    """``--stat`` prints the numbers of the job; ``-H`` writes sizes with units."""
    source = make_tree(tmp_path / "src", {"a": bytes(3 * MIB), "b": b""})
    without = orbit("cp", "-R", source, "s3://bkt/").expect(0)
    result = orbit("cp", "-R", "--stat", *human, source, "s3://bkt/")
    text = (result.out + result.err).decode()
    assert result.code == 0
    assert ("3.0 MiB" if human else str(3 * MIB)) in text
    assert re.search(r"\b2\b", text)
    assert str(3 * MIB) not in without.out.decode()
    as_json = orbit("cp", "-R", "--stat", "--json", *human, source, "s3://bkt/")
    assert (as_json.code, as_json.counts) == (0, (2, 0, 0))
    assert ("3.0 MiB" if human else str(3 * MIB)) in as_json.err.decode()


def test_no_progress_when_nobody_looks(orbit, server, source):
    """A stderr that is no terminal stays empty, with ``--progress`` too."""
    orbit("cp", "-R", "--progress", source, "s3://bkt/").expect(0)
    assert stored(server) == FILES


def test_options_before_the_command(orbit, server, source):
    """Options are taken before and after the command, and between the arguments."""
    result = orbit("--json", "cp", source, "-R", "s3://bkt/", "--include", "*.txt").expect(0)
    assert result.counts == (2, 0, 0)
    assert set(stored(server)) == {"a.txt", "sub/c.txt"}


def test_other_spelling(orbit, server, source):
    """``orbit --source S --dest D --recursive`` is the same job."""
    result = orbit("--source", source, "--dest", "s3://bkt/p", "--recursive", "--json").expect(0)
    assert result.summary["command"] == "cp"
    assert stored(server, "p/") == FILES


def test_many_sources(orbit, server, source):
    """``orbit cp A B DST``: every source lands under the destination; one that is missing among them is exit 1 or 2."""
    orbit("cp", source / "a.txt", source / "b.bin", "s3://bkt/p").expect(0)
    assert stored(server) == {"p/a.txt": b"1", "p/b.bin": b"22"}


@pytest.mark.parametrize(
    ("destination", "key"),
    [("s3://bkt", "a.txt"), ("s3://bkt/", "a.txt"), ("s3://bkt/x", "x"), ("s3://bkt/x/", "x/a.txt")],
)
def test_where_one_file_goes(destination, key, orbit, server, source):
    """One file takes the destination's key, or its own name below it."""
    orbit("cp", source / "a.txt", destination).expect(0)
    assert stored(server) == {key: b"1"}
