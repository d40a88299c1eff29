"""What is measured, and what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One row of the report.

    Attributes:
        name: short, in JSON and on the command line.
        title: in tables.
        verb: see `clients.Work`.
        size: bytes of each object.
        count: objects.
        base: so many objects are done in a run of their own, and its time taken off: what is left is the price of
            `count - base` objects without start-up. 0: the whole run counts.
        unit: ``object``, ``GiB`` or ``run``: what the figures are for.
        tls: over TLS.
        goal_cpu_s: CPU seconds a unit that orbit must not exceed, or None.
        goal_wall_s: the same of wall time.
        unsigned_goal_cpu_s: the same with ``--unsigned-payload``.
    """

    name: str
    title: str
    verb: str
    size: int = 0
    count: int = 1
    base: int = 0
    unit: str = "object"
    tls: bool = False
    goal_cpu_s: float | None = None
    goal_wall_s: float | None = None
    unsigned_goal_cpu_s: float | None = None

    @property
    def units(self) -> float:
        """How many units the figures are divided by."""
        if self.unit == "GiB":
            return (self.count - self.base) * self.size / GIB
        return 1.0 if self.unit == "run" else float(self.count - self.base)

    @property
    def counts(self) -> tuple[int, ...]:
        """The sizes of the runs."""
        return (self.base, self.count) if self.base else (self.count,)


def _small(size: int, verb: str, scale: int, *, tls: bool, goal_cpu_s: float | None) -> Workload:
    label = f"{size // KIB}k"
    many = 8_000 if size <= 4 * KIB else 4_000
    return Workload(
        name=f"{verb}-{label}{'-tls' if tls else ''}",
        title=f"{'PUT' if verb == 'up' else 'GET'} {size // KIB} KiB files{' over TLS' if tls else ''}",
        verb=verb,
        size=size,
        count=1_000 + many * scale,
        base=1_000,
        tls=tls,
        goal_cpu_s=goal_cpu_s,
    )


def _large(verb: str, *, tls: bool, goal_cpu_s: float, unsigned_goal_cpu_s: float | None = None) -> Workload:
    return Workload(
        name=f"{verb}-64m{'-tls' if tls else ''}",
        title=f"{'upload' if verb == 'up' else 'download'} 16 x 64 MiB{' over TLS' if tls else ''}",
        verb=verb,
        size=64 * MIB,
        count=16,
        base=2,
        unit="GiB",
        tls=tls,
        goal_cpu_s=goal_cpu_s,
        unsigned_goal_cpu_s=unsigned_goal_cpu_s,
    )


def workloads(*, is_quick: bool) -> tuple[Workload, ...]:
    """All of them; the quick ones have fewer objects and are without TLS."""
    scale = 1 if is_quick else 3
    plain = (
        Workload(name="version", title="start-up: --version", verb="version", unit="run", goal_wall_s=0.10),
        Workload(
            name="one", title="start-up: cp of one 4 KiB file", verb="one", size=4 * KIB, unit="run", goal_wall_s=0.3
        ),
        _small(4 * KIB, "up", scale, tls=False, goal_cpu_s=35e-6),
        _small(4 * KIB, "down", scale, tls=False, goal_cpu_s=45e-6),
        _small(64 * KIB, "up", scale, tls=False, goal_cpu_s=None),
        _small(64 * KIB, "down", scale, tls=False, goal_cpu_s=None),
        _large("up", tls=False, goal_cpu_s=0.85, unsigned_goal_cpu_s=0.30),
        _large("down", tls=False, goal_cpu_s=0.42),
    )
    encrypted = (
        _small(4 * KIB, "up", scale, tls=True, goal_cpu_s=60e-6),
        _small(4 * KIB, "down", scale, tls=True, goal_cpu_s=60e-6),
        _large("up", tls=True, goal_cpu_s=0.65),
        _large("down", tls=True, goal_cpu_s=0.68),
    )
    return plain if is_quick else plain + encrypted
