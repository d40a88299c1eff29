"""Measures the installed command beside its peers: ``python benchmarks/run.py [quick] [options]``.

Writes a table to stdout and, into ``--out``: ``results.json`` (every run), ``results.html`` (one page, nothing else
needed) and ``RESULTS.md``; a full session on all workloads and clients writes ``benchmarks/RESULTS.md`` too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of benchmarks/: its modules are named benchmarks.*

from benchmarks.clients import CLIENTS  # noqa: E402 - after the path is set
from benchmarks.clients import Client  # noqa: E402
from benchmarks.measure import wait_quiet  # noqa: E402
from benchmarks.page import page  # noqa: E402
from benchmarks.report import as_json  # noqa: E402
from benchmarks.report import machine  # noqa: E402
from benchmarks.report import markdown  # noqa: E402
from benchmarks.report import text_table  # noqa: E402
from benchmarks.session import Series  # noqa: E402
from benchmarks.session import Session  # noqa: E402
from benchmarks.session import room_available  # noqa: E402
from benchmarks.session import room_needed  # noqa: E402
from benchmarks.target import LoadTarget  # noqa: E402
from benchmarks.workloads import Workload  # noqa: E402
from benchmarks.workloads import workloads  # noqa: E402

SPIN_US = 500
"""How long the target polls before it sleeps: to wake it costs the client microseconds that are not its own."""
QUICK_CLIENTS = ("orbit", "orbit unsigned", "s5cmd", "obstore")


def main() -> int:
    """Do what the arguments say; the exit status."""
    options = parse(sys.argv[1:])
    is_quick = options.pace == "quick"
    chosen = choose(options, is_quick=is_quick)
    clients = choose_clients(options, is_quick=is_quick)
    missing = [client.name for client in clients if client.find() is None]
    if missing:
        say(f"not installed, left out: {', '.join(missing)}")
    clients = [client for client in clients if client.name not in missing]
    client_cpus, target_cpus = split_cpus(options.client_cpus)
    if options.wait:
        say(f"load: {wait_quiet(0.5, options.wait)}")
    needed, available = room_needed(chosen), room_available(Path(work_folder(options.folder) or tempfile.gettempdir()))
    if needed > available:
        sys.exit(
            f"the files need {needed >> 20} MiB and a quarter of what is free is {available >> 20} MiB: see --folder"
        )
    with tempfile.TemporaryDirectory(dir=work_folder(options.folder), prefix="orbit-bench-") as folder:
        table = measure(
            Path(folder), chosen, clients, options.rounds or (3 if is_quick else 5), (client_cpus, target_cpus)
        )
    about = machine() | {"clients on CPUs": client_cpus, "target on CPUs": target_cpus}
    command = shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])
    write(Path(options.out), table, about, command)
    if not (is_quick or options.only or options.clients):
        (ROOT / "benchmarks" / "RESULTS.md").write_text(markdown(table, about, command))
    print(text_table(table))
    return 1 if any(series.failure for series in table if series.client.name.startswith("orbit")) else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("pace", nargs="?", choices=["full", "quick"], default="full")
    parser.add_argument("--only", default="", help="workloads, separated by commas: up-4k,down-64m-tls ...")
    parser.add_argument("--clients", default="", help="clients, separated by commas: orbit,s5cmd ...")
    parser.add_argument("--rounds", type=int, default=0, help="runs of each [5; quick: 3]")
    parser.add_argument("--client-cpus", default="", help="CPUs of the clients: 0 or 0,1 [all but the last]")
    parser.add_argument("--folder", default="", help="where files are made [memory]")
    parser.add_argument("--out", default="bench-results", help="where results are written [bench-results]")
    parser.add_argument(
        "--objects", type=int, default=0, help="number of small objects, instead of the workload's own number"
    )
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a quiet machine")
    return parser.parse_args(arguments)


def choose(options: argparse.Namespace, *, is_quick: bool) -> list[Workload]:
    """The workloads that were asked for."""
    import dataclasses  # noqa: PLC0415 - only here

    all_of_them = workloads(is_quick=is_quick and not options.only)
    names = [name for name in options.only.split(",") if name]
    unknown = set(names) - {workload.name for workload in all_of_them}
    if unknown:
        sys.exit(
            f"no such workload: {', '.join(sorted(unknown))}; there are "
            f"{', '.join(workload.name for workload in all_of_them)}"
        )
    found = [workload for workload in all_of_them if not names or workload.name in names]
    if options.objects:
        found = [
            dataclasses.replace(workload, count=options.objects, base=max(1, options.objects // 5))
            if workload.unit == "object"
            else workload
            for workload in found
        ]
    return found


def choose_clients(options: argparse.Namespace, *, is_quick: bool) -> list[Client]:
    """The clients that were asked for."""
    names = [name for name in options.clients.split(",") if name] or (list(QUICK_CLIENTS) if is_quick else [])
    unknown = set(names) - {client.name for client in CLIENTS}
    if unknown:
        sys.exit(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in CLIENTS)}")
    return [client for client in CLIENTS if not names or client.name in names]


def split_cpus(wanted: str) -> tuple[str, str]:
    """CPUs of the clients and of the target: the last one is the target's, where there are two."""
    available = sorted(os.sched_getaffinity(0))
    if wanted:
        rest = [cpu for cpu in available if str(cpu) not in wanted.split(",")] or available[-1:]
        return wanted, ",".join(str(cpu) for cpu in rest)
    mine = available[:-1] or available
    return ",".join(str(cpu) for cpu in mine), str(available[-1])


def work_folder(wanted: str) -> str | None:
    """Where files are made: in memory where the system has such a place."""
    return wanted or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def measure(
    folder: Path, chosen: Sequence[Workload], clients: Sequence[Client], rounds: int, cpus: tuple[str, str]
) -> list[Series]:
    """Start the targets and run everything."""
    spin_us = 0 if set(cpus[0].split(",")) & set(cpus[1].split(",")) else SPIN_US
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(LoadTarget(cpus=cpus[1], spin_us=spin_us))
        encrypted, certificate = None, None
        if any(workload.tls for workload in chosen):
            certificate, key = make_certificate(folder)
            encrypted = stack.enter_context(LoadTarget(cpus=cpus[1], spin_us=spin_us, certificate=certificate, key=key))
        session = Session(folder, plain, encrypted, certificate)
        session.cpus = cpus[0]
        session.tell = say
        return session.measure(chosen, clients, rounds)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback that is its own authority's, and its key."""
    import trustme  # noqa: PLC0415 - only workloads over TLS need it

    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    pems = [pem.bytes() for pem in issued.cert_chain_pems]
    chain.write_bytes(b"".join([*pems, authority.cert_pem.bytes()]))
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


def write(out: Path, table: Sequence[Series], about: dict[str, str], command: str) -> None:
    """The files."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(as_json(table, about, command), indent=1) + "\n")
    (out / "results.html").write_text(page(table, about, command))
    (out / "RESULTS.md").write_text(markdown(table, about, command))
    say(f"written: {out}/results.json, results.html, RESULTS.md")


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
