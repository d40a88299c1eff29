"""A large object that is interrupted half way: the next run moves what was missing, and nothing else."""

from __future__ import annotations

import signal

import pytest

from orbit_fast.core.settings import MIB
from tests.crash.large import AT_ONCE
from tests.crash.large import WAYS
from tests.crash.large import Lab

PART = 5
SIZE = 64 * MIB + 1
pytestmark = pytest.mark.slow


def test_an_interrupted_transfer_moves_only_what_was_missing(tmp_path) -> None:
    """Up and down, by SIGKILL of everything and by Ctrl-C, in bytes by the server's own count."""
    with Lab(tmp_path, SIZE, PART) as lab:
        for way, by in WAYS:
            row = lab.trial(way, by)
            assert row.told + row.second == SIZE, row
            assert row.first >= SIZE // 2 - PART * MIB, row
            # Up, a part is in the listing or is not. Down, what was on its way is asked for again.
            most = 0 if way == "up" else AT_ONCE * PART * MIB
            if by is signal.SIGKILL:
                most *= 2  # and what no journal says yet
            assert row.twice <= most, row
