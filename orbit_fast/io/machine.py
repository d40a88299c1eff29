"""What this machine allows: processors, open files, memory; and which versions of what run on it."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

_GROUP_FILES: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT: Final = 1 << 60
"""The first version of control groups writes "no limit" as a number near 2^63."""

PACKAGES: Final = ("orbit-fast", "botocore", "uvloop", "msgspec", "crc32c", "awscrt")


def cpu_count() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def file_limits() -> tuple[int, int]:
    """How many files a process may have open, and how far it may raise that itself; -1: without limit."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (-1 if limit == resource.RLIM_INFINITY else limit for limit in limits)
    return soft, hard


def memory_limits() -> tuple[int, int]:
    """Bytes that this process's control group may use, and bytes that the machine has; 0 where that is not known."""
    return _group_limit(), _total_memory()


def _group_limit() -> int:
    for name in (*_own_groups(), *_GROUP_FILES):
        try:
            text = Path(name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue
        if text.isdigit():
            return int(text) if int(text) < _NO_LIMIT else 0
    return 0


def _own_groups() -> list[str]:
    """The file of the group that this process is in, and those of the groups around it, where it sees them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    path = Path("/sys/fs/cgroup", own.strip("/"))
    return [
        str(directory / "memory.max") for directory in (path, *path.parents) if directory.parts[:4] == path.parts[:4]
    ]


def _total_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def can_share_memory() -> str:
    """How processes can share memory: ``memfd``, else where temporary files are made; ``''``: not at all."""
    if hasattr(os, "memfd_create"):
        try:
            os.close(os.memfd_create("orbit"))
        except OSError:
            pass
        else:
            return "memfd"
    for directory in ("/dev/shm", "/tmp"):  # noqa: S108 - looked at, not used
        if os.access(directory, os.W_OK):
            return directory
    return ""


def versions() -> dict[str, str]:
    """Versions, by the name of what has them."""
    import importlib.metadata  # noqa: PLC0415 - a hundredth of a second, for those who ask for versions
    import platform  # noqa: PLC0415 - as above

    machine = os.uname()
    found = {"python": platform.python_version(), "system": f"{machine.sysname} {machine.release}"}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
