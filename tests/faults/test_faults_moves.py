"""``mv`` under the faults that cost others the only copy: the source is gone if and only if the destination is right.

A4, A5 an empty answer or a web page on CompleteMultipartUpload and the like; B14 an object that is acknowledged and not
there; sources that change while they are moved; deletes that fail; a move onto itself.
"""

from __future__ import annotations

import pytest

from tests.kit import faults_actions as act
from tests.kit.fault_run import BUCKET
from tests.kit.fault_run import LARGE
from tests.kit.fault_run import OTHER
from tests.kit.fault_run import SMALL
from tests.kit.faults import ALWAYS
from tests.kit.faults import Rule
from tests.kit.trees import content

pytestmark = pytest.mark.slow

NAME = "object"


@pytest.fixture
def mover(lab):
    """A lab that moves."""
    lab.verb = "mv"
    return lab


def source_is_left(lab, way):
    """Whether the source is still there."""
    if way == "up":
        return (lab.source / NAME).exists()
    return NAME in lab.server.store.keys(BUCKET)


def move(lab, way, size=SMALL, *arguments):
    """Move one object, and hold the run against the rule of moving."""
    if way == "up":
        run = lab.upload(size, *arguments, name=NAME)
    elif way == "down":
        run = lab.download(None, *arguments, name=NAME, size=size)
    else:
        run = lab.copy(None, *arguments, name=NAME)
    assert run.verdict.is_right or source_is_left(lab, way), f"THE ONLY COPY IS LOST: {run.report()}"
    assert source_is_left(lab, way) == (run.code != 0), run.report()
    return run


@pytest.mark.parametrize(
    ("way", "size"), [("up", SMALL), ("up", LARGE), ("down", SMALL), ("down", LARGE), ("inside", 0)]
)
def test_all_is_well(mover, way, size):
    """The bytes are there, the source is not."""
    run = move(mover, way, size).right()
    assert run.done["operation"] == "mv"
    assert run.result.summary["command"] == "mv"


@pytest.mark.parametrize(
    ("way", "size", "operation", "action"),
    [
        ("up", LARGE, "CompleteMultipartUpload", act.reply(body="")),
        ("up", LARGE, "CompleteMultipartUpload", act.html()),
        ("up", SMALL, "PutObject", act.html()),
        ("inside", 0, "CopyObject", act.html()),
        ("inside", 0, "CopyObject", act.reply(body="")),
        ("down", SMALL, "GetObject", act.html()),
        ("down", SMALL, "GetObject", act.flip(offset=7)),
        ("down", SMALL, "GetObject", act.cut(keep=100)),
        ("down", LARGE, "GetObject", act.flip(offset=7)),
    ],
)
def test_a4_a5_an_answer_that_proves_nothing_costs_no_source(mover, way, size, operation, action):
    """Where the copy cannot be proven the source stays."""
    mover.plan.add(Rule(action=action, operation=operation, times=ALWAYS))
    run = move(mover, way, size)
    assert run.code in {1, 3}, run.report()


@pytest.mark.parametrize(("way", "bucket"), [("up", BUCKET), ("inside", OTHER)])
def test_b14_an_object_that_is_acknowledged_and_lost_costs_no_source(mover, way, bucket):
    """The destination is looked at again before the source goes."""

    def lose():
        if NAME in mover.server.store.keys(bucket):
            mover.server.store.bucket(bucket).remove(NAME, mover.server.store.now())

    # The last look at the destination comes when the copy has been acknowledged and, inside S3, compared.
    operation = "PutObject" if way == "up" else "CopyObject"
    mover.plan.add(Rule(action=act.call(run=lose), operation="HeadObject", key=NAME, times=ALWAYS))
    run = move(mover, way)
    assert run.code == 3, run.report()
    assert mover.plan.count(operation) >= 1
    assert {event["code"] for event in run.result.failures} <= {"E_REMOTE_MISMATCH", "NoSuchKey"}


@pytest.mark.parametrize("way", ["down", "inside"])
@pytest.mark.parametrize("action", [act.error(status=403, code="AccessDenied"), act.error(status=503, code="SlowDown")])
def test_a_source_that_cannot_be_deleted_is_a_failure(mover, way, action):
    """The copy is there, the source too, and the command says so."""
    mover.plan.add(Rule(action=action, operation="DeleteObject", times=ALWAYS))
    move(mover, way, SMALL, "--retry-attempts", "1").honest(1, 2, unproven=True)


@pytest.mark.parametrize("way", ["down", "inside"])
def test_a22_a_lost_answer_to_the_deletion_of_a_source_is_resolved(mover, way):
    """The next try finds no source any more: that is what was asked for."""
    mover.plan.add(Rule(action=act.lose_reply(), operation="DeleteObject"))
    run = move(mover, way, SMALL)
    assert run.code == 0, run.report()
    assert mover.plan.count("DeleteObject") == 2


@pytest.mark.parametrize("status", [400, 501])
def test_a_service_without_conditional_deletes(mover, status):
    """The condition is left out; the source was looked at a moment ago."""
    refusal = act.error(status=status, code="NotImplemented")
    mover.plan.add(Rule(action=refusal, operation="DeleteObject", header="if-match", times=ALWAYS))
    move(mover, "down").right()


@pytest.mark.parametrize("way", ["down", "inside"])
def test_a_source_that_is_replaced_is_moved_as_it_is_then(mover, way):
    """What is deleted is what was copied."""
    newer = content(77, SMALL + 5)
    mover.plan.add(Rule(action=act.call(run=lambda: mover.put(NAME, newer)), operation="DeleteObject", times=1))
    if way == "down":
        mover.put(NAME, content(1, SMALL))
        run = mover.download(newer, name=NAME)
    else:
        mover.put(NAME, content(1, SMALL))
        run = mover.copy(newer, name=NAME)
    run.right()
    assert NAME not in mover.server.store.keys(BUCKET)


def test_a_file_that_changes_after_its_upload_stays(mover):
    """It is uploaded again, as it is then; one that never stops changing is left."""
    path = mover.source / NAME
    count = iter(range(1000))

    def change():
        path.write_bytes(content(100 + next(count), SMALL + 7))

    mover.plan.add(Rule(action=act.call(run=change), operation="HeadObject", times=ALWAYS))
    data = content(1, SMALL)
    path.write_bytes(data)
    run = mover.run(type("Any", (), {"judge": lambda _self, _server: None})(), path, f"s3://{BUCKET}/{NAME}")
    assert run.code == 3, run.result.out
    assert path.exists()


@pytest.mark.parametrize("arguments", [(), ("--storage-class", "STANDARD_IA"), ("--metadata-directive", "REPLACE")])
def test_nothing_is_moved_onto_itself(mover, arguments):
    """Also where a copy onto itself would change something."""
    data = content(5, SMALL)
    mover.put(NAME, data)
    run = mover.run(
        type("Any", (), {"judge": lambda _self, _server: None})(),
        *arguments,
        f"s3://{BUCKET}/{NAME}",
        f"s3://{BUCKET}/{NAME}",
    )
    assert run.code == 2
    assert mover.server.store.read(BUCKET, NAME) == data


@pytest.mark.parametrize("way", ["up", "down", "inside"])
def test_a_dry_run_moves_nothing(mover, way):
    """It says what it would do."""
    if way == "up":
        run = mover.upload(SMALL, "--dry-run", name=NAME)
    elif way == "down":
        run = mover.download(None, "--dry-run", name=NAME)
    else:
        run = mover.copy(None, "--dry-run", name=NAME)
    assert run.code == 0
    assert source_is_left(mover, way)
    assert mover.plan.count("DeleteObject") == 0
