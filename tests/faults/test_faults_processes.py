"""Little memory: a job takes less, or says that it is too little.

Death, signals, few files and a small ``/dev/shm`` are in `tests/e2e` (``test_processes``, ``test_processes_held``) and
`tests/crash`; system calls that fail are in `tests/inject`.

Rows without a test here:

===  ==================================================================================================================
W7   a cgroup's limit: the kernel kills a worker then, which is row W1.
W9   a limit on processes (``ulimit -u``) does not hold for root; a fork that fails is made to (`tests/inject`).
W16  a clock that jumps: timers are monotonic (`io.clock`), signatures follow the service's clock (row A13).
===  ==================================================================================================================
"""

from __future__ import annotations

import shutil

import pytest

from tests.kit.fault_run import BUCKET
from tests.kit.faults_verdict import Aim

pytestmark = pytest.mark.slow


@pytest.fixture
def limited(lab):
    """Uploads a few files in an address space of so many bytes."""
    if shutil.which("prlimit") is None:
        pytest.skip("there is no prlimit")

    def limited(size):
        lab.prefix = ("prlimit", f"--as={size}")
        files = {name: lab.file(name, 1000) for name in ("a", "b", "c")}
        return lab.run(Aim(wanted=files, bucket=BUCKET), "-R", f"{lab.source}/", f"s3://{BUCKET}/")

    return limited


def test_w7_a_limited_address_space_is_shared(limited):
    """100 MiB of it, as by ``ulimit -v``: slots take a part, and everything arrives."""
    limited(100 << 20).right()
