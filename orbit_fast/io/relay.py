"""S3 → S3 through this machine, where one service, or one set of credentials, cannot reach both sides.

A range is received into slots of this worker's, then sent from them: never an object, never more than the slots hold.
An object up to one part is one GET and one PUT; above that any worker may relay any part, all pinned to the version
that `begin` saw. What `io.copy` leaves to the service is done here: content headers, user metadata and tags come along
unless they are replaced.

Both ends are proven. The source: the bytes that came have the checksum that it states (of parts: combined), or the MD5
that its ETag is. The copy: as every upload.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from collections.abc import Sequence

from msgspec.structs import replace

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.checksum import Hasher
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.limits import MAX_OBJECT_BYTES
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.sigv4 import UNSIGNED_PAYLOAD
from orbit_fast.io import upload
from orbit_fast.io.download import get_call
from orbit_fast.io.download import prove_whole
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.proof import range_algorithm
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early
from orbit_fast.io.transfer import head
from orbit_fast.io.transfer import require_proof


def slots_for(size: int, slot_size: int) -> int:
    """How many slots `size` bytes take. Those of small objects are in memory of the flow's own."""
    return 0 if size <= upload.IN_MEMORY else -(-size // slot_size)


def relay(around: Surroundings, item: Item) -> Flow[Ending]:
    """Relay one object in one GET and one PUT.

    Raises:
        S3Error: it could not be done; the destination is as it was.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    started_s = around.monotonic_s()
    with _hold(around, item.size) as held:
        source = _source_of(item)
        sink, attempts = yield from _get_whole(around, source, held)
        read, _ = yield from prove_whole(around, source, sink, held)
        headers = yield from _headers(around, item, sink.facts)
        content = held.content(around, item, around.settings.transfer.checksum_algorithm)
        try:
            reply = yield from upload.put(around, item, headers, content)
        except PreconditionFailed:
            if not around.settings.selection.no_clobber:
                raise
            return Ending(Status.SKIPPED, Landed(size=sink.size), SkipReason.EXISTS)
        written = upload.prove(around, item, reply, content)
    verified = _weaker(read, written)
    require_proof(around, item, verified)
    stored: decode.Uploaded = reply.decoded
    landed = Landed(
        size=sink.size,
        etag=stored.etag,
        version_id=stored.version_id,
        checksum=content.sent,
        verified=verified,
        content_type=_content_type(headers),
        storage_class=around.settings.object.storage_class,
        attempts=max(reply.attempts, attempts),
        duration_ms=around.elapsed_ms(started_s),
    )
    return Ending(Status.DONE, landed)


def _get_whole(around: Surroundings, source: Item, held: Held) -> Flow[tuple[FileSink, int]]:
    """The object, as it was listed; one that was replaced since is as good if there is room for it."""
    expected = Expected(key=source.key, size=source.size, etag=source.etag)
    try:
        return (yield from _get(around, source, expected, held))
    except PreconditionFailed:
        facts = yield from head(around, source.site, source.key, source.version_id)
    if facts.size > len(held):
        raise SourceChanged(f"{source.key} had {source.size} bytes when it was listed and has {facts.size} now")
    return (yield from _get(around, source, Expected(key=source.key, size=facts.size, etag=facts.etag), held))


def _get(around: Surroundings, source: Item, expected: Expected, held: Held) -> Flow[tuple[FileSink, int]]:
    def open_target(_facts: ObjectFacts) -> Held:
        held.empty(expected.first)
        return held

    sink = FileSink(expected, around.receive, open_target)
    reply = yield get_call(around, source, sink, expected)
    return sink, reply.attempts


# --- in parts --------------------------------------------------------------------------------------------------------


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """See what the source is, and create the multipart upload with everything that it carries.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    facts = yield from head(around, item.source_site, item.source_key, item.version_id)
    if not 0 < facts.size <= MAX_OBJECT_BYTES:
        raise SizeMismatch(f"{item.source_key} had {item.size} bytes when it was listed and has {facts.size} now")
    headers = yield from _headers(around, item, facts)
    algorithm = around.settings.transfer.checksum_algorithm
    reply = yield from upload.create(around, item, headers, algorithm)
    return Begun(
        item=item.number,
        token=reply.decoded,
        etag=facts.etag,
        checksum=facts.checksum,
        mtime_ns=facts.mtime_ns,
        algorithm=algorithm,
        encryption=facts.encryption,
        content_type=_content_type(headers),
        version_id=facts.version_id,
        started_s=around.monotonic_s(),
        attempts=reply.attempts,
        # Replaced since it was listed: what is there now is as good.
        size=facts.size if facts.size != item.size else -1,
    )


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Relay one range of the version that the transfer began with.

    Raises:
        S3Error: it could not be done, or the source is another one by now.
    """
    item, begun = order.item, order.begun
    expected = Expected(
        key=item.source_key,
        size=order.size,
        etag=begun.etag,
        first=order.offset,
        is_range=True,
        total=item.size,
        algorithm=range_algorithm(begun.checksum) or begun.algorithm,
        verify=False,
    )
    with _hold(around, order.size) as held:
        sink, attempts = yield from _get(around, _source_of(item), expected, held)
        assert sink.checksum is not None, "one was asked for"
        content = held.content(around, item, begun.algorithm)
        if sink.checksum.algorithm == begun.algorithm and sink.checksum != content.sent:
            raise ChecksumMismatch(item.source_key, sink.checksum.value, content.sent.value)  # the memory is bad
        reply = yield from upload.put_part(around, order, content)
        verified = upload.prove(around, item, reply, content)
    return PartFact(
        number=order.number,
        offset=order.offset,
        size=order.size,
        etag=reply.decoded.etag,
        checksum=content.sent.value,
        is_proven=verified is not Verified.SIZE,
        attempts=max(attempts, reply.attempts),
        source_checksum=sink.checksum.value,
    )


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """Prove the source's bytes, complete the upload, and prove that.

    Raises:
        S3Error: it could not be done; the upload is still there and wants to be abandoned.
    """
    read = _prove_source(order)
    ending = yield from upload.conclude(around, order)
    verified = _weaker(read, ending.landed.verified)
    if ending.status is not Status.DONE or verified is ending.landed.verified:
        return ending
    require_proof(around, order.item, verified)
    return Ending(ending.status, replace(ending.landed, verified=verified))


abandon = upload.abandon


def _prove_source(order: Finish) -> Verified:
    """What the bytes that came have been proven against: before the copy appears under its name.

    Raises:
        ChecksumMismatch: they are not the source's.
    """
    stored = order.begun.checksum
    if stored is None or not range_algorithm(stored):
        return Verified.SIZE
    value = combine(stored.algorithm, [(part.source_checksum, part.size) for part in order.parts])
    if value != stored.value:
        raise ChecksumMismatch(order.item.source_key, stored.value, value)
    return Verified.CHECKSUM


# --- pieces ----------------------------------------------------------------------------------------------------------


def _source_of(item: Item) -> Item:
    """The source, as a download names it."""
    return replace(item, direction=Direction.DOWNLOAD, site=item.source_site, key=item.source_key)


def _headers(around: Surroundings, item: Item, facts: ObjectFacts) -> Flow[encode.Headers]:
    """What the copy is given: by the options, and beyond them what the source has, unless that is to be replaced."""
    options = around.settings.object
    if options.metadata_directive == "REPLACE":
        headers = encode.object_headers(options, content_type=around.content_type_of(item.key))
    else:
        headers = encode.object_headers(options, content_type=options.content_type)
        given = {name for name, _ in headers}
        carried = facts.content_headers + encode.metadata_headers(facts.metadata.items())
        headers += tuple(pair for pair in carried if pair[0] not in given)
    if facts.tag_count and not options.tags:
        request = encode.get_object_tagging(item.source_key, version_id=item.version_id)
        tagged = yield Call(request=request, site=item.source_site, check=decode.get_object_tagging)
        headers = (*headers, ("x-amz-tagging", encode.tagging(tagged.decoded)))
    return headers


def _content_type(headers: encode.Headers) -> str:
    return dict(headers).get("content-type", "")


def _weaker(one: Verified, other: Verified) -> Verified:
    """What is proven of a copy whose two halves are proven so."""
    order = (Verified.NOTHING, Verified.SIZE, Verified.ETAG, Verified.CHECKSUM)
    return min(one, other, key=order.index)


class Held:
    """A range in memory: received into it, proven, and sent from it. The memory is slots, or a flow's own."""

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self._pieces = pieces
        self._piece_size = len(pieces[0])
        self._first = 0
        self.size = 0

    def __len__(self) -> int:
        return sum(len(piece) for piece in self._pieces)

    def empty(self, first: int) -> None:
        """Forget everything: bytes from offset `first` of the object come now."""
        self._first = first
        self.size = 0

    def write_at(self, view: memoryview, offset: int) -> None:
        """Put `view` at `offset` of the object."""
        done, at = 0, offset - self._first
        while done < len(view):
            count = self._step(at + done, len(view) - done)
            self._piece(at + done, count)[:] = view[done : done + count]
            done += count
        self.size = max(self.size, at + done)

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what stands at `offset` of the object."""
        done, at = 0, offset - self._first
        while done < len(view):
            count = self._step(at + done, len(view) - done)
            view[done : done + count] = self._piece(at + done, count)
            done += count

    def chunk(self, at: int) -> memoryview:
        """What stands from the `at`-th byte on, as far as it is contiguous."""
        return self._piece(at, self._step(at, self.size - at))

    def content(self, around: Surroundings, item: Item, algorithm: str) -> upload.Content:
        """All of it as what an upload sends."""

        def md5() -> bytes:
            digest = hashlib.md5(usedforsecurity=False)
            self._feed(digest)
            return digest.digest()

        running = new_hasher(algorithm)
        self._feed(running)
        sent = Checksum(algorithm, running.value())
        if not self.size:
            return upload.Content(b"", None, sent, md5)
        sha256 = hashlib.sha256() if around.signs_payload(item.site) else None
        if sha256 is not None:
            self._feed(sha256)
        body = HeldBody(self, sha256=UNSIGNED_PAYLOAD if sha256 is None else sha256.hexdigest())
        return upload.Content(b"", body, sent, md5)

    def let_go(self) -> None:
        """The memory is somebody else's from now on."""
        self._pieces = ()
        self.size = 0

    def _feed(self, hasher: Hasher | hashlib._Hash) -> None:
        for chunk in self._chunks():
            hasher.update(chunk)

    def _chunks(self) -> Iterator[memoryview]:
        at = 0
        while at < self.size:
            chunk = self.chunk(at)
            at += len(chunk)
            yield chunk

    def _step(self, at: int, most: int) -> int:
        """Bytes from `at` to the end of their piece, `most` at most."""
        return min(most, self._piece_size - at % self._piece_size)

    def _piece(self, at: int, count: int) -> memoryview:
        start = at % self._piece_size
        return self._pieces[at // self._piece_size][start : start + count]


class HeldBody:
    """What is held, as a request's body."""

    def __init__(self, held: Held, *, sha256: str) -> None:
        self._held = held
        self._sent = 0
        self._sha256 = sha256

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._held.size

    @property
    def sha256(self) -> str:
        """Hex digest where the payload is signed; else ``UNSIGNED-PAYLOAD``."""
        return self._sha256

    def rewind(self) -> None:
        """Start again from the first byte."""
        self._sent = 0

    def next_chunk(self) -> memoryview:
        """The next bytes."""
        chunk = self._held.chunk(self._sent)
        self._sent += len(chunk)
        return chunk


@contextlib.contextmanager
def _hold(around: Surroundings, size: int) -> Iterator[Held]:
    """Memory for `size` bytes, for the length of a ``with``."""
    count = slots_for(size, len(around.receive))
    if not count:
        yield Held([memoryview(bytearray(max(size, 1)))])
        return
    with contextlib.ExitStack() as stack:
        held = Held([stack.enter_context(around.leased()) for _ in range(count)])
        try:
            yield held
        finally:
            held.let_go()
