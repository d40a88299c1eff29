"""S3 → S3 inside the service: no object byte passes through this machine.

One CopyObject up to the service's limit, above it a multipart upload whose parts are UploadPartCopy. A multipart copy
carries over by itself what CopyObject would: content headers, user metadata and tags of the source.

The copy is proven by its ETag (equal to the source's where both are MD5s) or by comparing size and checksum of both
objects.
"""

from __future__ import annotations

from msgspec.structs import replace

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.encode import CopySource
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import UploadGone
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
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.io import upload
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import COMMIT_FIRST_BYTE_S
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early
from orbit_fast.io.transfer import head
from orbit_fast.io.transfer import require_proof


def copy(around: Surroundings, item: Item) -> Flow[Ending]:
    """Copy one object in one request.

    Raises:
        S3Error: it could not be done, or the copy is not what the source is.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    started_s = around.monotonic_s()
    options = around.settings.object
    try:
        reply = yield from _copy(around, item, item.etag)
    except PreconditionFailed:
        # Replaced since it was listed: one request copies one version, so the new one is as good.
        reply = yield from _copy(around, item, "")
    copied: decode.Copied = reply.decoded
    verified, facts = yield from _prove(around, item, copied.etag)
    require_proof(around, item, verified)
    landed = Landed(
        size=item.size if facts is None else facts.size,
        etag=copied.etag,
        version_id=copied.version_id,
        checksum=facts.checksum if facts is not None else None,
        verified=verified,
        storage_class=options.storage_class,
        attempts=reply.attempts,
        duration_ms=around.elapsed_ms(started_s),
    )
    return Ending(Status.DONE, landed)


def _copy(around: Surroundings, item: Item, version: str) -> Flow[Reply]:
    options = around.settings.object
    replaces = options.metadata_directive == "REPLACE"
    request = encode.copy_object(
        item.key,
        source=_source_of(around, item, version),
        headers=_headers(around, item) + encode.sse_c_headers(options, copy_source=True),
        metadata_directive=options.metadata_directive if replaces else "",
        tagging_directive="REPLACE" if options.tags else "",
    )
    call = Call(request=request, site=item.site, first_byte_s=COMMIT_FIRST_BYTE_S, check=decode.copy_object)
    return (yield call)


# --- multipart -------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """Create the multipart upload with everything that the source object carries."""
    early = yield from end_early(around, item)
    if early is not None:
        return early
    options = around.settings.object
    facts = yield from head(around, item.source_site, item.source_key, item.version_id)
    if not 0 < facts.size <= MAX_OBJECT_BYTES:
        raise SizeMismatch(f"{item.source_key} had {item.size} bytes when it was listed and has {facts.size} now")
    headers = _headers(around, item)
    if options.metadata_directive != "REPLACE":
        headers = _with_defaults(headers, facts.content_headers + encode.metadata_headers(facts.metadata.items()))
    if facts.tag_count and not options.tags:
        request = encode.get_object_tagging(item.source_key, version_id=item.version_id)
        tagged = yield Call(request=request, site=item.source_site, check=decode.get_object_tagging)
        headers = (*headers, ("x-amz-tagging", encode.tagging(tagged.decoded)))
    reply = yield Call(
        request=encode.create_multipart_upload(item.key, headers=headers, algorithm=""),
        site=item.site,
        check=decode.create_multipart_upload,
    )
    return Begun(
        item=item.number,
        token=reply.decoded,
        etag=facts.etag,
        version_id=item.version_id,
        content_type=facts.content_type,
        started_s=around.monotonic_s(),
        attempts=reply.attempts,
        # Replaced since it was listed: what is there now is as good.
        mtime_ns=facts.mtime_ns,
        size=facts.size if facts.size != item.size else -1,
    )


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Copy one part, of the version that the copy began with."""
    options = around.settings.object
    reply = yield Call(
        request=encode.upload_part_copy(
            order.item.key,
            upload_id=order.begun.token,
            number=order.number,
            source=_source_of(around, order.item, order.begun.etag),
            byte_range=(order.offset, order.offset + order.size - 1),
            headers=encode.sse_c_headers(options) + encode.sse_c_headers(options, copy_source=True),
        ),
        site=order.item.site,
        first_byte_s=COMMIT_FIRST_BYTE_S,
        check=decode.upload_part_copy,
    )
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        etag=reply.decoded.etag,
        attempts=reply.attempts,
    )


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """Complete the multipart copy and compare it with the source."""
    item, begun, parts = order.item, order.begun, order.parts
    copied_etag, version_id, attempts = "", "", 1
    try:
        reply = yield from upload.complete(around, order, None)
        completed: decode.Uploaded = reply.decoded
        copied_etag, version_id, attempts = completed.etag, completed.version_id, reply.attempts
    except UploadGone as gone:
        # Perhaps a Complete of ours was carried out and its answer lost: then the object is there and equal.
        try:
            verified, _ = yield from _compare(around, item, begun.etag)
        except (ChecksumMismatch, SizeMismatch, NotFound):
            raise gone from None
        if verified is Verified.SIZE:
            raise gone from None
        attempts = gone.attempts
    except PreconditionFailed:
        if not around.settings.selection.no_clobber:
            raise
        yield from abandon(around, item, begun)
        return Ending(Status.SKIPPED, Landed(size=item.size), SkipReason.EXISTS)
    verified, facts = yield from _compare(around, item, begun.etag)
    require_proof(around, item, verified)
    landed = Landed(
        size=item.size,
        etag=copied_etag or (facts.etag if facts is not None else ""),
        version_id=version_id,
        checksum=facts.checksum if facts is not None else None,
        verified=verified,
        content_type=begun.content_type,
        storage_class=around.settings.object.storage_class,
        parts=len(parts),
        attempts=max(attempts, begun.attempts, *(part.attempts for part in parts)),
        resumed_bytes=begun.resumed_bytes,
        duration_ms=around.elapsed_ms(begun.started_s),
    )
    return Ending(Status.DONE, landed)


abandon = upload.abandon


# --- pieces ----------------------------------------------------------------------------------------------------------


def _source_of(around: Surroundings, item: Item, if_match: str) -> CopySource:
    return CopySource(
        bucket=around.sites[item.source_site].bucket,
        key=item.source_key,
        version_id=item.version_id,
        if_match=if_match,
    )


def _headers(around: Surroundings, item: Item) -> encode.Headers:
    """What the copy is given. A content type is guessed only when the source's metadata is being replaced."""
    options = around.settings.object
    if around.is_restoring and item.storage_class:
        options = replace(options, storage_class=item.storage_class)
    guesses = options.metadata_directive == "REPLACE"
    content_type = around.content_type_of(item.key) if guesses else options.content_type
    return encode.object_headers(options, content_type=content_type)


def _with_defaults(headers: encode.Headers, defaults: encode.Headers) -> encode.Headers:
    given = {name for name, _ in headers}
    return headers + tuple(pair for pair in defaults if pair[0] not in given)


def _prove(around: Surroundings, item: Item, copied_etag: str) -> Flow[tuple[Verified, ObjectFacts | None]]:
    """Equal MD5 ETags prove a copy for nothing; otherwise both objects are looked at."""
    is_md5 = etag.is_md5(copied_etag) and not around.sites[item.site].is_directory
    if is_md5 and item.etag == copied_etag:
        return Verified.ETAG, None
    return (yield from _compare(around, item, ""))


def _compare(around: Surroundings, item: Item, copied_version: str) -> Flow[tuple[Verified, ObjectFacts | None]]:
    """Compare both objects as the service describes them.

    Args:
        around: see there.
        item: which.
        copied_version: the ETag of what was copied, or ``''``: a source that has another one by now proves nothing.

    Raises:
        SizeMismatch: the copy has another size.
        ChecksumMismatch: it has another checksum.
    """
    source = yield from head(around, item.source_site, item.source_key, item.version_id)
    made = yield from head(around, item.site, item.key, may_lag=True)
    if copied_version and source.etag and source.etag != copied_version and made.size == item.size:
        return Verified.SIZE, made
    if made.size != source.size:
        raise SizeMismatch(f"the copy of {item.source_key} has {made.size} bytes of {source.size}")
    ours, theirs = made.checksum, source.checksum
    if ours is None or theirs is None or (ours.algorithm, ours.kind) != (theirs.algorithm, theirs.kind):
        is_equal = made.etag == source.etag and etag.is_md5(made.etag, made.encryption)
        return (Verified.ETAG if is_equal else Verified.SIZE), made
    if ours.value == theirs.value:
        return Verified.CHECKSUM, made
    if ours.kind == "COMPOSITE":
        # Composite values depend on where the parts were cut: other parts, other value, same bytes.
        return Verified.SIZE, made
    raise ChecksumMismatch(item.key, theirs.value, ours.value, code="E_REMOTE_MISMATCH")
