"""What every group of a client's operations stands on: the configuration, and the session of the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from typing import Self

import msgspec

from orbit_fast.client.config import S3Config
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.session import Session
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import check_key
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.io.transfer import Surroundings


@dataclass(frozen=True, slots=True)
class Place:
    """Where one call does its work.

    Attributes:
        session: of the running loop.
        site: number of the bucket's.
        around: what its flows are given.
    """

    session: Session
    site: int
    around: Surroundings

    def item(self, direction: Direction, key: str, *, size: int = 0) -> Item:
        """A new item of this bucket.

        Raises:
            InvalidKey: there can be no such key.
        """
        check_key(key)
        return Item(self.session.next_item(), direction, self.site, key, size=size)


class Operations:
    """The base of `S3Client`.

    Attributes:
        config: what the client was made with.
    """

    def __init__(self, config: S3Config) -> None:
        self.config = config
        self._settings = config.job_settings()
        self._session: Session | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "not used yet" if self._session is None else repr(self._session)
        return f"<{type(self).__name__} s3://{self.config.bucket}, {state}>"

    async def __aenter__(self) -> Self:
        self._is_closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, Self]:
        """``client = await S3Client(config)``: find the bucket and the credentials now, rather than at first use."""
        return self._ready().__await__()

    async def _ready(self) -> Self:
        await self._place()
        return self

    async def close(self) -> None:
        """Close every connection; what is still under way is cancelled. May be called again."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None and session.loop is asyncio.get_running_loop():
            await session.close()

    async def _place(
        self, bucket: str = "", options: ObjectOptions | None = None, *, only_if_absent: bool = False
    ) -> Place:
        """Where a call does its work.

        Args:
            bucket: ``''`` is the client's own.
            options: for a new object.
            only_if_absent: a new object must not replace another one; the service decides.

        Raises:
            InvalidConfig: the client is closed or on another loop, or something about the bucket is not usable.
            Authentication: there are no credentials.
        """
        session = self._current()
        site = await session.site(bucket or self.config.bucket)
        settings = self._settings
        if options is not None:
            settings = msgspec.structs.replace(settings, object=options.over(settings.object))
        if only_if_absent:
            selection = msgspec.structs.replace(settings.selection, no_clobber=True)
            settings = msgspec.structs.replace(settings, selection=selection)
        return Place(session, site, session.around(settings))

    async def _place_with(self, new_object: ObjectSettings) -> Place:
        """The same, with these very settings for a new object."""
        place = await self._place()
        settings = msgspec.structs.replace(self._settings, object=new_object)
        return Place(place.session, place.site, place.session.around(settings))

    def _current(self) -> Session:
        if self._is_closed:
            raise InvalidConfig("the client is closed")
        session, loop = self._session, asyncio.get_running_loop()
        if session is not None and session.loop is not loop:
            if not session.loop.is_closed():
                raise InvalidConfig("the client is in use on another event loop: make one for each loop")
            session = None  # its loop has ended, and its connections with it
        if session is None:
            config = self.config
            session = Session(self._settings, config.credentials, max_connections=config.max_connections)
            self._session = session
        return session
