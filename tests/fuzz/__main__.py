"""Fuzzing on demand, guided by coverage: ``tox -e fuzz -- GROUP --seconds 1200``, or one target by its name.

A run goes on when it has found something; what it found it writes beside the corpus of its target as ``found-…``, one
input for every place that an exception was raised at. It stays there when the fault is mended: the tests replay it.
Exit code 1 where there is a finding, a hang or too much memory.
"""

from __future__ import annotations

import argparse
import hashlib
import mmap
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import NoReturn

import atheris

WATCHED = [
    "botocore.eventstream",
    "botocore.parsers",
    "orbit_fast.client.engine_events",
    "orbit_fast.core",
    "orbit_fast.io.endpoints",
    "orbit_fast.io.eventstream",
    "orbit_fast.io.reader",
    "orbit_fast.proc.channel",
    "orbit_fast.testing.aws_chunked",
    "tomllib",
]
"""Modules whose branches the fuzzer sees."""

with atheris.instrument_imports(include=WATCHED):
    from tests.fuzz.targets import CORPUS
    from tests.fuzz.targets import GROUPS
    from tests.fuzz.targets import TARGETS
    from tests.fuzz.targets import corpus_of

_COUNTER_BYTES = 8


class Run:
    """One run over some targets: the first byte of an input says which of them it is for."""

    def __init__(self, names: tuple[str, ...], work: Path) -> None:
        self._names = names
        self._work = work
        self._counts = mmap.mmap(-1, _COUNTER_BYTES * len(names))  # shared with the process that fuzzes
        self._seen: set[tuple[str, ...]] = set()

    def seed(self) -> Path:
        """The directory of inputs that the run begins with."""
        seeds = self._work / "seeds"
        seeds.mkdir()
        for index, name in enumerate(self._names):
            for path in corpus_of(name):
                (seeds / f"{name}-{path.name}").write_bytes(bytes([index]) + path.read_bytes())
        return seeds

    def one_input(self, data: bytes) -> None:
        """Give an input to its target, and keep it where it fails at a place that is new."""
        if not data:
            return
        index = data[0] % len(self._names)
        at = _COUNTER_BYTES * index
        count = int.from_bytes(self._counts[at : at + _COUNTER_BYTES], "little") + 1
        self._counts[at : at + _COUNTER_BYTES] = count.to_bytes(_COUNTER_BYTES, "little")
        try:
            TARGETS[self._names[index]](data[1:])
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            self._keep(self._names[index], data[1:], error)

    def _keep(self, name: str, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = (name, type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in frames))
        if place in self._seen:
            return
        self._seen.add(place)
        path = CORPUS / name / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        sys.stderr.write(f"\nFINDING {path}\n{''.join(traceback.format_exception(error))}\n")
        sys.stderr.flush()
        (self._work / "findings").write_text("some")

    def fuzz(self, seconds: int, seeds: Path) -> NoReturn:
        """Fuzz until the time is over; the library ends the process."""
        arguments = [
            f"-max_total_time={seconds}",
            "-max_len=4096",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            f"-artifact_prefix={self._work}/",
        ]
        atheris.Setup([sys.argv[0], *arguments, str(seeds)], self.one_input)
        atheris.Fuzz()
        os._exit(0)

    def report(self, code: int, seconds: float) -> int:
        """Say what was done; the exit code."""
        for index, name in enumerate(self._names):
            count = int.from_bytes(self._counts[_COUNTER_BYTES * index : _COUNTER_BYTES * (index + 1)], "little")
            sys.stdout.write(f"{name:14} {count:12,} inputs\n")
        has_found = bool(code) or (self._work / "findings").exists()
        sys.stdout.write(f"{seconds:.0f} s, {'findings' if has_found else 'nothing found'}\n")
        return int(has_found)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="tox -e fuzz --", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", choices=[*GROUPS, *TARGETS], help="a group or a target")
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="orbit-fuzz-") as directory:
        run = Run(tuple(each for name in given.names for each in GROUPS.get(name, (name,))), Path(directory))
        seeds = run.seed()
        child = os.fork()
        if not child:
            run.fuzz(given.seconds, seeds)
        _, status = os.waitpid(child, 0)
        return run.report(os.waitstatus_to_exitcode(status), time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
