"""Bytes in memory as bodies and as targets, played by hand: what is asked, what is proven, what is left: nothing."""

from __future__ import annotations

import hashlib
import math
import random

import pytest

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.io import memory
from orbit_fast.io import upload
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import etag_reply
from tests.kit.flow_driver import staged

LARGE = random.Random(8).randbytes(upload.IN_MEMORY + 5000)
SIZES = [b"", b"some bytes", LARGE[: upload.IN_MEMORY], LARGE]
ITEM = Item(1, Direction.UPLOAD, 0, "k.txt")
CUT = Network("cut")


def _crc(data):
    return checksum_of("CRC32C", data).value


def _md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.mark.parametrize("data", SIZES, ids=len)
def test_bytes_are_put_with_their_checksum(tmp_path, data):
    """Small ones with the head, large ones as a body of views; both as one request."""
    with staged(tmp_path) as stage:
        driver = Driver([etag_reply("e", x_amz_checksum_crc32c=_crc(data), x_amz_version_id="v")])
        ending = driver.run(memory.put(stage.around, ITEM, memoryview(data)))
    assert driver.bodies == [data]
    assert driver.headers()["x-amz-checksum-crc32c"] == _crc(data)
    assert driver.headers()["content-type"] == "text/plain"
    landed = ending.landed
    assert (landed.size, landed.version_id, landed.verified) == (len(data), "v", Verified.CHECKSUM)


@pytest.mark.parametrize("data", SIZES[1:], ids=len)
def test_an_answer_that_proves_the_contrary_is_a_failure(tmp_path, data):
    """The service stores other bytes, and says so; or says nothing where something must be said."""
    with staged(tmp_path, JobSettings(transfer=TransferSettings(require_verify=True))) as stage:
        for answer, kind in ((etag_reply(_md5(b"rotten")), ChecksumMismatch), (etag_reply("opaque"), Unverifiable)):
            with pytest.raises(kind):
                Driver([answer]).run(memory.put(stage.around, ITEM, memoryview(data)))


@pytest.mark.parametrize("data", SIZES[1:], ids=len)
def test_a_service_without_checksums_gets_md5(tmp_path, data):
    """And the body again from its start."""
    with staged(tmp_path) as stage:
        driver = Driver([HeaderRefused("x-amz-checksum", status=501), etag_reply(_md5(data))])
        ending = driver.run(memory.put(stage.around, ITEM, memoryview(data)))
    assert driver.bodies[-1] == data
    assert "content-md5" in driver.headers()
    assert ending.landed.verified is Verified.ETAG


@pytest.mark.parametrize("data", SIZES[1:], ids=len)
def test_parts_are_sent_whatever_their_size(tmp_path, data):
    """The last one may be small."""
    order = MovePart(ITEM, Begun(1, token="u"), 2, 100, len(data))
    with staged(tmp_path) as stage:
        driver = Driver([etag_reply("e", x_amz_checksum_crc32c=_crc(data))])
        part = driver.run(memory.move_part(stage.around, order, memoryview(data)))
    assert driver.bodies == [data]
    assert (part.number, part.offset, part.size, part.etag) == (2, 100, len(data), "e")
    assert (part.checksum, part.is_proven) == (_crc(data), True)


def test_a_body_is_signed_where_that_is_wanted():
    """By its SHA-256; and begins again from its start."""
    body = memory.MemoryBody(memoryview(LARGE), sign=True)
    assert body.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert b"".join(body.next_chunk() for _ in range(math.ceil(len(LARGE) / memory.STEP))) == LARGE
    body.rewind()
    assert bytes(body.next_chunk()) == LARGE[: memory.STEP]
    assert memory.MemoryBody(memoryview(LARGE), sign=False).sha256 == "UNSIGNED-PAYLOAD"


def _whole(data, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Body(data=data, headers={"etag": '"e"', **named})


@pytest.mark.parametrize("data", [b"", b"some bytes"])
def test_a_small_object_is_read_and_proven_in_one_request(tmp_path, data):
    """Against the checksum that came with it."""
    with staged(tmp_path) as stage:
        driver = Driver([_whole(data, x_amz_checksum_crc32c=_crc(data))])
        fetched = driver.run(memory.fetch(stage.around, ITEM, limit=100))
    assert (fetched.data, fetched.verified) == (data, Verified.CHECKSUM)
    assert fetched.data is fetched.data  # given away, not copied: nobody looks at the memory any more
    assert "range" not in driver.headers()


def test_an_object_that_is_read_anew_is_read_from_its_start(tmp_path):
    """Nothing of a broken answer is left in what the next one brings."""
    good = _whole(b"right", x_amz_checksum_crc32c=_crc(b"right"))
    broken = Body(data=b"wrong!", headers={"etag": '"e"'}, cut=(4, CUT))
    with staged(tmp_path) as stage:
        fetched = Driver([Tries([broken, good])]).run(memory.fetch(stage.around, ITEM, limit=100))
    assert fetched.data == b"right"


def test_an_object_that_is_too_large_is_only_looked_at(tmp_path):
    """Its GET is broken off at its head; of unknown length, it is treated so too."""
    with staged(tmp_path) as stage:
        for body, size in ((_whole(b"x" * 101), 101), (Body(data=b"x", headers={"etag": '"e"'}, is_chunked=True), -1)):
            fetched = Driver([body]).run(memory.fetch(stage.around, ITEM, limit=100))
            assert (fetched.data, fetched.facts.size, fetched.facts.etag) == (None, size, "e")


def test_damage_is_never_given_out(tmp_path):
    """Not even as an error's attribute."""
    with staged(tmp_path) as stage:
        rotten = _whole(b"rotten", x_amz_checksum_crc32c=_crc(b"right!"))
        with pytest.raises(ChecksumMismatch):
            Driver([rotten]).run(memory.fetch(stage.around, ITEM, limit=100))


def _part(data, first, total):
    last = first + len(data) - 1
    return Body(data=data, status=206, headers={"etag": '"e"', "content-range": f"bytes {first}-{last}/{total}"})


def test_a_range_of_one_version_is_read(tmp_path):
    """With its checksum, and pinned by its ETag."""
    item = Item(1, Direction.DOWNLOAD, 0, "k", size=20)
    order = MovePart(item, Begun(1, etag="e", algorithm="CRC32C"), 2, 5, 4)
    with staged(tmp_path) as stage:
        driver = Driver([_part(b"5678", 5, 20)])
        fetched = driver.run(memory.fetch_part(stage.around, order))
        data, part = fetched.data, fetched.part
        assert (data, part.checksum, part.size) == (b"5678", _crc(b"5678"), 4)
        assert (driver.headers()["range"], driver.headers()["if-match"]) == ("bytes=5-8", '"e"')
        with pytest.raises(PreconditionFailed):
            Driver([_part(b"5678", 5, 21)]).run(memory.fetch_part(stage.around, order))
