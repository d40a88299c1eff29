"""The answer to SelectObjectContent: a stream of events, read as it comes.

Records arrive in pieces that end anywhere; whole lines are given on as soon as they are whole. What has been given on
cannot be taken back, so from then on a stream that breaks off is not asked for again: it has failed. A stream is whole
only with its End event.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from orbit_fast.core.decode_errors import error_of_code
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Request
from orbit_fast.core.xml import parse_any

if TYPE_CHECKING:
    from botocore.eventstream import EventStreamBuffer

MAX_LINE_BYTES: Final = 32 << 20
"""Of one record. S3's own limit is 1 MB, others have none."""

_LEAST: Final = 16
"""Bytes of the smallest message: a prelude, and the checksum of nothing."""

_STATS: Final = {"BytesScanned": "bytes_scanned", "BytesProcessed": "bytes_processed"}


class RecordSink:
    """Takes the stream of one answer; a `Sink`.

    Args:
        scratch: where bytes are received.
        give: takes whole lines of records.
        bucket: for messages.
        key: likewise.

    Attributes:
        size: bytes of records that were given on.
        stats: what the service says that it did, by the names of events.
        failure: what the stream said went wrong, or None.
    """

    def __init__(self, scratch: memoryview, give: Callable[[bytes], None], *, bucket: str, key: str) -> None:
        self._scratch = scratch
        self._give = give
        self._bucket = bucket
        self._key = key
        self._stream: EventStreamBuffer | None = None
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._has_ended = False
        self.size = 0
        self.stats: dict[str, int] = {}
        self.failure: S3Error | None = None

    def check_again(self) -> None:
        """Whether the query may be asked once more.

        Raises:
            S3Error: records were given on already.
        """
        if not self.size:
            return
        if self.failure is not None:
            raise self.failure
        raise BadReply(
            f"the answer broke off after {self.size} bytes of records: s3://{self._bucket}/{self._key}",
            code="E_SHORT_BODY",
        )

    def begin(self, status: int, headers: dict[str, str], length: int) -> None:  # noqa: ARG002  the protocol's arguments
        """A stream begins."""
        from botocore.eventstream import EventStreamBuffer  # noqa: PLC0415 - only queries need it

        self._stream = EventStreamBuffer()
        self._tail = []
        self._tail_bytes = 0
        self._has_ended = False
        self.failure = None

    def buffer(self) -> memoryview:
        """Where the next bytes may be put."""
        return self._scratch

    def received(self, count: int) -> None:
        """Give on what has become whole.

        Raises:
            BadReply: it is no stream of events, or damaged.
            S3Error: it says that the query failed.
        """
        from botocore.eventstream import ParserError  # noqa: PLC0415 - as above

        assert self._stream is not None, "a reply begins first"
        self._stream.add_data(bytes(self._scratch[:count]))
        messages: Iterable[Any] = self._stream  # its stubs call them numbers
        try:
            for message in messages:
                _check_size(message.prelude.total_length)
                self._take(message.headers, message.payload)
        except (ParserError, ValueError, KeyError, struct.error) as error:
            raise BadReply(f"SelectObjectContent: the answer is no stream of events: {error}") from None

    def finish(self) -> None:
        """The answer has ended.

        Raises:
            BadReply: the stream has not.
        """
        if not self._has_ended:
            raise BadReply("SelectObjectContent: the stream ended without its End event", code="E_SHORT_BODY")

    def _take(self, headers: dict[str, Any], payload: bytes) -> None:
        """One message.

        Raises:
            S3Error: it is an error.
        """
        if headers.get(":message-type") in {"error", "exception"}:
            code = str(headers.get(":error-code") or headers.get(":exception-type") or "")
            said = str(headers.get(":error-message") or payload[:500].decode("utf-8", "replace"))
            asked = Request(operation="SelectObjectContent", method="POST", key=self._key)
            self.failure = error_of_code(code or "E_SERVICE", said, bucket=self._bucket, request=asked)
            raise self.failure
        match headers.get(":event-type"):
            case "Records":
                self._take_records(payload)
            case "Stats":
                self._take_stats(payload)
            case "End":
                self._has_ended = True
                if self._tail_bytes:  # the last line may lack its end
                    self._pass_on(b"".join([*self._tail, b"\n"]))
            case _:
                return

    def _take_records(self, payload: bytes) -> None:
        end = payload.rfind(b"\n") + 1
        if end:
            whole = b"".join([*self._tail, payload[:end]])
            payload = payload[end:]
            self._tail = []
            self._tail_bytes = 0
            self._pass_on(whole)
        if payload:
            self._tail.append(payload)
            self._tail_bytes += len(payload)
            if self._tail_bytes > MAX_LINE_BYTES:
                raise BadReply(f"SelectObjectContent: a record of more than {MAX_LINE_BYTES} bytes")

    def _pass_on(self, lines: bytes) -> None:
        self.size += len(lines)
        self._give(lines)

    def _take_stats(self, payload: bytes) -> None:
        root = parse_any(payload)
        for name, field in _STATS.items():
            text = root.text_of(name)
            if text.isascii() and text.isdigit() and len(text) < 19:
                self.stats[field] = int(text)


def _check_size(total_bytes: int) -> None:
    """A message of no length would come again and again.

    Raises:
        ValueError: it is one.
    """
    if total_bytes < _LEAST:
        raise ValueError(f"a message of {total_bytes} bytes")
