"""Names to addresses: asked again every few seconds, and spread over all addresses that a name has.

S3 answers with a few addresses out of many and changes them all the time; a client that keeps to one of them gets one
machine's share. New connections go to the address used least recently, those that failed lately come last.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import NoSuchHost
from orbit_fast.core.errors import S3Error
from orbit_fast.io.clock import Clock

FRESH_S = 5.0
"""How long an answer is used before the name is asked for again (S3's own answers live 5 s)."""

FAILED_S = 30.0
"""How long an address that refused a connection stays behind the others."""

LOOKUP_S = 10.0
"""How long one lookup may take: two rounds of the system resolver's usual 5 s."""

_UNKNOWN_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


@dataclass(slots=True)
class _Name:
    """What is known of one host and port."""

    addresses: list[str] = field(default_factory=list)
    asked_s: float = -FRESH_S
    used: dict[str, int] = field(default_factory=dict)
    failed_s: dict[str, float] = field(default_factory=dict)
    lookup: asyncio.Task[list[str]] | None = None
    waiting: int = 0


class Resolver:
    """Resolves names on `loop`; lookups of the same name at the same time are one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._names: dict[tuple[str, int], _Name] = {}
        self._uses = 0

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, the one to try first in front; it counts as used.

        Raises:
            NoSuchHost: the name does not exist.
            ConnectFailed: no name server answered (``E_DNS``).
        """
        name = self._names.setdefault((host, port), _Name())
        if self._clock.monotonic_s() - name.asked_s >= FRESH_S:
            await self._refresh(name, host, port)
        now_s = self._clock.monotonic_s()
        name.failed_s = {address: at_s for address, at_s in name.failed_s.items() if now_s - at_s < FAILED_S}
        ranked = sorted(name.addresses, key=lambda address: (address in name.failed_s, name.used.get(address, 0)))
        self.note_use(host, port, ranked[0])
        return ranked

    def note_use(self, host: str, port: int, address: str) -> None:
        """A connection to `address` is being made."""
        self._uses += 1
        self._names[host, port].used[address] = self._uses

    def note_failure(self, host: str, port: int, address: str) -> None:
        """No connection to `address` could be made."""
        self._names[host, port].failed_s[address] = self._clock.monotonic_s()

    async def _refresh(self, name: _Name, host: str, port: int) -> None:
        if name.lookup is None:
            name.lookup = self._loop.create_task(self._look_up(host, port))
        lookup = name.lookup
        name.waiting += 1
        try:
            addresses = await asyncio.shield(lookup)
        finally:
            name.waiting -= 1
            if name.lookup is lookup and (lookup.done() or not name.waiting):
                name.lookup = None
                lookup.cancel()
        if addresses != name.addresses:
            name.addresses = addresses
            name.used = {address: use for address, use in name.used.items() if address in addresses}
        name.asked_s = self._clock.monotonic_s()

    async def _look_up(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise ConnectFailed(f"no name server answered for {host} within {LOOKUP_S:g} s", code="E_DNS") from None
        except (socket.gaierror, UnicodeError) as error:
            raise _failure_of(error, host) from error
        addresses = sorted({str(entry[4][0]) for entry in found})
        if not addresses:
            raise NoSuchHost(f"the name {host} has no address")
        return addresses


def _failure_of(error: socket.gaierror | UnicodeError, host: str) -> S3Error:
    if isinstance(error, UnicodeError):
        return NoSuchHost(f"{host!a} is not a host name")
    if error.errno in _UNKNOWN_NAME:
        return NoSuchHost(f"the host {host} does not exist (is --endpoint-url right, or --region?)")
    return ConnectFailed(f"the name {host} cannot be resolved: {error.strerror or error}", code="E_DNS")
