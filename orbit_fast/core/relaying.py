"""Copies between services, or between owners of credentials: when bytes must pass through here, and in what parts."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.errors import TooLarge
from orbit_fast.core.layout import Layout
from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_size

WORKER_BYTES = 8 * MIB
"""A worker needs so much to hold the smallest part that S3 takes, beside what it receives into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """How a job relays.

    Attributes:
        part_size: bytes of a part.
        largest: bytes of the largest part that one worker can hold.
        same: numbers of the source sites that are the destination's bucket, reached with other credentials.
    """

    part_size: int
    largest: int
    same: frozenset[int] = frozenset()

    def check(self, size: int, layout: Layout | None) -> None:
        """Whether an object of `size` bytes, in these parts, passes through memory.

        Raises:
            TooLarge: its parts are larger than what a worker may hold.
        """
        needed = size if layout is None else layout.part_size
        if needed > self.largest:
            raise TooLarge(
                f"a part of {format_size(needed, human=True)} passes through memory as a whole, and a worker has "
                f"{format_size(self.largest, human=True)}: give more --max-memory or fewer --processes"
            )


def is_relayed(settings: JobSettings) -> bool:
    """Whether the service that is written to cannot read the source by itself: another endpoint, other credentials."""
    return _reach(settings.source) != _reach(settings.dest)


def is_same_endpoint(settings: JobSettings) -> bool:
    """Whether a bucket of one name is one bucket on both sides."""
    return settings.source.endpoint_url.rstrip("/") == settings.dest.endpoint_url.rstrip("/")


def relay_workers(settings: JobSettings) -> int:
    """The most workers of which each has the memory that it needs."""
    return max(1, settings.transfer.max_memory // WORKER_BYTES)


def plan_relay(settings: JobSettings, processes: int, same: frozenset[int]) -> Relay:
    """How a job in so many processes relays: in parts of which each worker holds two where it can."""
    transfer = settings.transfer
    largest = max(MIN_PART_BYTES, (transfer.max_memory // MIB // processes - 1) * MIB)
    return Relay(
        part_size=max(MIN_PART_BYTES, min(transfer.part_size, largest // 2)),
        largest=largest,
        same=same,
    )


def _reach(side: ClientSettings) -> tuple[object, ...]:
    return (side.endpoint_url.rstrip("/"), side.profile, side.credentials_file, side.no_sign_request)
