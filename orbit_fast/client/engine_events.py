"""What a job of an engine tells: the events of ``--json``, as records.

Names are ``s3://bucket/key`` or local paths; a path that is not UTF-8 has lone surrogates, as `os.fsdecode` gives them,
and so can be opened. Sizes are bytes, rates bytes per second.
"""

from __future__ import annotations

import base64
import os

import msgspec

from orbit_fast.core.decode_errors import error_told
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import S3Error
from orbit_fast.core.model import Checksum


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened in a job; the classes below say what."""


class ObjectEvent(EngineEvent, frozen=True, kw_only=True):
    """Something happened to one object.

    Attributes:
        operation: what is done to it: ``cp``, ``mv`` or ``rm``.
        source: what is copied, or deleted.
        destination: where to, or ``''``.
        process: number of the worker, or None.
    """

    operation: str
    source: str = ""
    destination: str = ""
    process: int | None = None


class ObjectDone(ObjectEvent, frozen=True, kw_only=True):
    """An object arrived, and was proven.

    Attributes:
        size: bytes.
        etag: of the object in S3, without quotes.
        version_id: of the object in S3, or ``''``.
        checksum: what its bytes were proven to have, or None.
        verified: what they were proven against: ``checksum``, ``etag``, ``size``, or ``''``.
        content_type: of the object in S3, or ``''``.
        storage_class: of the object in S3, or ``''``.
        parts: how many it was moved in; 0 is one request.
        attempts: tries of the request that needed most.
        resumed_bytes: that an earlier job had moved.
        duration_ms: from the first request to the proof, or None.
    """

    size: int = 0
    etag: str = ""
    version_id: str = ""
    checksum: Checksum | None = None
    verified: str = ""
    content_type: str = ""
    storage_class: str = ""
    parts: int = 0
    attempts: int = 1
    resumed_bytes: int = 0
    duration_ms: int | None = None


class ObjectDeleted(ObjectEvent, frozen=True, kw_only=True):
    """An object, a version or a file was deleted; `version_id` is the version that was, or ``''``."""

    version_id: str = ""


class ObjectSkipped(ObjectEvent, frozen=True, kw_only=True):
    """An object was left as it is.

    Attributes:
        reason: ``exists``, ``same-size``, ``not-newer``, ``identical``, ``glacier``, ``symlink``, ``special`` or
            ``vanished``.
        size: bytes, or None.
    """

    reason: str
    size: int | None = None


class ObjectPlanned(ObjectEvent, frozen=True, kw_only=True):
    """A dry run: this would have been done; `size` in bytes, or None."""

    size: int | None = None


class ObjectFailed(ObjectEvent, frozen=True, kw_only=True):
    """An object failed, or, where there is neither source nor destination, the job.

    Attributes:
        error: why, as the exception that a client would raise.
        retryable: whether the same, tried again, can succeed.
        attempts: tries that were made; 0 is unknown.
    """

    error: S3Error
    retryable: bool = False
    attempts: int = 0


class EngineProgress(EngineEvent, frozen=True, kw_only=True):
    """How far a job is; at most one a second. Totals and `eta_secs` are None as long as they are not known."""

    bytes_done: int
    bytes_total: int | None = None
    files_done: int
    files_total: int | None = None
    rate_bps: int
    eta_secs: int | None = None


class EngineSummary(EngineEvent, frozen=True, kw_only=True):
    """The end of a job, as the command's last line tells it."""

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


class EngineReport(EngineSummary, frozen=True, kw_only=True):
    """What a job has come to.

    Attributes:
        command: ``cp``, ``mv``, ``sync`` or ``rm``.
        success: everything that was asked is done and proven.
        files_copied: objects done (in a dry run: that would have been).
        files_skipped: left as they are.
        files_failed: that failed.
        files_deleted: deleted.
        bytes_copied: of the objects done.
        duration_secs: of the job.
        throughput_bps: over the whole job.
        retries: requests that were sent again.
        unverified: objects done of which only the size could be compared.
        exit_code: the command's: 0, 1 (some failed), 2 (not possible), 3 (damaged), 129, 130 or 143 (interrupted).
        interrupted: a signal ended it.
        failures: the first thousand objects that failed, and why.
    """

    failures: tuple[ObjectFailed, ...] = ()

    def raise_for_failures(self) -> None:
        """Raise the first object's error, if any failed.

        Raises:
            S3Error: of the object.
        """
        if self.failures:
            raise self.failures[0].error
        if self.exit_code:
            raise S3Error(f"{self.command} ended with exit status {self.exit_code}", code="E_SOME_FAILED")


class _ChecksumField(msgspec.Struct, frozen=True):
    algorithm: str
    value: str
    type: str


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Any object event, as it is written."""

    operation: str
    success: bool = True
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
    verified: str = ""
    content_type: str = ""
    storage_class: str = ""
    parts: int = 0
    attempts: int = 0
    resumed_bytes: int = 0
    duration_ms: int | None = None
    process: int | None = None
    error: str = ""
    code: str = ""
    status: int = 0
    request_id: str = ""
    retryable: bool = False


_decode_object = msgspec.json.Decoder(_Wire).decode
_decode_progress = msgspec.json.Decoder(EngineProgress).decode
_decode_summary = msgspec.json.Decoder(EngineSummary).decode
_PROGRESS = b'{"operation":"progress",'
_SUMMARY = b'{"operation":"summary",'


def read_event(line: bytes) -> EngineEvent:
    """The event that one line is.

    Raises:
        BadReply: it is none.
    """
    try:
        if line.startswith(_PROGRESS):
            return _decode_progress(line)
        if line.startswith(_SUMMARY):
            return _decode_summary(line)
        return _object_event(_decode_object(line))
    except (msgspec.DecodeError, ValueError) as error:
        raise BadReply(f"the engine's process said what is no event: {error}") from None


def _object_event(wire: _Wire) -> ObjectEvent:
    source = _exact(wire.source, wire.source_b64)
    destination = _exact(wire.destination, wire.destination_b64)
    operation, process = wire.operation, wire.process
    if not wire.success:
        return ObjectFailed(
            operation=operation,
            source=source,
            destination=destination,
            process=process,
            error=error_told(wire.error, wire.code, status=wire.status, request_id=wire.request_id, place=source),
            retryable=wire.retryable,
            attempts=wire.attempts,
        )
    if wire.dry_run:
        return ObjectPlanned(
            operation=operation, source=source, destination=destination, process=process, size=wire.size
        )
    if wire.skipped:
        return ObjectSkipped(
            operation=operation,
            source=source,
            destination=destination,
            process=process,
            reason=wire.reason,
            size=wire.size,
        )
    if not destination:
        return ObjectDeleted(operation=operation, source=source, process=process, version_id=wire.version_id)
    checksum = wire.checksum
    return ObjectDone(
        operation=operation,
        source=source,
        destination=destination,
        process=process,
        size=wire.size or 0,
        etag=wire.etag,
        version_id=wire.version_id,
        checksum=Checksum(checksum.algorithm, checksum.value, checksum.type) if checksum else None,
        verified=wire.verified,
        content_type=wire.content_type,
        storage_class=wire.storage_class,
        parts=wire.parts,
        attempts=wire.attempts,
        resumed_bytes=wire.resumed_bytes,
        duration_ms=wire.duration_ms,
    )


def _exact(lossy: str, encoded: str) -> str:
    return os.fsdecode(base64.b64decode(encoded, validate=True)) if encoded else lossy
