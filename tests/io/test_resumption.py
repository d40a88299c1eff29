"""Objects that an earlier job had begun, played by hand: what is believed of them, and what is moved again."""

from __future__ import annotations

import os

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.io import download
from orbit_fast.io import resumption
from orbit_fast.io import upload
from tests.kit.file_uploads import LARGE
from tests.kit.file_uploads import crc
from tests.kit.file_uploads import file_item
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged
from tests.kit.object_replies import DATA
from tests.kit.object_replies import failure
from tests.kit.object_replies import head_reply
from tests.kit.object_replies import item_of
from tests.kit.object_replies import md5
from tests.kit.object_replies import rest
from tests.kit.object_replies import value

SIZE = 400_000
PIECES = [LARGE[at : at + SIZE] for at in range(0, len(LARGE), SIZE)]
GONE = UploadGone("gone")
ABORTED = reply(status=204)
INTENT_S = 1_767_323_045
INTENT = Begun(7, since_ns=INTENT_S * 10**9)


def fact(number, **changes):
    """A part of the file as it landed."""
    data = PIECES[number - 1]
    return replace(PartFact(number, (number - 1) * SIZE, len(data), md5(data), crc(data), True), **changes)


def earlier(item, *numbers, **changes):
    """What is remembered of its upload, with these parts."""
    with upload.open_source(item.path) as source:
        fingerprint = source.fingerprint
    begun = Begun(
        1,
        token="id",
        fingerprint=fingerprint,
        algorithm="CRC32C",
        size=len(LARGE),
        part_size=SIZE,
        landed=tuple(fact(number) for number in numbers),
    )
    return replace(begun, **changes)


def listed(*numbers, checksum=crc, etag=md5, cut=0, marker=0):
    """A page of ListParts: these parts of the file."""
    parts = ""
    for number in numbers:
        data = PIECES[number - 1]
        stated = f"<ChecksumCRC32C>{checksum(data)}</ChecksumCRC32C>" if checksum else ""
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag(data)}&quot;</ETag>"
        parts += f"<Size>{len(data) - cut}</Size>{stated}</Part>"
    more = f"<NextPartNumberMarker>{marker}</NextPartNumberMarker>" if marker else ""
    truncated = f"<IsTruncated>{'true' if marker else 'false'}</IsTruncated>"
    return reply(f"<ListPartsResult>{truncated}{more}{parts}</ListPartsResult>".encode())


def take_up(stage, item, begun, *answers):
    """Take it up; the driver, and what came of it."""
    driver = Driver(answers)
    found = driver.run(resumption.take_up(stage.around, item, begun))
    stage.check_clean(temps=len(stage.temps()))
    return driver, found


def numbers_of(begun):
    """The parts that are believed."""
    return [part.number for part in begun.landed]


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_parts_that_the_service_lists_as_they_are_remembered_are_believed(tmp_path):
    """All pages of them; the rest is sent, and the object has its bytes."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver, begun = take_up(stage, item, earlier(item, 1, 2), listed(1, marker=1), listed(2))
        assert driver.operations == ["ListParts", "ListParts"]
        assert (begun.item, begun.token, begun.part_size, begun.resumed_bytes) == (7, "id", SIZE, 2 * SIZE)
        assert begun.landed == (fact(1), fact(2))
        order = MovePart(item, replace(begun, landed=()), 3, 2 * SIZE, len(PIECES[2]))
        last = Driver([reply(etag=f'"{md5(PIECES[2])}"')]).run(upload.move_part(stage.around, order))
        stage.check_clean()
    assert last.checksum == crc(PIECES[2])


@pytest.mark.parametrize(
    ("page", "believed"),
    [
        (listed(1), [1]),
        (listed(1, 2, etag=lambda _: "other", checksum=None), []),
        (listed(1, 2, checksum=lambda _: crc(b"other")), []),
        (listed(1, 2, cut=1), []),
        (listed(1, 2, checksum=None), [1, 2]),
        (listed(1, 2, 3), [1, 2, 3]),
        (listed(3), [3]),
        (listed(3, checksum=None), []),
        (listed(3, checksum=lambda _: crc(b"other")), []),
        (listed(1, etag=lambda _: "other"), [1]),
    ],
    ids=[
        "one is not there",
        "other ETags",
        "other checksums",
        "other sizes",
        "no checksums",
        "one that nobody heard of",
        "only that",
        "one that nobody heard of, without a checksum",
        "one that nobody heard of, of another file",
        "sent again by a worker that died",
    ],
)
def test_what_is_listed_otherwise_is_sent_again(tmp_path, page, believed):
    """Number, size, ETag and checksum must agree, or the file's bytes must have the checksum."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        _, begun = take_up(stage, item, earlier(item, 1, 2), page)
    assert numbers_of(begun) == believed
    assert begun.resumed_bytes == sum(len(PIECES[number - 1]) for number in believed)


def test_a_part_that_cannot_be_one_is_not_believed(tmp_path):
    """A remembered part of another layout, or beyond the end."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        odd = (fact(1, offset=1), fact(2, size=5), replace(fact(3), number=99))
        _, begun = take_up(stage, item, earlier(item, landed=odd), listed(checksum=None))
    assert begun.landed == ()


@pytest.mark.parametrize("changed", [{"fingerprint": (1, 2, 3, 4, 5)}, {"size": 5}])
def test_a_file_that_changed_is_not_gone_on_with(tmp_path, changed):
    """The old upload is aborted before a new one begins."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver, found = take_up(stage, item, earlier(item, 1, **changed), ABORTED)
    assert found == Abandoned(7)
    assert driver.operations == ["AbortMultipartUpload"]


@pytest.mark.parametrize("answer", [GONE, AccessDenied("no"), HeaderRefused("what?"), BadReply("none of it")])
def test_an_upload_that_is_gone_or_not_shown_begins_anew(tmp_path, answer):
    """What is left of it is aborted; one that is gone already is fine."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver, found = take_up(stage, item, earlier(item, 1), answer, GONE)
    assert found == Abandoned(7)
    assert driver.operations == ["ListParts", "AbortMultipartUpload"]


@pytest.mark.parametrize("kind", [Network, NotS3])
def test_a_service_that_cannot_be_asked_now_leaves_everything_as_it_is(tmp_path, kind):
    """The transfer fails; the next run tries again."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        with pytest.raises(kind):
            take_up(stage, item, earlier(item, 1), failure(kind))
        stage.check_clean()


@pytest.mark.parametrize("is_ours", [True, False])
def test_an_upload_that_was_completed_is_only_finished(tmp_path, is_ours):
    """It is gone because the job was killed after its last step: the object is there, and is this file."""
    there = reply(content_length=str(len(LARGE)), x_amz_checksum_crc32c=crc(LARGE if is_ours else b"other"))
    there.headers |= {"x-amz-checksum-type": "FULL_OBJECT", "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT"}
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        answers = (GONE, there) if is_ours else (GONE, there, GONE)
        _, begun = take_up(stage, item, earlier(item, 1, 2, 3), *answers)
        if not is_ours:
            assert begun == Abandoned(7)
            return
        order = Finish(item, replace(begun, landed=()), begun.landed)
        ending = Driver([GONE, there]).run(upload.finish(stage.around, order))
    assert (ending.status, ending.landed.resumed_bytes) == (Status.DONE, len(LARGE))


# --- uploads that nobody heard of ------------------------------------------------------------------------------------


def uploads(*found):
    """A page of ListMultipartUploads: key, id, seconds after the intent."""
    body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
    for key, upload_id, after_s in found:
        second = 5 + after_s
        time = f"2026-01-02T03:{4 + second // 60:02}:{second % 60:02}.000Z"
        body += f"<Upload><Key>{key}</Key><UploadId>{upload_id}</UploadId><Initiated>{time}</Initiated></Upload>"
    return reply(f"{body}</ListMultipartUploadsResult>".encode())


def test_an_upload_that_nobody_heard_of_is_aborted(tmp_path):
    """Of this very key, begun when somebody was about to, without a part; others are left alone."""
    found = uploads(("k", "late", 1000), ("k", "old", -61), ("k", "ours", 1), ("k", "used", 2), ("k/2", "other", 1))
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        driver, abandoned = take_up(stage, item, INTENT, found, listed(), ABORTED, listed(1))
    assert abandoned == Abandoned(7)
    assert driver.operations == ["ListMultipartUploads", "ListParts", "AbortMultipartUpload", "ListParts"]
    assert [dict(request.query).get("uploadId") for request in driver.requests[1:]] == ["ours", "ours", "used"]


def test_a_service_that_does_not_list_uploads_is_not_asked_again(tmp_path):
    """Nobody will ever know; the object begins anew."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, LARGE)
        assert take_up(stage, item, INTENT, AccessDenied("no"))[1] == Abandoned(7)
        with pytest.raises(Network):
            take_up(stage, item, INTENT, failure(Network))


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [Direction.COPY, Direction.RELAY])
@pytest.mark.parametrize(
    ("head", "believed"),
    [(head_reply(content_length=str(len(LARGE))), [1]), (head_reply(content_length="5"), None),
     (head_reply(content_length=str(len(LARGE)), etag='"v2"'), None)],
    ids=["the same", "another size", "another version"],
)  # fmt: skip
def test_a_copy_goes_on_with_the_version_that_it_began_with(tmp_path, direction, head, believed):
    """Its parts are believed as they are remembered; one that nobody heard of is copied again."""
    item = Item(7, direction, 0, "k", size=len(LARGE), etag="v1", source_site=1, source_key="s")
    begun = Begun(1, token="id", etag="v1", algorithm="CRC32C", size=len(LARGE), part_size=SIZE, landed=(fact(1),))
    with staged(tmp_path) as stage:
        driver, found = take_up(stage, item, begun, head, listed(1, 3) if believed else ABORTED)
    if believed is None:
        assert found == Abandoned(7)
        assert driver.operations == ["HeadObject", "AbortMultipartUpload"]
        return
    assert (numbers_of(found), found.etag, found.token) == (believed, "v1", "id")


# --- downloads -------------------------------------------------------------------------------------------------------

CUT = 4000
RANGES = [(1, 0, CUT), (2, CUT, CUT), (3, 2 * CUT, len(DATA) - 2 * CUT)]


def stored(**changes):
    """The answer to HEAD."""
    known = {"x_amz_checksum_crc64nvme": value(DATA), "x_amz_checksum_type": "FULL_OBJECT"}
    return head_reply(**{**known, **changes})


def interrupted(stage, item, *numbers):
    """A download of which these ranges have landed, as a later job remembers it."""
    begun = Driver([stored()]).run(download.begin(stage.around, item))
    landed = []
    for number, offset, size in RANGES:
        if number in numbers:
            order = MovePart(item, begun, number, offset, size)
            answer = rest(offset, last=offset + size - 1)
            landed.append(Driver([answer]).run(download.move_part(stage.around, order)))
    return Begun(
        1,
        temp=begun.temp,
        etag=begun.etag,
        algorithm=begun.algorithm,
        size=item.size,
        part_size=CUT,
        landed=tuple(landed),
    )


def test_ranges_that_are_read_again_are_believed(tmp_path):
    """The rest is fetched, and the whole is proven and published."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        _, begun = take_up(stage, item, interrupted(stage, item, 1, 3), stored())
        assert (numbers_of(begun), begun.resumed_bytes) == ([1, 3], CUT + RANGES[2][2])
        order = MovePart(item, replace(begun, landed=()), *RANGES[1])
        part = Driver([rest(CUT, last=2 * CUT - 1)]).run(download.move_part(stage.around, order))
        parts = (begun.landed[0], part, begun.landed[1])
        ending = Driver([]).run(download.finish(stage.around, Finish(item, order.begun, parts)))
        stage.check_clean()
    assert (tmp_path / "out" / "a" / "file").read_bytes() == DATA
    assert (ending.landed.verified, ending.landed.resumed_bytes) == ("checksum", begun.resumed_bytes)


def test_a_range_that_is_not_what_landed_is_fetched_again(tmp_path):
    """A byte was changed on the disk, or the file cut short: what a power cut leaves."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        begun = interrupted(stage, item, 1, 2, 3)
        with open(begun.temp, "r+b") as file:
            file.seek(5)
            file.write(bytes([DATA[5] ^ 1]))
        os.truncate(begun.temp, len(DATA) - 1)
        assert numbers_of(take_up(stage, item, begun, stored())[1]) == [2]


@pytest.mark.parametrize(
    "answer",
    [stored(etag='"v2"'), stored(content_length="5"), head_reply()],
    ids=["another version", "another size", "another proof"],
)
def test_an_object_that_was_replaced_is_fetched_anew(tmp_path, answer):
    """The temporary file is removed."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        assert take_up(stage, item, interrupted(stage, item, 1), answer)[1] == Abandoned(7)
        stage.check_clean()


def test_a_temporary_file_that_is_gone_or_none_of_ours_is_not_used(tmp_path):
    """What a journal names is opened only beside the destination, and only under a temporary name."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        begun = interrupted(stage, item, 1)
        os.unlink(begun.temp)
        assert take_up(stage, item, begun, stored())[1] == Abandoned(7)
        precious = tmp_path / "out" / "a" / "precious"
        precious.write_bytes(DATA)
        elsewhere = replace(begun, temp=bytes(precious))
        assert take_up(stage, item, elsewhere, stored())[1] == Abandoned(7)
        assert precious.read_bytes() == DATA


def test_an_object_that_is_not_there_any_more_fails(tmp_path):
    """As it would without an earlier job."""
    with staged(tmp_path) as stage:
        item = item_of(tmp_path)
        begun = interrupted(stage, item, 1)
        with pytest.raises(NotFound):
            take_up(stage, item, begun, NotFound("here", "k"))
        Driver([]).run(resumption.abandon(stage.around, item, begun))
        stage.check_clean()
        assert Driver([]).run(resumption.abandon(stage.around, item, INTENT)) is None
