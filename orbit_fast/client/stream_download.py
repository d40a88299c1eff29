"""The bytes of one object, fetched in ranges of one version beside each other: given out in order, or all at once.

The first request tells what there is to do, and mostly it is all there is: a whole object, or a range, of up to one
part. What is larger is asked for in parts that are pinned to that version. A whole object is proven against what the
service stores before its last bytes are given out; a part of one cannot be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from collections.abc import Awaitable
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Place
from orbit_fast.client.session import Running
from orbit_fast.client.stream_proof import StreamProof
from orbit_fast.client.stream_proof import proof_of
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import object_changing
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.model import ObjectFacts
from orbit_fast.io import memory
from orbit_fast.io.listing import named
from orbit_fast.io.transfer import require_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of an object is wanted.

    Attributes:
        key: of the object.
        offset: of the first byte.
        length: bytes, at most; None is all that follow.
        version_id: or ``''`` for the current one.
        known: what is known of the object: then this very version must answer.
    """

    key: str
    offset: int = 0
    length: int | None = None
    version_id: str = ""
    known: ObjectFacts | None = None

    @property
    def is_whole(self) -> bool:
        """All of it is."""
        return self.offset == 0 and self.length is None

    def within(self, size: int) -> int:
        """How many bytes that is of an object of `size`.

        Raises:
            InvalidRange: the object ends before it.
        """
        if self.offset > size:
            raise InvalidRange(f"{self.key} has {size} bytes: there is none at {self.offset}")
        rest = size - self.offset
        return rest if self.length is None else min(rest, self.length)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left to do after the first request: `size` bytes of one version."""

    place: Place
    item: Item
    proof: StreamProof
    size: int


class StreamDownload:
    """One download. It knows nothing of whoever takes its bytes."""

    def __init__(self, find_place: Callable[[], Awaitable[Place]], wanted: Wanted) -> None:
        self._find_place = find_place
        self._wanted = wanted

    async def chunks(self, meter: Meter) -> AsyncGenerator[bytes, None]:
        """The bytes, in order."""
        with meter:
            found = await self._begin(meter)
            if isinstance(found, bytes):
                if found:
                    yield found
                return
            async with aclosing(self._ranges(found, meter)) as ranges:
                async for data in ranges:
                    yield data
            meter.completed()

    async def collect(self, meter: Meter) -> bytes:
        """All of them: received where they stay."""
        with meter:
            found = await self._begin(meter)
            if isinstance(found, bytes):
                return found
            target = memory.MemoryTarget(0, found.size)
            with target.view() as into:
                async with aclosing(self._ranges(found, meter, into)) as ranges:
                    async for _ in ranges:
                        pass
            meter.completed()
            return target.take()

    async def _begin(self, meter: Meter) -> bytes | _Rest:
        """All bytes, where one request brings them; else what there is to do."""
        place = await self._find_place()
        wanted = self._wanted
        item = replace(place.item(Direction.DOWNLOAD, wanted.key), version_id=wanted.version_id)
        facts = wanted.known
        if facts is None:
            fetched = await self._first(place, item)
            data, facts = (None, None) if fetched is None else (fetched.data, fetched.facts)
            if data is not None:
                meter.started(len(data))
                meter.landed(0, len(data))
                meter.completed()
                return data
            if facts is None or facts.size < 0 or facts.checksum is None:
                # Some services tell an object's checksum only to those who ask for nothing else.
                reply = await place.session.do(named(place.around, item.site, item.key, item.version_id))
                facts = reply.decoded
                assert isinstance(facts, ObjectFacts)
        item = replace(item, size=facts.size, etag=facts.etag)
        proof = await proof_of(place, item, facts) if wanted.is_whole else StreamProof()
        size = wanted.within(facts.size)
        meter.started(size)
        if size:
            return _Rest(place, item, proof, size)
        meter.completed()
        return b""

    async def _first(self, place: Place, item: Item) -> memory.Fetched | None:
        """The first request, where it may be all there is to do; None where none was of use."""
        wanted, limit = self._wanted, place.around.settings.transfer.part_size
        if wanted.is_whole:
            return await place.session.do(memory.fetch(place.around, item, limit=limit))
        if wanted.length is None or not 0 < wanted.length <= limit:
            return None
        try:
            flow = memory.fetch_range(place.around, item, offset=wanted.offset, size=wanted.length)
            return await place.session.do(flow)
        except InvalidRange:
            return None  # a range that begins where the object ends is none: see how long it is

    async def _ranges(self, rest: _Rest, meter: Meter, into: memoryview | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes part by part; where they are received `into` the caller's memory, nothing as often."""
        place, item, proof, first = rest.place, rest.item, rest.proof, self._wanted.offset
        transfer = place.around.settings.transfer
        layout = plan_parts(rest.size, transfer.part_size, min_part=1)
        at_once = max(1, min(transfer.concurrency, transfer.max_memory // layout.part_size - 1))
        begun = Begun(item=item.number, etag=item.etag, version_id=item.version_id, algorithm=proof.algorithm)
        pending: deque[Running[memory.Fetched]] = deque()
        left = layout.parts()
        try:
            for number in range(1, layout.count + 1):
                while len(pending) < at_once and (part := next(left, None)) is not None:
                    order = MovePart(item, begun, part[0], first + part[1], part[2])
                    region = into[part[1] : part[1] + part[2]] if into is not None else None
                    pending.append(place.session.start(memory.fetch_part(place.around, order, region)))
                fetched = await pending[0].wait()
                pending.popleft()
                landed = fetched.part
                assert landed is not None
                at = landed.offset - first
                data = (fetched.data or b"") if into is None else b""
                del fetched  # whoever takes the bytes is the only one who holds them
                proof.take(data if into is None else into[at : at + landed.size], landed)
                meter.landed(number, landed.size)
                if number == layout.count and self._wanted.is_whole:
                    require_proof(place.around, item, proof.check())
                yield data
        except PreconditionFailed as error:
            raise object_changing(self._wanted.key) from error
        finally:
            for running in pending:
                await running.end()
