"""One sync at a time for one destination, on this machine.

Two syncs that delete would each take what the other one is just copying for something that should not be there. So a
sync holds a lock (``flock``) on a file in the state directory that is called by its destination; the system takes it
away when the process is dead, however it died. Where there is no state directory, or it cannot be written, nothing is
locked: that never stops a sync.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable
from collections.abc import Mapping
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.proc.journal import make_private

_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_PID: Final = 20
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def lock_name(place: S3Url | bytes, endpoint_url: str, variables: Mapping[str, str]) -> str:
    """What the lock of a destination is called.

    Args:
        place: a prefix, or a local directory.
        endpoint_url: the service that the user named, or ``''``.
        variables: of the environment, which may name one too.
    """
    if isinstance(place, bytes):
        parts = (b"local", os.path.realpath(place))
    else:
        endpoint = endpoint_url or next((variables[name] for name in _ENDPOINTS if variables.get(name)), "")
        where = f"{endpoint.rstrip('/').lower()} {place}"
        parts = (b"s3", where.encode("utf-8", "surrogateescape"))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


class DestinationLock:
    """The lock of one destination."""

    def __init__(self, state_directory: str, name: str, what: str, *, log: Callable[[str], None]) -> None:
        """Nothing is locked before `take`.

        Args:
            state_directory: where orbit keeps its state, or ``''``.
            name: of the lock (`lock_name`).
            what: the destination, for messages.
            log: is told why nothing is locked.
        """
        self._state_directory = state_directory
        self._path = os.path.join(state_directory, "locks", name) if state_directory else ""
        self._what = what
        self._log = log
        self._fd = -1

    def take(self, waiting: Callable[[str], None] | None = None) -> None:
        """Take it, where there can be one.

        Args:
            waiting: is told whose end is waited for; None does not wait.

        Raises:
            InvalidConfig: another process has it.
        """
        if not self._path:
            self._log(f"nothing keeps another sync from {self._what}: there is no home directory")
            return
        try:
            make_private(self._state_directory)
            make_private(os.path.dirname(self._path))
            while not self._take(waiting):
                self._drop()
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        except OSError as error:
            self._log(f"nothing keeps another sync from {self._what}: {self._path}: {error.strerror}")

    def release(self) -> None:
        """Give it back."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                if self._is_named():
                    os.unlink(self._path)  # before others get it: who waits for this file looks whether it has its name
            self._drop()

    def _take(self, waiting: Callable[[str], None] | None) -> bool:
        """Lock the file; False where it no longer is the one that has its name."""
        self._fd = os.open(self._path, _OPEN, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._fd, _MAX_PID, 0).decode("ascii", "replace")
            text = f"another sync is writing to {self._what}" + (f": process {owner}" if owner.isdecimal() else "")
            if waiting is None:
                self._drop()
                raise InvalidConfig(f"{text} (--wait waits for its end)", code="E_LOCKED") from None
            waiting(text)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self._is_named()

    def _is_named(self) -> bool:
        """Whether the open file still is the one that others find."""
        try:
            named = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._fd), named)

    def _drop(self) -> None:
        os.close(self._fd)
        self._fd = -1
