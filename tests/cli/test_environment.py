"""The surroundings of a run."""

from __future__ import annotations

import os
import sys

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.environment import now_ns
from orbit_fast.cli.environment import read_environment
from orbit_fast.cli.environment import read_file
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.environment import write_out


def test_read_environment(monkeypatch):
    """Arguments come without the program's name, variables as they are."""
    monkeypatch.setattr(sys, "argv", ["orbit", "cp", "a"])
    monkeypatch.setenv("ORBIT_WORKERS", "3")
    environment = read_environment()
    assert environment.arguments == ("cp", "a")
    assert environment.variables["ORBIT_WORKERS"] == "3"


def test_repr_shows_no_values():
    """The variables hold secrets, so `repr` counts them only."""
    assert "CANARY" not in repr(Environment(arguments=("CANARY",), variables={"AWS_SECRET_ACCESS_KEY": "CANARY"}))


def test_writes_reach_their_streams(capfdbinary):
    """Bytes go out exactly, each to its stream."""
    write_out(b"out\xff\n")
    write_err(b"err\n")
    assert capfdbinary.readouterr() == (b"out\xff\n", b"err\n")


def test_write_err_survives_a_closed_stream():
    """A closed stderr is nobody's error."""
    kept = os.dup(2)
    os.close(2)
    try:
        write_err(b"nobody\n")
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def test_read_file_and_clock(tmp_path):
    """Files are read whole; the clock is Unix time in nanoseconds."""
    (tmp_path / "f").write_bytes(b"x\0")
    assert read_file(str(tmp_path / "f")) == b"x\0"
    assert now_ns() > 1_700_000_000 * 10**9
