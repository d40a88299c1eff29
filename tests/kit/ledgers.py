"""Ledgers without a journal."""

from __future__ import annotations

from orbit_fast.core.hands import Limits
from orbit_fast.io.clock import Clock
from orbit_fast.proc.journal import Journal
from orbit_fast.proc.line_ledger import LineLedger


def line_ledger(limits: Limits) -> LineLedger:
    """That of a script which comes from a pipe."""
    clock = Clock()
    return LineLedger(limits, Journal("", "none", clock=clock, warn=print), clock)
