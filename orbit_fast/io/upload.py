"""Local file → S3.

A file up to one part goes in one PutObject: small ones are read whole and sent with their head in one write, larger
ones through a slot. Above that it is a multipart upload whose parts any worker may send: `begin`, `move_part`,
`finish`, `abandon` are the steps that the ledger deals out.

Every request carries the checksum of its bytes, so the service refuses what was damaged on the way. What its reply
proves is said in `Landed.verified`: that it computed the same checksum, or that its ETag is our MD5, or nothing but
the size. A reply that proves the contrary is a failure.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Final
from typing import NamedTuple

from msgspec.structs import replace

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.encode import Headers
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.layout import plan_parts
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
from orbit_fast.core.model import Request
from orbit_fast.core.settings import MIB
from orbit_fast.io.bodies import FileBody
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Body
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.ladder import Step
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import open_source
from orbit_fast.io.transfer import COMMIT_FIRST_BYTE_S
from orbit_fast.io.transfer import PUT_FIRST_BYTE_S
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early
from orbit_fast.io.transfer import find
from orbit_fast.io.transfer import require_proof


class _Put(NamedTuple):
    """A PutObject: its reply, the checksum of what was sent, and what the reply proves."""

    reply: Reply
    sent: Checksum
    verified: Verified


CHANGES: Final = 3
"""A file that changes while it is sent is sent anew; one that has changed so many times is a failure."""

IN_MEMORY = MIB
"""Up to this size a file is read whole (bytes): one read, one checksum, one write. Above, it passes through a slot."""


def upload(around: Surroundings, item: Item) -> Flow[Ending]:
    """Upload one file in one request; one that changes meanwhile is uploaded anew, as it is then.

    Raises:
        S3Error: it could not be done; SourceChanged for a file that does not stop changing.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    started_s = around.monotonic_s()
    # What stands where nothing should may be what we have sent ourselves: then it is no reason to skip the file.
    left = 1 if around.settings.selection.no_clobber else CHANGES
    while True:
        left -= 1
        try:
            with open_file(around, item) as source:
                put = yield from _put_file(around, item, source)
                if put is None:
                    return Ending(Status.SKIPPED, Landed(size=source.size), SkipReason.EXISTS)
                source.check_unchanged()
                size = source.size
            break
        except SourceChanged:
            if not left:
                raise
        yield PAUSE  # whoever threw that still holds it, and with it frames that hold the slot
    require_proof(around, item, put.verified)
    stored: decode.Uploaded = put.reply.decoded
    landed = Landed(
        size=size,
        etag=stored.etag,
        version_id=stored.version_id,
        checksum=put.sent,
        verified=put.verified,
        content_type=around.content_type_of(item.key, item.path),
        storage_class=around.settings.object.storage_class,
        attempts=put.reply.attempts,
        duration_ms=around.elapsed_ms(started_s),
    )
    return Ending(Status.DONE, landed)


def open_file(around: Surroundings, item: Item, expected: tuple[int, ...] = ()) -> SourceFile:
    """The item's file, which must have the fingerprint `expected`, where one is given.

    Raises:
        S3Error: as `open_source`.
    """
    follows = around.settings.selection.follow_symlinks
    return open_source(item.path, follow_symlinks=follows, expected=expected or None)


def _headers(around: Surroundings, item: Item, source: SourceFile) -> Headers:
    headers = around.object_headers(item.key, item.path)
    if around.settings.transfer.preserve_metadata:
        headers += encode.metadata_headers(describe_file(source.mtime_ns, source.mode))
    return headers


def _put_file(around: Surroundings, item: Item, source: SourceFile) -> Flow[_Put | None]:
    """Send it; None where there is something under its key that must not be replaced."""
    try:
        if source.size <= IN_MEMORY:
            return (yield from _put_bytes(around, item, source))
        return (yield from _put_stream(around, item, source))
    except PreconditionFailed:
        if not around.settings.selection.no_clobber:
            raise
        return None


def _put_bytes(around: Surroundings, item: Item, source: SourceFile) -> Flow[_Put]:
    data = source.read_all()
    source.check_unchanged()  # what was written to between two reads is no version of the file: it is not sent at all
    sent = checksum_of(around.settings.transfer.checksum_algorithm, data)
    md5 = lambda: hashlib.md5(data, usedforsecurity=False).digest()  # noqa: E731 - bound at once
    content = Content(data, None, sent, md5)
    reply = yield from put(around, item, _headers(around, item, source), content)
    return _Put(reply, sent, prove(around, item, reply, content))


def _put_stream(around: Surroundings, item: Item, source: SourceFile) -> Flow[_Put]:
    # Nobody has kept a slot for a file that was small when it was listed.
    has_grown = item.size <= IN_MEMORY
    with contextlib.nullcontext(memoryview(bytearray(IN_MEMORY))) if has_grown else around.leased() as slot:
        algorithm = around.settings.transfer.checksum_algorithm
        body = FileBody(source, 0, source.size, slot=slot, algorithm=algorithm)
        sent = body.prepare(sign=around.signs_payload(item.site))
        content = Content(b"", body, sent, body.md5)
        reply = yield from put(around, item, _headers(around, item, source), content)
        return _Put(reply, sent, prove(around, item, reply, content))


class Content(NamedTuple):
    """What a request carries: bytes, or a body of its own; its checksum, and how to get its MD5."""

    data: bytes
    body: Body | None
    sent: Checksum
    md5: Callable[[], bytes]

    def announced(self, step: Step) -> tuple[Headers, Checksum | None]:
        """Headers to add, and the checksum to announce."""
        if step.has_checksum:
            return (), self.sent
        return (("content-md5", base64.b64encode(self.md5()).decode()),), None


def put(around: Surroundings, item: Item, headers: Headers, content: Content) -> Flow[Reply]:
    """Store an object in one request."""
    is_conditional = around.settings.selection.no_clobber
    while True:
        step = around.ladder.step(item.site, is_conditional=is_conditional)
        more, checksum = content.announced(step)
        request = encode.put_object(
            item.key, headers=headers + more, checksum=checksum, body=content.data, if_none_match=step.has_condition
        )
        try:
            return (yield _sending(item, request, content, decode.put_object))
        except HeaderRefused:
            if not around.ladder.go_down(item.site, step, is_conditional=is_conditional):
                raise
            if content.body is not None:
                content.body.rewind()
        except PreconditionFailed as refusal:
            return (yield from _own_reply(around, item, content.sent, refusal))


def _sending(item: Item, request: Request, content: Content, check: Callable[[Reply], object]) -> Call:
    return Call(
        request=request,
        site=item.site,
        body=content.body,
        first_byte_s=PUT_FIRST_BYTE_S,
        check=check,
    )


def _own_reply(around: Surroundings, item: Item, sent: Checksum, refusal: PreconditionFailed) -> Flow[Reply]:
    """What stands where nothing should: ours, if an earlier try was carried out and its answer lost."""
    if refusal.attempts <= 1:
        raise refusal
    request = encode.head_object(item.key, headers=encode.sse_c_headers(around.settings.object))
    reply = yield Call(request=request, site=item.site, check=decode.put_object)
    if _echoed(reply, sent.algorithm) != sent:
        raise refusal
    reply.attempts = refusal.attempts
    return reply


def _echoed(reply: Reply, algorithm: str) -> Checksum | None:
    """The checksum of this algorithm that a reply states, or None."""
    value = reply.headers.get(f"x-amz-checksum-{algorithm.lower()}", "")
    return Checksum(algorithm, value) if value else None


def prove(around: Surroundings, item: Item, reply: Reply, content: Content) -> Verified:
    """What the reply to a body proves.

    Raises:
        ChecksumMismatch: the service says that it stores something else.
    """
    sent = content.sent
    verified = around.proof(item.key, sent, _echoed(reply, sent.algorithm))
    if verified is not None:
        return verified
    stored: decode.Uploaded | decode.UploadedPart = reply.decoded
    if not etag.is_md5(stored.etag, stored.encryption or around.settings.object.sse):
        return Verified.SIZE
    # No checksum came back: the ETag is the MD5 where the service keeps to S3's rule.
    ours = content.md5().hex()
    if ours != stored.etag:
        raise ChecksumMismatch(item.key, ours, stored.etag, code="E_ETAG_MISMATCH")
    return Verified.ETAG


# --- multipart -------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """Create the multipart upload of the file as it is now, or upload it in one request where it has become small.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    with open_file(around, item) as source:
        size, mtime_ns, fingerprint = source.size, source.mtime_ns, source.fingerprint
        headers = _headers(around, item, source)
    has_changed = size != item.size
    if has_changed and size <= IN_MEMORY:
        return (yield from upload(around, replace(item, size=size, mtime_ns=mtime_ns)))
    plan_parts(size, MIB)  # refuses what S3 cannot hold
    algorithm = around.settings.transfer.checksum_algorithm
    reply = yield from create(around, item, headers, algorithm)
    return Begun(
        item=item.number,
        token=reply.decoded,
        fingerprint=fingerprint,
        algorithm=algorithm,
        content_type=around.content_type_of(item.key, item.path),
        started_s=around.monotonic_s(),
        attempts=reply.attempts,
        mtime_ns=mtime_ns,
        size=size if has_changed else -1,
    )


def create(around: Surroundings, item: Item, headers: Headers, algorithm: str) -> Flow[Reply]:
    """Create the multipart upload of an object with these headers."""
    while True:
        step = around.ladder.step(item.site)
        announced = algorithm if step.has_checksum else ""
        request = encode.create_multipart_upload(item.key, headers=headers, algorithm=announced)
        try:
            # Tried again when its answer is lost: an upload without parts may stay behind, a failed object would.
            return (yield Call(request=request, site=item.site, check=decode.create_multipart_upload))
        except HeaderRefused:
            if not announced or not around.ladder.go_down(item.site, step):
                raise


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Upload one part.

    Raises:
        S3Error: it could not be done, or the file is not the one that the upload began with.
    """
    item, begun = order.item, order.begun
    with open_file(around, item, begun.fingerprint) as source, around.leased() as slot:
        body = FileBody(source, order.offset, order.size, slot=slot, algorithm=begun.algorithm)
        sent = body.prepare(sign=around.signs_payload(item.site))
        content = Content(b"", body, sent, body.md5)
        reply = yield from put_part(around, order, content)
        stored: decode.UploadedPart = reply.decoded
        verified = prove(around, item, reply, content)
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        etag=stored.etag,
        checksum=sent.value,
        is_proven=verified is not Verified.SIZE,
        attempts=reply.attempts,
    )


def put_part(around: Surroundings, order: MovePart, content: Content) -> Flow[Reply]:
    """Send one part, whatever it is made of."""
    item = order.item
    while True:
        step = around.ladder.step(item.site)
        more, checksum = content.announced(step)
        request = encode.upload_part(
            item.key,
            upload_id=order.begun.token,
            number=order.number,
            checksum=checksum,
            headers=encode.sse_c_headers(around.settings.object) + more,
        )
        try:
            return (yield _sending(item, request, content, decode.upload_part))
        except HeaderRefused:
            if not around.ladder.go_down(item.site, step):
                raise
            if content.body is not None:
                content.body.rewind()


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """Complete the multipart upload, and see that the whole object is what was sent.

    Raises:
        S3Error: it could not be done; the upload is still there and wants to be abandoned.
    """
    open_file(around, order.item, order.begun.fingerprint).close()
    return (yield from conclude(around, order))


def conclude(around: Surroundings, order: Finish) -> Flow[Ending]:
    """As `finish`, for parts that came from no file, or from one that need not be there any more."""
    item, begun, parts = order.item, order.begun, order.parts
    whole = whole_checksum(begun.algorithm, parts)
    try:
        reply = yield from complete(around, order, whole)
        completed: decode.Uploaded = reply.decoded
        facts = ObjectFacts(
            size=item.size,
            etag=completed.etag,
            version_id=completed.version_id,
            checksum=completed.checksum,
        )
        attempts = reply.attempts
    except (UploadGone, PreconditionFailed) as failure:
        # Perhaps a Complete of ours was carried out and its answer lost: then the object is there, whole.
        found = yield from own_object(around, order)
        if found is None and isinstance(failure, PreconditionFailed) and around.settings.selection.no_clobber:
            yield from abandon(around, item, begun)
            return Ending(Status.SKIPPED, Landed(size=item.size), SkipReason.EXISTS)
        if found is None:
            raise
        facts, attempts = found, failure.attempts
    whole = _like(whole, facts.checksum, parts)
    verified = around.proof(item.key, whole, facts.checksum)
    if verified is None:
        verified = Verified.ETAG if all(part.is_proven for part in parts) else Verified.SIZE
    require_proof(around, item, verified)
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
        resumed_bytes=begun.resumed_bytes,
        duration_ms=around.elapsed_ms(begun.started_s),
    )
    return Ending(Status.DONE, landed)


def complete(around: Surroundings, order: Finish, whole: Checksum | None) -> Flow[Reply]:
    """Complete the multipart upload, of files and of copies, announcing the checksum of the whole where one is known.

    Raises:
        S3Error: it could not be done.
    """
    # S3 asks for the customer's key here too, as soon as the parts have checksums.
    customer_key = encode.sse_c_headers(around.settings.object)
    request = encode.complete_multipart_upload(
        order.item.key,
        upload_id=order.begun.token,
        parts=order.parts,
        algorithm=order.begun.algorithm if around.ladder.step(order.item.site).has_checksum else "",
        checksum=whole if whole is not None and whole.kind == "FULL_OBJECT" else None,
        headers=(encode.ONLY_IF_ABSENT if around.settings.selection.no_clobber else ()) + customer_key,
    )
    try:
        return (yield _completing(order, request))
    except HeaderRefused:
        # Something of it is too new for this service. The parts are proven; of the rest nothing is needed.
        bare = _bare(order, customer_key)
    return (yield _completing(order, bare))


def _completing(order: Finish, request: Request) -> Call:
    return Call(
        request=request,
        site=order.item.site,
        first_byte_s=COMMIT_FIRST_BYTE_S,
        check=decode.complete_multipart_upload,
    )


def _bare(order: Finish, customer_key: encode.Headers) -> Request:
    """The completion as S3 knew it first."""
    request = encode.complete_multipart_upload(
        order.item.key, upload_id=order.begun.token, parts=order.parts, algorithm=""
    )
    return replace(request, headers=customer_key)


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


def _like(whole: Checksum, stored: Checksum | None, parts: Sequence[PartFact]) -> Checksum:
    """The object's checksum in the kind in which the service states it, where it can be had."""
    if stored is None or stored.algorithm != whole.algorithm or stored.kind == whole.kind:
        return whole
    return Checksum(whole.algorithm, composite(whole.algorithm, [part.checksum for part in parts]), "COMPOSITE")


def own_object(around: Surroundings, order: Finish) -> Flow[ObjectFacts | None]:
    """The object that a lost Complete made, or None where there is none or another one."""
    facts = yield from find(around, order.item.site, order.item.key)
    return facts if facts is not None and _is_ours(order, facts) else None


def _is_ours(order: Finish, facts: ObjectFacts) -> bool:
    """Whether this is the object of these parts: the same size, and the same checksum or multipart ETag."""
    parts = order.parts
    if facts.size != order.item.size:
        return False
    whole = _like(whole_checksum(order.begun.algorithm, parts), facts.checksum, parts)
    if facts.checksum is not None and facts.checksum.algorithm == whole.algorithm:
        return facts.checksum.value == whole.value
    if not all(etag.is_md5(part.etag) for part in parts):
        return False
    return facts.etag == etag_of_parts([bytes.fromhex(part.etag) for part in parts])
