"""What S3 refuses: clocks, credentials, regions, redirects, conditions, lost uploads, headers that it does not know.

And answers whose end cannot be told.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from orbit_fast.testing import Identity
from orbit_fast.testing import ServerSettings
from orbit_fast.testing import server as server_module
from orbit_fast.testing.store import Attributes
from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import SMALL
from tests.kit.fault_run import open_lab
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

COMPLETE = "CompleteMultipartUpload"
CREATE = "CreateMultipartUpload"


def test_a13_a_wrong_clock_is_corrected(tmp_path, monkeypatch):
    """The service's clock is an hour ahead: its Date is taken over, and nothing fails."""
    monkeypatch.setattr(server_module, "time", SimpleNamespace(time=lambda: time.time() + 3600))
    with open_lab(tmp_path) as lab:
        lab.upload(LARGE).right()
        lab.download(size=SMALL, name="other").right()


def test_a13_a_clock_that_cannot_be_corrected_ends_the_job(lab):
    """``RequestTimeTooSkewed`` again and again is a failure of the job, after one correction at most."""
    lab.plan.add(Rule(action=act.error(code="RequestTimeTooSkewed", status=403), times=ALWAYS))
    lab.upload().failed(2, "RequestTimeTooSkewed", "E_CLOCK_SKEW")
    assert lab.plan.count("PutObject") <= 2


def test_a14_expired_credentials_are_fetched_again_and_the_upload_goes_on(tmp_path):
    """The token expires during an upload: the provider is asked again, and the same upload id is completed."""
    keys = [
        Identity(access_key=f"AKIDFAULT{number}", secret_key=f"secret{number}", token=f"t{number}") for number in "12"
    ]
    with open_lab(tmp_path, identity=keys[0]) as lab:
        lab.server.identities[keys[1].access_key] = keys[1]
        count = tmp_path / "count"
        script = tmp_path / "provider.py"
        answers = [
            {"Version": 1, "AccessKeyId": one.access_key, "SecretAccessKey": one.secret_key, "SessionToken": one.token,
             "Expiration": "2099-01-01T00:00:00Z"} for one in keys
        ]  # fmt: skip
        script.write_text(
            f"import pathlib\ncount = pathlib.Path({str(count)!r})\n"
            f"answers = {[json.dumps(answer) for answer in answers]!r}\n"
            "number = len(count.read_text()) if count.exists() else 0\n"
            "count.write_text('x' * (number + 1))\nprint(answers[min(number, 1)])\n"
        )
        config = tmp_path / "config"
        config.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
        lab.environment = {"AWS_CONFIG_FILE": str(config), "AWS_REGION": "us-east-1"}
        expired = replace(keys[0], expires_at_s=1.0)
        expire = act.call(run=lambda: lab.server.identities.update({expired.access_key: expired}))
        lab.plan.add(Rule(action=expire, operation="UploadPart"))
        lab.upload(LARGE, "--concurrency", "1").right()
        assert lab.plan.count(CREATE) == 1
        assert count.read_text() == "xx"


def test_a14_credentials_that_stay_expired_end_the_job(lab):
    """There are no fresh credentials: the job ends at once, with the service's code."""
    lab.plan.add(Rule(action=act.error(code="ExpiredToken", status=400), times=ALWAYS))
    lab.upload().failed(2, "ExpiredToken", "E_CREDS_EXPIRED")
    assert lab.plan.count("PutObject") <= 2


@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"])
def test_a15_a_refusal_of_everything_stops_the_job(lab, code):
    """What is refused is not tried again, and a job that is refused from the start stops soon."""
    lab.plan.add(Rule(action=act.error(code=code, status=403), times=ALWAYS))
    files = {f"f{number:03}": lab.file(f"f{number:03}", 10) for number in range(200)}
    run = lab.run(Aim(wanted=files, bucket=BUCKET), "--recursive", "--workers", "4", lab.source, f"s3://{BUCKET}/")
    run.failed(2, code, "E_CANCELLED", "E_DENIED")
    assert len(lab.plan.requests) < 40
    assert max(run.plan._seen.values()) == 1


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a16_another_region_is_signed_for(tmp_path, size):
    """A service of another region says which one: the requests are signed for that, at the same host."""
    with open_lab(tmp_path, settings=ServerSettings(region="eu-west-1")) as lab:
        lab.upload(size).right()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2", COMPLETE])
def test_a17_no_redirect_to_another_host_is_followed(lab, operation, status):
    """A redirect to a foreign host fails; that host sees no connection, and so no credentials."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(0.05)
        where = f"http://127.0.0.1:{stranger.getsockname()[1]}/x"
        redirect = act.error(code="TemporaryRedirect", status=status, headers={"location": where})
        lab.plan.add(Rule(action=redirect, operation=operation, times=ALWAYS))
        lab.exercise(operation).failed(2, "E_REDIRECT_REFUSED", "TemporaryRedirect")
        with pytest.raises(TimeoutError):
            stranger.accept()


def test_a18_an_object_that_appears_meanwhile_is_not_clobbered(lab):
    """412 to the conditional PUT of ``--no-clobber`` is "it exists already": skipped, and theirs stays."""
    theirs = content(99, 500)
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", theirs)), operation="PutObject"))
    lab.file("object", SMALL)
    aim = Aim(wanted={"object": theirs}, bucket=BUCKET)
    run = lab.run(aim, "--no-clobber", lab.source / "object", f"s3://{BUCKET}/object").right()
    assert [event["reason"] for event in run.result.skipped] == ["exists"]


def test_a18_a_large_object_that_appears_meanwhile_is_not_clobbered(lab):
    """412 to the conditional Complete is "it exists already" too; the upload is aborted."""
    theirs = content(99, 500)
    lab.plan.add(Rule(action=act.call(run=lambda: lab.put("object", theirs)), operation=COMPLETE))
    lab.file("object", LARGE)
    aim = Aim(wanted={"object": theirs}, bucket=BUCKET)
    run = lab.run(aim, "--no-clobber", lab.source / "object", f"s3://{BUCKET}/object").right()
    assert [event["reason"] for event in run.result.skipped] == ["exists"]


@pytest.mark.parametrize("status", [304, 412])
def test_a18_a_condition_that_nobody_set_is_a_failure(lab, status):
    """304 and 412 for ever to a download are no success."""
    lab.plan.add(Rule(action=act.reply(status=status), operation="GetObject", times=ALWAYS))
    lab.download().honest(1, 3)


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
def test_a19_a_conflict_on_put_is_tried_again(lab, code):
    """409 of two writers at once passes."""
    lab.plan.add(Rule(action=act.error(code=code, status=409), operation="PutObject", times=2))
    lab.upload().right()


def test_a19_a_conflict_for_ever_fails(lab):
    """409 for ever fails the object."""
    lab.plan.add(Rule(action=act.error(code="OperationAborted", status=409), operation="PutObject", times=ALWAYS))
    lab.upload().failed(1, "OperationAborted", "E_CONFLICT")


def test_a19_a_conflict_on_complete_needs_a_new_upload(lab):
    """After 409 ConditionalRequestConflict on Complete, S3 wants a new upload: it is made, once."""
    conflict = act.error(code="ConditionalRequestConflict", status=409)
    lab.plan.add(Rule(action=conflict, operation=COMPLETE))
    lab.upload(LARGE, "--no-clobber").right()
    assert lab.plan.count(CREATE) == 2


def test_a20_an_object_that_vanishes_after_the_listing_fails_alone(lab):
    """A listed key that is gone when it is asked for is a failure of its own; the others arrive."""
    data = {f"f{number}": content(number, 100) for number in range(5)}
    for name, one in data.items():
        lab.put(name, one)
    lab.plan.add(Rule(action=act.error(code="NoSuchKey", status=404), operation="GetObject", key="f3", times=ALWAYS))
    run = lab.download_all(data).failed(1, "NoSuchKey", "E_VANISHED")
    assert run.result.counts == (4, 0, 1)


def _forget_uploads(lab):
    return act.call(run=lab.server.store.bucket(BUCKET).uploads.clear)


def test_a21_an_upload_that_somebody_aborts_is_begun_again(lab):
    """NoSuchUpload on a part: somebody aborted the upload. A fresh one is made, once."""
    lab.plan.add(Rule(action=_forget_uploads(lab), operation="UploadPart", part=2))
    lab.upload(LARGE).right()
    assert lab.plan.count(CREATE) == 2


def test_a21_an_upload_that_is_always_aborted_fails(lab):
    """Uploads that vanish again and again fail the object."""
    lab.plan.add(Rule(action=_forget_uploads(lab), operation="UploadPart", part=2, times=ALWAYS))
    lab.upload(LARGE).failed(1, "NoSuchUpload")
    assert lab.plan.count(CREATE) <= 3


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a22_a_lost_answer_to_complete_is_resolved(lab, how):
    """Complete was done and its answer lost: NoSuchUpload at the next try leads to the object itself."""
    lab.plan.add(Rule(action=act.lose_reply(how=how), operation=COMPLETE))
    lab.upload(LARGE).right()
    assert lab.plan.count(CREATE) == 1


def test_a22_an_object_of_somebody_else_is_no_proof(lab):
    """Complete's answer is lost and somebody else's object is there: that is no success."""
    theirs = content(98, LARGE)

    def steal(request):
        lab.server.store.bucket(BUCKET).uploads.clear()
        lab.put("object", theirs)
        return act.HttpResponse(transmit=act._reset)

    lab.plan.add(Rule(action=act.handle(run=steal), operation=COMPLETE))
    lab.upload(LARGE).failed(1, "NoSuchUpload", harmless=False)
    assert lab.server.store.read(BUCKET, "object") == theirs


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a22_a_lost_answer_to_put_is_resolved(lab, how):
    """PutObject was done and its answer lost: doing it again is harmless."""
    lab.plan.add(Rule(action=act.lose_reply(how=how), operation="PutObject"))
    lab.upload().right()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a22_a_lost_answer_to_a_conditional_write_is_resolved(lab, size):
    """With ``--no-clobber`` the next try finds the object there, and it is ours: done, not skipped."""
    lab.plan.add(Rule(action=act.lose_reply(), operation="PutObject" if size == SMALL else COMPLETE))
    assert lab.upload(size, "--no-clobber").right().done["size"] == size


@pytest.mark.parametrize("is_listed", [True, False])
def test_a23_an_archived_object_is_skipped_before_it_is_asked_for(lab, is_listed):
    """GLACIER and DEEP_ARCHIVE are skipped and counted: no GET is made."""
    for name, storage_class in (("a", "GLACIER"), ("b", "DEEP_ARCHIVE")):
        lab.put(f"p/{name}", content(1, 100), attributes=Attributes(storage_class=storage_class))
    wanted = {"a": content(1, 100), "b": content(1, 100)}
    aim = Aim(wanted=wanted, directory=lab.target)
    sources = [f"s3://{BUCKET}/p/"] if is_listed else [f"s3://{BUCKET}/p/a", f"s3://{BUCKET}/p/b"]
    run = lab.run(aim, *(["--recursive"] if is_listed else []), *sources, f"{lab.target}/").honest(1)
    assert [event["reason"] for event in run.result.skipped] == ["glacier"] * 2
    assert lab.plan.count("GetObject") == 0


@pytest.mark.parametrize("status", [501, 400])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a24_a_service_without_checksums_gets_none_and_the_etag_proves(lab, size, status):
    """A service that refuses checksum headers is not sent them any more; the MD5 ETag is the proof, never nothing."""
    code = "NotImplemented" if status == 501 else "InvalidArgument"
    refuse = act.error(
        code=code,
        status=status,
        message="x-amz-checksum headers are not supported",
        elements={"Header": "x-amz-checksum-crc32c", "ArgumentName": "x-amz-checksum-crc32c"},
    )
    names = r"x-amz-(sdk-)?checksum-.*|x-amz-mp-object-size"
    lab.plan.add(Rule(action=refuse, header=names, times=ALWAYS))
    run = lab.upload(size, "-v").right()
    assert run.done["verified"] in {"etag", "checksum"}
    told = f"orbit: info: {lab.endpoint_url} does not know checksum headers: uploads carry Content-MD5 instead"
    assert run.result.err.decode().splitlines().count(told) == 1, run.report()


def test_a24_an_unknown_object_size_header_is_left_out(lab):
    """A service that refuses only ``x-amz-mp-object-size`` is not sent it again."""
    refuse = act.error(code="NotImplemented", status=501, elements={"Header": "x-amz-mp-object-size"})
    lab.plan.add(Rule(action=refuse, header="x-amz-mp-object-size", times=ALWAYS))
    lab.upload(LARGE).right(fires=False)


def test_a25_a_part_that_the_service_lost_leads_to_a_new_upload(lab):
    """InvalidPart on Complete: the upload is aborted and made anew, once."""

    def lose():
        next(iter(lab.server.store.bucket(BUCKET).uploads.values())).parts.pop(2)

    lab.plan.add(Rule(action=act.call(run=lose), operation=COMPLETE))
    lab.upload(LARGE).right()
    assert lab.plan.count(CREATE) == 2


@pytest.mark.parametrize("code", ["EntityTooSmall", "InvalidPart", "InvalidPartOrder", "EntityTooLarge"])
def test_a25_a_plan_that_the_service_refuses_fails_and_aborts(lab, code):
    """A Complete that is refused for ever fails the object and leaves no upload."""
    lab.plan.add(Rule(action=act.error(code=code, status=400), operation=COMPLETE, times=ALWAYS))
    lab.upload(LARGE).honest(1, 3)
    assert lab.plan.count(CREATE) <= 2


@pytest.mark.parametrize(("status", "codes"), [(403, (2,)), (404, (2,)), (400, (1, 2)), (416, (1, 2))])
def test_a26_an_error_of_head_is_told_by_its_status(lab, status, codes):
    """HEAD has no error document: the status decides, and nothing is tried for ever."""
    lab.plan.add(Rule(action=act.reply(status=status), operation="HeadObject", times=ALWAYS))
    lab.download().honest(*codes)
    assert lab.plan.count("HeadObject") <= 2


def test_a26_the_code_in_a_header_of_head_counts(lab):
    """``x-amz-error-code`` says what the body of a HEAD cannot: SlowDown under 400 is tried again."""
    slow = act.reply(status=400, headers={"x-amz-error-code": "SlowDown"})
    lab.plan.add(Rule(action=slow, operation="HeadObject"))
    lab.download().right()


LENGTH = r"(?i)\r\ncontent-length: ([0-9]+)"
FRAMES = {
    "two lengths": r"\r\ncontent-length: \1\r\ncontent-length: 7",
    "two lengths in one": r"\r\ncontent-length: \1, 7",
    "length and chunks": r"\r\ncontent-length: \1\r\ntransfer-encoding: chunked",
    "negative": r"\r\ncontent-length: -\1",
    "plus": r"\r\ncontent-length: +\1",
    "words": r"\r\ncontent-length: many",
    "huge": r"\r\ncontent-length: 99999999999999999999999",
    "folded": r"\r\ncontent-length:\r\n \1",
    "unknown coding": r"\r\ntransfer-encoding: gzip",
}


@pytest.mark.parametrize("frame", sorted(FRAMES.keys() - {"folded"}))
def test_a28_ambiguous_framing_is_refused(lab, frame):
    """A reply whose end cannot be told is not believed."""
    action = act.frame(pattern=LENGTH, to=FRAMES[frame])
    lab.plan.add(Rule(action=action, operation="GetObject", times=ALWAYS))
    lab.download().failed(1, "E_HTTP", "E_HTTP_LIMIT", "E_SHORT_BODY")


@pytest.mark.parametrize(("frame", "operation"), list(itertools.product(FRAMES, ["GetObject", COMPLETE])))
def test_a28_ambiguous_framing_once_is_overcome(lab, frame, operation):
    """One such reply is tried again on another connection, a done Complete resolved."""
    lab.plan.add(Rule(action=act.frame(pattern=LENGTH, to=FRAMES[frame]), operation=operation))
    lab.exercise(operation).right()
