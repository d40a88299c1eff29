"""What test workers do. Named by ``module:function`` like the real entry point, so both ways of starting find them."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from pathlib import Path

from orbit_fast.proc.cells import Cell
from orbit_fast.proc.channel import Channel
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.slots import SlotPool
from orbit_fast.proc.spawn import WorkerSpec

NAME = "tests.kit.worker_entries"


def receive(channel: Channel) -> list[bytes]:
    """The next messages, waiting for them; none when the other side has ended."""
    poller = select.poll()
    poller.register(channel.read_fd, select.POLLIN)
    while not channel.is_ended:
        poller.poll()
        if payloads := channel.read():
            return [bytes(payload) for payload in payloads]
    return []


def tell(channel: Channel, payload: bytes) -> None:
    """Send one message, waiting until the pipe has taken it."""
    channel.send(payload)
    poller = select.poll()
    poller.register(channel.write_fd, select.POLLOUT)
    while not channel.flush():
        poller.poll()


def echo(spec: WorkerSpec) -> int:
    """Answer every order with its bytes reversed, until the orders end."""
    channel = spec.open_channel()
    while payloads := receive(channel):
        for payload in payloads:
            tell(channel, payload[::-1])
    return 0


def describe(spec: WorkerSpec) -> int:
    """Tell what kind of process this is."""
    channel = spec.open_channel()
    facts = {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "fds": sorted(int(path.name) for path in Path("/proc/self/fd").iterdir() if path.exists()),
        "own": sorted(spec.fds),
        "stdout": str(Path("/proc/self/fd/1").readlink()),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "cmdline": Path("/proc/self/cmdline").read_bytes().hex(),
        "comm": Path("/proc/self/comm").read_text().strip(),
        "ignored": [int(n) for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN],
        "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
        "wakeup": signal.set_wakeup_fd(-1),
        "path": sys.path,
    }
    tell(channel, json.dumps(facts).encode())
    return 0


def sleep(spec: WorkerSpec) -> int:
    """Say that it runs, then do nothing for ever, also when the orders end."""
    tell(spec.open_channel(), b"asleep")
    while True:
        signal.pause()


def half_a_frame(spec: WorkerSpec) -> int:
    """End in the middle of a message."""
    os.write(spec.events_fd, b"orb\x02\x10")
    return 0


def nonsense(spec: WorkerSpec) -> int:
    """Write what is no frame."""
    os.write(spec.events_fd, b"Traceback (most recent call last):\n")
    return 0


def exit_seven(spec: WorkerSpec) -> int:
    """End with status 7."""
    return 7


def crash(spec: WorkerSpec) -> int:
    """End by an exception."""
    raise RuntimeError("the\nworker is broken")


def lease(spec: WorkerSpec) -> int:
    """Lease two slots, fill them, count, say which, and never give them back."""
    arena = SlotArena.attach(spec.arena_fd)
    row = arena.board.row(spec.index)
    pool = SlotPool(arena, spec.index)
    held = [pool.lease(), pool.lease()]
    for slot in held:
        slot.view[:5] = b"hello"
    row.add(Cell.REQUESTS, 2)
    row.set(Cell.IN_FLIGHT, 2)
    tell(spec.open_channel(), json.dumps([slot.index for slot in held]).encode())
    while True:
        signal.pause()


def count(spec: WorkerSpec) -> int:
    """Add to a counter ten thousand times."""
    arena = SlotArena.attach(spec.arena_fd)
    row = arena.board.row(spec.index)
    for _ in range(10_000):
        row.add(Cell.BYTES_SENT, spec.index + 1)
    return 0
