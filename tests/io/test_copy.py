"""Copies inside the service, played by hand: what is asked, what is carried over, what proves the copy."""

from __future__ import annotations

import hashlib

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.io import copy
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

V1 = hashlib.md5(b"v1").hexdigest()
V2 = hashlib.md5(b"v2").hexdigest()
ITEM = Item(7, Direction.COPY, 0, "to", size=100, etag=V1, source_site=1, source_key="from me")
NO_CLOBBER = JobSettings(selection=SelectionSettings(no_clobber=True))
MISSING = NotFound("here", "to")


def failure(kind, *, attempts=1):
    """An error as the client throws it."""
    error = kind("told so")
    error.attempts = attempts
    return error


def copied(etag=V1):
    """CopyObject's answer."""
    return reply(f"<CopyObjectResult><ETag>&quot;{etag}&quot;</ETag></CopyObjectResult>".encode())


def facts(size=100, etag="e", **headers):
    """HEAD's answer."""
    return reply(content_length=str(size), etag=f'"{etag}"', **headers)


# --- one request -----------------------------------------------------------------------------------------------------


def test_an_equal_md5_etag_proves_a_copy_with_one_request(tmp_path):
    """The copy is pinned to the version that was listed."""
    with staged(tmp_path) as stage:
        driver = Driver([copied()])
        ending = driver.run(copy.copy(stage.around, ITEM))
    assert driver.operations == ["CopyObject"]
    assert driver.headers()["x-amz-copy-source"] == "there/from%20me"
    assert driver.headers()["x-amz-copy-source-if-match"] == f'"{V1}"'
    assert "x-amz-metadata-directive" not in driver.headers()
    assert "content-type" not in driver.headers()
    assert (ending.status, ending.landed.verified, ending.landed.size) == (Status.DONE, Verified.ETAG, 100)


@pytest.mark.parametrize(
    ("source", "made", "verified"),
    [
        ({"x_amz_checksum_crc32c": "AAAAAA=="}, {"x_amz_checksum_crc32c": "AAAAAA=="}, Verified.CHECKSUM),
        ({"x_amz_checksum_crc32c": "AAAAAA==-2"}, {"x_amz_checksum_crc32c": "BBBBBB==-3"}, Verified.SIZE),
        ({"x_amz_checksum_crc32c": "AAAAAA=="}, {"x_amz_checksum_sha1": "x"}, Verified.SIZE),
        ({}, {}, Verified.SIZE),
        ({"etag": V1}, {"etag": V1}, Verified.ETAG),
        ({"etag": V1}, {"etag": V1, "x_amz_server_side_encryption": "aws:kms"}, Verified.SIZE),
    ],
)
def test_other_copies_are_proven_by_looking_at_both(tmp_path, source, made, verified):
    """Equal checksums of one kind; else equal MD5 ETags; else the size."""
    with staged(tmp_path) as stage:
        driver = Driver([copied("opaque-2"), facts(**source), facts(**made)])
        ending = driver.run(copy.copy(stage.around, ITEM))
    assert driver.operations == ["CopyObject", "HeadObject", "HeadObject"]
    assert ending.landed.verified is verified


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (facts(99), SizeMismatch),
        (facts(x_amz_checksum_crc32c="BBBBBB=="), ChecksumMismatch),
    ],
)
def test_a_copy_that_is_not_the_source_is_a_failure(tmp_path, made, kind):
    """Exit code 3."""
    with staged(tmp_path) as stage, pytest.raises(kind):
        Driver([copied("opaque"), facts(x_amz_checksum_crc32c="AAAAAA=="), made]).run(copy.copy(stage.around, ITEM))


def test_a_source_that_was_replaced_since_the_listing_is_copied_as_it_is(tmp_path):
    """One request copies one version: the second try asks for any, and says the size that came of it."""
    with staged(tmp_path) as stage:
        driver = Driver([failure(PreconditionFailed), copied(V2), facts(5, V2), facts(5, V2)])
        ending = driver.run(copy.copy(stage.around, ITEM))
    assert "x-amz-copy-source-if-match" not in dict(driver.requests[1].headers)
    assert (ending.landed.size, ending.landed.verified) == (5, Verified.ETAG)


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        (
            ObjectSettings(metadata_directive="REPLACE", metadata=(("a", "b"),)),
            {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-a": "b", "content-type": "text/html"},
        ),
        (ObjectSettings(tags=(("t", "1"),)), {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "t=1"}),
        (ObjectSettings(storage_class="STANDARD_IA"), {"x-amz-storage-class": "STANDARD_IA"}),
    ],
)
def test_what_the_user_gives_the_copy(tmp_path, options, headers):
    """Directives follow from what is given; a type is guessed only where the source's own is replaced."""
    with staged(tmp_path, JobSettings(object=options)) as stage:
        driver = Driver([copied()])
        driver.run(copy.copy(stage.around, replace(ITEM, key="to.html")))
    assert headers.items() <= driver.headers().items()
    assert ("content-type" in driver.headers()) == ("content-type" in headers)


def test_conditions_and_dry_runs_end_early(tmp_path):
    """A HEAD of the destination; nothing at all."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        for flow in (copy.copy, copy.begin):
            ending = Driver([facts()]).run(flow(stage.around, ITEM))
            assert (ending.status, ending.reason) == (Status.SKIPPED, "exists")
    with staged(tmp_path, JobSettings(output=OutputSettings(dry_run=True))) as stage:
        for flow in (copy.copy, copy.begin):
            assert Driver([]).run(flow(stage.around, ITEM)).status is Status.PLANNED


# --- multipart -------------------------------------------------------------------------------------------------------

CREATED = reply(b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>")
COMPLETED = reply(
    b"<CompleteMultipartUploadResult><ETag>&quot;m-2&quot;</ETag></CompleteMultipartUploadResult>", attempts=2
)
TAGS = reply(b"<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>")
PARTS = (PartFact(1, 0, 60, "p1"), PartFact(2, 60, 40, "p2"))


def begun(stage, *answers):
    """A multipart copy that began."""
    driver = Driver(answers or [facts(etag=V1), CREATED])
    return driver, driver.run(copy.begin(stage.around, ITEM))


def test_a_multipart_copy_carries_over_what_the_source_has(tmp_path):
    """Content headers, metadata and tags, which CopyObject would copy by itself."""
    source = facts(
        etag=V1,
        content_type="text/plain",
        cache_control="no-store",
        x_amz_meta_who="me",
        x_amz_tagging_count="1",
    )
    with staged(tmp_path) as stage:
        driver, start = begun(stage, source, TAGS, CREATED)
    assert driver.operations == ["HeadObject", "GetObjectTagging", "CreateMultipartUpload"]
    wanted = {
        "content-type": "text/plain",
        "cache-control": "no-store",
        "x-amz-meta-who": "me",
        "x-amz-tagging": "a%20b=1",
    }
    assert driver.headers() == wanted
    assert (start.token, start.etag, start.content_type, start.size) == ("id", V1, "text/plain", -1)


def test_what_the_user_gives_wins_over_what_the_source_has(tmp_path):
    """Tags of the user's are not even asked of the source; REPLACE leaves all of it behind."""
    source = facts(etag=V1, content_type="text/plain", x_amz_meta_who="me", x_amz_tagging_count="1")
    with staged(tmp_path, JobSettings(object=ObjectSettings(tags=(("t", "1"),), content_type="a/b"))) as stage:
        driver, _ = begun(stage, source, CREATED)
    assert driver.headers() == {"content-type": "a/b", "x-amz-meta-who": "me", "x-amz-tagging": "t=1"}
    replaced = JobSettings(object=ObjectSettings(metadata_directive="REPLACE", tags=(("t", "1"),)))
    with staged(tmp_path, replaced) as stage:
        driver, _ = begun(stage, source, CREATED)
    assert driver.headers() == {"x-amz-tagging": "t=1"}


def test_parts_are_ranges_of_the_version_that_it_began_with(tmp_path):
    """UploadPartCopy with range and condition."""
    answer = reply(b"<CopyPartResult><ETag>&quot;p2&quot;</ETag></CopyPartResult>", attempts=3)
    with staged(tmp_path) as stage:
        _, start = begun(stage)
        driver = Driver([answer])
        fact = driver.run(copy.move_part(stage.around, MovePart(ITEM, start, 2, 60, 40)))
    assert driver.headers()["x-amz-copy-source-range"] == "bytes=60-99"
    assert driver.headers()["x-amz-copy-source-if-match"] == f'"{V1}"'
    assert (fact.etag, fact.number, fact.attempts) == ("p2", 2, 3)


def test_a_source_of_another_size_begins_as_it_is_now(tmp_path):
    """The size goes back, so that the parts are cut anew; one that cannot be does not begin."""
    with staged(tmp_path) as stage:
        assert begun(stage, facts(77, V2), CREATED)[1].size == 77
        for size in (0, 1 << 60):
            with pytest.raises(SizeMismatch):
                begun(stage, facts(size))


def test_a_multipart_copy_is_compared_with_its_source(tmp_path):
    """After the completion, by checksum."""
    same = {"x_amz_checksum_crc64nvme": "AAAAAAAAAAA="}
    with staged(tmp_path) as stage:
        _, start = begun(stage)
        driver = Driver([COMPLETED, facts(etag=V1, **same), facts(etag="m-2", **same)])
        ending = driver.run(copy.finish(stage.around, Finish(ITEM, start, PARTS)))
    assert (ending.landed.verified, ending.landed.parts, ending.landed.attempts) == (Verified.CHECKSUM, 2, 2)
    assert ending.landed.etag == "m-2"


def test_a_source_that_is_replaced_afterwards_is_no_mismatch(tmp_path):
    """What it is by now says nothing about the copy, whose size must still be right."""
    with staged(tmp_path) as stage:
        _, start = begun(stage)
        now = facts(3, V2, x_amz_checksum_crc32c="AAAAAA==")
        ending = Driver([COMPLETED, now, facts()]).run(copy.finish(stage.around, Finish(ITEM, start, PARTS)))
        assert ending.landed.verified is Verified.SIZE
        with pytest.raises(SizeMismatch):
            Driver([COMPLETED, now, facts(99)]).run(copy.finish(stage.around, Finish(ITEM, start, PARTS)))


SAME = {"x_amz_checksum_crc64nvme": "AAAAAAAAAAA="}


@pytest.mark.parametrize(
    ("looks", "is_ours"),
    [
        ([facts(etag=V1, **SAME), facts(**SAME)] * 2, True),
        ([facts(etag=V1, **SAME), MISSING], False),
        ([facts(etag=V1, **SAME), facts(99)], False),
        ([facts(etag=V1), facts()], False),
    ],
)
def test_a_lost_completion_is_resolved(tmp_path, looks, is_ours):
    """NoSuchUpload after a lost answer: the copy is there, proven, or the upload is gone in truth."""
    answers = [failure(UploadGone, attempts=2), *looks]
    with staged(tmp_path) as stage:
        _, start = begun(stage)
        flow = copy.finish(stage.around, Finish(ITEM, start, PARTS))
        if is_ours:
            assert Driver(answers).run(flow).landed.attempts == 2
        else:
            with pytest.raises(UploadGone):
                Driver(answers).run(flow)


def test_a_multipart_copy_replaces_nothing_and_speaks_old_dialects(tmp_path):
    """--no-clobber is a condition of the completion; what the service does not know is left out."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        _, start = begun(stage, MISSING, facts(etag=V1), CREATED)
        driver = Driver([failure(PreconditionFailed), reply(status=204)])
        ending = driver.run(copy.finish(stage.around, Finish(ITEM, start, PARTS)))
        assert dict(driver.requests[0].headers)["if-none-match"] == "*"
        assert driver.operations[-1] == "AbortMultipartUpload"
        assert (ending.status, ending.reason) == (Status.SKIPPED, "exists")
        driver = Driver([failure(HeaderRefused), COMPLETED, facts(etag=V1, **SAME), facts(**SAME)])
        assert driver.run(copy.finish(stage.around, Finish(ITEM, start, PARTS))).status is Status.DONE
        assert driver.requests[1].headers == ()


def test_copies_leave_nothing_when_interrupted(tmp_path):
    """Closed or failed at each request."""
    with staged(tmp_path) as stage:
        _, start = begun(stage)
        order = Finish(ITEM, start, PARTS)
        both = [facts(etag=V1), facts()]
        assert interrupt_everywhere(stage, lambda: copy.copy(stage.around, ITEM), [copied("x"), *both]) == 3
        assert interrupt_everywhere(stage, lambda: copy.begin(stage.around, ITEM), [facts(), CREATED]) == 2
        assert interrupt_everywhere(stage, lambda: copy.finish(stage.around, order), [COMPLETED, *both]) == 3
