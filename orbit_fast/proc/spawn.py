"""Starting worker processes, and the handle their parent keeps.

On Linux a worker is *forked*: 0.8 ms against 30 for a new interpreter. That is safe only while the parent has one
thread and no running loop, so a process with more threads, and every other system, *executes* a fresh interpreter
instead. Either way the worker gets the same `WorkerSpec`, resolves its entry point by name, and holds the same few file
descriptors, so that what works one way works the other.

A worker has three ties to its parent: the order pipe (its end says: stop), the event pipe (its end says: the worker is
gone), and a *life line*, a pipe whose only writer is the worker: it becomes readable for the parent in the moment the
worker's file descriptors are closed, however it died.
"""

from __future__ import annotations

import enum
import importlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from orbit_fast.core.errors import LocalError
from orbit_fast.proc.channel import Channel
from orbit_fast.proc.channel import Ends
from orbit_fast.proc.channel import open_channel
from orbit_fast.proc.child import IGNORED
from orbit_fast.proc.child import fork_child
from orbit_fast.proc.child import run_child

UNKNOWN_STATUS = 255
"""Exit status of a child that somebody else reaped (SIGCHLD ignored by whoever started the command)."""

_BOOT = (
    "import json,os,sys;"
    "spec=os.fdopen(int(sys.argv[2]),'rb').read();"
    "head,_,spec=spec.partition(b'\\n');"
    "sys.path[:]=json.loads(head);"
    "from orbit_fast.proc.spawn import run_executed;"
    "run_executed(spec)"
)


class SpawnFailed(LocalError):
    """The system does not give another process, or the file descriptors for one. Fewer workers may do."""


class Method(enum.Enum):
    """How a worker comes to life."""

    FORK = "fork"
    EXEC = "exec"


class WorkerSpec(msgspec.Struct, frozen=True, array_like=True):
    """All that a worker is born with; the job itself comes as its first order.

    Attributes:
        index: the worker's number, from 0: its slots and its counters.
        entry: ``module:function`` to run; it takes this spec and returns the exit status.
        orders_fd: read end of the order pipe.
        events_fd: write end of the event pipe.
        arena_fd: the shared mapping, or -1.
        lifeline_fd: never used, only held.
        parent: process id of the supervisor.
    """

    index: int
    entry: str
    orders_fd: int
    events_fd: int
    arena_fd: int
    lifeline_fd: int
    parent: int

    @property
    def title(self) -> str:
        """What process lists show."""
        return f"orbit: worker {self.index}"

    @property
    def fds(self) -> tuple[int, ...]:
        """The file descriptors that are the worker's own."""
        named = (self.orders_fd, self.events_fd, self.arena_fd, self.lifeline_fd)
        return tuple(fd for fd in named if fd >= 0)

    def open_channel(self) -> Channel:
        """The worker's side of the pipes."""
        return Channel(Ends(read_fd=self.orders_fd, write_fd=self.events_fd))


class WorkerProcess:
    """A worker, seen from its parent.

    Attributes:
        index: the worker's number.
        pid: its process id; the process is reaped only by `poll` and `wait`, so the number stays its own until then.
        channel: orders out, events in.
        status: exit status once it is known (minus the signal's number where one killed it), else None.
    """

    __slots__ = ("_lifeline", "channel", "index", "pid", "status")

    def __init__(self, *, index: int, pid: int, channel: Channel, lifeline: int) -> None:
        self.index = index
        self.pid = pid
        self.channel = channel
        self.status: int | None = None
        self._lifeline = lifeline

    def fileno(self) -> int:
        """Readable from the moment the process is dead."""
        return self._lifeline

    def poll(self) -> int | None:
        """The exit status, or None while it runs. Reaps it."""
        if self.status is None:
            self._reap(os.WNOHANG)
        return self.status

    def wait(self, timeout_s: float) -> int | None:
        """Wait for its end at most `timeout_s` seconds; the exit status, or None where it still runs. Reaps it."""
        if self.status is None and _is_readable(self._lifeline, timeout_s):
            self._reap(0)  # it is in its exit already: this takes microseconds
        return self.poll()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal, unless it has been reaped."""
        if self.status is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:  # reaped by somebody else
                self.status = UNKNOWN_STATUS

    def close(self) -> None:
        """Close the pipes. A worker that still runs sees the end of its orders."""
        self.channel.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _reap(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:
            self.status = UNKNOWN_STATUS
        else:
            if pid:
                self.status = os.waitstatus_to_exitcode(status)

    def __repr__(self) -> str:
        state = "running" if self.status is None else f"ended {self.status}"
        return f"<WorkerProcess {self.index} pid={self.pid} {state}>"


def preferred_method() -> Method:
    """Fork where that is safe and worth it: on Linux, from a process with one thread."""
    if sys.platform != "linux":
        return Method.EXEC
    try:
        threads = sum(1 for _ in Path("/proc/self/task").iterdir())  # native ones too, which Python does not know of
    except OSError:
        threads = threading.active_count()
    return Method.FORK if threads == 1 else Method.EXEC


def start_worker(index: int, entry: str, *, arena_fd: int = -1, method: Method | None = None) -> WorkerProcess:
    """Start worker `index`.

    Args:
        index: its number.
        entry: ``module:function``; called in the worker with its `WorkerSpec`, returns the exit status.
        arena_fd: the shared mapping's file descriptor, or -1.
        method: how; by default what `preferred_method` says.

    Raises:
        SpawnFailed: no process or no file descriptors to be had.
    """
    start = _fork if (method or preferred_method()) is Method.FORK else _execute
    opened: list[int] = []
    try:
        ours, theirs = open_channel()
        opened += (ours.read_fd, ours.write_fd, theirs.read_fd, theirs.write_fd)
        lifeline, held = os.pipe()
        opened += (lifeline, held)
        spec = WorkerSpec(index, entry, theirs.read_fd, theirs.write_fd, arena_fd, held, os.getpid())
        pid = start(spec)
    except OSError as error:
        for fd in opened:
            os.close(fd)
        raise SpawnFailed(f"worker {index} cannot be started: {error.strerror}") from error
    theirs.close()
    os.close(held)
    return WorkerProcess(index=index, pid=pid, channel=Channel(ours), lifeline=lifeline)


def run_executed(data: bytes) -> None:
    """The life of a worker in an interpreter of its own. Does not return.

    Raises:
        msgspec.DecodeError: `data` is not a `WorkerSpec`.
    """
    spec = msgspec.msgpack.decode(data, type=WorkerSpec)
    run_child(lambda: _run_entry(spec), title=spec.title, keep=spec.fds, parent=spec.parent)


def _run_entry(spec: WorkerSpec) -> int:
    module, _, name = spec.entry.partition(":")
    entry: Callable[[WorkerSpec], int] = getattr(importlib.import_module(module), name)
    return entry(spec)


def _fork(spec: WorkerSpec) -> int:
    return fork_child(lambda: _run_entry(spec), title=spec.title, keep=spec.fds)


def _execute(spec: WorkerSpec) -> int:
    """Start an interpreter that finds orbit where this one does, and reads its spec from a pipe."""
    import json  # noqa: PLC0415 - only this way of starting needs it
    import subprocess  # noqa: PLC0415 - as above

    read_fd, write_fd = os.pipe()
    # Blocked signals stay blocked in the new interpreter until it has its own handlers.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
    try:
        os.write(write_fd, json.dumps(sys.path).encode() + b"\n" + msgspec.msgpack.encode(spec))
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            # -P: the working directory is not a place to import from. The title stands in the arguments for systems
            # where a process cannot rename itself.
            [sys.executable, "-P", "-c", _BOOT, spec.title, str(read_fd)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(*spec.fds, read_fd),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write_fd)
        os.close(read_fd)
    process.returncode = 0  # WorkerProcess reaps it; Popen would complain, or reap it behind its back
    return process.pid


def _is_readable(fd: int, timeout_s: float) -> bool:
    """Whether `fd` becomes readable (or ends) within `timeout_s` seconds."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0.0, timeout_s) * 1000))
