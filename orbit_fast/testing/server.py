"""The server as a context manager: a thread with a loop, listening while the block runs."""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
import ssl
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from orbit_fast.testing.auth import Verifier
from orbit_fast.testing.connection import HttpConnection
from orbit_fast.testing.seams import Seams
from orbit_fast.testing.service import Intercept
from orbit_fast.testing.service import Service
from orbit_fast.testing.settings import Identity
from orbit_fast.testing.settings import ServerSettings
from orbit_fast.testing.store import Store

START_LIMIT_S = 30.0
ACCESS_KEY = "ORBITTESTACCESSKEY01"
SECRET_KEY = "orbit-testing-secret-key"  # noqa: S105 (known to everybody, for loopback only)
_TURNS_TO_ACCEPT = 2
"""Turns of the loop from an accepted socket to its connection; asyncio forgets it if the listener is closed between."""


class S3Server:
    """An S3 server on its own daemon thread.

    Example:
        >>> with S3Server() as server:
        ...     bucket = server.store.create_bucket("data")
        ...     server.url.startswith("http://127.0.0.1:")
        True

    Attributes:
        store: buckets, objects, uploads, the log and the counts.
        identities: access key to `Identity`; may be changed while the server runs.
        host: address it listens on.
        port: port it listens on; 0 before it started.
        access_key: of the first identity.
        secret_key: of the first identity.
        seams: further hooks of a test; may be set before the server starts.
    """

    def __init__(
        self,
        *,
        access_key: str = ACCESS_KEY,
        secret_key: str = SECRET_KEY,
        tls: ssl.SSLContext | None = None,
        root: Path | None = None,
        settings: ServerSettings | None = None,
        intercept: Intercept | None = None,
    ) -> None:
        """Prepare a server; nothing is opened before `start`.

        Args:
            access_key: the key pair that may do everything.
            secret_key: the key pair that may do everything.
            tls: speak TLS with this context.
            root: where large bodies are kept; a temporary directory by default.
            settings: everything else.
            intercept: see `service`.
        """
        self.settings = settings or ServerSettings()
        self.access_key = access_key
        self.secret_key = secret_key
        self.host = self.settings.host
        self.port = 0
        self.seams = Seams()
        self.store = Store(time.time)
        self.identities = {access_key: Identity(access_key=access_key, secret_key=secret_key)}
        self._tls = tls
        self._root = root
        self._intercept = intercept
        self._connections: set[HttpConnection] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """The endpoint URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """TCP connections open now."""
        return len(self._connections)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._thread = threading.Thread(target=self._run, name="orbit-testing-s3", daemon=True)
        self._thread.start()
        if not self._started.wait(START_LIMIT_S):
            raise TimeoutError("the embedded S3 server did not start")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def close(self) -> None:
        """Close every connection, stop listening and remove the files of large bodies."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def drop_connections(self) -> None:
        """Abort every open connection; the server goes on listening."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(START_LIMIT_S)

    async def _drop(self) -> None:
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        directory = Path(tempfile.mkdtemp(prefix="orbit-testing-", dir=self._root))
        try:
            verifier = Verifier(
                self.identities,
                self.settings.region,
                time.time,
                allow_anonymous=self.settings.allow_anonymous,
                sessions=self.store.sessions,
            )
            service = Service(self.settings, self.store, verifier, directory, self._intercept)
            service.seams = self.seams
            numbers = itertools.count(1)
            listener = await self._loop.create_server(
                lambda: HttpConnection(service, next(numbers), self._connections),
                self.settings.host,
                self.settings.port,
                ssl=self._tls,
                backlog=1024,
            )
            self.port = listener.sockets[0].getsockname()[1]
            self._started.set()
            await self._stop.wait()
            for sock in listener.sockets:
                self._loop.remove_reader(sock.fileno())
            for _ in range(_TURNS_TO_ACCEPT):
                await asyncio.sleep(0)
            listener.close()
            await self._drop()
        finally:
            await asyncio.to_thread(functools.partial(shutil.rmtree, directory, ignore_errors=True))

    def __repr__(self) -> str:
        return f"S3Server({self.url!r}, {len(self.store.buckets)} buckets, {self.open_connections} connections)"
