"""Small objects on the express lane, from the moment their request is sent: see `lane`.

Each judges its own reply: the whole, plain, good one ends it; anything else is the general flow's.
"""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Callable
from typing import Any
from typing import Final
from typing import Protocol

from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import new_sum
from orbit_fast.core.decode_facts import last_modified_ns
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Landed
from orbit_fast.core.http1 import find_head_end
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Site
from orbit_fast.core.plain_replies import OF_GET
from orbit_fast.core.plain_replies import OF_PUT
from orbit_fast.core.plain_replies import PlainReplies
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import format_amz_date
from orbit_fast.core.skeleton import Skeleton
from orbit_fast.io import download
from orbit_fast.io import upload
from orbit_fast.io.client import Client
from orbit_fast.io.client import Handle
from orbit_fast.io.client import Route
from orbit_fast.io.exchange import Exchange
from orbit_fast.io.express import ExpressConnection
from orbit_fast.io.express import Look
from orbit_fast.io.flow import FIRST_BYTE_S
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.run import Run
from orbit_fast.io.transfer import PUT_FIRST_BYTE_S
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings

_WHOLE: Final = Look.WHOLE
_PART: Final = Look.PART
_OTHER: Final = Look.OTHER


class Owner(Protocol):
    """Whose objects they are."""

    def landed(self, item: Item, landed: Landed) -> None:
        """All is well."""

    def taken_over(self, item: Item) -> Callable[[Ending | S3Error], None]:
        """The general flow has the item; what its end is to be told to."""


class Face:
    """How requests to one site look within one second.

    Attributes:
        route: the way there.
        signer: who signs.
        site: as it was; a route whose site or signer is another one now has another face.
        second: Unix time.
        offset_s: of the clock.
        puts: skeletons of uploads with their content types, by the suffixes of key and path.
        types: the same skeletons by content type.
        get: the skeleton of a conditional GET, once there has been one.
    """

    __slots__ = ("date", "get", "offset_s", "puts", "route", "second", "signer", "signs_payload", "site", "types")

    def __init__(self, route: Route, signer: Signer, second: int, offset_s: float) -> None:
        self.route = route
        self.signer = signer
        self.site: Site = route.site
        self.second = second
        self.offset_s = offset_s
        self.signs_payload = route.signs_payload
        self.date = format_amz_date(second)
        self.puts: dict[tuple[str, bytes], tuple[Skeleton, str]] = {}
        self.types: dict[str, Skeleton] = {}
        self.get: Skeleton | None = None


class Shared:
    """What all parcels of a process share.

    Attributes:
        around: of their flows.
        client: whose connections they use.
        owner: whose objects they are.
        algorithm: of the checksums that uploads carry.
        puts: what replies to uploads look like.
        gets: what replies to downloads look like.
    """

    __slots__ = ("algorithm", "around", "client", "gets", "owner", "puts")

    def __init__(self, around: Surroundings, client: Client, owner: Owner) -> None:
        self.around = around
        self.client = client
        self.owner = owner
        self.algorithm = around.settings.transfer.checksum_algorithm
        self.puts = PlainReplies(OF_PUT)
        self.gets = PlainReplies(OF_GET)


class Sent(abc.ABC):
    """One object on the lane, as `express.Parcel` wants it; and the handle of its run."""

    __slots__ = ("connection", "face", "failure", "held", "item", "payload", "run", "shared", "started_s")

    first_byte_s = FIRST_BYTE_S

    def __init__(self, shared: Shared, item: Item, face: Face, payload: bytes) -> None:
        self.shared = shared
        self.item = item
        self.face = face
        self.connection: ExpressConnection
        self.payload = payload
        self.held = b""
        self.failure: S3Error | None = None
        self.run: Handle | None = None
        self.started_s = 0.0

    @property
    def call(self) -> Sent:
        """To the connection's clock it is its own call."""
        return self

    def cancel(self) -> None:
        """End it early, as the run's own `cancel`."""
        if self.run is None:
            self.connection.take_over()
        if self.run is not None:
            self.run.cancel()

    def take_over(self) -> Exchange | None:
        """Begin the general flow, in the belief that its first call was sent."""
        shared = self.shared
        run = TakenOver(shared.client, self.flow(), shared.owner.taken_over(self.item), self)
        self.run = run
        shared.client.adopt(run)
        return run.take_up()

    @abc.abstractmethod
    def look(self, data: bytearray, size: int) -> Look:
        """Judge what has come."""

    @abc.abstractmethod
    def done(self) -> None:
        """Say what has landed."""

    @abc.abstractmethod
    def flow(self) -> Flow[Ending]:
        """What would have run."""

    @abc.abstractmethod
    def is_asked_by(self, call: Call) -> bool:
        """Whether what was sent is what this call asks."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.item.key[:80]!a}>"


class Upload(Sent):
    """An upload."""

    __slots__ = ("content_type", "etag", "size", "sum", "version_id")

    first_byte_s = PUT_FIRST_BYTE_S

    sum: str
    size: int
    content_type: str
    etag: bytes
    version_id: bytes

    def look(self, data: bytearray, size: int) -> Look:
        """Status 200, no body, an ETag, our checksum."""
        replies = self.shared.puts
        found = replies.match(data, size)
        if found is None:
            found = _learnt(replies, data, size)
            if found is None:
                return _OTHER
        end, algorithm, (value, length, self.etag, self.version_id) = found
        if end == size and length == b"0" and algorithm == self.shared.algorithm and value == self.sum.encode():
            return _WHOLE
        return _OTHER

    def done(self) -> None:
        """Say what has landed."""
        shared = self.shared
        shared.client.counters.in_flight -= 1
        self.face.route.breaker.record_answer()
        landed = Landed(
            size=self.size,
            etag=self.etag[1:-1].decode("ascii"),
            version_id=self.version_id.decode("ascii"),
            checksum=Checksum(shared.algorithm, self.sum),
            verified=Verified.CHECKSUM,
            content_type=self.content_type,
            storage_class=shared.around.settings.object.storage_class,
            duration_ms=shared.around.elapsed_ms(self.started_s),
        )
        shared.owner.landed(self.item, landed)

    def flow(self) -> Flow[Ending]:
        """What would have run."""
        return upload.upload(self.shared.around, self.item)

    def is_asked_by(self, call: Call) -> bool:
        """Whether what was sent is what this call asks."""
        request = call.request
        headers = self.shared.around.object_headers(self.item.key, self.item.path)
        headers += ((f"x-amz-checksum-{self.shared.algorithm.lower()}", self.sum),)
        return (
            request.operation == "PutObject"
            and call.body is None
            and request.headers == headers
            and len(request.body) == self.size
            and self.payload.endswith(request.body)
        )


class Download(Sent):
    """A download."""

    __slots__ = ("checksum", "content_type", "verified", "version_id")

    checksum: Checksum | None
    content_type: bytes
    verified: Verified
    version_id: bytes

    def look(self, data: bytearray, size: int) -> Look:
        """Status 200, the ETag and the size that were listed, the proof; then the file is made."""
        if self.held:
            data = bytearray(self.held + data[:size])
            size = len(data)
        replies = self.shared.gets
        found = replies.match(data, size)
        if found is None:
            found = _learnt(replies, data, size)
            if found is None:
                return _OTHER
        item = self.item
        end, algorithm, values = found
        value, length, tag, modified, self.content_type, self.version_id, encryption, kind = values
        missing = end + item.size - size
        is_other = int(length) != item.size or tag[1:-1] != item.etag.encode("ascii")
        if is_other or missing < 0 or end + item.size > MAX_HEAD_BYTES:
            return _OTHER
        if missing:
            self.held = bytes(data[:size])
            return _PART
        with memoryview(data) as view, view[end:size] as body:
            is_good = self._is_proven(body, algorithm, value, kind, encryption) and self._land(body, modified)
        return _WHOLE if is_good else _OTHER

    def _land(self, body: memoryview, modified: bytes) -> bool:
        item = self.item
        try:
            self.shared.around.landings.land(
                item.path,
                root=item.root,
                number=item.number,
                data=body,
                mtime_ns=last_modified_ns(modified.decode("ascii")),
            )
        except (OSError, S3Error):
            return False  # the flow will meet the same, and say it
        return True

    def _is_proven(self, body: memoryview, algorithm: str, value: bytes, kind: bytes, encryption: bytes) -> bool:
        """Whether the bytes have the checksum that the head states, or the MD5 that its ETag is."""
        if algorithm:
            text = value.decode("ascii")
            self.checksum = Checksum(algorithm, text)
            self.verified = Verified.CHECKSUM
            return kind in {b"", b"FULL_OBJECT"} and new_sum(algorithm)(body) == text
        self.checksum = None
        self.verified = Verified.ETAG
        tag = self.item.etag
        if self.face.site.is_directory:
            return False
        return etag.is_md5(tag, encryption.decode("ascii")) and (
            hashlib.md5(body, usedforsecurity=False).hexdigest() == tag
        )

    def done(self) -> None:
        """Say what has landed."""
        shared, item = self.shared, self.item
        shared.client.counters.in_flight -= 1
        self.face.route.breaker.record_answer()
        landed = Landed(
            size=item.size,
            etag=item.etag,
            version_id=self.version_id.decode("ascii"),
            checksum=self.checksum,
            verified=self.verified,
            content_type=self.content_type.decode("ascii"),
            storage_class=item.storage_class,
            duration_ms=shared.around.elapsed_ms(self.started_s),
        )
        shared.owner.landed(item, landed)

    def flow(self) -> Flow[Ending]:
        """What would have run."""
        return download.download(self.shared.around, self.item)

    def is_asked_by(self, call: Call) -> bool:
        """Whether what was sent is what this call asks."""
        request = encode.get_object(
            self.item.key,
            if_match=self.item.etag,
            headers=encode.sse_c_headers(self.shared.around.settings.object),
        )
        return call.request == request and call.body is None


class TakenOver(Run[Any]):
    """A run whose first try was made on the lane."""

    __slots__ = ("_first", "_parcel")

    def __init__(
        self, client: Client, flow: Flow[Ending], on_done: Callable[[Ending | S3Error], None], parcel: Sent
    ) -> None:
        super().__init__(client, flow, on_done)
        self._parcel: Sent | None = parcel
        self._first: Exchange | None = None

    def take_up(self) -> Exchange | None:
        """Run the flow up to its first call; the try that was made of it, where that asks for what was sent.

        Where it asks for something else the run makes its own first try, and what the lane sent is forgotten. Nothing
        of it is kept here either way: the run would keep itself, and a megabyte with it, until cycles are looked for.
        """
        self.begin()
        first = self._first
        self._first = self._parcel = None
        return first

    def _send(self) -> None:
        parcel, self._parcel = self._parcel, None
        call = self._call
        if parcel is None or call is None or not parcel.is_asked_by(call):
            super()._send()
            return
        self._timer = None
        self._attempt += 1
        self._started_s = parcel.started_s
        face = parcel.face
        self._site, self._signer, self._offset_s = face.site, face.signer, face.offset_s
        self._first = self._exchange = Exchange(call, parcel.payload, self._ended)
        self._first.is_of_directory = face.site.is_directory
        self._first.was_sent = True


def _learnt(replies: PlainReplies, data: bytearray, size: int) -> Any:
    """What `replies` make of a head that they did not know, once they have seen it."""
    end = find_head_end(data, 0, size)
    if end < 0 or not replies.learn(bytes(data[:end])):
        return None
    return replies.match(data, size)
