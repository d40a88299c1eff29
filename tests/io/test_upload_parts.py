"""Multipart uploads, played by hand: the steps that the ledger deals out, each in its own worker."""

from __future__ import annotations

import base64
import hashlib

import pytest

from orbit_fast.core import layout
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Reply
from orbit_fast.io import upload
from tests.kit.file_uploads import LARGE
from tests.kit.file_uploads import MISSING
from tests.kit.file_uploads import NO_CLOBBER
from tests.kit.file_uploads import SMALL
from tests.kit.file_uploads import THERE
from tests.kit.file_uploads import crc
from tests.kit.file_uploads import file_item
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import etag_reply
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged
from tests.kit.object_replies import failure
from tests.kit.object_replies import md5

CREATED = reply(b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
PARTS = [LARGE[:600_000], LARGE[600_000:]]


def completed(etag="e-2", more=""):
    """CompleteMultipartUpload's answer."""
    body = f"<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag>{more}</CompleteMultipartUploadResult>"
    return reply(body.encode())


def begun(stage, item):
    """A multipart upload that began."""
    return Driver([CREATED]).run(upload.begin(stage.around, item))


def move(stage, item, start, number, *answers):
    """Send one of the two parts; the driver and what came of it."""
    offset = sum(len(part) for part in PARTS[: number - 1])
    order = MovePart(item, start, number, offset, len(PARTS[number - 1]))
    driver = Driver(answers)
    return driver, driver.run(upload.move_part(stage.around, order))


def facts(*, proven=True):
    """Both parts, as they landed."""
    return tuple(
        PartFact(number, 0 if number == 1 else len(PARTS[0]), len(part), md5(part), crc(part), proven, 1)
        for number, part in enumerate(PARTS, start=1)
    )


def test_a_multipart_upload_from_begin_to_finish(tmp_path):
    """Create, two parts, complete with the checksum and the size of the whole."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        start = begun(stage, item)
        assert (start.token, start.algorithm) == ("id", "CRC32C")
        landed = []
        for number, part in enumerate(PARTS, start=1):
            driver, fact = move(stage, item, start, number, etag_reply(md5(part), x_amz_checksum_crc32c=crc(part)))
            assert driver.bodies == [part]
            assert driver.headers()["x-amz-checksum-crc32c"] == crc(part)
            assert dict(driver.requests[0].query) == {"partNumber": str(number), "uploadId": "id"}
            landed.append(fact)
        assert tuple(landed) == facts()
        driver = Driver([completed(more=f"<ChecksumCRC32C>{crc(LARGE)}</ChecksumCRC32C>")])
        stage.now_s += 1.5
        ending = driver.run(upload.finish(stage.around, Finish(item, start, tuple(landed))))
        stage.check_clean()
    assert driver.headers()["x-amz-checksum-crc32c"] == crc(LARGE)
    assert driver.headers()["x-amz-mp-object-size"] == str(len(LARGE))
    assert "if-none-match" not in driver.headers()
    assert (ending.landed.verified, ending.landed.parts, ending.landed.duration_ms) == (Verified.CHECKSUM, 2, 1500)


@pytest.mark.parametrize(
    ("headers", "proven"),
    [
        ({"etag": "md5"}, True),
        ({"etag": "opaque"}, False),
        ({"etag": "opaque", "x_amz_checksum_sha1": "x"}, False),
        ({"etag": "random", "x_amz_server_side_encryption": "aws:kms"}, False),
    ],
)
def test_a_part_whose_answer_has_no_checksum(tmp_path, headers, proven):
    """Its ETag proves it where that is its MD5; another algorithm's checksum proves nothing."""
    etag = {"md5": md5(PARTS[0]), "random": md5(b"random")}.get(headers["etag"], "opaque")
    more = {name: value for name, value in headers.items() if name != "etag"}
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        _, fact = move(stage, item, begun(stage, item), 1, etag_reply(etag, **more))
        assert fact.is_proven is proven
        done = Driver([completed()]).run(
            upload.finish(stage.around, Finish(item, begun(stage, item), facts(proven=proven)))
        )
    assert done.landed.verified is (Verified.ETAG if proven else Verified.SIZE)


def test_a_rotten_part_is_a_failure(tmp_path):
    """The service's ETag is the MD5 of other bytes."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        with pytest.raises(ChecksumMismatch):
            move(stage, item, begun(stage, item), 1, etag_reply(md5(b"rotten")))
        stage.check_clean()


def test_a_part_of_a_file_that_is_another_one_now_is_not_sent(tmp_path):
    """The fingerprint that the upload began with still holds when a part is opened."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        start = begun(stage, item)
        (tmp_path / "file").write_bytes(LARGE[::-1])
        with pytest.raises(SourceChanged):
            move(stage, item, start, 1)
        with pytest.raises(SourceChanged):
            Driver([]).run(upload.finish(stage.around, Finish(item, start, facts())))
        stage.check_clean()


def test_a_file_of_another_size_says_so_when_it_begins(tmp_path):
    """Its parts have been planned for the size that was listed: they are planned anew."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE, size=len(LARGE) + 1)
        start = begun(stage, item)
        assert start.size == len(LARGE)
        assert start.mtime_ns == (tmp_path / "file").stat().st_mtime_ns
        assert begun(stage, file_item(tmp_path, LARGE)).size == -1
        stage.check_clean()


@pytest.mark.parametrize("data", [b"", SMALL], ids=["empty", "small"])
def test_a_file_that_has_become_small_goes_in_one_request(tmp_path, data):
    """And needs no slot for it: nobody has kept one for a first step."""
    with staged(tmp_path, slots=1) as stage:
        taken = stage.pool.lease()
        driver = Driver([etag_reply("e", x_amz_checksum_crc32c=crc(data))])
        ending = driver.run(upload.begin(stage.around, file_item(tmp_path, data, size=len(LARGE))))
        taken.release()
    assert driver.operations == ["PutObject"]
    assert (ending.status, ending.landed.size) == (Status.DONE, len(data))


def test_a_file_that_s3_cannot_hold_any_more_does_not_begin(tmp_path, monkeypatch):
    """It has grown beyond what any number of parts can carry; here the limit has shrunk instead."""
    monkeypatch.setattr(layout, "MAX_OBJECT_BYTES", 1000)
    with staged(tmp_path) as stage, pytest.raises(TooLarge):
        Driver([]).run(upload.begin(stage.around, file_item(tmp_path, LARGE)))


@pytest.mark.parametrize(
    ("checksum", "verified"),
    [
        (f"<ChecksumCRC32C>{crc(LARGE)}</ChecksumCRC32C>", Verified.CHECKSUM),
        (f"<ChecksumCRC32C>{composite('CRC32C', [crc(part) for part in PARTS])}</ChecksumCRC32C>", Verified.CHECKSUM),
        ("<ChecksumSHA1>AAAAAAAAAAAAAAAAAAAAAAAAAAA=-2</ChecksumSHA1>", Verified.ETAG),
        ("", Verified.ETAG),
    ],
    ids=["full object", "composite", "another algorithm", "none"],
)
def test_what_the_completion_proves(tmp_path, checksum, verified):
    """The whole's checksum in whichever kind the service states it; else the parts' own proofs."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        ending = Driver([completed(more=checksum)]).run(
            upload.finish(stage.around, Finish(item, begun(stage, item), facts()))
        )
    assert ending.landed.verified is verified


@pytest.mark.parametrize("kind", ["full", "composite"])
def test_a_completion_of_other_bytes_is_a_failure(tmp_path, kind):
    """Whichever kind of checksum says so."""
    value = crc(b"rotten") if kind == "full" else composite("CRC32C", [crc(b"rotten"), crc(PARTS[1])])
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        answer = completed(more=f"<ChecksumCRC32C>{value}</ChecksumCRC32C>")
        with pytest.raises(ChecksumMismatch):
            Driver([answer]).run(upload.finish(stage.around, Finish(item, begun(stage, item), facts())))


GONE = failure(UploadGone, attempts=2, status=404)
MULTIPART_ETAG = etag_of_parts([hashlib.md5(part).digest() for part in PARTS])


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"x-amz-checksum-crc32c": crc(LARGE)}, True),
        ({"x-amz-checksum-crc32c": composite("CRC32C", [crc(part) for part in PARTS])}, True),
        ({"etag": f'"{MULTIPART_ETAG}"'}, True),
        ({"x-amz-checksum-crc32c": crc(b"another's"), "etag": f'"{MULTIPART_ETAG}"'}, False),
        ({"etag": '"other-2"'}, False),
        ({"content-length": "3", "x-amz-checksum-crc32c": crc(LARGE)}, False),
        (None, False),
    ],
)
def test_a_lost_completion_is_resolved(tmp_path, headers, is_ours):
    """NoSuchUpload after a lost answer: the object is there and ours, or the upload is gone in truth."""
    there = MISSING if headers is None else Reply(status=200, headers={"content-length": str(len(LARGE)), **headers})
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver = Driver([GONE, there])
        flow = upload.finish(stage.around, Finish(item, begun(stage, item), facts()))
        if is_ours:
            ending = driver.run(flow)
            assert (ending.status, ending.landed.attempts) == (Status.DONE, 2)
        else:
            with pytest.raises(UploadGone):
                driver.run(flow)
    assert driver.operations == ["CompleteMultipartUpload", "HeadObject"]


def test_a_multipart_upload_replaces_nothing_either(tmp_path):
    """--no-clobber: the condition stands on the completion; its refusal aborts the upload and is a skip."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        item = file_item(tmp_path, LARGE)
        start = Begun(7, "id", fingerprint=Driver([MISSING, CREATED]).run(upload.begin(stage.around, item)).fingerprint)
        driver = Driver([failure(PreconditionFailed, status=412), THERE, reply(status=204)])
        ending = driver.run(upload.finish(stage.around, Finish(item, start, facts())))
    assert dict(driver.requests[0].headers)["if-none-match"] == "*"
    assert driver.operations == ["CompleteMultipartUpload", "HeadObject", "AbortMultipartUpload"]
    assert (ending.status, ending.reason) == (Status.SKIPPED, "exists")


def test_an_old_service_gets_a_multipart_upload_it_understands(tmp_path):
    """No checksum at its beginning, Content-MD5 with each part, a bare completion."""
    refuse = failure(HeaderRefused, status=501)
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver = Driver([refuse, CREATED])
        start = driver.run(upload.begin(stage.around, item))
        assert "x-amz-checksum-algorithm" not in driver.headers()
        driver, fact = move(stage, item, start, 1, etag_reply(md5(PARTS[0])))
        assert driver.headers()["content-md5"] == base64.b64encode(hashlib.md5(PARTS[0]).digest()).decode()
        assert "x-amz-checksum-crc32c" not in driver.headers()
        assert fact.is_proven
        driver = Driver([refuse, completed()])
        ending = driver.run(upload.finish(stage.around, Finish(item, start, facts())))
        assert driver.requests[-1].headers == ()
        assert b"Checksum" not in driver.requests[-1].body
        stage.check_clean()
    assert ending.landed.verified is Verified.ETAG


def test_a_part_steps_down_by_itself(tmp_path):
    """Another worker created the upload: this one learns from its own refusal, and sends the part from its start."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        start = begun(stage, item)
        driver, fact = move(stage, item, start, 1, failure(HeaderRefused, status=400), etag_reply(md5(PARTS[0])))
        stage.check_clean()
    assert driver.bodies == [PARTS[0], PARTS[0]]
    assert fact.is_proven


def test_the_steps_of_a_multipart_upload_leave_nothing_when_interrupted(tmp_path):
    """Closed or failed at each request: no slot, no descriptor."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        item = file_item(tmp_path, LARGE)
        begin = [MISSING, CREATED]
        assert interrupt_everywhere(stage, lambda: upload.begin(stage.around, item), begin) == 2
        start = Driver(begin).run(upload.begin(stage.around, item))
        order = MovePart(item, start, 1, 0, len(PARTS[0]))
        assert interrupt_everywhere(stage, lambda: upload.move_part(stage.around, order), [etag_reply("e")]) == 1
        done = Finish(item, start, facts())
        refused = [failure(PreconditionFailed), THERE, reply(status=204)]
        assert interrupt_everywhere(stage, lambda: upload.finish(stage.around, done), refused) == 3


@pytest.mark.parametrize("answer", [reply(status=204), failure(UploadGone, status=404)])
def test_an_upload_that_is_gone_is_abandoned_well(tmp_path, answer):
    """Aborting twice is no failure."""
    with staged(tmp_path) as stage:
        driver = Driver([answer])
        driver.run(upload.abandon(stage.around, file_item(tmp_path, SMALL), Begun(7, "id")))
    assert driver.operations == ["AbortMultipartUpload"]


def test_an_abort_that_fails_is_told(tmp_path):
    """What is not aborted is billed."""
    with staged(tmp_path) as stage, pytest.raises(AccessDenied):
        Driver([failure(AccessDenied)]).run(upload.abandon(stage.around, file_item(tmp_path, SMALL), Begun(7, "id")))


@pytest.mark.parametrize(("algorithm", "kind"), [("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")])
def test_the_checksum_of_the_whole(algorithm, kind):
    """CRCs combine to the object's own; hashes only to a composite."""
    parts = [PartFact(n, 0, len(p), checksum=checksum_of(algorithm, p).value) for n, p in enumerate(PARTS, start=1)]
    whole = upload.whole_checksum(algorithm, parts)
    assert whole.kind == kind
    if kind == "FULL_OBJECT":
        assert whole.value == checksum_of(algorithm, LARGE).value
        assert whole.value == combine(algorithm, [(part.checksum, part.size) for part in parts])
    else:
        assert whole.value == composite(algorithm, [part.checksum for part in parts])
