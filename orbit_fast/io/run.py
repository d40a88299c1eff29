"""One flow on its way: sends its calls, gives it the replies, tries again, repairs. See `client` for the whole."""

from __future__ import annotations

import email.utils
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Generic
from typing import TypeVar

from orbit_fast.core.decode import error_of
from orbit_fast.core.decode_errors import hidden_failure
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ClockSkew
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import WrongRegion
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Site
from orbit_fast.core.retry import GiveUp
from orbit_fast.core.retry import Tried
from orbit_fast.core.retry import decide
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.flow import Pause
from orbit_fast.io.flow import Until

if TYPE_CHECKING:
    import asyncio

    from orbit_fast.core.sigv4 import Signer
    from orbit_fast.io.client import Client
    from orbit_fast.io.clock import Clock

T = TypeVar("T")

CREDENTIALS_WAIT_S = 60.0
"""How long a request waits for fresh credentials."""

FLOW_MISTAKE = "a flow raised what it may not"
"""The message with which a loop's exception handler hears of it; the flow's owner has been told by then."""

MIN_GAIN = 64 << 10
"""Bytes that a try must bring to be free: a service that sends a byte a try is not let off for ever."""

_SAME_CLOCK_S = 1.0
"""A service's Date has whole seconds: less difference than this is none."""


class Repair(enum.Flag):
    """What has been repaired for the present call: each at most once."""

    NONE = 0
    CREDENTIALS = enum.auto()
    CLOCK = enum.auto()
    REGION = enum.auto()
    SESSION = enum.auto()


class Tries:
    """What the tries of one call have come to.

    Attributes:
        free: tries that are not counted against it: they brought bytes for good, or met a stale connection.
    """

    __slots__ = ("_kept", "_kinds", "free")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A new call."""
        self.free = 0
        self._kept = 0
        self._kinds: dict[type[S3Error], int] = {}

    def count(self, failure: S3Error) -> int:
        """One more try has failed with `failure`; how many have failed in that way."""
        kind = type(failure)
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        return self._kinds[kind]

    def has_come_further(self, call: Call, attempt: int) -> bool:
        """Whether the try `attempt` brought bytes for good: then only what comes in vain from now on is counted."""
        kept = call.kept() if call.kept is not None else 0
        if kept < self._kept + MIN_GAIN:
            return False
        self.begin()
        self._kept = kept
        self.free = attempt - 1
        return True


class Run(Generic[T]):
    """The handle of a flow that is being run."""

    __slots__ = (
        "_attempt",
        "_call",
        "_client",
        "_exchange",
        "_failure",
        "_flow",
        "_is_cancelled",
        "_is_ended",
        "_offset_s",
        "_on_done",
        "_repairs",
        "_signer",
        "_site",
        "_started_s",
        "_timer",
        "_tries",
    )

    def __init__(self, client: Client, flow: Flow[T], on_done: Callable[[T | S3Error], None]) -> None:
        self._client = client
        self._flow = flow
        self._on_done = on_done
        self._call: Call | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failure: S3Error | None = None  # what a repair is waited for
        self._attempt = 0
        self._repairs = Repair.NONE
        self._started_s = 0.0
        self._is_cancelled = False
        self._is_ended = False
        self._tries = Tries()
        # What the last try was made with: where it differs from what is valid now, somebody has repaired it already.
        self._site: Site | None = None
        self._signer: Signer | None = None
        self._offset_s = 0.0

    def __repr__(self) -> str:
        operation = self._call.request.operation if self._call is not None else "not begun"
        state = "ended" if self._is_ended else "waiting" if self._timer is not None else f"on {self._exchange!r}"
        return f"<Run {operation}, attempt {self._attempt}, {state}>"

    def cancel(self) -> None:
        """End the flow early: its ``finally`` blocks run, and `on_done` is called with `Cancelled`.

        That happens when no transport holds memory of its body or sink any more, maybe before this returns. Nothing
        happens when the flow has ended.
        """
        if self._is_ended or self._is_cancelled:
            return
        self._is_cancelled = True
        if self._exchange is not None:
            self._exchange.abandon(Cancelled("cancelled"))
            return
        self._stop_waiting()
        self._close()

    # --- the flow ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Run the flow up to its first call."""
        self._advance(lambda: next(self._flow))

    def _advance(self, step: Callable[[], Call | Pause | Until]) -> None:
        """Run the flow up to its next call, and send that."""
        try:
            call = step()
        except StopIteration as stop:
            self._end(stop.value)
        except S3Error as error:
            error.attempts = error.attempts or self._attempt
            _forget_frames(error)
            self._end(error)
        except Exception as error:  # noqa: BLE001 - a mistake in a flow ends that flow, not the process's other work
            self._end_mistaken(error)
        else:
            if isinstance(call, Pause):
                self._timer = self._client.loop.call_later(0, self._go_on)
                return
            if isinstance(call, Until):
                call.subscribe(self._wake)
                return
            self._call = call
            self._attempt = 0
            self._repairs = Repair.NONE
            self._started_s = self._client.clock.monotonic_s()
            self._tries.begin()
            self._send()

    def _wake(self) -> None:
        """What the flow waited for has come; it goes on from the loop, not from whoever brought that."""
        if not self._is_ended and self._timer is None:
            self._timer = self._client.loop.call_later(0, self._go_on)

    def _go_on(self) -> None:
        """The flow has paused for long enough."""
        self._timer = None
        self._advance(lambda: next(self._flow))

    def _throw(self, failure: S3Error) -> None:
        failure.attempts = self._attempt
        self._advance(lambda: self._flow.throw(failure))

    def _throw_mistake(self, mistake: Exception) -> None:
        self._advance(lambda: self._flow.throw(mistake))

    def _close(self) -> None:
        try:
            self._flow.close()
        except Exception as error:  # noqa: BLE001 - as in `_advance`
            self._end_mistaken(error)
        else:
            self._end(Cancelled("cancelled"))

    def _end_mistaken(self, error: Exception) -> None:
        self._end(error if isinstance(error, S3Error) else _told(self._client, error))

    def _end(self, result: T | S3Error) -> None:
        self._is_ended = True
        self._client.forget(self)
        self._on_done(result)

    # --- one try -----------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Make one try of the present call."""
        client, call = self._client, self._call
        assert call is not None
        self._timer = None
        route = client.find_route(call.site)
        if route is not None and route.lacks_session(call.request.operation, self._session_came):
            return
        self._attempt += 1
        try:
            route = client.route(call.site)
            if not route.breaker.permits(client.clock.monotonic_s()):
                # From the loop, as in `_send_again`.
                refusal = route.breaker.refusal()
                self._timer = client.loop.call_later(0, self._refused, refusal)
                return
            if self._attempt > 1:
                if call.body is not None:
                    call.body.rewind()
                if call.again is not None:
                    call.request = call.again()
            payload = client.encode(call, route)
        except S3Error as error:
            self._throw(error)
            return
        except Exception as error:  # noqa: BLE001 - what a call brings along is its flow's, and so are its mistakes
            self._throw_mistake(error)
            return
        self._site, self._offset_s = route.site, client.clock.offset_s
        self._signer = route.signer_of(call.request.operation)
        client.counters.requests += 1
        exchange = Exchange(call, payload, self._ended)
        exchange.is_of_directory = route.site.is_directory
        self._exchange = exchange
        route.pool.submit(exchange)

    def _session_came(self, failure: S3Error | None) -> None:
        """The session that this waited for is there, or will not be. From the loop, as in `_send_again`."""
        if not self._is_ended:
            self._timer = self._client.loop.call_later(0, self._after_session, failure)

    def _after_session(self, failure: S3Error | None) -> None:
        self._timer = None
        if failure is None:
            self._send()
        else:
            self._throw(failure)

    def _refused(self, failure: S3Error) -> None:
        """The breaker did not let the try out."""
        self._timer = None
        self._wait_or_throw(failure, was_sent=False)

    def _ended(self, exchange: Exchange) -> None:
        """A try has ended."""
        self._exchange = None
        if exchange.is_second_chance:
            # Sent twice: whoever asks how often must know, because the first time may have been heard.
            self._attempt += 1
            self._tries.free += 1
        if self._is_cancelled:
            self._close()
            return
        try:
            answer = _answer_of(self._client, self._site, exchange, self._attempt)
        except Exception as error:  # noqa: BLE001 - as in `_send`
            self._throw_mistake(error)
            return
        if isinstance(answer, S3Error):
            self._fail(answer, exchange)
        else:
            self._advance(lambda: self._flow.send(answer))

    # --- after a failure ---------------------------------------------------------------------------------------------

    def _fail(self, failure: S3Error, exchange: Exchange) -> None:
        """Repair and send again, or wait and send again, or tell the flow."""
        if isinstance(failure, RateLimitExceeded):
            self._client.counters.throttles += 1
        route = self._client.route(exchange.call.site)
        if route.forgets_session(failure, exchange.call.request, self._signer):
            if self._is_first(Repair.SESSION):
                self._send_again()
                return
        elif isinstance(failure, ExpiredCredentials | ClockSkew | WrongRegion) and self._repair(failure, exchange):
            return
        self._wait_or_throw(failure, was_sent=exchange.was_sent)

    def _wait_or_throw(self, failure: S3Error, *, was_sent: bool) -> None:
        client, call = self._client, self._call
        assert call is not None
        now_s = client.clock.monotonic_s()
        breaker = client.route(call.site).breaker
        if self._tries.has_come_further(call, self._attempt):
            self._started_s = now_s
        tried = Tried(
            attempt=self._attempt - self._tries.free,
            alike=self._tries.count(failure),
            may_lag=call.may_lag,
            elapsed_s=now_s - self._started_s,
            was_sent=was_sent,
            is_idempotent=call.is_idempotent,
            is_first_contact=not breaker.has_answered,
        )
        decision = decide(failure, tried, limits=client.limits, random01=client.rng.random())
        if isinstance(decision, GiveUp):
            self._throw(failure)
            return
        client.counters.retries += 1
        after_s = max(decision.after_s, breaker.wait_s(now_s))
        self._timer = client.loop.call_later(after_s, self._send)

    # --- repairs -----------------------------------------------------------------------------------------------------

    def _repair(self, failure: S3Error, exchange: Exchange) -> bool:
        """Whether what caused `failure` is out of the world, or being worked on; if so the call goes out again."""
        if isinstance(failure, ExpiredCredentials):
            return self._repair_credentials(failure)
        if isinstance(failure, ClockSkew):
            is_repaired = self._is_first(Repair.CLOCK) and _set_clock(self._client.clock, exchange, self._offset_s)
        else:
            is_repaired = self._is_first(Repair.REGION) and _moved(self._client, self._site, failure.region)
        if is_repaired:
            self._send_again()
        return is_repaired

    def _is_first(self, repair: Repair) -> bool:
        is_first = not self._repairs & repair
        self._repairs |= repair
        return is_first

    def _send_again(self) -> None:
        self._client.counters.retries += 1
        # From the loop: a service that fails every request at once must not make the stack grow.
        self._timer = self._client.loop.call_later(0, self._send)

    def _repair_credentials(self, failure: S3Error) -> bool:
        client, site = self._client, self._site
        if site is None or not self._is_first(Repair.CREDENTIALS):
            return False
        if client.route(site.number).signer is not self._signer:
            self._send_again()  # others have come since this request was signed
            return True
        self._failure = failure
        self._timer = client.loop.call_later(CREDENTIALS_WAIT_S, self._credentials_late)
        client.park(self, site)
        return True

    def _credentials_late(self) -> None:
        self._client.unpark(self)
        self.resume(is_repaired=False)

    def resume(self, *, is_repaired: bool) -> None:
        """The wait for credentials is over: `is_repaired` says whether there are others now."""
        failure = self._failure
        if failure is None:
            return
        self._stop_waiting()
        if is_repaired:
            self._send_again()
        else:
            self._throw(failure)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._failure is not None:
            self._failure = None
            self._client.unpark(self)


def _told(client: Client, mistake: Exception) -> Internal:
    """A flow's mistake as the failure that its owner is told, once the loop's exception handler has heard of it."""
    client.loop.call_exception_handler({"message": FLOW_MISTAKE, "exception": mistake})
    failure = Internal(f"{type(mistake).__name__}: {mistake}")
    failure.__cause__ = mistake
    return failure


def _answer_of(client: Client, site: Site | None, exchange: Exchange, attempt: int) -> Reply | S3Error:
    """What a try brought: a reply that says success and holds none of the failures that hide in one, or why not."""
    failure, head, request = exchange.failure, exchange.head, exchange.call.request
    breaker = client.route(exchange.call.site).breaker
    if head is not None:
        breaker.record_answer()
    elif isinstance(failure, Network):
        breaker.record_failure(failure, client.clock.monotonic_s())
    if failure is not None:
        return failure
    assert head is not None, "an exchange ends with a reply or a failure"
    bucket = site.bucket if site is not None else ""
    if head.status >= 300:
        return error_of(head.status, head.headers, exchange.content, request=request, bucket=bucket)
    reply = Reply(status=head.status, headers=head.headers, body=exchange.content, attempts=attempt)
    hidden = hidden_failure(reply, request=request, bucket=bucket) if exchange.call.sink is None else None
    return hidden or _checked(exchange.call, reply)


def _forget_frames(error: BaseException | None) -> None:
    """Let go of what the frames hold that an error has passed, and the errors that it came of.

    They hold the bytes of the request, and the error itself: all of it would stay until cycles are looked for, which
    counts objects and not bytes.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _checked(call: Call, reply: Reply) -> Reply | S3Error:
    """The reply, once the call's own check has found nothing wrong with it."""
    if call.check is None:
        return reply
    try:
        reply.decoded = call.check(reply)
    except S3Error as error:
        _forget_frames(error)
        return error
    return reply


def _moved(client: Client, site: Site | None, region: str) -> bool:
    """Whether requests to the bucket of `site` go into its region now."""
    if site is None:
        return False
    if client.route(site.number).site.endpoint != site.endpoint:
        return True  # moved since this request was signed
    return client.move(site, region)


def _set_clock(clock: Clock, exchange: Exchange, signed_offset_s: float) -> bool:
    """Set the clock by the answer's Date, where the request was signed by a wrong one; whether to try again."""
    if abs(clock.offset_s - signed_offset_s) > _SAME_CLOCK_S:
        return True  # set since this request was signed
    text = exchange.head.headers.get("date", "") if exchange.head is not None else ""
    try:
        there_s = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return False
    difference_s = there_s - clock.now_s()
    if abs(difference_s) <= _SAME_CLOCK_S:
        return False
    clock.offset_s += difference_s
    return True
