"""The progress display on a terminal of memory."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console as RichConsole

from orbit_fast.cli.display import TerminalConsole
from orbit_fast.cli.display import describe
from orbit_fast.cli.display import new_console
from orbit_fast.cli.environment import Environment
from orbit_fast.core.console import SilentConsole
from orbit_fast.core.console import Snapshot
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import OutputSettings

SNAPSHOT = Snapshot(
    bytes_done=512 * MIB,
    bytes_total=GIB,
    files_done=1000,
    files_total=2000,
    files_failed=2,
    in_flight=256,
    retries=3,
    elapsed_s=5.0,
    rate_bps=100.0 * MIB,
)


def terminal():
    """A terminal that keeps what is drawn on it."""
    return RichConsole(file=io.StringIO(), force_terminal=True, width=160, color_system=None, legacy_windows=False)


@pytest.mark.parametrize(
    ("output", "is_tty", "is_shown"),
    [
        (OutputSettings(), True, True),
        (OutputSettings(), False, False),
        (OutputSettings(progress=True), False, False),
        (OutputSettings(progress=True), True, True),
        (OutputSettings(progress=False), True, False),
        (OutputSettings(quiet=True), True, False),
        (OutputSettings(quiet=True, progress=True), True, True),
        (OutputSettings(json=True), True, False),
        (OutputSettings(json=True, progress=True), True, False),
    ],
)
def test_new_console(output, is_tty, is_shown):
    """There is a display on a terminal unless it was forbidden, or JSON has progress as events."""
    console = new_console(output, Environment(variables={}, is_stderr_tty=is_tty, is_stdout_tty=True))
    assert isinstance(console, TerminalConsole if is_shown else SilentConsole)
    assert console.is_stdout_tty is is_shown


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (
            SNAPSHOT,
            "1,000/2,000 objects · 512.0 MiB/1.0 GiB · 100.0 MiB/s · ETA 5s · 256 in flight · 3 retries · 2 failed",
        ),
        (
            Snapshot(bytes_done=10, files_done=1, in_flight=2, elapsed_s=75.0, rate_bps=1.0),
            "1 objects · 10 B · 1 B/s · 1m15s · 2 in flight",
        ),
    ],
)
def test_describe(snapshot, text):
    """The line says what is done of what, how fast, how long still, and what went wrong."""
    assert describe(snapshot) == text


def test_draws_the_snapshot_and_starts_no_thread():
    """A snapshot is on the terminal when `show` returns, and the process has the threads it had."""
    before = threading.active_count()
    screen = terminal()
    console = TerminalConsole(is_stdout_tty=True, terminal=screen)
    console.show(SNAPSHOT)
    assert threading.active_count() == before
    assert describe(SNAPSHOT) in [line.strip() for line in screen.file.getvalue().splitlines()]
    console.close()
    console.close()


def test_short_jobs_draw_nothing():
    """In the first half second nothing is drawn, and lines are left to their writer."""
    screen = terminal()
    console = TerminalConsole(is_stdout_tty=True, terminal=screen)
    console.show(Snapshot(elapsed_s=0.4))
    assert console.write(b"cp a b\n") is False
    console.close()
    assert screen.file.getvalue() == ""


@pytest.mark.parametrize(
    ("is_stdout_tty", "is_error", "is_taken"), [(True, False, True), (False, False, False), (False, True, True)]
)
def test_lines_go_above_the_display(is_stdout_tty, is_error, is_taken):
    """Lines are taken when their stream is the display's own terminal, and printed exactly."""
    screen = terminal()
    console = TerminalConsole(is_stdout_tty=is_stdout_tty, terminal=screen)
    console.show(SNAPSHOT)
    line = "cp [bold]a[/bold] " + "x" * 300
    assert console.write(f"{line}\n".encode(), is_error=is_error) is is_taken
    console.close()
    assert (line in screen.file.getvalue()) is is_taken


def test_closed_display_stays_closed():
    """A snapshot that comes late draws nothing."""
    screen = terminal()
    console = TerminalConsole(is_stdout_tty=True, terminal=screen)
    console.close()
    console.show(SNAPSHOT)
    assert screen.file.getvalue() == ""
