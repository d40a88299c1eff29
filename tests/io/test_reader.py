"""Replies, taken in from bytes that arrive in any pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.model import Request
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.reader import Phase
from orbit_fast.io.reader import ReplyReader
from orbit_fast.io.reader import Scratch
from tests.kit.wire import BytesSink

BODY = bytes(range(256)) * 3
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 768\r\netag: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _exchange(method: str = "GET", sink: BytesSink | None = None, max_body: int = 1 << 20) -> Exchange:
    request = Request(operation="GetObject", method=method, key="k")
    return Exchange(Call(request=request, site=0, sink=sink, max_body=max_body), b"", lambda _: None)


def _feed(reader: ReplyReader, pieces: list[bytes]) -> bool:
    """Put the pieces where the reader wants them, as a transport would; whether the reply has ended."""
    has_ended = False
    for piece in pieces:
        rest = piece
        while rest:
            view = reader.buffer()
            assert len(view) > 0
            size = min(len(view), len(rest))
            view[:size] = rest[:size]
            has_ended = reader.updated(size) or has_ended
            rest = rest[size:]
    return has_ended


def _begun(exchange: Exchange, scratch: int = 1 << 16) -> ReplyReader:
    reader = ReplyReader(Scratch(scratch))
    reader.begin(exchange)
    return reader


def _chunks(*sizes: int) -> bytes:
    out, at = b"", 0
    for size in sizes:
        out += b"%x\r\n" % size + BODY[at : at + size] + b"\r\n"
        at += size
    return CHUNKED + out + b"0\r\n\r\n"


GOOD = [
    ("known length", HEAD + BODY, BODY, False),
    ("after an interim reply", CONTINUE + HEAD + BODY, BODY, False),
    ("after eight interim replies", CONTINUE * 8 + HEAD + BODY, BODY, False),
    ("chunked", _chunks(1, 255, 512), BODY, False),
    ("empty", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"", False),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", b"", False),
    ("last on its connection", HEAD.replace(b"etag: x", b"connection: close") + BODY, BODY, True),
]


@pytest.mark.parametrize(("wire", "body", "is_last"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
@pytest.mark.parametrize("has_sink", [False, True])
def test_a_reply_is_the_same_wherever_it_is_cut(wire, body, is_last, has_sink):
    """Every reply is fed whole, byte by byte, and in two pieces cut at every place."""
    cuts = [[wire], [wire[at : at + 1] for at in range(len(wire))]]
    cuts += [[wire[:at], wire[at:]] for at in range(1, len(wire))]
    for pieces in cuts:
        sink = BytesSink(room=100) if has_sink else None
        exchange = _exchange(sink=sink)
        reader = _begun(exchange)
        assert _feed(reader, pieces)
        assert reader.phase is Phase.ENDED
        assert reader.is_last is is_last
        assert (bytes(sink.data) if sink else exchange.content) == body
        if sink:
            assert sink.is_finished
            assert len(sink.begins) == 1


@given(cuts=st.lists(st.integers(1, 900), max_size=12), room=st.integers(1, 2000), scratch=st.integers(8, 2000))
def test_any_cut_any_memory(cuts, room, scratch):
    """Whatever the pieces and the sizes of sink and scratch, the sink gets the body and nothing else."""
    wire = CONTINUE + HEAD + BODY
    places = sorted({0, *(cut for cut in cuts if cut < len(wire)), len(wire)})
    pieces = [wire[a:b] for a, b in itertools.pairwise(places)]
    sink = BytesSink(room=room)
    reader = _begun(_exchange(sink=sink), scratch)
    assert _feed(reader, pieces)
    assert bytes(sink.data) == BODY
    assert not reader.is_last


def test_a_body_never_goes_past_its_end():
    """The sink's memory is offered only as far as the body goes; the next reply's bytes never land in it."""
    sink = BytesSink(room=1 << 16)
    reader = _begun(_exchange(sink=sink))
    _feed(reader, [HEAD])
    assert len(reader.buffer()) == len(BODY)
    _feed(reader, [BODY[:700]])
    assert len(reader.buffer()) == 68


@pytest.mark.parametrize(
    "wire",
    [HEAD + BODY + b"H", b"HTTP/1.1 204 No Content\r\n\r\nx", _chunks(768) + b"HTTP/1.1 200"],
    ids=["known length", "no body", "chunked"],
)
def test_bytes_after_the_end_spoil_the_connection_and_not_the_reply(wire):
    """The reply counts; the connection is not used again."""
    exchange = _exchange()
    reader = _begun(exchange)
    assert _feed(reader, [wire])
    assert reader.is_last
    assert exchange.failure is None


def test_bytes_when_nothing_is_asked_spoil_the_connection():
    """A reader without an exchange takes nothing for a reply."""
    reader = ReplyReader(Scratch(100))
    assert not _feed(reader, [b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
    assert reader.is_last


@pytest.mark.parametrize("has_sink", [False, True])
def test_a_body_without_length_ends_with_the_connection(has_sink):
    """The end of the stream is the end of the body, and of the connection."""
    sink = BytesSink(room=7) if has_sink else None
    exchange = _exchange(sink=sink)
    reader = _begun(exchange)
    assert not _feed(reader, [b"HTTP/1.1 200 OK\r\n\r\n", BODY])
    assert reader.eof()
    assert reader.is_last
    assert (bytes(sink.data) if sink else exchange.content) == BODY


@pytest.mark.parametrize("wire", [b"", b"HTTP/1.1 20", HEAD, HEAD + BODY[:-1], _chunks(768)[:-2]])
def test_an_early_end_is_no_end(wire):
    """A connection that ends within a head, a body or a chunked coding has not answered."""
    reader = _begun(_exchange())
    assert not _feed(reader, [wire] if wire else [])
    assert not reader.eof()


def test_a_reply_to_head_has_no_body():
    """Its Content-Length describes what a GET would have got."""
    exchange = _exchange("HEAD", BytesSink())
    reader = _begun(exchange)
    assert _feed(reader, [HEAD])
    assert exchange.head is not None
    assert exchange.head.headers["content-length"] == "768"
    assert not reader.is_last


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "E_HTTP"),
        (b"<html>", "E_HTTP"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "E_HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "E_HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "E_HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "E_HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "E_HTTP"),
        (CONTINUE * 9 + HEAD, "E_HTTP_LIMIT"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 70_000, "E_HTTP_LIMIT"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n", "E_HTTP_LIMIT"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n", "E_HTTP_LIMIT"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, "E_HTTP_LIMIT"),
        (CHUNKED + b"7d0\r\n" + b"x" * 2000, "E_HTTP_LIMIT"),
        (CHUNKED + b"zz\r\n", "E_HTTP"),
    ],
)
def test_what_is_no_reply_is_refused(wire, code):
    """Garbage, ambiguity and excess are failures, however they arrive."""
    for pieces in ([wire], [wire[at : at + 1] for at in range(len(wire))]):
        reader = _begun(_exchange(max_body=1000))
        with pytest.raises(BadReply) as caught:
            _feed(reader, pieces)
        assert caught.value.code == code


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_endless_error_is_cut_short(framing):
    """The first 64 KiB of an error tell enough; the connection is not used again."""
    size = 300_000
    body = b"e" * size
    if framing == "length":
        wire = b"HTTP/1.1 503 Slow\r\ncontent-length: %d\r\n\r\n" % size + body
    elif framing == "chunked":
        wire = b"HTTP/1.1 503 Slow\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % size + body + b"\r\n0\r\n\r\n"
    else:
        wire = b"HTTP/1.1 503 Slow\r\n\r\n" + body
    exchange = _exchange(sink=BytesSink(), max_body=10)
    reader = _begun(exchange)
    assert _feed(reader, [wire])
    assert len(exchange.content) == 64 * 1024
    assert reader.is_last


def test_an_error_does_not_go_into_the_sink():
    """Only the body of a 2xx reply is the object."""
    sink = BytesSink()
    exchange = _exchange(sink=sink)
    assert _feed(_begun(exchange), [b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc"])
    assert exchange.content == b"abc"
    assert sink.begins == []


@pytest.mark.parametrize("moment", ["begin", "buffer", "received", "finish"])
@pytest.mark.parametrize("wire", [HEAD + BODY, _chunks(700, 68)], ids=["known length", "chunked"])
def test_a_sink_may_refuse_at_any_moment(moment, wire):
    """Its error comes out; only a refusal at the end leaves a connection that is still good."""
    reader = _begun(_exchange(sink=BytesSink(room=64, refuse=moment)))
    with pytest.raises(Cancelled):
        _feed(reader, [wire[:100], wire[100:]])
    assert (reader.phase is Phase.ENDED) is (moment == "finish")


def test_nothing_of_a_reply_is_left_for_the_next():
    """After `forget`, a reader takes in the next reply as if it were the first."""
    scratch = Scratch(1 << 16)
    reader = ReplyReader(scratch)
    for wire, body, *_ in [row[1:] for row in GOOD[:6]]:
        exchange = _exchange()
        reader.begin(exchange)
        assert not reader.has_heard
        assert _feed(reader, [wire[:20], wire[20:]])
        assert exchange.content == body
        reader.forget()
    assert not reader.is_last
