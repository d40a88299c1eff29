"""A lab for each test of a fault, and small file systems."""

from __future__ import annotations

import contextlib

import pytest

from tests.kit.fault_run import open_lab
from tests.kit.mounts import mount


@pytest.fixture
def lab(tmp_path):
    """A server without a fault yet, and an empty directory: tests add rules to ``lab.plan``."""
    with open_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def mounted(tmp_path):
    """Mounts a tmpfs with the options given, below the test's directory."""
    with contextlib.ExitStack() as stack:

        def mounted(options):
            directory = tmp_path / "disk"
            directory.mkdir()
            return stack.enter_context(mount(directory, options))

        yield mounted
