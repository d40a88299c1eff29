"""Percent-encoding of keys and queries."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.uri import encode_key
from orbit_fast.core.uri import encode_pairs
from orbit_fast.core.uri import encode_query

UTF8_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ("a/b-c_d.e~f/0Z", "a/b-c_d.e~f/0Z"),
        ("/lead//twice/../.", "/lead//twice/../."),
        (" +%?#@&*[]", "%20%2B%25%3F%23%40%26%2A%5B%5D"),
        ("!'()$,;:=\\|<>\"^`{}", "%21%27%28%29%24%2C%3B%3A%3D%5C%7C%3C%3E%22%5E%60%7B%7D"),
        ("\n\t\x7f\x00", "%0A%09%7F%00"),
        ("\u0085\u00e9e\u0301", "%C2%85%C3%A9e%CC%81"),
        ("\U0001f680", "%F0%9F%9A%80"),
        ("%41", "%2541"),
        ("", ""),
    ],
)
def test_encode_key_table(key, encoded):
    """Unreserved characters and slashes stay, every other byte is ``%XX`` in capitals."""
    assert encode_key(key) == encoded


@pytest.mark.parametrize("character", [chr(code) for code in range(256)])
def test_each_character_alone_is_encoded_as_botocore_does_it(character):
    """No character is taken for one that can stay."""
    assert encode_key(character) == percent_encode(character, safe="/~")
    assert encode_query([(character, character)]) == "=".join([percent_encode(character, safe="~")] * 2)


@given(UTF8_TEXT)
def test_encode_key_is_botocores_and_can_be_undone(key):
    """A key is encoded as botocore does it, and decoding gives the key back."""
    encoded = encode_key(key)
    assert encoded == percent_encode(key, safe="/~")
    assert encoded.isascii()
    assert unquote(encoded, errors="strict") == key


@pytest.mark.parametrize(
    ("pairs", "encoded"),
    [
        ([], ""),
        ([("uploads", "")], "uploads="),
        ([("b", "2"), ("a", "1")], "a=1&b=2"),
        ([("a", "2"), ("a", "1")], "a=1&a=2"),
        ([("prefix", "a/b c"), ("list-type", "2")], "list-type=2&prefix=a%2Fb%20c"),
        ([("a!", "x"), ("a", "x")], "a=x&a%21=x"),
        ([("a~", "1"), ("aé", "2"), ("az", "3")], "a%C3%A9=2&az=3&a~=1"),
    ],
)
def test_encode_query_table(pairs, encoded):
    """Pairs are ordered by encoded name, then by encoded value; slashes are encoded."""
    assert encode_query(pairs) == encoded


@given(st.lists(st.tuples(UTF8_TEXT, UTF8_TEXT)))
def test_encode_pairs_is_botocores_and_keeps_the_order(pairs):
    """Names and values are encoded as botocore does it, in the order given."""
    assert encode_pairs(pairs) == [(percent_encode(n, safe="~"), percent_encode(v, safe="~")) for n, v in pairs]


@pytest.mark.parametrize("encode", [encode_key, lambda text: encode_query([("prefix", text)])])
def test_lone_surrogates_are_refused(encode):
    """Text without a UTF-8 form cannot be a key, and the message itself is printable."""
    with pytest.raises(InvalidKey, match=r"not encodable as UTF-8: 'a\\udcff'"):
        encode("a\udcff")
