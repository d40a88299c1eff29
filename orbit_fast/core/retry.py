"""Whether to send a request again: a pure decision, so that one line of the program waits and all the rest is a table.

Four rules, in this order:

1. A request that the service may have acted on is sent again only if doing it twice is the same as doing it once.
2. Some failures are worth few tries: damage on the way one more (the same damage over two connections is not the
   way's), a host that nobody ever reached three.
3. Whatever the service or the network did wrong for a moment is worth all tries the user allows, for ten minutes.
4. The wait is random between nothing and 100 ms · 2ⁿ (at most 20 s), so that many clients do not come back together;
   what the service asks to wait (at most 60 s) is waited at least.
"""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.errors import BadDigest
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NoSuchHost
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SizeMismatch

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 20.0
LONGEST_ASKED_WAIT_S = 60.0
LAG_S = 5.0
"""How long a service may take until it shows what it has acknowledged; S3 itself takes no time at all."""

_LAST_DOUBLING = 8  # 0.1 s doubled eight times is above the longest wait

PASSING_CODES = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "XAmzContentSHA256Mismatch",
    }
)
"""S3's codes that mean "not now", whatever the status they come with."""

_FEW_TRIES: tuple[tuple[type[S3Error], int], ...] = (
    (BadDigest, 2),
    (ChecksumMismatch, 2),
    (SizeMismatch, 2),
    (RangeIgnored, 2),
    (NotS3, 3),
    (NoSuchHost, 3),
)
_CODES_OF_TWO_TRIES = frozenset({"E_LIST_START", "InvalidDigest", "XAmzContentSHA256Mismatch"})
_FIRST_CONTACT_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLimits:
    """How often and how long.

    Attributes:
        attempts: tries in all, the first included.
        total_s: seconds from the first try after which no other one starts.
    """

    attempts: int = 11
    total_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What has been tried so far.

    Attributes:
        attempt: number of the try that failed, from 1.
        alike: how many of the tries so far failed in this way, this one included.
        may_lag: what is asked for was written a moment ago.
        elapsed_s: seconds since the first try began.
        was_sent: the service may have seen the request.
        is_idempotent: doing it twice is the same as doing it once.
        is_first_contact: this endpoint has never answered us yet.
    """

    attempt: int
    alike: int = 1
    may_lag: bool = False
    elapsed_s: float = 0.0
    was_sent: bool = True
    is_idempotent: bool = True
    is_first_contact: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Send it again after `after_s` seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not send it again; `reason` is for logs and tests."""

    reason: str


def decide(failure: S3Error, tried: Tried, *, limits: RetryLimits, random01: float) -> Retry | GiveUp:
    """Whether and when to send again what failed with `failure`.

    Args:
        failure: what happened.
        tried: how often, how long, and what kind of request.
        limits: the user's.
        random01: a random number in [0, 1).
    """
    if tried.was_sent and not tried.is_idempotent and is_ambiguous(failure):
        return GiveUp("ambiguous")
    worth = attempts_worth(failure, tried, limits.attempts)
    if worth <= 1:
        return GiveUp("permanent")
    if tried.attempt >= limits.attempts or tried.alike >= worth:
        return GiveUp("attempts")
    after_s = random01 * min(LONGEST_WAIT_S, FIRST_WAIT_S * (1 << min(tried.attempt - 1, _LAST_DOUBLING)))
    if failure.retry_after_s is not None:
        after_s = max(after_s, min(LONGEST_ASKED_WAIT_S, failure.retry_after_s))
    if tried.elapsed_s + after_s >= limits.total_s:
        return GiveUp("time")
    return Retry(after_s)


def is_ambiguous(failure: S3Error) -> bool:
    """Whether the service may have done what was asked although no good answer came."""
    if isinstance(failure, RateLimitExceeded | ConnectFailed) or failure.code in {"SlowDown", "RequestTimeout"}:
        return False
    return isinstance(failure, Network | ServerFault | BadReply)


def attempts_worth(failure: S3Error, tried: Tried, allowed: int) -> int:
    """How many tries in all `failure` is worth, at most `allowed`."""
    if tried.may_lag and isinstance(failure, NotFound):
        return allowed if tried.elapsed_s < LAG_S else 1
    for kind, attempts in _FEW_TRIES:
        if isinstance(failure, kind):
            return min(attempts, allowed)
    if failure.code in _CODES_OF_TWO_TRIES:
        return min(2, allowed)
    if isinstance(failure, ConnectFailed) and tried.is_first_contact:
        return min(_FIRST_CONTACT_TRIES, allowed)
    if failure.is_retryable() or failure.code in PASSING_CODES:
        return allowed
    return 1
