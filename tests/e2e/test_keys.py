"""Keys that no directory should hold: none leaves the destination, and a copy inside S3 keeps them all."""

from __future__ import annotations

import base64

import pytest

from tests.kit.buckets import objects_of
from tests.kit.buckets import put_all
from tests.kit.trees import content
from tests.kit.trees import read_tree

EVIL = {
    "../evil": "E_PATH_UNSAFE",
    "../../evil": "E_PATH_UNSAFE",
    "/abs": "E_PATH_UNSAFE",
    "//abs": "E_PATH_UNSAFE",
    "a/../b": "E_PATH_UNSAFE",
    "a/..": "E_PATH_UNSAFE",
    "./here": "E_PATH_UNSAFE",
    "..": "E_PATH_UNSAFE",
    "x//y": "E_PATH_UNSAFE",
    "long/" + "n" * 256: "E_NAME_TOO_LONG",
}
"""Keys and the codes of their failures."""

GOOD = {"ok": b"fine", "deep/ok": b"fine too", "..three": b"dots", "back\\slash": b"literal here", "~": b"no home"}


@pytest.fixture
def outside(tmp_path):
    """Everything around the destination, which must stay as it is."""
    files = {"evil": b"mine", "abs": b"mine", "b": b"mine"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "x").mkdir()
    return files


def below(tmp_path):
    """What is in the test's directory but not in the destination."""
    return {name: data for name, data in read_tree(tmp_path).items() if not name.startswith("x/dest/")}


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "some/prefix/"])
def test_evil_keys_stay_out(prefix, orbit, judge, tmp_path, outside):
    """``orbit cp -R s3://bkt/ DEST``: each evil key is a failure of its own, everything else arrives, exit 1."""
    put_all(judge, "bkt", {prefix + key: b"evil" for key in EVIL} | {prefix + key: data for key, data in GOOD.items()})
    destination = tmp_path / "x" / "dest"

    result = orbit("cp", "-R", "--json", f"s3://bkt/{prefix}", destination).expect(1)

    start = f"s3://bkt/{prefix}"
    assert {event["source"].removeprefix(start): event["code"] for event in result.failures} == EVIL
    assert result.counts == (len(GOOD), 0, len(EVIL))
    assert read_tree(destination) == GOOD
    assert below(tmp_path) == outside


@pytest.mark.slow
def test_evil_keys_in_text(orbit, judge, tmp_path, outside):
    """One line each on stderr, with the key in it and no control character that could forge another line."""
    put_all(judge, "bkt", {"../evil": b"evil", "..\nERROR/../x": b"evil"})
    result = orbit("cp", "-R", "s3://bkt/", tmp_path / "x" / "dest")
    assert (result.code, result.out) == (1, b"")
    assert len(result.errors) == 2
    assert all(line.startswith('ERROR "cp s3://bkt/..') and "E_PATH_UNSAFE" in line for line in result.errors)
    assert below(tmp_path) == outside


@pytest.mark.slow
@pytest.mark.parametrize("key", ["../../evil", "/evil", "a/../evil"])
def test_single_evil_key(key, orbit, judge, tmp_path, outside):
    """One key takes its last component, below the destination."""
    put_all(judge, "bkt", {key: b"theirs"})
    orbit("cp", f"s3://bkt/{key}", f"{tmp_path}/x/dest/").expect(0)
    assert read_tree(tmp_path / "x" / "dest") == {"evil": b"theirs"}
    assert below(tmp_path) == outside


@pytest.mark.slow
def test_planted_link_is_not_followed(orbit, judge, tmp_path, outside):
    """A symbolic link inside the destination leads no object out of it, be it a directory's or the file's own name."""
    destination = tmp_path / "x" / "dest"
    destination.mkdir()
    (destination / "way").symlink_to(tmp_path)
    (destination / "file").symlink_to(tmp_path / "evil")
    put_all(judge, "bkt", {"way/evil": b"theirs", "file": b"new", "ok": b"ok"})

    result = orbit("cp", "-R", "--json", "s3://bkt/", destination).expect(1)

    assert [event["source"] for event in result.failures] == ["s3://bkt/way/evil"]
    assert {name: data for name, data in read_tree(tmp_path).items() if not name.startswith("x/")} == outside
    assert not (destination / "file").is_symlink()
    assert (destination / "file").read_bytes() == b"new"
    assert (destination / "ok").read_bytes() == b"ok"


@pytest.mark.slow
def test_file_and_directory_of_one_name(orbit, judge, tmp_path):
    """``x`` and ``x/y`` cannot both be on a disk: one arrives whole, the other is reported, exit 1."""
    put_all(judge, "bkt", {"x": b"file", "x/y": b"below", "z": b"z"})

    result = orbit("cp", "-R", "--json", "s3://bkt/", tmp_path / "dest").expect(1)

    assert [event["code"] for event in result.failures] == ["E_FILE_DIR_CONFLICT"]
    landed = read_tree(tmp_path / "dest")
    assert landed in ({"x": b"file", "z": b"z"}, {"x/y": b"below", "z": b"z"})
    assert result.failures[0]["source"] == ("s3://bkt/x/y" if "x" in landed else "s3://bkt/x")


@pytest.mark.slow
def test_directory_markers(orbit, judge, tmp_path):
    """A key that ends at ``/`` becomes a directory, also an empty one."""
    put_all(judge, "bkt", {"empty/": b"", "full/": b"", "full/file": b"1"})
    orbit("cp", "-R", "s3://bkt/", tmp_path / "dest").expect(0)
    assert read_tree(tmp_path / "dest") == {"full/file": b"1"}
    assert (tmp_path / "dest" / "empty").is_dir()


@pytest.mark.slow
def test_any_key_inside_s3(orbit, judge):
    """``orbit cp -R s3://A s3://B``: evil or not, a key is a key."""
    objects = {
        key: content(number, number) for number, key in enumerate([*EVIL, *GOOD, "trailing//", "\u0085", "\t\n"])
    }
    put_all(judge, "bkt", objects)
    judge.create_bucket(Bucket="other")

    result = orbit("cp", "-R", "--json", "s3://bkt", "s3://other").expect(0)

    assert result.counts == (len(objects), 0, 0)
    assert objects_of(judge, "other") == objects


@pytest.mark.slow
def test_name_that_is_not_unicode(orbit, judge, tmp_path):
    """A local name that is no UTF-8 cannot be a key: reported, exact in base64, the rest copied."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "ok").write_bytes(b"ok")
    with open(bytes(source) + b"/bad-\xff", "wb") as file:
        file.write(b"bad")

    result = orbit("cp", "-R", "--json", source, "s3://bkt/").expect(1)

    assert [(event["code"], event["source"], event["source_b64"]) for event in result.failures] == [
        ("E_INVALID_KEY", f"{source}/bad-\ufffd", base64.b64encode(bytes(source) + b"/bad-\xff").decode())
    ]
    assert objects_of(judge, "bkt") == {"ok": b"ok"}
