"""Names map one to one between S3 and a disk, and never leave the destination."""

from __future__ import annotations

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.names import base_name
from orbit_fast.core.names import file_name
from orbit_fast.core.names import folded
from orbit_fast.core.names import is_directory_marker
from orbit_fast.core.names import key_name
from orbit_fast.core.names import local_name
from orbit_fast.core.names import other_spellings

ODD = [
    "a",
    "a/b",
    "...",
    "..a/a..",
    "a/.b",
    " ",
    "a b",
    "+%?#@&*[]",
    "new\nline",
    "tab\there",
    "\x01\x7f\x85",
    "C:\\x",
    "back\\slash",
    "%2e%2e/x",
    "-rf",
    "~",
    "e\u0301",
    "\u00e9",
    "\U0001f6f0",
    "n" * 255,
    "é" * 127,
]


@pytest.mark.parametrize("name", ODD)
def test_ordinary_and_odd_names_stay_as_they_are(name) -> None:
    """On POSIX everything but slash and NUL is a character like any other."""
    assert local_name(name) == name.encode()
    assert key_name(local_name(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "//",
        "/abs",
        "//dbl",
        "a//b",
        "a//",
        ".",
        "..",
        "../",
        "./",
        "./dot",
        "a/./b",
        "../escape",
        "a/../../x",
        "a/..",
        "../../evil",
        "a\0b",
        "\0",
        "\ud800",
        "a/\udcff",
    ],
)
def test_names_without_a_place_are_refused(name) -> None:
    """Empty, dot and dot-dot components, NUL and lone surrogates have no local name, and are never tidied."""
    with pytest.raises(UnsafePath) as caught:
        local_name(name)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", ["n" * 256, "a/" + "é" * 128, "/".join(["n" * 255] * 17), "n" * 256 + "/x"])
def test_long_names_are_refused(name) -> None:
    """Components above 255 bytes and paths above 4,095 do not fit a file system."""
    with pytest.raises(NameTooLong):
        local_name(name)


def test_the_longest_names_fit() -> None:
    """255 bytes a component and 4,095 in all are allowed."""
    assert len(local_name("/".join(["n" * 255] * 16))) == 4095


@pytest.mark.parametrize(("name", "path"), [("a/", b"a"), ("a/b/", b"a/b")])
def test_markers_give_their_directory(name, path) -> None:
    """The slash at the end of a directory marker is not part of the directory's name."""
    assert is_directory_marker(name)
    assert local_name(name) == path


@pytest.mark.parametrize("name", ["", "a", "a/b", "/a"])
def test_other_names_are_no_markers(name) -> None:
    """Only a slash at the end makes a marker."""
    assert not is_directory_marker(name)


@given(name=st.text(alphabet=st.sampled_from("a./\\\0é~"), max_size=12) | st.text(max_size=30))
def test_local_names_are_confined(name) -> None:
    """Whatever is not refused is, also once normalised, below the directory, and comes back as it was."""
    try:
        path = local_name(name)
    except (UnsafePath, NameTooLong):
        return
    full = b"/top/" + path
    assert posixpath.normpath(full) == full
    assert os.path.commonpath([b"/top", full]) == b"/top"
    assert full != b"/top"
    assert key_name(path) + "/" * is_directory_marker(name) == name


@given(names=st.lists(st.text(alphabet="ab./", min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_no_two_names_meet(names) -> None:
    """Two names that both have a local path have different ones, a marker and its plain name apart."""
    paths = []
    for name in names:
        try:
            paths.append(local_name(name))
        except UnsafePath:
            return
    assert paths[0] != paths[1] or {*names} == {names[0].rstrip("/"), names[0].rstrip("/") + "/"}


@pytest.mark.parametrize("path", [b"\xff", b"a/\xc3", b"\xed\xa0\x80"])
def test_keys_must_be_utf8(path) -> None:
    """A local name that is not UTF-8 cannot be a key, and is shown escaped."""
    with pytest.raises(InvalidKey, match=r"\\x"):
        key_name(path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"f", "f"),
        (b"a/f", "f"),
        (b"/f", "f"),
        (b"\xff/f", "f"),
        (b"./a b", "a b"),
        (b"\xc3\xa9", "é"),
        (b"a/d/", "d/"),
    ],
)
def test_file_names(path, name) -> None:
    """A file given by its path is called by its last component, whatever the directories are called."""
    assert file_name(path) == name


@pytest.mark.parametrize(
    ("name", "base"),
    [("", ""), ("a", "a"), ("a/b", "b"), ("a/b/", "b/"), ("b/", "b/"), ("/", "/"), ("a//", "/"), ("//a", "a")],
)
def test_base_names(name, base) -> None:
    """The last component, with its slash when it is a marker."""
    assert base_name(name) == base


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        ("A/b", "a/B", True),
        ("e\u0301", "\u00c9", True),
        ("straße", "STRASSE", True),
        ("\u03c3", "\u03c2", True),
        ("a", "b", False),
        ("a", "á", False),
        ("a/b", "a\\b", False),
        ("\u212a", "k", True),
    ],
)
def test_folding(left, right, is_same) -> None:
    """Names that differ in case or normal form only fold to one."""
    assert (folded(left) == folded(right)) == is_same


@given(name=st.text())
def test_folding_is_stable(name) -> None:
    """Folding what was folded changes nothing."""
    assert folded(folded(name)) == folded(name)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("Photo.JPG", ("pHOTO.jpg",)),
        ("2024-01", ()),
        ("caf\u00e9", ("CAF\u00c9", "cafe\u0301")),
        ("cafe\u0301", ("CAFE\u0301", "caf\u00e9")),
        ("\u65e5\u672c", ()),
        ("\u212b", ("\u00e5", "\u00c5", "A\u030a")),
    ],
)
def test_other_spellings(name, others):
    """One for each way in which a file system can fold the name, itself left out."""
    assert other_spellings(name) == others
    assert {folded(other) for other in others} <= {folded(name)}


@given(st.text(max_size=20))
def test_no_name_is_another_spelling_of_itself(name):
    """And none comes twice."""
    others = other_spellings(name)
    assert name not in others
    assert len(set(others)) == len(others)
