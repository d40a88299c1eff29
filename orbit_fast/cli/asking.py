"""One short question to a service, in this process: its buckets, or the keys below a prefix."""

from __future__ import annotations

from msgspec.structs import replace

from orbit_fast.cli.environment import forbid_instance_metadata
from orbit_fast.client.session import Session
from orbit_fast.core import encode
from orbit_fast.core.decode_buckets import BucketsPage
from orbit_fast.core.decode_buckets import list_buckets
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.messages import ListPage
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import list_page
from orbit_fast.io.loop import run


def ask(settings: JobSettings, bucket: str, prefix: str) -> tuple[tuple[str, ...], bool]:
    """The names on the first page, and whether there are no more; one try. How long that may take is the caller's.

    Args:
        settings: how the service is reached: as their source.
        bucket: whose keys, or ``''`` for the buckets themselves.
        prefix: keys that begin with it, one level.

    Raises:
        S3Error: there are no credentials, or the service refuses.
    """
    forbid_instance_metadata()
    return run(_ask(replace(settings, network=replace(settings.network, retry_attempts=0)), bucket, prefix))


async def _ask(settings: JobSettings, bucket: str, prefix: str) -> tuple[tuple[str, ...], bool]:
    session = Session(settings, None, max_connections=1)
    try:
        site = await session.site(bucket)
        if not bucket:
            found = await session.do(_buckets(site))
            return tuple(sorted(f"{each.name}/" for each in found.buckets)), not found.next_token
        page = await session.do(list_page(session.around(), ListPage(0, site, prefix, delimiter="/")))
    finally:
        await session.close()
    keys = [entry.key for entry in page.entries]
    return tuple(sorted([*page.prefixes, *keys])), not page.next_token


def _buckets(site: int) -> Flow[BucketsPage]:
    reply = yield Call(request=encode.list_buckets(), site=site, max_body=MAX_PAGE_BYTES, check=list_buckets)
    page: BucketsPage = reply.decoded
    return page
