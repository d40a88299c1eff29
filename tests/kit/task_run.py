"""The task of a command line, run in this process by the product's client: what it says, and what it comes to.

Command line, options and renderers are the product's; processes, pipes and the summary have no part in it.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from msgspec.structs import replace

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verbs import VERBS
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Site
from orbit_fast.core.options import build_settings
from orbit_fast.core.options import collect
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.core.tasks import Tallied
from orbit_fast.core.values import Context
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.endpoints import custom_endpoint
from orbit_fast.io.exchange import Counters
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.tasks import flow_of
from orbit_fast.testing import S3Server
from tests.kit.client_bench import ZeroRandom
from tests.kit.event_schema import validated
from tests.kit.flow_driver import Stage

LIMIT_S = 60.0
NOW_NS = 1_800_000_000 * 10**9


@dataclass
class Came:
    """What a command came to.

    Attributes:
        out: stdout, without the summary.
        err: stderr, without what ended the command.
        tallied: of all tasks.
        error: what ended the command, or None.
    """

    out: bytes = b""
    err: bytes = b""
    tallied: list[Tallied] = field(default_factory=list)
    error: S3Error | None = None
    is_congested: bool = False

    def say(self, lines: bytes, errors: bytes) -> None:
        """As the pipe to the supervisor."""
        self.out += lines
        self.err += errors

    def when_drained(self, wake) -> None:
        """Nobody is slow here."""
        raise AssertionError("it never is congested")

    @property
    def lines(self) -> list[str]:
        """The lines on stdout."""
        return self.out.decode().splitlines()

    @property
    def events(self) -> list[dict]:
        """The events on stdout, each proven to be one of the schema's."""
        return validated(self.out)


def do(server: S3Server, root: Path, verb: str, *arguments: str, **options: object) -> Came:
    """Do one command; `options` by parameter name, as flags give them."""
    given = collect(options, {}, Context(now_ns=lambda: NOW_NS, read_file=lambda _: b""), verb=verb)
    settings = replace(build_settings(given), operation=verb)
    (known,) = [one for one in VERBS if one.name == verb]
    environment = Environment(arguments=(), variables={})
    work = known.plan(Invocation(arguments=arguments, settings=settings, environment=environment))
    came = Came()
    stage = Stage(root, settings)
    buckets = (*work.buckets, *work.dest_buckets)
    sites = {number: _site(server, settings, number, name) for number, name in enumerate(buckets)}
    stage.around.sites.update(sites)
    try:
        asyncio.run(_perform(server, stage.around, work.tasks, came))
        assert (stage.pool.leased, stage.temps()) == (0, [])
    finally:
        stage.landings.close()
        stage.close()
    return came


def _site(server: S3Server, settings: JobSettings, number: int, bucket: str) -> Site:
    region = server.settings.region
    endpoint = custom_endpoint(server.url, bucket, region=region, settings=ClientSettings(), origin="the test")
    return Site(number=number, bucket=bucket, endpoint=endpoint, use_list_v1=settings.source.use_list_v1)


async def _perform(server, around, tasks, came: Came) -> None:
    counters = Counters()
    rng: random.Random = ZeroRandom()
    network = NetworkSettings(retry_attempts=2)
    loop = asyncio.get_running_loop()
    client = Client(loop, Clock(), settings=network, rng=rng, hooks=Hooks(), counters=counters)
    client.set_identity(0, Credentials(server.access_key, server.secret_key))
    for number in list(around.sites):
        client.set_site(around.sites[number])
    try:
        for task in tasks:
            given = TaskSurroundings(around=around, run=client.run, output=came, presign=client.presign)
            came.tallied.append(given.tallied)
            async with asyncio.timeout(LIMIT_S):
                await client.perform(flow_of(given, task))
            given.flush()
    except S3Error as error:
        given.flush()
        came.error = error
    finally:
        assert counters.in_flight == 0, "a flow outlived its task"
        client.close()
        await client.wait_closed()
        assert counters.connections == 0
