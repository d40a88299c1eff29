"""One sync at a time for one destination, on this machine: neither for the same one, nor for one inside the other.

Two syncs that delete would each take what the other one is just copying for something that should not be there; that
is so for ``s3://b/x/`` and ``s3://b/x/y/`` as for one prefix. So a sync holds a *claim*: a file in the state directory
that says what it writes to, and on which it has a lock (``flock``). The system takes the lock away when the process is
dead, however it died, and with it the claim.

Who wants a claim looks at all of them, alone: whoever looks has the *door* (a second file) locked meanwhile, for about
as long as it takes to open a handful of files. A claim that nobody has locked is a dead process's, and is removed.

Where there is no state directory, or it cannot be written, nothing is locked: that never stops a sync.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import S3Url
from orbit_fast.io.spelling import as_spelt
from orbit_fast.proc.filelock import lock
from orbit_fast.proc.journal import is_named
from orbit_fast.proc.journal import make_private

_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_CLAIM: Final = 64 << 10
"""Bytes of a claim: a process's number, and a place of a few thousand bytes at most."""
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def place_of(where: S3Url | bytes, endpoint_url: str, variables: Mapping[str, str]) -> bytes:
    """What a prefix or a directory is called in claims: one that lies in another begins with it.

    Args:
        where: a prefix, or a local directory.
        endpoint_url: the service that the user named, or ``''``.
        variables: of the environment, which may name one too.
    """
    if isinstance(where, bytes):
        return b"local " + as_spelt(os.path.realpath(where)).rstrip(b"/") + b"/"
    endpoint = endpoint_url or next((variables[name] for name in _ENDPOINTS if variables.get(name)), "")
    return f"s3 {endpoint.rstrip('/').lower()} {where}".encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Claim:
    """Another process's claim, opened."""

    fd: int
    owner: bytes
    place: bytes


class DestinationLock:
    """The claim on one destination."""

    def __init__(self, state_directory: str, place: bytes, what: str, *, log: Callable[[str], None]) -> None:
        """Nothing is claimed before `take`.

        Args:
            state_directory: where orbit keeps its state, or ``''``.
            place: the destination (`place_of`).
            what: the destination, for messages.
            log: is told why nothing is locked.
        """
        self._state_directory = state_directory
        self._claims = os.path.join(state_directory, "locks") if state_directory else ""
        self._path = os.path.join(self._claims, hashlib.sha256(place).hexdigest()[:32])
        self._place = place
        self._what = what
        self._log = log
        self._fd = -1

    def take(self, waiting: Callable[[str], None] | None = None) -> None:
        """Take it, where there can be one.

        Args:
            waiting: is told whose end is waited for; None does not wait.

        Raises:
            InvalidConfig: another process writes there.
        """
        if not self._claims:
            self._log(f"nothing keeps another sync from {self._what}: there is no home directory")
            return
        try:
            make_private(self._state_directory)
            make_private(self._claims)
            while (other := self._try()) is not None:
                self._wait(other, waiting)
        except OSError as error:
            self._log(f"nothing keeps another sync from {self._what}: {self._claims}: {error.strerror}")

    def release(self) -> None:
        """Give it back."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                if is_named(self._fd, self._path):
                    os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _try(self) -> _Claim | None:
        """Claim the destination; another claim that stands in the way, opened, where there is one."""
        door = os.open(self._claims + ".door", _OPEN | os.O_CREAT, 0o600)
        try:
            fcntl.flock(door, fcntl.LOCK_EX)
            for claim in self._others():
                if claim.place.startswith(self._place) or self._place.startswith(claim.place):
                    return claim
                os.close(claim.fd)
            self._claim()
            return None
        finally:
            os.close(door)

    def _others(self) -> Iterator[_Claim]:
        """The claims of living processes, each to be closed by whoever takes it."""
        for name in os.listdir(self._claims):
            path = os.path.join(self._claims, name)
            try:
                fd = os.open(path, _OPEN)
            except FileNotFoundError:
                continue  # given back just now
            if not lock(fd):
                owner, _, place = os.pread(fd, _MAX_CLAIM, 0).partition(b"\n")
                yield _Claim(fd, owner, place)
                continue
            if is_named(fd, path):
                os.unlink(path)
            os.close(fd)

    def _claim(self) -> None:
        fd = os.open(self._path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(fd, b"%d\n%b" % (os.getpid(), self._place), 0)
        except BaseException:
            os.close(fd)
            os.unlink(self._path)
            raise
        self._fd = fd

    def _wait(self, other: _Claim, waiting: Callable[[str], None] | None) -> None:
        """Wait until the process that has `other` gives it back or dies."""
        try:
            text = f"another sync is writing to {self._where(other)}"
            text += f": process {other.owner.decode()}" if other.owner.isdigit() else ""
            if waiting is None:
                raise InvalidConfig(f"{text} (--wait waits for its end)", code="E_LOCKED")
            waiting(text)
            fcntl.flock(other.fd, fcntl.LOCK_SH)
        finally:
            os.close(other.fd)

    def _where(self, other: _Claim) -> str:
        """The destination, as this process calls it, or how the other one's lies to it."""
        if other.place == self._place:
            return self._what
        return f"a part of {self._what}" if other.place.startswith(self._place) else f"what {self._what} is a part of"
