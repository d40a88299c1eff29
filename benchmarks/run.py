"""Measures the installed command beside its peers: ``python benchmarks/run.py [quick] [options]``.

Writes a table to stdout and, into ``--out``: ``results.json`` (every run), ``results.html`` (one page, nothing else
needed) and ``RESULTS.md``. ``--commit`` writes ``benchmarks/results.json`` and ``benchmarks/RESULTS.md`` too, and what
the README says about speed: for a session on all workloads and clients.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fnmatch
import functools
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # instead of benchmarks/: its modules are named benchmarks.*

from benchmarks.claims import write_claims  # noqa: E402 - after the path is set
from benchmarks.clients import BUCKET  # noqa: E402
from benchmarks.clients import CLIENTS  # noqa: E402
from benchmarks.clients import Client  # noqa: E402
from benchmarks.clients import orbit_at  # noqa: E402
from benchmarks.link import LinkedTarget  # noqa: E402
from benchmarks.measure import wait_quiet  # noqa: E402
from benchmarks.page import page  # noqa: E402
from benchmarks.real_server import RcloneTarget  # noqa: E402
from benchmarks.report import as_json  # noqa: E402
from benchmarks.report import machine  # noqa: E402
from benchmarks.report import markdown  # noqa: E402
from benchmarks.report import text_table  # noqa: E402
from benchmarks.session import Folders  # noqa: E402
from benchmarks.session import Series  # noqa: E402
from benchmarks.session import Server  # noqa: E402
from benchmarks.session import Session  # noqa: E402
from benchmarks.session import is_in_memory  # noqa: E402
from benchmarks.session import room_available  # noqa: E402
from benchmarks.session import room_needed  # noqa: E402
from benchmarks.target import LoadTarget  # noqa: E402
from benchmarks.target import Weather  # noqa: E402
from benchmarks.workloads import FAR  # noqa: E402
from benchmarks.workloads import LINKS  # noqa: E402
from benchmarks.workloads import LOAD  # noqa: E402
from benchmarks.workloads import RCLONE  # noqa: E402
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
    cpus = split_cpus(options.client_cpus)
    if options.wait:
        say(f"load: {wait_quiet(0.5, options.wait)}")
    with make_folders(options.folder) as folders:
        check_room(chosen, folders)
        rounds = options.rounds or (3 if is_quick else 5)
        table = measure(folders, chosen, clients, rounds, cpus, limit_s=60 * options.minutes)
        kinds = {
            name: "memory" if is_in_memory(folder) else "disk" for name, folder in dataclasses.asdict(folders).items()
        }
    about = machine() | {"clients on CPUs": cpus[0], "target on CPUs": cpus[1]}
    about |= {"small files in": kinds["small"], "large files in": f"{kinds['bulk']} (page cache)"}
    command = shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]])
    write(Path(options.out), table, about, command, commits=options.commit)
    print(text_table(table))
    return 1 if any(series.failure for series in table if series.client.name.startswith("orbit")) else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("pace", nargs="?", choices=["full", "quick"], default="full")
    parser.add_argument("--only", default="", help="workloads or patterns, separated by commas: up-4k,*-64m*,list ...")
    parser.add_argument("--clients", default="", help="clients, separated by commas: orbit,s5cmd ...")
    parser.add_argument(
        "--beside", action="append", default=[], help="NAME=PROGRAM: another orbit, in the same session"
    )
    parser.add_argument("--rounds", type=int, default=0, help="runs of each [5; quick: 3]")
    parser.add_argument("--minutes", type=float, default=0, help="begin no round that would end later [no limit]")
    parser.add_argument("--client-cpus", default="", help="CPUs of the clients: 0 or 0,1 [all but the last]")
    parser.add_argument("--folder", default="", help="where files are made [small: memory; large: the disk]")
    parser.add_argument("--out", default="bench-results", help="where results are written [bench-results]")
    parser.add_argument("--commit", action="store_true", help="write them into the repository too")
    parser.add_argument(
        "--objects", type=int, default=0, help="number of small objects or keys, instead of the workload's"
    )
    parser.add_argument("--bytes", type=int, default=0, help="size of large objects, instead of the workload's")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for a quiet machine")
    return parser.parse_args(arguments)


def choose(options: argparse.Namespace, *, is_quick: bool) -> list[Workload]:
    """The workloads that were asked for."""
    all_of_them = workloads(is_quick=is_quick and not options.only)
    patterns = [name for name in options.only.split(",") if name]
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(workload.name, pattern) for workload in all_of_them):
            sys.exit(f"no such workload: {pattern}; there are {', '.join(workload.name for workload in all_of_them)}")
    chosen = [
        workload
        for workload in all_of_them
        if not patterns or any(fnmatch.fnmatchcase(workload.name, pattern) for pattern in patterns)
    ]
    return [shrunk(workload, options.objects, options.bytes) for workload in chosen]


def shrunk(workload: Workload, objects: int, size: int) -> Workload:
    """The workload with another number of objects, or with large objects of another size; 0 leaves it."""
    if objects and workload.unit in {"object", "key", "line"}:
        return dataclasses.replace(workload, count=objects, base=max(1, objects // 5))
    if size and workload.is_bulk:
        return dataclasses.replace(workload, size=size, base_size=size // 4 if workload.base_size else 0)
    return workload


def choose_clients(options: argparse.Namespace, *, is_quick: bool) -> list[Client]:
    """The clients that were asked for."""
    names = [name for name in options.clients.split(",") if name] or (list(QUICK_CLIENTS) if is_quick else [])
    unknown = set(names) - {client.name for client in CLIENTS}
    if unknown:
        sys.exit(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in CLIENTS)}")
    chosen = [client for client in CLIENTS if not names or client.name in names]
    for text in options.beside:
        name, _, program = text.partition("=")
        if not os.access(program, os.X_OK):
            sys.exit(f"--beside NAME=PROGRAM: {program!r} is no program")
        chosen.append(Client(name=name, find=functools.partial(str, program), command=orbit_at(program), about=program))
    return chosen


def split_cpus(wanted: str) -> tuple[str, str]:
    """CPUs of the clients and of the target: the last one is the target's, where there are two."""
    available = sorted(os.sched_getaffinity(0))
    if wanted:
        rest = [cpu for cpu in available if str(cpu) not in wanted.split(",")] or available[-1:]
        return wanted, ",".join(str(cpu) for cpu in rest)
    mine = available[:-1] or available
    return ",".join(str(cpu) for cpu in mine), str(available[-1])


@contextlib.contextmanager
def make_folders(wanted: str) -> Iterator[Folders]:
    """Where files are made: small ones in memory where the system has such a place, large ones on a disk."""
    memory = wanted or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    disk = wanted or next(
        (place for place in (tempfile.gettempdir(), "/var/tmp") if not is_in_memory(Path(place))), memory
    )
    with (
        tempfile.TemporaryDirectory(dir=memory, prefix="orbit-bench-") as small,
        tempfile.TemporaryDirectory(dir=disk, prefix="orbit-bench-") as bulk,
    ):
        yield Folders(small=Path(small), bulk=Path(bulk))


def check_room(chosen: Sequence[Workload], folders: Folders) -> None:
    """End here where the files would not fit."""
    for folder, is_bulk in ((folders.small, False), (folders.bulk, True)):
        needed = room_needed([workload for workload in chosen if workload.is_bulk == is_bulk])
        available = room_available(folder)
        if needed > available:
            sys.exit(
                f"the files need {needed >> 20} MiB in {folder} and a quarter of what is free is"
                f" {available >> 20} MiB: see --folder"
            )


def measure(
    folders: Folders,
    chosen: Sequence[Workload],
    clients: Sequence[Client],
    rounds: int,
    cpus: tuple[str, str],
    *,
    limit_s: float,
) -> list[Series]:
    """Start the servers and run everything."""
    spin_us = 0 if set(cpus[0].split(",")) & set(cpus[1].split(",")) else SPIN_US
    certificate, key = None, None
    if any(workload.tls for workload in chosen):
        certificate, key = make_certificate(folders.small)
    with contextlib.ExitStack() as stack:
        servers: dict[str, Server] = {}
        for name in dict.fromkeys(workload.server_name for workload in chosen):
            try:
                if name == f"{LOAD}-tls":
                    made = LoadTarget(cpus=cpus[1], spin_us=spin_us, certificate=certificate, key=key)
                    servers[name] = stack.enter_context(made)
                elif name == FAR:
                    servers[name] = stack.enter_context(LoadTarget(cpus=cpus[1], weather=Weather()))
                elif name == RCLONE:
                    folder = folders.bulk / "rclone"
                    servers[name] = stack.enter_context(RcloneTarget(folder, BUCKET, cpus=cpus[1]))
                elif name in LINKS:
                    servers[name] = stack.enter_context(LinkedTarget(rate=LINKS[name], cpus=cpus[1]))
                else:
                    servers[name] = stack.enter_context(LoadTarget(cpus=cpus[1], spin_us=spin_us))
            except RuntimeError as reason:
                say(f"left out: all workloads at {name}: {reason}")
        session = Session(folders, servers, certificate)
        session.cpus = cpus[0]
        session.tell = say
        session.limit_s = limit_s
        return session.measure([one for one in chosen if one.server_name in servers], clients, rounds)


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


def write(out: Path, table: Sequence[Series], about: dict[str, str], command: str, *, commits: bool) -> None:
    """The files."""
    out.mkdir(parents=True, exist_ok=True)
    facts = as_json(table, about, command)
    report = markdown(table, about, command)
    (out / "results.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out / "results.html").write_text(page(table, about, command))
    (out / "RESULTS.md").write_text(report)
    say(f"written: {out}/results.json, results.html, RESULTS.md")
    if commits:
        here = ROOT / "benchmarks"
        (here / "results.json").write_text(json.dumps(without_runs(facts), indent=1) + "\n")
        (here / "RESULTS.md").write_text(report)
        write_claims(ROOT)
        say("written: benchmarks/results.json, benchmarks/RESULTS.md, README.md")


def without_runs(facts: dict[str, Any]) -> dict[str, Any]:
    """The results without every single run, and without paths of this machine."""
    rows = [{key: row[key] for key in ("workload", "client", "figures", "failure")} for row in facts["rows"]]
    return facts | {"rows": rows}


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
