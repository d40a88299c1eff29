"""The little XML that S3 speaks: a strict reader for replies and an escaper for request bodies.

A reply is read only if it is whole, well formed, small enough, flat enough and free of document type declarations (no
declaration, no entities, no expansion). Namespaces are ignored: S3-compatible services disagree about them. A web page
is told apart from broken XML, because it means something else: this is not an S3 endpoint.
"""

from __future__ import annotations

import re
from typing import Any
from typing import Final

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NotS3
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.limits import MAX_XML_DEPTH

MAX_ELEMENTS: Final = 200_000
"""Elements of one reply: 1,000 listed keys with owner, restore status and four checksum algorithms are 14,000."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNENCODABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What the production Char of XML 1.0 leaves out (https://www.w3.org/TR/xml/#charsets)."""
_NOT_PLAIN = re.compile("[^ -%'-;=?-~]")


class Element:
    """One element: its local name, its text and its children.

    Attributes:
        name: local name, without a namespace prefix.
        text: character data directly inside it, all pieces joined.
        children: elements directly inside it, in document order.
    """

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.children)} children>"

    def child(self, name: str) -> Element | None:
        """The first child of that name, or None."""
        for element in self.children:
            if element.name == name:
                return element
        return None

    def text_of(self, name: str, default: str = "") -> str:
        """The text of the first child of that name, or `default` where there is none."""
        element = self.child(name)
        return default if element is None else element.text


class _Builder:
    """Takes expat's calls and keeps the tree, its depth and its size."""

    __slots__ = ("count", "open", "pieces", "root")

    def __init__(self) -> None:
        self.root: Element | None = None
        self.pieces: dict[Element, list[str]] = {}  # text behind the first stretch: joined once, time is not squared
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, _attributes: list[str]) -> None:
        self.count += 1
        if len(self.open) >= MAX_XML_DEPTH or self.count > MAX_ELEMENTS:
            raise BadReply("the service sent XML that is nested too deeply or has too many elements")
        element = Element(name.rpartition(":")[2])
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        element = self.open.pop()
        if self.pieces and element in self.pieces:
            element.text += "".join(self.pieces.pop(element))

    def data(self, text: str) -> None:
        element = self.open[-1]
        if element.text:
            self.pieces.setdefault(element, []).append(text)
        else:
            element.text = text


def _refuse_doctype(name: str, *_rest: object) -> None:
    """Expat's handler of a document type declaration: nothing that S3 sends has one."""
    if name.lower() == "html":
        raise NotS3("the answer is a web page: this is not an S3 endpoint")
    raise BadReply("the service sent XML with a document type declaration")


def _check_kind(data: bytes) -> None:
    """Tell an empty body, a web page and other formats apart from XML.

    Raises:
        BadReply: the body is empty or too long.
        NotS3: it is a web page, or no markup at all.
    """
    if not data:
        raise BadReply("the service sent an empty body where XML was expected")
    if len(data) > MAX_PAGE_BYTES:
        raise BadReply(f"the service sent {len(data)} bytes of XML, more than {MAX_PAGE_BYTES}")
    if is_html(data):
        raise NotS3("the answer is a web page: this is not an S3 endpoint")
    if not data.startswith(b"<"):
        raise NotS3("the answer is not XML: this is not an S3 endpoint")


def is_html(data: bytes) -> bool:
    """Whether a body looks like a web page."""
    start = data[:256].removeprefix(_BYTE_ORDER_MARK).lstrip()[:64].lower()
    return start.startswith((b"<!doctype html", b"<html"))


def parse_any(data: bytes) -> Element:
    """The root element of a reply, whatever its name.

    Leading white space is skipped: services send it to keep a connection alive while they assemble an object.

    Raises:
        BadReply: empty, cut, malformed, too large, too deep, or with a document type declaration.
        NotS3: a web page, or another format altogether.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK).strip()
    _check_kind(data)
    import pyexpat  # noqa: PLC0415 - a job of small uploads reads no XML: load the parser when the first reply needs it

    builder = _Builder()
    parser: Any = pyexpat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)  # noqa: FBT003 - expat's own signature: this is all of it
    except pyexpat.ExpatError as error:
        raise BadReply(f"the service sent malformed XML ({error})") from None
    finally:
        # The parser holds the builder's methods and the builder nothing of the parser: still, drop it now, not later.
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    assert builder.root is not None, "expat accepts no document without a root element"
    return builder.root


def parse(data: bytes, *, root: str) -> Element:
    """The root element of a reply, which must be called `root`.

    Raises:
        BadReply: as `parse_any`, or the root element is another.
        NotS3: a web page, or another format altogether.
    """
    element = parse_any(data)
    if element.name == root:
        return element
    if element.name.lower() == "html":
        raise NotS3("the answer is a web page: this is not an S3 endpoint")
    raise BadReply(f"the service sent <{element.name[:64]}> where <{root}> was expected")


def is_encodable(text: str) -> bool:
    """Whether XML 1.0 can carry the text: it has no way to write most control characters."""
    return _UNENCODABLE.search(text) is None


def is_plain(text: str) -> bool:
    """Whether the text can stand in an element as it is."""
    return _NOT_PLAIN.search(text) is None


def escape(text: str) -> str:
    """Text for the inside of an element; line ends are written so that no parser normalises them.

    Raises:
        InvalidKey: XML 1.0 has no way to write one of the characters. Sending it anyway would name another key.
    """
    if not is_encodable(text):
        raise InvalidKey(f"XML cannot carry a control character of {text!r}")
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;").replace("\n", "&#xA;")
