"""The meter of one transfer: turns what lands into progress events, and tells nobody where nobody listens."""

from __future__ import annotations

import asyncio
import uuid
from types import TracebackType
from typing import Self

from orbit_fast.client.progress import ChunkCompleted
from orbit_fast.client.progress import Listener
from orbit_fast.client.progress import Progress
from orbit_fast.client.progress import ThroughputTracker
from orbit_fast.client.progress import TransferCompleted
from orbit_fast.client.progress import TransferDirection
from orbit_fast.client.progress import TransferFailed
from orbit_fast.client.progress import TransferStarted
from orbit_fast.client.progress import TransferStats


class Meter:
    """As a context manager around the transfer: failures are told at its end."""

    def __init__(self, listener: Listener | None, key: str, direction: TransferDirection) -> None:
        self._listener = listener
        self._id = uuid.uuid4().hex if listener is not None else ""
        self._key = key
        self._direction = direction
        self._tracker = ThroughputTracker() if listener is not None else None
        self._total = -1
        self._bytes = 0
        self._chunks = 0
        self._is_ended = False

    def started(self, total: int) -> None:
        """There are `total` bytes to move (-1: not known). A transfer that begins anew says so again."""
        self._total = total
        self._bytes = 0
        self._chunks = 0
        if self._listener is not None:
            self._listener(
                TransferStarted(operation_id=self._id, key=self._key, total_bytes=total, direction=self._direction)
            )

    def landed(self, number: int, size: int) -> None:
        """Part `number` is at its place; 0 where there is only one."""
        if self._listener is None or self._tracker is None:
            return
        self._bytes += size
        self._tracker.note(self._bytes)
        if number:
            self._chunks += 1
            self._listener(ChunkCompleted(operation_id=self._id, chunk_number=number, chunk_bytes=size))
        rate_bps = self._tracker.average_bps()
        is_known = self._total >= 0
        left = max(0, self._total - self._bytes)
        self._listener(
            Progress(
                operation_id=self._id,
                bytes_transferred=self._bytes,
                total_bytes=self._total,
                percentage=100.0 * self._bytes / self._total if self._total > 0 else 100.0 * (self._total == 0),
                rate_bps=rate_bps,
                eta_secs=round(left / rate_bps) if is_known and rate_bps > 0 else None,
            )
        )

    def completed(self, *, retries: int = 0) -> None:
        """All is done and proven."""
        self._is_ended = True
        if self._listener is not None and self._tracker is not None:
            duration = self._tracker.elapsed
            stats = TransferStats(self._bytes, duration, self._tracker.peak_bps(), self._chunks or None, retries)
            self._listener(
                TransferCompleted(operation_id=self._id, total_bytes=self._bytes, duration=duration, stats=stats)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self._listener is None or self._is_ended:
            return
        is_given_up = isinstance(error, asyncio.CancelledError | GeneratorExit)
        text = "cancelled" if is_given_up else " ".join(str(error).split()) or type(error).__name__
        self._listener(TransferFailed(operation_id=self._id, error=text, bytes_transferred=self._bytes))
