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

if TYPE_CHECKING:
    import asyncio

    from orbit_fast.core.sigv4 import Signer
    from orbit_fast.io.client import Client

T = TypeVar("T")

CREDENTIALS_WAIT_S = 60.0
"""How long a request waits for fresh credentials."""

_SAME_CLOCK_S = 1.0
"""A service's Date has whole seconds: less difference than this is none."""


class Repair(enum.Flag):
    """What has been repaired for the present call: each at most once."""

    NONE = 0
    CREDENTIALS = enum.auto()
    CLOCK = enum.auto()
    REGION = enum.auto()


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

    def _advance(self, step: Callable[[], Call]) -> None:
        """Run the flow up to its next call, and send that."""
        try:
            call = step()
        except StopIteration as stop:
            self._end(stop.value)
        except S3Error as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - a mistake in a flow ends that flow, not the process's other work
            self._end_mistaken(error)
        else:
            self._call = call
            self._attempt = 0
            self._repairs = Repair.NONE
            self._started_s = self._client.clock.monotonic_s()
            self._send()

    def _throw(self, failure: S3Error) -> None:
        self._advance(lambda: self._flow.throw(failure))

    def _close(self) -> None:
        try:
            self._flow.close()
        except Exception as error:  # noqa: BLE001 - as in `_advance`
            self._end_mistaken(error)
        else:
            self._end(Cancelled("cancelled"))

    def _end_mistaken(self, error: Exception) -> None:
        if isinstance(error, S3Error):
            self._end(error)
            return
        self._client.loop.call_exception_handler({"message": "a flow raised what it may not", "exception": error})
        failure = Internal(f"{type(error).__name__}: {error}")
        failure.__cause__ = error
        self._end(failure)

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
        self._attempt += 1
        try:
            route = client.route(call.site)
            if not route.breaker.permits(client.clock.monotonic_s()):
                # From the loop, as in `_send_again`.
                refusal = route.breaker.refusal()
                self._timer = client.loop.call_later(0, self._refused, refusal)
                return
            if self._attempt > 1 and call.body is not None:
                call.body.rewind()
            payload = client.encode(call, route)
        except S3Error as error:
            self._throw(error)
            return
        self._site, self._signer, self._offset_s = route.site, route.signer, client.clock.offset_s
        client.counters.requests += 1
        exchange = Exchange(call, payload, self._ended)
        self._exchange = exchange
        route.pool.submit(exchange)

    def _refused(self, failure: S3Error) -> None:
        """The breaker did not let the try out."""
        self._timer = None
        self._wait_or_throw(failure, was_sent=False)

    def _ended(self, exchange: Exchange) -> None:
        """A try has ended."""
        self._exchange = None
        if self._is_cancelled:
            self._close()
            return
        answer = self._answer_of(exchange)
        if isinstance(answer, S3Error):
            self._fail(answer, exchange)
        else:
            self._advance(lambda: self._flow.send(answer))

    def _answer_of(self, exchange: Exchange) -> Reply | S3Error:
        """What a try brought: a reply that says success and holds none of the failures that hide in one, or why not."""
        failure, head, request = exchange.failure, exchange.head, exchange.call.request
        breaker = self._client.route(exchange.call.site).breaker
        if head is not None:
            breaker.record_answer()
        elif isinstance(failure, Network):
            breaker.record_failure(failure, self._client.clock.monotonic_s())
        if failure is not None:
            return failure
        assert head is not None, "an exchange ends with a reply or a failure"
        bucket = self._site.bucket if self._site is not None else ""
        if head.status >= 300:
            return error_of(head.status, head.headers, exchange.content, request=request, bucket=bucket)
        reply = Reply(status=head.status, headers=head.headers, body=exchange.content, attempts=self._attempt)
        hidden = hidden_failure(reply, request=request, bucket=bucket) if exchange.call.sink is None else None
        return hidden or reply

    # --- after a failure ---------------------------------------------------------------------------------------------

    def _fail(self, failure: S3Error, exchange: Exchange) -> None:
        """Repair and send again, or wait and send again, or tell the flow."""
        if isinstance(failure, RateLimitExceeded):
            self._client.counters.throttles += 1
        if isinstance(failure, ExpiredCredentials | ClockSkew | WrongRegion) and self._repair(failure, exchange):
            return
        self._wait_or_throw(failure, was_sent=exchange.was_sent)

    def _wait_or_throw(self, failure: S3Error, *, was_sent: bool) -> None:
        client, call = self._client, self._call
        assert call is not None
        now_s = client.clock.monotonic_s()
        breaker = client.route(call.site).breaker
        tried = Tried(
            attempt=self._attempt,
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
            is_repaired = self._is_first(Repair.CLOCK) and self._set_clock(exchange)
        else:
            is_repaired = self._is_first(Repair.REGION) and self._move(failure.region)
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

    def _set_clock(self, exchange: Exchange) -> bool:
        clock = self._client.clock
        if abs(clock.offset_s - self._offset_s) > _SAME_CLOCK_S:
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

    def _move(self, region: str) -> bool:
        site = self._site
        if site is None:
            return False
        if self._client.route(site.number).site.endpoint != site.endpoint:
            return True  # moved since this request was signed
        return self._client.move(site, region)
