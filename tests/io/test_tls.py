"""TLS: who is trusted, what the user is told, and bodies through an encrypted connection."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import TlsTrust
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.io.dialer import Dialer
from orbit_fast.io.exchange import Counters
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.flow import Call
from orbit_fast.io.pool import Pool
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust
from orbit_fast.io.tls import client_context
from orbit_fast.io.tls import failure_of
from tests.kit.clock import FakeClock
from tests.kit.wire import BytesBody
from tests.kit.wire import BytesSink
from tests.kit.wire import Peer
from tests.kit.wire import WireServer
from tests.kit.wire import drive
from tests.kit.wire import serve_forever

DATA = bytes(range(256)) * 12_000


@pytest.fixture(scope="module")
def authority():
    """A certificate authority of the tests' own."""
    return trustme.CA()


@pytest.fixture
def bundle(authority, tmp_path):
    """Its certificate, as a file."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def _server_context(authority, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def _exchange(server: WireServer, trust: Trust, *calls: dict[str, object]) -> list[Exchange]:
    """Send requests one after the other over one pool, and close it."""
    loop = asyncio.get_running_loop()
    clock = FakeClock()
    endpoint = Endpoint("https", "127.0.0.1", server.port, "h")
    counters = Counters()
    dialer = Dialer(loop, Resolver(loop, clock), endpoint, trust)
    pool = Pool(loop, clock, dialer, limit=2, idle_s=30.0, counters=counters)
    done = []
    for call in calls:
        ended: asyncio.Future[Exchange] = loop.create_future()
        request = Request(operation="PutObject", method="PUT", key="k")
        body = call.get("body")
        head = f"PUT /k HTTP/1.1\r\ncontent-length: {body.size if body else 0}\r\n\r\n".encode()
        pool.submit(Exchange(Call(request=request, site=0, **call), head, ended.set_result))
        done.append(await ended)
    pool.close()
    await pool.wait_closed()
    assert counters.connections == 0
    return done


def test_a_trusted_service_is_reached_and_its_connection_used_again(authority, bundle):
    """Small requests over one encrypted connection."""

    async def main():
        async with WireServer([serve_forever], tls=_server_context(authority)) as server:
            ended = await _exchange(server, Trust(bundle), {}, {}, {})
            assert [exchange.head.status for exchange in ended] == [200] * 3
            assert server.accepted == 1

    drive(main())


@pytest.mark.parametrize(("chunk_size", "room"), [(1000, 1000), (65_536, 50_000), (1 << 20, 1 << 20)])
def test_large_bodies_pass_whole_both_ways(authority, bundle, chunk_size, room):
    """Whatever the sizes of chunks and of the sink's memory against TLS's own buffers."""

    async def main():
        async def store(peer: Peer):
            for _ in range(2):
                received = await peer.request()
                assert received.body in {b"", DATA}
                peer.reply(DATA)
            await peer.gone()

        async with WireServer([store], tls=_server_context(authority)) as server:
            sink = BytesSink(room=room)
            ended = await _exchange(
                server,
                Trust(bundle),
                {"body": BytesBody(DATA, chunk_size=chunk_size), "max_body": len(DATA)},
                {"sink": sink},
            )
            assert [exchange.failure for exchange in ended] == [None, None]
            assert ended[0].content == DATA
            assert sink.data == DATA

    drive(main())


def test_a_stranger_is_not_trusted_and_the_user_is_told_what_to_do(authority):
    """One line with the reason and the option; never worth another try."""

    async def main():
        async with WireServer([serve_forever], tls=_server_context(authority)) as server:
            return await _exchange(server, Trust(), {})

    failure = drive(main())[0].failure
    assert isinstance(failure, TlsTrust)
    assert not failure.is_retryable()
    assert "127.0.0.1" in failure.message
    assert "--ca-bundle" in failure.message
    assert "\n" not in failure.message


def test_a_certificate_for_another_host_is_not_trusted(authority, bundle):
    """The name is checked too."""

    async def main():
        async with WireServer([serve_forever], tls=_server_context(authority, "other.example")) as server:
            return await _exchange(server, Trust(bundle), {})

    failure = drive(main())[0].failure
    assert isinstance(failure, TlsTrust)
    assert "match" in failure.message or "mismatch" in failure.message.lower()


def test_verification_can_be_turned_off(authority):
    """Then anybody is believed."""

    async def main():
        async with WireServer([serve_forever], tls=_server_context(authority, "other.example")) as server:
            return await _exchange(server, Trust(verify=False), {})

    assert drive(main())[0].failure is None


def test_an_old_version_is_refused(authority, bundle):
    """TLS 1.2 is the least; a service that has only less is not safe to talk to."""
    context = client_context(Trust(bundle))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    error = ssl.SSLError(1, "x")
    error.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
    assert isinstance(failure_of(error, "h"), TlsTrust)


def test_a_port_without_tls_is_named_as_such():
    """An https:// endpoint that is plain HTTP: the most common mistake with a local server."""

    async def plain(peer: Peer):
        await peer.read(5)
        peer.reply(status="400 Bad Request")
        await peer.gone()

    async def main():
        async with WireServer([plain]) as server:
            return await _exchange(server, Trust(), {})

    failure = drive(main())[0].failure
    assert isinstance(failure, TlsTrust)
    assert failure.code == "E_TLS"
    assert "http://" in failure.message


def test_a_handshake_that_is_cut_may_be_tried_again(bundle):
    """It says nothing about trust."""

    async def cut(peer: Peer):
        await peer.read(5)
        peer.reset()

    async def main():
        async with WireServer([cut]) as server:
            return await _exchange(server, Trust(bundle), {})

    failure = drive(main())[0].failure
    assert isinstance(failure, ConnectFailed)
    assert failure.is_retryable()


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_bundle_that_cannot_be_used_is_one_clear_line(tmp_path, content):
    """Missing, empty, or no certificate at all."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        client_context(Trust(str(path)))
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message


def test_errors_that_are_not_about_tls_are_not_explained_by_it():
    """They belong to whoever knows them."""
    assert failure_of(ConnectionRefusedError(111, "refused"), "h") is None
