"""Chunked bodies, taken apart."""

from __future__ import annotations

from itertools import pairwise

import httptools
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.chunked import ChunkedDecoder
from orbit_fast.core.errors import BadReply
from orbit_fast.core.limits import MAX_CHUNK_EXTENSION_BYTES
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.limits import MAX_HEAD_FIELDS

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def decode(pieces):
    """Feed pieces until the body ends; give payload, rest, decoder."""
    decoder = ChunkedDecoder()
    payload = bytearray()
    rest = bytearray()
    for piece in pieces:
        if decoder.is_finished:
            rest += piece
            continue
        views, used = decoder.feed(memoryview(piece))
        payload += b"".join(views)
        rest += piece[used:]
        assert used == len(piece) or decoder.is_finished
    return bytes(payload), bytes(rest), decoder


def cut(data, at):
    """Cut data at the given places."""
    places = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize(
    ("data", "payload", "trailers", "rest"),
    [
        (b"0\r\n\r\n", b"", {}, b""),
        (b"5\r\nhello\r\n0\r\n\r\nnext", b"hello", {}, b"next"),
        (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", {}, b""),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", {}, b""),
        (b"9\r\n\r\n0\r\n\r\n..\r\n0\r\n\r\n", b"\r\n0\r\n\r\n..", {}, b""),
        (b"0005\r\nhello\r\n000\r\n\r\n", b"hello", {}, b""),
        (b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', b"hello", {}, b""),
        (b"5 \t\r\nhello\r\n0\r\n\r\n", b"hello", {}, b""),
        (b"5 ; x\r\nhello\r\n0\r\n\r\n", b"hello", {}, b""),
        (b"0\r\nX-Sum: abc\r\nOther:d \r\n\r\nrest", b"", {"x-sum": "abc", "other": "d"}, b"rest"),
    ],
)
def test_chunked_table(data, payload, trailers, rest):
    """Payload, trailers and what follows the body, whole or byte by byte."""
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        found, left, decoder = decode(pieces)
        assert (found, left) == (payload, rest)
        assert decoder.is_finished
        assert decoder.trailers == trailers


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b"-5\r\nhello",
        b"+5\r\nhello",
        b"0x5\r\nhello",
        b" 5\r\nhello",
        b"5\nhello",
        b"5_0\r\n",
        b"5 5\r\n",
        b"5;a\rb\r\nhello",
        b"5;a\0\r\nhello",
        b"5;a\x01\r\nhello",
        b"\xb5\r\nhello",
        b"1" * 16 + b"\r\n",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\rX",
        b"5\r\nhello0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\na: b\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\n\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_sloppy_chunks_are_refused(data):
    """Anything that two readers could take differently is refused with the code E_HTTP, however it arrives."""
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        with pytest.raises(BadReply) as caught:
            decode(pieces)
        assert caught.value.code == "E_HTTP"
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        b"5;" + b"x" * MAX_CHUNK_EXTENSION_BYTES + b"\r\n",
        b"1" * (MAX_CHUNK_EXTENSION_BYTES + 1),
        b"0\r\n" + b"a: b\r\n" * (MAX_HEAD_FIELDS + 1),
        b"0\r\na: " + b"x" * MAX_HEAD_BYTES,
        b"0\r\n" + (b"a: " + b"x" * 2000 + b"\r\n") * 40,
        (b"1;" + b"x" * 200 + b"\r\ny\r\n") * 100,
    ],
    ids=["extension", "endless size", "trailer fields", "one trailer", "trailer bytes", "all extensions"],
)
def test_all_but_payload_is_bounded(data):
    """Size lines, trailers and framing in proportion to payload have limits, however they arrive."""
    for step in (len(data), 1000):
        with pytest.raises(BadReply) as caught:
            decode([data[i : i + step] for i in range(0, len(data), step)])
        assert caught.value.code == "E_HTTP_LIMIT"


def test_the_limits_leave_room_for_what_is_usual():
    """A long extension, 128 trailers and a signature beside every 8 KiB chunk are read."""
    signed = b"2000;chunk-signature=" + b"f" * 64 + b"\r\n" + b"x" * 8192 + b"\r\n"
    trailers = b"".join(b"t%d: v\r\n" % i for i in range(MAX_HEAD_FIELDS))
    data = b"1;" + b"e" * 4000 + b"\r\ny\r\n" + signed * 50 + b"1\r\nz\r\n" * 5000 + b"0\r\n" + trailers + b"\r\n"
    payload, rest, decoder = decode([data])
    assert len(payload) == 1 + 50 * 8192 + 5000
    assert rest == b""
    assert len(decoder.trailers) == MAX_HEAD_FIELDS


def test_payload_is_never_copied():
    """The views given back are slices of what was fed."""
    fed = bytearray(b"5\r\nhello\r\n0\r\n\r\n")
    views, _ = ChunkedDecoder().feed(memoryview(fed))
    assert [view.obj is fed for view in views] == [True]
    fed[3:8] = b"HELLO"
    assert bytes(views[0]) == b"HELLO"


def test_nothing_is_taken_after_the_end():
    """A finished decoder leaves every byte to the next reply, and no byte is a feed of nothing."""
    decoder = ChunkedDecoder()
    assert decoder.feed(memoryview(b"")) == ([], 0)
    decoder.feed(memoryview(b"0\r\n\r\n"))
    assert decoder.is_finished
    assert decoder.feed(memoryview(b"more")) == ([], 0)


@pytest.mark.parametrize("length", range(len(b"5\r\nhello\r\n0\r\n\r\n")))
def test_a_cut_body_is_not_finished(length):
    """A body is finished only when its last byte has arrived."""
    _, _, decoder = decode([b"5\r\nhello\r\n0\r\n\r\n"[:length]])
    assert not decoder.is_finished


CHUNK = st.tuples(st.binary(min_size=1, max_size=20), st.sampled_from([b"", b"", b";a=b", b';c="d e"', b";f"]))


@given(
    chunks=st.lists(CHUNK, max_size=6),
    trailers=st.dictionaries(st.text("abc-", min_size=1), st.text("xyz0", min_size=1), max_size=3),
    at=st.lists(st.integers(0, 1000), max_size=10),
    rest=st.binary(max_size=10),
)
def test_sound_bodies_are_read_as_httptools_reads_them(chunks, trailers, at, rest):
    """However a sound body is cut, its payload is what was sent and what llhttp reads."""
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(data), extension, data) for data, extension in chunks)
    body += b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode() for name, value in trailers.items()) + b"\r\n"
    payload, left, decoder = decode(cut(body + rest, at))
    assert payload == b"".join(data for data, _ in chunks) == read_with_httptools(body)
    assert left == rest
    assert decoder.is_finished
    assert decoder.trailers == trailers


class Listener:
    """Collects what httptools reads."""

    def __init__(self):
        self.body = bytearray()
        self.is_finished = False

    def on_body(self, data):
        """Keep payload of the first message."""
        self.body += b"" if self.is_finished else data

    def on_message_complete(self):
        """Keep that the body ended."""
        self.is_finished = True


def read_with_httptools(body):
    """Give the payload that llhttp finds, or None where it refuses or has not reached the end."""
    listener = Listener()
    try:
        httptools.HttpResponseParser(listener).feed_data(HEAD + body)
    except httptools.HttpParserError:
        return bytes(listener.body) if listener.is_finished else None
    return bytes(listener.body) if listener.is_finished else None


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=12), max_size=4),
    edits=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from([b"", b"\r", b"\n", b"0", b"f", b" ", b";", b"\0"])), min_size=1
    ),
    at=st.lists(st.integers(0, 1000), max_size=6),
)
def test_damaged_bodies_are_never_read_otherwise_than_httptools_does(chunks, edits, at):
    """Of a damaged body we accept only what llhttp accepts, and read the same payload, however it is cut.

    Extensions are left out where llhttp refuses the body: it reads what is in them, we only pass over it.
    """
    body = b"".join(b"%x\r\n%s\r\n" % (len(data), data) for data in chunks) + b"0\r\n\r\n"
    for place, replacement in edits:
        index = place % len(body)
        body = body[:index] + replacement + body[index + 1 :]
        if not body:
            return
    outcomes = []
    for pieces in ([body], cut(body, at)):
        try:
            payload, _, decoder = decode(pieces)
            outcomes.append(payload if decoder.is_finished else "unfinished")
        except BadReply as refusal:
            outcomes.append(refusal.code)
    assert outcomes[0] == outcomes[1]
    if isinstance(outcomes[0], bytes):
        theirs = read_with_httptools(body)
        assert outcomes[0] == theirs or (theirs is None and b";" in body)
