"""A session of measurements: the clients take turns on every workload, several times over.

Turns, because a machine is not the same from minute to minute: what slows one client down in one round slows its peers
down in the same round. The first client of a round is another one each time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from benchmarks.clients import Client
from benchmarks.clients import Work
from benchmarks.clients import environment_for
from benchmarks.measure import Memory
from benchmarks.measure import Run
from benchmarks.measure import RunFailed
from benchmarks.measure import run
from benchmarks.target import LoadTarget
from benchmarks.target import difference
from benchmarks.workloads import Workload

FILES_IN_A_DIRECTORY = 1_000


@dataclass(slots=True)
class Series:
    """All runs of one client on one workload.

    Attributes:
        workload: which.
        client: whose.
        command: the last one that was run.
        runs: by number of objects.
        memory: of the run whose memory was sampled.
        seen: what the target saw in the last run of full size.
        failure: why there are no more runs.
    """

    workload: Workload
    client: Client
    command: list[str] = field(default_factory=list)
    runs: dict[int, list[Run]] = field(default_factory=dict)
    memory: Memory | None = None
    seen: dict[str, int] = field(default_factory=dict)
    failure: str = ""


class Session:
    """The targets, the files and the clients of one session."""

    def __init__(self, folder: Path, plain: LoadTarget, encrypted: LoadTarget | None, certificate: Path | None) -> None:
        """Work in `folder`; `encrypted` is the target with TLS, where there is one."""
        self._folder = folder
        self._plain = plain
        self._encrypted = encrypted
        self._certificate = certificate
        self.cpus = "-"
        self.tell: Callable[[str], None] = lambda _: None

    def measure(self, workloads: Sequence[Workload], clients: Sequence[Client], rounds: int) -> list[Series]:
        """Run everything: once for memory, then `rounds` times for the figures."""
        table = [Series(workload, client) for workload in workloads for client in clients]
        table = [series for series in table if series.client.command(self._work(series.workload, 1))]
        for number in range(rounds + 1):
            what = f"round {number} of {rounds}" if number else "memory"
            for workload in workloads:
                turn = [series for series in table if series.workload is workload and not series.failure]
                first = number % len(turn) if turn else 0
                for series in turn[first:] + turn[:first]:
                    self.tell(f"{what}: {workload.title}: {series.client.name}")
                    self._measure_one(series, samples_memory=not number)
        return table

    def _measure_one(self, series: Series, *, samples_memory: bool) -> None:
        counts = series.workload.counts[-1:] if samples_memory else series.workload.counts
        for count in counts:
            try:
                one, seen = self._run(series, count, samples_memory=samples_memory)
            except RunFailed as failure:
                series.failure = str(failure)
                self.tell(f"FAILED: {failure}")
                return
            if samples_memory:
                series.memory = one.memory
            else:
                series.runs.setdefault(count, []).append(one)
            if count == series.workload.count:
                series.seen = seen

    def _run(self, series: Series, count: int, *, samples_memory: bool) -> tuple[Run, dict[str, int]]:
        work = self._work(series.workload, count)
        command = series.client.command(work)
        assert command is not None, "checked before the first round"
        series.command = command
        target = self._target(series.workload)
        if work.verb == "down":
            _empty(work.local)
        before = target.counters(reset_peak=True)
        one = run(
            command,
            environment=environment_for(series.client, work),
            cpus=self.cpus,
            folder=self._folder,
            samples_memory=samples_memory,
        )
        seen = difference(before, target.counters())
        self._check(work, seen)
        return one, seen

    def _check(self, work: Work, seen: dict[str, int]) -> None:
        """The work must have been done.

        Raises:
            RunFailed: it was not.
        """
        if work.verb in {"up", "one"}:
            stored = seen.get("PutObject", 0) + seen.get("CompleteMultipartUpload", 0)
            sent = seen.get("bytes_in", 0)
            if stored != work.count or sent < work.count * work.size:
                raise RunFailed(
                    f"{stored} of {work.count} objects were stored, {sent} bytes of {work.count * work.size}"
                )
        elif work.verb == "down":
            sizes = [path.stat().st_size for path in _files(work.local)]
            if len(sizes) != work.count or set(sizes) != {work.size}:
                raise RunFailed(f"{len(sizes)} of {work.count} files landed, {sum(sizes)} bytes")
            _empty(work.local)

    def _target(self, workload: Workload) -> LoadTarget:
        if not workload.tls:
            return self._plain
        assert self._encrypted is not None, "workloads over TLS are asked for only where there is a target for them"
        return self._encrypted

    def _work(self, workload: Workload, count: int) -> Work:
        verb = workload.verb
        local = self._folder / "landing"
        if verb == "up":
            local = self._source(workload.size, count) if count > 1 else local
        elif verb == "one":
            local = next(_files(self._source(workload.size, 1)))
        return Work(
            verb=verb,
            url=self._target(workload).url,
            count=count,
            size=workload.size,
            local=local,
            certificate=self._certificate if workload.tls else None,
        )

    def _source(self, size: int, count: int) -> Path:
        """A directory of `count` files of `size` random bytes."""
        folder = self._folder / f"source-{size}-{count}"
        if folder.exists():
            return folder
        for number in range(count):
            parent = folder / f"{number // FILES_IN_A_DIRECTORY:04}"
            if number % FILES_IN_A_DIRECTORY == 0:
                parent.mkdir(parents=True)
            (parent / f"{number:07}.bin").write_bytes(os.urandom(size))
        return folder


def room_needed(workloads: Sequence[Workload]) -> int:
    """Bytes of the files that these workloads make: every source, and the largest landing."""
    sources = {(workload.size, count) for workload in workloads if workload.verb == "up" for count in workload.counts}
    landings = [workload.size * workload.count for workload in workloads if workload.verb == "down"]
    return sum(size * count for size, count in sources) + max(landings, default=0)


def room_available(folder: Path) -> int:
    """Bytes that may be used there: a quarter of what is free, of memory too where the folder is in memory."""
    free = shutil.disk_usage(folder).free
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = min(free, int(line.split()[1]) * 1024)
    return free // 4


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
