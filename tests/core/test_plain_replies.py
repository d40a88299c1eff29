"""Heads that are recognised: the values that the general reader gives, and nothing that could be read otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.decode_facts import object_facts
from orbit_fast.core.errors import BadReply
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.http1 import parse_head
from orbit_fast.core.plain_replies import MAX_LESSONS
from orbit_fast.core.plain_replies import MAX_SHAPES
from orbit_fast.core.plain_replies import OF_GET
from orbit_fast.core.plain_replies import OF_PUT
from orbit_fast.core.plain_replies import PlainReplies

S3 = (
    "HTTP/1.1 200 OK",
    "x-amz-id-2: v3jJ5bO2kZ+aJkHgHdBk6Yk4kxTqQ0Jd=",
    "Date: Sun, 22 Nov 2026 09:51:43 GMT",
    'ETag: "d41d8cd98f00b204e9800998ecf8427e"',
    "x-amz-checksum-crc32c: AAAAAA==",
    "Content-Length: 0",
    "Server: AmazonS3",
)


def head_of(*lines, end="\r\n"):
    """Put a head together from its lines."""
    return "".join(f"{line}{end}" for line in (*lines, "")).encode("latin-1")


def learned(*lines, wanted=OF_PUT):
    """Replies that know the shape of this head."""
    replies = PlainReplies(wanted)
    assert replies.learn(head_of(*lines))
    return replies


def changed(name, line):
    """S3's head with another line in the place of the one called `name`; none where it is empty."""
    lines = [line if other.startswith(name) else other for other in S3]
    return [other for other in lines if other]


def test_a_second_head_of_a_shape_is_recognised():
    """Its end, its checksum, and the values that are wanted; what follows it does not matter."""
    replies = learned(*S3)
    second = head_of(*changed("ETag", 'ETag: "0123-2"')).replace(b"AAAAAA==", b"wxyz+/=")
    found = replies.match(bytearray(second + b"body"), len(second) + 4)
    assert found == (len(second), "CRC32C", (b"wxyz+/=", b"0", b'"0123-2"', b""))


def test_what_is_not_there_is_empty():
    """A reply without a checksum, and all that a GET may say."""
    lines = ("HTTP/1.1 200 OK", 'etag: "e"', "content-length: 17", "x-amz-version-id: v1")
    replies = learned(*lines, wanted=OF_GET)
    data = head_of(*lines)
    assert replies.match(data, len(data)) == (len(data), "", (b"", b"17", b'"e"', b"", b"", b"v1", b"", b""))


@pytest.mark.parametrize(
    "lines",
    [
        changed("HTTP", "HTTP/1.1 206 Partial Content"),
        changed("HTTP", "HTTP/1.1 200 Fine"),
        changed("HTTP", "HTTP/1.0 200 OK"),
        changed("HTTP", "HTTP/1.1 500 No"),
        changed("Server", ""),
        changed("Server", "Connection: close"),
        changed("Server", "server: AmazonS3"),
        changed("Server", "Server : AmazonS3"),
        changed("Server", " Server: AmazonS3"),
        changed("Server", "Server: Amazon\tS3"),
        changed("Server", "Server: Amazon\x00S3"),
        changed("Server", "Server: a\nTransfer-Encoding: chunked"),
        changed("Server", "Server: a\r\nTransfer-Encoding: chunked"),
        changed("Server", "Server: a\rTransfer-Encoding: chunked"),
        changed("Content-Length", "Content-Length: 0, 0"),
        changed("Content-Length", "Content-Length: +0"),
        changed("Content-Length", "Content-Length:  0"),
        changed("Content-Length", "Content-Length: 0 "),
        changed("Content-Length", "Content-Length: 1234567890123456789"),
        changed("Content-Length", "Content-Length: 0\r\nContent-Length: 0"),
        changed("ETag", 'ETag: W/"e"'),
        changed("ETag", "ETag: e"),
        changed("ETag", 'ETag: "a"b"'),
        changed("x-amz-checksum", "x-amz-checksum-crc32c: AAAAAA==-2"),
        changed("x-amz-checksum", "x-amz-checksum-crc32c: "),
        changed("x-amz-checksum", "x-amz-checksum-crc64nvme: AAAAAAAAAAA="),
        (*S3[::-1],),
    ],
)
def test_any_other_head_is_not_recognised(lines):
    """Whoever it may be for, it is not for here."""
    data = head_of(*lines)
    assert learned(*S3).match(data, len(data)) is None


def test_a_head_that_has_not_come_whole_is_not_recognised():
    """Not before its last byte."""
    data, replies = head_of(*S3), learned(*S3)
    assert all(replies.match(data, end) is None for end in range(len(data)))
    assert replies.match(data, len(data)) is not None


@pytest.mark.parametrize(
    "lines",
    [
        changed("HTTP", "HTTP/1.1 206 Partial Content"),
        changed("HTTP", "HTTP/1.0 200 OK"),
        changed("Server", "Connection: close"),
        changed("Server", "Connection: x, close"),
        changed("Server", "Content-Range: bytes 0-1/2"),
        changed("Server", "x-amz-server-side-encryption-customer-algorithm: AES256"),
        changed("Server", "Trailer: x"),
        changed("Content-Length", "Transfer-Encoding: chunked"),
        changed("Content-Length", ""),
        changed("Content-Length", "Content-Length: 0\r\nContent-Length: 0"),
        changed("Content-Length", "Content-Length: x"),
        changed("ETag", ""),
        changed("ETag", 'ETag: W/"e"'),
        changed("Server", "Server:nospace"),
        changed("Server", "Server: a\r\nServer: b"),
        changed("Server", "X-Folded: a\r\n b"),
        changed("Server", "Server: é"),
        ("SSH-2.0-x",),
    ],
)
def test_a_shape_that_could_mislead_is_not_learned(lines):
    """And what is not learned is not recognised, not even itself."""
    replies, data = PlainReplies(OF_PUT), head_of(*lines)
    assert not replies.learn(data)
    assert replies.match(data, len(data)) is None


def test_a_connection_that_stays_open_must_say_so_again():
    """The one header whose value is part of the shape."""
    replies = learned(*S3, "Connection: keep-alive")
    for value, is_same in [("keep-alive", True), ("close", False), ("Keep-Alive", False)]:
        data = head_of(*S3, f"Connection: {value}")
        assert (replies.match(data, len(data)) is not None) is is_same


def test_few_shapes_are_kept_and_few_are_learned():
    """The newest; and a service that never repeats itself is not worth listening to."""
    replies = PlainReplies(OF_PUT)
    heads = [head_of(*S3, f"x-{number}: v") for number in range(MAX_LESSONS + 1)]
    assert [replies.learn(head) for head in heads] == [True] * MAX_LESSONS + [False]
    known = [replies.match(head, len(head)) is not None for head in heads]
    assert known == [False] * (MAX_LESSONS - MAX_SHAPES) + [True] * MAX_SHAPES + [False]


# --- as the general reader ------------------------------------------------------------------------------------------

NAMES = [
    "Content-Length",
    "ETag",
    "etag",
    "Date",
    "Last-Modified",
    "Content-Type",
    "Connection",
    "Transfer-Encoding",
    "Content-Range",
    "x-amz-version-id",
    "x-amz-server-side-encryption",
    "x-amz-checksum-type",
    "x-amz-meta-a",
    *[f"x-amz-checksum-{name.lower()}" for name in ALGORITHMS],
]
VALUES = st.one_of(
    st.sampled_from(["0", "7", '"e"', "keep-alive", "AAAA", "FULL_OBJECT", "", " a", "a  b", "chunked", "a\tb", "é"]),
    st.text(st.characters(max_codepoint=0xFF), max_size=4),
)
LINES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6)
BASE = st.just([("ETag", '"e"'), ("Content-Length", "3")])


@settings(max_examples=300)
@given(st.one_of(LINES, st.tuples(BASE, LINES).map(lambda two: two[0] + two[1])), st.randoms(use_true_random=False))
def test_what_is_recognised_reads_as_the_general_reader_reads_it(fields, rng):
    """A head that is learned, and one of the same names with other values: both ways say the same."""
    replies = PlainReplies(OF_GET)
    head = head_of("HTTP/1.1 200 OK", *[f"{name}: {value}" for name, value in fields])
    replies.learn(head[: max(0, find_head_end(head, 0, len(head)))])
    values = [value for _, value in fields]
    rng.shuffle(values)
    other = head_of("HTTP/1.1 200 OK", *[f"{name}: {value}" for (name, _), value in zip(fields, values, strict=True)])
    for data in (head, other):
        found = replies.match(data, len(data))
        if found is None:
            continue
        end, algorithm, (checksum, length, etag, modified, content_type, version_id, encryption, kind) = found
        assert end == find_head_end(data, 0, len(data))
        try:
            seen = parse_head(data[:end], method="GET")
        except BadReply as error:
            raise AssertionError("recognised, and refused by the reader") from error
        assert (seen.status, seen.keeps_alive, seen.is_chunked) == (200, True, False)
        assert seen.content_length == int(length)
        facts = object_facts(seen.headers)
        assert facts.etag == etag[1:-1].decode()
        assert seen.headers.get("last-modified", "") == modified.decode()
        assert facts.content_type == content_type.decode()
        assert facts.version_id == version_id.decode()
        assert facts.encryption == encryption.decode()
        if algorithm:
            assert (facts.checksum.algorithm, facts.checksum.value) == (algorithm, checksum.decode())
            assert facts.checksum.kind == (kind.decode() or "FULL_OBJECT")
        else:
            assert facts.checksum is None
