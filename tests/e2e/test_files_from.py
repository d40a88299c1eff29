"""``--files-from``: what a list names is copied, and nothing else."""

from __future__ import annotations

import json

import pytest

from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

FILES = {"a": b"alpha", "dir/b.txt": b"beta", "dir/c.tmp": b"gamma", "z": b"zeta"}


@pytest.fixture
def tree(tmp_path):
    """A local tree."""
    return make_tree(tmp_path / "tree", FILES)


def _keys(server):
    return {key: server.store.read("bkt", key) for key in server.store.keys("bkt")}


def test_there_by_names_from_stdin_and_back_by_what_was_said(orbit, server, gate, tree, tmp_path):
    """Names as find writes them; then the events of that run. Nothing is listed, and what fails is told by its name."""
    listed = b"./a\n./dir/b.txt\n./dir/c.tmp\n./gone\n../up\n"
    sent = orbit("cp", "--json", "--files-from", "-", "--exclude", "*.tmp", tree, "s3://bkt/p", fed=listed).expect(1)
    assert _keys(server) == {"p/a": b"alpha", "p/dir/b.txt": b"beta"}
    assert sent.counts == (2, 0, 2)
    assert sorted((event["code"], event["error"]) for event in sent.failures) == [
        ("E_NO_SOURCE", "stdin:4: ./gone is not there"),
        ("E_PATH_UNSAFE", f"stdin:5: ../up is not below the source, {tree}/"),
    ]
    server.store.put("bkt", "p/not-named", b"x")
    events = [*sent.done, {"operation": "cp", "key": "s3://bkt/p/gone"}]
    (tmp_path / "sent.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    gate.requests.clear()
    back = orbit("cp", "--json", "--files-from", tmp_path / "sent.jsonl", "s3://bkt/p", tmp_path / "down").expect(1)
    assert read_tree(tmp_path / "down") == {"a": b"alpha", "dir/b.txt": b"beta"}
    assert [(event["source"], event["code"]) for event in back.failures] == [("s3://bkt/p/gone", "NoSuchKey")]
    looked_up = [request.key for request in gate.requests if request.operation == "HeadObject"]
    assert {"p/a", "p/dir/b.txt", "p/gone"} == set(looked_up)


def test_an_inventory_moves_objects_and_a_bad_line_ends_it(orbit, server, tmp_path):
    """Only the objects that it names go; a line that is none is told with file and number."""
    for key in ("in/a b", "in/b", "in/c"):
        server.store.put("bkt", key, key.encode())
    (tmp_path / "inventory.csv").write_bytes(b'"bkt","in/a+b","6"\n"bkt","in/c","4"\n')
    orbit("mv", "--files-from", tmp_path / "inventory.csv", "s3://bkt/in/", "s3://bkt/out/").expect(0)
    assert _keys(server) == {"in/b": b"in/b", "out/a b": b"in/a b", "out/c": b"in/c"}
    (tmp_path / "bad.csv").write_bytes(b'"bkt","in/b","4"\n"bkt"\n')
    bad = orbit("cp", "--json", "--files-from", tmp_path / "bad.csv", "s3://bkt/in", tmp_path / "down").expect(2)
    assert f"{tmp_path}/bad.csv:2: 1 columns instead of 3" in [event["error"] for event in bad.failures]
    none = orbit("cp", "--json", "--files-from", "-", "s3://none/in", tmp_path / "down", fed=b"a\nb\n").expect(2)
    assert [event["code"] for event in none.failures] == ["NoSuchBucket"]


def test_in_a_script(orbit, server, tree, tmp_path):
    """A line reads its own list; stdin is not a line's."""
    (tmp_path / "list").write_bytes(b"a\nz\n")
    script = f"cp --files-from {tmp_path}/list {tree} s3://bkt/p/\ncp --files-from - {tree} s3://bkt/q/\n"
    ran = orbit("run", "--json", fed=script.encode()).expect(1)
    assert sorted(_keys(server)) == ["p/a", "p/z"]
    assert [(event["line"], event["code"]) for event in ran.failures] == [(2, "E_USAGE")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("f", "g", "s3://bkt/"), b"one source"),
        (("list", "s3://bkt/"), b"list is a file"),
        (("s3://bkt/a", "-"), b"- is neither"),
        (("--version-id", "v", "s3://bkt/a", "."), b"one source"),
    ],
)
def test_what_cannot_be(orbit, tmp_path, arguments, words):
    """One line, and exit status 2."""
    (tmp_path / "list").write_bytes(b"a\n")
    refused = orbit.with_directory(tmp_path)("cp", "--files-from", "list", *arguments)
    assert (refused.code, refused.out, len(refused.errors)) == (2, b"", 1)
    assert words in refused.err
