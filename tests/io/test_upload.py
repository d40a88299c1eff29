"""Uploads in one request, played by hand: what is asked, what each answer proves, what is left: nothing."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.errors import Vanished
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings
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


@pytest.mark.parametrize("data", [b"", SMALL, b"x" * upload.IN_MEMORY, LARGE], ids=["empty", "small", "edge", "large"])
def test_a_file_goes_out_whole_with_its_checksum(tmp_path, data):
    """One PutObject with exactly the file's bytes and their checksum, whatever the size."""
    with staged(tmp_path) as stage:
        driver = Driver([etag_reply("e", x_amz_checksum_crc32c=crc(data), x_amz_version_id="v")])
        ending = driver.run(upload.upload(stage.around, file_item(tmp_path, data)))
        stage.check_clean()
    assert driver.operations == ["PutObject"]
    assert driver.bodies == [data]
    assert driver.headers()["x-amz-checksum-crc32c"] == crc(data)
    assert "if-none-match" not in driver.headers()
    assert (ending.status, ending.landed.size, ending.landed.etag) == (Status.DONE, len(data), "e")
    assert (ending.landed.verified, ending.landed.version_id) == (Verified.CHECKSUM, "v")


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("headers", "settings", "verified"),
    [
        ({"x_amz_checksum_crc32c": "ours"}, JobSettings(), Verified.CHECKSUM),
        (
            {"x_amz_checksum_crc32c": "ours", "x_amz_checksum_crc64nvme": "AAAAAAAAAAA="},
            JobSettings(),
            Verified.CHECKSUM,
        ),
        ({"x_amz_checksum_sha256": "other"}, JobSettings(), Verified.ETAG),
        ({}, JobSettings(), Verified.ETAG),
        ({"x_amz_server_side_encryption": "AES256"}, JobSettings(), Verified.ETAG),
        ({"x_amz_server_side_encryption": "aws:kms"}, JobSettings(), Verified.SIZE),
        ({}, JobSettings(object=ObjectSettings(sse="aws:kms")), Verified.SIZE),
    ],
)
def test_what_the_answer_proves(tmp_path, data, headers, settings, verified):
    """Our checksum, stated by the service; else an ETag that is our MD5; else nothing but the size."""
    said = {name: crc(data) if value == "ours" else value for name, value in headers.items()}
    etag = md5(data) if verified is not Verified.SIZE else md5(b"other")
    with staged(tmp_path, settings) as stage:
        ending = Driver([etag_reply(etag, **said)]).run(upload.upload(stage.around, file_item(tmp_path, data)))
    assert ending.landed.verified is verified


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (etag_reply("e", x_amz_checksum_crc32c=crc(b"rotten")), "E_REMOTE_MISMATCH"),
        (etag_reply(md5(b"rotten")), "E_ETAG_MISMATCH"),
    ],
)
def test_an_answer_that_proves_the_contrary_is_a_failure(tmp_path, data, answer, code):
    """The service stores other bytes, and says so: exit code 3, never a success."""
    with staged(tmp_path) as stage:
        with pytest.raises(ChecksumMismatch) as caught:
            Driver([answer]).run(upload.upload(stage.around, file_item(tmp_path, data)))
        assert caught.value.code == code
        del caught
        stage.check_clean()


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_an_upload_that_is_interrupted_leaves_nothing(tmp_path, data):
    """Closed or failed at its one request: no slot, no descriptor."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, data)
        assert interrupt_everywhere(stage, lambda: upload.upload(stage.around, item), [etag_reply("e")]) == 1


def test_a_file_that_grew_since_it_was_listed_needs_no_slot(tmp_path):
    """Nobody has kept one for it: it passes through memory of its own, and arrives as it is now."""
    with staged(tmp_path, slots=1) as stage:
        taken = stage.pool.lease()
        driver = Driver([etag_reply(md5(LARGE))])
        ending = driver.run(upload.upload(stage.around, file_item(tmp_path, LARGE, size=10)))
        taken.release()
    assert driver.bodies == [LARGE]
    assert ending.landed.size == len(LARGE)


def test_more_uploads_than_slots_are_a_mistake(tmp_path):
    """Who starts flows counts slots; one too many fails and does not wait."""
    with staged(tmp_path, slots=1) as stage:
        taken = stage.pool.lease()
        with pytest.raises(Internal):
            Driver([]).run(upload.upload(stage.around, file_item(tmp_path, LARGE)))
        taken.release()


def changes_to(path, data):
    """An answer to a PutObject during which the file becomes another one, of this content."""

    def change(call):
        if call.body is not None:
            call.body.next_chunk()
        path.write_bytes(data)
        if call.body is not None:
            call.body.rewind()
        return etag_reply("e")

    return change


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_file_that_changes_under_way_is_no_success(tmp_path, data):
    """It never stops changing: exit code 3 after the third time, and no slot is left lingering."""
    with staged(tmp_path, slots=1) as stage:
        item = file_item(tmp_path, data)
        driver = Driver([changes_to(tmp_path / "file", data[::-1])] * upload.CHANGES)
        with pytest.raises(SourceChanged):
            driver.run(upload.upload(stage.around, item))
        stage.check_clean()
    assert driver.operations == ["PutObject"] * 3


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("later", [b"", SMALL[::-1], LARGE[::-1]], ids=["emptied", "small then", "large then"])
def test_a_file_that_changed_once_is_uploaded_as_it_is_then(tmp_path, data, later):
    """Its new bytes go out with their own checksum, whatever their number; there is one slot for both."""
    with staged(tmp_path, slots=1) as stage:
        item = file_item(tmp_path, data)
        stored = etag_reply("new", x_amz_checksum_crc32c=crc(later))
        driver = Driver([changes_to(tmp_path / "file", later), stored])
        ending = driver.run(upload.upload(stage.around, item))
        stage.check_clean()
    assert driver.operations == ["PutObject"] * 2
    assert driver.bodies[-1] == later
    assert (ending.status, ending.landed.size, ending.landed.etag) == (Status.DONE, len(later), "new")
    assert ending.landed.verified is Verified.CHECKSUM


def test_a_changed_file_is_not_sent_again_where_its_own_object_would_be_in_the_way(tmp_path):
    """With no-clobber a second try would find what the first has stored, and skip the file: it fails instead."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        item = file_item(tmp_path, SMALL)
        driver = Driver([MISSING, changes_to(tmp_path / "file", LARGE)])
        with pytest.raises(SourceChanged):
            driver.run(upload.upload(stage.around, item))
    assert driver.operations == ["HeadObject", "PutObject"]


def test_a_file_that_is_cut_while_it_is_read_is_no_success(tmp_path):
    """A body that ends early raises, and its slot is free while the error is still about."""
    with staged(tmp_path, slots=1) as stage:
        item = file_item(tmp_path, LARGE)

        def cut(call):
            os.truncate(tmp_path / "file", call.body.size - 1000)
            return etag_reply("e")

        with pytest.raises(SourceChanged) as caught:
            Driver([cut] * upload.CHANGES).run(upload.upload(stage.around, item))
        assert (stage.pool.leased, stage.pool.lingering) == (0, 0), caught


def test_a_file_that_is_written_to_while_it_is_read_is_not_sent(tmp_path, monkeypatch):
    """A torn read must not replace a good object."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, SMALL)
        true_pread = os.pread

        def torn(fd, count, offset):
            data = true_pread(fd, count, offset)
            (tmp_path / "file").write_bytes(b"other bytes, more of them")
            return data

        monkeypatch.setattr(os, "pread", torn)
        driver = Driver([])
        with pytest.raises(SourceChanged):
            driver.run(upload.upload(stage.around, item))
        stage.check_clean()
    assert driver.requests == []


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [(lambda path: path.unlink(), Vanished), (lambda path: (path.unlink(), os.mkfifo(path)), S3Error)],
)
def test_a_source_that_is_no_file_any_more_fails_before_anything_is_sent(tmp_path, spoil, kind):
    """Vanished, or replaced by something that would block."""
    with staged(tmp_path) as stage:
        item = file_item(tmp_path, SMALL)
        spoil(tmp_path / "file")
        with pytest.raises(kind):
            Driver([]).run(upload.upload(stage.around, item))


def test_mode_and_time_travel_when_they_are_wanted(tmp_path):
    """--preserve-metadata: rclone's form."""
    settings = JobSettings(transfer=TransferSettings(preserve_metadata=True))
    with staged(tmp_path, settings) as stage:
        item = file_item(tmp_path, SMALL)
        (tmp_path / "file").chmod(0o640)
        os.utime(tmp_path / "file", ns=(1, 1_500_000_000_250_000_000))
        driver = Driver([etag_reply("e")])
        driver.run(upload.upload(stage.around, item))
    assert driver.headers()["x-amz-meta-mtime"] == "1500000000.25"
    assert driver.headers()["x-amz-meta-mode"] == "100640"


def test_a_dry_run_asks_for_nothing(tmp_path):
    """--dry-run."""
    with staged(tmp_path, JobSettings(output=OutputSettings(dry_run=True))) as stage:
        ending = Driver([]).run(upload.upload(stage.around, file_item(tmp_path, SMALL)))
    assert (ending.status, ending.landed.size) == (Status.PLANNED, len(SMALL))


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "head", "reason"),
    [
        (SelectionSettings(no_clobber=True), THERE, "exists"),
        (SelectionSettings(if_size_differ=True), THERE, ""),
        (SelectionSettings(if_size_differ=True), reply(content_length="10"), "same-size"),
        (SelectionSettings(if_source_newer=True), THERE, "not-newer"),
        (SelectionSettings(if_size_differ=True), MISSING, ""),
    ],
)
def test_a_condition_costs_a_head(tmp_path, selection, head, reason):
    """A HEAD decides; what it forbids is not sent."""
    with staged(tmp_path, JobSettings(selection=selection)) as stage:
        driver = Driver([head] if reason else [head, etag_reply("e")])
        ending = driver.run(upload.upload(stage.around, file_item(tmp_path, SMALL, mtime_ns=5)))
    assert driver.operations[0] == "HeadObject"
    assert ending.reason == reason
    assert (ending.status is Status.SKIPPED) == bool(reason)


def test_what_appears_between_look_and_write_is_not_replaced(tmp_path):
    """--no-clobber is a condition of the PUT itself; its refusal is a skip."""
    with staged(tmp_path, NO_CLOBBER) as stage:
        driver = Driver([MISSING, failure(PreconditionFailed, status=412)])
        ending = driver.run(upload.upload(stage.around, file_item(tmp_path, SMALL)))
    assert driver.headers()["if-none-match"] == "*"
    assert (ending.status, ending.reason) == (Status.SKIPPED, "exists")


@pytest.mark.parametrize(("stored", "status"), [(SMALL, Status.DONE), (b"another's", Status.SKIPPED)])
def test_a_refusal_after_a_lost_answer_may_be_about_our_own_object(tmp_path, stored, status):
    """The first try was carried out, its answer lost: what stands there is compared with what was sent."""
    there = reply(etag='"e"', content_length=str(len(stored)), x_amz_checksum_crc32c=crc(stored))
    with staged(tmp_path, NO_CLOBBER) as stage:
        driver = Driver([MISSING, failure(PreconditionFailed, attempts=2, status=412), there])
        ending = driver.run(upload.upload(stage.around, file_item(tmp_path, SMALL)))
    assert driver.operations == ["HeadObject", "PutObject", "HeadObject"]
    assert ending.status is status


def test_a_precondition_nobody_set_is_a_failure(tmp_path):
    """412 without --no-clobber is the service's mistake or another's, and no skip."""
    with staged(tmp_path) as stage, pytest.raises(PreconditionFailed):
        Driver([failure(PreconditionFailed)]).run(upload.upload(stage.around, file_item(tmp_path, SMALL)))


# --- services that know less -----------------------------------------------------------------------------------------


def refusing(*names):
    """A service that does not know these headers; else it stores what comes."""

    def answer(call):
        headers = dict(call.request.headers)
        if any(name in headers for name in names):
            return failure(HeaderRefused, status=501)
        return etag_reply(md5(SMALL))

    return answer


def said(request):
    """What a PUT's headers announce."""
    headers = dict(request.headers)
    return tuple(name for name in ("x-amz-checksum-crc32c", "content-md5", "if-none-match") if name in headers)


@pytest.mark.parametrize(
    ("unknown", "settings", "tries"),
    [
        (("x-amz-checksum-crc32c",), JobSettings(), [("x-amz-checksum-crc32c",), ("content-md5",)]),
        (
            ("if-none-match",),
            NO_CLOBBER,
            [
                ("x-amz-checksum-crc32c", "if-none-match"),
                ("content-md5", "if-none-match"),
                ("x-amz-checksum-crc32c",),
            ],
        ),
        (
            ("x-amz-checksum-crc32c",),
            NO_CLOBBER,
            [("x-amz-checksum-crc32c", "if-none-match"), ("content-md5", "if-none-match")],
        ),
        (
            ("x-amz-checksum-crc32c", "if-none-match"),
            NO_CLOBBER,
            [
                ("x-amz-checksum-crc32c", "if-none-match"),
                ("content-md5", "if-none-match"),
                ("x-amz-checksum-crc32c",),
                ("content-md5",),
            ],
        ),
    ],
)
def test_a_header_that_the_service_does_not_know_is_done_without(tmp_path, unknown, settings, tries):
    """Step by step, never down to no proof; and the next upload begins where this one ended."""
    heads = [MISSING] if settings is NO_CLOBBER else []
    with staged(tmp_path, settings) as stage:
        item = file_item(tmp_path, SMALL)
        for wanted in (tries, tries[-1:]):
            driver = Driver([*heads, *[refusing(*unknown)] * len(wanted)])
            assert driver.run(upload.upload(stage.around, item)).landed.verified is Verified.ETAG
            assert [said(request) for request in driver.requests[len(heads) :]] == wanted
    digest = driver.headers().get("content-md5")
    assert digest in {None, base64.b64encode(hashlib.md5(SMALL).digest()).decode()}


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_service_that_takes_no_proof_at_all_gets_nothing(tmp_path, data):
    """Neither checksum nor Content-MD5: the upload fails with the service's words."""
    with staged(tmp_path) as stage:
        refuse = failure(HeaderRefused, status=501)
        with pytest.raises(HeaderRefused):
            Driver([refuse, refuse]).run(upload.upload(stage.around, file_item(tmp_path, data)))
        stage.check_clean()


def test_proof_may_be_required_of_uploads_too(tmp_path):
    """With --require-verify an upload whose answer proves nothing is a failure, though it was stored."""
    settings = JobSettings(transfer=TransferSettings(require_verify=True))
    with staged(tmp_path, settings) as stage, pytest.raises(Unverifiable, match="nothing to compare"):
        Driver([etag_reply("opaque")]).run(upload.upload(stage.around, file_item(tmp_path, b"data")))
