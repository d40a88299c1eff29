"""Names and messages as they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", "plain"),
        ("mit Leerzeichen", "mit Leerzeichen"),
        ("naïve-日本語-🚀", "naïve-日本語-🚀"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("a\u00a0b", "a\u00a0b"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("del\x7f", "del\\x7f"),
        ("next\x85line", "next\\x85line"),
        ("csi\x9b31m", "csi\\x9b31m"),
        ("bidi\u202etxt\u2066", "bidi\\u202etxt\\u2066"),
        ("line\u2028sep", "line\\u2028sep"),
        (b"bytes", "bytes"),
        (b"bad\xff\xfe", "bad\\xff\\xfe"),
        ("bad\udcff", "bad\\xff"),
        ("high\ud800", "high\\xed\\xa0\\x80"),
    ],
)
def test_printable(name, expected):
    """Control characters, direction changes and bytes that are not UTF-8 are escaped; the rest stays."""
    assert printable(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("é", ("é", "")),
        (b"\xc3\xa9", ("é", "")),
        (b"\xff", ("\ufffd", "/w==")),
        ("\udcff", ("\ufffd", "/w==")),
    ],
)
def test_lossy(name, expected):
    """What is UTF-8 is exact; what is not has its bytes in base64."""
    assert lossy(name) == expected


@given(st.text())
def test_printable_text_has_one_line_and_encodes(name):
    """No name makes a second line or text that cannot be encoded."""
    text = printable(name)
    assert text.splitlines() in ([], [text])
    text.encode()


@pytest.mark.parametrize(
    ("message", "expected"),
    [("a  b\n\tc ", "a b c"), ("", ""), ("x\udc80", "x\ufffd"), ("password=hunter22", "password=REDACTED")],
)
def test_clean(message, expected):
    """A message is one line with single spaces, valid text, without secrets."""
    assert clean(message) == expected
