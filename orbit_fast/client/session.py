"""A session: the io client on the running loop, with everything that flows need around them.

It finds out once, at first use and off the loop, where a bucket is and who signs (`io.endpoints`, `io.credentials`,
which may ask botocore), and renews credentials before they expire and whenever a service calls them expired. Everything
else is the engine's own: flows, retries, repairs, connections, time limits.

`do` runs a flow for the task that awaits it: cancelling the task cancels the flow and returns when no transport holds
memory of it any more. `do_surely` is for cleaning up: the flow goes on when its task is cancelled. `start` runs a flow
beside the task. No asyncio Task is made for any of them.

A session belongs to one loop, uvloop or asyncio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Final
from typing import Generic
from typing import TypeVar

import msgspec

from orbit_fast.client.environment import read_variables
from orbit_fast.client.memory import SLOT_BYTES
from orbit_fast.client.memory import Slots
from orbit_fast.client.memory import teach_allocator
from orbit_fast.core.breaker import CircuitBreaker
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Site
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.io import credentials
from orbit_fast.io import endpoints
from orbit_fast.io.client import Client
from orbit_fast.io.client import Handle
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.exchange import Counters
from orbit_fast.io.files import Landings
from orbit_fast.io.files import read_umask
from orbit_fast.io.flow import Flow
from orbit_fast.io.ladder import Ladder
from orbit_fast.io.tls import Trust
from orbit_fast.io.transfer import Surroundings

T = TypeVar("T")

RECEIVE_BYTES: Final = MIB
CLEANUP_S: Final = 30.0
"""How long the end of a cancelled task waits for what it cleans up; that goes on by itself then."""
RENEW_BEFORE_S: Final = 300.0
"""Credentials are renewed so long before they expire, as botocore does."""

_IDENTITY: Final = 0
_Breakers = dict[tuple[str, str, int], CircuitBreaker]
_BREAKERS: Final[_Breakers] = {}
"""The state of every endpoint that this process talks to: one for all clients, on whatever loop and thread. It is the
one thing that clients share, because an endpoint that is down is down for all of them."""


def breaker_of(origin: tuple[str, str, int]) -> CircuitBreaker:
    """The state of the endpoint with this origin (scheme, host, port)."""
    return _BREAKERS.setdefault(origin, CircuitBreaker())


class Running(Generic[T]):
    """A flow that runs beside the task that started it.

    Attributes:
        is_ended: it has ended.
    """

    __slots__ = ("_handle", "_loop", "_result", "_those_that_run", "_turns", "_waiter", "is_ended")

    def __init__(self, client: Client, flow: Flow[T], those_that_run: set[Running[Any]]) -> None:
        """Start it; as long as it runs, it is one of `those_that_run`."""
        self.is_ended = False
        self._loop = client.loop
        self._those_that_run = those_that_run
        self._result: T | S3Error | None = None
        self._turns: list[asyncio.Future[None]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._handle: Handle | None = None
        handle = client.run(flow, self._end)
        if not self.is_ended:
            self._handle = handle
            those_that_run.add(self)

    def _end(self, result: T | S3Error) -> None:
        self._handle = None  # a circle would keep the result alive, which may be many bytes, until the collector comes
        self._result = result
        self.is_ended = True
        self._those_that_run.discard(self)
        for turn in self._turns:
            if not turn.done():
                turn.set_result(None)
        self._turns.clear()
        if self._waiter is not None:
            self._waiter.set_result(None)

    @property
    def waiter(self) -> asyncio.Future[None]:
        """For `asyncio.wait`; it is never to be cancelled."""
        if self._waiter is None:
            self._waiter = self._loop.create_future()
            if self.is_ended:
                self._waiter.set_result(None)
        return self._waiter

    def outcome(self) -> T | S3Error:
        """What it returned, or what it ended with. Only when it has ended."""
        assert self.is_ended
        return self._result  # type: ignore[return-value]  # None is a T then

    def result(self) -> T:
        """What it returned. Only when it has ended, and of a failure only once.

        Raises:
            S3Error: what it ended with.
        """
        result = self.outcome()
        if not isinstance(result, S3Error):
            return result
        # Its traceback will hold this and the caller's bytes: what held it too would be another such circle.
        self._result = Internal("a failure is told once")
        try:
            raise result
        finally:
            del result

    async def wait(self) -> T:
        """Wait for what it returns. Being cancelled leaves it running.

        Raises:
            S3Error: what it ended with.
        """
        await self._ended()
        return self.result()

    def cancel(self) -> None:
        """End it early."""
        if self._handle is not None:
            self._handle.cancel()

    async def end(self) -> None:
        """End it early, and return when it holds nothing any more."""
        self.cancel()
        await self._ended()

    async def _ended(self) -> None:
        if not self.is_ended:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._turns.append(turn)
            await turn


class Session:
    """See the module's text.

    Attributes:
        settings: of the client.
        clock: with the offset that services have taught.
        counters: what the connections have done.
        slots: memory that uploads read files through.
    """

    def __init__(self, settings: JobSettings, explicit: Credentials | None, *, max_connections: int) -> None:
        """Prepare one on the running loop; nothing is opened.

        Args:
            settings: of the client; both sides are reached as `settings.source` says.
            explicit: credentials to sign with, or None to look for some.
            max_connections: to each endpoint.
        """
        teach_allocator()
        self.settings = settings
        self.clock = Clock()
        self.counters = Counters()
        self.slots = Slots(settings.transfer.max_memory // SLOT_BYTES)
        self.loop = asyncio.get_running_loop()
        self._explicit = explicit
        self._environment = read_variables()
        self._credentials: Credentials | None = None
        self._search: asyncio.Future[Credentials] | None = None
        self._lock = asyncio.Lock()
        self._numbers: dict[tuple[str, ClientSettings], int] = {}
        self._reached: dict[int, ClientSettings] = {}
        self._sites: dict[int, Site] = {}
        self._items = 0
        self._running: set[Running[Any]] = set()
        self._cleanups: set[Running[Any]] = set()
        self._undertaken = 0
        self._is_closing = False
        self._settled: asyncio.Future[None] | None = None
        self._client = Client(
            self.loop,
            self.clock,
            settings=settings.network,
            rng=random.Random(),  # noqa: S311 - spreads retries in time, guards nothing
            hooks=Hooks(
                on_need_credentials=self._need_credentials,
                resolve_region=self.in_region,
                on_region_found=self._found_region,
                breaker_of=breaker_of,
            ),
            counters=self.counters,
        )
        self._client.set_connections(max_connections)
        self._landings = Landings(umask=read_umask())
        self._around = Surroundings(
            settings=settings,
            sites=self._sites,
            receive=memoryview(bytearray(RECEIVE_BYTES)),
            lease=self.slots.lease,
            monotonic_s=self.clock.monotonic_s,
            landings=self._landings,
            ladder=Ladder(),
        )

    def __repr__(self) -> str:
        return f"<Session {len(self._sites)} sites, {self._client!r}, {self.slots!r}>"

    # --- where and who -----------------------------------------------------------------------------------------------

    async def site(self, bucket: str, region: str = "") -> int:
        """The number of a bucket's site, found at its first use; `region` is where to look for it, or ``''``.

        Raises:
            InvalidConfig: endpoint, region, profile or their combination cannot be used.
            Authentication: there are no credentials.
        """
        self._renew_in_time()
        client = self.settings.source
        if region:
            client = msgspec.structs.replace(client, region=region)
        number = self._numbers.get((bucket, client))
        if number is not None:
            return number
        async with self._lock:
            number = self._numbers.get((bucket, client))
            if number is not None:
                return number
            if self._credentials is None:
                self._set_credentials(await self._off_loop(self._find_credentials, self._needs_chain()))
            number = len(self._numbers)
            resolve = functools.partial(endpoints.resolve_site, number, bucket, client, self._environment, _IDENTITY)
            site = await self._off_loop(resolve, endpoints.needs_botocore(client, self._environment, bucket))
            self._reached[number] = client
            self._sites[number] = site
            ca_bundle = client.ca_bundle or self._environment.get("AWS_CA_BUNDLE", "")
            self._client.set_site(site, Trust(ca_bundle=ca_bundle, verify=client.verify_ssl))
            self._numbers[(bucket, client)] = number
            return number

    def site_of(self, number: int) -> Site:
        """The site as it is known now."""
        return self._sites[number]

    @property
    def credentials(self) -> Credentials:
        """Who signs; a site must have been asked for before."""
        if self._credentials is None:
            raise Internal("nobody has looked for credentials yet")
        return self._credentials

    def around(self, settings: JobSettings | None = None) -> Surroundings:
        """What flows are given, with other settings where some are given."""
        if settings is None or settings == self.settings:
            return self._around
        mine = self._around
        return Surroundings(
            settings=settings,
            sites=mine.sites,
            receive=mine.receive,
            lease=mine.lease,
            monotonic_s=mine.monotonic_s,
            landings=mine.landings,
            ladder=mine.ladder,
            unanswered=mine.unanswered,
        )

    def next_item(self) -> int:
        """A number for a new item."""
        self._items += 1
        return self._items

    # --- flows -------------------------------------------------------------------------------------------------------

    def start(self, flow: Flow[T]) -> Running[T]:
        """Run `flow` beside the task; whoever starts it ends it.

        Raises:
            Cancelled: the session is closing.
        """
        if self._is_closing:
            flow.close()
            raise Cancelled("the client is being closed")
        return Running(self._client, flow, self._running)

    async def do(self, flow: Flow[T], *, needs_slot: bool = False) -> T:
        """Run `flow` and wait for what it returns; `needs_slot` where it leases a slot in its first step.

        Being cancelled cancels it, and waits until its memory is free.

        Raises:
            S3Error: what it ended with.
        """
        if needs_slot:
            await self.slots.wait_free()
        running = self.start(flow)
        try:
            return await running.wait()
        except asyncio.CancelledError:
            await running.end()
            raise

    async def do_surely(self, flow: Flow[T]) -> T:
        """Run `flow` to its end even if the task is cancelled meanwhile: for cleaning up. Waits `CLEANUP_S` at most.

        Raises:
            S3Error: what it ended with.
            TimeoutError: it takes longer, and goes on by itself.
        """
        running = Running(self._client, flow, self._cleanups)
        await self.outlive(running)
        return running.result()

    async def outlive(self, running: Running[Any]) -> None:
        """Let a flow go on even if the task is cancelled; return when it has ended.

        Raises:
            TimeoutError: it takes longer than `CLEANUP_S`, and goes on by itself.
        """
        self._cleanups.add(running)
        running.waiter.add_done_callback(lambda _: self._cleanups.discard(running))
        async with asyncio.timeout(CLEANUP_S):
            await asyncio.shield(running.waiter)

    @contextlib.contextmanager
    def undertaking(self) -> Iterator[None]:
        """A task does something that has to be cleaned up when it does not come to its end: `close` waits for that."""
        self._undertaken += 1
        try:
            yield
        finally:
            self._undertaken -= 1
            if self._settled is not None and not self._undertaken and not self._settled.done():
                self._settled.set_result(None)

    async def close(self) -> None:
        """Cancel everything and close every connection. What cleans up has `CLEANUP_S` to end. May be called again."""
        self._is_closing = True
        for running in tuple(self._running):
            running.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEANUP_S):
                if self._undertaken:
                    self._settled = self.loop.create_future()
                    await self._settled
                if self._cleanups:
                    await asyncio.wait([running.waiter for running in self._cleanups])
        self._client.close()
        await self._client.wait_closed()
        self._landings.close()

    # --- credentials and regions -------------------------------------------------------------------------------------

    async def _off_loop(self, work: Callable[[], T], is_slow: bool) -> T:  # noqa: FBT001 - what its name says
        return await asyncio.to_thread(work) if is_slow else work()

    def _needs_chain(self) -> bool:
        return self._explicit is None and credentials.needs_botocore(self.settings.source, self._environment)

    def _find_credentials(self) -> Credentials:
        if self._explicit is not None:
            return self._explicit
        return credentials.resolve(self.settings.source, read_variables())

    def _set_credentials(self, found: Credentials) -> None:
        self._credentials = found
        self._client.set_identity(_IDENTITY, found)

    def _renew_in_time(self) -> None:
        known = self._credentials
        if known is not None and known.expires_at_s and self.clock.now_s() > known.expires_at_s - RENEW_BEFORE_S:
            self._need_credentials(_IDENTITY, known.access_key)

    def _need_credentials(self, _identity: int, _access_key: str) -> None:
        """Look for others; one search at a time."""
        if self._search is None:
            self._search = self.loop.run_in_executor(None, self._find_credentials)
            self._search.add_done_callback(self._found_credentials)

    def _found_credentials(self, search: asyncio.Future[Credentials]) -> None:
        self._search = None
        # Where none were found, the old ones end what waits: the service has said what is wrong with them.
        failed = search.cancelled() or search.exception() is not None
        self._set_credentials(self.credentials if failed else search.result())

    def in_region(self, site: Site, region: str) -> Site:
        """The same bucket in the region that the service named.

        Raises:
            InvalidConfig: that is no region.
        """
        return endpoints.with_region(site, region, self._reached[site.number], self._environment)

    def _found_region(self, site: Site) -> None:
        self._sites[site.number] = site
