"""Reply heads that are all alike: recognised by one regular expression instead of being read.

A service answers a thousand requests of one kind with the same header lines in the same order; only values differ. The
first such head is read by `http1.parse_head` like any other, and its *shape* is learned: a pattern with its names as
they stand, and room for values. Later heads that match it whole need no reading: which headers there are, how the body
is framed and where each value of interest stands is known from the pattern. Matching costs 1 µs, reading and looking
up 6.

A shape is learned only from what cannot be misread: ``HTTP/1.1 200``, one Content-Length, no Transfer-Encoding, no
Content-Range, no connection that ends, no name twice. Whatever does not match is for the general reader to judge: a
pattern can only ever say "this is what I have seen before". Tests hold its values equal to what the reader says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from orbit_fast.core.decode_facts import CHECKSUM_PREFERENCE
from orbit_fast.core.errors import BadReply
from orbit_fast.core.http1 import parse_head

MAX_SHAPES: Final = 4
"""Shapes that are kept: a service has one for each kind of reply, and another behind each of its front ends."""

MAX_LESSONS: Final = 32
"""Shapes that are learned at all: one costs 300 µs, and a service that never repeats itself has none."""

_WORDS: Final = rb"(?:[!-~]++(?: [!-~]++)*+)?"
"""A value without white space at its ends or beside a space, which is therefore what the general reader gives."""

_VALUES: Final = {
    "content-length": rb"[0-9]{1,18}",
    "etag": rb'"[!#-~]++"',
    "last-modified": _WORDS,
    "content-type": _WORDS,
    "x-amz-version-id": _WORDS,
    "x-amz-server-side-encryption": _WORDS,
    "x-amz-checksum-type": _WORDS,
}
"""What the values that are taken out may look like."""

_ANY_VALUE: Final = rb"[ -~]*+"

OF_PUT: Final = ("content-length", "etag", "x-amz-version-id")
"""What the reply to a PutObject is asked for."""

OF_GET: Final = tuple(_VALUES)
"""What the reply to a GetObject is asked for: everything that `_VALUES` knows, in its order."""

Found = tuple[int, str, tuple[bytes, ...]]
"""Index after the head, algorithm of its best checksum (``''``: none), that checksum in base64 and the other values.

Values stand in the order in which they were asked for; ``b''`` for a header that is not there. An ETag has its quotes.
"""

_REFUSED: Final = frozenset(
    {"transfer-encoding", "content-range", "x-amz-server-side-encryption-customer-algorithm", "te", "trailer"}
)


class PlainReplies:
    """The shapes of one kind of reply."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """`wanted` names the headers whose values are needed; see `OF_PUT`, `OF_GET`."""
        self._wanted = tuple(wanted)
        self._shapes: list[tuple[re.Pattern[bytes], str, tuple[int, ...]]] = []
        self._lessons = 0

    def match(self, data: bytes | bytearray, end: int) -> Found | None:
        """The head that ``data[:end]`` begins with, if it has a shape that was seen before."""
        for pattern, algorithm, pick in self._shapes:
            found = pattern.match(data, 0, end)
            if found is not None:
                return found.end(), algorithm, found.group(*pick)
        return None

    def learn(self, head: bytes) -> bool:
        """Keep the shape of a head that did not match, closing blank line included; whether it has one to keep."""
        if self._lessons >= MAX_LESSONS:
            return False
        self._lessons += 1
        shape = _shape_of(head, self._wanted)
        if shape is None:
            return False
        self._shapes.insert(0, shape)
        del self._shapes[MAX_SHAPES:]
        return True


def _shape_of(head: bytes, wanted: Sequence[str]) -> tuple[re.Pattern[bytes], str, tuple[int, ...]] | None:
    """The pattern of a head, the algorithm of its best checksum, and the groups of that and of the `wanted` values."""
    try:
        seen = parse_head(head, method="GET")
    except BadReply:
        return None
    lines = head.split(b"\r\n")
    if head.count(b"\n") != len(lines) - 1:
        return None  # the reader takes a bare line feed for the end of a line, too
    names = [line.partition(b": ")[0] for line in lines[1:-2]]
    lowered = [name.decode("latin-1").lower() for name in names]
    is_plain = seen.status == 200 and lines[0].startswith(b"HTTP/1.1 ") and seen.keeps_alive and not seen.is_chunked
    if not is_plain or sorted(lowered) != sorted(seen.headers) or _REFUSED & seen.headers.keys():
        return None
    if not {"content-length", "etag"} <= seen.headers.keys():
        return None
    algorithm = next((name for name in CHECKSUM_PREFERENCE if f"x-amz-checksum-{name.lower()}" in seen.headers), "")
    checksum = f"x-amz-checksum-{algorithm.lower()}"
    values = {checksum: rb"[0-9A-Za-z+/=]++", **{name: _VALUES[name] for name in wanted}}
    pieces = [re.escape(lines[0]), b"\r\n"]
    groups: dict[str, int] = {}
    for spelled, name in zip(names, lowered, strict=True):
        value = _ANY_VALUE
        if name == "connection":  # it says that it stays open: so must every other
            value = re.escape(seen.headers[name].encode("latin-1"))
        elif name in values:
            groups[name] = len(groups) + 1
            value = b"(" + values[name] + b")"
        pieces += [re.escape(spelled), b": ", value, b"\r\n"]
    pattern = re.compile(b"".join([*pieces, b"\r\n()"]))
    if pattern.fullmatch(head) is None:
        return None
    nothing = len(groups) + 1  # the empty group at the end stands for what is not there
    return pattern, algorithm, tuple([groups.get(name, nothing) for name in (checksum, *wanted)])
