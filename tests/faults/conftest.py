"""A lab for each test of a fault."""

from __future__ import annotations

import pytest

from tests.kit.fault_run import open_lab


@pytest.fixture
def lab(tmp_path):
    """A server without a fault yet, and an empty directory: tests add rules to ``lab.plan``."""
    with open_lab(tmp_path) as lab:
        yield lab
