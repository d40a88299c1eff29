"""Locks on files (``flock``) that the system takes away when their owner is dead, however it died.

Such a lock belongs to the open file, and a fork hands that on: when a supervisor is killed just after it has forked a
worker, its locks live for as long as the worker needs to die or to close what is not its own. That is a millisecond, or
a tenth of a second on a machine that has much to do. Whoever runs the same command again at once would take the dead
for living. So where a file is locked, and the system knows of no living process that has done it, a moment is waited.
"""

from __future__ import annotations

import fcntl
import os
import select
from pathlib import Path
from typing import Final

LINGER_MS: Final = 3000
"""How long a child of a dead process may have its parent's locks."""

_TURN_MS: Final = 5
_LOCKS: Final = Path("/proc/locks")


def lock(fd: int) -> bool:
    """Take the lock of an open file; False where somebody alive has it."""
    for _ in range(LINGER_MS // _TURN_MS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not _is_orphaned(fd):
                return False
            select.poll().poll(_TURN_MS)
        else:
            return True
    return False


def _is_orphaned(fd: int) -> bool:
    """Whether no living process is known (to Linux) that has locked the file; False where the system does not tell.

    Of the dead the number is shown, or, in a container, nothing.
    """
    ending = f":{os.fstat(fd).st_ino}"
    try:
        rows = [line.split() for line in _LOCKS.read_text().splitlines()]
    except OSError:
        return False
    owners = [row[4] for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].endswith(ending)]
    return not any(map(_is_alive, owners))


def _is_alive(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in (b"Z", b"X")
