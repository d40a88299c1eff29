"""Which of these tests are part of every run: a few, of each kind one. ``ORBIT_INJECT=all`` runs them all."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent
ALWAYS = (
    "[streamed-pwrite64-ENOSPC-",
    "[durable-fsync-EIO-temporary-",
    "[up-pread64-EIO-",
    "test_a_journal_that_cannot_be_kept_stops_nothing[fsync-EIO-1-up-parts]",
    "test_a_directory_that_cannot_be_read_deletes_nothing",
    "test_what_is_durable_is_flushed_in_this_order[small]",
)


def pytest_collection_modifyitems(config, items):
    """Leave out the rest, but where they were asked for."""
    if os.environ.get("ORBIT_INJECT") == "all":
        return
    left_out = [item for item in items if HERE in item.path.parents and not any(part in item.name for part in ALWAYS)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
