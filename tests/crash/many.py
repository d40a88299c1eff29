"""Thousands of kills: ``python -m tests.crash.many [KILLS] [FIRST_SEED] [LABS]``. The figures go to stdout.

Each seed is one job of each kind; every tenth one has `MANY` files and is struck a dozen times, the others have a few
files of each size. Jobs of several seeds run side by side, each in a lab of its own. Every violation of what
`tests.kit.crash_lab.Trial` checks is told in the end, with the seed that shows it.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.kit.crash_lab import FEW
from tests.kit.crash_lab import MANY
from tests.kit.crash_lab import SCENARIOS
from tests.kit.crash_lab import Lab
from tests.kit.crash_lab import random_strikes

TOLD_EVERY_S = 30.0
MANY_EVERY = 10
MOST_VIOLATIONS = 5


def files_of(seed: int) -> int:
    """How many files the jobs of a seed have."""
    return FEW if seed % MANY_EVERY else MANY


class Run:
    """Labs that share the seeds.

    Attributes:
        violations: what was not as it must be, each with the seed that shows it.
    """

    def __init__(self, kills: int, seed: int, labs: list[Lab]) -> None:
        self._kills = kills
        self._seeds: Iterator[int] = itertools.count(seed)
        self._labs = labs
        self._lock = threading.Lock()
        self._started_s = time.monotonic()
        self._told_s = self._started_s
        self._trials = {FEW: 0, MANY: 0}
        self.violations: list[str] = []

    def work(self, lab: Lab) -> None:
        """Take one seed after the other until there were kills enough, or too many violations."""
        while sum(one.kills for one in self._labs) < self._kills and len(self.violations) < MOST_VIOLATIONS:
            with self._lock:
                seed = next(self._seeds)
            files = files_of(seed)
            for scenario in SCENARIOS:
                trial = lab.trial(scenario, seed, files)
                try:
                    trial.run(random_strikes(seed, files))
                except AssertionError as error:
                    asked = [f"{one.operation} {one.key} {one.status} {one.connection}" for one in lab.server.store.log]
                    self.violations.append("\n".join([f"{scenario.name}, seed {seed}: {error}", *asked]))
                trial.forget()
                lab.server.store.log.clear()
                with self._lock:
                    self._trials[files] += 1
                    self._tell(TOLD_EVERY_S)

    def _tell(self, every_s: float) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s < every_s:
            return
        self._told_s = now_s
        kills, runs, resumed = (sum(getattr(one, name) for one in self._labs) for name in ("kills", "runs", "resumed"))
        sys.stdout.write(
            f"{kills} kills, {runs} runs, {sum(self._trials.values())} jobs ({self._trials[MANY]} of {MANY} files), "
            f"{resumed} objects taken up, {len(self.violations)} violations, {now_s - self._started_s:.0f} s\n"
        )
        sys.stdout.flush()

    def tell(self) -> None:
        """Say what has come of it."""
        self._tell(0.0)


def main(kills: int, seed: int, count: int) -> None:
    """Kill so often, and say what came of it."""
    with contextlib.ExitStack() as stack:
        directories = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(count)]
        labs = [stack.enter_context(Lab(Path(directory))) for directory in directories]
        run = Run(kills, seed, labs)
        with ThreadPoolExecutor(count) as pool:
            for done in [pool.submit(run.work, lab) for lab in labs]:
                done.result()
        run.tell()
    if run.violations:
        raise SystemExit("\n".join(run.violations))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(10_000, 1, 4)[len(given) :])
