"""The stream that answers SelectObjectContent, in any pieces, whole and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.io import eventstream
from orbit_fast.io.eventstream import RecordSink
from tests.kit.select_service import CONT
from tests.kit.select_service import END
from tests.kit.select_service import STATS
from tests.kit.select_service import error
from tests.kit.select_service import message
from tests.kit.select_service import records


def new_sink():
    """A sink, and what it gives on."""
    given_on = []
    sink = RecordSink(memoryview(bytearray(4096)), given_on.append, bucket="bkt", key="k")
    sink.begin(200, {}, -1)
    return sink, given_on


def feed(sink, data, step=4096):
    """Let `data` arrive in pieces."""
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        sink.buffer()[: len(piece)] = piece
        sink.received(len(piece))


@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(1, 200))
def test_whole_lines_however_they_come(payloads, step):
    """Records cut anywhere, bytes cut anywhere: what is given on is all of it, in whole lines."""
    sink, given_on = new_sink()
    feed(sink, b"".join([CONT, *(records(payload) for payload in payloads), STATS, CONT, END]), step)
    sink.finish()
    whole = b"".join(payloads)
    expected = whole if whole.endswith(b"\n") or not whole else whole + b"\n"
    assert b"".join(given_on) == expected
    assert all(lines.endswith(b"\n") for lines in given_on)
    assert sink.size == len(expected)
    assert sink.stats == {"bytes_scanned": 120, "bytes_processed": 1200}


def test_a_line_is_given_on_when_it_is_whole():
    """Not before, and not later."""
    sink, given_on = new_sink()
    feed(sink, records(b"one\ntw"))
    assert given_on == [b"one\n"]
    feed(sink, records(b"o\n"))
    assert given_on == [b"one\n", b"two\n"]


def test_no_end():
    """A stream without its End event is not whole; what it gave cannot be taken back, so it is not asked for again."""
    sink, given_on = new_sink()
    feed(sink, records(b"tail"))
    with pytest.raises(BadReply):
        sink.finish()
    sink.check_again()
    sink.begin(200, {}, -1)
    feed(sink, records(b"one\nta"))
    assert given_on == [b"one\n"], "what was left of the try before has gone"
    with pytest.raises(BadReply) as caught:
        sink.check_again()
    assert caught.value.code == "E_SHORT_BODY"


def test_an_error_in_the_stream():
    """Its code and words, worth a try again where it is the service's fault, and nothing was given on."""
    sink, _ = new_sink()
    with pytest.raises(S3Error, match="CastFailed: no number") as caught:
        feed(sink, CONT + error("CastFailed", "no number"))
    assert (caught.value.code, caught.value.is_retryable()) == ("CastFailed", False)
    sink, _ = new_sink()
    with pytest.raises(ServerFault):
        feed(sink, error("InternalError", "oh"))
    sink.check_again()
    sink.begin(200, {}, -1)
    with pytest.raises(ServerFault) as first:
        feed(sink, records(b"1\n") + error("InternalError", "oh"))
    with pytest.raises(ServerFault) as again:
        sink.check_again()
    assert again.value is first.value


def test_an_exception_in_the_stream():
    """The other way to say it."""
    sink, _ = new_sink()
    with pytest.raises(S3Error, match="Strange: a payload"):
        feed(sink, message(b"a payload", message_type="exception", exception_type="Strange"))


DAMAGED = bytearray(records(b"1\n"))
DAMAGED[-6] ^= 1


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>not this</body></html>",
        bytes(DAMAGED),
        bytes(64),
        b"\x7f\xff\xff\xff" + bytes(20),
    ],
    ids=["a page", "damage", "zeros", "too long"],
)
def test_what_is_no_stream(data):
    """Damage, and everything else, is a bad reply; nothing of it is given on."""
    sink, given_on = new_sink()
    with pytest.raises(BadReply, match="no stream of events"):
        feed(sink, data)
    assert given_on == []


def test_a_record_without_end(monkeypatch):
    """Memory is bounded."""
    monkeypatch.setattr(eventstream, "MAX_LINE_BYTES", 5000)
    sink, _ = new_sink()
    with pytest.raises(BadReply, match="a record of more than"):
        feed(sink, records(b"x" * 3000) + records(b"x" * 3000))
