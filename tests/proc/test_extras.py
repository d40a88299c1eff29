"""What only the destination has: kept in order; and what of it is another spelling of a name at the source."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from orbit_fast.proc import extras as module
from orbit_fast.proc.extras import Extras
from tests.kit.folding import FoldingDirectory

NFC = "caf\u00e9"
NFD = unicodedata.normalize("NFD", NFC)


def _look(extras):
    """What the whole look finds."""
    found = None
    while not extras.is_looked_through:
        assert found is None
        found = extras.look()
    return found


def _made(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return os.fsencode(root) + b"/"


def _noted(root, extras, missed):
    noted = Extras(root)
    for name in extras:
        noted.add(name, b"r")
    noted.missed(missed)
    return noted


def test_extras_come_back_in_their_order():
    """With what belongs to each; in S3 no name is another one."""
    extras = _noted(b"", ["b", "a"], ["A", "B"])
    assert list(extras.pairs()) == [(b"b", b"r"), (b"a", b"r")]
    assert len(extras) == 2
    assert _look(extras) is None
    extras.close()


FOLDED = [
    (["photo.jpg"], ["Photo.JPG"], ("photo.jpg", "Photo.JPG")),
    (["a", "Dir/x"], ["dir/x", "b"], ("Dir/x", "dir/x")),
    ([NFC], [NFD], (NFC, NFD)),
    (["photo.jpg"], ["photo.jpeg", "PHOTO"], None),
    (["photo.jpg"], [], None),
    ([], ["Photo.JPG"], None),
]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the made-up directory needs /proc")
@pytest.mark.parametrize(("extras", "missed", "expected"), FOLDED)
@pytest.mark.parametrize("size", [1, 2000])
def test_an_extra_that_is_a_name_of_the_source_is_found(tmp_path, monkeypatch, extras, missed, expected, size):
    """Where the file system folds names, however many are compared at once."""
    root = _made(tmp_path / "root", [*extras, "same"])
    monkeypatch.setattr(module, "SLICE", size)
    FoldingDirectory(os.fsencode(tmp_path / "root"), monkeypatch)
    noted = _noted(root, extras, missed)
    assert _look(noted) == expected
    noted.close()


@pytest.mark.parametrize(("extras", "missed", "expected"), FOLDED)
def test_elsewhere_no_extra_is(tmp_path, extras, missed, expected):
    """Every spelling is a name of its own; also where both are there."""
    root = _made(tmp_path, [*extras, *missed, "same"])
    noted = _noted(root, extras, missed)
    assert _look(noted) is None
    noted.close()
    assert expected is None or expected[0] != expected[1]
