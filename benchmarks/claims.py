"""What the README says about speed: made from the committed results, never by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import shown_time

BEGIN, END = "<!-- speed: written by benchmarks/run.py --commit -->", "<!-- /speed -->"
PEERS = ("s5cmd", "obstore", "rclone", "boto3")
ROWS = ("up-4k", "down-4k", "up-64m", "down-64m", "up-64m-tls", "down-64m-tls", "up-4g", "down-4g")
ROWS_OF_KEYS = ("list", "delete", "sync", "cat", "pipe")


def claims(facts: Mapping[str, Any]) -> str:
    """The block between the marks: a table of CPU times, with how many times orbit's each peer's is."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in facts["rows"]:
        if row["figures"] is not None:
            found.setdefault(row["workload"]["name"], {})[row["client"]] = row
    rows = [found[name] for name in (*ROWS, *ROWS_OF_KEYS) if "orbit" in found.get(name, {})]
    peers = [peer for peer in PEERS if any(peer in row for row in rows)]
    lines = [
        BEGIN,
        "CPU time of all processes (user and system), for one object, key or GiB, start-up taken off; in brackets how",
        "many times orbit's. The same work against the same server in one session, medians of its rounds;",
        "[`benchmarks/RESULTS.md`](benchmarks/RESULTS.md) has the commands, wall times, memory and everything else.",
        "",
        f"| work | orbit | {' | '.join(peers)} |",
        f"|---|---{'|---' * len(peers)}|",
        *(_row(row, peers) for row in rows),
        END,
    ]
    return "\n".join(lines)


def _row(row: Mapping[str, Mapping[str, Any]], peers: list[str]) -> str:
    workload = row["orbit"]["workload"]
    ours = row["orbit"]["figures"]["cpu_s"]["median"]
    cells = [workload["title"], shown_time(ours, workload["unit"])]
    for peer in peers:
        if peer not in row:
            cells.append("")
            continue
        theirs = row[peer]["figures"]["cpu_s"]["median"]
        cells.append(f"{shown_time(theirs, workload['unit'])} ({theirs / ours:.1f} x)")
    return f"| {' | '.join(cells)} |"


def committed(root: Path) -> dict[str, Any]:
    """The results in the repository."""
    facts: dict[str, Any] = json.loads((root / "benchmarks" / "results.json").read_text())
    return facts


def block_of(readme: str) -> str:
    """What stands between the marks now, marks included.

    Raises:
        ValueError: the marks do not stand there once each.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md must have {BEGIN!r} and {END!r} once each")
    return readme[readme.index(BEGIN) : readme.index(END) + len(END)]


def write_claims(root: Path) -> None:
    """Put what the committed results say into the README."""
    path = root / "README.md"
    text = path.read_text()
    path.write_text(text.replace(block_of(text), claims(committed(root))))
