"""A disk that takes ``Photo.jpg`` and ``photo.JPG`` for one name, as macOS's do: no object replaces another one's file.

On a real one, of the kernel's view: `tests.kit.folding_fs`. Where none can be mounted the tests are skipped, and
`tests/io/test_spelling.py` is what remains.
"""

from __future__ import annotations

import os
import unicodedata

import pytest

from orbit_fast.testing.store import Attributes
from tests.kit.mounts import mount_folding
from tests.kit.trees import make_tree
from tests.kit.trees import read_tree

NFC = "caf\u00e9"
NFD = unicodedata.normalize("NFD", NFC)
LARGE = 6 << 20
PARTS = ("--part-size", "5MiB")

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    """The disk, mounted."""
    (tmp_path / "disk").mkdir()
    with mount_folding(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def inside(orbit, disk):
    """The command, where the disk is."""
    return orbit.with_prefix(*disk.prefix)


def _put(server, objects):
    for key, content in objects.items():
        server.store.put("bkt", key, content)


def _refused(result):
    """The keys that were refused for their names, each once."""
    assert {failure["code"] for failure in result.failures} <= {"E_NAME_COLLISION", "E_FILE_DIR_CONFLICT"}
    keys = [failure["source"].removeprefix("s3://bkt/") for failure in result.failures]
    assert len(set(keys)) == len(keys)
    return set(keys)


def test_of_keys_that_are_one_name_one_lands_and_the_others_are_refused(server, inside, disk):
    """Whole, under its own spelling, small and large ones; everything else arrives; so it is in each run."""
    plain = {f"plain/f{number}": b"%d" % number for number in range(20)}
    pairs = [("Photo.jpg", "photo.JPG"), (NFC, NFD), ("Large.bin", "large.bin"), ("In/x", "in/y"), ("a", "A/b")]
    objects = {key: (key.encode() * LARGE)[:LARGE] if "arge" in key else key.encode() for pair in pairs for key in pair}
    _put(server, plain | objects)
    for _ in range(2):
        result = inside("cp", "-R", "--json", *PARTS, "s3://bkt/", disk.inside)
        landed, refused = read_tree(disk.path), _refused(result.expect(1))
        assert landed == {key: content for key, content in (plain | objects).items() if key not in refused}
        assert all(len(refused & set(pair)) == 1 for pair in pairs), refused
        assert result.summary["files_copied"] == len(landed)
    told = inside("cp", "-R", "s3://bkt/", disk.inside)
    assert b"which this file system takes for the same name" in told.err


def test_a_sync_neither_replaces_nor_deletes_what_only_the_disk_takes_for_the_object(server, inside, disk):
    """The file of another spelling stays with its content, and nothing is deleted in such a run."""
    make_tree(disk.path, {"photo.jpg": b"mine", "extra": b"extra", "same": b"same"})
    _put(server, {"Photo.JPG": b"theirs", "same": b"same", "new": b"new"})
    result = inside("sync", "--delete", "--json", "s3://bkt/", disk.inside).expect(1)
    assert _refused_copies(result) == {"Photo.JPG"}
    assert read_tree(disk.path) == {"photo.jpg": b"mine", "extra": b"extra", "same": b"same", "new": b"new"}


def test_a_sync_does_not_delete_the_file_of_an_object_that_is_not_copied(server, inside, disk):
    """To the disk it is the file of what is archived at the source; with nothing like it the file would go."""
    make_tree(disk.path, {"photo.jpg": b"mine"})
    attributes = Attributes(storage_class="GLACIER")
    server.store.put("bkt", "Photo.JPG", b"theirs", attributes)
    result = inside("sync", "--delete", "--json", "s3://bkt/", disk.inside).expect(1)
    assert [failure["code"] for failure in result.failures] == ["E_NAME_COLLISION"]
    assert read_tree(disk.path) == {"photo.jpg": b"mine"}
    server.store.put("bkt", "Other.JPG", b"theirs", attributes)
    server.store.bucket("bkt").remove("Photo.JPG", 0)
    assert inside("sync", "--delete", "--json", "s3://bkt/", disk.inside).expect(1).summary["files_deleted"] == 1
    assert read_tree(disk.path) == {}


def _refused_copies(result):
    failures = [failure for failure in result.failures if failure["code"] != "E_DELETE_CANCELLED"]
    assert len(failures) == len(result.failures) - 1
    return {failure["source"].removeprefix("s3://bkt/") for failure in failures}


def test_a_sync_without_such_names_does_all_that_it_does_elsewhere(server, inside, disk, tmp_path):
    """Copies, replaces and deletes; and back up again without a difference."""
    make_tree(disk.path, {"Dir/old": b"old", "Dir/Gone": b"gone", "caf\u00e9": b"x"})
    objects = {"Dir/old": b"newer", "Dir/New": b"new", "\u00c4/b": b"b", "caf\u00e9": b"yy"}
    _put(server, objects)
    result = inside("sync", "--delete", "--json", "s3://bkt/", disk.inside).expect(0)
    assert (result.summary["files_copied"], result.summary["files_deleted"]) == (4, 1)
    assert read_tree(disk.path) == objects
    again = inside("sync", "--delete", "--json", disk.inside, "s3://bkt/").expect(0)
    assert (again.summary["files_copied"], again.summary["files_skipped"]) == (0, 4)


@pytest.mark.parametrize("option", ["--no-clobber", "--if-size-differ", "--if-source-newer"])
def test_a_file_in_another_spelling_is_no_reason_to_skip(server, inside, disk, option):
    """It is not the object's."""
    make_tree(disk.path, {"photo": b"abcd", "dir/a": b"abcd", "same": b"same"})
    for name in ("photo", "dir/a", "same"):
        os.utime(disk.path / name, (4_000_000_000, 4_000_000_000))
    _put(server, {"Photo": b"1234", "Dir/a": b"1234", "same": b"same"})
    result = inside("cp", "-R", "--json", option, "s3://bkt/", disk.inside).expect(1)
    assert _refused(result) == {"Photo", "Dir/a"}
    assert result.counts == (0, 1, 2)
    assert read_tree(disk.path) == {"photo": b"abcd", "dir/a": b"abcd", "same": b"same"}


def test_a_move_keeps_the_source_of_what_was_refused(server, inside, disk):
    """The object that has no place here stays where it is."""
    objects = {"p/Photo": b"one", "p/photo": b"two"}
    _put(server, objects)
    result = inside("mv", "-R", "--json", "s3://bkt/p/", disk.inside).expect(1)
    (refused,) = _refused(result)
    assert list(server.store.keys("bkt")) == [refused]
    assert read_tree(disk.path) == {key.removeprefix("p/"): objects[key] for key in objects if key != refused}


def test_a_disk_that_takes_accents_apart_is_written_to_again_and_again(server, orbit, tmp_path):
    """As HFS+ and some network shares: what it made of a key's name is found again, by every worker."""
    (tmp_path / "disk").mkdir()
    objects = {f"{NFC}/{NFC}{number}": b"%d" % number for number in range(100)} | {"Photo": b"1"}
    with mount_folding(tmp_path / "disk", "case,forms,apart") as disk:
        _put(server, objects)
        for _ in range(2):
            result = orbit.with_prefix(*disk.prefix)("cp", "-R", "--json", "s3://bkt/", disk.inside).expect(0)
            assert result.summary["files_copied"] == len(objects)
            assert read_tree(disk.path) == {unicodedata.normalize("NFD", key): objects[key] for key in objects}
        _put(server, {"photo": b"2"})
        result = orbit.with_prefix(*disk.prefix)("cp", "-R", "--json", "s3://bkt/", disk.inside).expect(1)
        assert _refused(result) == {"photo"}
        assert read_tree(disk.path)["Photo"] == b"1"


def test_a_disk_may_fold_normal_forms_alone(server, orbit, tmp_path):
    """As a case-sensitive one of macOS does."""
    (tmp_path / "disk").mkdir()
    with mount_folding(tmp_path / "disk", "forms") as disk:
        objects = {NFC: b"one", NFD: b"two", "Photo": b"three", "photo": b"four"}
        _put(server, objects)
        result = orbit.with_prefix(*disk.prefix)("cp", "-R", "--json", "s3://bkt/", disk.inside).expect(1)
        (refused,) = _refused(result)
        assert read_tree(disk.path) == {key: content for key, content in objects.items() if key != refused}
