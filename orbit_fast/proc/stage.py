"""How much memory a stream passes through, and how many workers share it.

Both are small on purpose: what goes through one file descriptor of one process is not made faster by a worker for every
CPU, and people pipe on machines that do something else at the same time.
"""

from __future__ import annotations

from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.stream import FIRST_PART
from orbit_fast.proc.job import worker_count

MOST_WORKERS = 2
"""Where nobody says how many: two receive or send more than one process can read or write."""

BESIDE = 2
"""Ranges in memory beside those in flight: one that is being read or written, and one that is next."""

_SCRIPT_RANGES = 8
"""Ranges in memory, where objects for stdout are not all that is done."""

_WORKER_BYTES = MIB
"""What each worker receives into."""


def stage_workers(settings: JobSettings) -> int:
    """Worker processes: as many as were asked for, else a few; no more than parts are in flight."""
    workers = worker_count(settings)
    if not settings.transfer.processes:
        workers = min(workers, MOST_WORKERS)
    return max(1, min(workers, settings.transfer.concurrency))


def parts_memory(settings: JobSettings, workers: int) -> int:
    """The most bytes that the parts of a stream may take: at least two of the smallest."""
    return max(2 * MIN_PART_BYTES, settings.transfer.max_memory - workers * _WORKER_BYTES)


def ranges_memory(settings: JobSettings, workers: int) -> tuple[int, int]:
    """Bytes of the stage that ranges for stdout pass through, and of one range."""
    count = settings.transfer.concurrency + BESIDE
    most = max(2 * MIB, settings.transfer.max_memory - workers * _WORKER_BYTES)
    size = max(MIB, min(FIRST_PART, most // count // MIB * MIB))
    return min(most, count * size), size


def script_memory(settings: JobSettings) -> tuple[int, int]:
    """As `ranges_memory`, in a script: a quarter of its memory, since other lines move objects at the same time."""
    most = max(2 * MIB, min(_SCRIPT_RANGES * FIRST_PART, settings.transfer.max_memory // 4) // MIB * MIB)
    return most, max(MIB, min(FIRST_PART, most // _SCRIPT_RANGES // MIB * MIB))
