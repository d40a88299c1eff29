"""The client against the embedded server: its signatures, bodies and framing judged by somebody else's code."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from urllib.parse import urlsplit

import pytest
import trustme

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import NotFound
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.exchange import Counters
from orbit_fast.io.flow import Call
from orbit_fast.io.tls import Trust
from orbit_fast.testing.server import S3Server
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import drive

NAMES = ["plain", "a b", "a+b%2F?#@&*[]", "tab\there", "é", "e\u0301", "🛰", "x" * 250, "deep/er/key"]


@pytest.fixture(scope="module", params=["http", "https"])
def service(request, tmp_path_factory):
    """The embedded server, plain and over TLS, and whom to trust."""
    if request.param == "http":
        with S3Server() as server:
            server.store.create_bucket("bucket")
            yield server, Trust()
        return
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with S3Server(tls=context) as server:
        server.store.create_bucket("bucket")
        yield server, Trust(str(bundle))


def _with_client(service, flows, *, bucket: str = "bucket", secret: str = ""):
    """Run `flows`, all at once; what they returned, or the error that one ended with."""
    server, trust = service
    url = urlsplit(server.url)

    async def main():
        counters = Counters()
        client = Client(
            asyncio.get_running_loop(),
            Clock(),
            settings=NetworkSettings(),
            rng=random.Random(1),
            hooks=Hooks(),
            counters=counters,
        )
        client.set_connections(4)
        client.set_identity(0, Credentials(server.access_key, secret or server.secret_key))
        endpoint = Endpoint(url.scheme, url.hostname, url.port, url.netloc, f"/{bucket}", is_custom=True)
        client.set_site(Site(number=0, bucket=bucket, endpoint=endpoint), trust)
        try:
            return await asyncio.gather(*[client.perform(flow) for flow in flows])
        finally:
            client.close()
            await client.wait_closed()
            assert counters.connections == 0
            assert counters.in_flight == 0

    return drive(main())


def _round_trip(key: str, data: bytes, *, streamed: bool):
    checksum = checksum_of("CRC32C", data)
    body = BytesBody(data, chunk_size=70_000) if streamed else None
    request = encode.put_object(key, checksum=checksum, body=b"" if streamed else data)
    stored = decode.put_object((yield Call(request=request, site=0, body=body)))
    sink = BytesSink(room=50_000)
    yield Call(request=encode.get_object(key, if_match=stored.etag), site=0, sink=sink)
    facts = decode.head_object((yield Call(request=encode.head_object(key), site=0)))
    return bytes(sink.data), facts.size, facts.checksum


@pytest.mark.parametrize("size", [0, 1, 4096, 70_000, pytest.param(3_000_000, marks=pytest.mark.slow)])
def test_every_name_survives_up_and_down(service, size):
    """Put, get and head, four connections for all names at once, byte for byte."""
    data = os.urandom(size)
    streamed = service[0].url.startswith("https") and size > 4096
    flows = [_round_trip(name, data, streamed=streamed) for name in NAMES]
    for got, told_size, checksum in _with_client(service, flows):
        assert got == data
        assert told_size == size
        assert checksum == checksum_of("CRC32C", data)


def _get(key: str):
    return (yield Call(request=encode.get_object(key), site=0, sink=BytesSink()))


def test_a_missing_object_is_named(service):
    """The error is typed and says which."""
    with pytest.raises(NotFound, match="s3://bucket/none"):
        _with_client(service, [_get("none")])


def test_a_missing_bucket_is_named(service):
    """The error is typed, and is the whole job's."""
    with pytest.raises(BucketNotFound):
        _with_client(service, [_get("k")], bucket="nobody")


def test_a_wrong_secret_is_refused(service):
    """The server checks the signature with its own code."""
    with pytest.raises(Authentication):
        _with_client(service, [_get("k")], secret="wrong")
