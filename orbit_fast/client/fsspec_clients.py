"""The clients of an fsspec file system: what it is told, and one `S3Client` for each bucket and loop."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from dataclasses import fields
from typing import Any
from typing import Final

from fsspec.asyn import AsyncFileSystem
from fsspec.asyn import get_loop
from fsspec.asyn import sync

from orbit_fast.client.client import S3Client
from orbit_fast.client.config import S3Config
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.similar import did_you_mean

CLOSE_S: Final = 5.0
_ALSO: Final = {
    "anon": "no_sign_request",
    "endpoint_url": "endpoint",
    "key": "access_key",
    "secret": "secret_key",
    "token": "session_token",
}
"""What s3fs calls some options."""
ANY_BUCKET: Final = "orbit"
"""Whose client asks for the list of buckets; it is never asked about itself."""
_OF_FSSPEC: Final = frozenset(
    {"asynchronous", "loop", "batch_size", "max_paths", "skip_instance_cache", "listings_expiry_time"}
    | {"use_listings_cache", "default_block_size", "default_fill_cache", "default_cache_type"}
)


class BucketClients(AsyncFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A file system that has clients, and does nothing with them yet."""

    def __init__(self, **options: Any) -> None:
        """A file system; nothing is opened.

        Raises:
            InvalidConfig: an option is unknown or cannot be used.
        """
        told = {_ALSO.get(name, name): value for name, value in options.items() if name not in _OF_FSSPEC}
        known = {field.name for field in fields(S3Config)} - {"bucket"}
        for name in told:
            if name not in known:
                raise InvalidConfig(f"{name}: there is no such option{did_you_mean(name, known | set(_ALSO))}")
        super().__init__(**{name: value for name, value in options.items() if name in _OF_FSSPEC})
        self._told = told
        S3Config(ANY_BUCKET, **told)  # says what cannot be used, here and now
        self._clients: dict[tuple[asyncio.AbstractEventLoop, str], S3Client] = {}
        if not self.asynchronous:
            weakref.finalize(self, _close_all, self._clients, self.loop)

    async def client_of(self, path: str) -> tuple[S3Client, str]:
        """The client of a path's bucket, for the running loop, and the key."""
        bucket, key = split(self._strip_protocol(path))
        return await self._client(bucket), key

    async def _client(self, bucket: str) -> S3Client:
        place = (asyncio.get_running_loop(), bucket)
        client = self._clients.get(place)
        if client is None:
            client = self._clients[place] = S3Client(S3Config(bucket, **self._told))
        return client

    def close(self) -> None:
        """Close all connections; what is used again afterwards opens others."""
        if self._clients and not self.asynchronous:
            sync(self.loop, _close_clients, self._clients)

    async def aclose(self) -> None:
        """As `close`, on the running loop."""
        await _close_clients(self._clients)


def split(path: str) -> tuple[str, str]:
    """Bucket and key of a path without protocol."""
    bucket, _, key = path.partition("/")
    return bucket, key


async def _close_clients(clients: dict[tuple[asyncio.AbstractEventLoop, str], S3Client]) -> None:
    for loop, bucket in tuple(clients):
        if loop is asyncio.get_running_loop():
            await clients.pop((loop, bucket)).close()


def _close_all(clients: dict[tuple[asyncio.AbstractEventLoop, str], S3Client], loop: asyncio.AbstractEventLoop) -> None:
    """A file system that nobody uses any more: close what it has open, if its loop still runs."""
    if clients and loop is get_loop() and loop.is_running():
        with contextlib.suppress(Exception):
            sync(loop, _close_clients, clients, timeout=CLOSE_S)
