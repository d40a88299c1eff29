"""Memory at scale: ten million names on each side of a sync, and streams of 10 GiB through the library.

``python benchmarks/scale.py [--names N] [--bytes N] [--write]``

Against the load target, which makes listings and bodies up. The memory is the largest sum of PSS of all processes of
the command, looked at ten times a second; of the library it is the peak of the whole process. It goes into
``SCALE.md`` with ``--write``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

if __package__ in {None, ""}:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.target import ACCESS_KEY
from benchmarks.target import SECRET_KEY
from benchmarks.target import LoadTarget

PAGE = Path(__file__).resolve().parent / "SCALE.md"
LOOK_S = 0.1

LIBRARY = """
import asyncio, json, resource, sys
from orbit_fast import S3Client, S3Config

what, url, amount = sys.argv[1], sys.argv[2], int(sys.argv[3])

async def chunks():
    piece = bytes(1 << 20)
    for _ in range(amount >> 20):
        yield piece

async def main():
    config = S3Config("bench", endpoint=url, region="us-east-1")
    async with S3Client(config) as client:
        if what == "up":
            await client.upload_stream(chunks(), "up/stream")
            return amount
        if what == "down":
            return sum([len(piece) async for piece in client.stream(f"synth/{amount}/1/0000/0000000.bin")])
        count = 0
        async for _ in client.iter_objects(f"synth/16/{amount}/"):
            count += 1
        return count

count = asyncio.run(main())
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"count": count, "peak": used.ru_maxrss * 1024, "cpu_s": used.ru_utime + used.ru_stime}))
"""


def environment(url: str) -> Mapping[str, str]:
    """What a client needs to find the target."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORBIT_"))}
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}
    return {**kept, **keys, "AWS_ENDPOINT_URL": url}


def run_command(command: Sequence[str], url: str) -> tuple[float, float, int]:
    """Wall and CPU seconds of a command and its largest memory in bytes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started_s, peak = time.monotonic(), 0
    with subprocess.Popen(command, env=environment(url), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, pss_of(process.pid))
            time.sleep(LOOK_S)
    if process.returncode:
        raise RuntimeError(f"{command}: exit status {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started_s, cpu_s, peak


def pss_of(pid: int) -> int:
    """Proportional memory of a process and its children, bytes; 0 where it has just ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    own = next((int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return own + sum(pss_of(int(child)) for child in children)


def run_library(what: str, url: str, amount: int) -> Mapping[str, float]:
    """What one use of the library took, in a process of its own."""
    command = [sys.executable, "-c", LIBRARY, what, url, str(amount)]
    done = subprocess.run(command, env=environment(url), capture_output=True, text=True, check=True)
    taken: Mapping[str, float] = json.loads(done.stdout)
    if taken["count"] != amount:
        raise RuntimeError(f"{what}: {taken['count']} instead of {amount}")
    return taken


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=int, default=10_000_000)
    parser.add_argument("--bytes", type=int, default=10 << 30)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    orbit = str(Path(sys.executable).with_name("orbit"))
    lines = [
        "## Memory at scale",
        "",
        "Written by `python benchmarks/scale.py --write`: the largest sum of PSS of all processes of the command, and",
        f"the peak of the whole process for the library. {os.cpu_count()} CPUs, Linux {platform.release()}.",
        "",
        "| what | amount | memory | CPU | wall |",
        "|---|---:|---:|---:|---:|",
    ]
    with LoadTarget() as target:
        sides = [f"s3://{bucket}/synth/16/{options.names}/" for bucket in ("one", "two")]
        command = [orbit, "sync", "--delete", *sides]
        wall_s, cpu_s, peak = run_command(command, target.url)
        per_key = cpu_s / options.names * 1e6
        lines.append(
            f"| `orbit sync --delete`, nothing to do | {options.names:,} names on each side "
            f"| {peak >> 20} MiB | {per_key:.1f} µs a pair | {wall_s:.0f} s |"
        )
        for what, title, amount, unit in (
            ("up", "`upload_stream`", options.bytes, "GiB"),
            ("down", "`stream`", options.bytes, "GiB"),
            ("list", "`iter_objects`", min(options.names, 1_000_000), "names"),
            ("list", "`iter_objects`, for the size of the process itself", 1_000, "names"),
        ):
            started_s = time.monotonic()
            taken = run_library(what, target.url, amount)
            shown = f"{amount / (1 << 30):g} GiB" if unit == "GiB" else f"{amount:,} names"
            wall_s = time.monotonic() - started_s
            peak = int(taken["peak"])
            lines.append(f"| library: {title} | {shown} | {peak >> 20} MiB | {taken['cpu_s']:.1f} s | {wall_s:.0f} s |")
    page = "\n".join(lines) + "\n"
    sys.stdout.write(page)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
