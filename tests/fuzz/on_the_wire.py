"""Targets for what a connection brings: heads, headers, chunked bodies, whole replies, streams of events."""

from __future__ import annotations

import struct
import zlib

from orbit_fast.core.checksum import decode_value
from orbit_fast.core.chunked import ChunkedDecoder
from orbit_fast.core.decode_errors import error_of
from orbit_fast.core.decode_facts import checksum_of_headers
from orbit_fast.core.decode_facts import object_facts
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.fields import TOKEN
from orbit_fast.core.fields import read_fields
from orbit_fast.core.http1 import ReplyHead
from orbit_fast.core.http1 import _split_lines
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.http1 import parse_head
from orbit_fast.core.limits import MAX_HEAD_FIELDS
from orbit_fast.core.metadata import describe_file
from orbit_fast.core.metadata import file_times
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Request
from orbit_fast.core.plain_replies import OF_GET
from orbit_fast.core.plain_replies import PlainReplies
from orbit_fast.core.render.head import object_fields
from orbit_fast.core.restoring import restore_facts
from orbit_fast.core.units import format_time
from orbit_fast.io.eventstream import RecordSink
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.reader import ReplyReader
from orbit_fast.io.reader import Scratch
from tests.fuzz.pieces import check_error
from tests.fuzz.pieces import check_travels
from tests.fuzz.pieces import cuts_of
from tests.fuzz.pieces import outcome
from tests.kit.wire import BytesSink

# --- heads ----------------------------------------------------------------------------------------------------------


def head(data: bytes) -> None:
    """A reply's head: its end is found however it arrives, both roads read the same, what is read can be written."""
    end = find_head_end(data, 0, len(data))
    assert find_head_end(memoryview(data), 0, len(data)) == end
    for cut in cuts_of(data):
        assert _end_in_pieces(cut) == end
    if end < 0:
        assert outcome(lambda: parse_head(data, method="GET"), BadReply) == "BadReply"
        return
    whole = data[:end]
    got = outcome(lambda: parse_head(whole, method="GET"), BadReply)
    asked = outcome(lambda: parse_head(whole, method="HEAD"), BadReply)
    if isinstance(got, str) or isinstance(asked, str):
        assert got == asked
        return
    _check_head(got, whole)
    assert (asked.content_length, asked.is_chunked, asked.headers) == (0, False, got.headers)
    written = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in got.headers.items())
    again = parse_head(whole.split(b"\n", 1)[0].removesuffix(b"\r") + b"\r\n" + written + b"\r\n", method="GET")
    assert {name: value.strip(" \t") for name, value in got.headers.items()} == again.headers
    assert (again.status, again.content_length, again.is_chunked, again.keeps_alive) == (
        got.status,
        got.content_length,
        got.is_chunked,
        got.keeps_alive,
    )
    _check_plain(whole, got)


def _end_in_pieces(cut: list[bytes]) -> int:
    held, end = bytearray(), -1
    for piece in cut:
        start = max(0, len(held) - 3)
        held += piece
        end = find_head_end(held, start, len(held))
        if end >= 0:
            break
    return end


def _check_head(got: ReplyHead, whole: bytes) -> None:
    assert 100 <= got.status <= 599
    assert got.status != 101
    assert got.size == len(whole)
    assert len(got.headers) <= MAX_HEAD_FIELDS
    assert -1 <= got.content_length < 1 << 63
    assert not got.is_chunked or got.content_length == -1
    assert got.content_length >= 0 or got.is_chunked or not got.keeps_alive, "the end of the body is not known"
    assert not {"content-length", "transfer-encoding"} <= got.headers.keys()
    for name, value in got.headers.items():
        assert TOKEN.fullmatch(name)
        assert name == name.lower()
        assert not set(value) & set("\0\r\n")
        assert value.strip(" \t") == value or ", " in value, "only what was joined of nothing ends with a space"
    assert read_fields(_split_lines(whole.decode("latin-1"))[1:]) == got.headers


def _check_plain(whole: bytes, got: ReplyHead) -> None:
    """What is taken from a head of a known shape is what the reader takes."""
    plain = PlainReplies(OF_GET)
    if not plain.learn(whole):
        return
    found = plain.match(whole + b"body", len(whole) + 4)
    assert found is not None
    size, algorithm, values = found
    assert size == len(whole)
    checksum = checksum_of_headers(got.headers) or Checksum("", "")
    assert (algorithm, values[0].decode()) == (checksum.algorithm, checksum.value)
    assert [value.decode() for value in values[1:]] == [got.headers.get(name, "") for name in OF_GET]


def headers(data: bytes) -> None:
    """Header lines: what they say of an object is said, told and passed on, or refused."""
    said = outcome(lambda: read_fields(data.decode("latin-1").splitlines()), BadReply)
    if isinstance(said, str):
        return
    facts = outcome(lambda: object_facts(said), BadReply)
    unsaid = outcome(lambda: object_facts(said, unsaid_size=7), BadReply)
    if not isinstance(facts, str):
        assert facts == unsaid
        assert facts.size >= 0
        assert facts.parts_count >= 0
        check_travels(facts)
        format_time(facts.mtime_ns)
        mtime_ns, mode = file_times(facts.metadata, facts.mtime_ns)
        assert mtime_ns is not None
        check_travels(mtime_ns)
        assert mode is None or 0 <= mode <= 0o777
        assert file_times(dict(describe_file(mtime_ns, mode or 0)), None) == (mtime_ns, mode or 0)
        if facts.checksum is not None and facts.checksum.kind == "FULL_OBJECT":
            outcome(lambda: decode_value(facts.checksum.algorithm, facts.checksum.value), BadReply, InvalidConfig)
    restored = restore_facts(said)
    check_travels(restored.until_ns)
    format_time(restored.until_ns)
    check_travels(object_fields("s3://bucket/key", said))


# --- bodies ---------------------------------------------------------------------------------------------------------


def chunked(data: bytes) -> None:
    """A chunked body: the same payload and the same end, or the same refusal, in whatever pieces it comes."""
    whole = _dechunked([data])
    for cut in cuts_of(data):
        assert _dechunked(cut) == whole
    if whole[0] == "":
        assert len(whole[1]) <= whole[2] <= len(data)
    coded = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in next(cuts_of(data + b"."))) + b"0\r\n\r\nnext"
    refusal, payload, used, trailers = _dechunked([coded])
    assert (refusal, payload, used, trailers) == ("", data + b".", len(coded) - 4, {})


def _dechunked(cut: list[bytes]) -> tuple[str, bytes, int, dict[str, str]]:
    """Code of the refusal, payload, bytes that belong to the body, trailers."""
    decoder, payload, used = ChunkedDecoder(), b"", 0
    try:
        for piece in cut:
            views, count = decoder.feed(memoryview(piece))
            payload += b"".join(views)
            used += count
            assert count == len(piece) or decoder.is_finished
            assert count <= len(piece)
            if decoder.is_finished:
                break
    except BadReply as error:
        check_error(error)
        return error.code, b"", 0, {}
    return "", payload, used, decoder.trailers


def reply(data: bytes) -> None:
    """All that a connection brings for one request, read into memory and into a sink, in whatever pieces it comes."""
    for method in ("GET", "HEAD"):
        for into_sink in (False, True):
            whole = _read_reply([data], method, into_sink=into_sink)
            for cut in cuts_of(data):
                pieced = _read_reply(cut, method, into_sink=into_sink)
                # What is behind the end of a reply is seen only if it comes with it.
                assert (pieced[0], pieced[1]) == (whole[0], whole[1])


def _read_reply(cut: list[bytes], method: str, *, into_sink: bool) -> tuple[str, tuple[object, ...]]:
    """The code of the refusal, and what was read: status, headers, body, whether it has ended."""
    sink = BytesSink() if into_sink else None
    call = Call(request=Request(operation="GetObject", method=method, key="k"), site=0, sink=sink, max_body=4096)
    exchange = Exchange(call, b"", lambda _: None)
    reader = ReplyReader(Scratch(1 << 16))
    reader.begin(exchange)
    has_ended = False
    try:
        for piece in cut:
            rest = piece
            while rest and not has_ended:
                view = reader.buffer()
                assert len(view)
                size = min(len(view), len(rest))
                view[:size] = rest[:size]
                has_ended = reader.updated(size)
                rest = rest[size:]
        has_ended = has_ended or reader.eof()
    except BadReply as error:
        check_error(error)
        return error.code, ()
    if exchange.head is None:
        return "", (None, has_ended)
    got = exchange.head
    assert len(exchange.content) <= max(4096, 1 << 16)
    if not has_ended:
        return "", (got.status, got.headers, has_ended)
    if got.status >= 300:
        error = error_of(got.status, got.headers, exchange.content, request=call.request, bucket="bucket")
        _check_refusal(error)
    body = bytes(sink.data) if sink is not None and got.status < 300 else exchange.content
    assert got.content_length < 0 or len(body) == min(got.content_length, max(len(body), 1 << 16))
    return "", (got.status, got.headers, body, has_ended)


def _check_refusal(error: S3Error) -> None:
    check_error(error)
    assert error.message.isprintable()
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 86_400
    assert error.exit_code


# --- streams of events ------------------------------------------------------------------------------------------------


def stream(data: bytes) -> None:
    """The answer to a query as it stands: whole lines or a refusal, the same in whatever pieces it comes."""
    whole = _records([data])
    for cut in cuts_of(data):
        pieced = _records(cut)
        assert pieced[0] == whole[0]
        assert pieced[1:] == whole[1:] or whole[0]


def messages(data: bytes) -> None:
    """The same of intact messages whose headers and payloads are anything: lengths in front, two bytes a message."""
    coded, at = b"", 0
    while at + 2 <= len(data):
        ends = at + 2 + data[at], at + 2 + data[at] + data[at + 1]
        coded += _message(data[at + 2 : ends[0]], data[ends[0] : ends[1]])
        at = ends[1]
    stream(coded)


def _message(raw_headers: bytes, payload: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(raw_headers) + len(payload), len(raw_headers))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + raw_headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


def _records(cut: list[bytes]) -> tuple[str, bytes, dict[str, int]]:
    """The code of the refusal, the lines that were given on, what was counted."""
    lines: list[bytes] = []
    sink = RecordSink(memoryview(bytearray(1 << 16)), lines.append, bucket="bucket", key="key")
    sink.begin(200, {}, -1)
    code = ""
    try:
        for piece in cut:
            for start in range(0, len(piece), 1 << 16):
                part = piece[start : start + (1 << 16)]
                sink.buffer()[: len(part)] = part
                sink.received(len(part))
        sink.finish()
    except S3Error as error:
        check_error(error)
        code = error.code
    given = b"".join(lines)
    assert all(each.endswith(b"\n") for each in lines)
    assert sink.size == len(given)
    assert len(given) <= sum(map(len, cut)) + 1
    check_travels(sink.stats)
    return code, given, sink.stats
