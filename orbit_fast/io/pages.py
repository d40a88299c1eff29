"""The pages of a listing, one after another, the next one on its way while this one is being dealt with.

`read_pages` is the only place that says how the pages of a range of keys are fetched; whoever reads them asks for
`Pages.next` until there is none, and closes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Generic
from typing import Protocol
from typing import TypeVar

from orbit_fast.core.decode_buckets import BucketsPage
from orbit_fast.core.decode_buckets import list_buckets
from orbit_fast.core.decode_fields import bad_listing
from orbit_fast.core.decode_listing import Trail
from orbit_fast.core.decode_listing import UploadsPage
from orbit_fast.core.decode_listing import list_multipart_uploads
from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.encode import list_buckets as ask_for_buckets
from orbit_fast.core.encode import list_multipart_uploads as ask_for_uploads
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.limits import MAX_PAGE_KEYS
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Stat
from orbit_fast.core.model import Entry
from orbit_fast.core.model import Reply
from orbit_fast.core.reach import Stretch
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import list_page
from orbit_fast.io.listing import stat
from orbit_fast.io.parallel_pages import ParallelPages
from orbit_fast.io.sorted_listing import SortedPages
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.together import raised
from orbit_fast.io.versions import list_versions_page

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)

Haul = tuple[tuple[Entry | ListedVersion, ...], tuple[str, ...]]
"""What a page holds: objects or versions, and common prefixes."""


class Pages(Protocol[P_co]):
    """Pages in order."""

    def next(self) -> Flow[P_co | None]:
        """The next one; None behind the last.

        Raises:
            S3Error: it could not be had, or is not to be believed.
        """

    def close(self) -> None:
        """No more are wanted. To be called in the ``finally`` of the flow that reads them."""


class SerialPages(Generic[P]):
    """Each page says how the next one is asked for.

    Args:
        given: where flows are started.
        fetch: the flow that fetches a page; it returns the page, and how to fetch the next one.
    """

    def __init__(self, given: TaskSurroundings, fetch: Callable[[], Flow[tuple[P, Any]]]) -> None:
        self._together = given.together(limit=1)
        self._fetch: Callable[[], Flow[tuple[P, Any]]] | None = fetch
        self._fetched: Any = None

    def next(self) -> Flow[P | None]:
        """The next page. The request for the one behind it is on its way when this returns."""
        if self._fetch is None and not len(self._together) and self._fetched is None:
            return None
        self._ahead()
        yield from self._together.rest()
        fetched, self._fetched = self._fetched, None
        page, self._fetch = raised(fetched)
        if self._fetch is not None:
            self._ahead()
            yield PAUSE  # what was written to the connection leaves when the loop turns
        found: P = page
        return found

    def close(self) -> None:
        """Give up the page that is on its way."""
        self._together.cancel()

    def _ahead(self) -> None:
        if self._fetch is not None:
            fetch, self._fetch = self._fetch, None
            self._together.start(fetch(), self._take)

    def _take(self, result: Any) -> None:
        self._fetched = result


def read_pages(
    given: TaskSurroundings, site: int, stretch: Stretch, *, all_versions: bool, in_order: bool = True
) -> Pages[Haul]:
    """The pages of a listing.

    Args:
        given: what the task is given.
        site: which bucket.
        stretch: which keys.
        all_versions: versions and delete markers instead of objects.
        in_order: in the order of keys; else as pages come.
    """
    if all_versions:
        return SerialPages(given, lambda: _versions(site, stretch, ("", "")))
    if given.around.sites[site].is_directory:
        unsorted = _unsorted_pages(given, site, stretch)
        return SortedPages(unsorted) if in_order and not stretch.is_exact else unsorted
    if not stretch.delimiter and not stretch.is_exact:
        return ParallelPages(given, site, stretch.prefix, in_order=in_order)
    max_keys = 1 if stretch.is_exact else MAX_PAGE_KEYS  # keys come in order: the prefix itself is the first
    first = ListPage(0, site, stretch.prefix, "", stretch.delimiter, max_keys=max_keys)
    return SerialPages(given, lambda: _objects(given, first))


def _unsorted_pages(given: TaskSurroundings, site: int, stretch: Stretch) -> Pages[Haul]:
    """The pages of a listing of a directory bucket, as they come. One key is not listed, but looked up."""
    if stretch.is_exact:
        return SerialPages(given, lambda: _one_object(given, site, stretch.prefix))
    if not stretch.delimiter:
        return ParallelPages(given, site, stretch.prefix)
    trail = Trail()
    first = ListPage(0, site, stretch.prefix, "", stretch.delimiter)
    return SerialPages(given, lambda: _objects(given, first, trail))


def read_buckets(given: TaskSurroundings, site: int) -> Pages[BucketsPage]:
    """The caller's buckets, page by page."""
    return SerialPages(given, lambda: _buckets(site, ""))


def read_uploads(given: TaskSurroundings, site: int, prefix: str = "") -> Pages[UploadsPage]:
    """The bucket's unfinished uploads, page by page, of keys that begin with `prefix` where the service heeds it."""
    asked = given.around.sites[site].listable(prefix)
    return SerialPages(given, lambda: uploads_page(site, asked, ("", "")))


Next = Callable[[], Flow[tuple[P, Any]]] | None
"""How the page behind this one is fetched; None where this is the last."""


def _one_object(given: TaskSurroundings, site: int, key: str) -> Flow[tuple[Haul, Next[Haul]]]:
    try:
        found = yield from stat(given.around, Stat(0, site, key))
    except NotFound:
        return ((), ()), None
    return ((found.entry,), ()), None


def _objects(given: TaskSurroundings, order: ListPage, trail: Trail | None = None) -> Flow[tuple[Haul, Next[Haul]]]:
    page = yield from list_page(given.around, order)
    if trail is not None:
        trail.follow(page.next_token)
    haul: Haul = (page.entries, page.prefixes)
    if not page.next_token or order.max_keys == 1:
        return haul, None
    last = max(page.entries[-1].key if page.entries else "", page.prefixes[-1] if page.prefixes else "")
    following = ListPage(
        0,
        order.site,
        order.prefix,
        page.next_token,
        order.delimiter,
        last_key=last or order.last_key,
        max_keys=order.max_keys,
    )
    return haul, lambda: _objects(given, following, trail)


def _versions(site: int, stretch: Stretch, marker: tuple[str, str]) -> Flow[tuple[Haul, Next[Haul]]]:
    page = yield from list_versions_page(site, prefix=stretch.prefix, delimiter=stretch.delimiter, marker=marker)
    haul: Haul = (page.versions, page.prefixes)
    following = page.next_marker
    if not page.is_truncated or (stretch.is_exact and page.versions and page.versions[-1].key != stretch.prefix):
        return haul, None
    return haul, lambda: _versions(site, stretch, following)


def buckets_page(site: int, token: str) -> Flow[BucketsPage]:
    """One page of the caller's buckets: the one that `token` of the page before leads to, or the first.

    Raises:
        S3Error: it could not be had, or is not to be believed.
    """
    reply = yield Call(
        request=ask_for_buckets(token=token),
        site=site,
        max_body=MAX_PAGE_BYTES,
        check=lambda reply: list_buckets(reply, token=token),
    )
    page: BucketsPage = reply.decoded
    return page


def _buckets(site: int, token: str) -> Flow[tuple[BucketsPage, Next[BucketsPage]]]:
    page = yield from buckets_page(site, token)
    return page, (lambda: _buckets(site, page.next_token)) if page.next_token else None


def uploads_page(site: int, prefix: str, marker: tuple[str, str]) -> Flow[tuple[UploadsPage, Next[UploadsPage]]]:
    """One page of the bucket's unfinished uploads, and how the next one is asked for.

    Raises:
        S3Error: it could not be had, or is not to be believed.
    """
    request = ask_for_uploads(prefix=prefix, key_marker=marker[0], upload_id_marker=marker[1])

    def check(reply: Reply) -> UploadsPage:
        page = list_multipart_uploads(reply)
        if any(marker) and (page.next_key_marker, page.next_upload_id_marker) == marker:
            raise bad_listing("the page behind this one would be this one again")
        return page

    try:
        reply = yield Call(request=request, site=site, max_body=MAX_PAGE_BYTES, check=check)
    except UploadGone:  # so some services say that there is none
        return UploadsPage(uploads=()), None
    page: UploadsPage = reply.decoded
    following = (page.next_key_marker, page.next_upload_id_marker)
    return page, (lambda: uploads_page(site, prefix, following)) if any(following) else None
