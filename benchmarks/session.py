"""A session of measurements: the clients take turns on every workload, several times over.

Turns, because a machine is not the same from minute to minute: what slows one client down in one round slows its peers
down in the same round. The first client of a round is another one each time.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Protocol

from benchmarks.clients import BUCKET
from benchmarks.clients import Client
from benchmarks.clients import Work
from benchmarks.clients import environment_for
from benchmarks.measure import Memory
from benchmarks.measure import Run
from benchmarks.measure import RunFailed
from benchmarks.measure import Setting
from benchmarks.measure import run
from benchmarks.target import difference
from benchmarks.workloads import FAR
from benchmarks.workloads import LINKS
from benchmarks.workloads import Workload

FILES_IN_A_DIRECTORY = 1_000
MTIME_S = 1_706_933_106
"""Of files that are compared with the load target's objects: it gives theirs the same."""
_SOURCES = frozenset({"up", "sync"})
_SCRIPTS = frozenset({"run-cp", "run-rm"})
_PIECE = 1 << 20


class Server(Protocol):
    """Who answers.

    Attributes:
        url: where.
        client_prefix: words before a client's command.
    """

    url: str
    client_prefix: Sequence[str]

    def counters(self, *, reset_peak: bool = False) -> dict[str, int]:
        """What it has seen; nothing where it does not count."""

    def prepare(self, size: int, count: int) -> None:
        """Have objects to download."""

    def stored(self) -> list[int] | None:
        """Sizes of what was stored since the last call, or None where only the counters tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where files are made.

    Attributes:
        small: small ones.
        bulk: large ones.
    """

    small: Path
    bulk: Path


@dataclass(slots=True)
class Series:
    """All runs of one client on one workload.

    Attributes:
        workload: which.
        client: whose.
        command: the last one that was run.
        runs: by amount; see `Workload.amounts`.
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
    """The servers, the files and the clients of one session."""

    def __init__(self, folders: Folders, servers: Mapping[str, Server], certificate: Path | None) -> None:
        """Work in `folders`; `servers` by `Workload.server_name`."""
        self._folders = folders
        self._servers = servers
        self._certificate = certificate
        self.cpus = "-"
        self.limit_s = 0.0
        self.tell: Callable[[str], None] = lambda _: None

    def measure(self, workloads: Sequence[Workload], clients: Sequence[Client], rounds: int) -> list[Series]:
        """Run everything: once for memory, then `rounds` times for the figures; fewer where `limit_s` is too short."""
        table = [Series(workload, client) for workload in workloads for client in clients]
        table = [series for series in table if series.client.command(self.work(series.workload, 0))]
        started_s = began_s = time.monotonic()
        for number in range(rounds + 1):
            now_s = time.monotonic()
            if number > 1 and 0 < self.limit_s < now_s - started_s + 1.1 * (now_s - began_s):
                self.tell(f"no time for round {number}: {number - 1} will do")
                break
            began_s = now_s
            what = f"round {number} of {rounds}" if number else "memory"
            for workload in workloads:
                turn = [series for series in table if series.workload is workload and not series.failure]
                first = number % len(turn) if turn else 0
                for series in turn[first:] + turn[:first]:
                    self.tell(f"{what}: {workload.title}: {series.client.name}")
                    self._measure_one(series, samples_memory=not number)
        return table

    def _measure_one(self, series: Series, *, samples_memory: bool) -> None:
        workload = series.workload
        for amount in workload.amounts[-1:] if samples_memory else workload.amounts:
            try:
                one, seen = self._run(series, amount, samples_memory=samples_memory)
            except RunFailed as failure:
                series.failure = str(failure)
                self.tell(f"FAILED: {failure}")
                return
            if samples_memory:
                series.memory = one.memory
            else:
                series.runs.setdefault(amount, []).append(one)
            if amount == workload.full:
                series.seen = seen

    def _run(self, series: Series, amount: int, *, samples_memory: bool) -> tuple[Run, dict[str, int]]:
        work = self.work(series.workload, amount)
        command = series.client.command(work)
        assert command is not None, "checked before the first round"
        series.command = command
        server = self._servers[series.workload.server_name]
        if work.verb == "down":
            server.prepare(work.size, work.count)
            _empty(work.local)
        before = server.counters(reset_peak=True)
        one = run(
            command,
            environment=environment_for(series.client, work),
            cpus=self.cpus,
            folder=self._folders.small,
            samples_memory=samples_memory,
            setting=Setting(prefix=server.client_prefix, stdin=work.local if work.is_input else None),
        )
        seen = difference(before, server.counters()) if before else {}
        self._check(work, seen, server)
        return one, seen

    def _check(self, work: Work, seen: dict[str, int], server: Server) -> None:
        """The work must have been done.

        Raises:
            RunFailed: it was not.
        """
        if work.verb == "down":
            sizes = [path.stat().st_size for path in _files(work.local)]
            if len(sizes) != work.count or set(sizes) != {work.size}:
                raise RunFailed(f"{len(sizes)} of {work.count} files landed, {sum(sizes)} bytes")
            _empty(work.local)
        elif seen:
            check_seen(work, seen)
        elif work.verb == "up":
            stored = server.stored()
            if stored is not None and stored != [work.size] * work.count:
                raise RunFailed(f"{len(stored)} of {work.count} objects were stored, {sum(stored)} bytes")

    def work(self, workload: Workload, amount: int) -> Work:
        """What is to be done, for this amount; 0 only describes it, and makes no file."""
        count, size = workload.shape(amount)
        verb = workload.verb
        folder = self._folders.bulk if workload.is_bulk else self._folders.small
        local = folder / "landing"
        if amount and verb in _SOURCES:
            local = self._source(folder, workload, amount)
        elif amount and verb in {"one", "pipe"}:
            local = next(_files(self._source(folder, workload, amount)))
        elif amount and verb in _SCRIPTS:
            local = self._script(folder, workload, amount)
        return Work(
            verb=verb,
            url=self._servers[workload.server_name].url,
            count=count,
            size=size,
            local=local,
            certificate=self._certificate if workload.tls else None,
            is_far=workload.server == FAR or workload.server in LINKS,
        )

    def _source(self, folder: Path, workload: Workload, amount: int) -> Path:
        """A directory of files: random bytes, or (where only their names and sizes count) holes."""
        count, size = workload.shape(amount)
        is_empty = workload.verb == "sync"
        source = folder / f"{'holes' if is_empty else 'source'}-{size}-{count}"
        if source.exists():
            return source
        for number in range(count):
            parent = source / f"{number // FILES_IN_A_DIRECTORY:04}"
            if number % FILES_IN_A_DIRECTORY == 0:
                parent.mkdir(parents=True)
            path = parent / f"{number:07}.bin"
            with path.open("wb") as file:
                if is_empty:
                    file.truncate(size)
                    os.utime(file.fileno(), (MTIME_S, MTIME_S))
                for at in range(0, 0 if is_empty else size, _PIECE):
                    file.write(os.urandom(min(_PIECE, size - at)))
        return source

    def _script(self, folder: Path, workload: Workload, amount: int) -> Path:
        """A file with a line for each object: upload a file, or delete a key."""
        count, size = workload.shape(amount)
        script = folder / f"{workload.verb}-{size}-{count}"
        if script.exists():
            return script
        if workload.verb == "run-cp":
            source = self._source(folder, workload, amount)
            names = sorted(str(path.relative_to(source)) for path in _files(source))
            lines = [f"cp {source}/{name} s3://{BUCKET}/up/{name}\n" for name in names]
        else:
            lines = [f"rm s3://{BUCKET}/gone/{number:07}.bin\n" for number in range(count)]
        script.write_text("".join(lines))
        return script


def check_seen(work: Work, seen: Mapping[str, int]) -> None:
    """The server must have been asked for the work.

    Raises:
        RunFailed: it was not.
    """
    stored = seen.get("PutObject", 0) + seen.get("CompleteMultipartUpload", 0)
    sent, pages = seen.get("bytes_in", 0), seen.get("ListObjectsV2", 0)
    if work.verb in {"up", "one", "pipe", "run-cp"} and (stored < work.count or sent < work.count * work.size):
        raise RunFailed(f"{stored} of {work.count} objects were stored, {sent} bytes of {work.count * work.size}")
    if work.verb in {"list", "delete", "sync"} and pages * 1000 < work.count:
        raise RunFailed(f"{pages} pages were listed for {work.count} keys")
    if (
        work.verb in {"delete", "run-rm"}
        and seen.get("DeleteObjects", 0) * 1000 + seen.get("DeleteObject", 0) < work.count
    ):
        raise RunFailed(f"{seen.get('DeleteObjects', 0)} requests deleted {work.count} keys")
    if work.verb == "sync" and stored:
        raise RunFailed(f"{stored} objects were stored though none had changed")
    if work.verb == "cat" and seen.get("bytes_out", 0) < work.size:
        raise RunFailed(f"{seen.get('bytes_out', 0)} bytes of {work.size} were read")


def room_needed(workloads: Sequence[Workload]) -> int:
    """Bytes of the files that these workloads make: every source, and the largest landing."""
    sources = {
        workload.shape(amount)
        for workload in workloads
        if workload.verb in {"up", "pipe", "run-cp"}
        for amount in workload.amounts
    }
    landings = [workload.size * workload.count for workload in workloads if workload.verb == "down"]
    return sum(size * count for count, size in sources) + max(landings, default=0)


def room_available(folder: Path) -> int:
    """Bytes that may be used there: a quarter of what is free, of memory too where the folder is in memory."""
    free = shutil.disk_usage(folder).free
    if is_in_memory(folder):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = min(free, int(line.split()[1]) * 1024)
    return free // 4


def is_in_memory(folder: Path) -> bool:
    """Whether files made there are in a tmpfs."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return False
    kinds = {Path(words[1]): words[2] for words in map(str.split, mounts.read_text().splitlines()) if len(words) > 2}
    folder = folder.resolve()
    nearest = next((parent for parent in (folder, *folder.parents) if parent in kinds), Path("/"))
    return kinds.get(nearest) == "tmpfs"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
