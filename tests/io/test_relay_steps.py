"""Relays, played by hand: what is read, what is sent, and that no slot is left in use."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import MIB
from orbit_fast.io import relay
from tests.kit.flow_driver import SLOT
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import etag_reply
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged
from tests.kit.trees import content

SMALL = b"some bytes"
LARGE = content(2, MIB + 5000)
"""In slots."""
SLOTS = relay.slots_for(len(LARGE), SLOT)


def item_of(data):
    """An object to relay."""
    return Item(7, Direction.RELAY, 0, "to", size=len(data), etag="v1", source_site=1, source_key="from")


def read(data, **headers):
    """The source's answer to a GET of everything."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Body(data=data, headers={"etag": '"v1"', "x-amz-checksum-crc32c": crc(data), **named})


def crc(data):
    """In base64."""
    return checksum_of("CRC32C", data).value


def written(data):
    """The destination's answer to a PUT."""
    return etag_reply(hashlib.md5(data).hexdigest(), x_amz_checksum_crc32c=crc(data))


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_a_whole_object_is_read_once_and_sent(tmp_path, data):
    """With the checksum of what was read, and with what the source carries."""
    answers = [read(data, content_type="text/x", x_amz_meta_a="b"), written(data)]
    with staged(tmp_path, slots=SLOTS) as stage:
        driver = Driver(answers)
        ending = driver.run(relay.relay(stage.around, item_of(data)))
        assert interrupt_everywhere(stage, lambda: relay.relay(stage.around, item_of(data)), answers) == 2
    assert driver.operations == ["GetObject", "PutObject"]
    assert driver.bodies[1] == data
    assert driver.headers(0)["if-match"] == '"v1"'
    sent = driver.headers(1)
    assert (sent["x-amz-checksum-crc32c"], sent["content-type"], sent["x-amz-meta-a"]) == (crc(data), "text/x", "b")
    assert (ending.landed.size, ending.landed.verified) == (
        len(data),
        Verified.CHECKSUM if data else ending.landed.verified,
    )


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_tries_again_at_both_ends(tmp_path, data):
    """A GET that breaks off goes on; a PUT that breaks off sends all of it again; an old service is met half-way."""
    half = len(data) // 2
    head = {"etag": '"v1"', "content-range": f"bytes {half}-{len(data) - 1}/{len(data)}"}
    get = Tries(
        [
            Body(data=data, headers=read(data).headers, cut=(half, Network("cut"))),
            Body(data=data[half:], headers=head, status=206),
        ]
    )
    answers = [get, Tries([Network("cut"), HeaderRefused("no")]), written(data)]
    with staged(tmp_path, slots=SLOTS) as stage:
        driver = Driver(answers)
        ending = driver.run(relay.relay(stage.around, item_of(data)))
    assert ending.landed.size == len(data)
    assert [body for body in driver.bodies if body] == [data] * 3


def test_a_source_that_was_replaced_is_read_as_it_is_now_if_there_is_room(tmp_path):
    """Else it fails: the next run lists it anew."""
    gone = PreconditionFailed("replaced")
    facts = reply(content_length="4", etag='"v2"')
    new = Body(data=b"new!", headers={"etag": '"v2"', "x-amz-checksum-crc32c": crc(b"new!")})
    with staged(tmp_path) as stage:
        driver = Driver([gone, facts, new, written(b"new!")])
        assert driver.run(relay.relay(stage.around, item_of(SMALL))).landed.size == 4
        with pytest.raises(SourceChanged):
            Driver([gone, reply(content_length="400", etag='"v2"')]).run(relay.relay(stage.around, item_of(SMALL)))


def part_order(checksum, **begun):
    """The second part of an object of two."""
    item = replace(item_of(LARGE), size=2 * len(LARGE))
    known = Begun(7, "id", etag="v1", checksum=checksum, **begun)
    return MovePart(item, known, 2, len(LARGE), len(LARGE))


@pytest.mark.parametrize("algorithm", ["CRC32C", "CRC64NVME"])
def test_a_part_is_pinned_and_proven_twice(tmp_path, algorithm):
    """In the algorithm of the source and in that of the upload."""
    order = part_order(checksum_of(algorithm, LARGE + LARGE))
    span = f"bytes {len(LARGE)}-{2 * len(LARGE) - 1}/{2 * len(LARGE)}"
    answers = [Body(data=LARGE, headers={"etag": '"v1"', "content-range": span}, status=206), written(LARGE)]
    with staged(tmp_path, slots=SLOTS) as stage:
        driver = Driver(answers)
        fact = driver.run(relay.move_part(stage.around, order))
        assert interrupt_everywhere(stage, lambda: relay.move_part(stage.around, order), answers) == 2
    assert driver.operations == ["GetObject", "UploadPart"]
    assert driver.bodies[1] == LARGE
    assert (fact.checksum, fact.source_checksum) == (crc(LARGE), checksum_of(algorithm, LARGE).value)


@pytest.mark.parametrize("is_right", [True, False])
def test_the_end_compares_with_the_source_first(tmp_path, is_right):
    """What is not the source never gets its name."""
    stored = checksum_of("CRC64NVME", LARGE if is_right else SMALL)
    part = PartFact(
        1, 0, len(LARGE), "e", crc(LARGE), is_proven=True, source_checksum=checksum_of("CRC64NVME", LARGE).value
    )
    order = Finish(item_of(LARGE), Begun(7, "id", etag="v1", checksum=stored), (part,))
    text = f"<CompleteMultipartUploadResult><ETag>e-1</ETag><ChecksumCRC32C>{crc(LARGE)}</ChecksumCRC32C>"
    text += "<ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"
    with staged(tmp_path) as stage:
        if is_right:
            ending = Driver([reply(text.encode())]).run(relay.finish(stage.around, order))
            assert ending.landed.verified is Verified.CHECKSUM
        else:
            with pytest.raises(ChecksumMismatch):
                Driver([]).run(relay.finish(stage.around, order))
