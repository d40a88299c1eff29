"""A job in this very process: the ledger, the desk, the flows and the client of the product, on one loop, no pipes.

What a job of the command does with processes happens here in a few milliseconds, so that thousands of them can be run.
Waits before retries are none: the randomness that they are drawn from is always 0.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orbit_fast.core.hands import Limits
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import key_source
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import Status
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Entry
from orbit_fast.core.model import Site
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.exchange import Counters
from orbit_fast.io.files import Landings
from orbit_fast.io.lane import Lane
from orbit_fast.io.transfer import Surroundings
from orbit_fast.proc.desk import Desk
from orbit_fast.proc.desk import Reporter
from orbit_fast.proc.finders import ObjectFinder
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.questions import Questions
from orbit_fast.testing import S3Server

RUN = "0123456789abcdef"
WORKER = 0
SLOT = 4096
LIMITS = Limits(depth=8, concurrency=2)
NETWORK = NetworkSettings(retry_attempts=3, timeout_s=20.0)


class Impatient(random.Random):
    """Whoever draws a wait from it waits not at all."""

    def random(self) -> float:
        """0."""
        return 0.0


class _Slot:
    """Memory to read a source into."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(SLOT))

    def release(self) -> None:
        """It is thrown away."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a job came to.

    Attributes:
        outcomes: of its items.
        failure: why it could not go on, or None.
    """

    outcomes: tuple[Outcome, ...]
    failure: Failure | None

    @property
    def is_success(self) -> bool:
        """The command would exit with 0."""
        return self.failure is None and all(outcome.status is Status.DONE for outcome in self.outcomes)


class SmallJob:
    """One job with one bucket. `upload`, `find` say what it shall do; `run` does it.

    Attributes:
        part_size: of shared transfers; 0 has every object moved whole.
    """

    def __init__(
        self,
        server: S3Server,
        bucket: str,
        *,
        part_size: int = 0,
        network: NetworkSettings = NETWORK,
        has_lane: bool = False,
    ) -> None:
        """Must be made while the loop runs."""
        self.part_size = part_size
        self._bucket = bucket
        self._loop = asyncio.get_running_loop()
        self._counters = Counters()
        settings = JobSettings(network=network)
        clock = Clock()
        self._client = Client(
            self._loop, clock, settings=settings.network, rng=Impatient(), hooks=Hooks(), counters=self._counters
        )
        url = urlsplit(server.url)
        assert url.hostname is not None
        assert url.port is not None
        endpoint = Endpoint(url.scheme, url.hostname, url.port, url.netloc, f"/{bucket}", is_custom=True)
        site = Site(number=0, bucket=bucket, endpoint=endpoint)
        self._client.set_identity(0, Credentials(server.access_key, server.secret_key))
        self._client.set_site(site)
        self._client.set_connections(4)
        self._landings = Landings(umask=0o022, run=RUN)
        around = Surroundings(
            settings=settings,
            sites={0: site},
            receive=memoryview(bytearray(SLOT)),
            lease=_Slot,
            monotonic_s=clock.monotonic_s,
            landings=self._landings,
        )
        reporter = Reporter(self._take, lambda _, then: self._loop.call_soon(then))
        self._desk = Desk(around, self._client.run, reporter, index=WORKER)
        self._desk.send = self._take
        self._desk.set_up([bucket], concurrency=1, slots=4)
        if has_lane:
            self._desk.ways[0].lane = Lane(around, self._client, self._desk)
        self._ledger = Ledger(LIMITS)
        self._ledger.worker_ready(WORKER)
        self._questions = Questions(self._ledger)
        self._questions.on_failure = self._fail
        self._finder: ObjectFinder | None = None
        self._listings = Listings(clock.monotonic_s)
        self._place: Callable[[int, Entry, str], Item] | None = None
        self._count = 0
        self._outcomes: list[Outcome] = []
        self._failure: Failure | None = None
        self._is_scheduled = False
        self._over: asyncio.Future[None] = self._loop.create_future()

    def __repr__(self) -> str:
        return f"<SmallJob {self._bucket} {self._ledger!r} {self._client!r}>"

    # --- what it shall do --------------------------------------------------------------------------------------------

    def upload(self, path: Path, key: str) -> None:
        """Upload a file."""
        facts = path.stat()
        self._add(
            Item(self._number(), Direction.UPLOAD, 0, key, bytes(path), size=facts.st_size, mtime_ns=facts.st_mtime_ns)
        )

    def download(self, key: str, directory: Path) -> None:
        """Download what is under `key`, or under the prefix that it is where it ends with a slash."""
        root = bytes(directory)
        self._find(
            key,
            lambda number, entry, name: Item(
                number,
                Direction.DOWNLOAD,
                0,
                entry.key,
                root + b"/" + name.encode(),
                root,
                entry.size,
                entry.mtime_ns,
                entry.etag,
            ),
        )

    def copy(self, key: str, to: str) -> None:
        """Copy an object within the bucket."""
        self._find(
            key,
            lambda number, entry, _: Item(
                number,
                Direction.COPY,
                0,
                to,
                size=entry.size,
                mtime_ns=entry.mtime_ns,
                etag=entry.etag,
                source_key=entry.key,
            ),
        )

    def _find(self, key: str, place: Callable[[int, Entry, str], Item]) -> None:
        source = key_source(S3Url(self._bucket, key), recursive=key.endswith("/"), raw=True)
        self._finder = ObjectFinder(source, 0, self, self._questions.ask, self._listings)
        self._place = place

    def offer_object(self, _url: S3Url, _site: int, entry: Entry, name: str, _restore: str = "") -> None:
        """As `Intake`: the finder has found an object."""
        assert self._place is not None
        self._add(self._place(self._number(), entry, name))

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _add(self, item: Item) -> None:
        layout = plan_parts(item.size, self.part_size, min_part=1) if self.part_size else None
        self._ledger.add(item, layout if layout is not None and layout.is_multipart else None)

    # --- how it does it ----------------------------------------------------------------------------------------------

    async def run(self) -> Ended:
        """Do everything; what came of it. Connections are closed, and nothing is in flight any more."""
        self._schedule()
        try:
            await self._over
        finally:
            self._client.close()
            await self._client.wait_closed()
            self._landings.close()
        assert self._counters.in_flight == 0, self
        return Ended(tuple(self._outcomes), self._failure)

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """As the supervisor's."""
        self._is_scheduled = False
        finder = self._finder
        if finder is not None and not finder.is_done and not finder.is_waiting and self._failure is None:
            finder.pull()
        for _, order in self._ledger.deal():
            self._desk.take(order)
        self._outcomes += [outcome for _, outcome in self._ledger.take_ended()]
        is_searched = finder is None or finder.is_done or self._failure is not None
        if is_searched and self._ledger.is_idle and not self._over.done():
            self._over.set_result(None)

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._ledger.stop()

    def _take(self, event: Event) -> None:
        """As the supervisor's."""
        match event:
            case Report(outcomes=outcomes):
                ended = [outcome for outcome in outcomes if self._ledger.item_ended(WORKER, outcome) is not None]
                self._outcomes += ended
            case Begun():
                self._ledger.begun(WORKER, event)
            case PartMoved():
                self._ledger.part_moved(WORKER, event)
            case Abandoned(item=number):
                self._ledger.abandoned(WORKER, number)
            case Failed(kind="page" | "stat", number=number) | Page(number=number) | Found(number=number):
                self._questions.answered(WORKER, number, event)
            case Failed():
                self._ledger.failed(WORKER, event)
            case _:
                raise AssertionError(f"nobody expects {event!r}")
        self._schedule()
