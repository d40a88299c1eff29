"""Every record that crosses a process, and its encoding.

Orders go from the supervisor to a worker, events from a worker to the supervisor. All are frozen structs, encoded as
MessagePack arrays by msgspec, which checks every type again when it decodes: a frame that does not decode is a broken
worker, never a wrong action. Local paths are bytes (they need not be UTF-8); keys are text.

Paths of a transfer through these messages:

* small object: one `Item` in a `Transfer` order, done by one worker alone, answered by one `Outcome` in a `Report`.
* large object: `Begin` → `Begun`; for each part `MovePart` (any worker) → `PartMoved`; `Finish` → `Outcome` in a
  `Report`. Given up or interrupted: `Abandon` → `Abandoned`.
* listing: `ListPage` → `Page`, page by page at the supervisor's pace. One named key: `Stat` → `Found`.
* bytes for stdout: `Open` → `Opened`; for each range `Fetch` → `Fetched`; in one stream, `Pour` beside them.
* any other command's work: `RunTask` → `Said` as often as there is something to say → `TaskEnded`.

Anything that goes wrong with an order is answered by a `Failed`, or, for a whole item, by an `Outcome` whose `failure`
is set.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.fetching import StageAnswer
from orbit_fast.core.fetching import StageAsk
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Entry
from orbit_fast.core.model import Site
from orbit_fast.core.notes import NeedCredentials
from orbit_fast.core.notes import Noted
from orbit_fast.core.notes import RegionFound
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import Tallied
from orbit_fast.core.tasks import Task


class Direction(enum.IntEnum):
    """Which way an item's bytes go."""

    UPLOAD = 1
    DOWNLOAD = 2
    COPY = 3
    RELAY = 4
    """From one service to another, through this machine."""
    PIPE = 5
    """From stdin, through the stage (`core.stream`), to an object."""


class Status(enum.IntEnum):
    """How an item ended."""

    DONE = 1
    SKIPPED = 2
    FAILED = 3
    PLANNED = 4
    """Dry run: it would have been done."""


class Verified(enum.StrEnum):
    """What the bytes were proven against."""

    CHECKSUM = "checksum"
    ETAG = "etag"
    SIZE = "size"
    NOTHING = ""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One object ↔ one file.

    Attributes:
        number: the ledger's number for it, unique in the job.
        direction: which way.
        site: the S3 side (of a copy: the destination).
        key: S3 key there.
        path: local file, absolute or relative to the working directory; ``b''`` for a copy.
        root: the destination directory that a download must stay inside; ``b''`` where the user named the file itself.
        size: bytes of the source when it was listed.
        mtime_ns: the source's modification time when it was listed.
        etag: the source object's ETag when it was listed (no quotes), or ``''``.
        version_id, storage_class: of the source object, or ``''``.
        source_site, source_key: of a copy.
        variant: number of the settings that it is done with: 0 are the job's, others came in a `Vary`.
        line: where ``run`` read the command that it belongs to, counted from 1; else 0.
    """

    number: int
    direction: Direction
    site: int
    key: str
    path: bytes = b""
    root: bytes = b""
    size: int = 0
    mtime_ns: int = 0
    etag: str = ""
    version_id: str = ""
    storage_class: str = ""
    source_site: int = 0
    source_key: str = ""
    variant: int = 0
    line: int = 0


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """An `S3Error` on its way between processes. `attempts` is 0 where no request was made."""

    message: str
    code: str
    status: int = 0
    request_id: str = ""
    retryable: bool = False
    exit_code: int = int(Exit.SOME_FAILED)
    scope: int = int(Scope.OBJECT)
    attempts: int = 0

    @classmethod
    def of(cls, error: BaseException, detail: str = "") -> Failure:
        """The record of any exception, with `detail` behind its message; one that is not orbit's own is our mistake."""
        if not isinstance(error, S3Error):
            error = Internal(f"{type(error).__name__}: {error}")
        return cls(
            message=" ".join(error.told(detail).split()),
            code=error.code,
            status=error.status,
            request_id=error.request_id,
            retryable=error.is_retryable(),
            exit_code=int(error.exit_code),
            scope=int(error.scope),
            attempts=error.attempts,
        )


class Begun(msgspec.Struct, frozen=True, array_like=True, tag=101):
    """A shared transfer exists: its upload id or temporary file, and the version that all parts are pinned to.

    Attributes:
        item: number of the item.
        token: upload id; ``''`` for a download.
        temp: a download's temporary file, beside its destination; ``b''`` for others.
        etag: the version of the source (object ETag), or ``''``.
        fingerprint: of a local source: device, inode, size, mtime_ns, ctime_ns.
        checksum: what a download must have when it is whole, or None where the service does not say.
        metadata: the source object's user metadata.
        mtime_ns: what a download's file is given.
        algorithm: checksum algorithm of the parts.
        encryption: how the source object is encrypted (`ObjectFacts.encryption`).
        content_type: of the object.
        version_id: the source version that all parts read.
        started_s: when it began, monotonic seconds of this host.
        attempts: tries it took to begin.
        size: bytes of the source object as it was found now, or -1 where it is what was listed.
        part_size: of an earlier job's, bytes of its parts; else 0.
        landed: of an earlier job's, the parts that are at their place.
        resumed_bytes: their bytes.
        since_ns: of what may have begun without anybody having heard of it: when, Unix time; else 0.
    """

    item: int
    token: str = ""
    temp: bytes = b""
    etag: str = ""
    fingerprint: tuple[int, ...] = ()
    checksum: Checksum | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    mtime_ns: int = 0
    algorithm: str = "CRC32C"
    encryption: str = ""
    content_type: str = ""
    version_id: str = ""
    started_s: float = 0.0
    attempts: int = 1
    size: int = -1
    part_size: int = 0
    landed: tuple[PartFact, ...] = ()
    resumed_bytes: int = 0
    since_ns: int = 0


class PartFact(msgspec.Struct, frozen=True, array_like=True):
    """A landed part.

    Attributes:
        number: 1-based.
        offset: where it starts in the object.
        size: bytes.
        etag: as the service gave it (upload, copy), or ``''``.
        checksum: base64 of this part's checksum (the transfer's algorithm), or ``''``.
        is_proven: the service showed that it has these bytes, by their checksum or MD5.
        attempts: tries it took.
        source_checksum: of a relay: the same bytes' checksum in the algorithm of the source's own, or ``''``.
    """

    number: int
    offset: int
    size: int
    etag: str = ""
    checksum: str = ""
    is_proven: bool = False
    attempts: int = 1
    source_checksum: str = ""


# --- orders: supervisor → worker ------------------------------------------------------------------------------------


class Setup(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What a worker is told first: the job, the sites and who signs. May come again when a site or identity changes.

    Attributes:
        settings: of the job.
        sites: every S3 side.
        identities: credentials, by the number that sites name.
        concurrency: whole items that this worker may run at once.
        environment: variables that endpoint rules depend on; no secret is among them.
        run: 16 hexadecimal digits, the job's own: temporary files are called after it, in every worker.
        clients: how sites are reached, by the number of their identity.
    """

    settings: JobSettings
    sites: tuple[Site, ...]
    identities: tuple[Credentials, ...]
    concurrency: int
    environment: tuple[tuple[str, str], ...] = ()
    run: str = ""
    clients: tuple[ClientSettings, ...] = ()


class Vary(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """Settings that some items and tasks of the job are done with; they name them by this number. None: no more."""

    number: int
    settings: JobSettings | None


class Transfer(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Whole items, each done by this worker alone."""

    items: tuple[Item, ...]


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Open a shared transfer: create the multipart upload, or the temporary file.

    With `earlier`, take up what an earlier job, or a worker that died, had begun: answered by a `Begun`, or by an
    `Abandoned` where there is nothing to go on from (any more).
    """

    item: Item
    earlier: Begun | None = None


class MovePart(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Move one byte range of a shared transfer; `at` is where its bytes stand, where that is the stage."""

    item: Item
    begun: Begun
    number: int
    offset: int
    size: int
    at: int = 0


class Finish(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """Every part has landed: verify the whole and publish it."""

    item: Item
    begun: Begun
    parts: tuple[PartFact, ...]


class Abandon(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """Abort the multipart upload, or remove the temporary file."""

    item: Item
    begun: Begun


class Drop(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Give up the parts of this shared transfer that are in flight here; each is answered by a `Failed`."""

    item: int


class DropItems(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """Give up the tasks and the whole items that have not started here, or those that run too; each is answered."""

    running: bool = False


class ListPage(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """One page of a listing.

    Attributes:
        number: the order's number; the answer carries it.
        site: which bucket.
        prefix: keys that start with it.
        token: continuation token of the page before (ListObjectsV2), or its last key (ListObjects), or ``''``.
        delimiter: ``/`` or ``''``.
        last_key: the page before ended with it: keys must come after it.
        max_keys: entries on the page, at most.
        start_after: keys must come after it; on the first page of a range of keys.
        variant: number of the settings, as `Item.variant`.
    """

    number: int
    site: int
    prefix: str
    token: str = ""
    delimiter: str = ""
    last_key: str = ""
    max_keys: int = 1000
    start_after: str = ""
    variant: int = 0


class Stat(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """Head one key. `variant` is the number of the settings, as `Item.variant`."""

    number: int
    site: int
    key: str
    version_id: str = ""
    variant: int = 0


class RunTask(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """Do the work of a command that moves no items.

    Attributes:
        number: the order's number; what is said and the end carry it.
        task: what to do.
        variant: number of the settings that it is done with, as `Item.variant`.
        line: as `Item.line`.
    """

    number: int
    task: Task
    variant: int = 0
    line: int = 0


class Stop(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """End. With `abort`, give up what is in flight (temporary files go); else finish it first."""

    abort: bool = False


# --- events: worker → supervisor ------------------------------------------------------------------------------------


class Ready(msgspec.Struct, frozen=True, array_like=True, tag=51):
    """The worker's loop runs and can take orders."""

    pid: int


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """How one item ended.

    Attributes:
        item: its number.
        status: how.
        size: bytes of the object.
        verified: what it was proven against.
        reason: why it was skipped.
        failure: why it failed.
    """

    item: int
    status: Status
    size: int = 0
    verified: Verified = Verified.NOTHING
    reason: str = ""
    failure: Failure | None = None


class Report(msgspec.Struct, frozen=True, array_like=True, tag=52):
    """Items that ended, and the finished lines that say so.

    Attributes:
        outcomes: one for each item.
        lines: for stdout, whole lines, already in the output's form (JSON Lines or text).
        errors: for stderr, whole lines (text form only).
        rows: for the manifest of what arrived, whole lines.
    """

    outcomes: tuple[Outcome, ...]
    lines: bytes = b""
    errors: bytes = b""
    rows: bytes = b""


class PartMoved(msgspec.Struct, frozen=True, array_like=True, tag=53):
    """A part has landed."""

    item: int
    part: PartFact


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=54):
    """An order of a shared transfer, a page or a stat failed (after its retries).

    Attributes:
        kind: which order: ``begin``, ``part``, ``finish``, ``page``, ``stat``, ``open``, ``fetch``, ``pour``.
        number: the item's number (begin, part, finish) or the order's (all others).
        failure: why.
        part: the part's number, for ``part``.
    """

    kind: str
    number: int
    failure: Failure
    part: int = 0


class Abandoned(msgspec.Struct, frozen=True, array_like=True, tag=55):
    """The multipart upload is aborted, the temporary file is gone; `failure` when that could not be done."""

    item: int
    failure: Failure | None = None


class Page(msgspec.Struct, frozen=True, array_like=True, tag=56):
    """One page of a listing. `next_token` is ``''`` on the last; `is_sorted`: keys come in order, over all pages."""

    number: int
    entries: tuple[Entry, ...]
    prefixes: tuple[str, ...] = ()
    next_token: str = ""
    is_sorted: bool = True


class Found(msgspec.Struct, frozen=True, array_like=True, tag=57):
    """The object that a `Stat` asked for, with the state of its restore where it is archived."""

    number: int
    entry: Entry
    restore: str = ""


class Said(msgspec.Struct, frozen=True, array_like=True, tag=61):
    """Finished lines of a task, for stdout and stderr, and how many objects it has dealt with so far."""

    number: int
    lines: bytes = b""
    errors: bytes = b""
    done: int = 0


class TaskEnded(msgspec.Struct, frozen=True, array_like=True, tag=62):
    """A task has ended: what it has come to, and why it could not go on where it could not."""

    number: int
    tallied: Tallied
    failure: Failure | None = None


Ask = ListPage | Stat | RunTask | StageAsk
"""An order that is answered by what was asked for."""
Answer = Page | Found | TaskEnded | StageAnswer | Failed

Order = Setup | Vary | Transfer | Begin | MovePart | Finish | Abandon | Drop | DropItems | Ask | Stop
Event = Ready | Report | Begun | PartMoved | Abandoned | Answer | Said | NeedCredentials | RegionFound | Noted

_encoder = msgspec.msgpack.Encoder()
_order_decoder: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_event_decoder: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Event)


def encode(message: Any) -> bytes:
    """One message as bytes, without framing."""
    return _encoder.encode(message)


def decode_order(data: bytes | memoryview) -> Order:
    """The order in `data`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is not one.
    """
    return _order_decoder.decode(data)


def decode_event(data: bytes | memoryview) -> Event:
    """The event in `data`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is not one.
    """
    return _event_decoder.decode(data)
