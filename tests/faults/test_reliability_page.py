"""What ``docs/RELIABILITY.md`` says is there, is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "RELIABILITY.md").read_text()


def test_every_test_that_the_page_names_exists():
    """A row of the table of faults without its test would be a claim."""
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_[a-z0-9_]+)\(", tests, re.MULTILINE))
    assert len(named) > 90
    assert named <= there, named - there


def test_every_row_of_the_tests_is_on_the_page():
    """Each row that a test is named after stands in the tables."""
    names = re.findall(
        r"^def test_((?:[a-z][0-9]+_)+)",
        "\n".join(path.read_text() for path in Path(__file__).parent.glob("*.py")),
        re.MULTILINE,
    )
    rows = {row.upper() for name in names for row in name.strip("_").split("_") if row[0] in "abcdeflsvw"}
    on_page = set()
    for cell in re.findall(r"^\| ([A-Z][0-9A-Z, -]+) \|", PAGE, re.MULTILINE):
        for first, last in re.findall(r"([A-Z][0-9]+)(?: - ([A-Z][0-9]+))?", cell):
            end = int((last or first)[1:])
            on_page |= {f"{first[0]}{number}" for number in range(int(first[1:]), end + 1)}
    assert rows <= on_page, rows - on_page


def test_the_figures_of_other_programs_are_those_that_were_measured():
    """The table on the page is the one that the comparison wrote."""
    [shown] = re.findall(r"<!-- peers -->\n(.+?)<!-- /peers -->", PAGE, re.DOTALL)
    assert "wrong success" in shown
    assert shown in (ROOT / "docs" / "reliability-peers.md").read_text()
