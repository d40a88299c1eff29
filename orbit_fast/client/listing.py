"""Listings: page by page, or lazily object by object in constant memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from orbit_fast.client.operations import Operations
from orbit_fast.client.operations import Place
from orbit_fast.client.results import ListResult
from orbit_fast.client.results import S3Object
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.limits import MAX_PAGE_KEYS
from orbit_fast.core.location import Wildcard
from orbit_fast.core.location import wildcard_prefix
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.io.listing import list_page


class ListOperations(Operations):
    """What is in the bucket."""

    async def list_objects(self, prefix: str = "", *, delimiter: str = "", max_keys: int | None = None) -> ListResult:
        """The first page of the objects whose keys begin with `prefix`.

        Args:
            prefix: what keys begin with; ``''`` is the whole bucket.
            delimiter: ``/`` gives what is directly below `prefix`, and the rest as common prefixes.
            max_keys: on the page, 1 to 1,000.

        Raises:
            BucketNotFound: there is no such bucket.
            S3Error: the service refuses, could not be reached, or sends what cannot be a listing.
        """
        return await self.list_objects_paginated(prefix, None, max_keys, delimiter=delimiter)

    async def list_objects_paginated(
        self,
        prefix: str = "",
        continuation_token: str | None = None,
        max_keys: int | None = None,
        *,
        delimiter: str = "",
    ) -> ListResult:
        """One page: the one that `continuation_token` of the page before leads to, or the first.

        Raises:
            S3Error: as `list_objects`.
        """
        place = await self._place()
        page = await _page(place, prefix, continuation_token or "", delimiter, max_keys)
        return ListResult(
            objects=tuple(map(S3Object.of, page.entries)),
            common_prefixes=page.prefixes,
            is_truncated=bool(page.next_token),
            continuation_token=page.next_token or None,
        )

    async def iter_objects(self, prefix: str = "", *, page_size: int = MAX_PAGE_KEYS) -> AsyncGenerator[S3Object, None]:
        """The objects whose keys begin with `prefix`, one by one: a page is asked for when the one before is used up.

        Args:
            prefix: what keys begin with; ``''`` is the whole bucket.
            page_size: objects to ask for at once, 1 to 1,000.

        Raises:
            S3Error: as `list_objects`. What was given until then is not the whole listing.
        """
        place = await self._place()
        token = last_key = ""
        while True:
            page = await _page(place, prefix, token, "", page_size, last_key)
            for entry in page.entries:
                yield S3Object.of(entry)
            token = page.next_token
            if not token:
                return
            if page.entries:
                last_key = page.entries[-1].key

    async def list_objects_with_wildcard(self, pattern: str) -> list[S3Object]:
        """All objects whose keys match `pattern`: ``*`` is any characters, ``/`` too, and ``?`` is one.

        What stands before the first wildcard is left to the service; see `iter_objects_with_wildcard` for many.

        Raises:
            S3Error: as `list_objects`.
        """
        return [found async for found in self.iter_objects_with_wildcard(pattern)]

    async def iter_objects_with_wildcard(self, pattern: str) -> AsyncGenerator[S3Object, None]:
        """As `list_objects_with_wildcard`, one by one.

        Raises:
            S3Error: as `list_objects`.
        """
        wildcard = Wildcard(pattern)
        async for found in self.iter_objects(wildcard_prefix(pattern)):
            if wildcard.matches(found.key):
                yield found


async def _page(
    place: Place, prefix: str, token: str, delimiter: str, max_keys: int | None, last_key: str = ""
) -> Page:
    count = MAX_PAGE_KEYS if max_keys is None else max_keys
    if not 1 <= count <= MAX_PAGE_KEYS:
        raise InvalidConfig(f"max_keys: {count} is not a number from 1 to {MAX_PAGE_KEYS}")
    order = ListPage(0, place.site, prefix, token, delimiter, last_key, count)
    return await place.session.do(list_page(place.around, order))
