"""What a service does not know, step by step."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadDigest
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.io.ladder import DeleteBy
from orbit_fast.io.ladder import Findings
from orbit_fast.io.ladder import Knows
from orbit_fast.io.ladder import Ladder
from orbit_fast.io.ladder import Step
from orbit_fast.io.ladder import probe
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import reply
from tests.kit.object_replies import failure


def down(ladder, *, is_conditional):
    """Every step from where the ladder stands."""
    steps = [ladder.step(0, is_conditional=is_conditional)]
    while ladder.go_down(0, steps[-1], is_conditional=is_conditional):
        steps.append(ladder.step(0, is_conditional=is_conditional))
    return steps


def test_the_steps():
    """The proof is exchanged before the condition is given up, and never left out."""
    md5, checksum = Step(has_checksum=False, has_condition=False), Step(has_checksum=True, has_condition=False)
    assert down(Ladder(), is_conditional=False) == [checksum, md5]
    conditional = [md5._replace(has_condition=True), checksum, md5]
    assert down(Ladder(), is_conditional=True) == [checksum._replace(has_condition=True), *conditional]


def test_what_another_upload_learned_meanwhile_is_worth_a_try():
    """Two uploads are refused at once: the ladder goes down one step, and both go on."""
    ladder = Ladder()
    first = ladder.step(0)
    assert ladder.go_down(0, first)
    assert ladder.go_down(0, first)
    assert not ladder.step(0).has_checksum
    assert not ladder.go_down(0, ladder.step(0))
    assert ladder.step(1) == first


def test_deletes_have_steps_of_their_own():
    """They go down alone and never up, know what uploads learned, and tell it once; uploads hear nothing of them."""
    told = []
    ladder = Ladder(lambda site, text: told.append((site, text)))
    assert ladder.delete_by(0) is DeleteBy.CHECKSUM
    ladder.go_down_deletes(0, DeleteBy.ONE)
    ladder.go_down_deletes(0, DeleteBy.MD5)
    assert ladder.delete_by(0) is DeleteBy.ONE
    assert ladder.step(0).has_checksum
    ladder.go_down(1, ladder.step(1))
    assert ladder.delete_by(1) is DeleteBy.MD5
    assert ladder.delete_by(2) is DeleteBy.CHECKSUM
    assert [text for site, text in told if site == 0] == ["does not know DeleteObjects: objects are deleted one by one"]


def test_a_condition_of_deletes_is_given_up_once():
    """At one service; it is told, and all else stays as it was."""
    told = []
    ladder = Ladder(lambda *text: told.append(text))
    for _ in range(2):
        ladder.give_up_condition(1)
    assert (ladder.deletes_if_same(0), ladder.deletes_if_same(1)) == (True, False)
    assert told == [(1, "does not delete on conditions: what has changed since it was listed is deleted too")]
    assert ladder.delete_by(1) is DeleteBy.CHECKSUM


def test_each_step_down_is_told_once():
    """With what the service does not know and what is done instead."""
    told = []
    ladder = Ladder(lambda site, text: told.append((site, text)))
    first = ladder.step(3)
    ladder.go_down(3, first)
    ladder.go_down(3, first)
    assert told == [(3, "does not know checksum headers: uploads carry Content-MD5 instead")]
    told.clear()
    for _ in range(3):
        ladder.go_down(4, ladder.step(4, is_conditional=True), is_conditional=True)
    assert ["If-None-Match" in text for _, text in told] == [True, True, False]
    assert not ladder.go_down(4, ladder.step(4, is_conditional=True), is_conditional=True)
    assert len(told) == 3


STORED = reply(etag='"e"')
GONE = reply(status=204)
WRONG = failure(BadDigest)
UNKNOWN = failure(HeaderRefused)
THERE = failure(PreconditionFailed)


@pytest.mark.parametrize(
    ("answers", "checksums", "conditions"),
    [
        ([WRONG, STORED, THERE, GONE], Knows.YES, Knows.YES),
        ([WRONG, STORED, STORED, GONE], Knows.YES, Knows.IGNORED),
        ([STORED, STORED, UNKNOWN, GONE], Knows.IGNORED, Knows.NO),
        ([UNKNOWN, STORED, THERE, GONE], Knows.NO, Knows.YES),
    ],
)
def test_what_a_service_knows_is_found_out(answers, checksums, conditions):
    """By a wrong checksum and by an object in the way; what was written is removed again."""
    driver = Driver(answers)
    found = driver.run(probe(0, "k"))
    assert found == Findings(checksums=checksums, conditions=conditions)
    assert driver.operations == ["PutObject"] * 3 + ["DeleteObject"]
    assert "if-none-match" in driver.headers(2)
    assert ("content-md5" in driver.headers(1)) == (checksums is Knows.NO)
    assert all(found.lines())


def test_a_probe_that_fails_leaves_nothing():
    """Whatever may have been written is removed before the failure is told."""
    driver = Driver([STORED, failure(AccessDenied), GONE])
    with pytest.raises(AccessDenied):
        driver.run(probe(0, "k"))
    assert driver.operations[-1] == "DeleteObject"
