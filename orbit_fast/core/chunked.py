"""Chunked bodies, taken apart as they arrive (RFC 9112, section 7.1)."""

from __future__ import annotations

import enum
import re
from typing import Final

from orbit_fast.core.fields import read_fields
from orbit_fast.core.fields import refused
from orbit_fast.core.fields import too_much
from orbit_fast.core.limits import MAX_CHUNK_EXTENSION_BYTES
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.limits import MAX_HEAD_FIELDS

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_MAX_OVERHEAD: Final = 16 * 1024
"""Bytes of framing beyond a fair share of the payload: someone feeds us size lines instead of data."""


class _Stage(enum.Enum):
    """What a chunked body goes on with."""

    SIZE = "size"
    PAYLOAD = "payload"
    PAYLOAD_END = "payload end"
    TRAILERS = "trailers"
    FINISHED = "finished"


class ChunkedDecoder:
    """Takes a chunked body apart: bytes in, views of payload out, no copy of payload.

    Bounded: a size line by 4 KiB, trailers like a head, and the framing as a whole in proportion to the payload.

    Attributes:
        trailers: lower-case names to values, once finished.
    """

    __slots__ = ("_held", "_left", "_lines", "_overhead", "_stage", "_trailer_bytes", "trailers")

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self._stage = _Stage.SIZE
        self._left = 0  # bytes still to come of this chunk's payload, or of the line end after it
        self._held = bytearray()  # the start of a line whose end has not arrived
        self._lines: list[str] = []
        self._trailer_bytes = 0
        self._overhead = 0

    def __repr__(self) -> str:
        return f"ChunkedDecoder({self._stage.value}, left={self._left}, held={len(self._held)})"

    @property
    def is_finished(self) -> bool:
        """Whether the last chunk and the trailers have been read."""
        return self._stage is _Stage.FINISHED

    def feed(self, data: memoryview) -> tuple[list[memoryview], int]:
        """Take the next bytes of the connection.

        Returns:
            Views into `data`, in order, that hold payload; and how many bytes of `data` belong to this body: all of
            them, unless the body has ended within.

        Raises:
            BadReply: not chunked coding (``E_HTTP``), or too much of anything but payload (``E_HTTP_LIMIT``).
        """
        views: list[memoryview] = []
        at = 0
        end = len(data)
        while at < end and self._stage is not _Stage.FINISHED:
            if self._stage is _Stage.PAYLOAD:
                stop = min(end, at + self._left)
                views.append(data[at:stop])
                self._left -= stop - at
                at = stop
                if not self._left:
                    self._left = 2
                    self._stage = _Stage.PAYLOAD_END
            elif self._stage is _Stage.PAYLOAD_END:
                at = self._pass_line_end(data, at)
            elif self._stage is _Stage.SIZE:
                at = self._take_size(data, at)
            else:
                at = self._take_trailer(data, at)
        return views, at

    def _pass_line_end(self, data: memoryview, at: int) -> int:
        if data[at] != b"\r\n"[-self._left]:
            raise refused("a chunk is longer than its size says")
        self._left -= 1
        if not self._left:
            self._stage = _Stage.SIZE
        return at + 1

    def _take_size(self, data: memoryview, at: int) -> int:
        line, at = self._take_line(data, at, MAX_CHUNK_EXTENSION_BYTES)
        if not line:
            return at
        matched = _CHUNK_LINE.fullmatch(line)
        if matched is None:
            raise refused(f"not a chunk size: {line[:40].decode('latin-1')!a}")
        self._left = int(matched[1], 16)
        # 18 is a generous size line with its CRLFs; payload buys room for extensions
        self._overhead = max(0, self._overhead + len(line) - 18 - 2 * self._left)
        if self._overhead > _MAX_OVERHEAD:
            raise too_much("a chunked reply has too much beside its payload")
        self._stage = _Stage.PAYLOAD if self._left else _Stage.TRAILERS
        return at

    def _take_trailer(self, data: memoryview, at: int) -> int:
        line, at = self._take_line(data, at, MAX_HEAD_BYTES - self._trailer_bytes)
        if line == b"\r\n":
            self.trailers = read_fields(self._lines)
            self._stage = _Stage.FINISHED
        elif line:
            if len(self._lines) == MAX_HEAD_FIELDS:
                raise too_much(f"a reply has more than {MAX_HEAD_FIELDS} trailer fields")
            if not line.endswith(b"\r\n"):
                raise refused("a trailer does not end with CRLF")
            self._lines.append(line[:-2].decode("latin-1"))
            self._trailer_bytes += len(line)
        return at

    def _take_line(self, data: memoryview, at: int, limit: int) -> tuple[bytes, int]:
        """Return the line that begins with what is held (empty: not all there yet) and the index after it.

        Raises:
            BadReply: it has more than `limit` bytes (``E_HTTP_LIMIT``).
        """
        window = bytes(data[at : at + limit - len(self._held)])
        length = window.find(b"\n") + 1
        if length:
            line = bytes(self._held) + window[:length]
            self._held.clear()
            return line, at + length
        self._held += window
        if len(self._held) >= limit:
            raise too_much("a chunked reply has a line without end")
        return b"", at + len(window)
