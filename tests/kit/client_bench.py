"""A client and a server that plays a script; nothing may be left when a test is over."""

from __future__ import annotations

import asyncio
import random

from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.exchange import Counters
from orbit_fast.io.flow import Call
from tests.kit.clock import FakeClock
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import WireServer

KEYS = Credentials("AKIAOLD", "old-secret", "old-token")
NEW_KEYS = Credentials("AKIANEW", "new-secret", "new-token")


class ZeroRandom(random.Random):
    """Every wait is as short as it can be."""

    def random(self):
        """The least."""
        return 0.0


def error(code: str, *more: str) -> bytes:
    """An S3 error document."""
    return f"<Error><Code>{code}</Code><Message>told so</Message>{''.join(more)}</Error>".encode()


class Told:
    """Remembers what the hooks were called with."""

    def __init__(self) -> None:
        self.expired: list[tuple[int, str]] = []
        self.asked: list[str] = []
        self.found: list[Site] = []
        self.answer: Site | None = None

    def hooks(self) -> Hooks:
        """Hooks that write here."""
        return Hooks(
            on_need_credentials=lambda identity, key: self.expired.append((identity, key)),
            resolve_region=self._resolve,
            on_region_found=self.found.append,
        )

    def _resolve(self, site: Site, region: str) -> Site | None:
        assert site.number == 0
        self.asked.append(region)
        return self.answer


class Bench:
    """A client and a scripted server; every test ends with nothing open and nothing running."""

    def __init__(self, *scripts, attempts: int = 3, is_custom: bool = True) -> None:
        self.server = WireServer(scripts)
        self.clock = FakeClock()
        self.counters = Counters()
        self.told = Told()
        self._attempts = attempts
        self._is_custom = is_custom

    async def __aenter__(self):
        await self.server.__aenter__()
        self.client = Client(
            asyncio.get_running_loop(),
            self.clock,
            settings=NetworkSettings(retry_attempts=self._attempts),
            rng=ZeroRandom(),
            hooks=self.told.hooks(),
            counters=self.counters,
        )
        port = self.server.port
        endpoint = Endpoint("http", "127.0.0.1", port, f"127.0.0.1:{port}", "/b", is_custom=self._is_custom)
        self.site = Site(number=0, bucket="b", endpoint=endpoint)
        self.client.set_identity(0, KEYS)
        self.client.set_site(self.site)
        return self

    async def __aexit__(self, *what):
        self.client.close()
        await self.client.wait_closed()
        assert self.counters.connections == 0
        assert self.counters.in_flight == 0
        assert not self.client._runs
        assert not self.client._parked
        await self.server.__aexit__(*what)


def put(*, key: str = "k", **call):
    """A flow of one PUT; gives back status and attempts."""
    reply = yield Call(request=Request(operation="PutObject", method="PUT", key=key, body=b"abc"), site=0, **call)
    return reply.status, reply.attempts


def get(sink: BytesSink):
    """A flow of one GET."""
    reply = yield Call(request=Request(operation="GetObject", method="GET", key="k"), site=0, sink=sink)
    return reply.status, reply.attempts


def replies(*answers):
    """A script that answers one request after the other: (status, body, headers) each, the last for ever."""
    seen = []

    async def script(peer: Peer):
        while True:
            seen.append(await peer.request())
            status, body, headers = answers[min(len(seen), len(answers)) - 1]
            peer.reply(body, status=status, headers=headers)

    script.seen = seen
    return script


GOOD = ("200 OK", b"", "")
EXPIRED = ("400 Bad Request", error("ExpiredToken"), "")


class WatchedLoop:
    """A loop that tells how long its timers were set to."""

    def __init__(self, loop):
        self._loop = loop
        self.waits = []

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def call_later(self, delay, callback, *args):
        """As the loop's, remembered."""
        self.waits.append(delay)
        return self._loop.call_later(delay, callback, *args)
