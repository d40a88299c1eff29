"""What the machine says of itself: plausible, and the same as Python's own view of it."""

from __future__ import annotations

import os
import platform
import resource

from orbit_fast.io import machine


def test_limits():
    """As the system has them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = [-1 if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard)]
    assert machine.file_limits() == tuple(told)
    assert 1 <= machine.cpu_count() <= (os.cpu_count() or 1)
    limit, total = machine.memory_limits()
    assert limit >= 0
    assert total > 1 << 20
    assert machine.can_share_memory()


def test_versions():
    """Of Python and of what orbit stands on."""
    found = machine.versions()
    assert found["python"] == platform.python_version()
    assert set(machine.PACKAGES) < set(found)
    assert found["botocore"][0].isdigit()
