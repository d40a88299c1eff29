"""The parts that a service holds of an unfinished upload."""

from __future__ import annotations

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.errors import BadReply
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.messages import PartFact
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow


def landed_parts(
    site: int, key: str, upload_id: str, headers: encode.Headers = ()
) -> Flow[tuple[decode.ListedPart, ...]]:
    """All of them, whatever the number of pages. `headers` carry the customer's key, where there is one.

    Raises:
        UploadGone: there is no such upload (any more).
    """
    parts: list[decode.ListedPart] = []
    marker = 0
    while True:
        request = encode.list_parts(key, upload_id=upload_id, marker=marker, headers=headers)
        reply = yield Call(request=request, site=site, max_body=MAX_PAGE_BYTES, check=decode.list_parts)
        page: decode.PartsPage = reply.decoded
        parts.extend(page.parts)
        if not page.next_marker:
            return tuple(parts)
        if page.next_marker <= marker:
            raise BadReply(f"{key}: the service lists the parts of an upload in a circle")
        marker = page.next_marker


def is_held(listed: decode.ListedPart | None, fact: PartFact, algorithm: str) -> bool:
    """Whether the service holds this very part; a checksum that it does not state is compared in the end."""
    if listed is None or (listed.size, listed.etag) != (fact.size, fact.etag):
        return False
    stated = listed.checksum
    if stated is None or stated.algorithm != algorithm or not fact.checksum:
        return True
    return stated.value == fact.checksum
