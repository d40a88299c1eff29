"""One run of one command: its CPU time, wall time and memory, with everything it starts.

CPU and wall time are the kernel's own, from `meter/launch.c`. Memory is sampled from ``/proc`` and costs the sampled
processes time, so it is taken in runs of its own, whose times are not used. Those runs also check the times: the CPU
that was seen in the process tree must be in what was measured, or a process was started that nobody waited for.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.native import build

SAMPLE_S = 0.01
_TICKS = os.sysconf("SC_CLK_TCK")
_KIB = 1024


class RunFailed(RuntimeError):
    """The command did not do what it was to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The most that a process tree had at one moment.

    Attributes:
        pss_bytes: all of it, what is shared counted once.
        largest_rss_bytes: of one process.
        processes: how many there were.
    """

    pss_bytes: int
    largest_rss_bytes: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run took.

    Attributes:
        wall_s: from start to end.
        user_s: CPU time of all its processes outside the kernel.
        system_s: the same inside it.
        largest_rss_bytes: the peak of its largest process.
        memory: of all processes, where it was sampled.
    """

    wall_s: float
    user_s: float
    system_s: float
    largest_rss_bytes: int
    memory: Memory | None = None

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes."""
        return self.user_s + self.system_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a command is started.

    Attributes:
        prefix: words before the command that are not measured.
        stdin: a file to read, or None for nothing.
    """

    prefix: Sequence[str] = ()
    stdin: Path | None = None


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    cpus: str = "-",
    folder: Path,
    samples_memory: bool = False,
    setting: Setting = Setting(),
) -> Run:
    """Run `command` on the CPUs `cpus` (``0,2``; ``-`` for all) in `folder`, and measure it.

    Raises:
        RunFailed: it ended with another status than 0, or left CPU time that was not counted.
    """
    read_fd, write_fd = os.pipe()
    launcher = [*setting.prefix, str(build("meter")), str(write_fd), cpus, *command]
    with (
        Path(setting.stdin or os.devnull).open("rb") as source,
        subprocess.Popen(
            launcher,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd=folder,
            pass_fds=(write_fd,),
        ) as process,
    ):
        os.close(write_fd)
        sampler = Sampler(process.pid) if samples_memory else None
        if sampler is not None:
            sampler.start()
        errors = process.communicate()[1].decode(errors="replace")
        if sampler is not None:
            sampler.stop()
    with os.fdopen(read_fd) as report:
        text = report.read()
    if not text:
        raise RunFailed(f"{' '.join(command)}: not started")
    facts = json.loads(text)
    if facts["status"]:
        raise RunFailed(f"{' '.join(command)}: exit status {facts['status']}\n{errors[-2000:]}")
    measured = Run(
        wall_s=facts["wall_s"],
        user_s=facts["user_s"],
        system_s=facts["system_s"],
        largest_rss_bytes=facts["peak_rss_kib"] * _KIB,
        memory=sampler.memory() if sampler is not None else None,
    )
    if sampler is not None:
        sampler.check(measured)
    return measured


class Sampler(threading.Thread):
    """Looks at the descendants of a process again and again."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._is_ended = threading.Event()
        self._cpu_s: dict[int, float] = {}
        self._pss = 0
        self._rss = 0
        self._most = 0

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._is_ended.wait(SAMPLE_S):
            self._sample()

    def stop(self) -> None:
        """End, and wait for it."""
        self._is_ended.set()
        self.join()

    def memory(self) -> Memory:
        """The peaks."""
        return Memory(pss_bytes=self._pss, largest_rss_bytes=self._rss, processes=self._most)

    def check(self, measured: Run) -> None:
        """What was seen must have been counted.

        Raises:
            RunFailed: it was not.
        """
        seen_s = sum(self._cpu_s.values())
        clock_error_s = 2 * len(self._cpu_s) / _TICKS
        if seen_s > measured.cpu_s + clock_error_s:
            raise RunFailed(f"{seen_s:.2f} CPU-s were seen in /proc and only {measured.cpu_s:.2f} measured")

    def _sample(self) -> None:
        total, count = 0, 0
        for pid in descendants(self._root):
            with suppress(OSError, ValueError, IndexError):
                pss, rss = _memory_of(pid)
                self._cpu_s[pid] = _cpu_of(pid)
                total += pss
                count += 1
                self._rss = max(self._rss, rss)
        self._pss = max(self._pss, total)
        self._most = max(self._most, count)


def descendants(root: int) -> list[int]:
    """The processes that `root` has started, and those that they have."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                children = [int(child) for child in (task / "children").read_text().split()]
                found += children
                waiting += children
    return found


def _memory_of(pid: int) -> tuple[int, int]:
    """Proportional and resident bytes."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        fields[name] = int(value) * _KIB
    return fields["Pss:"], fields["Rss:"]


def _cpu_of(pid: int) -> float:
    """CPU seconds so far, in ticks of the kernel's clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def wait_quiet(limit: float, patience_s: float) -> float:
    """Wait until the machine has less than `limit` processes to run, at most `patience_s`; the load then."""
    end_s = time.monotonic() + patience_s
    while True:
        load = float(Path("/proc/loadavg").read_text().split()[0])
        if load < limit or time.monotonic() > end_s:
            return load
        time.sleep(1)
