"""The retry decision, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core import errors
from orbit_fast.core.retry import LAG_S
from orbit_fast.core.retry import GiveUp
from orbit_fast.core.retry import Retry
from orbit_fast.core.retry import RetryLimits
from orbit_fast.core.retry import Tried
from orbit_fast.core.retry import decide

LIMITS = RetryLimits()


def _tries(failure: errors.S3Error, limits: RetryLimits = LIMITS, **tried: bool) -> int:
    """How many tries `failure` gets when it happens every time."""
    attempt = 1
    while isinstance(
        decide(failure, Tried(attempt=attempt, alike=attempt, **tried), limits=limits, random01=0.5), Retry
    ):
        attempt += 1
    return attempt


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (errors.ServerFault("500", code="InternalError", status=500), 11),
        (errors.ServerFault("502", status=502), 11),
        (errors.RateLimitExceeded("503", code="SlowDown", status=503), 11),
        (errors.RateLimitExceeded("429", status=429), 11),
        (errors.Service("400", code="RequestTimeout", status=400), 11),
        (errors.Service("409", code="OperationAborted", status=409), 11),
        (errors.Timeout("no byte moved"), 11),
        (errors.Timeout("slow", code="E_STALLED"), 11),
        (errors.Network("reset"), 11),
        (errors.Network("cut", code="E_SHORT_BODY"), 11),
        (errors.ConnectFailed("refused"), 11),
        (errors.ConnectFailed("EAI_AGAIN", code="E_DNS"), 11),
        (errors.ConnectFailed("handshake cut", code="E_TLS"), 11),
        (errors.BadReply("cut XML"), 11),
        (errors.BadReply("not HTTP", code="E_HTTP"), 11),
        (errors.RangeIgnored("all of it"), 2),
        (errors.NotS3("a web page"), 3),
        (errors.NoSuchHost("NXDOMAIN"), 3),
        (errors.BadDigest("damaged on the way"), 2),
        (errors.Service("400", code="InvalidDigest", status=400), 2),
        (errors.BadReply("as ever", code="E_LIST_START"), 2),
        (errors.Service("400", code="XAmzContentSHA256Mismatch", status=400), 2),
        (errors.ChecksumMismatch("k", "a", "b"), 2),
        (errors.SizeMismatch("short"), 2),
        (errors.SourceChanged("changed"), 1),
        (errors.Unverifiable("nothing to compare"), 1),
        (errors.TlsTrust("self-signed"), 1),
        (errors.AccessDenied("403", status=403), 1),
        (errors.Authentication("403", code="SignatureDoesNotMatch"), 1),
        (errors.ExpiredCredentials("400"), 1),
        (errors.ClockSkew("403"), 1),
        (errors.WrongRegion("301"), 1),
        (errors.RedirectRefused("307"), 1),
        (errors.NotFound("b", "k"), 1),
        (errors.BucketNotFound("404"), 1),
        (errors.PreconditionFailed("412"), 1),
        (errors.InvalidRange("416"), 1),
        (errors.ObjectArchived("403"), 1),
        (errors.UploadGone("404"), 1),
        (errors.HeaderRefused("501"), 1),
        (errors.Service("400", code="EntityTooLarge", status=400), 1),
        (errors.NoSpace("disk full"), 1),
        (errors.Cancelled("given up"), 1),
        (errors.InvalidConfig("bad header"), 1),
    ],
)
def test_every_class_has_its_number_of_tries(failure, tries):
    """What passes is tried as often as the user allows; damage twice; what cannot help once."""
    assert _tries(failure) == tries


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_users_limit_is_never_exceeded(attempts):
    """`attempts` counts the first try too, for every class."""
    limits = RetryLimits(attempts=attempts)
    assert _tries(errors.Network("reset"), limits) == attempts
    assert _tries(errors.BadDigest("damaged"), limits) == min(2, attempts)


def test_a_host_nobody_ever_reached_is_given_up_soon():
    """A wrong endpoint shows within three tries; one that has answered before gets all of them."""
    assert _tries(errors.ConnectFailed("refused"), is_first_contact=True) == 3
    assert _tries(errors.ConnectFailed("refused"), is_first_contact=False) == 11
    assert _tries(errors.Network("reset"), is_first_contact=True) == 11


@pytest.mark.parametrize(
    ("attempt", "alike", "decision"),
    [
        (1, 1, Retry(0.0)),
        (5, 1, Retry(0.0)),
        (10, 1, Retry(0.0)),
        (2, 2, GiveUp("attempts")),
        (5, 2, GiveUp("attempts")),
        (11, 1, GiveUp("attempts")),
    ],
)
def test_damage_is_counted_for_itself(attempt, alike, decision):
    """Tries that failed in another way do not use up the one that damage is worth; the user's limit still holds."""
    tried = Tried(attempt=attempt, alike=alike)
    assert decide(errors.ChecksumMismatch("k", "a", "b"), tried, limits=LIMITS, random01=0.0) == decision


@pytest.mark.parametrize(
    ("failure", "may_lag", "elapsed_s", "decision"),
    [
        (errors.NotFound("b", "k"), True, 0.0, Retry(0.0)),
        (errors.NotFound("b", "k"), True, LAG_S - 0.001, Retry(0.0)),
        (errors.NotFound("b", "k"), True, LAG_S, GiveUp("permanent")),
        (errors.NotFound("b", "k"), False, 0.0, GiveUp("permanent")),
        (errors.BucketNotFound("404"), True, 0.0, GiveUp("permanent")),
        (errors.UploadGone("404"), True, 0.0, GiveUp("permanent")),
        (errors.AccessDenied("403"), True, 0.0, GiveUp("permanent")),
        (errors.ServerFault("500"), True, LAG_S, Retry(0.0)),
    ],
)
def test_what_was_just_written_may_show_late(failure, may_lag, elapsed_s, decision):
    """An object that a slow service has acknowledged is looked for again, for a few seconds; nothing else is."""
    tried = Tried(attempt=3, alike=3, may_lag=may_lag, elapsed_s=elapsed_s)
    assert decide(failure, tried, limits=LIMITS, random01=0.0) == decision


def test_looking_for_what_was_just_written_is_bounded_by_the_users_limit():
    """Also where no time passes."""
    assert _tries(errors.NotFound("b", "k"), RetryLimits(attempts=4), may_lag=True) == 4


@pytest.mark.parametrize(
    ("failure", "was_sent", "tries"),
    [
        (errors.Network("reset"), True, 1),
        (errors.Timeout("no answer"), True, 1),
        (errors.ServerFault("500", status=500), True, 1),
        (errors.BadReply("empty"), True, 1),
        (errors.Network("reset"), False, 11),
        (errors.ConnectFailed("refused"), True, 11),
        (errors.RateLimitExceeded("503", code="SlowDown"), True, 11),
        (errors.Service("400", code="RequestTimeout"), True, 11),
    ],
)
def test_what_must_not_happen_twice_is_not_risked(failure, was_sent, tries):
    """A request that is not idempotent goes out again only when the service surely did not act on it."""
    assert _tries(failure, is_idempotent=False, was_sent=was_sent) == tries


@pytest.mark.parametrize(
    ("attempt", "random01", "asked_s", "after_s"),
    [
        (1, 0.0, None, 0.0),
        (1, 0.5, None, 0.05),
        (2, 0.5, None, 0.1),
        (5, 0.5, None, 0.8),
        (8, 1.0, None, 12.8),
        (9, 1.0, None, 20.0),
        (10, 0.5, None, 10.0),
        (1, 0.5, 7.0, 7.0),
        (9, 0.5, 7.0, 10.0),
        (1, 0.5, 3600.0, 60.0),
        (1, 0.5, 0.0, 0.05),
    ],
)
def test_the_wait_is_jittered_doubled_capped_and_at_least_what_was_asked(attempt, random01, asked_s, after_s):
    """Full jitter below 100 ms doubled each time, at most 20 s; Retry-After is kept, up to 60 s."""
    failure = errors.RateLimitExceeded("slow down")
    failure.retry_after_s = asked_s
    decision = decide(failure, Tried(attempt=attempt), limits=LIMITS, random01=random01)
    assert decision == Retry(pytest.approx(after_s))


def test_ten_minutes_are_the_end():
    """No try starts after the time limit, the wait before it included."""
    failure = errors.Network("reset")
    assert decide(failure, Tried(attempt=1, elapsed_s=600.0), limits=LIMITS, random01=0.0) == GiveUp("time")
    assert decide(failure, Tried(attempt=10, elapsed_s=595.0), limits=LIMITS, random01=0.5) == GiveUp("time")
    assert decide(failure, Tried(attempt=10, elapsed_s=580.0), limits=LIMITS, random01=0.5) == Retry(10.0)


@given(
    attempt=st.integers(1, 10_000),
    elapsed_s=st.floats(0, 1e6),
    random01=st.floats(0, 1, exclude_max=True),
    asked_s=st.none() | st.floats(0, 1e9),
)
def test_it_always_ends_and_never_waits_long(attempt, elapsed_s, random01, asked_s):
    """Whatever the numbers, a retry is within the attempts, the time and the longest wait."""
    failure = errors.ServerFault("500")
    failure.retry_after_s = asked_s
    decision = decide(failure, Tried(attempt=attempt, elapsed_s=elapsed_s), limits=LIMITS, random01=random01)
    if isinstance(decision, Retry):
        assert attempt < LIMITS.attempts
        assert 0 <= decision.after_s <= 60.0
        assert elapsed_s + decision.after_s < LIMITS.total_s
