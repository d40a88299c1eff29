"""How a service is reached, and what it lets us do: the part of ``doctor`` that uses the network."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import TypeVar

from orbit_fast.core import encode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checkup import SLOW_CONNECT_MS
from orbit_fast.core.checkup import SLOW_DNS_MS
from orbit_fast.core.checkup import Check
from orbit_fast.core.checkup import Health
from orbit_fast.core.checkup import check_skew
from orbit_fast.core.checkup import failed
from orbit_fast.core.decode_facts import http_date_ns
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import S3Error
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io import tls
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.dialer import CONNECT_S
from orbit_fast.io.dialer import HANDSHAKE_S
from orbit_fast.io.exchange import Counters
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.ladder import Knows
from orbit_fast.io.ladder import probe
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

Tell = Callable[[Check], None]

SITE = 0
PROBE_BYTES = b"written by orbit doctor; it may be removed"
_MD5 = (("content-md5", base64.b64encode(hashlib.md5(PROBE_BYTES, usedforsecurity=False).digest()).decode()),)
"""As old as S3: what a service knows of checksums is another question."""


class Checkup:
    """The checks of one endpoint and one bucket, told one by one.

    Args:
        site: what to look at; its number is `SITE`.
        credentials: who asks; None where that is not known, and nothing is asked.
        trust: whose certificates are believed.
        network: time limits and retries.
        tell: takes what was found.
    """

    def __init__(
        self, site: Site, credentials: Credentials | None, trust: Trust, network: NetworkSettings, tell: Tell
    ) -> None:
        self._site = site
        self._credentials = credentials
        self._trust = trust
        self._network = network
        self._tell = tell
        self._clock = Clock()
        self._resolve_region: Callable[[Site, str], Site | None] = lambda _site, _region: None

    def follow_regions(self, resolve: Callable[[Site, str], Site | None]) -> None:
        """Go to where a bucket is (`Hooks.resolve_region`)."""
        self._resolve_region = resolve

    async def run(self, prefix: str, *, writes: bool, token: str) -> None:
        """Look at everything.

        Args:
            prefix: of the keys that matter.
            writes: put, get and delete an object of `token`'s name under the prefix.
            token: a name that nothing has.
        """
        if not await self._reach(self._site.endpoint) or self._credentials is None:
            return
        loop = asyncio.get_running_loop()
        hooks = Hooks(resolve_region=self._resolve_region, on_region_found=self._moved)
        client = Client(
            loop,
            self._clock,
            settings=self._network,
            rng=random.Random(),  # noqa: S311 - spreads retries in time, guards nothing
            hooks=hooks,
            counters=Counters(),
        )
        client.set_identity(self._site.identity, self._credentials)
        client.set_site(self._site, self._trust)
        try:
            if not await self._look(client, prefix):
                return
            if writes:
                await self._write(client, f"{prefix}{token}")
        finally:
            client.close()
            await client.wait_closed()

    # --- the network -------------------------------------------------------------------------------------------------

    async def _reach(self, endpoint: Endpoint) -> bool:
        """Name, connection, handshake: each by itself, with the time it took."""
        loop = asyncio.get_running_loop()
        started_s = self._clock.monotonic_s()
        try:
            addresses = await Resolver(loop, self._clock).addresses(endpoint.host, endpoint.port)
        except S3Error as error:
            self._tell(failed("dns", error))
            return False
        self._told_time("dns", started_s, SLOW_DNS_MS, f"{endpoint.host} is {_some(addresses)}")
        where = f"{addresses[0]} port {endpoint.port}"
        started_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(CONNECT_S):
                transport, _ = await loop.create_connection(asyncio.Protocol, addresses[0], endpoint.port)
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or f"no answer within {CONNECT_S:g} s"
            advice = "look at the endpoint's port, and at firewalls and proxies between here and there"
            self._tell(failed("tcp", ConnectFailed(f"{where}: {reason}"), advice=advice))
            return False
        self._told_time("tcp", started_s, SLOW_CONNECT_MS, f"connected to {where}")
        transport.abort()
        return not endpoint.is_tls or await self._shake_hands(endpoint, addresses[0])

    async def _shake_hands(self, endpoint: Endpoint, address: str) -> bool:
        started_s = self._clock.monotonic_s()
        try:
            async with asyncio.timeout(CONNECT_S + HANDSHAKE_S):
                transport, _ = await asyncio.get_running_loop().create_connection(
                    asyncio.Protocol,
                    address,
                    endpoint.port,
                    ssl=tls.client_context(self._trust),
                    server_hostname=endpoint.host,
                )
        except S3Error as error:
            self._tell(failed("tls", error))
            return False
        except (OSError, TimeoutError) as error:
            failure = tls.failure_of(error, endpoint.host) or ConnectFailed(f"the TLS handshake failed: {error}")
            self._tell(failed("tls", failure))
            return False
        session: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self._told_time("tls", started_s, SLOW_CONNECT_MS, f"{session.version()}, certificate of {endpoint.host}")
        if not self._trust.verify:
            advice = "give the certificate's authority with --ca-bundle FILE instead of --no-verify-ssl"
            self._tell(Check(name="tls", health=Health.WARN, message="certificates are not verified", advice=advice))
        transport.abort()
        return True

    def _told_time(self, name: str, started_s: float, slow_ms: float, text: str) -> None:
        took_ms = round((self._clock.monotonic_s() - started_s) * 1000, 1)
        health, advice = Health.OK, ""
        if took_ms > slow_ms:
            health, advice = Health.WARN, "that is slow: look for a nearer endpoint, or at the network on the way"
        facts = {"duration_ms": took_ms}
        self._tell(Check(name=name, health=health, message=f"{text} in {took_ms:g} ms", advice=advice, facts=facts))

    # --- the service -------------------------------------------------------------------------------------------------

    async def _look(self, client: Client, prefix: str) -> bool:
        """Clock, and what may be read; whether it makes sense to go on."""
        bucket = self._site.bucket
        first = encode.head_bucket() if bucket else encode.list_buckets()
        try:
            reply = await self._ask(client, first)
        except S3Error as error:
            is_denied = isinstance(error, AccessDenied) or error.status == 403
            name = "bucket" if bucket else "list-buckets"
            if not is_denied:
                self._tell(failed(name, error))
                return False
            advice = "" if bucket else "name a bucket: orbit doctor s3://bucket"
            self._tell(failed(name, error, health=Health.WARN, advice=advice))
        else:
            self._tell_skew(reply)
            text = f"s3://{bucket} is there" if bucket else "buckets may be listed"
            self._tell(Check(name="bucket" if bucket else "list-buckets", message=text))
        if not bucket:
            return True
        prefix = self._site.listable(prefix)
        await self._may(
            client, "list", encode.list_objects_v2(prefix=prefix, max_keys=1), "objects may be listed (s3:ListBucket)"
        )
        await self._may(
            client,
            "uploads",
            encode.list_multipart_uploads(prefix=prefix),
            "unfinished uploads may be listed (s3:ListBucketMultipartUploads)",
        )
        return True

    async def _may(self, client: Client, name: str, request: Request, text: str) -> None:
        try:
            await self._ask(client, request)
        except S3Error as error:
            health = Health.FAIL if name == "list" else Health.WARN
            self._tell(failed(name, error, health=health))
        else:
            self._tell(Check(name=name, message=text))

    async def _write(self, client: Client, key: str) -> None:
        """Put, get and delete; then what the service makes of checksums and conditions."""
        url = f"s3://{self._site.bucket}/{key}"
        done = []
        try:
            if self._site.is_directory:  # no Content-MD5 there
                put = encode.put_object(key, checksum=checksum_of("CRC32C", PROBE_BYTES), body=PROBE_BYTES)
            else:
                put = encode.put_object(key, headers=_MD5, checksum=None, body=PROBE_BYTES)
            await self._ask(client, put)
            done.append("put")
            try:
                reply = await self._ask(client, encode.get_object(key))
                if reply.body != PROBE_BYTES:
                    raise IntegrityError(f"{url} does not hold what was written to it")
                done.append("get")
            finally:
                await self._ask(client, encode.delete_object(key))
                done.append("delete")
        except S3Error as error:
            may = f" (what worked: {', '.join(done)})" if done else ""
            advice = f"objects need s3:PutObject, s3:GetObject and s3:DeleteObject under this prefix{may}"
            self._tell(failed("write", error, advice=advice))
            return
        self._tell(Check(name="write", message=f"put, get and delete of {url}"))
        try:
            found = await client.perform(probe(SITE, key))
        except S3Error as error:
            self._tell(failed("checksums", error, health=Health.WARN))
            return
        lines = found.lines()
        for name, knows, line in zip(
            ("checksums", "conditions"), (found.checksums, found.conditions), lines, strict=True
        ):
            health = Health.OK if knows is Knows.YES else Health.WARN
            self._tell(Check(name=name, health=health, message=line, facts={"knows": str(knows)}))

    async def _ask(self, client: Client, request: Request) -> Reply:
        return await client.perform(_one(request))

    def _tell_skew(self, reply: Reply) -> None:
        try:
            service_s = http_date_ns(reply.headers.get("date", "")) / 1e9
        except ValueError:
            return
        # The service writes whole seconds.
        self._tell(check_skew(service_s + 0.5 - self._clock.now_s() + self._clock.offset_s))

    def _moved(self, site: Site) -> None:
        region = site.endpoint.region
        advice = f"use --region {region}: each job saves a request"
        self._tell(Check(name="region", health=Health.WARN, message=f"the bucket is in {region}", advice=advice))


def _some(addresses: list[str]) -> str:
    more = f" and {len(addresses) - 2} more" if len(addresses) > 2 else ""
    return f"{', '.join(addresses[:2])}{more}"


def _one(request: Request) -> Flow[Reply]:
    return (yield Call(request=request, site=SITE, max_body=MAX_PAGE_BYTES))
