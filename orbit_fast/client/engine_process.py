"""The process of an engine's job: a fresh interpreter that does what the command does, and knows only its order.

It is started by `client.engine_job`, never forked from the user's process, which may have threads, loops and locks. Its
order comes on stdin (nothing of it can be seen in a process list), its events leave on stdout as JSON Lines, what it
logs on stderr. It is the leader of its own process group, so that a terminal's interrupts reach the user's program
alone; when the thread that started it ends, it is told to end, too.
"""

from __future__ import annotations

import enum
import json
import os
import shlex
import signal
import sys

import msgspec

from orbit_fast.client.environment import read_variables
from orbit_fast.core.console import SilentConsole
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.messages import Failure
from orbit_fast.core.removal import plan_removal
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.diskerrors import refusal
from orbit_fast.proc.child import die_with
from orbit_fast.proc.child import rename
from orbit_fast.proc.job import run_copy
from orbit_fast.proc.signals import ENDING
from orbit_fast.proc.syncjob import run_sync
from orbit_fast.proc.taskjob import run_work

BOOT = (
    "import json,sys;"
    "sys.path[:]=json.loads(sys.stdin.buffer.readline());"
    "from orbit_fast.client.engine_process import main;"
    "sys.exit(main())"
)
"""What the interpreter is started with."""


class Kind(enum.Enum):
    """What a job does."""

    COPY = "copy"
    SYNC = "sync"
    DELETE = "delete"


class Order(msgspec.Struct, frozen=True, array_like=True):
    """Everything that the process is told. `repr` shows no settings: there may be a key in them.

    Attributes:
        kind: what to do.
        names: sources and last the destination, or what to delete; local ones as bytes, which need not be UTF-8.
        settings: of the job.
        parent: process id of whoever waits for it; set when it is sent.
    """

    kind: Kind
    names: tuple[bytes, ...]
    settings: JobSettings
    parent: int = 0

    def __repr__(self) -> str:
        return f"Order({self.kind.value}, {len(self.names)} names)"


def encode_order(order: Order, path: list[str]) -> bytes:
    """What goes to the process's stdin: where it finds orbit, and the order."""
    sent = msgspec.structs.replace(order, parent=os.getpid())
    return json.dumps(path).encode() + b"\n" + msgspec.msgpack.encode(sent)


def main() -> int:
    """Do the job that stdin orders; returns its exit status."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)
    rename("orbit: engine")
    die_with(order.parent, signal.SIGTERM)
    for number in ENDING:  # whoever started us may ignore them, or have them blocked
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        return _do(order)
    except S3Error as error:
        return _fail(order, error)
    except OSError as error:
        return _fail(order, refusal(error))
    except Exception as error:  # noqa: BLE001 - the process's top line
        return _fail(order, Internal(f"{type(error).__name__}: {error}"))


def _do(order: Order) -> int:
    names, settings = [os.fsdecode(name) for name in order.names], order.settings
    variables, console = read_variables(), SilentConsole()
    if order.kind is Kind.DELETE:
        work = plan_removal([parse_s3_url(name) for name in names], settings)
        return run_work(work, settings, variables, console)
    if order.kind is Kind.SYNC:
        command = shlex.join(["orbit", "sync", *names])
        return int(run_sync(names[0], names[1], settings, variables, console, command))
    return int(run_copy(names[:-1], names[-1], settings, variables, console))


def _fail(order: Order, error: S3Error) -> int:
    """Tell why there was no job."""
    exit_code = Exit.INTEGRITY if error.exit_code is Exit.INTEGRITY else Exit.NOT_POSSIBLE
    renderer = new_renderer(order.settings, operation=order.settings.operation)
    failed = renderer.failed(("", ""), Failure.of(error))
    summary = renderer.summary(Totals(command=order.settings.operation, exit_code=int(exit_code)))
    sys.stdout.buffer.write(failed.out + summary.out)
    sys.stdout.buffer.flush()
    return int(exit_code)
