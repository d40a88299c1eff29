"""S3 → local file.

An object up to one part comes in one GetObject. Above that its ranges are fetched by any worker into one temporary
file beside the destination: `begin`, `move_part`, `finish`, `abandon` are the steps that the ledger deals out. All
ranges are pinned to the version that `begin` saw.

A file appears under its name only after its size and the best proof that the service offers agree: its checksum of the
whole object, combined from the ranges as they arrived or computed over the landed file; else an ETag that is an MD5.
"""

from __future__ import annotations

import os

from msgspec.structs import replace

from orbit_fast.core import encode
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import object_changing
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.limits import MAX_OBJECT_BYTES
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
from orbit_fast.core.model import Request
from orbit_fast.core.moments import held
from orbit_fast.core.plan import decide
from orbit_fast.core.plan import decide_archived
from orbit_fast.core.plan import needs_destination
from orbit_fast.io.directories import sync_upwards
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.files import LandingFile
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.proof import Readable
from orbit_fast.io.proof import prove_file
from orbit_fast.io.proof import prove_ranges
from orbit_fast.io.proof import range_algorithm
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import find
from orbit_fast.io.transfer import head
from orbit_fast.io.transfer import require_proof
from orbit_fast.io.transfer import skip_archived

MAX_UNANSWERED = 16
"""So many objects in vain, and a site is not asked any more for checksums that did not come with the bytes."""


def download(around: Surroundings, item: Item) -> Flow[Ending]:
    """Download one object in one request.

    Raises:
        S3Error: it could not be done; the destination is as it was.
    """
    early = end_early(around, item) or (yield from skip_archived(around, item))
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
            # Replaced since it was listed: what is there now is as good, and is pinned as well.
            reply, sink = yield from _get_again(around, item, landing)
        verified, checksum = yield from prove_whole(around, item, sink, landing.take())
        require_proof(around, item, verified)
        landed = Landed(
            size=sink.size,
            etag=sink.facts.etag,
            version_id=sink.facts.version_id,
            checksum=checksum,
            verified=verified,
            content_type=sink.facts.content_type,
            storage_class=item.storage_class,
            attempts=reply.attempts,
            duration_ms=around.elapsed_ms(started_s),
        )
        return _publish(around, item, landing.take(), sink.facts, landed)
    finally:
        landing.discard()


def _get(
    around: Surroundings, item: Item, landing: _Landing, *, size: int, version: str
) -> Flow[tuple[Reply, FileSink]]:
    expected = Expected(key=item.key, size=size, etag=version, verify=around.settings.transfer.verify)
    sink = FileSink(expected, around.receive, landing.open)
    reply = yield get_call(around, item, sink, expected)
    return reply, sink


def _get_again(around: Surroundings, item: Item, landing: _Landing) -> Flow[tuple[Reply, FileSink]]:
    facts = yield from head(around, item.site, item.key, item.version_id)
    try:
        return (yield from _get(around, item, landing, size=facts.size, version=facts.etag))
    except PreconditionFailed as error:
        raise object_changing(item.key) from error


def get_call(around: Surroundings, item: Item, sink: FileSink, expected: Expected) -> Call:
    """The GET that fills `sink`; tried again, it asks only for what has not arrived yet."""

    def request() -> Request:
        first, last = expected.first + sink.resume(), expected.first + expected.size - 1
        is_range = expected.is_range or first > expected.first
        return encode.get_object(
            item.key,
            version_id=item.version_id,
            byte_range=(first, last) if is_range else None,
            if_match=expected.etag,
            checksum_mode=around.settings.transfer.verify and not is_range,
            headers=encode.sse_c_headers(around.settings.object),
        )

    return Call(request=request(), site=item.site, sink=sink, again=request, kept=sink.kept)


def prove_whole(
    around: Surroundings, item: Item, sink: FileSink, landing: Readable
) -> Flow[tuple[Verified, Checksum | None]]:
    """What the whole object has been proven against, once all its bytes have landed."""
    if sink.verified is not Verified.SIZE or sink.size == 0:
        return sink.verified, sink.checksum
    stored = sink.facts.checksum
    if stored is None and around.unanswered.get(item.site, 0) < MAX_UNANSWERED:
        # Some services tell an object's checksum only to those who ask for nothing else.
        facts = yield from find(around, item.site, item.key, item.version_id)  # None: deleted since
        if facts is not None and facts.etag == sink.facts.etag:
            stored = facts.checksum
        if facts is not None and facts.checksum is None:
            around.unanswered[item.site] = around.unanswered.get(item.site, 0) + 1
    landed = replace(item, size=sink.size)
    verified = yield from prove_file(around, landed, landing, stored, sink.facts.etag, sink.facts.encryption)
    return verified, stored if verified is Verified.CHECKSUM else None


# --- in ranges -------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """See what the object is, and make the temporary file.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = end_early(around, item)
    if early is not None:
        return early
    facts = yield from head(around, item.site, item.key, item.version_id)
    reason = decide_archived(facts.storage_class, facts.restore, around.settings.selection)
    if reason:
        return Ending(Status.SKIPPED, Landed(size=item.size), reason)
    if not 0 < facts.size <= MAX_OBJECT_BYTES:
        raise SizeMismatch(f"{item.key} had {item.size} bytes when it was listed and has {facts.size} now")
    landing = around.landings.create(item.path, root=item.root, size=min(item.size, facts.size), number=item.number)
    landing.leave()
    stored = facts.checksum
    return Begun(
        item=item.number,
        temp=landing.temp_path,
        etag=facts.etag,
        checksum=stored,
        metadata=tuple(facts.metadata.items()),
        mtime_ns=facts.mtime_ns,
        algorithm=part_algorithm(stored),
        encryption=facts.encryption,
        content_type=facts.content_type,
        version_id=facts.version_id,
        started_s=around.monotonic_s(),
        # Replaced since it was listed: what is there now is as good.
        size=facts.size if facts.size != item.size else -1,
    )


def part_algorithm(stored: Checksum | None) -> str:
    """What is computed over each range: what proves the whole, or else what a later job can tell by what has landed."""
    return range_algorithm(stored) or "CRC32C"


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
            total=item.size,
            algorithm=begun.algorithm,
            verify=False,
        )
        sink = FileSink(expected, around.receive, lambda _: landing)
        reply = yield get_call(around, item, sink, expected)
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
    item, begun, parts = order.item, order.begun, order.parts
    landing = around.landings.reopen(begun.temp, item.path, root=item.root)
    try:
        verified = yield from _prove(around, order, landing)
        require_proof(around, item, verified)
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
        resumed_bytes=begun.resumed_bytes,
        duration_ms=around.elapsed_ms(begun.started_s),
    )
    return _publish(around, item, landing, facts, landed)


def abandon(around: Surroundings, item: Item, begun: Begun) -> Flow[None]:
    """Remove the temporary file."""
    yield from ()  # a flow like the others, though it makes no request
    around.landings.discard(begun.temp, item.path, root=item.root)


def _prove(around: Surroundings, order: Finish, landing: LandingFile) -> Flow[Verified]:
    begun, stored = order.begun, order.begun.checksum
    if not around.settings.transfer.verify:
        return Verified.NOTHING
    if stored is not None and begun.algorithm and begun.algorithm == range_algorithm(stored):
        return prove_ranges(order.item.key, stored, order.parts)
    return (yield from prove_file(around, order.item, landing, stored, begun.etag, begun.encryption))


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
                size=min(max(facts.size, 0), item.size),  # no disk is reserved on a stranger's word alone
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


def end_early(around: Surroundings, item: Item) -> Ending | None:
    """As `transfer.end_early`, for a local destination."""
    selection = around.settings.selection
    if needs_destination(selection):
        try:
            found = os.stat(item.path)
            existing = (found.st_size, held(found.st_mtime_ns))
        except OSError:
            existing = None
        reason = decide((item.size, item.mtime_ns), existing, selection)
        if reason:
            _check_spelling(around, item)
            return Ending(Status.SKIPPED, Landed(size=item.size), reason)
    if around.settings.output.dry_run:
        return Ending(Status.PLANNED, Landed(size=item.size))
    return None


def _check_spelling(around: Surroundings, item: Item) -> None:
    """What stands there is no reason to leave an object out whose name only the file system takes for its own.

    Raises:
        NameConflict: it is spelt differently.
        LocalError: a directory cannot be listed.
    """
    try:
        if item.root and not around.settings.output.dry_run:
            around.landings.directories.spellings.check_path(item.path, item.root)
    except OSError as error:
        raise local_error(error, item.path, Side.DESTINATION) from None


def _make_directory(around: Surroundings, item: Item) -> Ending:
    """The object is a directory marker: an empty one, called ``name/``."""
    if item.size:
        raise LocalError(f"{item.key} names a directory and holds {item.size} bytes", code="E_DIR_MARKER_DATA")
    around.landings.make_directory(item.path.rstrip(b"/"), root=item.root)
    if around.is_durable:
        sync_upwards(item.path, item.root)
    return Ending(Status.DONE, Landed(size=0, etag=item.etag, verified=Verified.SIZE))


def _publish(around: Surroundings, item: Item, landing: LandingFile, facts: ObjectFacts, landed: Landed) -> Ending:
    mtime_ns, mode = facts.mtime_ns or None, None
    if around.settings.transfer.preserve_metadata:
        mtime_ns, mode = file_times(facts.metadata, mtime_ns)
    is_published = landing.publish(
        mtime_ns=mtime_ns,
        mode=mode,
        is_durable=around.is_durable,
        no_clobber=around.settings.selection.no_clobber,
    )
    if not is_published:
        return Ending(Status.SKIPPED, Landed(size=landed.size), SkipReason.EXISTS)
    if around.is_durable and item.root:
        sync_upwards(item.path, item.root)
    return Ending(Status.DONE, landed)
