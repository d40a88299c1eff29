"""The reader of XML replies is strict about everything but namespaces, and the escaper loses nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core import xml
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NotS3

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50).filter(xml.is_encodable)


@given(texts)
def test_escaped_text_survives_a_parser(text):
    """What is escaped comes back from ElementTree and from our own reader, line ends included."""
    document = f"<Key>{xml.escape(text)}</Key>".encode()
    assert (ET.fromstring(document).text or "") == text
    assert xml.parse(document, root="Key").text == text


@pytest.mark.parametrize("text", ["\r", "\n", "\r\n", "a\r\n\tb", "&amp;", "]]>", "\x85\u2028", "<a b='c'>\""])
def test_line_ends_and_markup_survive_a_parser(text):
    """What a parser would normalise or take for markup is written so that it does not."""
    assert ET.fromstring(f"<k>{xml.escape(text)}</k>").text == text


@pytest.mark.slow
@pytest.mark.timeout(5)
def test_text_between_elements_takes_linear_time():
    """Text in a hundred thousand stretches: a tenth of a second, not the square of it."""
    root = xml.parse_any(b"<a>" + (b"x" * 150 + b"<b/>") * 100_000 + b"</a>")
    assert (len(root.text), len(root.children)) == (15_000_000, 100_000)


@given(st.characters(exclude_categories=["Cs"]))
def test_encodable_is_what_expat_accepts(character):
    """A character is called encodable exactly where a parser takes it."""
    document = f"<k>{character if character not in '&<' else ''}</k>".encode()
    try:
        ET.fromstring(document)
    except ET.ParseError:
        is_accepted = False
    else:
        is_accepted = True
    # Expat lets U+FFFE and U+FFFF through, which the standard forbids: refusing them is the safe side.
    assert xml.is_encodable(character) is (is_accepted and character not in "\ufffe\uffff")


@pytest.mark.parametrize("text", ["\x00", "a\x01", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_escape_refuses_what_xml_cannot_carry(text):
    """There is no way to write most control characters, so none is invented."""
    with pytest.raises(InvalidKey):
        xml.escape(text)


@pytest.mark.parametrize(
    "document",
    [
        b"<A xmlns='urn:x'><B>1</B></A>",
        b"<A><B>1</B></A>",
        b"<?xml version='1.0' encoding='UTF-8'?>\n<A><B>1</B></A>\n",
        b"\n\n   <?xml version='1.0'?><A><B>1</B></A>",
        b"\xef\xbb\xbf<A><B>1</B></A>",
        b"<s3:A xmlns:s3='urn:x'><s3:B>1</s3:B></s3:A>",
        b"<A><!-- a comment --><B><![CDATA[1]]></B></A>",
        b"<A><B>&#49;</B></A>",
    ],
)
def test_well_formed_documents_are_read(document):
    """Namespaces, declarations, comments and leading white space make no difference."""
    root = xml.parse(document, root="A")
    assert root.name == "A"
    assert root.text_of("B") == "1"
    assert root.text_of("C", "none") == "none"
    assert root.child("C") is None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"   \n ",
        b"<A>",
        b"<A><B>1</B>",
        b"<A><B>1</A></B>",
        b"<A>1</A><A>2</A>",
        b"<A>\x01</A>",
        b"<A>\xff</A>",
        b"<A>&unknown;</A>",
        b"<B/>",
        b"<a/>",
        b"<!DOCTYPE A><A/>",
        b"<!DOCTYPE A [<!ENTITY a 'aaaa'>]><A>&a;</A>",
        b"<!DOCTYPE A SYSTEM 'file:///etc/passwd'><A/>",
        b"<A" + b">" + b"<B>" * 20 + b"</B>" * 20 + b"</A>",
        "<A>é</A>".encode("utf-16"),
    ],
)
def test_everything_else_is_a_bad_reply(document):
    """Empty, cut, malformed, oddly encoded, wrongly rooted, too deep or declared documents are never a success."""
    with pytest.raises(BadReply):
        xml.parse(document, root="A")


@pytest.mark.parametrize(
    "page",
    [
        b"<html><body>Sign in</body></html>",
        b"<!DOCTYPE html><html></html>",
        b"\xef\xbb\xbf\r\n<!doctype HTML>",
        b"<?xml version='1.0'?><!DOCTYPE html PUBLIC 'a' 'b'><html/>",
        b"<?xml version='1.0'?><html/>",
        b'{"error": "no"}',
        b"404 page not found",
    ],
)
def test_other_formats_are_not_s3(page):
    """A web page, JSON or plain text says that the endpoint is something else."""
    with pytest.raises(NotS3):
        xml.parse(page, root="ListBucketResult")


def test_sizes_are_bounded(monkeypatch):
    """Neither bytes nor elements of a reply can grow without end."""
    monkeypatch.setattr(xml, "MAX_PAGE_BYTES", 100)
    with pytest.raises(BadReply, match="bytes"):
        xml.parse(b"<A>" + b"x" * 100 + b"</A>", root="A")
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 5)
    with pytest.raises(BadReply, match="too many"):
        xml.parse(b"<A>" + b"<B/>" * 5 + b"</A>", root="A")
    assert len(xml.parse(b"<A>" + b"<B/>" * 4 + b"</A>", root="A").children) == 4


@given(st.binary(max_size=200) | st.text("<>/!?&; abAB=\"'[]-").map(str.encode))
def test_no_input_raises_anything_else(data):
    """Whatever arrives, the answer is an element or one of the two errors."""
    try:
        root = xml.parse_any(data)
    except BadReply:
        return
    assert root.name
