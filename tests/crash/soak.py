"""An hour in bad weather: ``python -m tests.crash.soak [--minutes N] [--write]``.

An ``orbit run -`` that never ends is fed commands (``cp``, ``sync --delete``, ``mv``), and beside it a program
with one long-lived client and one engine does the same through the library. One in twenty requests to the embedded
server goes wrong: refused, reset, closed, stalled, cut, damaged either way, or done without an answer. Every few
seconds the memory, file descriptors, processes and slots of the lasting processes are looked at; every round, the bytes
that came back are compared. What is flat: the last quarter's median is not more than 5 % (or 2 MiB, or 2) above the
second quarter's. With ``--write`` the figures go into ``benchmarks/SOAK.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.scale import pss_of
from orbit_fast.proc.slots import SlotArena
from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams
from tests.kit import faults_actions as act
from tests.kit.crash_lab import ROOT
from tests.kit.faults import Action
from tests.kit.faults import Stage

PAGE = ROOT / "benchmarks" / "SOAK.md"
SHARE = 0.05
LOOK_S = 5.0
LIMIT_S = 180.0
MIB = 1 << 20
BUCKET = "soak"
FILES = 40
LARGE = 2
TOLERANCE = 0.05
BARS = "▁▂▃▄▅▆▇█"

ANYTHING = (
    act.error(code="ServiceUnavailable", status=503),
    act.error(code="InternalError", status=500),
    act.reset(),
    act.close(),
    act.hang(),
    act.lose_reply(),
    act.lose_reply(how="close"),
    act.cut_head(),
    act.delay(seconds=0.2),
)
DOWN = (act.cut(keep=700), act.cut(keep=700, how="reset"), act.cut(keep=700, how="hang"), act.flip(), act.flip())
UP = (act.damage_upload(), act.damage_upload(), act.reset_while_sending(), act.stop_reading(), act.answer_early())
COMMITS = {"CompleteMultipartUpload", "CopyObject", "UploadPartCopy"}
"""What may take a service minutes: a silence is waited for so long that it would be all that an hour shows."""
DAMAGE = {"flip", "damage_upload"}
SPARED = 12
"""What is damaged two times running is, rightly, an integrity failure: so many requests for an object are spared."""


class Weather:
    """One in twenty requests goes wrong.

    Attributes:
        requests: how many there were.
        hits: the faults that were made, by name.
    """

    def __init__(self, seed: int) -> None:
        self.requests = 0
        self.hits: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._planned: dict[str, Action] = {}
        self._spared: dict[str, int] = {}
        self.server = S3Server(intercept=self._before)
        self.server.seams = Seams(on_head=self._on_head, revise=self._revise)

    def _choose(self, request: HttpRequest) -> Action | None:
        self.requests += 1
        place = f"{request.operation} {request.bucket}/{request.key}"
        spared = self._spared.pop(place, 0)
        if spared > 1:
            self._spared[place] = spared - 1
        if self._random.random() >= SHARE:
            return None
        more = {"GetObject": DOWN, "PutObject": UP, "UploadPart": UP}.get(request.operation, ())
        action = self._random.choice(ANYTHING + more)
        if action.name == "hang" and request.operation in COMMITS:
            return None
        if action.name in DAMAGE:
            if spared:
                return None
            self._spared[place] = SPARED
        self.hits[action.name] += 1
        return action

    def _on_head(self, request: HttpRequest) -> HttpResponse | None:
        action = self._choose(request)
        if action is not None and action.stage is Stage.HEAD:
            response: HttpResponse | None = action.apply(request, None)
            return response
        if action is not None:
            self._planned[request.request_id] = action
        return None

    async def _before(self, request: HttpRequest) -> HttpResponse | None:
        action = self._planned.get(request.request_id)
        if action is None or action.stage is not Stage.BEFORE:
            return None
        response: HttpResponse | None = await self._planned.pop(request.request_id).apply(request, None)
        return response

    async def _revise(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        action = self._planned.pop(request.request_id, None)
        if action is None or not response.body.size:
            return (
                response if action is None or action.name in {"flip", "cut"} else await action.apply(request, response)
            )
        changed: HttpResponse = await action.apply(request, response)
        return changed


class Tree:
    """A directory that changes a little every round.

    Attributes:
        files: what it holds.
        directory: where.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self._random = random.Random(seed)
        self.files: dict[str, bytes] = {}
        (directory / "deep").mkdir(parents=True)
        for number in range(FILES):
            name = f"{'deep/' if number % 3 else ''}f{number}"
            self._write(name, 6 * MIB + 77 * number if number < LARGE else self._random.randint(1, 200_000))
        self._extra = ""
        self.change()

    def _write(self, name: str, size: int) -> None:
        self.files[name] = self._random.randbytes(size)
        (self.directory / name).write_bytes(self.files[name])

    def change(self) -> int:
        """Other bytes in three files, one name for another; what a sync has to do then: copies and deletions."""
        for name in self._random.sample(sorted(set(self.files) - {self._extra}), 3):
            self._write(name, len(self.files[name]) + 1)  # of the same size in the same second is no change to a sync
        if self._extra:
            (self.directory / self._extra).unlink()
            del self.files[self._extra]
        old, self._extra = self._extra, f"extra{self._random.randrange(10**9)}"
        self._write(self._extra, 1000)
        return 5 if old else 4

    def compare(self, other: Path) -> int:
        """How many bytes of `other` are as they must be.

        Raises:
            RuntimeError: some are not.
        """
        for name, data in self.files.items():
            if (other / name).read_bytes() != data:
                raise RuntimeError(f"{other / name} is not what was sent")
        return sum(map(len, self.files.values()))


class Lines:
    """``orbit run -``, fed line by line; it lasts as long as the soak.

    Attributes:
        process: its supervisor.
        verified: bytes that came back as they were sent.
        rounds: of all four commands.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._tree = Tree(directory / "source", 1)
        self._told: list[str] = []
        self._failures: list[str] = []
        self._changed = threading.Condition()
        self.verified = self.rounds = 0
        command = [sys.executable, "-m", "orbit_fast", "run", "-", "--json", "--no-progress", "--timeout", "2"]
        self._errors = (directory / "run.err").open("wb")
        self.process = subprocess.Popen(
            [*command, "--processes", "2", "--max-memory", "64MiB"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=dict(environment),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            event = json.loads(line)
            with self._changed:
                if not event["success"]:
                    self._failures.append(line.decode())
                self._told.append(line.decode())
                self._changed.notify()

    def _do(self, count: int, *lines: str) -> None:
        """Give it some lines, and wait until that many objects have been told."""
        self._told.clear()
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()
        with self._changed:
            if not self._changed.wait_for(lambda: self._failures or len(self._told) >= count, LIMIT_S):
                raise RuntimeError(f"{len(self._told)} of {count} after {LIMIT_S} s: {lines}\n{''.join(self._told)}")
            if self._failures or len(self._told) > count:
                raise RuntimeError(f"{self._failures}\n{''.join(self._told)}")

    def round(self) -> None:
        """All four commands once."""
        tasks = self._tree.change() if self.rounds else FILES + 1
        source, down, count = self._tree.directory, self._directory / "down", len(self._tree.files)
        self._do(
            count + tasks,
            f"cp --part-size 5 {source}/ s3://{BUCKET}/run/up/",
            f"sync --delete --part-size 5 {source}/ s3://{BUCKET}/run/sync/",
        )
        self._do(count, f"mv s3://{BUCKET}/run/up/* s3://{BUCKET}/run/moved/")
        self._do(count, f"mv --part-size 5 s3://{BUCKET}/run/moved/* {down}/")
        self.verified += self._tree.compare(down)
        for path in [path for path in down.rglob("extra*") if path.name not in self._tree.files]:
            path.unlink()
        self.rounds += 1

    def end(self, server: S3Server) -> None:
        """Nothing more comes: it must end well, and leave nothing behind.

        Raises:
            RuntimeError: it did not.
        """
        self.process.stdin.close()
        status = self.process.wait(LIMIT_S)
        self._reader.join()
        self._errors.close()
        said = (self._directory / "run.err").read_text()
        if status or said or self._failures:
            raise RuntimeError(f"exit status {status}: {said} {self._failures}")
        for name, data in self._tree.files.items():
            if server.store.read(BUCKET, f"run/sync/{name}") != data:
                raise RuntimeError(f"run/sync/{name} is not what was sent")
        self.verified += sum(map(len, self._tree.files.values()))
        if [key for key in server.store.keys(BUCKET) if key.startswith(("run/up/", "run/moved/"))]:
            raise RuntimeError("sources of moves are still there")


class Program:
    """A program that uses the library as long as the soak lasts.

    Attributes:
        process: of it.
        last: what it said of its last round.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.last: dict[str, int] = {"rounds": 0, "verified": 0, "slots": 0, "memory": 0}
        directory.mkdir()
        self._errors = (directory / "program.err").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.soak_program", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=dict(environment),
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._directory = directory

    def _read(self) -> None:
        for line in self.process.stdout:
            self.last = json.loads(line)

    def end(self) -> None:
        """It ends after its round.

        Raises:
            RuntimeError: not well.
        """
        self.process.stdin.close()
        status = self.process.wait(LIMIT_S)
        self._reader.join()
        self._errors.close()
        if status:
            raise RuntimeError(f"the library's program: {(self._directory / 'program.err').read_text()}")


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    try:
        own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return own + [below for one in own for below in children_of(one)]


def fds_of(pid: int) -> int:
    """Open file descriptors of a process; 0 where it has gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def arena_of(pid: int) -> SlotArena | None:
    """The slots of a supervisor, as its workers see them."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        if "orbit-slots" in str(path.readlink()):
            return SlotArena.attach(os.open(path, os.O_RDWR))
    return None


class Observer:
    """Looks at everything that lasts.

    Attributes:
        series: what it saw, by name and unit, one value a look.
    """

    def __init__(self, lines: Lines, program: Program) -> None:
        self._lines, self._program = lines, program
        self._arena: SlotArena | None = None
        self.series: dict[tuple[str, str], list[float]] = {}

    def look(self) -> None:
        """One look."""
        run, program = self._lines.process.pid, self._program.process.pid
        workers = children_of(run)
        self._arena = self._arena or arena_of(run)
        below = sum(map(pss_of, workers))
        engine = children_of(program)
        seen = {
            ("`orbit run`: memory of the supervisor", "MiB"): (pss_of(run) - below) / MIB,
            ("`orbit run`: memory of the workers", "MiB"): below / MIB,
            ("`orbit run`: file descriptors", ""): fds_of(run) + sum(map(fds_of, workers)),
            ("`orbit run`: processes", ""): 1 + len(workers),
            ("`orbit run`: slots in use", ""): self._arena.leased if self._arena else 0,
            ("library: memory of the program between rounds", "MiB"): self._program.last["memory"] / MIB,
            ("library: file descriptors", ""): fds_of(program),
            ("library: processes of its engine", ""): len(engine),
            ("library: slots in use between rounds", ""): self._program.last["slots"],
        }
        for name, value in seen.items():
            self.series.setdefault(name, []).append(value)


def spark(values: list[float], columns: int = 24) -> str:
    """A line of medians, from nothing to the highest."""
    step = max(1, len(values) // columns)
    medians = [statistics.median(values[at : at + step]) for at in range(0, len(values), step)][:columns]
    highest = max(medians) or 1
    return "".join(BARS[round(one / highest * (len(BARS) - 1))] for one in medians)


def table(series: Mapping[tuple[str, str], list[float]]) -> tuple[list[str], bool]:
    """Rows of the page, and whether everything is flat."""
    rows, is_flat = [], True
    for (name, unit), values in series.items():
        quarter = len(values) // 4
        first, second, _, last = (statistics.median(values[n * quarter : (n + 1) * quarter or None]) for n in range(4))
        before = max(first, second)  # what swings with the rounds may have been higher already
        grows = last - before > max(2.0, before * TOLERANCE)
        is_flat &= not grows
        numbers = [f"{value:.1f} {unit}" if unit else f"{value:g}" for value in (first, second, last, max(values))]
        rows.append(f"| {name} | {' | '.join(numbers)} | `{spark(values)}` | {'**grows**' if grows else 'flat'} |")
    return rows, is_flat


def soak(minutes: float, seed: int, write: Callable[[str], Any]) -> bool:
    """Do it; whether everything was flat."""
    weather = Weather(seed)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orbit-soak-")))
        weather.server.start()
        stack.callback(weather.server.close)
        weather.server.store.keeps_log = False
        weather.server.store.create_bucket(BUCKET)
        (directory / "run").mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.devnull,
            "XDG_STATE_HOME": str(directory / "state"),
            "AWS_ACCESS_KEY_ID": weather.server.access_key,
            "AWS_SECRET_ACCESS_KEY": weather.server.secret_key,
            "AWS_ENDPOINT_URL": weather.server.url,
            "AWS_REGION": "us-east-1",
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        }
        program = Program(directory / "library", environment)
        stack.callback(program.process.kill)
        lines = Lines(directory / "run", environment)
        stack.callback(lines.process.kill)
        observer = Observer(lines, program)
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(LOOK_S):
                with suppress(OSError):  # one of them ends while it is looked at
                    observer.look()

        watcher = threading.Thread(target=watch)
        watcher.start()
        started_s = time.monotonic()
        try:
            while time.monotonic() - started_s < minutes * 60:
                lines.round()
                if program.process.poll() is not None:
                    break
        finally:
            stop.set()
            watcher.join()
        program.end()
        lines.end(weather.server)
        unfinished = weather.server.store.unfinished_uploads()
        left = [one.key for one in unfinished if one.parts]
        left += [str(path) for path in directory.rglob(".orbit-*")]
        if left:
            raise RuntimeError(f"left behind: {left}")
        rows, is_flat = table(observer.series)
        write(page(minutes, weather, lines, program, [*rows, "", unheard(len(unfinished))]))
    return is_flat


def unheard(count: int) -> str:
    """What is said of uploads whose creation was never answered: nobody knows that they are there."""
    return (
        f"Left behind: {count} uploads without parts, created by requests whose answers were lost; "
        "see *What is not promised* in `docs/RELIABILITY.md`."
    )


def page(minutes: float, weather: Weather, lines: Lines, program: Program, rows: list[str]) -> str:
    """What it came to, as Markdown."""
    hits = ", ".join(f"{name} {count}" for name, count in sorted(weather.hits.items()))
    share = weather.hits.total() / weather.requests
    verified = lines.verified + program.last["verified"]
    return "\n".join(
        [
            f"## {minutes:g} minutes in bad weather",
            "",
            f"Written by `python -m tests.crash.soak --minutes {minutes:g} --write`; {os.cpu_count()} CPUs, Linux",
            f"{platform.release()}. {weather.requests:,} requests, of which {share:.1%} went wrong ({hits}).",
            "",
            f"`orbit run -`: {lines.rounds:,} rounds of `cp`, `sync --delete`, `mv` in S3 and `mv` down. The library:",
            f"{program.last['rounds']:,} rounds of one client and one engine. {verified / MIB:,.0f} MiB came back and",
            "were compared; no byte was wrong, nothing failed, no temporary file was left.",
            "",
            "| | first quarter | second quarter | last quarter | most | | |",
            "|---|---:|---:|---:|---:|---|---|",
            *rows,
            "",
        ]
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()

    def write(text: str) -> None:
        sys.stdout.write(text)
        if options.write:
            PAGE.write_text(text, encoding="utf-8")

    return 0 if soak(options.minutes, options.seed, write) else 1


if __name__ == "__main__":
    sys.exit(main())
