"""A library client on the embedded server, on either loop; what it leaves behind is looked at when it closes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from typing import TypeVar

from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast.core.settings import MIB
from orbit_fast.io.files import is_temp_name
from orbit_fast.io.loop import new_loop
from orbit_fast.testing import S3Server
from orbit_fast.testing.blob import Content

T = TypeVar("T")

LIMIT_S = 60.0
PART = 5 * MIB
BUCKET = "held"
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": new_loop,
    "asyncio": asyncio.new_event_loop,
}


def on_loop(main: Coroutine[Any, Any, T], loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop) -> T:
    """Run a test's coroutine, with a limit."""

    async def limited() -> T:
        async with asyncio.timeout(LIMIT_S):
            return await main

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(limited())


def config_of(server: S3Server, bucket: str = BUCKET, **options: Any) -> S3Config:
    """The configuration of a client of this server."""
    given = {
        "endpoint": server.url,
        "region": "us-east-1",
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        **options,
    }
    return S3Config(bucket, **given)


@contextlib.asynccontextmanager
async def opened(server: S3Server, bucket: str = BUCKET, **options: Any) -> AsyncIterator[S3Client]:
    """A client. When it closes, no connection, flow or slot of it is left."""
    async with S3Client(config_of(server, bucket, **options)) as client:
        try:
            yield client
        finally:
            session = client._session
    if session is not None:
        assert (session.counters.connections, session.counters.in_flight, session.slots.leased) == (0, 0, 0)


def left_below(directory: Path) -> list[str]:
    """Temporary files and unfinished downloads below a directory."""
    names = [path.name for path in directory.rglob("*")]
    return [name for name in names if is_temp_name(name.encode()) or name.endswith(".partial")]


def stored(server: S3Server, key: str, bucket: str = BUCKET) -> bytes | None:
    """The bytes of an object, or None."""
    version = server.store.bucket(bucket).current(key)
    return None if version is None else version.content.read()


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    """`data` in pieces of `size` bytes."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def damage(server: S3Server, key: str, data: bytes, bucket: str = BUCKET) -> None:
    """Let the service send these bytes as an object's, with the old checksum and ETag."""
    version = server.store.bucket(bucket).current(key)
    assert version is not None
    version.content = Content.of(data)
