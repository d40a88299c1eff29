"""A worker process: one loop, its own connections, the right to use some slots.

It takes orders from one pipe and puts events into another; what to do with them is the `Desk`'s. When the order pipe
ends without a `Stop`, the supervisor is gone and the worker ends at once, in the middle of whatever it does: nobody is
left who would know what it did.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import random
from collections.abc import Callable
from typing import Any

import msgspec

from orbit_fast.core.bandwidth import step_of
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Ready
from orbit_fast.core.messages import Setup
from orbit_fast.core.messages import Stop
from orbit_fast.core.messages import Vary
from orbit_fast.core.messages import decode_order
from orbit_fast.core.messages import encode
from orbit_fast.core.model import Site
from orbit_fast.core.notes import INFO
from orbit_fast.core.notes import NeedCredentials
from orbit_fast.core.notes import Noted
from orbit_fast.core.notes import RegionFound
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.io import endpoints
from orbit_fast.io import libc
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.exchange import Counters
from orbit_fast.io.files import Landings
from orbit_fast.io.files import read_umask
from orbit_fast.io.ladder import Ladder
from orbit_fast.io.lane import Lane
from orbit_fast.io.loop import new_loop
from orbit_fast.io.pool import Pool
from orbit_fast.io.run import FLOW_MISTAKE
from orbit_fast.io.tls import Trust
from orbit_fast.io.transfer import Surroundings
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import PeerGone
from orbit_fast.proc.desk import Desk
from orbit_fast.proc.desk import Reporter
from orbit_fast.proc.open_files import pairs
from orbit_fast.proc.open_files import raise_limit
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.slots import SlotPool
from orbit_fast.proc.spawn import WorkerSpec
from orbit_fast.proc.taskdesk import TaskDesk

COUNT_EVERY_S = 0.1
"""How often the counters are copied to where the supervisor reads them."""

TIDY_EVERY = 100
"""Counts (10 s) after which memory is given back. It takes a millisecond or two."""

CONNECTIONS_FOR_PARTS = 32
"""Parts of large objects come on top of whole items: as many as the ledger deals to one worker."""

ORPHANED = 3
"""Exit status of a worker whose supervisor went away."""


def run_worker(spec: WorkerSpec) -> int:
    """A worker's life; the entry point of its process."""
    loop = new_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(spec, loop)
    try:
        return worker.run()
    finally:
        loop.close()


def client_settings(setup: Setup, site: Site) -> ClientSettings:
    """How this site is reached."""
    return setup.clients[site.identity]


def trust_of(setup: Setup, site: Site) -> Trust:
    """Whose certificates are believed for this site: the option's, else those of the variable that AWS's tools read."""
    client = client_settings(setup, site)
    ca_bundle = client.ca_bundle or dict(setup.environment).get("AWS_CA_BUNDLE", "")
    return Trust(ca_bundle=ca_bundle, verify=client.verify_ssl)


class Worker:
    """The process's parts, wired together."""

    def __init__(self, spec: WorkerSpec, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spec = spec
        self._channel = spec.open_channel()
        self._channel.watch_backlog = self._watch_backlog
        self._arena = SlotArena.attach(spec.arena_fd)
        self._row = self._arena.board.row(spec.index)
        self._counted = Counters()
        self._counters = Counters()
        self._pool = SlotPool(self._arena, spec.index)
        # Of few slots none is kept for receiving: uploads cannot do without one, downloads land in memory of our own.
        self._receive = self._pool.lease() if self._arena.slots_per_worker > 1 else None
        self._mistake: BaseException | None = None
        self._sites: dict[int, Site] = {}
        self._client: Client | None = None
        self._desk: Desk | None = None
        self._reporter = Reporter(self._send, loop.call_later)
        self._is_stopping = self._is_to_flush = False
        self._counts = 0
        self._pairs = pairs(raise_limit())
        self._status = 0

    def run(self) -> int:
        """Turn the loop until a `Stop` is done or the supervisor is gone; the exit status.

        Raises:
            BaseException: a mistake of ours, met outside a flow. Whatever was under way then is in doubt, so the
                process ends by it, and its work is dealt again.
        """
        self._loop.set_exception_handler(self._mistaken)
        self._loop.add_reader(self._channel.read_fd, self._read_orders)
        self._send(Ready(os.getpid()))
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        self._loop.run_forever()
        self._loop.remove_reader(self._channel.read_fd)
        if self._mistake is not None:
            raise self._mistake
        return self._status

    def _mistaken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop met an exception that nobody caught."""
        error = context.get("exception")
        if error is None or isinstance(error, OSError) or context.get("message") == FLOW_MISTAKE:
            return  # connections are told of their errors besides, and so is the owner of a flow
        self._mistake = error
        self._loop.stop()

    # --- orders ------------------------------------------------------------------------------------------------------

    def _read_orders(self) -> None:
        try:
            payloads = self._channel.read()
            for payload in payloads:
                self._take(payload)
        except (BrokenFrame, msgspec.DecodeError, UnicodeDecodeError):
            self._leave(ORPHANED)
            return
        if self._channel.is_ended and not self._is_stopping:
            # The supervisor is dead: whatever we did from now on, nobody would know of.
            os._exit(ORPHANED)

    def _take(self, payload: memoryview) -> None:
        order = decode_order(payload)
        if isinstance(order, Setup):
            self._set_up(order)
        elif isinstance(order, Stop):
            self._stop(order)
        elif isinstance(order, Vary):
            self._vary(order)
        elif self._desk is not None:
            self._desk.take(order)

    def _set_up(self, setup: Setup) -> None:
        if self._client is None or self._desk is None:
            self._client, self._desk = self._build(setup)
            self._count()
        for number, identity in enumerate(setup.identities):
            self._client.set_identity(number, identity)
        for site in setup.sites:
            self._client.set_site(site, trust_of(setup, site))
            self._sites[site.number] = site
        self._client.set_connections(min(setup.concurrency + CONNECTIONS_FOR_PARTS, self._pairs))
        slots = self._arena.slots_per_worker - (self._receive is not None)
        self._desk.set_up([site.bucket for site in setup.sites], concurrency=setup.concurrency, slots=slots)

    def _build(self, setup: Setup) -> tuple[Client, Desk]:
        clock = Clock()
        hooks = Hooks(
            on_need_credentials=lambda identity, key: self._send(NeedCredentials(identity, key)),
            on_region_found=self._found_region,
            resolve_region=lambda site, region: endpoints.with_region(
                site,
                region,
                client_settings(setup, site),
                dict(setup.environment),
            ),
            new_pool=self._new_pool(setup.settings),
        )
        client = Client(
            self._loop,
            clock,
            settings=setup.settings.network,
            rng=random.Random(),  # noqa: S311 - spreads retries in time, guards nothing
            counters=self._counters,
            hooks=hooks,
        )
        around = Surroundings(
            settings=setup.settings,
            sites=self._sites,
            receive=memoryview(bytearray(self._arena.slot_size)) if self._receive is None else self._receive.view,
            lease=self._pool.lease,
            monotonic_s=clock.monotonic_s,
            stage=self._arena.stage,
            landings=Landings(umask=read_umask(), run=setup.run),
            ladder=Ladder(self._step_down),
        )
        desk = Desk(around, client.run, self._reporter, index=self._spec.index)
        desk.ways[0].lane = Lane(around, client, desk)
        desk.allowed = lambda: self._row.get(Cell.ALLOWED)
        is_congested = lambda: self._channel.is_congested  # noqa: E731 - asked again and again
        desk.tasks = TaskDesk(client.run, self._send, is_congested, client.presign, desk.allowed)
        desk.send = self._send
        desk.on_idle = self._on_idle
        return client, desk

    def _new_pool(self, settings: JobSettings) -> Callable[..., Pool]:
        """What makes connections: such as keep the limit on bytes per second, where there is one."""
        if not settings.transfer.max_bandwidth:
            return Pool
        from orbit_fast.io.bandwidth import Bandwidth  # noqa: PLC0415 - for who sets a limit
        from orbit_fast.io.bandwidth import Share  # noqa: PLC0415 - likewise

        row = self._row
        # A worker that replaces a dead one goes on with its row, and with nothing in its own counters.
        before = row.get(Cell.BYTES_SENT) + row.get(Cell.BYTES_RECEIVED)

        def tell(held_back: int) -> None:
            row.set(Cell.HELD_BACK, held_back)
            self._copy_counters()

        share = Share(
            granted=lambda: row.get(Cell.BYTES_GRANTED) - before,
            tell=tell,
            step=step_of(settings.transfer.max_bandwidth),
        )
        return Bandwidth(self._loop, self._counters, share).new_pool

    def _vary(self, vary: Vary) -> None:
        """Some of the job's work is done with other settings, or none of it any more; everything else is the same."""
        if self._client is None or self._desk is None:
            return
        if vary.settings is None:
            del self._desk.ways[vary.number]
            return
        around = dataclasses.replace(self._desk.ways[0].around, settings=vary.settings, _headers={})
        way = self._desk.vary(vary.number, around)
        way.lane = Lane(around, self._client, self._desk)

    def _step_down(self, site: int, text: str) -> None:
        endpoint = self._sites[site].endpoint
        self._send(Noted(INFO, f"{endpoint.scheme}://{endpoint.host_header} {text}"))

    def _found_region(self, site: Site) -> None:
        self._sites[site.number] = site
        self._send(RegionFound(site))

    def _stop(self, stop: Stop) -> None:
        self._is_stopping = True
        if self._desk is None or self._desk.is_idle:
            self._leave(0)
        elif stop.abort:
            self._desk.cancel_all()

    def _on_idle(self) -> None:
        if self._is_stopping:
            self._leave(0)
        else:
            self._reporter.flush()

    def _leave(self, status: int) -> None:
        self._status = status
        self._reporter.flush()
        if self._client is not None:
            self._client.close()
        self._copy_counters()
        self._leave_when_sent()

    def _leave_when_sent(self) -> None:
        try:
            is_sent = self._channel.flush()
        except PeerGone:
            is_sent = True
        if is_sent:
            self._loop.call_soon(self._loop.stop)
        else:
            self._loop.call_later(0.01, self._leave_when_sent)

    # --- events ------------------------------------------------------------------------------------------------------

    def _send(self, event: Event) -> None:
        """Queue an event; those of one turn of the loop are written at once.

        Who asks whether the channel is congested is told when it no longer is: so it is, only while the pipe is full.
        """
        self._channel.send(encode(event))
        if self._channel.is_congested:
            self._flush()
        elif not self._is_to_flush:
            self._is_to_flush = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_to_flush = False
        try:
            self._channel.flush()
        except PeerGone:
            os._exit(ORPHANED)

    def _watch_backlog(self, has_backlog: bool) -> None:  # noqa: FBT001 - the channel's callback
        if has_backlog:
            self._loop.add_writer(self._channel.write_fd, self._flush)
        else:
            self._loop.remove_writer(self._channel.write_fd)
            if self._desk is not None and self._desk.tasks is not None:
                self._desk.tasks.drained()

    def _count(self) -> None:
        self._copy_counters()
        self._counts += 1
        if not self._counts % TIDY_EVERY:
            _tidy()
        if self._desk is not None:
            self._desk.go_on()
        self._loop.call_later(COUNT_EVERY_S, self._count)

    def _copy_counters(self) -> None:
        """What was counted since the last time goes into the shared row."""
        now, before, row = self._counters, self._counted, self._row
        row.add(Cell.BYTES_SENT, now.bytes_sent - before.bytes_sent)
        row.add(Cell.BYTES_RECEIVED, now.bytes_received - before.bytes_received)
        row.add(Cell.REQUESTS, now.requests - before.requests)
        row.add(Cell.RETRIES, now.retries - before.retries)
        row.add(Cell.THROTTLED, now.throttles - before.throttles)
        row.add(Cell.BEATS)
        row.set(Cell.IN_FLIGHT, now.in_flight)
        row.set(Cell.CONNECTIONS, now.connections)
        row.set(Cell.SLOTS_LEASED, self._pool.leased)
        self._counted = dataclasses.replace(now)


def _tidy() -> None:
    """Give back what is not used any more; a worker of a script may last for days.

    Connections over TLS, and some errors, are cycles with hundreds of kilobytes in them. The collector goes by the
    number of objects, so of the few that these are it would come too late.
    """
    gc.collect()
    libc.give_back_memory()
