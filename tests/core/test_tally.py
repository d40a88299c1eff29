"""The counts of a job, and the exit code that follows from them."""

from __future__ import annotations

import itertools

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.tally import DENIED_AT_START
from orbit_fast.core.tally import Tally

DONE = Outcome(1, Status.DONE, 10, Verified.CHECKSUM)
BY_SIZE = Outcome(2, Status.DONE, 20, Verified.SIZE)
PLANNED = Outcome(3, Status.PLANNED, 40)
EXISTS = Outcome(4, Status.SKIPPED, 80, reason="exists")
GLACIER = Outcome(5, Status.SKIPPED, 160, reason="glacier")


def failed(error: S3Error) -> Outcome:
    """An outcome with this failure."""
    return Outcome(6, Status.FAILED, failure=Failure.of(error))


FAULT = failed(ServerFault("no"))
DENIED = failed(AccessDenied("no"))
DAMAGED = failed(ChecksumMismatch("k", "a", "b"))
CHANGED = failed(SourceChanged("no"))


def tally_of(*outcomes: Outcome) -> Tally:
    """A tally of these."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    return tally


def test_everything_is_counted_once() -> None:
    """Each outcome in one of three counts; bytes of what was done only."""
    tally = tally_of(DONE, BY_SIZE, PLANNED, EXISTS, GLACIER, FAULT, DENIED, DAMAGED)
    assert (tally.copied, tally.skipped, tally.failed, tally.ended) == (3, 2, 3, 8)
    assert (tally.size, tally.unverified) == (70, 1)
    assert (tally.archived, tally.denied, tally.damaged) == (1, 1, 1)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        ([DONE, BY_SIZE, PLANNED, EXISTS], 0),
        ([DONE, FAULT], 1),
        ([FAULT], 1),
        ([DONE, GLACIER], 1),
        ([DONE, DENIED], 1),
        ([EXISTS, DENIED], 1),
        ([DENIED], 2),
        ([DENIED, DENIED], 2),
        ([DENIED, FAULT], 1),
        ([DONE, DAMAGED], 3),
        ([CHANGED], 3),
        ([DENIED, DAMAGED], 3),
        ([FAULT, DAMAGED, DENIED], 3),
    ],
)
def test_the_exit_code_of_what_ended(outcomes: list[Outcome], code: int) -> None:
    """0 all done, 1 some failed, 2 nothing was allowed, 3 damage, which wins."""
    assert tally_of(*outcomes).exit_code() == code


@pytest.mark.parametrize(
    ("stopper", "code"),
    [
        (NoSpace("full"), 2),
        (BucketNotFound("none"), 2),
        (LocalError("read-only", code="E_READ_ONLY", scope=Scope.JOB), 2),
        (ServerFault("every page"), 2),
    ],
)
@pytest.mark.parametrize(("before", "wins"), [([], 0), ([DONE], 0), ([DONE, FAULT], 0), ([DONE, DAMAGED], 3)])
def test_a_job_that_was_stopped_could_not_be_done(
    stopper: S3Error, code: int, before: list[Outcome], wins: int
) -> None:
    """2 whatever the failure itself would have been for one object; damage still wins."""
    tally = tally_of(*before)
    tally.stopper = Failure.of(stopper)
    assert tally.exit_code() == (wins or code)


def test_a_signal_wins_over_everything() -> None:
    """130 and 143, never 0."""
    for outcomes, number in itertools.product([(), (DONE,), (DAMAGED,)], [2, 15]):
        tally = tally_of(*outcomes)
        tally.signal = number
        assert tally.exit_code() == 128 + number


def test_archived_objects_may_be_ignored() -> None:
    """--ignore-glacier-warnings."""
    assert tally_of(DONE, GLACIER).exit_code(ignores_archived=True) == 0
    assert tally_of(FAULT, GLACIER).exit_code(ignores_archived=True) == 1


def test_a_report_that_was_lost_is_no_success() -> None:
    """Exit 0 says that the report could be written, too."""
    tally = tally_of(DONE)
    tally.is_report_lost = True
    assert tally.exit_code() == 1


def test_three_refusals_at_the_start_stop_the_job() -> None:
    """Only while nothing else has ended: then the credentials may do nothing at all."""
    assert not tally_of(*[DENIED] * (DENIED_AT_START - 1)).is_denied
    assert tally_of(*[DENIED] * DENIED_AT_START).is_denied
    assert not tally_of(DONE, *[DENIED] * DENIED_AT_START).is_denied
    assert not tally_of(EXISTS, *[DENIED] * DENIED_AT_START).is_denied


def test_a_failure_without_a_reason_still_counts() -> None:
    """Nothing is lost from the sum."""
    tally = tally_of(Outcome(1, Status.FAILED))
    assert (tally.failed, tally.exit_code()) == (1, 1)
