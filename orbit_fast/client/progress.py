"""Progress: events of transfers, and who hears of them.

Every call that transfers takes ``progress=``: a `ProgressReporter`, a `ProgressAggregator`, or any function that takes
a `ProgressEvent`. Bytes are told part by part (`S3Config.chunk_size`), when they have landed.

A reporter never makes a transfer wait. What its receiver has not taken yet is kept, `CAPACITY` events at most: beyond
that, the oldest that a later one makes superfluous is dropped (`Progress`, then `ChunkCompleted`), and in the end the
oldest.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from typing import Self

from orbit_fast.core.settings import MIB
from orbit_fast.io.clock import Clock

CAPACITY = 1024
"""Events that a receiver may be behind: an hour of one transfer at a part in three seconds, and some 200 KiB."""


class TransferDirection(enum.StrEnum):
    """Which way bytes go. A copy inside the service counts as an upload: an object appears."""

    UPLOAD = "Upload"
    DOWNLOAD = "Download"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """Something happened; the classes below say what. They stand here too, as ``ProgressEvent.Progress`` and so on.

    Attributes:
        operation_id: names one call; the same in all its events.
    """

    TransferStarted: ClassVar[type[TransferStarted]]
    Progress: ClassVar[type[Progress]]
    ChunkCompleted: ClassVar[type[ChunkCompleted]]
    TransferCompleted: ClassVar[type[TransferCompleted]]
    TransferFailed: ClassVar[type[TransferFailed]]
    BatchProgress: ClassVar[type[BatchProgress]]

    operation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferStarted(ProgressEvent):
    """A transfer begins.

    Attributes:
        key: of the object.
        total_bytes: how much there is to move; -1 where it is not known yet (a stream).
        direction: which way.
    """

    key: str
    total_bytes: int
    direction: TransferDirection


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(ProgressEvent):
    """Bytes have landed.

    Attributes:
        bytes_transferred: so far.
        total_bytes: as `TransferStarted.total_bytes`.
        percentage: 0 to 100; 0 where the total is not known.
        rate_bps: bytes per second since the transfer began.
        eta_secs: seconds left at that rate, or None where that cannot be said.
    """

    bytes_transferred: int
    total_bytes: int
    percentage: float
    rate_bps: float
    eta_secs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCompleted(ProgressEvent):
    """A part has landed; `chunk_number` counts from 1."""

    chunk_number: int
    chunk_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCompleted(ProgressEvent):
    """A transfer is done and proven.

    Attributes:
        total_bytes: of the object.
        duration: of the transfer.
        stats: average and peak.
    """

    total_bytes: int
    duration: timedelta
    stats: TransferStats


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed(ProgressEvent):
    """A transfer has failed, or was cancelled: `error` in one line, and how much had landed."""

    error: str
    bytes_transferred: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress(ProgressEvent):
    """Items of a batch are done: `completed` of `total`, so many well and so many not."""

    completed: int
    total: int
    succeeded: int
    failed: int


ProgressEvent.TransferStarted = TransferStarted
ProgressEvent.Progress = Progress
ProgressEvent.ChunkCompleted = ChunkCompleted
ProgressEvent.TransferCompleted = TransferCompleted
ProgressEvent.TransferFailed = TransferFailed
ProgressEvent.BatchProgress = BatchProgress

Listener = Callable[[ProgressEvent], None]
"""Called on the loop's thread, in the middle of the transfer; what it raises ends the transfer."""


class ProgressReceiver:
    """The end of a reporter at which events come out: ``async for event in receiver``, or `recv`.

    Attributes:
        dropped: events that were dropped because nobody took them in time.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._events: deque[ProgressEvent] = deque()
        self._is_closed = False
        self._waiting: asyncio.Future[None] | None = None

    async def recv(self) -> ProgressEvent | None:
        """The next event; None when the reporter is closed and there is no more."""
        while not self._events and not self._is_closed:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self.try_recv()

    def try_recv(self) -> ProgressEvent | None:
        """The next event, or None when there is none now."""
        return self._events.popleft() if self._events else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ProgressEvent:
        event = await self.recv()
        if event is None:
            raise StopAsyncIteration
        return event

    def put(self, event: ProgressEvent) -> None:
        """What the reporter does with an event."""
        if len(self._events) >= CAPACITY:
            self._drop_one()
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """There will be no more."""
        self._is_closed = True
        self._wake()

    def _drop_one(self) -> None:
        self.dropped += 1
        for kind in (Progress, ChunkCompleted, ProgressEvent):
            for number, event in enumerate(self._events):
                if isinstance(event, kind):
                    del self._events[number]
                    return

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __repr__(self) -> str:
        return f"<ProgressReceiver {len(self._events)} waiting, {self.dropped} dropped>"


class ProgressReporter:
    """Sends events to its receiver; ``reporter, receiver = ProgressReporter.new()``.

    Attributes:
        receiver: where they come out.
    """

    def __init__(self) -> None:
        self.receiver = ProgressReceiver()

    @classmethod
    def new(cls) -> tuple[ProgressReporter, ProgressReceiver]:
        """A reporter and its receiver."""
        reporter = cls()
        return reporter, reporter.receiver

    def report(self, event: ProgressEvent) -> None:
        """Send an event."""
        self.receiver.put(event)

    __call__ = report

    def close(self) -> None:
        """Nothing more will be reported: the receiver's iteration ends."""
        self.receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProgressAggregator:
    """Passes every event on to all its reporters."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    async def add_reporter(self, reporter: Listener) -> None:
        """Tell this one too."""
        self._listeners.append(reporter)

    def __call__(self, event: ProgressEvent) -> None:
        """Pass `event` on; what makes this a listener."""
        for listener in self._listeners:
            listener(event)

    async def report(self, event: ProgressEvent) -> None:
        """Pass `event` on."""
        self(event)


class ThroughputTracker:
    """How fast something goes, by what it is told. Rates named ``mbps`` are MiB per second."""

    def __init__(self, *, smoothing_window: timedelta = timedelta(seconds=1), clock: Clock | None = None) -> None:
        """Start counting now; `clock` is the system's."""
        self._clock = clock or Clock()
        self._window_s = smoothing_window.total_seconds()
        self._started_s = self._clock.monotonic_s()
        self._bytes = 0
        self._samples: deque[tuple[float, int]] = deque([(self._started_s, 0)])
        self._peak_bps = 0.0

    def note(self, total: int) -> None:
        """`total` bytes have been transferred so far."""
        now_s = self._clock.monotonic_s()
        self._bytes = total
        self._samples.append((now_s, total))
        # The sample before the window stays: the rate is over at least the window.
        while len(self._samples) > 2 and self._samples[1][0] <= now_s - self._window_s:
            self._samples.popleft()
        first_s, first = self._samples[0]
        if now_s - first_s >= self._window_s:
            self._peak_bps = max(self._peak_bps, (total - first) / (now_s - first_s))

    async def update(self, total: int) -> None:
        """`total` bytes have been transferred so far (all together, not since the last time)."""
        self.note(total)

    @property
    def elapsed(self) -> timedelta:
        """Since the start."""
        return timedelta(seconds=self._clock.monotonic_s() - self._started_s)

    def average_bps(self) -> float:
        """Bytes per second since the start."""
        elapsed_s = self._clock.monotonic_s() - self._started_s
        return self._bytes / elapsed_s if elapsed_s > 0 else 0.0

    def peak_bps(self) -> float:
        """The highest rate over one smoothing window; what took less than that has the average only."""
        return max(self._peak_bps, self.average_bps())

    async def throughput_bps(self) -> float:
        """Bytes per second since the start."""
        return self.average_bps()

    async def throughput_mbps(self) -> float:
        """MiB per second since the start."""
        return self.average_bps() / MIB

    async def instantaneous_throughput_bps(self) -> float:
        """Bytes per second over the smoothing window."""
        first_s, first = self._samples[0]
        elapsed_s = self._clock.monotonic_s() - first_s
        return (self._bytes - first) / elapsed_s if elapsed_s > 0 else 0.0

    async def eta(self, total: int) -> timedelta | None:
        """How long it takes until `total` bytes, at the rate since the start; None where nothing has moved."""
        rate_bps = self.average_bps()
        return timedelta(seconds=max(0, total - self._bytes) / rate_bps) if rate_bps > 0 else None

    async def reset(self) -> None:
        """Start anew."""
        self._started_s = self._clock.monotonic_s()
        self._bytes = 0
        self._samples = deque([(self._started_s, 0)])
        self._peak_bps = 0.0


@dataclass(frozen=True, slots=True)
class TransferStats:
    """What a transfer came to.

    Attributes:
        total_bytes: moved.
        duration: how long that took.
        peak_throughput_bps: bytes per second in the fastest second; where that is not known, the average.
        chunks: parts, or None for one request.
        retries: requests that had to be sent again.
    """

    total_bytes: int
    duration: timedelta
    peak_throughput_bps: float = 0.0
    chunks: int | None = None
    retries: int = 0

    def __post_init__(self) -> None:
        if self.peak_throughput_bps < self.avg_throughput_bps:
            object.__setattr__(self, "peak_throughput_bps", self.avg_throughput_bps)

    @property
    def avg_throughput_bps(self) -> float:
        """Bytes per second."""
        seconds = self.duration.total_seconds()
        return self.total_bytes / seconds if seconds > 0 else 0.0

    def avg_throughput_mbps(self) -> float:
        """MiB per second."""
        return self.avg_throughput_bps / MIB

    def peak_throughput_mbps(self) -> float:
        """MiB per second."""
        return self.peak_throughput_bps / MIB
