"""Where downloaded bytes go: which replies are taken, what is kept of one that breaks off, what proves the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Request
from orbit_fast.io.flow import Call
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import received
from tests.kit.object_replies import body
from tests.kit.object_replies import good
from tests.kit.object_replies import md5
from tests.kit.object_replies import rest
from tests.kit.object_replies import value

DATA = bytes(range(256)) * 4
SIZE = len(DATA)
CUT = Network("cut")
FIRST = 300
"""Where the range of these tests begins, to the end of the object."""


class Memory:
    """A file in memory; `opened` counts how often it was begun."""

    def __init__(self):
        self.bytes = bytearray(SIZE)
        self.opened = 0

    def write_at(self, view, offset):
        """As a file."""
        self.bytes[offset : offset + len(view)] = view


class Try:
    """A sink, its file, and replies for it."""

    def __init__(self, **expected):
        self.file = Memory()
        expected = {"key": "k", "size": SIZE, "etag": "v1", **expected}
        self.sink = FileSink(Expected(**expected), memoryview(bytearray(100)), self._open)

    def _open(self, _facts):
        self.file.opened += 1
        self.file.bytes = bytearray(SIZE)
        return self.file

    def receive(self, answer: Body) -> None:
        """Take one reply to its end."""
        received(Call(request=Request(operation="GetObject", method="GET"), site=0, sink=self.sink), answer)

    def receive_broken(self, answer: Body, kind: type[S3Error] = Network) -> None:
        """Take one reply that fails."""
        with pytest.raises(kind):
            self.receive(answer)


def ranged(**more):
    """What is known before a range is asked for: the object from `FIRST` on."""
    return Try(**{"first": FIRST, "size": SIZE - FIRST, "is_range": True, "total": SIZE, "verify": False, **more})


# --- which reply is the right one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (body(DATA, etag=None), BadReply, "E_BAD_RESPONSE"),
        (body(DATA, etag="v2"), PreconditionFailed, "PreconditionFailed"),
        (Body(data=DATA, headers={"etag": 'W/"v1"'}), PreconditionFailed, "PreconditionFailed"),
        (Body(data=b"zip", headers={"etag": 'W/"v1"', "content-encoding": "gzip"}), IntegrityError, "E_ENCODED_BODY"),
        (body(DATA, content_length="-1"), BadReply, "E_BAD_RESPONSE"),
        (body(DATA[1:]), SizeMismatch, "E_SIZE_MISMATCH"),
        (body(DATA + b"x"), SizeMismatch, "E_SIZE_MISMATCH"),
        (body(DATA[1:], is_chunked=True), SizeMismatch, "E_SIZE_MISMATCH"),
        (body(DATA + b"x", is_chunked=True), SizeMismatch, "E_SIZE_MISMATCH"),
        (body(DATA, status=206), BadReply, "E_BAD_RESPONSE"),
        (body(DATA, content_range=f"bytes 1-{SIZE}/{SIZE + 1}"), BadReply, "E_BAD_RESPONSE"),
        (body(DATA, content_range=f"bytes 0-{SIZE - 1}/{SIZE + 1}"), BadReply, "E_BAD_RESPONSE"),
    ],
)
def test_only_the_object_that_was_asked_for_is_taken(answer, kind, code):
    """Its version must be stated and be the one, and all its bytes must come: nothing else is believed."""
    attempt = Try()
    with pytest.raises(kind) as caught:
        attempt.receive(answer)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert attempt.sink.verified is Verified.NOTHING


@pytest.mark.parametrize("etag", [None, "anything"])
def test_any_version_does_where_none_was_named(etag):
    """An object that was named, not listed."""
    attempt = Try(etag="")
    attempt.receive(body(DATA, etag=etag))
    assert attempt.file.bytes == DATA


def test_an_encoded_object_of_the_right_version_is_taken_as_it_is():
    """It was stored so: the strong ETag says that nobody touched it."""
    attempt = Try()
    attempt.receive(body(DATA, content_encoding="gzip"))
    assert attempt.file.bytes == DATA


def test_a_206_that_holds_all_of_it_is_good():
    """Some services answer so."""
    attempt = Try()
    attempt.receive(rest(0, DATA))
    assert attempt.file.bytes == DATA


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (body(DATA), RangeIgnored),
        (body(DATA[FIRST:], status=206), BadReply),
        (rest(FIRST - 1, DATA), BadReply),
        (rest(FIRST, DATA, last=SIZE - 2), BadReply),
        (rest(FIRST, DATA, total=SIZE + 1), PreconditionFailed),
        (rest(FIRST, DATA, content=DATA[FIRST + 1 :]), SizeMismatch),
        (rest(FIRST, DATA, etag="v2"), PreconditionFailed),
        (rest(FIRST, DATA, etag=None), BadReply),
    ],
)
def test_only_the_range_that_was_asked_for_is_taken(answer, kind):
    """Another place, another object, no place at all: nothing is written."""
    attempt = ranged()
    with pytest.raises(kind) as caught:
        attempt.receive(answer)
    assert type(caught.value) is kind
    assert attempt.file.opened == 0


@pytest.mark.parametrize("status", [200, 206])
def test_a_range_lands_in_its_place(status):
    """With its checksum, where one was wanted, and no verdict about the whole."""
    attempt = ranged(algorithm="CRC32C")
    attempt.receive(rest(FIRST, DATA, status=status))
    assert attempt.file.bytes == bytes(FIRST) + DATA[FIRST:]
    assert attempt.sink.checksum.value == value(DATA[FIRST:], "CRC32C")


# --- what is kept of a reply that breaks off -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected", "kept"),
    [
        (body(DATA, cut=(0, CUT)), {}, 0),
        (body(DATA, cut=(1, CUT)), {}, 1),
        (body(DATA, cut=(SIZE - 1, CUT)), {}, SIZE - 1),
        (body(DATA, cut=(SIZE, CUT)), {}, 0),
        (body(DATA, cut=(500, CUT)), {"etag": ""}, 0),
        (body(DATA, cut=(500, CUT), is_chunked=True), {}, 500),
        (body(DATA, cut=(500, CUT), is_chunked=True), {"size": -1}, 0),
        (body(DATA + b"x", is_chunked=True), {}, 0),
        (body(DATA[:-1], is_chunked=True), {}, 0),
        (Body(data=DATA[::-1], headers=good(DATA).headers), {}, 0),
    ],
)
def test_what_another_try_need_not_bring_again(answer, expected, kept):
    """Bytes of a version that can be named again, of a length that is known; never after a refusal or an end."""
    attempt = Try(**expected)
    attempt.receive_broken(answer, S3Error)
    assert attempt.sink.resume() == kept


def test_a_try_that_was_never_answered_changes_nothing():
    """A 503 between two pieces: what had arrived is kept, and continued later."""
    attempt = Try()
    attempt.receive_broken(good(DATA, cut=(500, CUT)))
    assert [attempt.sink.resume() for _ in range(3)] == [500, 500, 500]
    attempt.receive(rest(500, DATA))
    assert (bytes(attempt.file.bytes), attempt.sink.verified) == (DATA, Verified.CHECKSUM)


@pytest.mark.parametrize(
    ("answer", "opened"),
    [
        (rest(500, DATA), 1),
        (rest(500, DATA, status=200), 1),
        (rest(500, DATA, is_chunked=True), 1),
        (body(DATA), 2),
        (rest(0, DATA), 2),
    ],
)
def test_the_rest_is_put_behind_what_is_there(answer, opened):
    """A service that sends all of it again is welcome too; the first reply's checksum, or the second's, proves it."""
    attempt = Try()
    attempt.receive_broken(good(DATA, cut=(500, CUT)))
    assert attempt.sink.resume() == 500
    attempt.receive(answer)
    assert bytes(attempt.file.bytes) == DATA
    assert attempt.file.opened == opened
    assert attempt.sink.size == SIZE
    assert attempt.sink.verified is (Verified.CHECKSUM if opened == 1 else Verified.SIZE)
    assert attempt.sink.resume() == 0


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (rest(499, DATA), BadReply),
        (rest(499, DATA, is_chunked=True), BadReply),
        (rest(501, DATA), BadReply),
        (rest(500, DATA, last=SIZE - 2), BadReply),
        (rest(500, DATA + b"x", last=SIZE - 1), BadReply),
        (rest(500, DATA, content=DATA[501:]), BadReply),
        (rest(500, DATA, content_range=f"bytes 500-{SIZE - 1}/*"), BadReply),
        (body(DATA[500:], status=206), BadReply),
        (rest(500, DATA, etag=None), BadReply),
        (rest(500, DATA, etag="v2"), PreconditionFailed),
        (body(DATA[500:]), SizeMismatch),
        (rest(500, DATA, content=DATA[501:], is_chunked=True), SizeMismatch),
        (rest(500, DATA, content=DATA[500:] + b"x", is_chunked=True), SizeMismatch),
    ],
)
def test_what_is_not_the_rest_is_refused_and_the_next_try_begins_anew(answer, kind):
    """One shifted byte would go unseen where only the size is known. Nobody asks for the same rest for ever."""
    attempt = Try()
    attempt.receive_broken(good(DATA, cut=(500, CUT)))
    assert attempt.sink.resume() == 500
    with pytest.raises(kind) as caught:
        attempt.receive(answer)
    assert type(caught.value) is kind
    assert attempt.sink.resume() == 0
    attempt.receive(good(DATA))
    assert (bytes(attempt.file.bytes), attempt.sink.verified) == (DATA, Verified.CHECKSUM)


def test_a_damaged_rest_is_found_by_the_checksum_of_the_whole():
    """The two pieces are one object: its checksum goes over both."""
    attempt = Try()
    attempt.receive_broken(good(DATA, cut=(500, CUT)))
    assert attempt.sink.resume() == 500
    attempt.receive_broken(rest(500, DATA, content=DATA[500:-1] + b"!"), ChecksumMismatch)
    assert attempt.sink.resume() == 0


def test_a_range_is_continued_inside_itself():
    """Positions count from the object's start; a service that forgets about ranges now is still refused."""
    attempt = ranged(algorithm="CRC32")
    attempt.receive_broken(rest(FIRST, DATA, cut=(200, CUT)))
    assert attempt.sink.resume() == 200
    attempt.receive_broken(body(DATA), RangeIgnored)
    attempt.receive_broken(rest(FIRST, DATA, cut=(100, CUT)))
    assert attempt.sink.resume() == 100
    attempt.receive_broken(rest(FIRST + 100, DATA, cut=(1, CUT)))
    assert attempt.sink.resume() == 101
    attempt.receive(rest(FIRST + 101, DATA))
    assert attempt.file.bytes == bytes(FIRST) + DATA[FIRST:]
    assert attempt.sink.checksum.value == value(DATA[FIRST:], "CRC32")


@given(st.lists(st.tuples(st.integers(0, SIZE), st.sampled_from(["rest", "all", "silent"])), max_size=12))
def test_however_often_it_breaks_off_the_whole_arrives(breaks):
    """Any pieces, continued or begun anew, and tries without an answer between them, add up to the object's bytes."""
    attempt = Try()
    arrived = 0
    for count, way in breaks:
        first = attempt.sink.resume()
        assert first == (arrived if arrived < SIZE else 0)
        if way == "silent":
            arrived = first
            continue
        answer = rest(first, DATA) if first and way == "rest" else good(DATA)
        taken = min(count, len(answer.data))
        arrived = taken + (first if answer.status == 206 else 0)
        attempt.receive_broken(Body(data=answer.data, headers=answer.headers, status=answer.status, cut=(taken, CUT)))
    first = attempt.sink.resume()
    attempt.receive(rest(first, DATA) if first else good(DATA))
    assert (bytes(attempt.file.bytes), attempt.sink.verified) == (DATA, Verified.CHECKSUM)


# --- what proves it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected", "verified"),
    [
        (good(DATA), {}, Verified.CHECKSUM),
        (good(DATA), {"verify": False}, Verified.NOTHING),
        (body(DATA), {}, Verified.SIZE),
        (body(DATA, x_amz_checksum_crc32=value(DATA, "CRC32") + "-3"), {}, Verified.SIZE),
        (body(DATA, etag=md5(DATA)), {"etag": md5(DATA)}, Verified.ETAG),
        (body(DATA, etag=md5(b"x"), x_amz_server_side_encryption="aws:kms"), {"etag": md5(b"x")}, Verified.SIZE),
    ],
)
def test_what_a_whole_object_is_proven_against(answer, expected, verified):
    """Its checksum of the whole, else an ETag that is an MD5, else its size."""
    attempt = Try(**expected)
    attempt.receive(answer)
    assert attempt.sink.verified is verified
    assert (attempt.sink.checksum is not None) == (verified is Verified.CHECKSUM)


@pytest.mark.parametrize(
    ("answer", "etag"),
    [(good(DATA[::-1]), "v1"), (body(DATA, etag=md5(b"x")), md5(b"x"))],
    ids=["checksum", "MD5"],
)
def test_other_bytes_of_the_right_length_are_refused(answer, etag):
    """At the end, by the object's own checksum or ETag."""
    attempt = Try(etag=etag)
    wrong = Body(data=DATA, headers=answer.headers)
    attempt.receive_broken(wrong, ChecksumMismatch)
    assert attempt.sink.verified is Verified.NOTHING
