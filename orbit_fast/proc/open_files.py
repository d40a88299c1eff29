"""How much may be done at once where a process may open only a few files.

An object in flight needs a connection and a file. The limit that counts is the hard one: workers raise theirs to it.
"""

from __future__ import annotations

import resource
from typing import Final

from msgspec.structs import replace

from orbit_fast.core.errors import LocalError
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.machine import file_limits

LEAST: Final = 64
"""With fewer files there is no room for anything beside pipes, libraries and shared memory."""

APART: Final = 40
"""What a worker has open beside connections and the files of objects: pipes, slots, directories, libraries."""

MOST: Final = 1 << 16
"""More is never needed; a higher limit costs time where descriptors are closed one by one."""


def pairs(limit: int) -> int:
    """Connections, and as many files, that a worker may have with a limit of so many open files; -1: no limit."""
    return (MOST if limit < 0 else max(LEAST, limit) - APART) // 2


def fitted(settings: JobSettings, processes: int) -> JobSettings:
    """The settings with no more objects in flight than files can be opened.

    Args:
        settings: of the job.
        processes: how many workers share the objects.

    Raises:
        LocalError: the system gives fewer files than anything needs.
    """
    _, hard = file_limits()
    if 0 <= hard < LEAST:
        raise LocalError(f"a process may open {hard} files here, and {LEAST} are needed: ulimit -n {LEAST}")
    room = pairs(hard) * processes
    if settings.transfer.workers <= room:
        return settings
    return replace(settings, transfer=replace(settings.transfer, workers=room))


def raise_limit() -> int:
    """Have as many files as the system lets this process have; how many that are, or -1."""
    soft, hard = file_limits()
    wanted = MOST if hard < 0 else min(hard, MOST)
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        return wanted
    return soft
