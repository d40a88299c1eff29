"""A function run in a short-lived child, its answer brought home over a pipe.

The supervisor must never wait and keeps its memory small, but credentials and endpoint rules come from botocore: half a
second of imports, metadata services, browsers, helper programs. An errand does that in a forked child: the supervisor
goes on dealing work and watches one file descriptor. Whatever happens to the child, the errand ends with an answer or a
`Failure`: it raises, it dies, it hangs (then it is killed at its deadline), or it says nonsense.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from typing import Generic
from typing import TypeVar

import msgspec

from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import Timeout
from orbit_fast.core.messages import Failure
from orbit_fast.proc.channel import BrokenFrame
from orbit_fast.proc.channel import FrameReader
from orbit_fast.proc.channel import encode_frame
from orbit_fast.proc.child import fork_child

T = TypeVar("T")

_READ_BYTES = 64 << 10
_ANSWER = b"A"
_FAILURE = b"F"


class Errand(Generic[T]):
    """One function call in a child of its own.

    Attributes:
        name: what it is about, for process lists and messages.
        result: what came of it once `is_done`: an answer or a `Failure`; None before. Never shown by `repr`.
        expires_s: when it is given up, on the clock `monotonic_s`.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], T],
        kind: type[T],
        *,
        deadline_s: float,
        monotonic_s: Callable[[], float],
    ) -> None:
        """Start it.

        Args:
            name: what it is about (``credentials``).
            work: called in the child; an exception of it becomes a `Failure`.
            kind: the type of its answer (not None), which is checked when it arrives.
            deadline_s: seconds until it is given up.
            monotonic_s: the clock.

        Raises:
            LocalError: no process or no file descriptors to be had.
        """
        self.name = name
        self.result: T | Failure | None = None
        self.expires_s = monotonic_s() + deadline_s
        self._deadline_s = deadline_s
        self._monotonic_s = monotonic_s
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._reader = FrameReader()
        self._payload: bytes | None = None
        try:
            self._fd, write_fd = os.pipe()
        except OSError as error:
            raise LocalError(f"{name}: no pipe to be had: {error.strerror}") from error
        try:
            self._pid = fork_child(lambda: _do(work, write_fd), title=f"orbit: {name}", keep=(write_fd,))
        except OSError as error:
            os.close(self._fd)
            raise LocalError(f"{name}: no process to be had: {error.strerror}") from error
        finally:
            os.close(write_fd)
        os.set_blocking(self._fd, False)

    @property
    def is_done(self) -> bool:
        """Whether `result` is there; the child is reaped and the pipe closed by then."""
        return self.result is not None

    def fileno(self) -> int:
        """Readable when `advance` has something to do; -1 once it is done."""
        return self._fd

    def advance(self) -> bool:
        """Take what the child has sent, or give it up when its time is over; whether it is done now.

        To be called when `fileno` is readable, and at `expires_s`. Unregister `fileno` before: the call may close it.
        """
        while not self.is_done:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                if self._monotonic_s() >= self.expires_s:
                    self._end(Failure.of(Timeout(f"{self.name}: no answer within {self._deadline_s:g} s")))
                return self.is_done
            self._take(data)
        return True

    def wait(self) -> T | Failure:
        """Wait until it is done, at most until its deadline; its result."""
        poller = select.poll()
        if not self.is_done:
            poller.register(self._fd, select.POLLIN)
        while not self.advance():
            poller.poll(max(0.0, self.expires_s - self._monotonic_s()) * 1000)
        assert self.result is not None
        return self.result

    def close(self) -> None:
        """Give it up if it is not done: the child is killed. Harmless when it is."""
        if not self.is_done:
            self._end(Failure.of(LocalError(f"{self.name}: given up", code="E_CANCELLED")))

    def _take(self, data: bytes) -> None:
        """Use what was read; the first message is the answer, an empty read the end."""
        try:
            payloads = self._reader.feed(data)
        except BrokenFrame as error:
            self._end(Failure.of(error))
            return
        if payloads:
            self._payload = bytes(payloads[0])
        if payloads or not data:
            self._end(None)

    def _end(self, failure: Failure | None) -> None:
        """Reap the child (killing it where it is not needed any more) and settle the result."""
        if failure is not None or self._payload is not None:
            with contextlib.suppress(ProcessLookupError):  # somebody else has reaped it
                os.kill(self._pid, signal.SIGKILL)
        status = self._reap()
        os.close(self._fd)
        self._fd = -1
        self.result = failure or self._decode(status)

    def _reap(self) -> int:
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        except ChildProcessError:
            return 0

    def _decode(self, status: int) -> T | Failure:
        payload = self._payload
        if payload is None:
            return Failure.of(Internal(f"{self.name}: its process ended with status {status} and no answer"))
        try:
            if payload[:1] == _FAILURE:
                return msgspec.msgpack.decode(payload[1:], type=Failure)
            return self._decoder.decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Failure.of(Internal(f"{self.name}: an answer of the wrong kind: {error}"))

    def __repr__(self) -> str:
        return f"<Errand {self.name!r} pid={self._pid} {'done' if self.is_done else 'running'}>"


def _do(work: Callable[[], T], write_fd: int) -> int:
    """The child's part: call, encode, write."""
    try:
        payload = _ANSWER + msgspec.msgpack.encode(work())
    except Exception as error:  # noqa: BLE001 - the process's top line: the answer is the failure
        payload = _FAILURE + msgspec.msgpack.encode(Failure.of(error))
    with os.fdopen(write_fd, "wb") as pipe:
        pipe.write(encode_frame(payload))
    return 0
