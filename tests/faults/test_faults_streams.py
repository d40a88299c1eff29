"""Bytes on their way to stdout and from stdin: what arrives is right, or the exit code says that it is not.

What has been written to stdout cannot be taken back, so here a failure may leave a beginning of the object behind: a
beginning of what it is, never other bytes with exit 0.
"""

from __future__ import annotations

import pytest

from tests.kit import faults_actions as act
from tests.kit.command import Orbit
from tests.kit.fault_run import BUCKET
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.trees import content

MIB = 1 << 20
pytestmark = pytest.mark.slow
SIZES = {"whole": 300_000, "ranges": 9 * MIB}
SIZED = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
FEW = ("--retry-attempts", "3")

ANSWERS = {
    "short": act.cut(keep=100_000),
    "reset": act.cut(keep=100_000, how="reset"),
    "shorter": act.resize(keep=100_000),
    "longer": act.resize(add=10),
    "too much": act.overrun(),
    "chunks": act.chunked(),
    "broken chunks": act.chunked(keep=100_000, ends=False),
    "another bit": act.flip(offset=5),
    "another version": act.headers(set={"etag": '"0123456789abcdef0123456789abcdef"'}),
    "no version": act.headers(drop=["etag"]),
    "another range": act.headers(set={"content-range": "bytes 1-100/200"}),
    "no ranges": act.ignore_range(),
    "busy": act.error(code="SlowDown", status=503),
    "nothing": act.lose_reply(),
}


@pytest.fixture
def run(lab):
    """Runs ``orbit``."""

    def run(*arguments, fed=None):
        return Orbit(lab.environment)(*arguments, "--endpoint-url", lab.endpoint_url, *FEW, fed=fed)

    return run


@SIZED
@pytest.mark.parametrize(
    ("how", "times"),
    [*((how, 1) for how in ANSWERS), *((how, ALWAYS) for how in ("shorter", "another bit", "no version", "nothing"))],
)
def test_what_cat_writes_is_the_object_or_its_beginning(lab, run, how, times, size):
    """With exit 0 all of it; else what was written before is right, but for one range that only the whole disproves."""
    data = content(3, size)
    lab.put("object", data)
    lab.plan.add(Rule(action=ANSWERS[how], operation="GetObject", times=times))
    result = run("cat", f"s3://{BUCKET}/object")
    if result.code == 0:
        assert result.out == data
    elif how == "another bit" and size == SIZES["ranges"]:
        assert (result.code, len(result.out)) == (3, size)
    else:
        assert result.code in {1, 2, 3}
        assert data.startswith(result.out)
        assert len(result.errors) == 1
    if times == 1 and (how, size) != ("another bit", SIZES["ranges"]) and how not in NOT_TRIED_AGAIN:
        assert result.code == 0


NOT_TRIED_AGAIN = frozenset({"another version", "another range", "no version", "no ranges", "shorter", "longer"})
"""Answers that say of themselves that they are not what was asked for: some of them are not asked for again."""


@pytest.mark.parametrize(
    ("operation", "action", "times"),
    [
        ("UploadPart", act.damage_upload(offset=70_000), 1),
        ("UploadPart", act.error(code="InternalError", status=500), 1),
        ("UploadPart", act.lose_reply(), 1),
        ("CreateMultipartUpload", act.error(code="SlowDown", status=503), 1),
        ("CompleteMultipartUpload", act.lose_reply(), 1),
        ("CompleteMultipartUpload", act.error(code="InternalError", status=500), 1),
        ("PutObject", act.damage_upload(offset=70_000), 1),
        ("PutObject", act.lose_reply(), 1),
        ("UploadPart", act.damage_upload(offset=70_000), ALWAYS),
        ("CompleteMultipartUpload", act.error(code="InternalError", status=500), ALWAYS),
    ],
)
def test_what_is_piped_is_stored_as_it_was_or_not_at_all(lab, run, operation, action, times):
    """And no unfinished upload is left where one could be aborted."""
    data = content(4, 300_000 if operation == "PutObject" else 9 * MIB)
    lab.plan.add(Rule(action=action, operation=operation, times=times))
    result = run("pipe", f"s3://{BUCKET}/object", fed=data)
    stored = lab.server.store.read(BUCKET, "object") if lab.server.store.keys(BUCKET) else None
    if result.code == 0:
        assert stored == data
    else:
        assert result.code in {1, 2, 3}
        assert stored in {None, data}  # the answer may have been lost, not the object
        assert len(result.errors) == 1
    if times == 1:
        assert result.code == 0
    if operation != "CreateMultipartUpload":
        assert lab.server.store.unfinished_uploads() == []
