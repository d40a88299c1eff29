"""Large objects that an earlier job, or a worker that died, had begun: taken up, or cleaned up.

What is remembered of them (`core.journal`) is a hint. Nothing of it is believed that cannot be checked:

* an upload: the file is the very one (device, inode, size, times), the service still has the upload, and of its parts
  those count that it lists with the size, ETag and checksum that are remembered, or with the checksum that the file's
  bytes have when they are read again;
* a copy: the source is the version that it began with, and parts are listed as they are remembered;
* a download: the object is the version that it began with, the temporary file is there, and of its ranges those count
  whose bytes, read again, have the checksum that is remembered.

Whatever does not hold is moved again; where nothing holds, what is left of it is removed, and the object begins anew.

An upload that may have been created without anybody having heard of it has no parts, because nobody used it: it is
known by its key and the time at which somebody was about to create it, and aborted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from orbit_fast.core import encode
from orbit_fast.core.decode import ListedPart
from orbit_fast.core.decode_listing import UnfinishedUpload
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.errors import Vanished
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.io import download
from orbit_fast.io import upload
from orbit_fast.io.files import LandingFile
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import uploads_page
from orbit_fast.io.parts import is_held
from orbit_fast.io.parts import landed_parts
from orbit_fast.io.proof import checksum_of_range
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early
from orbit_fast.io.transfer import head

BEFORE_NS: Final = 60 * 10**9
"""How far the service's clock may be behind ours, for an upload to be known by the time of its intent."""

AFTER_NS: Final = 900 * 10**9
"""How long a CreateMultipartUpload may be tried, and how far the service's clock may be ahead of ours."""


def take_up(around: Surroundings, item: Item, earlier: Begun) -> Flow[Begun | Abandoned]:
    """Go on with what was begun; where that is not possible, remove what is left of it.

    Raises:
        S3Error: neither can be done now; all is as it was.
    """
    if earlier.since_ns:
        yield from abandon(around, item, earlier)
        return Abandoned(item.number)
    begun = yield from _TAKE_UP[item.direction](around, item, earlier)
    if begun is not None:
        return begun
    yield from abandon(around, item, earlier)
    return Abandoned(item.number)


def abandon(around: Surroundings, item: Item, begun: Begun) -> Flow[None]:
    """Remove what is left of an object that was begun, or may have been.

    Raises:
        S3Error: the service or the system refuses.
    """
    if item.direction is Direction.DOWNLOAD:
        if begun.temp:
            with contextlib.suppress(UnsafePath):  # it is none of ours
                yield from download.abandon(around, item, begun)
    elif begun.since_ns:
        yield from _abort_unheard(around, item, begun.since_ns)
    else:
        yield from upload.abandon(around, item, begun)


# --- uploads ---------------------------------------------------------------------------------------------------------


def _take_up_upload(around: Surroundings, item: Item, earlier: Begun) -> Flow[Begun | None]:
    if (yield from end_early(around, item)) is not None:
        return None
    with upload.open_file(around, item) as source:
        if source.fingerprint != earlier.fingerprint or source.size != earlier.size:
            return None
        layout = plan_parts(source.size, earlier.part_size, min_part=1)
        begun = replace(
            earlier,
            item=item.number,
            landed=(),
            content_type=around.content_type_of(item.key, item.path),
            started_s=around.monotonic_s(),
            mtime_ns=source.mtime_ns,
            size=source.size if source.size != item.size else -1,
        )
        try:
            listed = yield from _listed(around, item, earlier)
        except UploadGone:
            return (yield from _completed(around, item, begun, layout, earlier.landed))
        if listed is None:
            return None
        landed = yield from _landed_parts(around, source, earlier, layout, listed)
        source.check_unchanged()
    return _with_landed(begun, landed)


def _landed_parts(
    around: Surroundings, source: SourceFile, earlier: Begun, layout: Layout, listed: tuple[ListedPart, ...]
) -> Flow[list[PartFact]]:
    """The parts that the service holds and that are the file's."""
    remembered = _fitting(earlier, layout)
    landed = []
    for part in listed:
        fact = remembered.get(part.number)
        if fact is not None and is_held(part, fact, earlier.algorithm):
            landed.append(fact)
            continue
        if not 1 <= part.number <= layout.count:
            continue
        offset, size = layout.part(part.number)
        stored = part.checksum
        if part.size != size or stored is None or stored.algorithm != earlier.algorithm:
            continue
        # Nobody heard of its landing: is it this file's?
        value = yield from checksum_of_range(around, source, offset, size, earlier.algorithm)
        if value == stored.value:
            landed.append(PartFact(part.number, offset, size, part.etag, value, is_proven=True))
    return landed


def _completed(
    around: Surroundings, item: Item, begun: Begun, layout: Layout, parts: tuple[PartFact, ...]
) -> Flow[Begun | None]:
    """The upload is gone. Where that is because it was completed, only its last step is to be done again."""
    landed = [part for _, part in sorted(_fitting(replace(begun, landed=parts), layout).items())]
    if len(landed) != layout.count:
        return None
    done = Finish(replace(item, size=layout.size), begun, tuple(landed))
    if (yield from upload.own_object(around, done)) is None:
        return None
    return _with_landed(begun, landed)


# --- copies ----------------------------------------------------------------------------------------------------------


def _take_up_copy(around: Surroundings, item: Item, earlier: Begun) -> Flow[Begun | None]:
    if (yield from end_early(around, item)) is not None:
        return None
    facts = yield from head(around, item.source_site, item.source_key, item.version_id)
    if not facts.etag or (facts.etag, facts.size) != (earlier.etag, earlier.size):
        return None
    try:
        listed = yield from _listed(around, item, earlier)
    except UploadGone:
        return None
    if listed is None:
        return None
    held = {part.number: part for part in listed}
    layout = plan_parts(facts.size, earlier.part_size, min_part=1)
    remembered = _fitting(earlier, layout)
    is_relay = item.direction is Direction.RELAY
    begun = Begun(
        item=item.number,
        token=earlier.token,
        etag=facts.etag,
        checksum=facts.checksum if is_relay else None,
        mtime_ns=facts.mtime_ns,
        algorithm=earlier.algorithm,
        encryption=facts.encryption if is_relay else "",
        content_type=facts.content_type,
        version_id=facts.version_id if is_relay else item.version_id,
        started_s=around.monotonic_s(),
        size=facts.size if facts.size != item.size else -1,
        part_size=earlier.part_size,
    )
    return _with_landed(
        begun, [fact for number, fact in remembered.items() if is_held(held.get(number), fact, earlier.algorithm)]
    )


# --- downloads -------------------------------------------------------------------------------------------------------


def _take_up_download(around: Surroundings, item: Item, earlier: Begun) -> Flow[Begun | None]:
    if download.end_early(around, item) is not None:
        return None
    facts = yield from head(around, item.site, item.key, item.version_id)
    if not facts.etag or (facts.etag, facts.size) != (earlier.etag, earlier.size):
        return None
    if download.part_algorithm(facts.checksum) != earlier.algorithm:
        return None
    try:
        landing = around.landings.reopen(earlier.temp, item.path, root=item.root)
    except (Vanished, UnsafePath):
        return None
    try:
        landed = yield from _landed_ranges(around, landing, earlier)
    finally:
        landing.leave()
    begun = Begun(
        item=item.number,
        temp=earlier.temp,
        etag=facts.etag,
        checksum=facts.checksum,
        metadata=tuple(facts.metadata.items()),
        mtime_ns=facts.mtime_ns,
        algorithm=earlier.algorithm,
        encryption=facts.encryption,
        content_type=facts.content_type,
        version_id=facts.version_id,
        started_s=around.monotonic_s(),
        size=facts.size if facts.size != item.size else -1,
        part_size=earlier.part_size,
    )
    return _with_landed(begun, landed)


def _landed_ranges(around: Surroundings, landing: LandingFile, earlier: Begun) -> Flow[list[PartFact]]:
    """The ranges of the temporary file that hold what landed in them."""
    layout = plan_parts(earlier.size, earlier.part_size, min_part=1)
    landed = []
    for fact in _fitting(earlier, layout).values():
        try:
            value = yield from checksum_of_range(around, landing, fact.offset, fact.size, earlier.algorithm)
        except SizeMismatch:
            continue
        if value == fact.checksum:
            landed.append(fact)
    return landed


# --- pieces ----------------------------------------------------------------------------------------------------------


_TAKE_UP: Final[dict[Direction, Callable[[Surroundings, Item, Begun], Flow[Begun | None]]]] = {
    Direction.UPLOAD: _take_up_upload,
    Direction.DOWNLOAD: _take_up_download,
    Direction.COPY: _take_up_copy,
    Direction.RELAY: _take_up_copy,
}


def _fitting(earlier: Begun, layout: Layout) -> dict[int, PartFact]:
    """What is remembered of parts, as far as it can be true."""
    return {
        fact.number: fact
        for fact in earlier.landed
        if 1 <= fact.number <= layout.count and (fact.offset, fact.size) == layout.part(fact.number)
    }


def _with_landed(begun: Begun, landed: list[PartFact]) -> Begun:
    return replace(begun, landed=tuple(landed), resumed_bytes=sum(part.size for part in landed))


def _listed(around: Surroundings, item: Item, earlier: Begun) -> Flow[tuple[ListedPart, ...] | None]:
    """The parts that the service holds; None where it does not tell.

    Raises:
        UploadGone: there is no such upload.
        S3Error: it cannot be asked now.
    """
    headers = encode.sse_c_headers(around.settings.object)
    try:
        return (yield from landed_parts(item.site, item.key, earlier.token, headers))
    except UploadGone:
        raise
    except S3Error as error:
        if _is_passing(error):
            raise
        return None


def _is_passing(error: S3Error) -> bool:
    """Whether the same question may be answered another time."""
    if isinstance(error, BadReply) and not isinstance(error, NotS3):
        return False  # it has answered as it always will
    return error.is_retryable() or error.scope is Scope.JOB or isinstance(error, Cancelled)


def _abort_unheard(around: Surroundings, item: Item, since_ns: int) -> Flow[None]:
    """Abort uploads of this key that were created when somebody was about to, and that nobody has used."""
    try:
        for found in (yield from _uploads_of(around, item)):
            if not since_ns - BEFORE_NS <= found.initiated_ns <= since_ns + AFTER_NS:
                continue
            begun = Begun(item.number, token=found.upload_id)
            try:
                if (yield from landed_parts(item.site, item.key, found.upload_id)):
                    continue  # somebody's who knows of it
            except UploadGone:
                continue
            yield from upload.abandon(around, item, begun)
    except S3Error as error:
        if _is_passing(error):
            raise  # else the service does not tell, and nobody will ever know


def _uploads_of(around: Surroundings, item: Item) -> Flow[list[UnfinishedUpload]]:
    """The unfinished uploads of this very key: where they are sorted by keys, they come first."""
    site = around.sites[item.site]
    page, following = yield from uploads_page(item.site, site.listable(item.key), ("", ""))
    found = [one for one in page.uploads if one.key == item.key]
    while following is not None and (site.is_directory or (found and page.uploads[-1].key == item.key)):
        page, following = yield from following()
        found += [one for one in page.uploads if one.key == item.key]
    return found
