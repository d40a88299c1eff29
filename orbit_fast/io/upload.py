"""Local file → S3.

A file up to one part goes in one PutObject: small ones are read whole and sent with their head in one write, larger
ones through a slot. Above that it is a multipart upload whose parts any worker may send: `begin`, `move_part`,
`finish`, `abandon` are the steps that the ledger deals out.

Every request carries the checksum of its bytes, so the service refuses what was damaged on the way. What its reply
proves is said in `Landed.verified`: that it computed the same checksum, or that its ETag is our MD5, or nothing but
the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Sequence

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.encode import Headers
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.metadata import describe_file
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.core.settings import MIB
from orbit_fast.io.bodies import FileBody
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import open_source
from orbit_fast.io.transfer import COMMIT_FIRST_BYTE_S
from orbit_fast.io.transfer import PUT_FIRST_BYTE_S
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early
from orbit_fast.io.transfer import find

_Put = tuple[Reply, Checksum, Callable[[], str]]
"""What a PutObject was answered, the checksum that went with it, and how to get the MD5 of what was sent."""

IN_MEMORY = MIB
"""Up to this size a file is read whole (bytes): one read, one checksum, one write. Above, it passes through a slot."""


def upload(around: Surroundings, item: Item) -> Flow[Ending]:
    """Upload one file in one request.

    Raises:
        S3Error: it could not be done.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    started_s = around.monotonic_s()
    with _open(around, item) as source:
        try:
            if source.size <= IN_MEMORY:
                reply, sent, md5_hex = yield from _put_bytes(around, item, source)
            else:
                reply, sent, md5_hex = yield from _put_stream(around, item, source)
        except PreconditionFailed:
            if not around.settings.selection.no_clobber:
                raise
            return Ending(Status.SKIPPED, Landed(size=source.size), SkipReason.EXISTS)
        source.check_unchanged()
        size = source.size
    stored = decode.put_object(reply)
    verified = around.proof(item.key, sent, stored.checksum)
    if verified is None:
        verified = Verified.ETAG if etag.is_md5(stored.etag, stored.encryption) and stored.etag == md5_hex() else None
    landed = Landed(
        size=size,
        etag=stored.etag,
        version_id=stored.version_id,
        checksum=sent,
        verified=verified or Verified.SIZE,
        content_type=around.content_type_of(item.key),
        storage_class=around.settings.object.storage_class,
        attempts=reply.attempts,
        duration_ms=around.elapsed_ms(started_s),
    )
    return Ending(Status.DONE, landed)


def _open(around: Surroundings, item: Item, expected: tuple[int, ...] = ()) -> SourceFile:
    follows = around.settings.selection.follow_symlinks
    return open_source(item.path, follow_symlinks=follows, expected=expected or None)


def _headers(around: Surroundings, item: Item, source: SourceFile) -> Headers:
    headers = around.object_headers(item.key)
    if around.settings.transfer.preserve_metadata:
        headers += encode.metadata_headers(describe_file(source.mtime_ns, source.mode))
    return headers


def _put_bytes(around: Surroundings, item: Item, source: SourceFile) -> Flow[_Put]:
    data = source.read_all()
    sent = checksum_of(around.settings.transfer.checksum_algorithm, data)
    reply = yield from _put(around, item, _headers(around, item, source), sent, data)
    return reply, sent, lambda: hashlib.md5(data, usedforsecurity=False).hexdigest()


def _put_stream(around: Surroundings, item: Item, source: SourceFile) -> Flow[_Put]:
    with around.leased() as slot:
        body = FileBody(
            source,
            0,
            source.size,
            slot=slot,
            algorithm=around.settings.transfer.checksum_algorithm,
        )
        sent = body.prepare(sign=around.signs_payload(item.site))
        reply = yield from _put(around, item, _headers(around, item, source), sent, body)
        stored = decode.put_object(reply)
        known = "" if stored.checksum is not None else body.md5()
    return reply, sent, lambda: known


def _put(around: Surroundings, item: Item, headers: Headers, sent: Checksum, content: bytes | FileBody) -> Flow[Reply]:
    data, body = (content, None) if isinstance(content, bytes) else (b"", content)
    no_clobber = around.settings.selection.no_clobber
    request = encode.put_object(item.key, headers=headers, checksum=sent, body=data, if_none_match=no_clobber)
    try:
        return (yield Call(request=request, site=item.site, body=body, first_byte_s=PUT_FIRST_BYTE_S))
    except HeaderRefused:
        # The service knows no conditional writes; `end_early` has looked, which is the best that it lets us do.
        if not no_clobber:
            raise
    request = encode.put_object(item.key, headers=headers, checksum=sent, body=data)
    return (yield Call(request=request, site=item.site, body=body, first_byte_s=PUT_FIRST_BYTE_S))


# --- multipart -------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """Create the multipart upload.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    with _open(around, item) as source:
        if source.size != item.size:
            raise SourceChanged(f"the file had {item.size} bytes when it was listed and has {source.size} now")
        fingerprint = source.fingerprint
        headers = _headers(around, item, source)
    algorithm = around.settings.transfer.checksum_algorithm
    reply = yield Call(
        request=encode.create_multipart_upload(
            item.key,
            headers=headers,
            algorithm=algorithm,
        ),
        site=item.site,
        is_idempotent=False,
    )
    return Begun(
        item=item.number,
        token=decode.create_multipart_upload(reply),
        fingerprint=fingerprint,
        algorithm=algorithm,
        content_type=around.content_type_of(item.key),
        started_s=around.monotonic_s(),
        attempts=reply.attempts,
    )


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Upload one part.

    Raises:
        S3Error: it could not be done, or the file is not the one that the upload began with.
    """
    item, begun = order.item, order.begun
    with _open(around, item, begun.fingerprint) as source, around.leased() as slot:
        body = FileBody(source, order.offset, order.size, slot=slot, algorithm=begun.algorithm)
        sent = body.prepare(sign=around.signs_payload(item.site))
        reply = yield Call(
            request=encode.upload_part(
                item.key,
                upload_id=begun.token,
                number=order.number,
                checksum=sent,
                headers=encode.sse_c_headers(around.settings.object),
            ),
            site=item.site,
            body=body,
            first_byte_s=PUT_FIRST_BYTE_S,
        )
        stored = decode.upload_part(reply)
        if around.proof(item.key, sent, stored.checksum) is None and etag.is_md5(stored.etag):
            # No checksum came back: the ETag of a part is its MD5 where the service keeps to S3's rule.
            proven = body.md5() == stored.etag
        else:
            proven = stored.checksum is not None
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        etag=stored.etag,
        checksum=sent.value,
        is_proven=proven,
        attempts=reply.attempts,
    )


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """Complete the multipart upload, and see that the whole object is what was sent.

    Raises:
        S3Error: it could not be done; the upload is still there and wants to be abandoned.
    """
    item, begun, parts = order.item, order.begun, order.parts
    _open(around, item, begun.fingerprint).close()
    whole = whole_checksum(begun.algorithm, parts)
    try:
        reply = yield Call(
            request=encode.complete_multipart_upload(
                item.key,
                upload_id=begun.token,
                parts=parts,
                algorithm=begun.algorithm,
                checksum=whole if whole.kind == "FULL_OBJECT" else None,
            ),
            site=item.site,
            first_byte_s=COMMIT_FIRST_BYTE_S,
        )
        completed = decode.complete_multipart_upload(reply)
        facts = ObjectFacts(
            size=item.size,
            etag=completed.etag,
            version_id=completed.version_id,
            checksum=completed.checksum,
        )
        attempts = reply.attempts
    except UploadGone as gone:
        # Perhaps a Complete of ours was carried out and its answer lost: then the object is there, whole.
        facts = yield from _completed_object(around, item, whole, gone)
        attempts = 2
    verified = around.proof(item.key, whole, facts.checksum) if facts.checksum is not None else None
    if verified is None:
        verified = Verified.ETAG if all(part.is_proven for part in parts) else Verified.SIZE
    landed = Landed(
        size=item.size,
        etag=facts.etag,
        version_id=facts.version_id,
        checksum=whole,
        verified=verified,
        content_type=begun.content_type,
        storage_class=around.settings.object.storage_class,
        parts=len(parts),
        attempts=max(attempts, begun.attempts, *(part.attempts for part in parts)),
        duration_ms=around.elapsed_ms(begun.started_s),
    )
    return Ending(Status.DONE, landed)


def abandon(_around: Surroundings, item: Item, begun: Begun) -> Flow[None]:
    """Abort the multipart upload, of files and of copies. One that is gone already is fine."""
    try:
        yield Call(request=encode.abort_multipart_upload(item.key, upload_id=begun.token), site=item.site)
    except UploadGone:
        return


def whole_checksum(algorithm: str, parts: Sequence[PartFact]) -> Checksum:
    """The object's checksum from its parts': full object where the algorithm combines, else composite."""
    if is_combinable(algorithm):
        return Checksum(algorithm, combine(algorithm, [(part.checksum, part.size) for part in parts]))
    return Checksum(algorithm, composite(algorithm, [part.checksum for part in parts]), "COMPOSITE")


def _completed_object(around: Surroundings, item: Item, whole: Checksum, gone: UploadGone) -> Flow[ObjectFacts]:
    """The object that a lost Complete made, if it is ours: same size and same checksum."""
    facts = yield from find(around, item.site, item.key)
    if facts is None or facts.size != item.size or facts.checksum is None or facts.checksum.value != whole.value:
        raise gone
    return facts
