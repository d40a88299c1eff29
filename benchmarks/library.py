"""The library beside aioboto3, s3fs and obstore: CPU for each call.

``python benchmarks/library.py [--rounds N] [--scale F] [--only CALL] [--write]``

Every measurement is a process of its own against the load target, which has a CPU to itself where there are two, and
polls there: to wake a server that sleeps costs a client on a virtual machine more than most calls do.
Rounds are interleaved: each library does each call once in every round, so that what disturbs the machine disturbs all
alike; the table has medians. It goes into ``LIBRARY.md`` with ``--write``. What is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.peers.library_calls import CLIENTS
from benchmarks.peers.library_calls import IN_FLIGHT
from benchmarks.run import SPIN_US
from benchmarks.run import split_cpus
from benchmarks.target import LoadTarget

PAGE = Path(__file__).resolve().parent / "LIBRARY.md"
PROGRAM = Path(__file__).resolve().parent / "peers" / "library_calls.py"
OURS = "orbit"
PACKAGES = {"orbit": "orbit-fast", "aioboto3": "aioboto3", "s3fs": "s3fs", "obstore": "obstore"}
LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the table: name, title, and how often it is made in one measurement."""

    name: str
    title: str
    count: int


CALLS = (
    Call("get-16k", "GET 16 KiB", 4000),
    Call("get-1m", "GET 1 MiB", 1000),
    Call("range-64m", "GET a range of 64 MiB", 24),
    Call("put-16k", "PUT 16 KiB", 4000),
    Call("put-1m", "PUT 1 MiB", 600),
    Call("put-1m-unsigned", "PUT 1 MiB, its payload not signed", 1000),
)

Taken = Mapping[str, Sequence[Mapping[str, float]]]
"""What each library took, round by round."""


def installed() -> dict[str, str]:
    """The libraries that are here, and their versions."""
    found = {}
    for client, package in PACKAGES.items():
        try:
            found[client] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"{package} is not installed: it is left out", file=sys.stderr)
    return found


def measure(client: str, call: Call, url: str, count: int) -> dict[str, float]:
    """One measurement."""
    command = [sys.executable, str(PROGRAM), client, call.name, url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=_environment())
    if not done.stdout.strip():
        raise RuntimeError(f"{client} {call.name}: {done.stderr.strip()[-2000:]}")
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def _environment() -> dict[str, str]:
    """Nothing of the surroundings that says where S3 is."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def section(call: Call, taken: Taken) -> str:
    """The table of one kind of call."""
    lines = [
        f"### {call.title}",
        "",
        "| library | CPU per call | range | beside orbit | wall time per call | peak memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    ours = statistics.median(each["cpu_s"] for each in taken[OURS])
    for client, rounds in taken.items():
        cpu = [each["cpu_s"] for each in rounds]
        wall_s = statistics.median(each["wall_s"] for each in rounds)
        peak = max(each["peak_bytes"] for each in rounds)
        name = f"**{client}**" if client == OURS else client
        lines.append(
            f"| {name} | {shown(statistics.median(cpu))} | {shown(min(cpu))} to {shown(max(cpu))} "
            f"| {statistics.median(cpu) / ours:.2f} | {shown(wall_s)} | {peak / (1 << 20):.0f} MiB |"
        )
    return "\n".join(lines) + "\n"


def shown(seconds: float) -> str:
    """A time as people read it."""
    return f"{seconds * 1e3:.1f} ms" if seconds >= 0.001 else f"{seconds * 1e6:.0f} µs"


def behind(call: Call, taken: Taken) -> list[str]:
    """The libraries that need less CPU than this one."""
    medians = {client: statistics.median(each["cpu_s"] for each in rounds) for client, rounds in taken.items()}
    return [f"{call.title}: {client}" for client, cpu_s in medians.items() if cpu_s < medians[OURS]]


def page(versions: Mapping[str, str], results: Mapping[str, Taken], rounds: int) -> str:
    """The whole of LIBRARY.md."""
    named = ", ".join(f"{client} {version}" for client, version in versions.items())
    head = (
        "# The library beside others\n\n"
        "Written by `python benchmarks/library.py --write`. CPU is user and system time of the whole process, for one\n"
        f"call; medians of {rounds} interleaved rounds, {IN_FLIGHT} calls in flight, on uvloop, over plain HTTP,\n"
        "against the load target of these benchmarks (which has a CPU to itself), with whatever each library verifies\n"
        "by default. Starting up is not in it.\n"
        "\n"
        "Over plain HTTP all four hash a body into the signature by default (SHA-256: 0.5 ms of CPU for 1 MiB here),\n"
        "and all but obstore send a CRC of it besides. The last table is without the hash, for whom a trusted network\n"
        "does as well; each library has a setting for that.\n"
        "\n"
        f"{named}; Python {platform.python_version()}, {os.cpu_count()} CPUs, Linux {platform.release()}.\n"
    )
    titles = {call.name: call for call in CALLS}
    return "\n".join([head, *(section(titles[name], taken) for name, taken in results.items())])


def main() -> int:
    """Measure, print, and write where that was asked for; 1 where somebody is ahead."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="calls of a measurement, times this")
    parser.add_argument("--only", choices=[call.name for call in CALLS], action="append")
    parser.add_argument("--clients", choices=list(CLIENTS), action="append")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    versions = {name: text for name, text in installed().items() if not given.clients or name in given.clients}
    calls = [call for call in CALLS if not given.only or call.name in given.only]
    results: dict[str, dict[str, list[dict[str, float]]]] = {
        call.name: {client: [] for client in versions} for call in calls
    }
    own, targets = split_cpus("")
    with LoadTarget(cpus=targets, spin_us=SPIN_US if own != targets else 0) as target:
        os.sched_setaffinity(0, map(int, own.split(",")))
        for _ in range(given.rounds):
            for call in calls:
                for client in versions:
                    count = max(1, int(call.count * given.scale))
                    results[call.name][client].append(measure(client, call, target.url, count))
    text = page(versions, results, given.rounds)
    print(text)
    if given.write:
        PAGE.write_text(text)
    ahead = [name for call in calls for name in behind(call, results[call.name])]
    print(f"ahead of orbit: {', '.join(ahead) or 'none'}", file=sys.stderr)
    return int(bool(ahead))


if __name__ == "__main__":
    sys.exit(main())
