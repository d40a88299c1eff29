"""The progress display: a few times a second, one snapshot drawn on stderr when that is a terminal.

It has no thread and no timer of its own (the supervisor forks, so its process must have one thread): it draws when it
is given a snapshot. It draws nothing in the first half second, so that a short job neither flickers nor loads the
drawing library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orbit_fast.cli.environment import Environment
from orbit_fast.core.console import Console
from orbit_fast.core.console import SilentConsole
from orbit_fast.core.console import Snapshot
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.units import format_duration
from orbit_fast.core.units import format_rate
from orbit_fast.core.units import format_size

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.live import Live

_FIRST_DRAWN_S = 0.5


def new_console(output: OutputSettings, environment: Environment) -> Console:
    """The console that the settings and the terminal allow.

    ``--progress`` and ``--no-progress`` are obeyed; without either there is a display unless ``--quiet``. There is none
    under ``--json``, where progress is events, and none where stderr is no terminal.
    """
    wanted = output.progress if output.progress is not None else not output.quiet
    if not wanted or output.json or not environment.is_stderr_tty:
        return SilentConsole()
    return TerminalConsole(is_stdout_tty=environment.is_stdout_tty)


def describe(snapshot: Snapshot) -> str:
    """A snapshot in one line: what is done, how fast, how long still."""
    files = f"{snapshot.files_done:,}"
    size = format_size(snapshot.bytes_done, human=True)
    if snapshot.files_total is not None:
        files = f"{files}/{snapshot.files_total:,}"
    if snapshot.bytes_total is not None:
        size = f"{size}/{format_size(snapshot.bytes_total, human=True)}"
    eta_s = snapshot.eta_s
    parts = [
        f"{files} objects",
        size,
        format_rate(snapshot.rate_bps, human=True),
        f"ETA {_whole_seconds(eta_s)}" if eta_s is not None else _whole_seconds(snapshot.elapsed_s),
        f"{snapshot.in_flight} in flight",
    ]
    if snapshot.retries:
        parts.append(f"{snapshot.retries:,} retries")
    if snapshot.files_failed:
        parts.append(f"{snapshot.files_failed:,} failed")
    return " · ".join(parts)


def _whole_seconds(duration_s: float) -> str:
    """A duration that changes once a second, not with every drawing."""
    return f"{round(duration_s)}s" if round(duration_s) < 60 else format_duration(duration_s)


class TerminalConsole:
    """Draws on the terminal behind stderr.

    Args:
        is_stdout_tty: stdout is a terminal too, so its lines must be printed above the display.
        terminal: what to draw on instead of stderr.
    """

    def __init__(self, *, is_stdout_tty: bool, terminal: RichConsole | None = None) -> None:
        self.is_stdout_tty = is_stdout_tty
        self._terminal = terminal
        self._live: Live | None = None
        self._is_closed = False

    def show(self, snapshot: Snapshot) -> None:
        """Draw `snapshot`; nothing in the job's first half second."""
        if self._is_closed or snapshot.elapsed_s < _FIRST_DRAWN_S:
            return
        if self._live is None:
            self._live = self._start()
        self._live.update(_drawing(snapshot), refresh=True)

    def write(self, lines: bytes, *, is_error: bool = False) -> bool:
        """Print lines above the display, once there is one and if their stream is the same terminal."""
        if self._live is None or not (is_error or self.is_stdout_tty):
            return False
        from rich.text import Text  # noqa: PLC0415  the display has loaded it

        text = Text(lines.decode("utf-8", "backslashreplace"))
        self._live.console.print(text, end="", soft_wrap=True)
        return True

    def close(self) -> None:
        """Take the display away."""
        self._is_closed = True
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self) -> Live:
        from rich.console import Console as RichConsole  # noqa: PLC0415  60 ms that only a longer job pays
        from rich.live import Live  # noqa: PLC0415  as above

        terminal = self._terminal or RichConsole(stderr=True)
        live = Live(console=terminal, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        live.start()
        return live


def _drawing(snapshot: Snapshot) -> RenderableType:
    from rich.progress_bar import ProgressBar  # noqa: PLC0415  loaded with the display
    from rich.table import Table  # noqa: PLC0415  as above
    from rich.text import Text  # noqa: PLC0415  as above

    total = snapshot.bytes_total
    bar = ProgressBar(
        total=float(total) if total else None,
        completed=float(min(snapshot.bytes_done, total or 0)),
        width=40,
        pulse=not total,
        animation_time=snapshot.elapsed_s,
    )
    grid = Table.grid()
    grid.add_row(bar)
    grid.add_row(Text(describe(snapshot)))
    return grid
