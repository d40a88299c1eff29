"""What every child process does first, however it was started.

A fork hands the child everything its parent had: signal handlers and the pipe they write to, file descriptors of other
workers (which would keep their pipes open after they are dead), the terminal's interrupts, a name. `enter` puts that in
order, and from then on these are true:

* The child dies with its parent. On Linux the kernel kills it; everywhere the end of its order pipe tells it.
* Interrupts are the parent's business. A terminal, ``timeout`` and service managers signal the whole group; a worker
  that died of that could not finish what the parent wants finished. So the child ignores SIGINT, SIGTERM and SIGHUP and
  is told by its parent, or killed.
* It holds no file descriptor but those it was given, and stderr. stdin and stdout are the null device: one process owns
  stdout.
* It never returns into the parent's stack and never runs the parent's exit handlers.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

CRASHED = 70
"""Exit status of a child that ended by an exception (``EX_SOFTWARE``)."""
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that a child leaves to its parent; and the two that a failing write tells better by its error."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_NAME = 15
_COMM_BYTES = 15
_ARG_START = 47  # fields 48 and 49 of /proc/self/stat, counted from 0, see proc(5)
_ARG_END = 48
_FD_LIMIT = 1 << 20


def fork_child(work: Callable[[], int], *, title: str, keep: Collection[int]) -> int:
    """Run `work` in a forked child with the file descriptors `keep` and stderr; the child's process id.

    The child's exit status is what `work` returns, or `CRASHED`.

    Raises:
        OSError: the system does not give another process.
        ValueError: one of `keep` is a standard file descriptor (they must not be closed when orbit starts).
    """
    if any(fd <= 2 for fd in keep):
        raise ValueError(f"file descriptors {sorted(keep)} stand where stdin, stdout and stderr belong")
    parent = os.getpid()
    # No signal may reach the child while it still has its parent's handlers and their pipe.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            run_child(work, title=title, keep=keep, parent=parent)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def run_child(work: Callable[[], int], *, title: str, keep: Collection[int], parent: int) -> NoReturn:
    """The whole life of a child process: `enter`, `work`, exit. Nothing of its parent runs afterwards."""
    status = CRASHED
    try:
        enter(title, keep=keep, parent=parent)
        status = work()
    except BaseException as error:  # noqa: BLE001 - the process's top line
        _tell_crash(title, error)
    finally:
        os._exit(status)


def enter(title: str, *, keep: Collection[int], parent: int) -> None:
    """Make this process a child of its own: signals, life line, file descriptors, name.

    Args:
        title: what process lists show.
        keep: file descriptors to leave open, besides stderr.
        parent: process id of the parent; if that is gone already, the child ends here.
    """
    gc.freeze()  # what the parent made is never collected here: no page of it is copied, no finaliser of it runs
    reset_signals()
    die_with(parent)
    close_others(keep)
    rename(title)


def reset_signals() -> None:
    """Default handlers, `IGNORED` ignored, nothing blocked, no wake-up pipe."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number in (signal.SIGKILL, signal.SIGSTOP):
            continue
        with contextlib.suppress(OSError, ValueError):  # some are reserved by the C library
            signal.signal(number, signal.SIG_IGN if number in IGNORED else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel kill this process, or send it `number`, when its parent ends (Linux); end now if it has.

    Of a parent with threads, the one counts that has started this process.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(CRASHED)


def close_others(keep: Collection[int]) -> None:
    """Close every file descriptor but stderr and `keep`; stdin and stdout become the null device."""
    _null_device(0)
    _null_device(1)
    if not _is_open(2):
        _null_device(2)
    first = 3
    for fd in sorted(keep):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, _highest_fd() + 1)


def rename(title: str) -> None:
    """Show `title` in process lists: the whole of it in ``ps``, 15 bytes of it in ``top``. Linux only."""
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - only children need it

    short = title if len(title) <= _COMM_BYTES else title.replace(" ", "")
    buffer = ctypes.create_string_buffer(short.encode()[:_COMM_BYTES])
    _prctl(_PR_SET_NAME, ctypes.addressof(buffer))
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        shown = Path("/proc/self/cmdline").read_bytes()
    except OSError:
        return
    # The part after ")" begins with the third field.
    start, end = int(fields[_ARG_START - 2]), int(fields[_ARG_END - 2])
    room = end - start
    # Only where the memory is what the kernel shows: a sandbox may hide the addresses.
    if start and room > 1 and room == len(shown) and ctypes.string_at(start, room) == shown:
        # A last byte that is not NUL tells the kernel that the title ends at the first NUL.
        ctypes.memmove(start, title.encode()[: room - 2].ljust(room - 1, b"\0") + b".", room)


def _prctl(option: int, argument: int) -> None:
    """Linux's prctl with one argument; a refusal leaves things as they are."""
    import ctypes  # noqa: PLC0415 - only children need it

    function = ctypes.CDLL(None).prctl
    function.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    function(option, argument, 0, 0, 0)


def _null_device(fd: int) -> None:
    """Put the null device at `fd`."""
    null = os.open(os.devnull, os.O_RDWR)
    if null == fd:
        os.set_inheritable(fd, True)  # noqa: FBT003 - the call's only form
        return
    os.dup2(null, fd)
    os.close(null)


def _is_open(fd: int) -> bool:
    """Whether `fd` is a file descriptor of this process."""
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _highest_fd() -> int:
    """No open file descriptor is greater."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError, ValueError):
            return max(int(path.name) for path in Path(directory).iterdir())
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _FD_LIMIT if limit == resource.RLIM_INFINITY else min(limit, _FD_LIMIT)


def _tell_crash(title: str, error: BaseException) -> None:
    """One line on stderr: which process ended by which exception, and where it was raised."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    text = " ".join(f"{title} ended by {type(error).__name__} at {place}: {error}".split())
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace")[:4000] + b"\n")
