"""Faults that hit small objects amid others of their kind, over connections that are in use already.

That is where a program takes short cuts. One object of twelve is hit; the others arrive, and what is said of each is
true.
"""

from __future__ import annotations

import pytest

from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.trees import content

NAMES = [f"f{number:02}" for number in range(12)]
HIT = "f07"
ONE_BY_ONE = ("--workers", "1")


def download(lab, action, *, times, **how):
    """Download twelve objects, one of which is hit."""
    data = {name: content(number, SMALL) for number, name in enumerate(NAMES)}
    for name, one in data.items():
        lab.put(name, one, **how)
    lab.plan.add(Rule(action=action, operation="GetObject", key=HIT, times=times))
    return lab.download_all(data, *ONE_BY_ONE)


def upload(lab, action, *, times, options=()):
    """Upload twelve files, one of which is hit."""
    data = {name: lab.file(name, SMALL, number) for number, name in enumerate(NAMES)}
    lab.plan.add(Rule(action=action, operation="PutObject", key=HIT, times=times))
    return lab.run(Aim(wanted=data, bucket=BUCKET), "-R", *ONE_BY_ONE, *options, lab.source, f"s3://{BUCKET}/")


def only_one_failed(run, status, *codes):
    """Eleven objects arrived, and the one that was hit failed."""
    run.failed(status, *codes)
    assert run.result.counts == (11, 0, 1), run.report()
    assert run.failure["source"].endswith(HIT), run.report()


DOWN = {
    "flipped": (act.flip(offset=100), (3, "E_CHECKSUM_MISMATCH")),
    "cut": (act.cut(keep=0), (1, "E_SHORT_BODY")),
    "reset": (act.cut(keep=0, how="reset"), (1, "E_SHORT_BODY", "E_CONN_RESET")),
    "fewer": (act.resize(keep=SMALL - 1), (3, "E_SIZE_MISMATCH")),
    "more": (act.resize(add=1), (3, "E_SIZE_MISMATCH")),
    "fewer in chunks": (act.chunked(keep=1000), (3, "E_SIZE_MISMATCH")),
    "no version": (act.headers(drop=["etag"]), (1, "E_BAD_RESPONSE")),
    "other version": (act.headers(put={"etag": '"0123456789abcdef0123456789abcdef"'}), (3, "E_OBJECT_CHANGING")),
    "500": (act.error(code="InternalError", status=500), (1, "InternalError")),
    "page": (act.html(), (1, "E_NOT_S3", "E_BAD_RESPONSE", "E_SIZE_MISMATCH")),
    "two lengths": (
        act.frame(pattern=r"(?i)\r\ncontent-length: ([0-9]+)", to=r"\r\ncontent-length: \1\r\ncontent-length: 7"),
        (1, "E_HTTP"),
    ),
    "length and chunks": (
        act.frame(pattern=r"(?i)\r\ncontent-length", to=r"\r\ntransfer-encoding: chunked\r\ncontent-length"),
        (1, "E_HTTP"),
    ),
}


@pytest.mark.parametrize("how", DOWN)
def test_b5_one_bad_download_among_good_ones_fails_alone(lab, how):
    """For ever, the object that is hit fails; the others are there."""
    action, (status, *codes) = DOWN[how]
    if how in {"page", "fewer", "more", "fewer in chunks", "no version", "other version"}:
        run = download(lab, action, times=ALWAYS).honest(1, 3)
        assert run.result.counts == (11, 0, 1), run.report()
    else:
        only_one_failed(download(lab, action, times=ALWAYS), status, *codes)


@pytest.mark.parametrize("how", DOWN)
def test_b5_one_bad_answer_among_good_ones_is_overcome(lab, how):
    """Once, it is asked for again, or followed to the version that is there; all twelve arrive."""
    download(lab, DOWN[how][0], times=1).right()


def test_b5_a_flipped_bit_is_seen_by_the_etag_too(lab):
    """Objects without a checksum, whose ETag is their MD5."""
    only_one_failed(download(lab, act.flip(offset=9), times=ALWAYS, checksum=""), 3, "E_CHECKSUM_MISMATCH")


def test_b4_bytes_behind_a_small_answer_belong_to_nobody(lab):
    """What follows a whole body on the connection is not taken for the next object."""
    download(lab, act.overrun(add=700), times=ALWAYS).right()


UP = {
    "damaged": (act.damage_upload(offset=100), (3, "BadDigest", "XAmzContentSHA256Mismatch")),
    "500": (act.error(code="InternalError", status=500), (1, "InternalError")),
    "denied": (act.error(code="AccessDenied", status=403), (1, "AccessDenied")),
    "page": (act.html(), (1, "E_NOT_S3")),
    "reset": (act.reset(), (1, "E_CONN_RESET", "E_NETWORK")),
}


@pytest.mark.parametrize("how", UP)
def test_b12_one_bad_upload_among_good_ones_fails_alone(lab, how):
    """For ever, the file that is hit fails; the others are stored."""
    action, (status, *codes) = UP[how]
    only_one_failed(upload(lab, action, times=ALWAYS), status, *codes)


@pytest.mark.parametrize("how", sorted(UP.keys() - {"denied"}))
def test_b12_one_bad_answer_among_uploads_is_overcome(lab, how):
    """Once, the file is sent again; all twelve are stored."""
    upload(lab, UP[how][0], times=1).right()


@pytest.mark.parametrize("says", [True, False], ids=["checksum", "etag"])
def test_b13_one_file_that_is_stored_damaged_is_seen(lab, says):
    """The service stores other bytes of one file and says so, by its checksum or by its ETag: exit status 3."""
    if not says:
        drop = act.headers(drop=["x-amz-checksum-.*"])
        lab.plan.add(Rule(action=drop, operation="PutObject", key=HIT, times=ALWAYS))
    run = upload(lab, act.store_damaged(offset=50, says_checksum=says), times=ALWAYS).honest(3, harmless=False)
    assert run.result.counts == (11, 0, 1), run.report()


@pytest.mark.parametrize("how", ["etag", "empty"])
def test_a7_one_answer_without_etag_is_no_success(lab, how):
    """An answer without an ETag, or with an empty one, is tried again."""
    action = act.headers(drop=["etag"]) if how == "etag" else act.headers(put={"etag": '""'})
    upload(lab, action, times=1).right()
    assert lab.plan.count("PutObject", HIT) == 2


def test_c1_a_lost_answer_among_good_ones_is_resolved(lab):
    """The file was stored and nobody heard of it: it is sent again, and the others are not disturbed."""
    upload(lab, act.lose_reply(), times=1).right()


def test_g6_a_small_file_that_changes_is_whole(lab):
    """A file is rewritten while others are sent: it is stored as it was, as it is, or not at all."""
    data = {name: lab.file(name, SMALL, number) for number, name in enumerate(NAMES)}
    new = content(77, SMALL)

    def rewrite():
        (lab.source / "f11").write_bytes(new)

    lab.plan.add(Rule(action=act.call(run=rewrite), operation="PutObject", key="f00"))
    wanted = {**data, "f11": (data["f11"], new)}
    aim = Aim(wanted=wanted, bucket=BUCKET)
    lab.run(aim, "-R", *ONE_BY_ONE, lab.source, f"s3://{BUCKET}/").honest(0, 1, 3, unproven=True)
