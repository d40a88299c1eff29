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
from orbit_fast.core.units import format_duration
from orbit_fast.core.units import format_rate
from orbit_fast.core.units import format_size
from orbit_fast.core.visible import Name
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable

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


_WISHED = frozenset({SkipReason.EXISTS, SkipReason.SAME_SIZE, SkipReason.NOT_NEWER, SkipReason.IDENTICAL})
"""Skips that the user asked for: no line of text unless ``-v``. The others leave something undone and are warned of."""


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

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0) -> Lines:
        """The object, or with an empty pair the whole command, failed after `attempts` tries (0: not counted)."""

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
    return TextRenderer(settings, operation=operation)


def pair_of(item: Item, buckets: Sequence[str]) -> Pair:
    """The names of an item's two ends.

    Args:
        item: the item.
        buckets: bucket of each site, by the site's number.
    """
    here = f"s3://{buckets[item.site]}/{item.key}"
    if item.direction is Direction.UPLOAD:
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
_DRIVING = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
"""What JSON allows in strings and a terminal obeys, or draws in another order: C1, DEL, directions, line separators."""


def _line(event: msgspec.Struct) -> bytes:
    """The event as a line that means the same everywhere and that a terminal only shows."""
    line: bytes = _encode(event) + b"\n"
    if line.isascii() and b"\x7f" not in line:
        return line
    return _DRIVING.sub(lambda match: b"\\u%04x" % ord(match.group().decode()), line)


class JsonRenderer:
    """JSON Lines: every event is an object on stdout; stderr gets nothing but the statistics."""

    def __init__(self, settings: JobSettings, *, operation: str, process: int | None = None) -> None:
        output = settings.output
        self._operation = operation
        self._process = process
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
        return Lines(_line(event))

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> Lines:
        """An event with ``skipped: true``; ``identical`` only when verbose."""
        if self._is_quiet or (reason == SkipReason.IDENTICAL and not self._shows_identical):
            return Lines()
        return self._object(pair, size=size, skipped=True, reason=reason)

    def planned(self, pair: Pair, size: int | None = None) -> Lines:
        """An event with ``dry_run: true``."""
        return self._object(pair, size=size, dry_run=True)

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0) -> Lines:
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
            process=self._process,
        )
        return Lines(_line(event))

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
        return Lines(_line(event))

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
        return Lines(
            _line(event),
            statistics(totals, is_human=self._is_human) if self._shows_statistics else b"",
        )

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
        return Lines(_line(event))


# --- text ----------------------------------------------------------------------------------------------------------


class TextRenderer:
    """Text: what was done on stdout, what went wrong on stderr."""

    def __init__(self, settings: JobSettings, *, operation: str) -> None:
        output = settings.output
        self._operation = operation
        self._is_quiet = output.quiet
        self._is_verbose = output.verbose > 0
        self._shows_statistics = output.stat
        self._is_human = output.human_readable
        self._ignores_glacier = settings.selection.ignore_glacier_warnings

    def done(self, pair: Pair, landed: Landed) -> Lines:  # noqa: ARG002  the protocol's arguments
        """``cp SRC DST``."""
        if self._is_quiet:
            return Lines()
        source, destination = pair
        try:  # nearly all names: 0.5 us less a line
            line = (
                f"{self._operation} {source if isinstance(source, str) else source.decode('ascii')} "
                f"{destination if isinstance(destination, str) else destination.decode('ascii')}"
            )
            if line.isprintable():
                return Lines(f"{line}\n".encode("ascii"))
        except UnicodeError:
            pass
        return Lines(f"{self._operation} {printable(source)} {printable(destination)}\n".encode())

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> Lines:  # noqa: ARG002  as above
        """``WARNING …`` where something is left undone; ``skip …`` where the user wished it and is verbose."""
        what = self._what(pair)
        is_wished = reason in _WISHED or (reason == SkipReason.GLACIER and self._ignores_glacier)
        if not is_wished:
            return Lines(err=f'WARNING "{what}": skipped: {reason}\n'.encode())
        if self._is_verbose and not self._is_quiet:
            return Lines(f"skip {what}: {reason}\n".encode())
        return Lines()

    def planned(self, pair: Pair, size: int | None = None) -> Lines:  # noqa: ARG002  as above
        """``(dry run) cp SRC DST``."""
        return Lines(f"(dry run) {self._what(pair)}\n".encode())

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0) -> Lines:  # noqa: ARG002  as above
        """``ERROR "cp SRC DST": Code: message``."""
        message = printable(clean(failure.message))
        if not message.startswith(f"{failure.code}:"):
            message = f"{failure.code}: {message}"
        return Lines(err=f'ERROR "{self._what(pair)}": {message}\n'.encode())

    def progress(self, snapshot: Snapshot) -> Lines:  # noqa: ARG002  as above
        """Nothing: people see the display."""
        return Lines()

    def summary(self, totals: Totals) -> Lines:
        """The statistics where they were asked for, and what an interrupted job had finished."""
        out = statistics(totals, is_human=self._is_human) if self._shows_statistics else b""
        if not totals.interrupted:
            return Lines(out)
        finished = f"{totals.files_copied} copied, {totals.files_skipped} skipped, {totals.files_failed} failed"
        return Lines(out, f'ERROR "{totals.command}": interrupted: {finished}\n'.encode())

    def _what(self, pair: Pair) -> str:
        return " ".join([self._operation, *(printable(name) for name in pair if name)])


_OPERATIONS = {"cp": "Copy"}


def statistics(totals: Totals, *, is_human: bool) -> bytes:
    """The block of ``--stat``, sizes in bytes or, for people, in IEC units."""
    total = totals.files_copied + totals.files_skipped + totals.files_failed + totals.files_deleted
    rows = [
        ("Operation", _OPERATIONS.get(totals.command, totals.command.capitalize())),
        ("Total files", str(total)),
        ("Succeeded", str(totals.files_copied + totals.files_deleted)),
        ("Skipped", str(totals.files_skipped) if totals.files_skipped else ""),
        ("Failed", str(totals.files_failed)),
        ("Total size", format_size(totals.bytes_copied, is_human)),
        ("Elapsed", format_duration(totals.duration_s)),
        ("Throughput", format_rate(totals.throughput_bps, is_human)),
    ]
    lines = ["  Execution Statistics", *(f"  - {name}: {value}" for name, value in rows if value)]
    return ("\n".join(lines) + "\n").encode()
