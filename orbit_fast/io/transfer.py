"""What every transfer flow shares: the settings it runs under, the memory it may use, and how it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Protocol

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Site
from orbit_fast.core.plan import decide
from orbit_fast.core.plan import is_archived
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.files import Landings
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.ladder import Ladder
from orbit_fast.io.mime import content_type
from orbit_fast.io.pouring import Pouring

COMMIT_FIRST_BYTE_S = 900.0
"""CompleteMultipartUpload and CopyObject may be silent for minutes while the service assembles the object."""

PUT_FIRST_BYTE_S = 60.0

_UNEXPLAINED = frozenset({400, 403})
"""What a HEAD may be answered for many reasons: expired token, wrong signature, unknown key, no permission."""


class Lease(Protocol):
    """The right to use one slot."""

    @property
    def view(self) -> memoryview:
        """The slot's memory."""

    def release(self) -> None:
        """Give it back; the view may not be used any more."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the transfer of one item ended, when it did not fail.

    Attributes:
        status: done, skipped or planned (dry run).
        landed: what is known about the object; of a skipped or planned one only the size.
        reason: why it was skipped, one of `SkipReason`.
    """

    status: Status
    landed: Landed
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What a worker (or a library client) gives to its flows.

    Attributes:
        settings: of the job.
        sites: S3 sides by number.
        receive: memory that every download of this process receives into, one chunk at a time.
        stage: memory of the supervisor's that bytes from stdin and to stdout pass through.
        lease: hands out a slot to read a source into, or None when all are in use.
        monotonic_s: the clock.
        landings: makes the files that downloads land in.
        ladder: what services turned out not to know.
        unanswered: how often each site, asked for nothing but an object's checksum, did not tell one.
        pours: objects that are sent in one stream to several flows, by the number of their order.
    """

    settings: JobSettings
    sites: Mapping[int, Site]
    receive: memoryview
    lease: Callable[[], Lease | None]
    monotonic_s: Callable[[], float]
    landings: Landings
    stage: memoryview = field(default_factory=lambda: memoryview(b""))
    ladder: Ladder = field(default_factory=Ladder)
    unanswered: dict[int, int] = field(default_factory=dict)
    pours: dict[int, Pouring] = field(default_factory=dict)
    _headers: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @property
    def is_durable(self) -> bool:
        """Whether a download is done only when it would survive a power cut; before a source is deleted, it must."""
        return self.settings.transfer.durable or self.is_moving

    @property
    def is_moving(self) -> bool:
        """Whether sources are deleted once they have been copied."""
        return self.settings.operation == "mv"

    @property
    def is_restoring(self) -> bool:
        """Whether a copy is to be again what its source was: of the same storage class."""
        return self.settings.operation == "versions"

    def signs_payload(self, site: int) -> bool:
        """Whether request bodies to this site are hashed into the signature."""
        target = self.sites[site]
        return target.sign_payload and not target.endpoint.is_tls

    def content_type_of(self, name: str, path: bytes = b"") -> str:
        """The content type to store for an object of this name, or else of its file's; ``''`` says nothing about it."""
        wanted = self.settings.object.content_type
        if wanted or not self.settings.object.guess_mime_type:
            return wanted
        return content_type(name) or (content_type(os.fsdecode(path)) if path else "")

    def object_headers(self, name: str, path: bytes = b"") -> tuple[tuple[str, str], ...]:
        """The headers that describe a new object of this name, or of the file that it is made from."""
        content_type = self.content_type_of(name, path)
        headers = self._headers.get(content_type)
        if headers is None:
            headers = encode.object_headers(self.settings.object, content_type=content_type)
            self._headers[content_type] = headers
        return headers

    @contextlib.contextmanager
    def leased(self) -> Iterator[memoryview]:
        """A slot's memory for the length of a ``with``. Its owner starts a flow only when there is one."""
        lease = self.lease()
        if lease is None:
            raise Internal("no slot is free: more transfers were started than there is memory for")
        try:
            yield lease.view
        finally:
            lease.release()

    def elapsed_ms(self, started_s: float) -> int:
        """Whole milliseconds since `started_s`."""
        return round((self.monotonic_s() - started_s) * 1000)

    @staticmethod
    def proof(key: str, sent: Checksum, replied: Checksum | None) -> Verified | None:
        """What an upload's reply proves: that the service computed the checksum we sent, or None (nothing yet)."""
        if replied is not None and (replied.algorithm, replied.kind) == (sent.algorithm, sent.kind):
            if replied.value == sent.value:
                return Verified.CHECKSUM
            raise ChecksumMismatch(key, sent.value, replied.value, code="E_REMOTE_MISMATCH")
        return None


def head(
    around: Surroundings, site: int, key: str, version_id: str = "", *, may_lag: bool = False
) -> Flow[ObjectFacts]:
    """HeadObject with checksums; `may_lag` where the object was written a moment ago.

    Raises:
        S3Error: NotFound where there is no such object.
    """
    reply = yield from head_reply(around, site, key, version_id, may_lag=may_lag)
    facts: ObjectFacts = reply.decoded
    return facts


def head_reply(
    around: Surroundings, site: int, key: str, version_id: str = "", *, may_lag: bool = False
) -> Flow[Reply]:
    """As `head`: the whole reply, of which the facts are what was decoded.

    The answer to a HEAD has no body: why it is refused, only another request can tell (`explain`).

    Raises:
        S3Error: NotFound where there is no such object.
    """
    request = encode.head_object(
        key,
        version_id=version_id,
        checksum_mode=True,
        headers=encode.sse_c_headers(around.settings.object),
    )
    try:
        return (yield Call(request=request, site=site, check=decode.head_object, may_lag=may_lag))
    except S3Error as error:
        if error.status not in _UNEXPLAINED:
            raise
        yield from explain(around, site, key, version_id, error)
        return (yield Call(request=request, site=site, check=decode.head_object, may_lag=may_lag))


def explain(around: Surroundings, site: int, key: str, version_id: str, error: S3Error) -> Flow[None]:
    """Find out why a HEAD failed, with a GET of one byte: its answer may have a body.

    Returns where that GET succeeds, as it does with credentials that were renewed on its account.

    Raises:
        S3Error: the reason; `error` itself where the GET fails in another way and so explains nothing.
    """
    headers = encode.sse_c_headers(around.settings.object)
    request = encode.get_object(key, version_id=version_id, byte_range=(0, 0), checksum_mode=False, headers=headers)
    try:
        yield Call(request=request, site=site)
    except S3Error as reason:
        if reason.status == error.status:
            raise reason from None
        raise error from None


def find(around: Surroundings, site: int, key: str, version_id: str = "") -> Flow[ObjectFacts | None]:
    """As `head`, with None for an object that is not there."""
    try:
        return (yield from head(around, site, key, version_id))
    except NotFound:
        return None


def require_proof(around: Surroundings, item: Item, verified: Verified) -> None:
    """Nothing but the size could be compared: with ``--require-verify`` that is a failure.

    Raises:
        Unverifiable: it is.
    """
    if around.settings.transfer.require_verify and verified in {Verified.SIZE, Verified.NOTHING}:
        raise Unverifiable(f"{item.key}: the service offers nothing to compare its bytes with")


def skip_archived(around: Surroundings, item: Item) -> Flow[Ending | None]:
    """The ending of an object that must be restored before it can be read; None where there is nothing to skip.

    Costs a HEAD where the object is of an archive's storage class, and nothing elsewhere.
    """
    selection = around.settings.selection
    if not item.storage_class or selection.force_glacier_transfer or not is_archived(item.storage_class):
        return None
    is_download = item.direction is Direction.DOWNLOAD
    site, key = (item.site, item.key) if is_download else (item.source_site, item.source_key)
    facts = yield from head(around, site, key, item.version_id)
    if not is_archived(facts.storage_class, facts.restore):
        return None
    return Ending(Status.SKIPPED, Landed(size=item.size), SkipReason.GLACIER)


def end_early(around: Surroundings, item: Item) -> Flow[Ending | None]:
    """The ending of an item that needs no transfer: a condition on its S3 destination forbids it, or this is a dry run.

    Costs a HEAD where a condition is set, and nothing elsewhere.
    """
    archived = yield from skip_archived(around, item)
    if archived is not None:
        return archived
    selection = around.settings.selection
    if selection.no_clobber or selection.if_size_differ or selection.if_source_newer:
        facts = yield from find(around, item.site, item.key)
        existing = None if facts is None else (facts.size, facts.mtime_ns)
        reason = decide((item.size, item.mtime_ns), existing, selection)
        if reason:
            return Ending(Status.SKIPPED, Landed(size=item.size), reason)
    if around.settings.output.dry_run:
        return Ending(Status.PLANNED, Landed(size=item.size))
    return None
