"""Thousands of kills: ``python -m tests.crash.many [KILLS] [FIRST_SEED]``. The figures go to stdout.

Every violation of what `tests.kit.crash_lab.Trial` checks ends it with the seed that shows it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.kit.crash_lab import SCENARIOS
from tests.kit.crash_lab import Lab
from tests.kit.crash_lab import random_strikes

TOLD_EVERY = 100


def main(kills: int, seed: int) -> None:
    """Kill so often, and say what came of it."""
    started_s = time.monotonic()
    told = trials = 0
    with tempfile.TemporaryDirectory() as directory, Lab(Path(directory)) as lab:
        lab.server.store.keeps_log = False
        while lab.kills < kills:
            for scenario in SCENARIOS:
                trial = lab.trial(scenario, seed)
                try:
                    trial.run(random_strikes(seed))
                except AssertionError as error:
                    raise SystemExit(f"{scenario.name}, seed {seed}: {error}") from error
                trial.forget()
                trials += 1
            seed += 1
            if lab.kills - told >= TOLD_EVERY or lab.kills >= kills:
                told = lab.kills
                elapsed_s = time.monotonic() - started_s
                sys.stdout.write(
                    f"{lab.kills} kills, {lab.runs} runs, {trials} jobs, {lab.resumed} objects taken up, "
                    f"0 violations, {elapsed_s:.0f} s\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(10_000, 1)[len(given) :])
