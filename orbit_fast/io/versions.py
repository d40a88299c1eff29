"""Pages of versions and delete markers, believed as those of objects are (see `listing`): whole, or not at all."""

from __future__ import annotations

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.limits import MAX_PAGE_KEYS
from orbit_fast.core.model import Reply
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow


def list_versions_page(
    site: int,
    *,
    prefix: str,
    delimiter: str = "",
    marker: tuple[str, str] = ("", ""),
    max_keys: int = MAX_PAGE_KEYS,
) -> Flow[decode.VersionsPage]:
    """Fetch one page.

    Args:
        site: number of the site.
        prefix: keys that start with it.
        delimiter: ``/`` or ``''``.
        marker: `VersionsPage.next_marker` of the page before. Versions that were deleted meanwhile do no harm.
        max_keys: versions, markers and common prefixes on the page, at most.

    Raises:
        S3Error: it could not be had, or is not to be believed.
    """
    request = encode.list_object_versions(
        prefix=prefix,
        delimiter=delimiter,
        key_marker=marker[0],
        version_id_marker=marker[1],
        max_keys=max_keys,
    )

    def check(reply: Reply) -> decode.VersionsPage:
        page = decode.list_object_versions(reply)
        decode.check_versions(page, prefix=prefix, marker=marker)
        return page

    reply = yield Call(request=request, site=site, max_body=MAX_PAGE_BYTES, check=check)
    page: decode.VersionsPage = reply.decoded
    return page
