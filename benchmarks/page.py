"""The results as one HTML page that needs nothing else: tables, and bars drawn with SVG."""

from __future__ import annotations

import html
from collections.abc import Mapping
from collections.abc import Sequence

from benchmarks.figures import Spread
from benchmarks.figures import figures
from benchmarks.figures import goal_of
from benchmarks.figures import shown_time
from benchmarks.report import COLUMNS
from benchmarks.report import grouped
from benchmarks.report import row
from benchmarks.session import Series

WIDTH, LABEL, VALUE, BAR = 760, 130, 120, 26
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #6b7280; --line: #d8dce2; --bar: #9aa7b8; --ours: #1769aa;
  --goal: #c2410c; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3af; --line: #363b43; --bar: #5b6675;
  --ours: #58a6e0; --goal: #fb923c; --page: #14171b } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: 13px }
td, th { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
td:first-child, th:first-child { text-align: left } svg { max-width: 100%; height: auto; margin: .5rem 0 }
text { fill: var(--ink); font-size: 13px } .soft { fill: var(--soft); color: var(--soft) }
.bar { fill: var(--bar) } .ours { fill: var(--ours) } .range { stroke: var(--ink); stroke-width: 1.5 }
.goal { stroke: var(--goal); stroke-width: 2; stroke-dasharray: 4 3 } .goaltext { fill: var(--goal) }
"""


def page(table: Sequence[Series], about: Mapping[str, str], command: str) -> str:
    """The whole page."""
    facts = "".join(f"<li>{html.escape(name)}: {html.escape(value)}</li>" for name, value in about.items())
    parts = [_section(group) for group in grouped(table).values()]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>orbit: measurements</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><h1>orbit beside its peers</h1>"
        f"<p>Written by <code>{html.escape(command)}</code>. CPU is user and system time of all processes of a"
        " client; the thin line on a bar is the range over the rounds, the dashed one the project's limit.</p>"
        f"<ul>{facts}</ul>{''.join(parts)}</html>\n"
    )


def _section(group: Sequence[Series]) -> str:
    workload = group[0].workload
    return (
        f"<h2>{html.escape(workload.title)}</h2>"
        f"{_bars(group, 'cpu', 'CPU')}{_bars(group, 'wall', 'wall time')}"
        f'<div class="scroll">{_table(group)}</div>'
    )


def _table(group: Sequence[Series]) -> str:
    lines = ["".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS)]
    for series in group:
        found = figures(series)
        if found is not None:
            cells = (html.escape(cell.replace("**", "")) for cell in row(series, found))
            lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _bars(group: Sequence[Series], kind: str, title: str) -> str:
    """One bar a client, with its range and the goal."""
    bars: list[tuple[str, Spread]] = []
    goal = None
    for series in group:
        found = figures(series)
        if found is None:
            continue
        bars.append((series.client.name, found.cpu_s if kind == "cpu" else found.wall_s))
        wanted = goal_of(series)
        if wanted is not None and wanted[0] == kind and series.client.name == "orbit":
            goal = wanted[1]
    if not bars:
        return ""
    unit = group[0].workload.unit
    most = max([bar.high for _, bar in bars] + [goal or 0.0]) or 1.0
    scale = (WIDTH - LABEL - VALUE) / most
    height = BAR * (len(bars) + 1) + 6
    drawn = [f'<text x="0" y="16" class="soft">{title} / {unit}</text>']
    for number, (name, bar) in enumerate(bars, 1):
        drawn.append(_bar(name, bar, number * BAR, scale, unit))
    if goal is not None:
        x = LABEL + goal * scale
        drawn.append(f'<line class="goal" x1="{x:.1f}" x2="{x:.1f}" y1="{BAR - 4}" y2="{height - 4}"/>')
        drawn.append(f'<text class="goaltext" x="{x + 4:.1f}" y="{BAR - 8}">{shown_time(goal, unit)}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" aria-label="{title}">{"".join(drawn)}</svg>'


def _bar(name: str, bar: Spread, y: int, scale: float, unit: str) -> str:
    kind = "ours" if name.startswith("orbit") else "bar"
    middle = y + BAR / 2 - 2
    end = LABEL + max(0.0, bar.median) * scale
    low, high = (LABEL + max(0.0, value) * scale for value in (bar.low, bar.high))
    return (
        f'<text x="0" y="{middle + 5:.1f}">{html.escape(name)}</text>'
        f'<rect class="{kind}" x="{LABEL}" y="{y + 2}" width="{max(1.0, end - LABEL):.1f}" height="{BAR - 8}" rx="2"/>'
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
        f'<text x="{max(end, high) + 8:.1f}" y="{middle + 5:.1f}">{shown_time(bar.median, unit)}</text>'
    )
