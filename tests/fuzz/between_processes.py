"""Targets for what processes tell each other: frames, orders and events, lines of the engine's process."""

from __future__ import annotations

import msgspec

from orbit_fast.client.engine_events import read_event
from orbit_fast.core.errors import BadReply
from orbit_fast.core.messages import decode_event
from orbit_fast.core.messages import decode_order
from orbit_fast.core.messages import encode
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import FrameReader
from orbit_fast.proc.channel import encode_frame
from orbit_fast.testing.aws_chunked import SIGNED_TRAILER
from orbit_fast.testing.aws_chunked import STREAMING
from orbit_fast.testing.aws_chunked import UNSIGNED_TRAILER
from orbit_fast.testing.aws_chunked import AwsChunkedDecoder
from orbit_fast.testing.exchange import Proof
from orbit_fast.testing.exchange import Refusal
from tests.fuzz.pieces import cuts_of
from tests.fuzz.pieces import outcome


def frames(data: bytes) -> None:
    """Bytes of a pipe: the same payloads however they arrive, or a broken frame; what is framed comes out as it was."""
    whole = _payloads([data])
    for cut in cuts_of(data):
        assert _payloads(cut) == whole
    payloads = next(cuts_of(data + b"."))
    framed = b"".join(map(encode_frame, payloads))
    for cut in cuts_of(framed):
        assert _payloads(cut) == (payloads, False)
    damaged = bytearray(framed)
    damaged[len(data) % len(damaged)] ^= 1 + (data[0] & 0x7F if data else 0)
    found = outcome(lambda: _fed(FrameReader(), [bytes(damaged)]), BrokenFrame)
    assert found == "BrokenFrame" or found != payloads


def _payloads(cut: list[bytes]) -> tuple[object, bool]:
    """The payloads, or that a frame is broken; and whether the bytes end within one."""
    reader = FrameReader()
    found = outcome(lambda: _fed(reader, cut), BrokenFrame)
    return found, found != "BrokenFrame" and reader.is_mid_frame


def _fed(reader: FrameReader, cut: list[bytes]) -> list[bytes]:
    return [bytes(payload) for piece in cut for payload in reader.feed(piece)]


def orders(data: bytes) -> None:
    """A payload: an order or event that means the same when it is sent on, or a decoding error."""
    for read in (decode_order, decode_event):
        message = outcome(lambda read=read: read(data), msgspec.DecodeError, UnicodeDecodeError)
        if not isinstance(message, str):
            assert encode(read(encode(message))) == encode(message)


def engine_lines(data: bytes) -> None:
    """A line of the engine's process: an event or a bad reply."""
    event = outcome(lambda: read_event(data), BadReply)
    assert event == "BadReply" or event.operation is not None


def aws_chunked(data: bytes) -> None:
    """A body in S3's own coding, as the embedded server takes it: decoded or refused, the same in any pieces."""
    for kind in sorted(STREAMING):
        whole = _decoded([data], kind)
        for cut in cuts_of(data):
            pieced = _decoded(cut, kind)
            assert pieced == whole
    coded = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
    refusal, decoded, _ = _decoded([coded], UNSIGNED_TRAILER)
    assert (refusal, decoded) == ("", data)
    assert data == b"" or _decoded([coded], SIGNED_TRAILER)[0]


def _decoded(cut: list[bytes], kind: str) -> tuple[str, bytes, dict[str, str]]:
    """The code of the refusal, the bytes, the trailers."""
    pieces: list[bytes] = []
    proof = Proof(signing_key=b"k", signature="0" * 64, amz_date="20260102T030405Z", scope="s", payload_hash=kind)
    decoder = AwsChunkedDecoder(proof, pieces.append)
    try:
        for piece in cut:
            decoder.feed(piece)
        decoder.finish()
    except Refusal as refusal:
        return refusal.code, b"", {}
    assert sum(map(len, pieces)) <= sum(map(len, cut))
    return "", b"".join(pieces), decoder.trailers
