"""What a job says about itself: JSON Lines for programs, text for people.

A worker renders the line of an object when the object ends; the supervisor forwards those bytes unread and renders only
what it knows alone: progress, the summary, and failures that belong to no worker. Both use a `Renderer`, made once by
`new_renderer`, so the form is chosen in one place.

S3 names are ``s3://bucket/key``, local names are paths; `visible` says how they are written.
The fields of every event are stated in ``events.schema.json`` beside this file.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple
from typing import Protocol

import msgspec

from orbit_fast.core.console import Snapshot
from orbit_fast.core.errors import Exit
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.visible import Name
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy

Pair = tuple[Name, Name]
"""Source and destination of one object; ``''`` where there is none."""


class SkipReason(enum.StrEnum):
    """Why an object was left as it is."""

    EXISTS = "exists"
    SAME_SIZE = "same-size"
    NOT_NEWER = "not-newer"
    IDENTICAL = "identical"
    GLACIER = "glacier"
    SYMLINK = "symlink"
    SPECIAL = "special"
    VANISHED = "vanished"


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about an object that arrived. Fields at their default are left out of the event.

    Attributes:
        size: bytes.
        etag: of the S3 object, without quotes.
        version_id: of the S3 object that was written or read.
        checksum: what the bytes were proven to have.
        verified: what they were proven against.
        content_type: of the S3 object.
        storage_class: of the S3 object.
        parts: number of parts, 0 for an object moved in one piece.
        attempts: tries of the request that needed most, the first included.
        resumed_bytes: bytes that an earlier job had moved already.
        duration_ms: milliseconds from the first request to the proof, or None.
    """

    size: int
    etag: str = ""
    version_id: str = ""
    checksum: Checksum | None = None
    verified: Verified = Verified.NOTHING
    content_type: str = ""
    storage_class: str = ""
    parts: int = 0
    attempts: int = 1
    resumed_bytes: int = 0
    duration_ms: int | None = None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a finished job.

    Attributes:
        command: the verb: ``cp`` ...
        files_copied: objects done.
        files_skipped: objects left as they are.
        files_failed: objects that failed.
        files_deleted: objects deleted.
        files_found: objects that were looked at, nothing else; told in the statistics only.
        bytes_copied: bytes of the objects done.
        duration_s: seconds.
        retries: requests that had to be sent again.
        unverified: objects done of which only the size could be compared.
        exit_code: of the process.
        interrupted: a signal ended the job.
    """

    command: str
    files_copied: int = 0
    files_skipped: int = 0
    files_failed: int = 0
    files_deleted: int = 0
    files_found: int = 0
    bytes_copied: int = 0
    duration_s: float = 0.0
    retries: int = 0
    unverified: int = 0
    exit_code: int = int(Exit.DONE)
    interrupted: bool = False

    @property
    def throughput_bps(self) -> int:
        """Bytes per second over the whole job."""
        return int(self.bytes_copied / self.duration_s) if self.duration_s > 0 else 0


class Lines(NamedTuple):
    """Whole lines, each with its line feed, for the two streams."""

    out: bytes = b""
    err: bytes = b""


class Renderer(Protocol):
    """Turns facts into lines. Methods that take a `Pair` say which object they speak of."""

    def done(self, pair: Pair, landed: Landed) -> Lines:
        """The object arrived."""

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> Lines:
        """The object was left as it is; `reason` is one of `SkipReason`."""

    def planned(self, pair: Pair, size: int | None = None) -> Lines:
        """Dry run: the object would have been copied."""

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0, *, line: int = 0) -> Lines:
        """The object, or with an empty pair the whole command, failed after `attempts` tries (0: not counted).

        `line` is where ``run`` read the command, counted from 1, or 0.
        """

    def progress(self, snapshot: Snapshot) -> Lines:
        """How far the job is. The caller keeps to one a second."""

    def summary(self, totals: Totals) -> Lines:
        """The end of the job: the last line, and the statistics where they were asked for."""


def new_renderer(settings: JobSettings, *, operation: str, process: int | None = None) -> Renderer:
    """The renderer that `settings.output` asks for.

    Args:
        settings: of the job.
        operation: the verb that events carry: ``cp`` ...
        process: number of the worker that renders, or None in the supervisor.
    """
    if settings.output.json:
        return JsonRenderer(settings, operation=operation, process=process)
    from orbit_fast.core.event_text import TextRenderer  # noqa: PLC0415 - it is made of what stands here

    return TextRenderer(settings, operation=operation)


_FROM_PATH = frozenset({Direction.UPLOAD, Direction.PIPE})


def pair_of(item: Item, buckets: Sequence[str]) -> Pair:
    """The names of an item's two ends.

    Args:
        item: the item.
        buckets: bucket of each site, by the site's number.
    """
    here = f"s3://{buckets[item.site]}/{item.key}"
    if item.direction in _FROM_PATH:
        return item.path, here
    if item.direction is Direction.DOWNLOAD:
        return here, item.path
    return f"s3://{buckets[item.source_site]}/{item.source_key}", here


# --- JSON Lines ------------------------------------------------------------------------------------------------------


class _ChecksumField(msgspec.Struct, frozen=True):
    algorithm: str
    value: str
    type: str


class _ObjectEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    operation: str
    success: bool
    source: str = ""
    source_b64: str = ""
    destination: str = ""
    destination_b64: str = ""
    skipped: bool = False
    dry_run: bool = False
    reason: str = ""
    size: int | None = None
    etag: str = ""
    version_id: str = ""
    checksum: _ChecksumField | None = None
    verified: Verified = Verified.NOTHING
    content_type: str = ""
    storage_class: str = ""
    parts: int = 0
    attempts: int = 0
    resumed_bytes: int = 0
    duration_ms: int | None = None
    process: int | None = None


class _FailureEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    operation: str
    success: bool
    source: str = ""
    source_b64: str = ""
    destination: str = ""
    destination_b64: str = ""
    error: str
    code: str
    status: int = 0
    request_id: str = ""
    retryable: bool
    attempts: int = 0
    script: str = ""
    line: int = 0
    process: int | None = None


class _ProgressEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    operation: str
    bytes_done: int
    bytes_total: int | None = None
    files_done: int
    files_total: int | None = None
    rate_bps: int
    eta_secs: int | None = None


class _SummaryEvent(msgspec.Struct, frozen=True, kw_only=True):
    operation: str
    command: str
    success: bool
    files_copied: int
    files_skipped: int
    files_failed: int
    files_deleted: int
    bytes_copied: int
    duration_secs: float
    throughput_bps: int
    retries: int
    unverified: int
    exit_code: int
    interrupted: bool


_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_DRIVING = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
"""What JSON allows in strings and a terminal obeys, or draws in another order: C1, DEL, directions, line separators."""


def event_line(event: msgspec.Struct | dict[str, object]) -> bytes:
    """The event as a line that means the same everywhere and that a terminal only shows."""
    line: bytes = _encode(event) + b"\n"
    if line.isascii() and b"\x7f" not in line:
        return line
    return _DRIVING.sub(lambda match: b"\\u%04x" % ord(match.group().decode()), line)


def event_lines(events: Sequence[msgspec.Struct]) -> bytes:
    """As `event_line`, for many."""
    lines: bytes = _encode_lines(events)
    if lines.isascii() and b"\x7f" not in lines:
        return lines
    return _DRIVING.sub(lambda match: b"\\u%04x" % ord(match.group().decode()), lines)


class JsonRenderer:
    """JSON Lines: every event is an object on stdout; stderr gets nothing but the statistics."""

    def __init__(self, settings: JobSettings, *, operation: str, process: int | None = None) -> None:
        output = settings.output
        self._operation = operation
        self._process = process
        self._script = lossy(settings.script.file)[0]
        self._is_quiet = output.quiet
        self._shows_identical = output.verbose > 0
        self._shows_progress = output.progress is True
        self._shows_statistics = output.stat
        self._is_human = output.human_readable

    def done(self, pair: Pair, landed: Landed) -> Lines:
        """An event with ``success: true`` and all that is known; none when quiet."""
        if self._is_quiet:
            return Lines()
        source, source_b64 = lossy(pair[0])
        destination, destination_b64 = lossy(pair[1])
        checksum = landed.checksum
        event = _ObjectEvent(
            self._operation,
            True,  # noqa: FBT003  positional on the hot path: 0.4 us less a line
            source,
            source_b64,
            destination,
            destination_b64,
            size=landed.size,
            etag=landed.etag,
            version_id=landed.version_id,
            checksum=_ChecksumField(checksum.algorithm, checksum.value, checksum.kind) if checksum else None,
            verified=landed.verified,
            content_type=landed.content_type,
            storage_class=landed.storage_class,
            parts=landed.parts,
            attempts=landed.attempts,
            resumed_bytes=landed.resumed_bytes,
            duration_ms=landed.duration_ms,
            process=self._process,
        )
        return Lines(event_line(event))

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> Lines:
        """An event with ``skipped: true``; ``identical`` only when verbose."""
        if self._is_quiet or (reason == SkipReason.IDENTICAL and not self._shows_identical):
            return Lines()
        return self._object(pair, size=size, skipped=True, reason=reason)

    def planned(self, pair: Pair, size: int | None = None) -> Lines:
        """An event with ``dry_run: true``."""
        return self._object(pair, size=size, dry_run=True)

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0, *, line: int = 0) -> Lines:
        """An event with ``success: false``; on stdout like any other."""
        source, source_b64 = lossy(pair[0])
        destination, destination_b64 = lossy(pair[1])
        event = _FailureEvent(
            operation=self._operation,
            success=False,
            source=source,
            source_b64=source_b64,
            destination=destination,
            destination_b64=destination_b64,
            error=clean(failure.message),
            code=failure.code,
            status=failure.status,
            request_id=failure.request_id,
            retryable=failure.retryable,
            attempts=attempts,
            script=self._script if line else "",
            line=line,
            process=self._process,
        )
        return Lines(event_line(event))

    def progress(self, snapshot: Snapshot) -> Lines:
        """A progress event where ``--progress`` asked for it."""
        if not self._shows_progress:
            return Lines()
        eta_s = snapshot.eta_s
        event = _ProgressEvent(
            operation="progress",
            bytes_done=snapshot.bytes_done,
            bytes_total=snapshot.bytes_total,
            files_done=snapshot.files_done,
            files_total=snapshot.files_total,
            rate_bps=int(snapshot.rate_bps),
            eta_secs=None if eta_s is None else round(eta_s),
        )
        return Lines(event_line(event))

    def summary(self, totals: Totals) -> Lines:
        """The summary event; the statistics, being text, go to stderr."""
        event = _SummaryEvent(
            operation="summary",
            command=totals.command,
            success=totals.exit_code == Exit.DONE,
            files_copied=totals.files_copied,
            files_skipped=totals.files_skipped,
            files_failed=totals.files_failed,
            files_deleted=totals.files_deleted,
            bytes_copied=totals.bytes_copied,
            duration_secs=round(totals.duration_s, 3),
            throughput_bps=totals.throughput_bps,
            retries=totals.retries,
            unverified=totals.unverified,
            exit_code=totals.exit_code,
            interrupted=totals.interrupted,
        )
        return Lines(event_line(event), self._statistics(totals))

    def _statistics(self, totals: Totals) -> bytes:
        if not self._shows_statistics:
            return b""
        from orbit_fast.core.event_text import statistics  # noqa: PLC0415 - as in new_renderer

        return statistics(totals, is_human=self._is_human)

    def _object(
        self, pair: Pair, *, size: int | None, reason: str = "", skipped: bool = False, dry_run: bool = False
    ) -> Lines:
        source, source_b64 = lossy(pair[0])
        destination, destination_b64 = lossy(pair[1])
        event = _ObjectEvent(
            self._operation,
            success=True,
            source=source,
            source_b64=source_b64,
            destination=destination,
            destination_b64=destination_b64,
            skipped=skipped,
            dry_run=dry_run,
            reason=reason,
            size=size,
            process=self._process,
        )
        return Lines(event_line(event))
