"""What the report makes of runs: medians, ranges, and differences that take start-up off."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.clients import CLIENTS
from benchmarks.clients import Work
from benchmarks.figures import figures
from benchmarks.figures import goal_of
from benchmarks.figures import is_met
from benchmarks.figures import shown_time
from benchmarks.measure import Run
from benchmarks.page import page
from benchmarks.report import as_json
from benchmarks.report import markdown
from benchmarks.session import Folders
from benchmarks.session import Series
from benchmarks.session import Session
from benchmarks.session import room_available
from benchmarks.session import room_needed
from benchmarks.target import difference
from benchmarks.workloads import GIB
from benchmarks.workloads import Workload

ORBIT = CLIENTS[0]


def a_run(cpu_s, wall_s=1.0):
    """A run that took `cpu_s`, half of it in the kernel."""
    return Run(wall_s=wall_s, user_s=cpu_s / 2, system_s=cpu_s / 2, largest_rss_bytes=1 << 20)


def a_series(runs, **workload):
    """Orbit's runs, by number of objects."""
    given = {"name": "up-4k", "title": "PUT", "verb": "up", "size": 4096, **workload}
    return Series(Workload(**given), ORBIT, command=["/x/orbit", "cp"], runs=runs)


def test_start_up_is_taken_off_round_by_round():
    """An object costs the difference of two runs of one round, over the difference of their objects."""
    series = a_series({100: [a_run(1.0), a_run(2.0)], 1100: [a_run(2.0), a_run(4.0)]}, count=1100, base=100)
    found = figures(series)
    assert found.cpu_s.median == pytest.approx(0.0015)
    assert (found.cpu_s.low, found.cpu_s.high) == pytest.approx((0.001, 0.002))
    assert found.user_s.median == pytest.approx(0.00075)
    assert found.whole_cpu_s == pytest.approx(3.0)


def test_gibibytes_are_the_unit_of_large_objects():
    """Figures of large objects are for one GiB, whole runs counted."""
    series = a_series({16: [a_run(3.0)]}, size=GIB // 8, count=16, unit="GiB")
    assert figures(series).cpu_s.median == pytest.approx(1.5)


def test_a_series_without_all_its_runs_has_no_figures():
    """Where a client failed between its two runs, nothing is made up."""
    assert figures(a_series({}, count=10)) is None
    assert figures(a_series({100: [], 1100: [a_run(1.0)]}, count=1100, base=100)) is None


def test_goals_are_orbits_alone():
    """A goal is of CPU or of wall time, and only orbit has one."""
    series = a_series({10: [a_run(10 * 35e-6)]}, count=10, goal_cpu_s=40e-6)
    assert goal_of(series) == ("cpu", 40e-6)
    assert is_met(figures(series), goal_of(series))
    assert not is_met(figures(series), ("cpu", 34e-6))
    assert goal_of(Series(series.workload, CLIENTS[2])) is None


def test_reports_show_every_client_and_no_folder():
    """The written forms hold the figures; the commands in them hold no path of this machine."""
    series = a_series({10: [a_run(0.001)]}, count=10, goal_cpu_s=40e-6)
    text = markdown([series], {"CPU": "1 x <fast>"}, "python benchmarks/run.py")
    assert "| orbit | 100.0 µs (**over** 40.0 µs) |" in text
    assert "orbit: orbit cp" in text
    html = page([series], {"CPU": "1 x <fast>"}, "python benchmarks/run.py")
    assert "&lt;fast&gt;" in html
    assert "<svg" in html
    assert as_json([series], {}, "x")["rows"][0]["figures"]["rounds"] == 1


@pytest.mark.parametrize(
    ("seconds", "unit", "text"),
    [(12.34e-6, "object", "12.3 µs"), (0.5, "GiB", "0.500 s"), (0.0294, "run", "0.029 s")],
)
def test_times_are_shown_in_the_unit_of_their_workload(seconds, unit, text):
    """Microseconds for objects, seconds for the rest."""
    assert shown_time(seconds, unit) == text


def test_files_are_made_only_where_there_is_room():
    """Sources count once for each size of run, landings only once; a quarter of what is free may be used."""
    up = Workload(name="a", title="", verb="up", size=10, count=5, base=2)
    down = Workload(name="b", title="", verb="down", size=100, count=3, base=1)
    assert room_needed([up, up, down]) == 70 + 300
    assert 0 < room_available(Path("/")) < 1 << 50


@pytest.mark.parametrize(("limit_s", "rounds"), [(0.0, 5), (1000.0, 5), (29.0, 2), (0.001, 1)])
def test_no_round_begins_that_there_is_no_time_for(tmp_path, monkeypatch, limit_s, rounds):
    """One is measured in any case; then as many as fit, by how long the last one took: here eight seconds each."""
    now_s = [0.0]
    monkeypatch.setattr("benchmarks.session.time.monotonic", lambda: now_s[0])
    session = Session(Folders(small=tmp_path, bulk=tmp_path), {}, None)
    session.limit_s = limit_s
    monkeypatch.setattr(session, "work", lambda *_: Work(verb="version", url="", count=1, size=0, local=tmp_path))
    seen = []

    def one(_series, *, samples_memory):
        seen.append(samples_memory)
        now_s[0] += 8

    monkeypatch.setattr(session, "_measure_one", one)
    session.measure([Workload(name="version", title="start", verb="version")], [ORBIT], 5)
    assert seen == [True] + [False] * rounds


def test_looking_at_the_counters_is_not_counted():
    """The second look's own connection and request are taken out."""
    zero = {"connections": 3, "open": 0, "peak": 0, "bytes_in": 0, "PutObject": 0, "Other": 1}
    after = {"connections": 9, "open": 1, "peak": 5, "bytes_in": 10, "PutObject": 7, "Other": 2}
    assert difference(zero, after) == {
        "connections": 5,
        "open": 1,
        "peak": 5,
        "bytes_in": 10,
        "PutObject": 7,
        "Other": 1,
        "requests": 7,
    }
