"""What arrives: too short, too long, other bytes, another range, other bytes stored.

Rows without a test here:

===  ==================================================================================================================
B14  a PUT that is acknowledged with the right checksum and not stored: an answer that proves the bytes is believed, and
     no request is spent on asking again.
===  ==================================================================================================================
"""

from __future__ import annotations

import gzip
import itertools

import pytest

from orbit_fast.testing.store import Attributes
from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import PART
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

GET = "GetObject"
MEDIUM = 300_000
SIZES = {"whole": MEDIUM, "ranges": LARGE}
SIZED = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
CUT = 100_000


def hit(lab, action, size, *, times=1, operation=GET):
    """Make `action` happen to a whole object, or to its second part."""
    lab.plan.add(Rule(action=action, operation=operation, part=2 if size == LARGE else 0, times=times))


# --- B1, B2: the body breaks off --------------------------------------------------------------------------------------

BREAKS = {
    "close": act.cut(keep=CUT),
    "reset": act.cut(keep=CUT, how="reset"),
    "nothing": act.cut(keep=0),
    "all but one": act.cut(keep=MEDIUM - 1),
    "chunks": act.chunked(keep=CUT, ends=False),
}


@SIZED
@pytest.mark.parametrize("how", BREAKS)
def test_b1_b2_a_body_that_breaks_off_once_is_overcome(lab, how, size):
    """A body that ends before Content-Length, or chunks without their end, are asked for again."""
    hit(lab, BREAKS[how], size)
    lab.download(size=size).right()


@SIZED
@pytest.mark.parametrize("how", BREAKS)
def test_b1_b2_a_body_that_always_breaks_off_fails(lab, how, size):
    """Bodies that break off again and again at the same byte fail the object; what was there stays."""
    action = BREAKS[how]
    lab.plan.add(Rule(action=act.cut(keep=0), operation=GET, part=2 if size == LARGE else 0, nth=2, times=ALWAYS))
    hit(lab, action, size)
    lab.download(size=size).failed(1, "E_SHORT_BODY", "E_CONN_RESET")


def test_b1_a_broken_body_goes_on_where_it_ended(lab):
    """The next request asks for what is missing, of the same version."""
    lab.plan.add(Rule(action=act.cut(keep=200_000), operation=GET))
    lab.download(size=MEDIUM).right()
    again = [one for one in lab.plan.requests if one.operation == GET][1]
    first = int(again.headers["range"].removeprefix("bytes=").partition("-")[0])
    assert 0 < first <= 200_000
    assert again.headers["if-match"]


def test_b1_a_body_that_breaks_off_and_goes_on_makes_progress(lab):
    """Each answer brings 100,000 bytes and breaks: an object of more pieces than tries allowed still arrives."""
    lab.plan.add(Rule(action=act.cut(keep=CUT), operation=GET, times=9))
    lab.download(size=10 * CUT - 1).right()


def test_b1_a_broken_body_that_goes_on_as_another_version_is_not_mixed(lab):
    """The object is replaced between the two halves: the file is one of the two versions, never both."""
    old, new = content(1, MEDIUM), content(2, MEDIUM)
    lab.put("object", old)
    lab.plan.add(Rule(action=act.cut(keep=200_000), operation=GET))
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", new)), operation=GET, nth=2))
    lab.download(new).right()


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "CreateMultipartUpload", "ListObjectsV2"])
def test_b1_a_document_that_breaks_off_is_no_answer(lab, operation):
    """An XML answer that breaks off is asked for again, or resolved."""
    lab.plan.add(Rule(action=act.cut(keep=60), operation=operation))
    if operation == "ListObjectsV2":
        lab.put("p/object", content(1, SMALL))
        lab.download_all({"object": content(1, SMALL)}, prefix="p/").right()
    else:
        lab.upload(LARGE).right(orphans=operation == "CreateMultipartUpload")


# --- B3, B4: another length -------------------------------------------------------------------------------------------

LESS = {
    "length": act.resize(keep=CUT),
    "chunks": act.chunked(keep=CUT),
    "close": act.until_close(keep=CUT),
    "empty": act.resize(keep=0),
    "one less, chunked": act.chunked(keep=MEDIUM - 1),
}
MORE = {"length": act.resize(add=1), "chunks": act.chunked(add=1000), "much": act.chunked(add=200_000)}
NO_PROOF = act.headers(drop=["x-amz-checksum-.*", "etag", "content-range"])


@SIZED
@pytest.mark.parametrize("how", LESS)
def test_b3_fewer_bytes_than_the_object_has_are_not_the_object(lab, how, size):
    """A clean answer with fewer bytes than HEAD or Content-Range said fails in the end as an integrity failure."""
    hit(lab, LESS[how], size, times=ALWAYS)
    lab.download(size=size).honest(1, 3)


@pytest.mark.parametrize("how", ["length", "chunks"])
def test_b3_the_failure_is_one_of_size(lab, how):
    """A whole object that stays too small is an integrity failure: exit status 3."""
    lab.plan.add(Rule(action=LESS[how], operation=GET, times=ALWAYS))
    lab.download(size=MEDIUM).failed(3, "E_SIZE_MISMATCH")


@SIZED
@pytest.mark.parametrize("how", LESS)
def test_b3_fewer_bytes_once_are_overcome(lab, how, size):
    """One such answer is asked for again."""
    hit(lab, LESS[how], size)
    lab.download(size=size).right()


@pytest.mark.parametrize("how", LESS)
def test_b3_fewer_bytes_of_an_object_without_checksum(lab, how):
    """The service stores no checksum and the ETag is no MD5: the size of the listing is proof enough against this."""
    data = content(5, MEDIUM)
    lab.put("object", data, checksum="", part_size=PART)
    lab.plan.add(Rule(action=LESS[how], operation=GET, times=ALWAYS))
    lab.download(data).honest(1, 3)


@SIZED
@pytest.mark.parametrize("how", MORE)
def test_b4_more_bytes_than_the_object_has_are_not_the_object(lab, how, size):
    """More bytes than known before fail, and nothing is written past the range."""
    hit(lab, MORE[how], size, times=ALWAYS)
    lab.download(size=size).honest(1, 3)


@SIZED
@pytest.mark.parametrize("how", MORE)
def test_b4_more_bytes_once_are_overcome(lab, how, size):
    """One such answer is asked for again."""
    hit(lab, MORE[how], size)
    lab.download(size=size).right()


def test_b4_bytes_behind_the_end_of_an_answer_belong_to_nobody(lab):
    """What follows a whole body on the connection is not taken for the next answer."""
    data = {f"f{number}": content(number, SMALL) for number in range(6)}
    for name, one in data.items():
        lab.put(name, one)
    lab.plan.add(Rule(action=act.overrun(add=500), operation=GET, times=3))
    lab.download_all(data, "--workers", "1").right()


# --- B5 - B7: other bytes ---------------------------------------------------------------------------------------------


@SIZED
def test_b5_a_flipped_bit_for_ever_is_an_integrity_failure(lab, size):
    """The same damage over and over: exit status 3, and nothing of it under the name."""
    hit(lab, act.flip(offset=70_000), size, times=ALWAYS)
    lab.download(size=size).failed(3, "E_CHECKSUM_MISMATCH")


@SIZED
def test_b5_a_flipped_bit_once_is_overcome(lab, size):
    """Damage on the way is asked for again."""
    hit(lab, act.flip(offset=70_000), size)
    lab.download(size=size).right()


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "MD5"])
@SIZED
def test_b5_every_kind_of_proof_sees_a_flipped_bit(lab, algorithm, size):
    """A stored checksum of any algorithm, or an ETag that is an MD5, catches a bit; without damage it proves."""
    data = content(6, size)
    lab.put("object", data, checksum="" if algorithm == "MD5" else algorithm)
    run = lab.download(data).right()
    assert run.done["verified"] == ("etag" if algorithm == "MD5" else "checksum")
    hit(lab, act.flip(offset=70_000), size, times=ALWAYS)
    lab.download(data).failed(3, "E_CHECKSUM_MISMATCH")


PROOFS = {
    "full object at HEAD": {"checksum": "CRC64NVME"},
    "CRC32 composite": {"checksum": "CRC32", "kind": "COMPOSITE"},
    "CRC32C composite": {"checksum": "CRC32C", "kind": "COMPOSITE"},
    "SHA256 composite": {"checksum": "SHA256", "kind": "COMPOSITE"},
    "ETag of parts": {"checksum": ""},
}


@pytest.mark.parametrize("part_size", [PART, 6 * 1024 * 1024, 8 * 1024 * 1024], ids=["5", "6", "8"])
@pytest.mark.parametrize("proof", PROOFS)
def test_b6_an_object_of_parts_is_proven(lab, proof, part_size):
    """A multipart object is proven by its full or composite checksum, or by an ETag whose parts can be inferred."""
    data = content(6, LARGE)
    lab.put("object", data, part_size=part_size, **PROOFS[proof])
    run = lab.download(data).right()
    assert run.done["verified"] in {"checksum", "etag"}


@pytest.mark.parametrize("proof", PROOFS)
def test_b6_a_flipped_bit_of_an_object_of_parts_is_seen(lab, proof):
    """A flipped bit of a multipart object is an integrity failure, whatever the proof is."""
    data = content(6, LARGE)
    lab.put("object", data, part_size=PART, **PROOFS[proof])
    hit(lab, act.flip(offset=70_000), LARGE, times=ALWAYS)
    lab.download(data).failed(3, "E_CHECKSUM_MISMATCH")


@pytest.mark.parametrize("proof", PROOFS)
def test_b6_a_flipped_bit_of_an_object_of_one_part_is_seen(lab, proof):
    """The same for an object that was uploaded as a single part, and comes in one GET."""
    data = content(6, MEDIUM)
    lab.put("object", data, part_size=PART, **PROOFS[proof])
    lab.plan.add(Rule(action=act.flip(offset=70_000), operation=GET, times=ALWAYS))
    lab.download(data).failed(3, "E_CHECKSUM_MISMATCH")


@SIZED
def test_b6_a_checksum_that_only_head_shows_is_used(lab, size):
    """The GET carries no checksum: the one that HEAD shows is the proof."""
    lab.plan.add(Rule(action=act.headers(drop=["x-amz-checksum-.*"]), operation=GET, times=ALWAYS))
    data = content(6, size)
    lab.put("object", data, part_size=PART)
    assert lab.download(data).right().done["verified"] == "checksum"


KMS = Attributes(encryption={"x-amz-server-side-encryption": "aws:kms"})
OPAQUE = {"checksum": "", "attributes": KMS, "etag": "0123456789abcdef0123456789abcdef"}


@SIZED
def test_b6_what_cannot_be_proven_is_said_to_be_unproven(lab, size):
    """An encrypted object without a checksum: its size is compared, the event and the summary say so."""
    data = content(6, size)
    lab.put("object", data, **OPAQUE)
    run = lab.download(data).right()
    assert run.done["verified"] == "size"
    assert run.result.summary["unverified"] == 1


@SIZED
def test_b6_require_verify_fails_what_cannot_be_proven(lab, size):
    """``--require-verify`` makes that a failure: exit status 3, and what was there stays."""
    data = content(6, size)
    lab.put("object", data, **OPAQUE)
    lab.download(data, "--require-verify").failed(3, "E_UNVERIFIED")


ERROR_DOCUMENT = "<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"


@SIZED
def test_b7_an_error_document_inside_a_body_is_seen(lab, size):
    """An error document amid the bytes of an object is damage like any other."""
    hit(lab, act.overwrite(data=ERROR_DOCUMENT, offset=70_000), size, times=ALWAYS)
    lab.download(size=size).failed(3, "E_CHECKSUM_MISMATCH")


def test_b7_an_error_document_as_long_as_the_object_is_not_the_object(lab):
    """200 and an error document of just the object's size, with none of its headers."""
    xml = {"content-type": "application/xml"}
    lab.plan.add(Rule(action=act.reply(body=ERROR_DOCUMENT, headers=xml), operation=GET, times=ALWAYS))
    lab.download(size=len(ERROR_DOCUMENT)).honest(1, 3)


# --- B8 - B11: another range ------------------------------------------------------------------------------------------


def test_b8_a_service_that_ignores_range_is_read_in_one_stream(lab):
    """Every range gets 200 and the whole object: the object is fetched in one stream instead."""
    lab.plan.add(Rule(action=act.ignore_range(), operation=GET, times=ALWAYS))
    lab.download(size=LARGE).right()


@pytest.mark.parametrize("part", [1, 2, 3])
def test_b8_one_range_that_is_ignored_is_overcome(lab, part):
    """One part gets the whole object: it is not written at the part's place."""
    lab.plan.add(Rule(action=act.ignore_range(), operation=GET, part=part))
    lab.download(size=LARGE).right()


def test_b8_status_200_with_the_right_content_range_is_the_range(lab):
    """Some services answer a range with 200 and a Content-Range that is right: accepted."""
    lab.plan.add(Rule(action=act.headers(status=200), operation=GET, part=2, times=ALWAYS))
    lab.download(size=LARGE).right()


def _ranged(first, last, total):
    return act.headers(put={"content-range": f"bytes {first}-{last}/{total}"})


RANGES = {
    "shifted": _ranged(PART + 1, 2 * PART, LARGE),
    "first": _ranged(0, PART - 1, LARGE),
    "longer": _ranged(PART, 2 * PART, LARGE),
    "other size": _ranged(PART, 2 * PART - 1, LARGE + 1),
    "garbage": act.headers(put={"content-range": "bytes many"}),
    "none": act.headers(drop=["content-range"]),
    "byteranges": act.headers(drop=["content-range"], put={"content-type": "multipart/byteranges; boundary=x"}),
}


@pytest.mark.parametrize("how", RANGES)
def test_b9_b10_b11_another_range_once_is_overcome(lab, how):
    """One answer with another Content-Range than asked, with none, or in the form of byteranges, is asked for again."""
    lab.plan.add(Rule(action=RANGES[how], operation=GET, part=2))
    lab.download(size=LARGE).right()


@pytest.mark.parametrize("how", RANGES)
def test_b9_b10_b11_another_range_for_ever_is_never_written(lab, how):
    """For ever, it is a failure, or the object is fetched in one stream; the bytes are never taken for the part's."""
    lab.plan.add(Rule(action=RANGES[how], operation=GET, part=2, times=ALWAYS))
    lab.download(size=LARGE).honest(0, 1, 3)


# --- B12, B13: damaged uploads ----------------------------------------------------------------------------------------

UPLOADS = {"small": (SMALL, "PutObject"), "streamed": (2_000_000, "PutObject"), "part": (LARGE, "UploadPart")}
UPLOADED = pytest.mark.parametrize(("size", "operation"), UPLOADS.values(), ids=UPLOADS)
SIGNED = pytest.mark.parametrize("options", [(), ("--unsigned-payload",)], ids=["signed", "unsigned"])


@UPLOADED
@SIGNED
def test_b12_an_upload_damaged_on_the_way_is_sent_again(lab, size, operation, options):
    """The service refuses what does not have its checksum; the same bytes go out again."""
    lab.plan.add(Rule(action=act.damage_upload(offset=SMALL - 1), operation=operation))
    lab.upload(size, *options).right()


@UPLOADED
@SIGNED
def test_b12_an_upload_always_damaged_on_the_way_fails(lab, size, operation, options):
    """Damage that repeats is an integrity failure: exit status 3, nothing stored, no upload left."""
    lab.plan.add(Rule(action=act.damage_upload(offset=SMALL - 1), operation=operation, times=ALWAYS))
    lab.upload(size, *options).failed(3, "BadDigest", "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@UPLOADED
def test_b12_every_algorithm_guards_an_upload(lab, algorithm, size, operation):
    """Whatever the algorithm, damage is refused by the service and overcome."""
    lab.plan.add(Rule(action=act.damage_upload(offset=100), operation=operation))
    lab.upload(size, "--unsigned-payload", "--checksum-algorithm", algorithm).right()


@UPLOADED
@pytest.mark.parametrize("says", [True, False], ids=["checksum", "etag"])
def test_b13_other_bytes_stored_are_an_integrity_failure(lab, size, operation, says):
    """The service stores other bytes and says so by checksum or ETag: that is no success."""
    action = act.store_damaged(offset=50, says_checksum=says)
    if not says:
        lab.plan.add(Rule(action=act.headers(drop=["x-amz-checksum-.*"]), operation=operation, times=ALWAYS))
    lab.plan.add(Rule(action=action, operation=operation, times=ALWAYS))
    lab.upload(size).honest(3, harmless=False)


@UPLOADED
def test_b13_other_bytes_stored_once(lab, size, operation):
    """Once, it is overcome or an integrity failure; never a success over wrong bytes."""
    action = act.store_damaged(offset=50, says_checksum=True)
    lab.plan.add(Rule(action=action, operation=operation))
    lab.upload(size).honest(0, 3, harmless=False)


def test_b13_a_complete_that_names_another_checksum_is_an_integrity_failure(lab):
    """The completed object's checksum is not that of what was sent."""
    edit = act.edit(pattern="<ChecksumCRC32C>[^<]*<", to="<ChecksumCRC32C>AAAAAA==<")
    lab.plan.add(Rule(action=edit, operation="CompleteMultipartUpload", times=ALWAYS))
    lab.upload(LARGE).failed(3, "E_REMOTE_MISMATCH", "E_CHECKSUM_MISMATCH", unproven=True)


def test_b13_a_copy_that_is_another_object_is_an_integrity_failure(lab):
    """The service copies other bytes: checksums of source and copy differ."""

    def damage():
        lab.server.store.put(OTHER, "object", b"other bytes")

    lab.plan.add(Rule(action=act.then(run=damage), operation="CopyObject", times=ALWAYS))
    lab.plan.add(
        Rule(action=act.edit(pattern="<ETag>[^<]*<", to="<ETag>&quot;x-1&quot;<"), operation="-", times=ALWAYS)
    )
    data = content(9, SMALL)
    lab.put("object", data, part_size=PART)
    lab.copy(data).honest(3, harmless=False, fires=False)


# --- B15, B16: codings ------------------------------------------------------------------------------------------------

PACKED = gzip.compress(content(1, 50_000), mtime=0)


def test_b15_a_stored_coding_is_left_alone(lab):
    """An object with Content-Encoding: gzip arrives as it is stored, and a copy keeps the header."""
    lab.put("object", PACKED, attributes=Attributes(headers={"content-encoding": "gzip"}))
    lab.download(PACKED).right()
    lab.copy(PACKED).right()
    assert lab.server.store.bucket(OTHER).find("object").attributes.headers["content-encoding"] == "gzip"
    assert {one.headers.get("accept-encoding") for one in lab.plan.requests} == {"identity"}


@pytest.mark.parametrize("is_chunked", [True, False])
def test_b16_a_coding_made_on_the_way_is_refused(lab, is_chunked):
    """A proxy that compresses sends other bytes: not the object, whatever it says of it."""

    def answer(request):
        etag = lab.server.store.bucket(BUCKET).find("object").etag
        headers = [("content-encoding", "gzip"), ("etag", f'W/"{etag}"')]
        return act.HttpResponse(headers=headers, body=act.Content.of(PACKED))

    lab.plan.add(Rule(action=act.handle(run=answer), operation=GET, times=ALWAYS))
    if is_chunked:
        lab.plan.add(Rule(action=act.chunked(), operation=GET, times=ALWAYS))
    data = content(1, 50_000)
    lab.put("object", data)
    lab.download(data).honest(1, 3)


def test_b16_a_coding_as_long_as_the_object_is_refused(lab):
    """The same where the coded bytes happen to be as many, and nothing proves the bytes."""

    def answer(request):
        return act.HttpResponse(headers=[("content-encoding", "gzip")], body=act.Content.of(PACKED))

    lab.plan.add(Rule(action=act.handle(run=answer), operation=GET, times=ALWAYS))
    data = content(1, len(PACKED))
    lab.put("object", data, checksum="", part_size=PART)
    lab.download(data).honest(1, 3)


# --- pairs ------------------------------------------------------------------------------------------------------------

PAIRED = {
    "flip": act.flip(offset=1000),
    "cut": act.cut(keep=CUT),
    "short": act.resize(keep=CUT),
    "long": act.resize(add=7),
    "reset": act.cut(keep=0, how="reset"),
}


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(PAIRED, 2)))
def test_b5_two_faults_in_a_row_are_overcome(lab, first, second):
    """A broken connection does not use up the second look at damage; two kinds of damage may be the end."""
    lab.plan.add(Rule(action=PAIRED[first], operation=GET))
    lab.plan.add(Rule(action=PAIRED[second], operation=GET))
    data = content(8, MEDIUM)
    lab.put("object", data)
    damages = {"flip", "short", "long"}
    lab.download(data).honest(*((0, 3) if {first, second} <= damages else (0,)))


def test_b1_verdicts_do_not_depend_on_the_client(lab):
    """A file that is not there is no success, whatever is said of it: the judge looks for itself."""
    aim = Aim(wanted={"object": b"x"}, directory=lab.target)
    assert not aim.judge(lab.server).is_right
