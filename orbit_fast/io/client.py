"""Drives flows: encodes and signs each request, exchanges it, reads errors, repairs what can be repaired, tries again.

A flow is run by a `Run`, which is nothing but callbacks: a reply is sent into the generator as soon as it is there. The
one timer is the wait before another try.

Three failures are repaired instead of waited out, each once a request: expired credentials (others are asked for, and
the run waits for them), a clock that differs from the service's (the difference is taken from the answer's `Date`), and
a bucket that lives in another region (the request is signed for that one). What one request learned, all others use:
they only see that what they were signed with is not what is valid now. A redirect to another host is never followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import TypeVar
from typing import cast

import msgspec

from orbit_fast.core.breaker import CircuitBreaker
from orbit_fast.core.encode_headers import Headers
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.retry import RetryLimits
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.core.sigv4 import EMPTY_SHA256
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import format_amz_date
from orbit_fast.io.clock import Clock
from orbit_fast.io.dialer import Dialer
from orbit_fast.io.exchange import Counters
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.pool import Pool
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.run import Run
from orbit_fast.io.sessions import OWN_KEYS
from orbit_fast.io.sessions import Session
from orbit_fast.io.sessions import Waiter
from orbit_fast.io.tls import Trust

T = TypeVar("T")
Handle = Run[Any]
"""What `Client.run` gives back."""

DEFAULT_CONNECTIONS = 64

NO_PRESIGN = "a presigned URL of a directory bucket would end with its session, after five minutes: none is made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Whom the client asks and tells.

    Attributes:
        on_need_credentials: the service calls this identity's credentials (its access key) expired; answered, some time
            later, by `Client.set_identity`.
        resolve_region: a bucket at AWS lives in this region: its site there, or None where that is not known.
        on_region_found: the site is now this one; other processes should know.
        new_pool: makes a pool, of the arguments of `Pool`.
        breaker_of: the state of the endpoint with this origin (scheme, host, port), where somebody else knows it too.
    """

    on_need_credentials: Callable[[int, str], None] = lambda _identity, _access_key: None
    resolve_region: Callable[[Site, str], Site | None] = lambda _site, _region: None
    on_region_found: Callable[[Site], None] = lambda _site: None
    new_pool: Callable[..., Pool] = Pool
    breaker_of: Callable[[tuple[str, str, int]], CircuitBreaker] = lambda _origin: CircuitBreaker()


@dataclass(slots=True)
class Route:
    """How requests get to a site.

    Attributes:
        site: the site as it is known now.
        trust: whom its connections believe.
        pool: its connections.
        breaker: its endpoint's state.
        signer: signs for it, or None where requests go out unsigned.
        signs_payload: a body's digest goes into the signature.
        session: of a directory bucket that has them; None elsewhere.
    """

    site: Site
    trust: Trust
    pool: Pool
    breaker: CircuitBreaker
    signer: Signer | None
    signs_payload: bool
    session: Session | None = None

    def signer_of(self, operation: str) -> Signer | None:
        """Who signs such a request; None where it goes out unsigned, or no session has begun."""
        session = self._session_for(operation)
        return self.signer if session is None else session.signer

    @property
    def lasting_signer(self) -> Signer | None:
        """Who signs for objects, where that is nobody whose session is about to end."""
        return self.signer if self.session is None or self.signer is None else self.session.lasting_signer

    def lacks_session(self, operation: str, waiter: Waiter) -> bool:
        """Whether such a request has to wait for a session to sign it: `waiter` is called when the wait is over."""
        session = self._session_for(operation)
        return session is not None and session.is_lacking(waiter)

    def forgets_session(self, failure: S3Error, request: Request, signer: Signer | None) -> bool:
        """Whether `failure` may mean that the service knows the session no more that signed: then it is forgotten."""
        return self.session is not None and self.session.forget(failure, request, signer)

    def _session_for(self, operation: str) -> Session | None:
        """The session that signs it; None where the caller's own keys do, or nobody."""
        return None if self.session is None or self.signer is None or operation in OWN_KEYS else self.session


class Client:
    """All requests of one process. Everything runs on `loop`'s thread.

    Attributes:
        clock: with the offset that services have taught.
        counters: what was sent, received, tried.
        limits: of retries.
        rng: where the waits' randomness comes from.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        *,
        settings: NetworkSettings,
        rng: random.Random,
        hooks: Hooks,
        counters: Counters,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.counters = counters
        self.rng = rng
        self.limits = RetryLimits(attempts=settings.retry_attempts + 1)
        self._idle_s = settings.timeout_s
        self._hooks = hooks
        self._connections = DEFAULT_CONNECTIONS
        self._resolver = Resolver(loop, clock)
        self._routes: dict[int, Route] = {}
        self._pools: dict[tuple[tuple[str, str, int], Trust], tuple[Pool, CircuitBreaker]] = {}
        self._identities: dict[int, Credentials] = {}
        self._signers: dict[tuple[int, str, str], Signer] = {}
        self._parked: dict[int, list[Run[Any]]] = {}
        self._runs: set[Run[Any]] = set()
        self._date_s = -1
        self._date = ""

    def __repr__(self) -> str:
        pools = ", ".join(repr(pool) for pool, _ in self._pools.values())
        return f"<Client {len(self._runs)} runs, {pools or 'no connections yet'}>"

    # --- what it is told ---------------------------------------------------------------------------------------------

    def set_connections(self, limit: int) -> None:
        """At most `limit` connections to each origin, from now on."""
        self._connections = max(1, limit)
        for pool, _ in self._pools.values():
            pool.limit = self._connections

    def set_site(self, site: Site, trust: Trust | None = None) -> None:
        """Make `site` known, or say that it is another one now; `trust` stays as it was where it is not given."""
        before = self._routes.get(site.number)
        if trust is None:
            trust = Trust() if before is None else before.trust
        session = before.session if before is not None and before.site.endpoint == site.endpoint else None
        if session is None and site.endpoint.has_sessions:
            session = Session(site, self.clock, self.run)
        pool, breaker = self._pool_of(site, trust)
        self._routes[site.number] = Route(
            site=site,
            trust=trust,
            pool=pool,
            breaker=breaker,
            signer=self._signer_of(site),
            signs_payload=site.sign_payload and not site.endpoint.is_tls,
            session=session,
        )

    def set_identity(self, index: int, credentials: Credentials) -> None:
        """Sign with `credentials` for every site of this identity; what waited for them goes on.

        Credentials that equal the expired ones end what waited: asking the service again would not help.
        """
        is_fresh = self._identities.get(index) != credentials
        self._identities[index] = credentials
        if is_fresh:
            self._signers = {key: signer for key, signer in self._signers.items() if key[0] != index}
            for route in self._routes.values():
                if route.site.identity == index:
                    route.signer = self._signer_of(route.site)
        for run in self._parked.pop(index, ()):
            run.resume(is_repaired=is_fresh)

    # --- what it does ------------------------------------------------------------------------------------------------

    def run(self, flow: Flow[T], on_done: Callable[[T | S3Error], None]) -> Run[T]:
        """Run `flow`; `on_done` is called once with what it returned, or with the `S3Error` that it ended with.

        That may happen before this returns (a flow that makes no request, or that cannot even encode it). The handle's
        `cancel` ends it early.
        """
        run = Run(self, flow, on_done)
        self._runs.add(cast("Run[Any]", run))
        self.counters.in_flight += 1
        run.begin()
        return run

    async def perform(self, flow: Flow[T]) -> T:
        """Run `flow` and wait for what it returns. Being cancelled cancels it, and waits until its memory is free.

        Raises:
            S3Error: what it ended with.
        """
        ended: asyncio.Future[T | S3Error] = self.loop.create_future()
        run = self.run(flow, ended.set_result)
        try:
            result = await asyncio.shield(ended)
        except asyncio.CancelledError:
            run.cancel()
            await ended
            raise
        if isinstance(result, S3Error):
            raise result
        return result

    def close(self) -> None:
        """Cancel every run and close every connection; nothing can be run afterwards."""
        for pool, _ in self._pools.values():
            pool.take_over()
        for run in tuple(self._runs):
            run.cancel()
        for pool, _ in self._pools.values():
            pool.close()

    async def wait_closed(self) -> None:
        """Wait, after `close`, until no connection is open any more."""
        for pool, _ in self._pools.values():
            await pool.wait_closed()

    # --- for its runs ------------------------------------------------------------------------------------------------

    def route(self, number: int) -> Route:
        """The way to site `number`.

        Raises:
            Internal: nobody has said what it is.
        """
        route = self._routes.get(number)
        if route is None:
            raise Internal(f"a request to site {number}, which is not known")
        return route

    def find_route(self, number: int) -> Route | None:
        """As `route`, for who has another way."""
        return self._routes.get(number)

    def adopt(self, run: Run[Any]) -> None:
        """`run` goes on with what was counted as in flight already."""
        self._runs.add(run)

    def encode(self, call: Call, route: Route) -> bytes:
        """The bytes of a call's request: its head, signed now, and its small body.

        Raises:
            InvalidConfig: a header that HTTP cannot carry.
            InvalidKey: a key without UTF-8 form.
        """
        request = call.request
        site = route.site
        if site.request_payer:
            headers = (*request.headers, ("x-amz-request-payer", site.request_payer))
            request = msgspec.structs.replace(request, headers=headers)
        body = call.body
        signer = route.signer_of(request.operation)
        size = len(request.body) if body is None else body.size
        if not size:
            payload_sha256 = EMPTY_SHA256
        elif not route.signs_payload or signer is None:
            payload_sha256 = UNSIGNED_PAYLOAD
        elif body is None:
            payload_sha256 = hashlib.sha256(request.body).hexdigest()
        else:
            payload_sha256 = body.sha256
        now_s = int(self.clock.now_s())
        if now_s != self._date_s:
            self._date = format_amz_date(now_s)
            self._date_s = now_s
        head = encode_head(
            request,
            site.endpoint,
            signer,
            amz_date=self._date,
            content_length=size,
            payload_sha256=payload_sha256,
        )
        return head + request.body if body is None and size else head

    def presign(self, site: int, method: str, key: str, query: Headers, expires_s: int) -> tuple[str, int]:
        """A URL that makes one request to `site` without credentials until it expires, and now. The URL is a secret.

        Raises:
            InvalidConfig: requests to the site are not signed, or `expires_s` is outside what S3 takes.
        """
        route = self.route(site)
        if route.signer is None:
            raise InvalidConfig("a presigned URL needs credentials, and requests are sent unsigned (--no-sign-request)")
        if route.session is not None:
            raise InvalidConfig(NO_PRESIGN)
        now_s = int(self.clock.now_s())
        url = route.signer.presign(
            method=method,
            endpoint=route.site.endpoint,
            key=key,
            query=query,
            amz_date=format_amz_date(now_s),
            expires_s=expires_s,
        )
        return url, now_s

    def park(self, run: Run[Any], site: Site) -> None:
        """Keep `run` until there are fresh credentials for `site`; the first to come asks for them."""
        waiting = self._parked.setdefault(site.identity, [])
        waiting.append(run)
        if len(waiting) == 1:
            access_key = self._identities.get(site.identity, Credentials()).access_key
            self._hooks.on_need_credentials(site.identity, access_key)

    def unpark(self, run: Run[Any]) -> None:
        """`run` waits no longer."""
        for index, waiting in tuple(self._parked.items()):
            if run in waiting:
                waiting.remove(run)
            if not waiting:
                del self._parked[index]

    def move(self, site: Site, region: str) -> bool:
        """Requests to `site` belong into `region`: whether they go there now."""
        if not region or region == site.endpoint.region:
            return False
        if site.endpoint.is_custom:
            endpoint = msgspec.structs.replace(site.endpoint, region=region)
            moved: Site | None = msgspec.structs.replace(site, endpoint=endpoint)
        else:
            moved = self._hooks.resolve_region(site, region)
        if moved is None:
            return False
        self.set_site(moved)
        self._hooks.on_region_found(moved)
        return True

    def forget(self, run: Run[Any]) -> None:
        """`run` has ended."""
        self._runs.discard(run)
        self.counters.in_flight -= 1

    def _pool_of(self, site: Site, trust: Trust) -> tuple[Pool, CircuitBreaker]:
        key = (site.endpoint.origin, trust)
        found = self._pools.get(key)
        if found is None:
            pool = self._hooks.new_pool(
                self.loop,
                self.clock,
                Dialer(self.loop, self._resolver, site.endpoint, trust),
                limit=self._connections,
                idle_s=self._idle_s,
                counters=self.counters,
            )
            found = self._pools[key] = (pool, self._hooks.breaker_of(site.endpoint.origin))
        return found

    def _signer_of(self, site: Site) -> Signer | None:
        credentials = self._identities.get(site.identity)
        if credentials is None or credentials.is_anonymous():
            return None
        key = (site.identity, site.endpoint.region, site.endpoint.signing_name)
        signer = self._signers.get(key)
        if signer is None:
            signer = self._signers[key] = Signer(credentials, site.endpoint.region, site.endpoint.signing_name)
        return signer
