"""Jobs that are killed at any moment and run again, and what must be true between two runs and in the end.

A *strike* is armed before a run: at the n-th exchange of some kind, before the service has acted or after, it kills
the supervisor, a worker, or all of them at once with SIGKILL, and lets the exchange go on without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Self

import psutil

from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams
from orbit_fast.testing import ServerSettings
from tests.kit.command import is_alive

ROOT = Path(__file__).resolve().parents[2]
PART = 16 << 10
SOURCE = "source"
TARGET = "target"
EXTRA = "extra"
LIMIT_S = 60.0
GONE_WITHIN_S = 30.0
MOST_RUNS = 24

SIZES = (0, 1, 1000, PART, PART + 1, 3 * PART, 5 * PART + 7)
"""Bytes of the files of a job: whole ones, and such as go in up to six parts."""

FEW = len(SIZES)
MANY = 200
"""Files of a job: each size once, or a directory of everything."""

VICTIMS = ("supervisor", "worker", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a job does.

    Attributes:
        name: of it.
        operation: ``cp``, ``mv``, ``sync``, which deletes what the source does not have, or ``run``: a ``cp`` each.
        from_disk: the source is a directory.
        to_disk: the destination is.
    """

    name: str
    operation: str = "cp"
    from_disk: bool = False
    to_disk: bool = False


SCENARIOS = (
    Scenario(name="up", from_disk=True),
    Scenario(name="down", to_disk=True),
    Scenario(name="copy"),
    Scenario(name="move-up", operation="mv", from_disk=True),
    Scenario(name="move-down", operation="mv", to_disk=True),
    Scenario(name="move", operation="mv"),
    Scenario(name="sync-up", operation="sync", from_disk=True),
    Scenario(name="sync-down", operation="sync", to_disk=True),
    Scenario(name="run-up", operation="run", from_disk=True),
    Scenario(name="run", operation="run"),
)


@dataclass(slots=True)
class Strike:
    """One kill.

    Attributes:
        victim: one of `VICTIMS`.
        operation: of which exchanges are counted, or ``''`` for all.
        number: of the exchange, counted from 1.
        is_after: when the service has acted.
        delay_s: how long after.
        has_struck: it has killed somebody.
    """

    victim: str
    operation: str = ""
    number: int = 1
    is_after: bool = False
    delay_s: float = 0.0
    has_struck: bool = False
    seen: int = field(default=0)

    def is_due(self, request: HttpRequest, *, is_after: bool) -> bool:
        """Count an exchange; whether this is the one."""
        if self.has_struck or is_after != self.is_after or self.operation not in {"", request.operation}:
            return False
        self.seen += 1
        return self.seen == self.number


def random_strikes(seed: int, files: int = FEW) -> Iterator[Strike]:
    """A few strikes for a job of a few files, a dozen for one of many, each at another moment."""
    rng = random.Random(seed)
    for _ in range(rng.randint(3, 5) if files == FEW else rng.randint(9, 15)):
        yield Strike(
            rng.choices(VICTIMS, weights=(6, 2, 2))[0],
            number=rng.randint(1, rng.choice((3, 8, 20) if files == FEW else (10, 50, files))),
            is_after=rng.random() < 0.5,
            delay_s=rng.choice((0.0, 0.0, rng.uniform(0.0, 0.02))),
        )


class Lab:
    """A server, a zygote, and the jobs of one test.

    Attributes:
        kills: how many have been made.
        runs: how many runs they took.
        resumed: objects that a run took up where another one had stopped.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        settings = ServerSettings(min_part_size=1)
        self.server = S3Server(settings=settings, intercept=self._intercept, root=directory)
        self.server.seams = Seams(revise=self._revise)
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.crash_zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self._strike: Strike | None = None
        self._pid = 0
        self._is_started = threading.Event()
        self._timers: list[threading.Timer] = []
        self.kills = 0
        self.runs = 0
        self.resumed = 0

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._zygote.stdin.close()
        self._zygote.wait(LIMIT_S)
        self._zygote.stdout.close()
        self.server.close()

    # --- one run -----------------------------------------------------------------------------------------------------

    def run(self, job: dict[str, Any], strike: Strike | None) -> int:
        """Run a job; its exit status, once nothing of it is alive any more."""
        self._is_started.clear()
        self._strike = strike
        self.runs += 1
        self._zygote.stdin.write(json.dumps(job) + "\n")
        self._zygote.stdin.flush()
        self._pid = int(json.loads(self._zygote.stdout.readline())["pid"])
        family = psutil.Process(self._pid)
        self._family = [family]
        self._is_started.set()
        status = int(json.loads(self._zygote.stdout.readline())["status"])
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._timers.clear()
        self._strike = None
        # Not psutil.wait_procs: that waits also for whoever inherits an orphan to ask how it ended.
        deadline_s = time.monotonic() + GONE_WITHIN_S
        while any(is_alive(one) for one in self._family):
            assert time.monotonic() < deadline_s, "a process outlived its supervisor"
            time.sleep(0.002)
        return status

    def _kill(self, strike: Strike) -> None:
        """SIGKILL to whom it is meant for."""
        if strike.has_struck or not self._is_started.wait(LIMIT_S):
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            supervisor = self._family[0]
            workers = supervisor.children(recursive=True)
            self._family += workers
            worker = [workers[strike.number % len(workers)]] if workers else []
            victims = {"supervisor": [supervisor], "worker": worker, "all": [*workers, supervisor]}
            for victim in victims[strike.victim]:
                strike.has_struck = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim.pid, signal.SIGKILL)
            self.kills += strike.has_struck

    async def _meet(self, request: HttpRequest, *, is_after: bool) -> None:
        strike = self._strike
        if strike is None or not strike.is_due(request, is_after=is_after):
            return
        if strike.delay_s:
            timer = threading.Timer(strike.delay_s, self._kill, (strike,))
            self._timers.append(timer)
            timer.start()
        else:
            await asyncio.to_thread(self._kill, strike)

    async def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        await self._meet(request, is_after=False)
        return None

    async def _revise(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        await self._meet(request, is_after=True)
        return response

    # --- jobs --------------------------------------------------------------------------------------------------------

    def trial(self, scenario: Scenario, seed: int, files: int = FEW) -> Trial:
        """A job of its own, with so many files of its own."""
        return Trial(self, scenario, seed, self._directory / f"{scenario.name}-{seed}", files)


class Trial:
    """One job, and what it must come to.

    Attributes:
        files: name and content of everything that is to be moved.
    """

    def __init__(self, lab: Lab, scenario: Scenario, seed: int, directory: Path, files: int) -> None:
        self._lab = lab
        self._scenario = scenario
        self._store = lab.server.store
        self._directory = directory
        self._bucket = directory.name
        rng = random.Random(seed)
        self.files = {
            f"{'deep/er/' if place % 2 else ''}f{place}": rng.randbytes(size)
            for place, size in enumerate(rng.sample(SIZES, FEW) + rng.choices(SIZES, k=files - FEW))
        }
        self._lay_out()

    def _lay_out(self) -> None:
        for name in ("work", "state"):
            (self._directory / name).mkdir(parents=True)
        lines = [f"{source}{name} {target}{name}\n" for name in self.files for source, target in [self._ends]]
        (self._directory / "script").write_text("".join(lines))
        self._store.create_bucket(self._bucket)
        for name, data in self.files.items():
            self._write(SOURCE, name, data)
        if self._scenario.operation == "sync":
            self._write(TARGET, EXTRA, b"not in the source")
        if not self._scenario.from_disk and self._scenario.operation == "mv":
            # What the last run finds: a prefix with nothing under it would be an error.
            self._store.put(self._bucket, f"{SOURCE}/", b"")
        self._objects = {key: self._store.read(self._bucket, key) for key in self._store.keys(self._bucket)}

    def _write(self, end: str, name: str, data: bytes) -> None:
        if self._scenario.from_disk if end == SOURCE else self._scenario.to_disk:
            path = self._directory / "work" / end / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        else:
            self._store.put(self._bucket, f"{end}/{name}", data)

    @property
    def _ends(self) -> tuple[str, str]:
        """Where everything is, and where it is to be."""
        ends = {True: "{}/", False: f"s3://{self._bucket}/{{}}/"}
        return ends[self._scenario.from_disk].format(SOURCE), ends[self._scenario.to_disk].format(TARGET)

    @property
    def job(self) -> dict[str, Any]:
        """What the zygote is told."""
        server = self._lab.server
        source, destination = self._ends
        return {
            "sources": [source],
            "destination": destination,
            "script": str(self._directory / "script"),
            "operation": self._scenario.operation,
            "part_size": PART,
            "directory": str(self._directory / "work"),
            "log": str(self._directory / "log"),
            "environment": {
                "AWS_ACCESS_KEY_ID": server.access_key,
                "AWS_SECRET_ACCESS_KEY": server.secret_key,
                "AWS_ENDPOINT_URL": server.url,
                "AWS_REGION": "us-east-1",  # with this and a HOME nobody has to ask botocore, in a process of its own
                "HOME": os.devnull,
                "XDG_STATE_HOME": str(self._directory / "state"),
            },
        }

    def run(self, strikes: Iterator[Strike]) -> None:
        """Run the job, struck as often as there are strikes, until it says that it is done; then look at everything."""
        for _ in range(MOST_RUNS):
            strike = next(strikes, None)
            status = self._lab.run(self.job, strike)
            self.check_meanwhile()
            if status == 0:
                break
            assert strike is not None, f"exit {status} without a strike\n{self.log}"
            assert strike.has_struck, f"exit {status} before the strike\n{self.log}"
            assert status == -signal.SIGKILL or strike.victim == "worker", f"exit {status}\n{self.log}"
        else:
            raise AssertionError(f"it never ends\n{self.log}")
        self.check_end()
        self._lab.resumed += (self._directory / "log").read_text().count('"resumed_bytes"')

    @property
    def directory(self) -> Path:
        """Where its files are, those on the disk and those of its state."""
        return self._directory

    def restore(self, *, without: Collection[str] = ()) -> None:
        """Have the service hold what it held before the first run, but for these keys."""
        self._store.buckets.pop(self._bucket, None)
        self._store.create_bucket(self._bucket)
        for key, data in self._objects.items():
            if key not in without:
                self._store.put(self._bucket, key, data)

    def forget(self) -> None:
        """Remove what it has left, once it has been looked at."""
        shutil.rmtree(self._directory)
        del self._store.buckets[self._bucket]

    # --- what must be true -------------------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """What the runs said."""
        return (self._directory / "log").read_text()[-6000:]

    def _read(self, end: str, name: str) -> bytes | None:
        on_disk = self._scenario.from_disk if end == SOURCE else self._scenario.to_disk
        if on_disk:
            path = self._directory / "work" / end / name
            return path.read_bytes() if path.exists() else None
        version = self._store.bucket(self._bucket).current(f"{end}/{name}")
        return None if version is None else version.content.read()

    def _names(self) -> set[str]:
        """What the destination has under final names."""
        if not self._scenario.to_disk:
            keys = self._store.keys(self._bucket)
            return {key.removeprefix(f"{TARGET}/") for key in keys if key.startswith(f"{TARGET}/")}
        top = self._directory / "work" / TARGET
        paths = [path for path in top.rglob("*") if path.is_file() and not path.name.startswith(".orbit-")]
        return {str(path.relative_to(top)) for path in paths}

    def check_meanwhile(self) -> None:
        """Nothing foreign has a final name, and no source is gone of which there is no copy."""
        assert self._names() <= {*self.files, EXTRA}, "names that nobody asked for"
        for name, data in self.files.items():
            assert self._read(TARGET, name) in {None, data}, f"{name} is half done"
            if self._read(SOURCE, name) != data:
                assert self._scenario.operation == "mv", f"{name} is gone"
                assert self._read(TARGET, name) == data, f"{name} is lost"

    def check_end(self) -> None:
        """Everything has arrived, and nothing else is left."""
        for name, data in self.files.items():
            assert self._read(TARGET, name) == data, name
            assert self._read(SOURCE, name) == (None if self._scenario.operation == "mv" else data), name
        assert self._read(TARGET, EXTRA) is None, "what the source does not have"
        left = [one.key for one in self._store.unfinished_uploads()]
        assert left == [], f"unfinished uploads: {left}\n{self.log}"
        litter = [path for path in self._directory.rglob("*") if path.name.startswith(".orbit-")]
        assert litter == [], f"{litter}\n{self.log}"
        journals = list((self._directory / "state").rglob("*.journal"))
        assert journals == [], f"{journals[0].read_text()}\n{self.log}"
