"""Objects and ranges into the stage, played by hand: what is asked, what is refused, what is proven."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Open
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.io.fetch import fetch
from orbit_fast.io.fetch import look
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

DATA = bytes(range(256)) * 40
SUM = checksum_of("CRC32C", DATA)
RANGE = Fetch(5, 0, "k", 4096, 4096, etag="v1", offset=1000, size=3000, total=len(DATA), algorithm="CRC32C")
WHOLE = Fetch(5, 0, "k", 4096, 12288)
NO_VERIFY = JobSettings(transfer=TransferSettings(verify=False))


def run(tmp_path, flow_of, order, answers, settings=None):
    """Play a flow; what it returns, the driver, and what then stands in the stage."""
    memory = bytearray(b"\xaa" * 20480)
    with staged(tmp_path, settings) as stage:
        around = dataclasses.replace(stage.around, stage=memoryview(memory))
        driver = Driver(answers)
        result = driver.run(flow_of(around, order))
    return result, driver, memory


def ranged(data=None, *, first=1000, etag="v1", total=10240, status=206):
    """The answer to a ranged GET."""
    data = DATA[1000:4000] if data is None else data
    headers = {"etag": f'"{etag}"', "content-range": f"bytes {first}-{first + len(data) - 1}/{total}"}
    return Body(data=data, headers=headers, status=status)


def whole(data=DATA, **headers):
    """The answer to a GET of everything."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Body(data=data, headers={"etag": '"v1"', **named})


def test_a_range_comes_to_its_place(tmp_path):
    """Nothing beside it is touched; its checksum goes back; the version is pinned."""
    fetched, driver, memory = run(tmp_path, fetch, RANGE, [ranged()])
    assert memory[4096:7096] == DATA[1000:4000]
    assert set(memory[:4096]) | set(memory[7096:]) == {0xAA}
    assert (fetched.number, fetched.size) == (5, 3000)
    assert fetched.checksum == checksum_of("CRC32C", DATA[1000:4000]).value
    assert driver.headers()["range"] == "bytes=1000-3999"
    assert driver.headers()["if-match"] == '"v1"'


def test_a_range_that_breaks_off_goes_on_where_it_stopped(tmp_path):
    """The next try asks for the rest alone."""
    cut = dataclasses.replace(ranged(), cut=(1200, Network("cut")))
    rest = ranged(DATA[2200:4000], first=2200)
    fetched, driver, memory = run(tmp_path, fetch, RANGE, [Tries([cut, rest])])
    assert memory[4096:7096] == DATA[1000:4000]
    assert driver.headers()["range"] == "bytes=2200-3999"
    assert (fetched.checksum, fetched.attempts) == (checksum_of("CRC32C", DATA[1000:4000]).value, 2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ranged(etag="v2"), PreconditionFailed),
        (ranged(total=9999), PreconditionFailed),
        (ranged(first=1001), BadReply),
        (ranged(DATA[1000:3999]), BadReply),
        (whole(), RangeIgnored),
        (dataclasses.replace(ranged(DATA[1000:3999]), headers=ranged().headers), SizeMismatch),
        (dataclasses.replace(ranged(DATA[1000:4001]), headers=ranged().headers), SizeMismatch),
        (dataclasses.replace(ranged(DATA[1000:4001]), headers=ranged().headers, is_chunked=True), SizeMismatch),
        (dataclasses.replace(ranged(DATA[1000:6000]), headers=ranged().headers, is_chunked=True), SizeMismatch),
    ],
)
def test_another_range_or_version_is_no_answer(tmp_path, answer, error):
    """It fails, and never writes behind its room."""
    memory = bytearray(b"\xaa" * 20480)
    with staged(tmp_path) as stage:
        around = dataclasses.replace(stage.around, stage=memoryview(memory))
        with pytest.raises(error):
            Driver([answer]).run(fetch(around, RANGE))
    assert set(memory[:4096]) | set(memory[8192:]) == {0xAA}


@pytest.mark.parametrize(
    ("headers", "verified"),
    [
        ({"x_amz_checksum_crc32c": SUM.value}, Verified.CHECKSUM),
        ({"etag": f'"{hashlib.md5(DATA).hexdigest()}"'}, Verified.ETAG),
    ],
)
def test_a_whole_object_is_proven_where_it_arrives(tmp_path, headers, verified):
    """What is not the object is not there."""
    fetched, driver, memory = run(tmp_path, fetch, WHOLE, [whole(**headers)])
    assert memory[4096 : 4096 + len(DATA)] == DATA
    assert (fetched.size, fetched.verified) == (len(DATA), verified)
    assert "range" not in driver.headers()
    assert "if-match" not in driver.headers()  # whatever is there now is as good
    with pytest.raises(ChecksumMismatch):
        run(tmp_path, fetch, WHOLE, [whole(DATA[:-1] + b"!", **headers)])


def test_a_checksum_that_does_not_come_with_the_bytes_is_asked_for(tmp_path):
    """And compared with what stands in the stage."""
    answers = [whole(), reply(content_length=str(len(DATA)), etag='"v1"', x_amz_checksum_crc32c=SUM.value)]
    fetched, driver, _ = run(tmp_path, fetch, WHOLE, answers)
    assert driver.operations == ["GetObject", "HeadObject"]
    assert (fetched.verified, fetched.proof) == (Verified.CHECKSUM, SUM)


def test_nothing_is_proven_that_is_not_to_be(tmp_path):
    """``--no-verify``."""
    fetched, driver, _ = run(tmp_path, fetch, WHOLE, [whole(x_amz_checksum_crc32c=SUM.value)], NO_VERIFY)
    assert fetched.verified is Verified.NOTHING
    assert "x-amz-checksum-mode" not in driver.headers()


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_object_that_has_grown_is_refused(tmp_path, is_chunked):
    """There is no room for it."""
    with pytest.raises(IntegrityError):
        run(tmp_path, fetch, WHOLE, [dataclasses.replace(whole(DATA * 2), is_chunked=is_chunked)])


@pytest.mark.parametrize(
    ("headers", "asked", "part_size"),
    [
        ({"x_amz_checksum_crc32c": SUM.value}, 0, 0),
        ({"etag": f'"{hashlib.md5(DATA).hexdigest()}"'}, 0, 0),
        ({"etag": f'"{"0" * 32}-2"'}, 2, 6000),
        ({"etag": f'"{"0" * 32}-2"', "x_amz_server_side_encryption": "aws:kms"}, 0, 0),
        ({"x_amz_checksum_sha256": "A" * 43 + "=-2", "x_amz_checksum_type": "COMPOSITE"}, 2, 6000),
    ],
)
def test_an_object_is_looked_at(tmp_path, headers, asked, part_size):
    """Its parts are asked for only where its proof is made of theirs."""
    named = {"content_length": str(len(DATA)), "etag": '"v1"', **headers}
    etag = named["etag"]
    parts = [reply(content_length=str(size), etag=etag) for size in (6000, len(DATA) - 6000)]
    opened, driver, _ = run(tmp_path, look, Open(3, 0, "k"), [reply(**named), *parts[:asked]])
    assert (opened.number, opened.size, opened.part_size) == (3, len(DATA), part_size)
    assert len(driver.requests) == 1 + asked
