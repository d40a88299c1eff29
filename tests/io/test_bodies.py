"""A range of a file as a request body: read through one slot, twice, and watched."""

from __future__ import annotations

import hashlib
import os

import pytest

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.io.bodies import FileBody
from orbit_fast.io.sources import open_source

DATA = os.urandom(1000)


@pytest.fixture
def source(tmp_path):
    """An open file."""
    (tmp_path / "f").write_bytes(DATA)
    with open_source(bytes(tmp_path / "f")) as source:
        yield source


def body_of(source, offset=0, size=1000, slot=64):
    """A body that has a small slot."""
    return FileBody(source, offset, size, slot=memoryview(bytearray(slot)), algorithm="CRC32C")


@pytest.mark.parametrize(("offset", "size"), [(0, 1000), (0, 1), (999, 1), (100, 64), (100, 65), (936, 64)])
@pytest.mark.parametrize("sign", [True, False])
def test_exactly_the_range_in_chunks_of_a_slot(source, offset, size, sign):
    """Every byte once, with the checksum and, where the payload is signed, the digest; again after a rewind."""
    body = body_of(source, offset, size)
    wanted = DATA[offset : offset + size]
    assert body.size == size
    assert body.prepare(sign=sign) == checksum_of("CRC32C", wanted)
    assert body.sha256 == (hashlib.sha256(wanted).hexdigest() if sign else UNSIGNED_PAYLOAD)
    for _ in range(2):
        taken = b""
        while len(taken) < size:
            chunk = body.next_chunk()
            assert 0 < len(chunk) <= 64
            taken += chunk
        assert taken == wanted
        body.rewind()
    assert body.md5() == hashlib.md5(wanted).digest()


def test_bytes_that_changed_since_they_were_announced_do_not_end(source, tmp_path):
    """The last chunk is refused: the request cannot succeed."""
    body = body_of(source)
    body.prepare(sign=False)
    with (tmp_path / "f").open("r+b") as file:
        file.write(b"changed")
    for _ in range(len(DATA) // 64):
        body.next_chunk()
    with pytest.raises(SourceChanged):
        body.next_chunk()


@pytest.mark.parametrize("read", ["prepare", "next_chunk", "md5"])
def test_a_file_that_became_shorter_holds_no_slot(source, tmp_path, read):
    """The error's own frames refer to no memory of the slot."""
    slot = memoryview(bytearray(64))
    body = FileBody(source, 0, len(DATA), slot=slot, algorithm="CRC32C")
    os.truncate(tmp_path / "f", 100)

    def read_all():
        if read == "prepare":
            body.prepare(sign=False)
        elif read == "md5":
            body.md5()
        else:
            while True:
                body.next_chunk()

    with pytest.raises(SourceChanged) as caught:
        read_all()
    frames = []
    trace = caught.value.__traceback__
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    held = [name for frame in frames for name, value in frame.f_locals.items() if isinstance(value, memoryview)]
    assert held == ["slot"]  # this test's own


def test_a_file_that_cannot_be_read(source):
    """What the system says, as one of orbit's errors."""
    body = body_of(source)
    os.close(source.fd)
    source.fd = os.open("/", os.O_RDONLY)
    with pytest.raises(LocalError) as caught:
        body.next_chunk()
    assert caught.value.code.startswith("E_")
