"""Documents that clients send."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import Refusal

MAX_DOCUMENT = 4 * 1024 * 1024


class Node:
    """An element, its namespace forgotten."""

    def __init__(self, element: ET.Element) -> None:
        self._element = element

    @property
    def name(self) -> str:
        """The element's local name."""
        return self._element.tag.rpartition("}")[2]

    def children(self, name: str) -> Iterator[Node]:
        """The children of that name, in order."""
        for child in map(Node, self._element):
            if child.name == name:
                yield child

    def text(self, name: str) -> str | None:
        """The text of the first child of that name, or None where there is no such child."""
        child = next(self.children(name), None)
        return None if child is None else child._element.text or ""  # noqa: SLF001 (its own class)

    def need(self, name: str) -> str:
        """As `text`.

        Raises:
            Refusal: there is no such child.
        """
        text = self.text(name)
        if text is None:
            raise Refusal("MalformedXML")
        return text


def parse(content: Content, root: str) -> Node:
    """The document in a body.

    Raises:
        Refusal: it is none, is too long, or has another root element.
    """
    if content.size > MAX_DOCUMENT:
        raise Refusal("MalformedXML")
    data = content.read()
    if b"<!DOCTYPE" in data:
        raise Refusal("MalformedXML")
    try:
        # Always UTF-8, whatever the document says: in another encoding a DOCTYPE would look otherwise.
        node = Node(ET.fromstring(data, ET.XMLParser(encoding="utf-8")))  # noqa: S314 (no DOCTYPE, so no entities)
    except ET.ParseError:
        raise Refusal("MalformedXML") from None
    if node.name != root:
        raise Refusal("MalformedXML")
    return node
