"""Makes connections to one origin: a name, an address, a socket, a TLS handshake, each with its time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import TlsTrust
from orbit_fast.core.model import Endpoint
from orbit_fast.io import tls
from orbit_fast.io.resolver import Resolver
from orbit_fast.io.tls import Trust

if TYPE_CHECKING:
    import ssl

CONNECT_S = 5.0
"""For one address: TCP's second SYN goes out after 1 s, its third after 3."""

HANDSHAKE_S = 10.0
"""For TLS, beside `CONNECT_S`."""

ADDRESSES = 3
"""Addresses tried before a connection counts as failed."""


class Dialer:
    """Opens connections to one origin."""

    def __init__(self, loop: asyncio.AbstractEventLoop, resolver: Resolver, endpoint: Endpoint, trust: Trust) -> None:
        self._loop = loop
        self._resolver = resolver
        self._host = endpoint.host
        self._port = endpoint.port
        self._trust = trust
        self._context: ssl.SSLContext | None = None
        self.is_tls = endpoint.is_tls

    def __str__(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self._host}:{self._port}"

    async def dial(self, make_protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
        """Open one connection; the protocol that `make_protocol` makes hears of it.

        Raises:
            ConnectFailed: no address took the connection, or there is no such host.
            TlsTrust: the service is not who it should be.
            InvalidConfig: the CA bundle cannot be used.
        """
        if self.is_tls and self._context is None:
            self._context = tls.client_context(self._trust)
        failure: S3Error | None = None
        for address in (await self._resolver.addresses(self._host, self._port))[:ADDRESSES]:
            if failure is not None:
                self._resolver.note_use(self._host, self._port, address)
            failure = await self._try(address, make_protocol)
            if failure is None:
                return
            self._resolver.note_failure(self._host, self._port, address)
            if isinstance(failure, TlsTrust):
                break
        raise failure or ConnectFailed(f"the name {self._host} has no address", code="E_DNS")

    async def _try(self, address: str, make_protocol: Callable[[], asyncio.BufferedProtocol]) -> S3Error | None:
        limit_s = CONNECT_S
        try:
            if self._context is None:
                async with asyncio.timeout(limit_s):
                    await self._loop.create_connection(make_protocol, address, self._port)
            else:
                limit_s += HANDSHAKE_S
                async with asyncio.timeout(limit_s):
                    await self._loop.create_connection(
                        make_protocol,
                        address,
                        self._port,
                        ssl=self._context,
                        server_hostname=self._host,
                        ssl_handshake_timeout=HANDSHAKE_S,
                        ssl_shutdown_timeout=1.0,
                    )
        except TimeoutError:
            return ConnectFailed(f"{self} ({address}) did not take a connection within {limit_s:g} s")
        except OSError as error:
            return self._failure_of(error, address)
        return None

    def _failure_of(self, error: OSError, address: str) -> S3Error:
        failure = tls.failure_of(error, self._host) if self.is_tls else None
        if failure is not None:
            return failure
        reason = error.strerror or error
        where = f"{self} ({address})"
        return ConnectFailed(f"{where} takes no connection: {reason} (does it run, is --endpoint-url right?)")
