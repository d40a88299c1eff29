"""What is measured, and what is wanted of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

LOAD = "load"
FAR = "far"
RCLONE = "rclone"
LINKS = {"link-1g": 1_000_000_000, "link-5g": 5_000_000_000}
"""Servers behind a link, and its bits per second."""


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
        base_size: the same of one object: the size of the smaller one.
        unit: ``object``, ``key``, ``line``, ``GiB`` or ``run``: what the figures are for.
        server: who answers: `LOAD`, `FAR` (the same in bad weather), `RCLONE`, or one of `LINKS`.
        tls: over TLS.
        goal_cpu_s: CPU seconds a unit that orbit must not exceed, or None.
        goal_wall_s: the same of wall time.
        unsigned_goal_cpu_s: the same with ``--unsigned-payload``.
        is_quick: in the quick set.
    """

    name: str
    title: str
    verb: str
    size: int = 0
    count: int = 1
    base: int = 0
    base_size: int = 0
    unit: str = "object"
    server: str = LOAD
    tls: bool = False
    goal_cpu_s: float | None = None
    goal_wall_s: float | None = None
    unsigned_goal_cpu_s: float | None = None
    is_quick: bool = False

    @property
    def units(self) -> float:
        """How many units the figures are divided by."""
        if self.unit == "GiB":
            return (self.count * self.size - (self.base_size or self.base * self.size)) / GIB
        return 1.0 if self.unit == "run" else float(self.count - self.base)

    @property
    def full(self) -> int:
        """The amount of the whole run: objects, or bytes where one object grows."""
        return self.size if self.base_size else self.count

    @property
    def least(self) -> int:
        """The amount of the run that is taken off, or 0."""
        return self.base_size or self.base

    @property
    def amounts(self) -> tuple[int, ...]:
        """Of each run."""
        return (self.least, self.full) if self.least else (self.full,)

    def shape(self, amount: int) -> tuple[int, int]:
        """Objects, and bytes of each, of a run of this amount."""
        return (self.count, amount) if self.base_size else (amount, self.size)

    @property
    def server_name(self) -> str:
        """Which running server answers."""
        return f"{self.server}-tls" if self.tls else self.server

    @property
    def is_bulk(self) -> bool:
        """Whether its files are large: those lie on a disk's file system, in the page cache, as people's do."""
        return self.size > MIB


def workloads(*, is_quick: bool) -> tuple[Workload, ...]:
    """All of them; the quick ones have fewer objects."""
    every = (
        *_start_up(),
        *_copies(is_quick=is_quick),
        *_keys(),
        *_scripts(),
        *_streams(),
        *_far(),
        *_links(),
        *_real(),
    )
    return tuple(workload for workload in every if workload.is_quick or not is_quick)


def _start_up() -> Iterator[Workload]:
    title = "start-up: --version"
    yield Workload(name="version", title=title, verb="version", unit="run", goal_wall_s=0.10, is_quick=True)
    title = "start-up: cp of one 4 KiB file"
    yield Workload(name="one", title=title, verb="one", size=4 * KIB, unit="run", goal_wall_s=0.3, is_quick=True)


def _both(plain: Workload, goal_cpu_s: float | None) -> Iterator[Workload]:
    """The workload, and the same over TLS with this goal."""
    yield plain
    yield dataclasses.replace(
        plain,
        name=f"{plain.name}-tls",
        title=f"{plain.title} over TLS",
        tls=True,
        goal_cpu_s=goal_cpu_s,
        unsigned_goal_cpu_s=None,
        is_quick=False,
    )


def _copies(*, is_quick: bool) -> Iterator[Workload]:
    scale = 1 if is_quick else 3
    yield from _both(_small("up", 4 * KIB, 8_000 * scale, 35e-6), 60e-6)
    yield from _both(_small("down", 4 * KIB, 8_000 * scale, 45e-6), 60e-6)
    yield from _both(_small("up", 64 * KIB, 4_000 * scale), None)
    yield from _both(_small("down", 64 * KIB, 4_000 * scale), None)
    yield from _both(_large("up", 0.85, unsigned_goal_cpu_s=0.30), 0.65)
    yield from _both(_large("down", 0.42), 0.68)
    for verb, goal, tls_goal in (("up", 0.85, 0.65), ("down", 0.42, 0.68)):
        title = f"{'upload' if verb == 'up' else 'download'} one object of 4 GiB"
        plain = Workload(
            name=f"{verb}-4g",
            title=title,
            verb=verb,
            size=4 * GIB,
            base_size=64 * MIB,
            unit="GiB",
            goal_cpu_s=goal,
            unsigned_goal_cpu_s=0.30 if verb == "up" else None,
        )
        yield from _both(plain, tls_goal)


def _small(verb: str, size: int, many: int, goal_cpu_s: float | None = None) -> Workload:
    return Workload(
        name=f"{verb}-{size // KIB}k",
        title=f"{'PUT' if verb == 'up' else 'GET'} {size // KIB} KiB files",
        verb=verb,
        size=size,
        count=1_000 + many,
        base=1_000,
        goal_cpu_s=goal_cpu_s,
        is_quick=True,
    )


def _large(verb: str, goal_cpu_s: float | None = None, *, unsigned_goal_cpu_s: float | None = None) -> Workload:
    return Workload(
        name=f"{verb}-64m",
        title=f"{'upload' if verb == 'up' else 'download'} 16 x 64 MiB",
        verb=verb,
        size=64 * MIB,
        count=16,
        base=2,
        unit="GiB",
        goal_cpu_s=goal_cpu_s,
        unsigned_goal_cpu_s=unsigned_goal_cpu_s,
        is_quick=True,
    )


def _keys() -> Iterator[Workload]:
    """Commands about many keys and no bytes."""
    for verb, title, count, goal_cpu_s in (
        ("list", "list 200,000 keys, printed", 200_000, 4e-6),
        ("delete", "delete 50,000 keys", 50_000, 4e-6),
        ("sync", "sync that finds nothing to do among 200,000 keys", 200_000, 8e-6),
    ):
        plain = Workload(
            name=verb,
            title=title,
            verb=verb,
            size=4 * KIB,
            count=count,
            base=count // 10,
            unit="key",
            goal_cpu_s=goal_cpu_s,
        )
        yield from _both(plain, goal_cpu_s)


def _scripts() -> Iterator[Workload]:
    """Many commands in one engine, a line of a script each."""
    title = "run 24,000 lines: cp of a 4 KiB file"
    copies = Workload(name="run-cp", title=title, verb="run-cp", size=4 * KIB, count=25_000, base=1_000, unit="line")
    yield dataclasses.replace(copies, goal_cpu_s=46e-6)
    title = "run 20,000 lines: rm of a key"
    yield Workload(name="run-rm", title=title, verb="run-rm", count=21_000, base=1_000, unit="line")


def _streams() -> Iterator[Workload]:
    """One object between S3 and a standard stream."""
    for verb, title in (("cat", "cat of 1 GiB"), ("pipe", "pipe of 1 GiB")):
        plain = Workload(name=verb, title=title, verb=verb, size=GIB, base_size=64 * MIB, unit="GiB")
        yield from _both(plain, None)


def _elsewhere(workload: Workload, server: str, where: str) -> Workload:
    return dataclasses.replace(
        workload,
        name=f"{server}-{workload.name}",
        title=f"{workload.title} {where}",
        server=server,
        goal_cpu_s=None,
        unsigned_goal_cpu_s=None,
        is_quick=False,
    )


def _far() -> Iterator[Workload]:
    where = "30 ms away (0.1 % after 5 s, 1 % refused)"
    for verb in ("up", "down"):
        # Whole runs: whether the shorter one of a difference meets a late answer, five seconds of eight, is chance.
        yield dataclasses.replace(_elsewhere(_small(verb, 4 * KIB, 8_000), FAR, where), base=0)
    for verb in ("up", "down"):
        yield _elsewhere(_large(verb), FAR, where)


def _links() -> Iterator[Workload]:
    for server, rate in LINKS.items():
        for verb in ("up", "down"):
            yield _elsewhere(_large(verb), server, f"through a link of {rate // 1_000_000_000} Gbit/s")


def _real() -> Iterator[Workload]:
    where = "at rclone serve s3"
    for verb in ("up", "down"):
        small = dataclasses.replace(_small(verb, 4 * KIB, 0), count=2_000, base=500)
        yield _elsewhere(small, RCLONE, where)
    for verb in ("up", "down"):
        yield _elsewhere(_large(verb), RCLONE, where)
