"""A lane and the general flow, side by side against one scripted service: what both must agree on."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import random

from msgspec.structs import replace

from orbit_fast.core import encode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Status
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io import download
from orbit_fast.io import upload
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.exchange import Counters
from orbit_fast.io.files import Landings
from orbit_fast.io.flow import Call
from orbit_fast.io.lane import Lane
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from tests.kit.clock import FakeClock
from tests.kit.wire import Peer
from tests.kit.wire import WireServer

KEYS = Credentials("AKIA", "secret", "token")
DATA = bytes(range(256)) * 3
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
CRC32C = checksum_of("CRC32C", DATA).value
MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT"
MODIFIED_S = 1_767_323_045
FLOWS = {Direction.UPLOAD: upload.upload, Direction.DOWNLOAD: download.download}


class ZeroRandom(random.Random):
    """Every wait is as short as it can be."""

    def random(self):
        """The least."""
        return 0.0


class Closed(ConnectionError):
    """The script closes its connection."""


# --- a service that does one odd thing ------------------------------------------------------------------------------


def head(*lines: str, status: str = "200 OK") -> bytes:
    """A reply's head."""
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines, "")).encode("latin-1")


def good_put(*more: str, length: int = 0) -> bytes:
    """What an upload is answered."""
    return head(f'ETag: "{MD5}"', f"x-amz-checksum-crc32c: {CRC32C}", *more, f"Content-Length: {length}")


def good_get(*more: str, body: bytes = DATA, etag: str = MD5, crc: str = CRC32C, length: int = -1) -> bytes:
    """What a download is answered, the body behind the head."""
    checksum = [f"x-amz-checksum-crc32c: {crc}"] if crc else []
    size = len(body) if length < 0 else length
    fields = [f'ETag: "{etag}"', f"Last-Modified: {MODIFIED}", "Content-Type: text/plain", *checksum, *more]
    return head(*fields, f"Content-Length: {size}") + body


def fault(status: str, code: str, *more: str, fields: tuple[str, ...] = ()) -> bytes:
    """An error document."""
    body = f"<Error><Code>{code}</Code><Message>x</Message>{''.join(more)}</Error>".encode()
    return head(*fields, f"Content-Length: {len(body)}", status=status) + body


class Service:
    """Answers well, but for the first request that counts: then it does what the test says.

    Attributes:
        seen: the requests that counted: request line, headers without what follows from the port, body.
    """

    def __init__(self, odd, *, times: int = 1) -> None:
        self.seen = []
        self._odd = odd
        self._times = times

    async def __call__(self, peer: Peer):
        """Serve one connection."""
        while True:
            received = await peer.request()
            if "/warm" in received.line:
                peer.reply()
                continue
            headers = {name: value for name, value in received.headers.items() if name not in {"host", "authorization"}}
            self.seen.append((received.line, headers, received.body))
            if len(self.seen) <= self._times:
                await self._be_odd(peer)
            else:
                peer.send(self._good(received))

    async def _be_odd(self, peer: Peer) -> None:
        if callable(self._odd):
            await self._odd(peer)
        else:
            peer.send(self._odd)

    @staticmethod
    def _good(received) -> bytes:
        if received.line.startswith("PUT"):
            return good_put()
        first = received.headers.get("range", "bytes=0-")[6:].split("-")[0]
        if first != "0":
            rest = DATA[int(first) :]
            fields = (f'ETag: "{MD5}"', f"Content-Range: bytes {first}-{len(DATA) - 1}/{len(DATA)}")
            return head(*fields, f"Content-Length: {len(rest)}", status="206 Partial Content") + rest
        whole = good_get()
        return whole[: -len(DATA)] if received.line.startswith("HEAD") else whole


def in_pieces(data: bytes, *cuts: int):
    """Send `data` in pieces, cut at these places, so that each comes by itself."""

    async def send(peer: Peer):
        edges = [0, *cuts, len(data)]
        for start, end in itertools.pairwise(edges):
            peer.send(data[start:end])
            for _ in range(8):  # turns of the loop, in which the client takes it
                await asyncio.sleep(0)

    return send


def then_close(data: bytes = b"", *, reset: bool = False):
    """Send `data` and close."""

    async def send(peer: Peer):
        if data:
            peer.send(data)
            for _ in range(8):
                await asyncio.sleep(0)
        if reset:
            peer.reset()
        raise Closed

    return send


async def silence(peer: Peer):
    """Never answer."""
    await peer.gone()
    raise Closed


# --- one object, on the lane or beside it ----------------------------------------------------------------------------


class Bench:
    """A client with a warm connection, a directory, a service; and a lane, or none."""

    def __init__(self, root, service, *, settings=None, has_lane=True, request_payer=""):
        self.root = root
        self.service = service
        self.clock = FakeClock()
        self.counters = Counters()
        self.landings = Landings(umask=0o022, run="0123456789abcdef")
        self.ends = []
        self.taken = 0
        self._settings = settings or JobSettings()
        self._has_lane = has_lane
        self._request_payer = request_payer

    async def __aenter__(self):
        self.server = WireServer([self.service])
        await self.server.__aenter__()
        self.client = Client(
            asyncio.get_running_loop(),
            self.clock,
            settings=NetworkSettings(retry_attempts=2),
            rng=ZeroRandom(),
            hooks=Hooks(on_need_credentials=lambda index, _: self.client.set_identity(index, KEYS)),
            counters=self.counters,
        )
        port = self.server.port
        endpoint = Endpoint("http", "127.0.0.1", port, f"127.0.0.1:{port}", "/b", is_custom=True)
        self.site = Site(number=0, bucket="b", endpoint=endpoint, request_payer=self._request_payer)
        self.client.set_identity(0, KEYS)
        self.client.set_site(self.site)
        self.around = Surroundings(
            settings=self._settings,
            sites={0: self.site},
            receive=memoryview(bytearray(4096)),
            lease=lambda: None,
            monotonic_s=self.clock.monotonic_s,
            landings=self.landings,
        )
        self.lane = Lane(self.around, self.client, self)
        await self.warm()
        return self

    async def __aexit__(self, *what):
        self.client.close()
        await self.client.wait_closed()
        self.landings.close()
        assert self.landings.directories.open_count == 0
        assert self.counters.connections == 0
        assert self.counters.in_flight == 0
        assert not self.client._runs
        await self.server.__aexit__(*what)

    async def warm(self):
        """Open a connection."""

        def flow():
            yield Call(request=Request(operation="HeadBucket", method="HEAD", key="warm"), site=0)

        await self.client.perform(flow())
        self.counters.requests = 0

    async def warm_there(self):
        """Open a connection to a service that knows no warming."""

        def flow():
            yield Call(request=encode.list_objects_v2(prefix=""), site=0)

        await self.client.perform(flow())

    # the lane's owner

    def landed(self, item, landed):
        """All is well."""
        self._ended(item, Ending(Status.DONE, landed))

    def taken_over(self, item):
        """The general flow has it."""
        self.taken += 1
        return lambda result: self._ended(item, result)

    def _ended(self, item, result):
        self.ends.append((item.number, result))

    # what tests do

    def start(self, item):
        """Begin an item; its handle."""
        handle = self.lane.start(item) if self._has_lane else None
        if handle is not None:
            return handle
        return self.client.run(FLOWS[item.direction](self.around, item), lambda result: self._ended(item, result))

    async def until(self, count=1):
        """Wait until so many items have ended."""
        while len(self.ends) < count:  # noqa: ASYNC110 - turns of the loop, each of them seen
            await asyncio.sleep(0)

    def pool(self):
        """The pool of the one origin."""
        return self.client.route(0).pool

    def summary(self):
        """Everything that the two ways must agree on."""
        counts = dataclasses.asdict(self.counters)
        return {
            "ends": [(number, told(result)) for number, result in self.ends],
            "requests": self.service.seen,
            "files": files(self.root),
            "counts": {name: counts[name] for name in ("requests", "retries", "throttles")},
            "connections": self.server.accepted,
            "gate": repr(self.client.route(0).breaker),
        }


def told(result):
    """An ending without what is a matter of chance."""
    if isinstance(result, S3Error):
        failure = result
        return type(failure).__name__, failure.message, failure.code, failure.status, failure.attempts
    return result.status, result.reason, replace(result.landed, duration_ms=None)


def files(root):
    """What stands below a directory: content, mode and time."""
    found = {}
    for path in sorted(root.rglob("*")):
        facts = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (content, facts.st_mode, facts.st_mtime_ns if path.is_file() else 0)
    return found
