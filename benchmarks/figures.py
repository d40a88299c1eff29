"""From runs to figures: medians, spread, and what is left when start-up is taken off."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Run
from benchmarks.session import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of one quantity, over the rounds.

    Attributes:
        median: the figure.
        low: the least.
        high: the most.
    """

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One client on one workload, each for one unit of it.

    Attributes:
        cpu_s: CPU seconds of all processes.
        user_s: the part outside the kernel.
        wall_s: seconds.
        whole_cpu_s: CPU seconds of the full run, start-up included; the median.
        peak_rss_bytes: of the largest process.
        pss_bytes: of all processes together, 0 where it was not sampled.
        processes: at one moment.
        requests: of the full run.
        connections: opened in the full run.
        in_flight: connections open at one moment.
        rounds: runs behind the medians.
    """

    cpu_s: Spread
    user_s: Spread
    wall_s: Spread
    whole_cpu_s: float
    peak_rss_bytes: int
    pss_bytes: int
    processes: int
    requests: int
    connections: int
    in_flight: int
    rounds: int


def spread(values: Sequence[float]) -> Spread:
    """Median and range."""
    return Spread(median=statistics.median(values), low=min(values), high=max(values))


def figures(series: Series) -> Figures | None:
    """What the runs say, or None where there are none."""
    workload = series.workload
    full = series.runs.get(workload.full, [])
    base = series.runs.get(workload.least, []) if workload.least else []
    if not full or len(base) < (len(full) if workload.least else 0):
        return None

    def of(quantity: Callable[[Run], float]) -> Spread:
        """Differences within a round, so that both runs met the same machine."""
        taken_off = [quantity(run) for run in base] or [0.0] * len(full)
        values = [(quantity(run) - less) / workload.units for run, less in zip(full, taken_off, strict=True)]
        return spread(values)

    return Figures(
        cpu_s=of(lambda run: run.cpu_s),
        user_s=of(lambda run: run.user_s),
        wall_s=of(lambda run: run.wall_s),
        whole_cpu_s=statistics.median([run.cpu_s for run in full]),
        peak_rss_bytes=max(run.largest_rss_bytes for run in full),
        pss_bytes=series.memory.pss_bytes if series.memory else 0,
        processes=series.memory.processes if series.memory else 0,
        requests=series.seen.get("requests", 0),
        connections=series.seen.get("connections", 0),
        in_flight=series.seen.get("peak", 0),
        rounds=len(full),
    )


def goal_of(series: Series) -> tuple[str, float] | None:
    """What orbit must not exceed here: which quantity, and how much of it a unit."""
    workload = series.workload
    if series.client.name == "orbit unsigned":
        goal = workload.unsigned_goal_cpu_s or workload.goal_cpu_s
        return ("cpu", goal) if goal is not None else None
    if series.client.name != "orbit":
        return None
    if workload.goal_cpu_s is not None:
        return "cpu", workload.goal_cpu_s
    return ("wall", workload.goal_wall_s) if workload.goal_wall_s is not None else None


def is_met(found: Figures, goal: tuple[str, float]) -> bool:
    """Whether the median keeps to it."""
    kind, limit = goal
    return (found.cpu_s if kind == "cpu" else found.wall_s).median <= limit


def shown_time(seconds: float, unit: str) -> str:
    """A time in the unit that suits its workload."""
    if unit in {"object", "key", "line"}:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds:.3f} s"
