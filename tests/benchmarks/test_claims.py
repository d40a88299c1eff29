"""What the README says about speed is what the committed results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.claims import BEGIN
from benchmarks.claims import END
from benchmarks.claims import block_of
from benchmarks.claims import claims
from benchmarks.claims import committed

ROOT = Path(__file__).resolve().parents[2]


def row(name, client, median, unit="object"):
    """One row of results."""
    figures = None if median is None else {"cpu_s": {"median": median}}
    return {"workload": {"name": name, "title": name.upper(), "unit": unit}, "client": client, "figures": figures}


def test_the_readme_says_what_the_results_say():
    """Neither was changed without the other."""
    assert block_of((ROOT / "README.md").read_text()) == claims(committed(ROOT))


def test_the_results_are_of_this_project():
    """Every row has a client and figures or a reason why not, and no path of anybody's machine."""
    facts = committed(ROOT)
    assert facts["rows"]
    assert all(one["figures"] or one["failure"] for one in facts["rows"])
    assert "command" not in facts["rows"][0]


def test_a_claim_is_a_time_and_how_many_times_ours_the_peers_is():
    """Peers that did not do the work have an empty cell; work that orbit did not do has no row."""
    rows = [
        row("up-4k", "orbit", 30e-6),
        row("up-4k", "s5cmd", 300e-6),
        row("down-64m", "orbit", 0.25, "GiB"),
        row("down-64m", "obstore", 0.5, "GiB"),
        row("list", "s5cmd", 1.0, "key"),
        row("list", "orbit", None, "key"),
    ]
    text = claims({"rows": rows})
    assert text.startswith(BEGIN)
    assert text.endswith(END)
    assert "| work | orbit | s5cmd | obstore |" in text
    assert "| UP-4K | 30.0 µs | 300.0 µs (10.0 x) |  |" in text
    assert "| DOWN-64M | 0.250 s |  | 0.500 s (2.0 x) |" in text
    assert "LIST" not in text


def test_a_readme_without_the_marks_is_refused():
    """Nothing is written into a text that has no place for it, or two."""
    for text in ("", BEGIN, f"{BEGIN}{END}{BEGIN}{END}"):
        with pytest.raises(ValueError, match="once each"):
            block_of(text)
