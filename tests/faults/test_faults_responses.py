"""What S3 answers: errors, errors inside successes, no answer worth the name, redirects, ambiguous framing."""

from __future__ import annotations

import stat
import sys

import pytest

from tests.kit import command
from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults import part_of
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

COMPLETE = "CompleteMultipartUpload"
CREATE = "CreateMultipartUpload"
ERROR = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>made to fail</Message></Error>'
XML = {"content-type": "application/xml"}


def error_in_200(code):
    """Status 200 and an error document, as S3 answers when it fails after it has begun to answer."""
    return act.reply(status=200, body=ERROR.format(code), headers=XML)


def test_a1_an_error_inside_200_on_complete_is_tried_again(lab):
    """``InternalError`` under status 200 is a failure: the same upload is completed at the next try."""
    lab.plan.add(Rule(action=error_in_200("InternalError"), operation=COMPLETE))
    lab.upload(LARGE).right()
    assert (lab.plan.count(CREATE), lab.plan.count(COMPLETE)) == (1, 2)


def test_a2_an_error_inside_200_that_stays_fails_and_aborts(lab):
    """``InternalError`` under every 200 ends the object with a failure, and the upload is aborted."""
    lab.plan.add(Rule(action=error_in_200("InternalError"), operation=COMPLETE, times=ALWAYS))
    lab.upload(LARGE).failed(1, "InternalError", "E_S3_200_ERROR")
    assert lab.plan.count("AbortMultipartUpload") == 1


def test_a2_a_permanent_error_inside_200_is_not_tried_again(lab):
    """``AccessDenied`` under status 200 fails at the first try, and the upload is aborted."""
    lab.plan.add(Rule(action=error_in_200("AccessDenied"), operation=COMPLETE, times=ALWAYS))
    lab.upload(LARGE).failed(2, "AccessDenied")
    assert lab.plan.count(COMPLETE) == 1


def test_a3_an_error_inside_200_on_copy_is_tried_again(lab):
    """A copy whose 200 holds ``InternalError`` is tried again."""
    lab.plan.add(Rule(action=error_in_200("InternalError"), operation="CopyObject"))
    lab.copy().right()
    assert lab.plan.count("CopyObject") == 2


@pytest.mark.parametrize("body", ["", '<?xml version="1.0"?><CopyObjectResult></CopyObjectResult>', act.HTML])
def test_a3_a_copy_without_its_result_is_no_success(lab, body):
    """Success of a copy needs CopyObjectResult with an ETag in it."""
    lab.plan.add(Rule(action=act.reply(body=body, headers=XML), operation="CopyObject", times=ALWAYS))
    lab.copy().failed(1, "E_BAD_RESPONSE", "E_NOT_S3")


@pytest.fixture
def copies_in_parts(tmp_path, monkeypatch):
    """The command with a lower limit for what one CopyObject copies, which no option sets."""
    script = tmp_path / "orbit"
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from msgspec.structs import replace\n"
        "from orbit_fast.cli.main import main\n"
        "from orbit_fast.proc import job\n"
        "run_copy = job.run_copy\n"
        "def run(sources, destination, settings, environment, console):\n"
        "    transfer = replace(settings.transfer, multipart_copy_threshold=6 * 1024 * 1024)\n"
        "    return run_copy(sources, destination, replace(settings, transfer=transfer), environment, console)\n"
        "job.run_copy = run\n"
        "sys.exit(main())\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(command, "command", lambda: str(script))


def test_a3_an_error_inside_200_on_a_copied_part_is_tried_again(lab, copies_in_parts):
    """A part's copy whose 200 holds ``InternalError`` is tried again."""
    data = content(3, LARGE)
    lab.put("object", data)
    lab.plan.add(Rule(action=error_in_200("InternalError"), operation="UploadPartCopy", part=2))
    lab.copy(data).right()
    assert lab.plan.count("UploadPartCopy") == 4


def test_a3_a_copied_part_without_its_result_is_no_success(lab, copies_in_parts):
    """Success of a part's copy needs CopyPartResult with an ETag in it; the upload is aborted without it."""
    data = content(3, LARGE)
    lab.put("object", data)
    lab.plan.add(Rule(action=act.reply(body=""), operation="UploadPartCopy", part=2, times=ALWAYS))
    lab.copy(data).failed(1, "E_BAD_RESPONSE")


def test_a4_an_empty_answer_to_complete_is_no_success(lab):
    """Nothing was done and the answer is empty: the upload is completed at the next try."""
    lab.plan.add(Rule(action=act.reply(), operation=COMPLETE))
    lab.upload(LARGE).right()


def test_a4_an_empty_answer_to_a_complete_that_was_done(lab):
    """The object was made and the answer is empty: the object found at HEAD is the proof."""
    lab.plan.add(Rule(action=act.replace_reply(), operation=COMPLETE))
    lab.upload(LARGE).right()


def test_a4_only_empty_answers_to_complete_fail(lab):
    """Complete answers nothing but empty 200s: the object fails and the upload is aborted."""
    lab.plan.add(Rule(action=act.reply(), operation=COMPLETE, times=ALWAYS))
    lab.upload(LARGE).failed(1, "E_BAD_RESPONSE")


def test_a4_an_empty_answer_to_create_is_no_upload(lab):
    """CreateMultipartUpload without an upload id is a failure, whatever its status."""
    lab.plan.add(Rule(action=act.reply(), operation=CREATE, times=ALWAYS))
    lab.upload(LARGE).failed(1, "E_BAD_RESPONSE")


@pytest.mark.parametrize("operation", [COMPLETE, "PutObject", "UploadPart", CREATE])
def test_a5_a_web_page_is_no_success_of_an_upload(lab, operation):
    """A web page under status 200 fails the upload, and the message says what it is."""
    lab.plan.add(Rule(action=act.html(), operation=operation, times=ALWAYS))
    run = lab.upload(SMALL if operation == "PutObject" else LARGE).failed(1, "E_NOT_S3")
    assert "not an S3" in run.failure["error"]


@pytest.mark.parametrize("operation", ["GetObject", "ListObjectsV2"])
def test_a5_a_web_page_is_no_object_and_no_listing(lab, operation):
    """A web page under status 200 is neither the object nor an empty prefix."""
    data = content(2, SMALL)
    lab.put("p/object", data)
    lab.plan.add(Rule(action=act.html(), operation=operation, times=ALWAYS))
    run = lab.download_all({"object": data}, prefix="p/")
    run.honest(2) if operation == "ListObjectsV2" else run.honest(1, 3)


def test_a5_a_web_page_as_long_as_the_object_is_not_the_object(lab):
    """A page that happens to have the object's size and says nothing of an object proves nothing."""
    page = {"content-type": "text/html"}
    lab.plan.add(Rule(action=act.reply(body=act.HTML, headers=page), operation="GetObject", times=ALWAYS))
    lab.download(size=len(act.HTML)).honest(1, 3)


@pytest.mark.parametrize("operation", [COMPLETE, "PutObject", "UploadPart", "GetObject"])
def test_a5_one_web_page_is_overcome(lab, operation):
    """A portal that shows up once does not fail an object."""
    lab.plan.add(Rule(action=act.html(), operation=operation))
    if operation == "GetObject":
        lab.download().right()
    else:
        lab.upload(SMALL if operation == "PutObject" else LARGE).right()


@pytest.mark.slow
def test_a6_white_space_before_the_answer_to_complete_is_life(lab):
    """Complete may take its time as long as it sends white space: one request, and no time limit hits."""
    lab.plan.add(Rule(action=act.warm(spaces=16), operation=COMPLETE))
    lab.upload(LARGE).right()
    assert lab.plan.count(COMPLETE) == 1


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_a7_an_answer_without_etag_is_tried_again(lab, operation):
    """An upload's answer without ETag is no success; the next try brings one."""
    lab.plan.add(Rule(action=act.headers(drop=["etag"]), operation=operation))
    lab.upload(SMALL if operation == "PutObject" else LARGE).right()


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_a7_answers_without_etag_fail(lab, operation):
    """Nothing but answers without ETag: a failure, and no empty ETag is ever sent to Complete."""
    lab.plan.add(Rule(action=act.headers(drop=["etag"]), operation=operation, times=ALWAYS))
    lab.upload(SMALL if operation == "PutObject" else LARGE).failed(1, "E_BAD_RESPONSE", unproven=True)
    assert lab.plan.count(COMPLETE) == 0


def test_a8_another_etag_is_an_integrity_failure(lab):
    """Without a checksum in the answer, an MD5 ETag that is not the file's is an integrity failure."""
    other = {"etag": '"' + "0123456789abcdef" * 2 + '"'}
    lab.plan.add(Rule(action=act.headers(drop=["x-amz-checksum-.*"], put=other), operation="PutObject", times=ALWAYS))
    lab.upload().failed(3, "E_ETAG_MISMATCH", "E_REMOTE_MISMATCH", unproven=True)


def test_a8_a_checksum_is_worth_more_than_an_etag(lab):
    """Where the service confirms the checksum, an ETag that is no MD5 of the file is none of our business."""
    other = {"etag": '"' + "0123456789abcdef" * 2 + '"'}
    lab.plan.add(Rule(action=act.headers(put=other), operation="PutObject"))
    assert lab.upload().right().done["verified"] == "checksum"


SLOW = act.error(code="SlowDown", status=503)


def test_a9_a_few_slowdowns_are_waited_out(lab):
    """503 SlowDown is tried again."""
    lab.plan.add(Rule(action=SLOW, operation="PutObject", times=3))
    assert lab.upload().right().result.summary["retries"] == 3


def test_a9_a_storm_of_slowdowns_is_waited_out(lab):
    """Every other request is throttled: all objects arrive, and none has used up the tries of another."""
    lab.plan.add(Rule(action=SLOW, operation="PutObject UploadPart", probability=0.5, times=ALWAYS))
    files = {f"f{number:02}": lab.file(f"f{number:02}", 100 + number, number) for number in range(40)}
    aim = Aim(wanted=files, bucket=BUCKET)
    lab.run(aim, "--recursive", "--retry-attempts", "12", lab.source, f"s3://{BUCKET}/").right()


def test_a9_slowdown_for_ever_ends(lab):
    """A service that throttles for ever fails the object after the tries allowed."""
    lab.plan.add(Rule(action=SLOW, operation="PutObject", times=ALWAYS))
    lab.upload().failed(1, "SlowDown", "E_THROTTLED")
    assert lab.plan.count("PutObject") == 5


def test_a9_what_the_service_asks_to_wait_is_waited(lab):
    """``Retry-After`` is the least that is waited."""
    lab.plan.add(Rule(action=act.error(code="SlowDown", status=503, headers={"retry-after": "1"})))
    assert lab.upload().right().seconds > 1


FAULTS = {
    "500": act.error(code="InternalError", status=500),
    "502": act.html(status=502),
    "503": act.error(code="ServiceUnavailable", status=503),
    "504": act.reply(status=504),
}
ANY = ("PutObject", CREATE, "UploadPart", COMPLETE, "GetObject", "HeadObject", "ListObjectsV2", "CopyObject")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ANY)
def test_a10_a_server_error_is_tried_again(lab, operation, fault):
    """500, 502, 503 and 504, with and without S3's words, are tried again whatever was asked."""
    lab.plan.add(Rule(action=FAULTS[fault], operation=operation))
    lab.exercise(operation).right()


@pytest.mark.parametrize("operation", ANY)
def test_a10_a_server_error_for_ever_fails(lab, operation):
    """A service that fails for ever fails the object, and what was there before stays."""
    lab.plan.add(Rule(action=FAULTS["500"], operation=operation, times=ALWAYS))
    is_listing = operation in {"ListObjectsV2", "HeadObject"}
    lab.exercise(operation).failed(2 if is_listing else 1, "InternalError", "E_S3_5XX", "E_LIST_INCOMPLETE")


def test_a11_429_is_throttling(lab):
    """429 is tried again like 503; for ever, it fails the object."""
    lab.plan.add(Rule(action=act.reply(status=429), operation="PutObject", times=2))
    lab.upload().right()
    lab.plan.add(Rule(action=act.reply(status=429), operation="PutObject", key="other", times=ALWAYS))
    lab.upload(name="other").failed(1, "E_THROTTLED", "TooManyRequests")


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a12_a_request_timeout_is_sent_again_on_a_new_connection(lab, size):
    """``RequestTimeout`` means that the service gave the connection up: the body goes out on another."""
    operation = "PutObject" if size == SMALL else "UploadPart"
    lab.plan.add(Rule(action=act.error(code="RequestTimeout", status=400), operation=operation))
    lab.upload(size).right()
    tries = [one for one in lab.plan.requests if one.operation == operation and part_of(one) == lab.plan.fired[0].part]
    assert len({one.connection for one in tries}) == 2


def test_a3_a_copy_that_is_made_and_answered_badly_is_looked_at(lab):
    """A copy that was made while its answer was lost is done again or found; either way it is right."""
    lab.plan.add(Rule(action=act.lose_reply(), operation="CopyObject"))
    lab.copy().right()
    assert lab.server.store.keys(OTHER) == ["object"]


def test_a27_a_key_that_could_not_be_deleted_is_a_failure(lab):
    """An error for one key inside the 200 of DeleteObjects: that key fails, the others are gone, the exit code is 1."""
    refused = "<DeleteResult><Error><Key>p/b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    for key in ("p/a", "p/b", "p/c"):
        lab.put(key, b"x")
    lab.plan.add(Rule(action=act.reply(body=refused, headers=XML), operation="DeleteObjects"))
    arguments = ("rm", "--json", "--recursive", "--endpoint-url", lab.endpoint_url, f"s3://{BUCKET}/p")
    result = command.Orbit(lab.environment)(*arguments)
    assert result.code == 1, result.out + result.err
    assert [(event["source"], event["code"]) for event in result.failures] == [(f"s3://{BUCKET}/p/b", "AccessDenied")]
    assert (result.summary["files_deleted"], result.summary["files_failed"]) == (2, 1)
