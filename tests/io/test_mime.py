"""The content type that a name stands for."""

import mimetypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.io.mime import _BY_SUFFIX
from orbit_fast.io.mime import content_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "text/plain"),
        ("A.TXT", "text/plain"),
        ("dir.html/a", ""),
        ("dir/a.html", "text/html"),
        ("a.tar.gz", "application/gzip"),
        ("a.tgz", "application/gzip"),
        ("a.tar", "application/x-tar"),
        ("a.json", "application/json"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.jpg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.js", "text/javascript"),
        ("a.mp4", "video/mp4"),
        ("a.unknown", ""),
        ("a", ""),
        ("a.", ""),
        ("", ""),
        (".txt", ""),
        ("dir/.html", ""),
        ("html", ""),
        ("a.html ", ""),
        ("é.png", "image/png"),
        ("a.PnG", "image/png"),
    ],
)
def test_by_name(name, expected):
    """The last suffix decides, in any case; a hidden file's name is no suffix."""
    assert content_type(name) == expected


# Suffixes for which the standard library (of some version) has an older spelling, or one of several uses.
_OTHERWISE = {"3gp", "3gpp", "js", "m4v", "mjs", "ogg", "opus", "rtf", "vcf", "wav", "xml"}


def test_agrees_with_the_standard_library():
    """Every suffix that the standard library knows too has its type, but for a few that are named above."""
    theirs = {suffix[1:]: media_type for suffix, media_type in mimetypes._types_map_default.items()}
    both = _BY_SUFFIX.keys() & theirs.keys()
    assert len(both) > 60
    different = {suffix for suffix in both if _BY_SUFFIX[suffix] != theirs[suffix]}
    assert different <= _OTHERWISE


def test_types_are_well_formed():
    """Every type is `type/subtype` in lower case, every suffix is lower case and stands once."""
    for suffix, media_type in _BY_SUFFIX.items():
        kind, _, subtype = media_type.partition("/")
        assert kind in {"application", "audio", "font", "image", "message", "model", "text", "video"}
        assert subtype
        assert media_type == media_type.lower()
        assert suffix == suffix.lower()
        assert "." not in suffix


@given(st.text())
def test_any_name_has_an_answer(name):
    """Whatever the name, the answer is a known type or none."""
    assert content_type(name) in {"", *_BY_SUFFIX.values()}
