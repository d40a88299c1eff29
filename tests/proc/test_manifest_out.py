"""--manifest-out: a file that is there whole or not at all."""

from __future__ import annotations

import os

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NoSpace
from orbit_fast.proc.manifest_out import ManifestFile

RUN = "0123456789abcdef"


@pytest.fixture
def there(tmp_path):
    """A manifest of an earlier job."""
    path = tmp_path / "m"
    path.write_bytes(b"old\n")
    return path


@pytest.mark.parametrize(
    ("exit_code", "content"),
    [(0, b"a\nb\n"), (1, b"a\nb\n"), (2, b"old\n"), (3, b"old\n"), (130, b"old\n"), (None, b"old\n")],
)
def test_what_comes_of_it(there, exit_code, content):
    """A job that could not be done, did damage or was interrupted leaves what was there."""
    file = ManifestFile(str(there), RUN)
    file.add(b"a\n")
    file.add(b"b\n")
    assert there.read_bytes() == b"old\n"
    if exit_code is not None:
        file.finish(exit_code)
    file.close()
    assert there.read_bytes() == content
    assert os.listdir(there.parent) == ["m"]


@pytest.mark.parametrize(("name", "words"), [("none/m", "No such file"), ("", "is a directory")])
def test_where_nothing_can_be_written(tmp_path, name, words):
    """It is said before anything is done."""
    with pytest.raises(InvalidConfig, match=words):
        ManifestFile(f"{tmp_path}/{name}", RUN)


def test_a_full_disk(there, monkeypatch):
    """It is told, and leaves what was there."""

    def refuse(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    file = ManifestFile(str(there), RUN)
    file.add(b"a\n")
    with pytest.raises(NoSpace):
        file.finish(0)
    file.close()
    assert (there.read_bytes(), os.listdir(there.parent)) == (b"old\n", ["m"])


def test_a_directory_that_takes_the_place(tmp_path):
    """The name is taken when the job ends: an error of the disk's."""
    file = ManifestFile(f"{tmp_path}/m", RUN)
    (tmp_path / "m").mkdir()
    with pytest.raises(LocalError):
        file.finish(0)
    file.close()
    assert os.listdir(tmp_path) == ["m"]
