"""``orbit sync``: every option by its effect, in every direction, against the embedded server."""

from __future__ import annotations

import os
import time

import pytest

from orbit_fast.testing import S3Server
from tests.kit.command import LIMIT_S
from tests.kit.command import finish
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

OLD = 1_600_000_000
"""Before any object was uploaded."""

FILES = {"a": b"alpha", "dir/b.txt": b"beta", "dir/sub/c": b"gamma", "z.bin": b"zeta"}


@pytest.fixture
def tree(tmp_path):
    """A local tree whose files are old."""
    root = make_tree(tmp_path / "tree", FILES)
    _age(root)
    return root


def _age(root, second=OLD) -> None:
    for directory, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(directory, name), (second, second))


def _keys(server, prefix="p/", bucket="bkt"):
    return {
        key.removeprefix(prefix): server.store.read(bucket, key)
        for key in server.store.keys(bucket)
        if key.startswith(prefix)
    }


def _copied(result):
    """The names that were copied, below the destination, and their operation."""
    assert {event["operation"] for event in result.done} <= {"cp", "rm"}
    return sorted(event["source"].rpartition("/")[2] for event in result.done if event["operation"] == "cp")


def test_up_down_and_across_and_again(orbit, server, gate, tree, tmp_path):
    """Every direction copies what is missing; a second run, and the way back, copy nothing, for listings only."""
    down = tmp_path / "down"
    first = orbit("sync", "--json", tree, "s3://bkt/p").expect(0)
    assert first.summary | {"command": "sync", "files_copied": 4, "files_deleted": 0} == first.summary
    assert _keys(server) == FILES
    assert orbit("sync", "s3://bkt/p/", down).expect(0).out.count(b"cp s3://bkt/p/") == 4
    assert read_tree(down) == FILES
    assert _copied(orbit("sync", "--json", "s3://bkt/p", "s3://bkt/q").expect(0)) == ["a", "b.txt", "c", "z.bin"]
    gate.requests.clear()
    pairs = [(tree, "s3://bkt/p"), ("s3://bkt/p", down), (down, "s3://bkt/p"), ("s3://bkt/p", "s3://bkt/q")]
    for source, destination in pairs:
        again = orbit("sync", "--json", source, destination).expect(0)
        assert (again.summary["files_copied"], again.summary["files_skipped"]) == (0, 4)
        assert len(again.events) == 1
    assert {request.operation for request in gate.requests} == {"ListObjectsV2"}


def test_up_then_down_copies_nothing(orbit, server, gate, tree):
    """After an upload objects are newer than their files, and the same: their ETags say so, without a request."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    gate.requests.clear()
    back = orbit("sync", "--json", "-v", "s3://bkt/p", tree)
    assert back.code == 0  # -v also says other things on stderr
    assert [event["reason"] for event in back.skipped] == ["identical"] * 4
    assert {request.operation for request in gate.requests} == {"ListObjectsV2"}
    assert read_tree(tree) == FILES
    mtimes = {path.stat().st_mtime for path in tree.rglob("*") if path.is_file()}
    assert min(mtimes) > OLD  # they have their objects' time now, as if they had been downloaded
    (tree / "a").write_bytes(b"ALPHA")
    _age(tree)
    changed = orbit("sync", "--json", "s3://bkt/p", tree).expect(0)
    assert _copied(changed) == ["a"]
    assert read_tree(tree) == FILES


def test_a_large_object_is_known_by_the_etag_of_its_parts(orbit, gate, tmp_path):
    """An object of many parts is the same too, when its ETag is that of the parts it would be sent in."""
    data = bytes(range(256)) * 4096 * 11
    source = make_tree(tmp_path / "large", {"big": data})
    _age(source)
    orbit("sync", "--part-size", "5", source, "s3://bkt/p").expect(0)
    gate.requests.clear()
    back = orbit("sync", "--part-size", "5", "--json", "s3://bkt/p", source).expect(0)
    assert back.summary["files_skipped"] == 1
    assert {request.operation for request in gate.requests} == {"ListObjectsV2"}
    with open(source / "big", "r+b") as file:
        file.write(b"other")
    _age(source)
    assert _copied(orbit("sync", "--part-size", "5", "--json", "s3://bkt/p", source).expect(0)) == ["big"]
    assert read_tree(source) == {"big": data}


def test_what_is_different(orbit, server, tree):
    """Another size, or a later time, makes a difference; --size-only and --if-source-newer each look at one of them."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    later = time.time() + 100
    (tree / "a").write_bytes(b"other size")
    os.utime(tree / "a", (OLD, OLD))
    (tree / "z.bin").write_bytes(b"ZETA")
    os.utime(tree / "z.bin", (later, later))
    for options, expected in (
        (("--size-only",), ["a"]),
        (("--if-source-newer",), ["z.bin"]),
        (("--size-only", "--if-source-newer"), []),
        (("--mode", "update"), ["z.bin"]),
        (("--mode", "copy"), ["a", "b.txt", "c", "z.bin"]),
        (("--checksum",), ["a", "z.bin"]),
        ((), ["a", "z.bin"]),
    ):
        plan = orbit("sync", "--json", "--dry-run", *options, tree, "s3://bkt/p").expect(0)
        names = sorted(event["source"].rpartition("/")[2] for event in plan.events if event.get("dry_run"))
        assert names == expected, options
        assert plan.summary["files_copied"] == len(expected)
    assert _keys(server) == FILES
    orbit("sync", tree, "s3://bkt/p").expect(0)
    assert _keys(server) == FILES | {"a": b"other size", "z.bin": b"ZETA"}
    reasons = orbit("sync", "--json", "--if-source-newer", tree, "s3://bkt/p").expect(0).skipped
    assert {event["reason"] for event in reasons} <= {"not-newer"}


def test_checksums_are_compared_in_every_direction(orbit, server, judge, tree, tmp_path):
    """Content, not time: a later time alone copies nothing, another content of the same size and time does."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    orbit("sync", "s3://bkt/p", "s3://bkt/q").expect(0)
    down = tmp_path / "down"
    orbit("sync", "s3://bkt/p", down).expect(0)
    _age(tree, time.time() + 100)
    judge.put_object(Bucket="bkt", Key="p/a", Body=b"ALPHA")
    later = ("sync", "--json", "--checksum")
    assert _copied(orbit(*later, "s3://bkt/p", "s3://bkt/q").expect(0)) == ["a"]
    _age(down, time.time() + 100)
    assert _copied(orbit(*later, "s3://bkt/p", down).expect(0)) == ["a"]
    assert _copied(orbit(*later, tree, "s3://bkt/p").expect(0)) == ["a"]
    assert _keys(server) == FILES
    assert _keys(server, "q/")["a"] == (down / "a").read_bytes() == b"ALPHA"
    assert orbit(*later, tree, "s3://bkt/p").expect(0).summary["files_skipped"] == 4


def test_times_in_metadata(orbit, judge, gate, tree):
    """--preserve-metadata: what is newer only because it was uploaded is not newer, and only such pairs are asked."""
    orbit("sync", "--preserve-metadata", tree, "s3://bkt/p").expect(0)
    gate.requests.clear()
    down = orbit("sync", "--json", "--preserve-metadata", "s3://bkt/p", tree).expect(0)
    assert down.summary["files_skipped"] == 4
    assert {path.stat().st_mtime for path in tree.rglob("*") if path.is_file()} == {OLD}
    assert sorted(request.operation for request in gate.requests) == ["HeadObject"] * 4 + ["ListObjectsV2"]
    orbit("sync", "--preserve-metadata", "s3://bkt/p", "s3://bkt/q").expect(0)
    judge.put_object(Bucket="bkt", Key="p/a", Body=b"ALPHA", Metadata={"mtime": str(OLD + 5)})
    assert _copied(orbit("sync", "--json", "--preserve-metadata", "s3://bkt/p", tree).expect(0)) == ["a"]
    assert (tree / "a").stat().st_mtime == OLD + 5


def test_deletion_and_its_options(orbit, server, tree, tmp_path):
    """--delete and --mode mirror; filters protect, --delete-excluded does not let them; a plan is what is done."""
    extras = {"dir/old": b"1", "keep.log": b"2", "zz": b"3"}
    orbit("sync", make_tree(tmp_path / "more", FILES | extras), "s3://bkt/p").expect(0)
    assert orbit("sync", tree, "s3://bkt/p").expect(0).out == b""
    plan = orbit("sync", "--dry-run", "--delete", "--exclude", "*.log", tree, "s3://bkt/p").expect(0)
    assert plan.lines == ["(dry run) rm s3://bkt/p/dir/old", "(dry run) rm s3://bkt/p/zz"]
    assert _keys(server) == FILES | extras
    done = orbit("sync", "--delete", "--exclude", "*.log", tree, "s3://bkt/p").expect(0)
    assert done.lines == [line.removeprefix("(dry run) ") for line in plan.lines]
    assert _keys(server) == FILES | {"keep.log": b"2"}
    excluded = ("--exclude", "*.log", "--exclude", "z.*", "--delete-excluded")
    events = orbit("sync", "--json", "--mode", "mirror", *excluded, tree, "s3://bkt/p").expect(0)
    assert sorted(event["source"] for event in events.done) == ["s3://bkt/p/keep.log", "s3://bkt/p/z.bin"]
    assert events.summary["files_deleted"] == 2
    assert "z.bin" not in _keys(server)


def test_deletion_on_a_local_disk(orbit, tree, tmp_path):
    """Files go; directories that become empty stay, and links too."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    down = make_tree(tmp_path / "down", {"x/y/extra": b"1", "other": b"2"})
    (down / "link").symlink_to("nowhere")
    result = orbit("sync", "--stat", "--delete", "s3://bkt/p", down).expect(0)
    assert sorted(line for line in result.lines if line.startswith("rm ")) == [
        f"rm {down}/other",
        f"rm {down}/x/y/extra",
    ]
    assert (down / "x" / "y").is_dir()
    (down / "link").unlink()
    assert read_tree(down) == FILES
    assert any("Operation: Sync" in line for line in result.lines)


def test_names_and_sizes_are_filtered(orbit, server, tree, tmp_path):
    """--include, --exclude, --filter-from, sizes and ages say what takes part."""
    rules = tmp_path / "rules"
    rules.write_text("+ dir/*\n- *.txt\n")
    for options, expected in (
        (("--include", "*.txt"), {"dir/b.txt"}),
        (("--exclude", "dir/*"), {"a", "z.bin"}),
        (("--filter-from", rules), {"dir/sub/c"}),
        (("--min-size", "5"), {"a", "dir/sub/c"}),
        (("--max-size", "4"), {"dir/b.txt", "z.bin"}),
        (("--newer-than", "1d"), set()),
        (("--older-than", "1d"), set(FILES)),
    ):
        prefix = f"{options[0].strip('-')}/"
        orbit("sync", *options, tree, f"s3://bkt/{prefix}").expect(0)
        assert set(_keys(server, prefix)) == expected, options


def test_a_wildcard_says_what_both_sides_are_looked_at_for(orbit, server, tree, tmp_path):
    """Only what it matches is copied, and only that is deleted; with --raw it is a name."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    down = make_tree(tmp_path / "down", {"dir/gone": b"1", "elsewhere": b"2"})
    orbit("sync", "--delete", "s3://bkt/p/d*", down).expect(0)
    assert read_tree(down) == {"dir/b.txt": b"beta", "dir/sub/c": b"gamma", "elsewhere": b"2"}
    server.store.create_bucket("other")
    orbit("sync", tree, "s3://bkt/odd*").expect(0)
    assert orbit("sync", "--raw", "s3://bkt/odd*", "s3://other/").expect(0).out.count(b"cp ") == 4
    assert set(_keys(server, "", "other")) == set(FILES)


def test_directory_markers(orbit, server, judge, tree, tmp_path):
    """A directory keeps a marker; a marker makes a directory; a marker without one is an extra."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    for key in ("p/", "p/dir/", "p/empty/"):
        judge.put_object(Bucket="bkt", Key=key, Body=b"")
    down = tmp_path / "down"
    orbit("sync", "s3://bkt/p", down).expect(0)
    assert (down / "empty").is_dir()
    assert orbit("sync", "--json", "--delete", "s3://bkt/p", down).expect(0).summary["files_copied"] == 0
    assert orbit("sync", "--delete", tree, "s3://bkt/p").expect(0).lines == ["rm s3://bkt/p/empty/"]
    assert {"", "dir/"} <= set(_keys(server))


def test_an_audit_after_a_sync(orbit, server, tree):
    """--audit lists the destination once more when everything, deletions too, is done."""
    server.store.bucket("bkt")
    result = orbit("sync", "--json", "--audit", "--delete", tree, "s3://bkt/p").expect(0)
    assert result.summary["files_copied"] == 4


def test_two_services(orbit, tree):
    """Source and destination at different endpoints: compared like any two, and copied through this machine."""
    orbit("sync", tree, "s3://bkt/p").expect(0)
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY) as second:
        second.store.create_bucket("bkt")
        arguments = ("sync", "--json", "--delete", "--dest-endpoint-url", second.url, "s3://bkt/p", "s3://bkt/p")
        assert orbit(*arguments).expect(0).summary["files_copied"] == 4
        assert _keys(second) == FILES
        again = orbit(*arguments).expect(0).summary
        assert (again["files_copied"], again["files_skipped"]) == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "s3://bkt/p"), "sync needs one source and one destination"),
        (("sync", "a", "b", "s3://bkt/p"), "sync needs one source and one destination"),
        (("sync", "{tree}", "{tree}"), "one side must be in S3"),
        (("sync", "{tree}/a", "s3://bkt/p"), "is not a directory"),
        (("sync", "{tree}/none", "s3://bkt/p"), "no such directory"),
        (("sync", "s3://bkt/p", "{tree}/a"), "must be a directory"),
        (("sync", "s3://bkt/p", "s3://bkt/p/q"), "overlap"),
        (("sync", "s3://bkt/p/q", "s3://bkt/p"), "overlap"),
        (("sync", "--max-delete", "5", "{tree}", "s3://bkt/p"), "--max-delete is about deleting: add --delete"),
        (("sync", "--delete-excluded", "{tree}", "s3://bkt/p"), "--delete-excluded is about deleting"),
        (("sync", "--delete-verify", "none", "{tree}", "s3://bkt/p"), "--delete-verify is about deleting"),
        (("sync", "--allow-changed-filters", "{tree}", "s3://bkt/p"), "--allow-changed-filters is about deleting"),
        (("sync", "--delete", "--delete-verify", "maybe", "{tree}", "s3://bkt/p"), "is not one of auto, head, none"),
        (("sync", "--max-delete", "many", "{tree}", "s3://bkt/p"), "is not a number, a percentage"),
        (("sync", "--size-only", "--checksum", "{tree}", "s3://bkt/p"), "contradict"),
        (("sync", "--size-only", "--mode", "update", "{tree}", "s3://bkt/p"), "changes what sync compares"),
        (("sync", "--filter-from", "{tree}/a", "{tree}", "s3://bkt/p"), "a:1: expected '+ PATTERN'"),
        (("sync", "{tree}", "s3://none/p"), "NoSuchBucket"),
    ],
)
def test_what_makes_no_job(orbit, server, tree, arguments, message):
    """One line, exit 2, and nothing is done."""
    result = orbit(*(argument.format(tree=tree) for argument in arguments))
    assert result.code == 2
    assert message in result.err.decode()
    assert result.err.count(b"\n") == 1
    assert _keys(server, "") == {}
    assert read_tree(tree) == FILES


def test_copies_begin_while_both_sides_are_still_listed(orbit, server, gate, tmp_path):
    """A listing that hangs in its middle does not keep what came before it from being copied."""
    names = [f"f{number:04}" for number in range(2500)]
    store = server.store
    orbit("sync", make_tree(tmp_path / "many", dict.fromkeys(names, b"x")), "s3://bkt/p").expect(0)
    hold = gate.hold("ListObjectsV2", after=1)
    down = tmp_path / "down"
    with orbit.start("sync", "s3://bkt/p", down) as process:
        hold.wait_for(1)
        deadline = time.monotonic() + LIMIT_S
        while not (down / "f0000").exists():
            assert time.monotonic() < deadline, "nothing was copied while the listing went on"
            time.sleep(0.02)
        hold.release()
        process.communicate()
    assert len(os.listdir(down)) == len(names)
    assert len(store.keys("bkt")) == len(names)


def test_what_has_changed_since_it_was_listed_is_not_deleted(orbit, server, gate, tree):
    """Somebody writes to an extra while the copies run: it stays, as a failure of its own; the other extra goes."""
    for key in ("p/extra", "p/written"):
        server.store.put("bkt", key, b"old")
    held = gate.hold("DeleteObjects")
    with orbit.start("sync", "--json", "--delete", tree, "s3://bkt/p") as process:
        held.wait_for(1)
        server.store.put("bkt", "p/written", b"new")
        held.release()
        result = finish(process)
    assert result.code == 1
    assert [(event["source"], event["code"]) for event in result.failures] == [
        ("s3://bkt/p/written", "PreconditionFailed")
    ]
    assert _keys(server) == {**FILES, "written": b"new"}
