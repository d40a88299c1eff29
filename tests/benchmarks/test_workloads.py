"""The workloads are whole: names, goals, and what each client makes of them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import clients as room
from benchmarks.clients import CLIENTS
from benchmarks.clients import Work
from benchmarks.measure import RunFailed
from benchmarks.run import choose
from benchmarks.run import shrunk
from benchmarks.session import check_seen
from benchmarks.workloads import GIB
from benchmarks.workloads import MIB
from benchmarks.workloads import workloads

ALL = {workload.name: workload for workload in workloads(is_quick=False)}
GOALS = {
    "up-4k": 35e-6,
    "down-4k": 45e-6,
    "up-4k-tls": 60e-6,
    "down-4k-tls": 60e-6,
    "up-64m": 0.85,
    "down-64m": 0.42,
    "up-64m-tls": 0.65,
    "down-64m-tls": 0.68,
    "list": 4e-6,
    "delete": 4e-6,
    "sync": 8e-6,
    "run-cp": 46e-6,
}


def test_goals():
    """What orbit must reach stands with the workload it is about."""
    assert {name: ALL[name].goal_cpu_s for name in GOALS} == GOALS
    assert ALL["up-64m"].unsigned_goal_cpu_s == 0.30
    assert (ALL["version"].goal_wall_s, ALL["one"].goal_wall_s) == (0.10, 0.30)
    assert not any(ALL[name].goal_cpu_s for name in ALL if name.startswith(("far-", "link-", "rclone-")))


def test_the_quick_ones_are_some_of_them():
    """Fewer workloads, fewer small objects, none over TLS, all at the load target."""
    quick = workloads(is_quick=True)
    assert {workload.name for workload in quick} < set(ALL)
    assert {workload.server_name for workload in quick} == {"load"}


def test_small_objects_far_away_are_measured_whole():
    """Of two runs the shorter one meets a late answer or does not: a difference would be chance."""
    for verb in ("up", "down"):
        far = ALL[f"far-{verb}-4k"]
        assert (far.amounts, far.units) == ((9_000,), 9_000.0)
        assert ALL[f"{verb}-4k"].amounts == (1_000, 25_000)


def test_one_object_is_measured_by_its_growth():
    """The difference of two sizes is what its figures are for."""
    big = ALL["up-4g"]
    assert big.amounts == (64 * MIB, 4 * GIB)
    assert [big.shape(amount) for amount in big.amounts] == [(1, 64 * MIB), (1, 4 * GIB)]
    assert big.units == pytest.approx(4 - 1 / 16)
    assert ALL["up-64m"].units == pytest.approx(14 / 16)
    assert ALL["up-64m"].shape(2) == (2, 64 * MIB)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_client_says_what_it_can_do(client, monkeypatch):
    """A command for each verb that names the server and what is to be worked on, or None; s5cmd and orbit do all."""
    monkeypatch.setattr(room, "_knows", lambda _program, _verb: True)
    for workload in ALL.values():
        count, size = workload.shape(workload.full)
        work = Work(verb=workload.verb, url="http://127.0.0.1:9", count=count, size=size, local=Path("/x"))
        command = client.command(work)
        if command is None:
            assert client.name not in {"orbit", "s5cmd"}
            continue
        text = " ".join(command)
        assert work.verb == "version" or work.url in text
        if work.verb in {"down", "list", "delete", "sync"}:
            assert work.prefix in text


def test_a_command_that_is_not_there_yet_is_left_out(monkeypatch):
    """An orbit without the command does not take part."""
    monkeypatch.setattr(room, "_knows", lambda _program, verb: verb == "cp")
    assert CLIENTS[0].command(Work(verb="one", url="u")) is not None
    assert CLIENTS[0].command(Work(verb="pipe", url="u")) is None


@pytest.mark.parametrize(
    ("verb", "count", "size", "seen", "is_done"),
    [
        ("up", 2, 10, {"PutObject": 1, "CompleteMultipartUpload": 1, "bytes_in": 30}, True),
        ("up", 2, 10, {"PutObject": 2, "bytes_in": 19}, False),
        ("pipe", 1, 10, {"PutObject": 0, "bytes_in": 100}, False),
        ("list", 2001, 0, {"ListObjectsV2": 2}, False),
        ("list", 2000, 0, {"ListObjectsV2": 2}, True),
        ("delete", 2000, 0, {"ListObjectsV2": 2, "DeleteObjects": 2}, True),
        ("delete", 2000, 0, {"ListObjectsV2": 2, "DeleteObjects": 1}, False),
        ("sync", 1000, 0, {"ListObjectsV2": 1}, True),
        ("sync", 1000, 0, {"ListObjectsV2": 1, "PutObject": 1}, False),
        ("run-cp", 2, 10, {"PutObject": 2, "bytes_in": 20}, True),
        ("run-cp", 2, 10, {"PutObject": 1, "bytes_in": 20}, False),
        ("run-rm", 1500, 0, {"DeleteObjects": 1500}, True),
        ("run-rm", 1500, 0, {"DeleteObjects": 1}, False),
        ("cat", 1, 10, {"bytes_out": 9}, False),
    ],
)
def test_work_that_was_not_done_is_noticed(verb, count, size, seen, is_done):
    """Whoever is fast because he does less does not count."""
    work = Work(verb=verb, url="u", count=count, size=size)
    if is_done:
        check_seen(work, seen)
    else:
        with pytest.raises(RunFailed):
            check_seen(work, seen)


def test_workloads_are_chosen_by_pattern_and_shrunk():
    """`*` in names; other numbers and sizes for a trial."""
    options = argparse.Namespace(only="down-*,list", objects=50, bytes=8 * MIB)
    chosen = {workload.name: workload for workload in choose(options, is_quick=False)}
    assert set(chosen) == {name for name in ALL if name.startswith("down-")} | {"list"}
    assert (chosen["list"].count, chosen["list"].base) == (50, 10)
    assert (chosen["down-4g"].size, chosen["down-4g"].base_size) == (8 * MIB, 2 * MIB)
    assert shrunk(ALL["version"], 5, 5) is ALL["version"]
    with pytest.raises(SystemExit, match="no such workload"):
        choose(argparse.Namespace(only="sideways", objects=0, bytes=0), is_quick=False)


def test_peers_are_python_that_compiles():
    """The peers' scripts are not imported by any test."""
    for script in room.PEERS.glob("*.py"):
        compile(script.read_text(), str(script), "exec")
