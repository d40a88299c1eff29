"""Reply heads: where they end, what they say, what is refused."""

from __future__ import annotations

from unittest import mock

import httptools
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core import http1
from orbit_fast.core.errors import BadReply
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.http1 import parse_head
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.limits import MAX_HEAD_FIELDS

# --- where a reply's head ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "at"),
    [
        (b"", -1),
        (b"HTTP/1.1 200 OK\r\n", -1),
        (b"HTTP/1.1 200 OK\r\n\r", -1),
        (b"HTTP/1.1 200 OK\r\n\r\n", 19),
        (b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\r\n\r\n", 25),
        (b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\n\n\r\n", 25),
        (b"HTTP/1.1 200 OK\na: b\n\nbody\r\n\r\n", 22),
        (b"HTTP/1.1 200 OK\na: b\n\r\nbody", 23),
        (b"HTTP/1.1 200 OK\r\na: b\r\n\nbody", 24),
        (b"HTTP/1.1 200 OK\r\na: b\r\n\n\r\nbody", 24),
        (b"\r\n\r\n", 4),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
def test_find_head_end_table(data, at, kind):
    """A head ends after its first blank line, whichever line ends it uses and whatever holds it."""
    assert find_head_end(kind(data), 0, len(data)) == at
    padded = b"\n\n" + data + b"\n\n"
    assert find_head_end(kind(padded), 2, 2 + len(data)) == (at if at < 0 else at + 2)


@given(st.text("\r\nab", max_size=12), st.text("\r\nab", max_size=12))
def test_find_head_end_may_go_on_three_bytes_back(before, more):
    """Looking again from 3 bytes before the new ones finds what looking from the start finds; nothing later does."""
    whole = (before + more).encode()
    found = find_head_end(before.encode(), 0, len(before))
    if found >= 0:
        assert find_head_end(whole, 0, len(whole)) == found
    else:
        assert find_head_end(whole, max(0, len(before) - 3), len(whole)) == find_head_end(whole, 0, len(whole))


# --- reply heads --------------------------------------------------------------------------------------------------


def head_of(*lines, end="\r\n"):
    """Put a head together from its lines."""
    return "".join(f"{line}{end}" for line in (*lines, "")).encode("latin-1")


def test_a_head_of_s3_is_read_in_full():
    """Status, fields and framing of a typical reply."""
    data = head_of(
        "HTTP/1.1 200 OK",
        "x-amz-id-2: abc/def=",
        "x-amz-request-id: 3X6N5W0FZQ2H8K1B",
        "Date: Tue, 01 Jul 2025 10:00:00 GMT",
        'ETag: "9a0364b9e99bb480dd25e1f0284c8555"',
        "x-amz-meta-Colour: blue",
        "Content-Length: 42",
        "Server: AmazonS3",
    )
    head = parse_head(data, method="GET")
    assert head.status == 200
    assert head.headers == {
        "x-amz-id-2": "abc/def=",
        "x-amz-request-id": "3X6N5W0FZQ2H8K1B",
        "date": "Tue, 01 Jul 2025 10:00:00 GMT",
        "etag": '"9a0364b9e99bb480dd25e1f0284c8555"',
        "x-amz-meta-colour": "blue",
        "content-length": "42",
        "server": "AmazonS3",
    }
    assert (head.content_length, head.is_chunked, head.keeps_alive, head.size) == (42, False, True, len(data))


@pytest.mark.parametrize(
    ("lines", "method", "framing"),
    [
        (["HTTP/1.1 200 OK", "Content-Length: 5"], "GET", (5, False, True)),
        (["HTTP/1.1 200", "Content-Length: 5"], "GET", (5, False, True)),
        (["HTTP/1.1 200 ", "Content-Length: 5"], "GET", (5, False, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 5, 5"], "GET", (5, False, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"], "GET", (5, False, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 9223372036854775807"], "GET", (2**63 - 1, False, True)),
        (["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], "GET", (-1, True, True)),
        (["HTTP/1.1 200 OK", "transfer-encoding: Chunked"], "GET", (-1, True, True)),
        (["HTTP/1.1 200 OK"], "GET", (-1, False, False)),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"], "GET", (5, False, False)),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: x, Close"], "GET", (5, False, False)),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: keep-alive"], "GET", (5, False, True)),
        (["HTTP/1.0 200 OK", "Content-Length: 5"], "GET", (5, False, False)),
        (["HTTP/1.0 200 OK", "Content-Length: 5", "Connection: Keep-Alive"], "GET", (5, False, True)),
        (["HTTP/1.0 200 OK", "Connection: Keep-Alive"], "GET", (-1, False, False)),
        (["HTTP/1.1 200 OK", "Content-Length: 5"], "HEAD", (0, False, True)),
        (["HTTP/1.1 404 Not Found", "Transfer-Encoding: chunked"], "HEAD", (0, False, True)),
        (["HTTP/1.1 404 Not Found"], "HEAD", (0, False, True)),
        (["HTTP/1.1 304 Not Modified", "Content-Length: 5"], "GET", (0, False, True)),
        (["HTTP/1.1 204 No Content"], "DELETE", (0, False, True)),
        (["HTTP/1.1 204 No Content", "Content-Length: 0"], "DELETE", (0, False, True)),
        (["HTTP/1.1 204 No Content", "Content-Length: 3"], "DELETE", (0, False, False)),
        (["HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"], "DELETE", (0, False, False)),
        (["HTTP/1.1 100 Continue"], "PUT", (0, False, True)),
        (["HTTP/1.1 103 Early Hints", "Content-Length: 3"], "PUT", (0, False, False)),
    ],
)
def test_framing_table(lines, method, framing):
    """How long the body is, and whether the connection can be used again, by RFC 9112 sections 6.3 and 9.3."""
    head = parse_head(head_of(*lines), method=method)
    assert (head.content_length, head.is_chunked, head.keeps_alive) == framing


@pytest.mark.parametrize(
    "lines",
    [
        ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"],
        ["HTTP/1.1 200 OK", "Content-Length: 5, 6"],
        ["HTTP/1.1 200 OK", "Content-Length: 5,"],
        ["HTTP/1.1 200 OK", "Content-Length: -1"],
        ["HTTP/1.1 200 OK", "Content-Length: +5"],
        ["HTTP/1.1 200 OK", "Content-Length: 0x5"],
        ["HTTP/1.1 200 OK", "Content-Length: 5 5"],
        ["HTTP/1.1 200 OK", "Content-Length: \xb2"],
        ["HTTP/1.1 200 OK", "Content-Length: "],
        ["HTTP/1.1 200 OK", "Content-Length: 9223372036854775808"],
        ["HTTP/1.1 200 OK", "Content-Length: 00000000000000000005"],
        ["HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: identity"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: \x0bchunked"],
        ["HTTP/1.0 200 OK", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 101 Switching Protocols"],
        ["HTTP/1.1 99 Low"],
        ["HTTP/1.1 600 High"],
        ["HTTP/1.1 20 OK"],
        ["HTTP/1.1 2000 OK"],
        ["HTTP/1.1  200 OK"],
        ["HTTP/1.1 200OK"],
        ["HTTP/2 200 OK"],
        ["HTTP/1.10 200 OK"],
        ["http/1.1 200 OK"],
        [" HTTP/1.1 200 OK"],
        ["", "HTTP/1.1 200 OK"],
        ["HTTP/1.1 200 O\0K"],
        ["SSH-2.0-OpenSSH_9.6"],
        ["<html>", "<body>hello</body>"],
        ["HTTP/1.1 200 OK", "no colon"],
        ["HTTP/1.1 200 OK", ": no name"],
        ["HTTP/1.1 200 OK", "Date : x"],
        ["HTTP/1.1 200 OK", "Da te: x"],
        ["HTTP/1.1 200 OK", "D\xe4te: x"],
        ["HTTP/1.1 200 OK", " folded: before any field"],
        ["HTTP/1.1 200 OK", "Date: a\0b"],
        ["HTTP/1.1 200 OK", "Date: a\rb"],
        ["HTTP/1.1 200 OK", "Date: a\rContent-Length: 5"],
        ["HTTP/1.1 200 OK\rContent-Length: 5"],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_http_or_can_be_read_in_two_ways_is_refused(lines, method):
    """Ambiguous framing and heads that are no heads give one printable line and the code E_HTTP."""
    with pytest.raises(BadReply) as caught:
        parse_head(head_of(*lines), method=method)
    assert caught.value.code == "E_HTTP"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "data", [b"", b"\r\n", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nDate: x\r\n"]
)
def test_a_head_without_its_end_is_refused(data):
    """Cut heads are never read as whole ones."""
    with pytest.raises(BadReply) as caught:
        parse_head(data, method="GET")
    assert caught.value.code == "E_HTTP"


@pytest.mark.parametrize("name", ["Date", "X-Other"])
def test_the_number_of_fields_is_bounded(name):
    """128 fields are read, 129 are too many, on either road."""
    most = [f"{name}{'' if name == 'Date' else i}: x" for i in range(MAX_HEAD_FIELDS)]
    assert parse_head(head_of("HTTP/1.1 200 OK", *most), method="GET").status == 200
    with pytest.raises(BadReply) as caught:
        parse_head(head_of("HTTP/1.1 200 OK", *most, "Server: x"), method="GET")
    assert caught.value.code == "E_HTTP_LIMIT"


def test_folded_lines_count_as_fields():
    """A value cannot be folded over more lines than a head may have fields."""
    with pytest.raises(BadReply) as caught:
        parse_head(head_of("HTTP/1.1 200 OK", "a: b", *[" c"] * MAX_HEAD_FIELDS), method="GET")
    assert caught.value.code == "E_HTTP_LIMIT"


def test_the_size_of_a_head_is_bounded():
    """64 KiB are read, one byte more is too much."""
    frame = len(head_of("HTTP/1.1 200 OK", "Server: "))
    assert parse_head(head_of("HTTP/1.1 200 OK", "Server: " + "x" * (MAX_HEAD_BYTES - frame)), method="GET")
    with pytest.raises(BadReply) as caught:
        parse_head(head_of("HTTP/1.1 200 OK", "Server: " + "x" * (MAX_HEAD_BYTES - frame + 1)), method="GET")
    assert caught.value.code == "E_HTTP_LIMIT"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Server: a", "a"),
        ("Server:a", "a"),
        ("Server:   a \t ", "a"),
        ("Server: a  b", "a  b"),
        ("Server:", ""),
        ("Server: a: b", "a: b"),
        ("SERVER: a", "a"),
        ("sErVeR: a", "a"),
        ("Server: \xe9\xff", "\xe9\xff"),
        ("Server: a\r\n b", "a b"),
        ("Server: a \r\n\t \tb", "a b"),
        ("Server:\r\n a", "a"),
        ("Server: a\r\nServer: b", "a, b"),
        ("Server: a\r\nserver:\r\nServer: c", "a, , c"),
        ("Server: a" + " " * 2000 + "b", "a" + " " * 2000 + "b"),
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_field_table(field, value, end):
    """Names are lower-cased, values trimmed, folded lines joined by a space and repeated names by a comma."""
    data = head_of("HTTP/1.1 200 OK", field, "Date: x").replace(b"\r\n", end.encode())
    assert parse_head(data, method="GET").headers == {"server": value, "date": "x"}


FIELD = st.tuples(
    st.sampled_from(
        ["Date", "date", "ETag", "DATE", "Content-Length", "x-amz-meta-a", "Da te", "", "Transfer-Encoding"]
    ),
    st.sampled_from([": ", ":", ":  ", " : ", ":\t", " "]),
    st.one_of(
        st.sampled_from(["5", "chunked", "a b", "a  b", "", " ", "a: b", "\0", "\r", "\n", "\xa0", "\x85"]),
        st.text("a \t"),
    ),
    st.sampled_from(["\r\n"] * 8 + ["\n", "\r", " \r\n", "\r\n ", "\r\n\r\n"]),
).map("".join)


def outcome(data):
    """Read a head; give what it says, or the code of its refusal."""
    try:
        return parse_head(data, method="GET")
    except BadReply as refusal:
        return refusal.code


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.lists(FIELD, max_size=5), st.sampled_from(["\r\n", "\n", "", "\r\n\r\n"]))
def test_both_roads_read_the_same(fields, end):
    """The road for plain heads and the careful road agree on every head, sound or not."""
    data = ("HTTP/1.1 200 OK\r\n" + "".join(fields) + end).encode("latin-1")
    whole = outcome(data)
    with mock.patch.object(http1, "_read_plain_fields", return_value=None):
        assert outcome(data) == whole


class Listener:
    """Collects what httptools reads."""

    def __init__(self):
        self.headers = {}

    def on_header(self, name, value):
        """Keep a field."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")


@given(
    status=st.integers(200, 599),
    reason=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=10),
    fields=st.dictionaries(
        st.text("abcXYZ019-_.!~", min_size=1, max_size=12).map(str.lower),
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=12),
        max_size=6,
    ),
    length=st.integers(0, 10**9),
    connection=st.sampled_from(["", "close", "keep-alive"]),
)
def test_heads_are_read_as_httptools_reads_them(status, reason, fields, length, connection):
    """Status, fields and keep-alive of a sound head are those that llhttp finds."""
    fields["content-length"] = str(length)
    if connection:
        fields["connection"] = connection
    data = head_of(f"HTTP/1.1 {status} {reason}", *[f"{name}: {value}" for name, value in fields.items()])
    listener = Listener()
    parser = httptools.HttpResponseParser(listener)
    parser.feed_data(data)
    head = parse_head(data, method="GET")
    assert head.status == parser.get_status_code()
    assert head.headers == listener.headers == fields
    if status not in {204, 304}:
        assert head.content_length == length
        assert head.keeps_alive == (connection != "close")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_head_or_a_refusal(data):
    """Garbage raises nothing but BadReply."""
    for text in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        assert isinstance(outcome(text), (http1.ReplyHead, str))
