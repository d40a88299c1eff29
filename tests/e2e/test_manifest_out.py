"""``--manifest-out``: what a job says arrived is what ``verify`` finds there, and what ``--files-from`` reads."""

from __future__ import annotations

import json

from tests.kit.trees import make_tree

FILES = {"a": b"alpha", "dir/b": b"beta", "large": bytes(6 << 20)}


def _names(path):
    return sorted(json.loads(line)["key"] for line in path.read_bytes().splitlines())


def test_a_round_trip(orbit, server, tmp_path):
    """There, onward, moved, synced: each manifest is proven, against both ends where both are; and used as a list."""
    tree, listed = make_tree(tmp_path / "tree", FILES), tmp_path / "m"
    orbit("cp", "-R", "-q", "--part-size", "5", "--manifest-out", listed, tree, "s3://bkt/p").expect(0)
    assert _names(listed) == ["s3://bkt/p/a", "s3://bkt/p/dir/b", "s3://bkt/p/large"]
    row = json.loads(listed.read_bytes().splitlines()[0])
    assert {"key", "source", "size", "etag", "checksum"} <= set(row)
    for side in ("s3://bkt/p", tree):
        proven = orbit("verify", "--json", "--require-verify", f"@{listed}", side).expect(0)
        assert [event["matched"] for event in proven.events if event.get("type") == "totals"] == [3]
    server.store.put("bkt", "p/a", b"ALPHA")
    orbit("verify", "-q", f"@{listed}", "s3://bkt/p").expect(3)
    down = tmp_path / "down"
    orbit("cp", "-q", "--files-from", listed, "--manifest-out", tmp_path / "n", "s3://bkt/p", down).expect(0)
    assert _names(tmp_path / "n") == [f"{down}/a", f"{down}/dir/b", f"{down}/large"]
    orbit("verify", "-q", "--require-verify", f"@{tmp_path}/n", down).expect(0)
    orbit("mv", "-q", "--manifest-out", listed, "s3://bkt/p/dir/b", "s3://bkt/q/b").expect(0)
    assert _names(listed) == ["s3://bkt/q/b"]
    make_tree(tmp_path / "down", {"new": b"new"})
    orbit("sync", "-q", "--manifest-out", listed, down, "s3://bkt/p").expect(0)
    assert {"s3://bkt/p/dir/b", "s3://bkt/p/new"} <= set(_names(listed))
    orbit("verify", "-q", f"@{listed}", down, "--include", "new").expect(0)


def test_when_it_is_written(orbit, server, tmp_path):
    """With some failures it is; not by a dry run, nor where the job cannot be done; and not in a script."""
    tree, listed = make_tree(tmp_path / "tree", {"a": b"1"}), tmp_path / "m"
    wanted = ("--manifest-out", listed)
    failed = orbit("cp", "-q", "--files-from", "-", *wanted, tree, "s3://bkt/p", fed=b"a\nb\n")
    assert (failed.code, _names(listed)) == (1, ["s3://bkt/p/a"])
    listed.write_bytes(b"old")
    orbit("cp", "-R", "-q", "--dry-run", *wanted, tree, "s3://bkt/p").expect(0)
    assert orbit("cp", "-R", "-q", *wanted, tree, "s3://none/p").code == 2
    assert orbit("cp", *wanted, "s3://bkt/p/a", "-").code == 2
    assert orbit("run", "-q", fed=f"cp --manifest-out {listed} {tree}/a s3://bkt/q\n".encode()).code == 1
    assert listed.read_bytes() == b"old"
    refused = orbit("cp", "-R", "-q", "--manifest-out", tmp_path / "no" / "m", tree, "s3://bkt/p")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "q" not in server.store.keys("bkt")
