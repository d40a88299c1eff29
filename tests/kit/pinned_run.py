"""The command, with temporary names that are known beforehand: ``python -m tests.kit.pinned_run ORBIT ARGUMENTS...``.

What is called after a job's own random number is called after zeros, so that a tracer can be told of its files before
they exist. Workers are forked: it holds for them too.
"""

from __future__ import annotations

import os
import sys

from orbit_fast.cli.main import main

RUN = "0" * 16
"""What the temporary files of such a run are called after."""


def run() -> int:
    """Run it as its console script would; what comes before the arguments is that script's own name."""
    sys.argv = sys.argv[1:]
    os.urandom = bytes  # so many zeros
    return main()


if __name__ == "__main__":
    sys.exit(run())
