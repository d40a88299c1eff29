"""S3 → local file.

An object up to one part comes in one GetObject. Above that its ranges are fetched by any worker into one temporary
file beside the destination: `begin`, `move_part`, `finish`, `abandon` are the steps that the ledger deals out. All
ranges are pinned to the version that `begin` saw.

A file appears under its name only after its size and the best proof that the service offers agree: its checksum of the
whole object, combined from the ranges as they arrived or computed over the landed file; else an ETag that is an MD5.
"""

from __future__ import annotations

import hashlib
import os

from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.metadata import file_times
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.core.plan import decide
from orbit_fast.core.plan import needs_destination
from orbit_fast.io.files import LandingFile
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import head


def download(around: Surroundings, item: Item) -> Flow[Ending]:
    """Download one object in one request.

    Raises:
        S3Error: it could not be done; the destination is as it was.
    """
    early = _end_early(around, item)
    if early is not None:
        return early
    started_s = around.monotonic_s()
    if item.path.endswith(b"/"):
        return _make_directory(around, item)
    landing = _Landing(around, item)
    try:
        try:
            reply, sink = yield from _get(around, item, landing, size=item.size, version=item.etag)
        except PreconditionFailed:
            # Replaced since it was listed: one request reads one version, so the new one is as good.
            reply, sink = yield from _get(around, item, landing, size=-1, version="")
        _require_proof(around, item, sink.verified)
        landed = Landed(
            size=sink.size,
            etag=sink.facts.etag,
            version_id=sink.facts.version_id,
            checksum=sink.checksum,
            verified=sink.verified,
            content_type=sink.facts.content_type,
            storage_class=item.storage_class,
            attempts=reply.attempts,
            duration_ms=around.elapsed_ms(started_s),
        )
        return _publish(around, landing.take(), sink.facts, landed)
    finally:
        landing.discard()


def _get(
    around: Surroundings, item: Item, landing: _Landing, *, size: int, version: str
) -> Flow[tuple[Reply, FileSink]]:
    verify = around.settings.transfer.verify
    expected = Expected(key=item.key, size=size, etag=version, verify=verify)
    sink = FileSink(expected, around.receive, landing.open)
    request = encode.get_object(
        item.key,
        version_id=item.version_id,
        if_match=version,
        checksum_mode=verify,
        headers=encode.sse_c_headers(around.settings.object),
    )
    reply = yield Call(request=request, site=item.site, sink=sink)
    return reply, sink


# --- in ranges -------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """See what the object is, and make the temporary file.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = _end_early(around, item)
    if early is not None:
        return early
    facts = yield from head(around, item.site, item.key, item.version_id)
    if facts.size != item.size:
        raise SizeMismatch(f"{item.key} had {item.size} bytes when it was listed and has {facts.size} now")
    landing = around.landings.create(item.path, root=item.root, size=item.size, number=item.number)
    landing.leave()
    stored = facts.checksum
    combinable = stored is not None and stored.kind == "FULL_OBJECT" and is_combinable(stored.algorithm)
    return Begun(
        item=item.number,
        temp=landing.temp_path,
        etag=facts.etag,
        checksum=stored,
        metadata=tuple(facts.metadata.items()),
        mtime_ns=facts.mtime_ns,
        algorithm=stored.algorithm if stored is not None and combinable else "",
        encryption=facts.encryption,
        content_type=facts.content_type,
        version_id=facts.version_id,
        started_s=around.monotonic_s(),
    )


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Fetch one range into its place.

    Raises:
        S3Error: it could not be done, or the object is not the one that the download began with.
    """
    item, begun = order.item, order.begun
    landing = around.landings.reopen(begun.temp, item.path, root=item.root)
    try:
        expected = Expected(
            key=item.key,
            size=order.size,
            etag=begun.etag,
            first=order.offset,
            is_range=True,
            algorithm=begun.algorithm if around.settings.transfer.verify else "",
            verify=False,
        )
        sink = FileSink(expected, around.receive, lambda _: landing)
        request = encode.get_object(
            item.key,
            version_id=item.version_id,
            byte_range=(order.offset, order.offset + order.size - 1),
            if_match=begun.etag,
            checksum_mode=False,
            headers=encode.sse_c_headers(around.settings.object),
        )
        reply = yield Call(request=request, site=item.site, sink=sink)
    finally:
        landing.leave()
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        checksum=sink.checksum.value if sink.checksum is not None else "",
        attempts=reply.attempts,
    )


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """Prove the whole file and give it its name.

    Raises:
        S3Error: the bytes are not the object's, or the disk refuses.
    """
    yield from ()  # a flow like the others, though it makes no request
    item, begun, parts = order.item, order.begun, order.parts
    landing = around.landings.reopen(begun.temp, item.path, root=item.root)
    try:
        verified = _prove(around, item, begun, parts, landing)
        _require_proof(around, item, verified)
    except BaseException:
        landing.leave()
        raise
    facts = ObjectFacts(size=item.size, mtime_ns=begun.mtime_ns, metadata=dict(begun.metadata))
    landed = Landed(
        size=item.size,
        etag=begun.etag,
        version_id=begun.version_id,
        checksum=begun.checksum if verified is Verified.CHECKSUM else None,
        verified=verified,
        content_type=begun.content_type,
        storage_class=item.storage_class,
        parts=len(parts),
        attempts=max(begun.attempts, *(part.attempts for part in parts)),
        duration_ms=around.elapsed_ms(begun.started_s),
    )
    return _publish(around, landing, facts, landed)


def abandon(around: Surroundings, item: Item, begun: Begun) -> Flow[None]:
    """Remove the temporary file."""
    yield from ()  # a flow like the others, though it makes no request
    around.landings.discard(begun.temp, item.path, root=item.root)


def _prove(
    around: Surroundings, item: Item, begun: Begun, parts: tuple[PartFact, ...], landing: LandingFile
) -> Verified:
    if not around.settings.transfer.verify:
        return Verified.NOTHING
    stored = begun.checksum
    if begun.algorithm and stored is not None:
        value = combine(begun.algorithm, [(part.checksum, part.size) for part in parts])
        if value != stored.value:
            raise ChecksumMismatch(item.key, stored.value, value)
        return Verified.CHECKSUM
    if stored is not None and stored.kind == "FULL_OBJECT":
        value = _hash_file(around, landing, item.size, stored)
        if value != stored.value:
            raise ChecksumMismatch(item.key, stored.value, value)
        return Verified.CHECKSUM
    if etag.is_md5(begun.etag, begun.encryption):
        value = _hash_file(around, landing, item.size, None)
        if value != begun.etag:
            raise ChecksumMismatch(item.key, begun.etag, value)
        return Verified.ETAG
    return Verified.SIZE


def _hash_file(around: Surroundings, landing: LandingFile, size: int, like: Checksum | None) -> str:
    """The landed file's checksum of the kind that `like` is, or its MD5 in hex. One pass, out of the page cache."""
    md5 = hashlib.md5(usedforsecurity=False)
    hasher = new_hasher(like.algorithm) if like is not None else None
    update = md5.update if hasher is None else hasher.update
    done = 0
    while done < size:
        chunk = around.receive[: min(len(around.receive), size - done)]
        landing.read_into(chunk, done)
        update(chunk)
        done += len(chunk)
    return md5.hexdigest() if hasher is None else hasher.value()


# --- pieces ----------------------------------------------------------------------------------------------------------


class _Landing:
    """The file of one download: made when the first good reply begins, taken up again on a retry."""

    def __init__(self, around: Surroundings, item: Item) -> None:
        self._around = around
        self._item = item
        self._file: LandingFile | None = None

    def open(self, facts: ObjectFacts) -> LandingFile:
        """The file to write to, empty."""
        if self._file is None:
            item = self._item
            self._file = self._around.landings.create(
                item.path,
                root=item.root,
                size=max(facts.size, 0),
                number=item.number,
            )
        else:
            self._file.truncate()
        return self._file

    def take(self) -> LandingFile:
        """The file, to be published by the caller. An empty reply has opened it too."""
        assert self._file is not None, "a reply ended that never began"
        return self._file

    def discard(self) -> None:
        """Remove what was not published."""
        if self._file is not None:
            self._file.discard()


def _end_early(around: Surroundings, item: Item) -> Ending | None:
    """As `transfer.end_early`, for a local destination."""
    selection = around.settings.selection
    if needs_destination(selection):
        try:
            found = os.stat(item.path)
            existing = (found.st_size, found.st_mtime_ns)
        except OSError:
            existing = None
        reason = decide((item.size, item.mtime_ns), existing, selection)
        if reason:
            return Ending(Status.SKIPPED, Landed(size=item.size), reason)
    if around.settings.output.dry_run:
        return Ending(Status.PLANNED, Landed(size=item.size))
    return None


def _make_directory(around: Surroundings, item: Item) -> Ending:
    """The object is a directory marker: an empty one, called ``name/``."""
    if item.size:
        raise LocalError(f"{item.key} names a directory and holds {item.size} bytes", code="E_DIR_MARKER_DATA")
    around.landings.make_directory(item.path.rstrip(b"/"), root=item.root)
    return Ending(Status.DONE, Landed(size=0, etag=item.etag, verified=Verified.SIZE))


def _require_proof(around: Surroundings, item: Item, verified: Verified) -> None:
    if around.settings.transfer.require_verify and verified in {Verified.SIZE, Verified.NOTHING}:
        raise Unverifiable(f"{item.key}: the service offers nothing to compare its bytes with")


def _publish(around: Surroundings, landing: LandingFile, facts: ObjectFacts, landed: Landed) -> Ending:
    mtime_ns, mode = facts.mtime_ns, None
    if around.settings.transfer.preserve_metadata:
        mtime_ns, mode = file_times(facts.metadata, mtime_ns)
    is_published = landing.publish(
        mtime_ns=mtime_ns or None,
        mode=mode,
        no_clobber=around.settings.selection.no_clobber,
    )
    if not is_published:
        return Ending(Status.SKIPPED, Landed(size=landed.size), SkipReason.EXISTS)
    return Ending(Status.DONE, landed)
