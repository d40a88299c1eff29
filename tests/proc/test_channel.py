"""Frames: understood exactly, or not at all."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.proc import channel as room
from orbit_fast.proc.channel import MAX_PAYLOAD
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import Channel
from orbit_fast.proc.channel import ChannelFull
from orbit_fast.proc.channel import Ends
from orbit_fast.proc.channel import FrameReader
from orbit_fast.proc.channel import PeerGone
from orbit_fast.proc.channel import encode_frame
from orbit_fast.proc.channel import open_channel
from orbit_fast.proc.channel import open_pipe


@pytest.fixture
def pair():
    """Two channels that speak with each other."""
    ours, theirs = open_channel()
    left, right = Channel(ours), Channel(theirs)
    yield left, right
    left.close()
    right.close()


def read_all(channel):
    """Every payload that is in the pipe now."""
    found = []
    while payloads := channel.read():
        found += [bytes(payload) for payload in payloads]
    return found


def test_layout_of_a_frame():
    """A frame is magic, length, flipped length, CRC32, payload: fixed for ever by the version in the magic."""
    checksum = zlib.crc32(b"abc").to_bytes(4, "little")
    assert encode_frame(b"abc") == b"orb\x02\x03\0\0\0\xfc\xff\xff\xff" + checksum + b"abc"


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(1, 64), min_size=1))
def test_any_cut_gives_the_same_payloads(payloads, cuts):
    """However the bytes are cut into reads, the payloads come out whole, in order, and once."""
    data = b"".join(map(encode_frame, payloads))
    reader, found, position, turn = FrameReader(), [], 0, 0
    while position < len(data):
        piece = data[position : position + cuts[turn % len(cuts)]]
        found += [bytes(payload) for payload in reader.feed(piece)]
        position, turn = position + len(piece), turn + 1
    assert found == payloads
    assert not reader.is_mid_frame


@given(st.binary(max_size=200), st.data())
def test_every_flipped_bit_is_noticed(payload, data):
    """One flipped bit anywhere in a frame breaks it at once: no wait for bytes that never come, no wrong payload."""
    frame = bytearray(encode_frame(payload))
    bit = data.draw(st.integers(0, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BrokenFrame):
        FrameReader().feed(bytes(frame))


@given(st.binary(min_size=16, max_size=200))
def test_noise_is_refused(noise):
    """Bytes that do not begin with the magic are refused as soon as a header is there."""
    if noise[:4] == room.MAGIC:
        return
    with pytest.raises(BrokenFrame):
        FrameReader().feed(noise)


def test_other_version_is_refused():
    """A frame of another version is refused: both ends must be the same orbit."""
    with pytest.raises(BrokenFrame, match="begins with"):
        FrameReader().feed(b"orb\x01" + encode_frame(b"x")[4:])


def test_impossible_length_is_refused():
    """A consistent header that announces more than a frame may hold is refused before any memory is set aside."""
    length = MAX_PAYLOAD + 1
    header = room.MAGIC + length.to_bytes(4, "little") + (length ^ 0xFFFFFFFF).to_bytes(4, "little") + bytes(4)
    with pytest.raises(BrokenFrame, match="impossible length"):
        FrameReader().feed(header)


def test_payloads_are_not_copied():
    """A payload that came whole is a view of the bytes it came in."""
    data = bytearray(encode_frame(b"abc"))
    (payload,) = FrameReader().feed(data)
    data[-1:] = b"X"
    assert bytes(payload) == b"abX"


def test_too_long_a_message_is_refused(pair):
    """A payload longer than a frame may hold is the sender's mistake."""
    with pytest.raises(ValueError, match="does not fit"):
        pair[0].send(bytes(MAX_PAYLOAD + 1))


def test_messages_go_both_ways(pair):
    """What one side sends and flushes, the other reads; the empty message too."""
    left, right = pair
    left.send(b"order")
    left.send(b"")
    assert right.read() == []
    assert left.flush()
    assert read_all(right) == [b"order", b""]
    right.send(b"event")
    right.flush()
    assert read_all(left) == [b"event"]


def test_many_messages_are_one_write(pair, monkeypatch):
    """512 small messages leave in one system call."""
    calls = []
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, buffers: calls.append(len(buffers)) or real(fd, buffers))
    for number in range(512):
        pair[0].send(b"%d" % number)
    assert pair[0].flush()
    assert calls == [512]
    assert read_all(pair[1]) == [b"%d" % number for number in range(512)]


def test_full_pipe_is_told_once_and_loses_nothing():
    """What the pipe does not take waits; the watcher is told when that begins and when it is over."""
    ours, theirs = open_channel()
    told = []
    left, right = Channel(ours, watch_backlog=told.append, high_water=100_000), Channel(theirs)
    sent = [bytes([number]) * 70_000 for number in range(60)]
    for payload in sent:
        left.send(payload)
    assert left.is_congested
    found = []
    while not left.flush():
        assert left.queued_bytes > 0
        found += read_all(right)
    found += read_all(right)
    assert found == sent
    assert told == [True, False]
    assert left.queued_bytes == 0
    assert not left.is_congested
    left.close()
    right.close()


def test_a_producer_without_measure_is_stopped(pair):
    """The queue has a capacity: who sends on although it is congested gets an error, not all the memory."""
    payload = bytes(MAX_PAYLOAD)
    for _ in range(4):
        pair[0].send(payload)
    with pytest.raises(ChannelFull):
        pair[0].send(b"")


def test_reader_gone():
    """Writing to a process that is gone says so."""
    ours, theirs = open_channel()
    left = Channel(ours)
    theirs.close()
    left.send(b"anybody?")
    with pytest.raises(PeerGone):
        left.flush()
    left.close()


def test_writer_gone_between_messages():
    """The end of the pipe between two messages is the end, not an error."""
    ours, theirs = open_channel()
    left = Channel(ours)
    os.write(theirs.write_fd, encode_frame(b"last words"))
    theirs.close()
    assert read_all(left) == [b"last words"]
    assert left.is_ended
    assert "ended" in repr(left)
    left.close()


def test_writer_gone_inside_a_message():
    """The end of the pipe inside a message is a broken process."""
    ours, theirs = open_channel()
    left = Channel(ours)
    os.write(theirs.write_fd, encode_frame(b"last words")[:-1])
    theirs.close()
    assert left.read() == []
    with pytest.raises(BrokenFrame, match="middle of a message"):
        left.read()
    left.close()


def test_closing_twice_is_harmless(pair):
    """A second close does not close a file descriptor that has got another meaning."""
    read_fd = pair[0].read_fd
    pair[0].close()
    new = [os.pipe() for _ in range(2)]
    assert read_fd in {fd for ends in new for fd in ends}
    pair[0].close()
    for ends in new:
        for fd in ends:
            os.close(fd)


def test_pipes_do_not_leak_into_programs():
    """No end of a pipe is inherited by an executed program."""
    ends = open_pipe()
    assert [os.get_inheritable(fd) for fd in ends] == [False, False]
    Ends(read_fd=ends[0], write_fd=ends[1]).close()
