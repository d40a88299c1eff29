"""The snapshot of a running job."""

from __future__ import annotations

import pytest

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.console import Snapshot


@pytest.mark.parametrize(
    ("snapshot", "eta_s"),
    [
        (Snapshot(bytes_done=25, bytes_total=100, rate_bps=25.0), 3.0),
        (Snapshot(bytes_done=100, bytes_total=100, rate_bps=25.0), 0.0),
        (Snapshot(bytes_done=120, bytes_total=100, rate_bps=25.0), 0.0),
        (Snapshot(bytes_done=25, bytes_total=None, rate_bps=25.0), None),
        (Snapshot(bytes_done=25, bytes_total=100, rate_bps=0.0), None),
    ],
)
def test_eta(snapshot, eta_s):
    """The time left follows from the rate, is never negative, and is unknown without a total or a rate."""
    assert snapshot.eta_s == eta_s


def test_silent_console_takes_no_lines():
    """Lines that the silent console is offered stay with their writer."""
    console = SilentConsole()
    console.show(Snapshot(elapsed_s=9.0))
    assert console.write(b"line\n") is False
    console.close()
    assert console.is_stdout_tty is False
