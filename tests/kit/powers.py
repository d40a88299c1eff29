"""Permissions that hold for whoever runs the tests."""

from __future__ import annotations

import os
import shutil

import pytest


def without_root_powers() -> tuple[str, ...]:
    """A command prefix under which file permissions hold for root too; skips the test where there is none."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root ignores permissions, and there is no setpriv to take that power away")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
