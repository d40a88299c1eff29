"""S3 → the stage: whole small objects and ranges of large ones, on their way to stdout.

The bytes are received straight into the shared memory that the supervisor writes to stdout from. A whole object is
proven here before anybody sees it; of a range the length and the version are, and its checksum goes back with the
answer, for the proof of the whole.
"""

from __future__ import annotations

from orbit_fast.core import etag
from orbit_fast.core.errors import SizeMismatch
from orbit_fast.core.errors import object_changing
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Fetched
from orbit_fast.core.fetching import Open
from orbit_fast.core.fetching import Opened
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io.download import get_call
from orbit_fast.io.download import prove_whole
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import named
from orbit_fast.io.pour import take_piece
from orbit_fast.io.proof import part_size
from orbit_fast.io.sinks import Expected
from orbit_fast.io.sinks import FileSink
from orbit_fast.io.sinks import Target
from orbit_fast.io.transfer import Surroundings


def look(around: Surroundings, order: Open) -> Flow[Opened]:
    """See what an object is.

    Raises:
        S3Error: it is not there, or may not be looked at.
    """
    reply = yield from named(around, order.site, order.key, order.version_id)
    facts: ObjectFacts = reply.decoded
    return Opened(
        number=order.number,
        size=facts.size,
        etag=facts.etag,
        version_id=facts.version_id,
        checksum=facts.checksum,
        encryption=facts.encryption,
        content_type=facts.content_type,
        storage_class=facts.storage_class,
        restore=facts.restore,
        part_size=(yield from _part_size(around, order, facts)),
    )


def _part_size(around: Surroundings, order: Open, facts: ObjectFacts) -> Flow[int]:
    """The size of the parts that the object's checksum or ETag is made of, or 0 where that does not matter."""
    stored = facts.checksum
    if stored is not None and stored.kind == "COMPOSITE":
        count = etag.part_count(stored.value.rpartition("-")[2])
    elif stored is None and facts.encryption in {"", "AES256"}:
        count = etag.parts_of(facts.etag)
    else:
        count = 0
    if not count or not around.settings.transfer.verify:
        return 0
    item = _item(order.site, order.key, order.version_id, facts.size)
    return (yield from part_size(around, item, facts.etag, count))


def fetch(around: Surroundings, order: Fetch) -> Flow[Fetched]:
    """Bring an object, or a range of one, into the stage.

    Raises:
        S3Error: it could not be had, or is not what it should be; what stands in the stage then means nothing.
    """
    region = around.stage[order.at : order.at + order.room]
    try:
        if order.stream:
            return (yield from take_piece(around, order, region))
        if order.size < 0:
            return (yield from _fetch_whole(around, order, region))
        return (yield from _fetch_range(around, order, region))
    finally:
        region.release()


def _fetch_range(around: Surroundings, order: Fetch, region: memoryview) -> Flow[Fetched]:
    expected = Expected(
        key=order.key,
        size=order.size,
        etag=order.etag,
        first=order.offset,
        is_range=True,
        total=order.total,
        algorithm=order.algorithm,
        verify=False,
    )
    sink = StageSink(expected, around.receive, region)
    try:
        reply = yield get_call(around, _item(order.site, order.key, order.version_id, order.total), sink, expected)
    finally:
        sink.let_go()
    checksum = sink.checksum.value if sink.checksum is not None else ""
    return Fetched(order.number, sink.size, checksum, attempts=reply.attempts)


def _fetch_whole(around: Surroundings, order: Fetch, region: memoryview) -> Flow[Fetched]:
    expected = Expected(key=order.key, verify=around.settings.transfer.verify)
    sink = StageSink(expected, around.receive, region)
    item = _item(order.site, order.key, order.version_id, -1)
    try:
        reply = yield get_call(around, item, sink, expected)
    finally:
        sink.let_go()
    verified, checksum = Verified.NOTHING, None
    if around.settings.transfer.verify:
        verified, checksum = yield from prove_whole(around, item, sink, _Region(region))
    facts = sink.facts
    return Fetched(
        number=order.number,
        size=sink.size,
        verified=verified,
        proof=checksum,
        etag=facts.etag,
        version_id=facts.version_id,
        content_type=facts.content_type,
        storage_class=facts.storage_class,
        attempts=reply.attempts,
    )


def _item(site: int, key: str, version_id: str, size: int) -> Item:
    """What the steps of a download want to know of the object."""
    return Item(0, Direction.DOWNLOAD, site, key, size=size, version_id=version_id)


class _Region:
    """A piece of memory in which an object stands, to be read like a file."""

    def __init__(self, region: memoryview) -> None:
        self._region = region

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what stands at `offset`."""
        view[:] = self._region[offset : offset + len(view)]

    def write_at(self, view: memoryview, offset: int) -> None:
        """The bytes stand there already."""


class StageSink(FileSink):
    """As `FileSink`, for bytes that are received where they are to be, with no copy of them in between."""

    def __init__(self, expected: Expected, scratch: memoryview, region: memoryview) -> None:
        """Receive into `region`, and what does not fit there into `scratch`, only to be refused."""
        super().__init__(expected, scratch, lambda _: _Region(region))
        self._key = expected.key
        self._scratch = scratch
        self._region = region

    def _open(self, facts: ObjectFacts) -> Target:
        """A good reply has begun.

        Raises:
            IntegrityError: the object has grown since its size was seen.
        """
        if self._length > len(self._region) or (facts.size > len(self._region) and self._length < 0):
            raise object_changing(self._key)
        return super()._open(facts)

    def buffer(self) -> memoryview:
        """Where the next bytes may be put: behind those that have arrived."""
        self._receive = self._region[self._position :] if self._position < len(self._region) else self._scratch
        return self._receive

    def received(self, count: int) -> None:
        """Checksum what has just arrived.

        Raises:
            SizeMismatch: more than there is room for.
        """
        if self._position + count > len(self._region):
            raise SizeMismatch(f"{self._key}: more bytes arrive than the {len(self._region)} that were to come")
        super().received(count)

    def let_go(self) -> None:
        """No reply comes any more: hold no memory of the stage."""
        self._receive = self._scratch
