"""One job of an engine: a process of its own, its events as an asynchronous iterator, and its report.

What is read from the process is bounded. Who does not take events has them wait: then nothing more is read, the pipe
fills, the process stops listening to its workers, and they stop moving objects.

No task of asyncio is made, and nothing depends on how the loop watches child processes: the process is there as long as
its stdout is open. It works alike on uvloop and asyncio's own loop, in any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections import deque
from collections.abc import Generator
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from typing import Final
from typing import Self

from msgspec.structs import asdict

from orbit_fast.client.engine_events import EngineEvent
from orbit_fast.client.engine_events import EngineReport
from orbit_fast.client.engine_events import EngineSummary
from orbit_fast.client.engine_events import ObjectFailed
from orbit_fast.client.engine_events import read_event
from orbit_fast.client.engine_process import BOOT
from orbit_fast.client.engine_process import Order
from orbit_fast.client.engine_process import encode_order
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import EngineLost
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope

FAILURES_KEPT: Final = 1000
READ_BYTES: Final = 64 << 10
"""Read from the process at once; twice as much may wait before it has to."""
LONGEST_LINE: Final = 1 << 20
PATIENCE_S: Final = 0.7
"""How long a job that is ended early may clean up, before its processes are killed."""
POLL_S: Final = 0.002
_LOG: Final = logging.getLogger("orbit_fast.engine")
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class EngineJob:
    """A job: ``async for event in job``, ``report = await job``, or both, best inside ``async with job``.

    The process starts with the first of these. The iteration ends with the job; where the job as a whole could not be
    done, it ends with the error. What failed for single objects is told by events and by the report.

    Leaving ``async with``, `aclose`, and cancelling the task that iterates or awaits end the process and its workers
    within a second. What was under way is kept for the next run of the same job; with ``resume=False`` it is taken
    away, as far as that time suffices.

    Attributes:
        report: what the job has come to; None until it has ended.
    """

    def __init__(self, order: Order, environment: Mapping[str, str]) -> None:
        self.report: EngineReport | None = None
        self._order = order
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self._events: deque[EngineEvent] = deque()
        self._rest = b""
        self._failures: list[ObjectFailed] = []
        self._stopper: ObjectFailed | None = None
        self._summary: EngineSummary | None = None
        self._error: BaseException | None = None
        self._is_over = False

    def __repr__(self) -> str:
        state = "over" if self._is_over else "not started" if self._process is None else f"pid {self._process.pid}"
        return f"<EngineJob {self._order.kind.value} {state}>"

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EngineEvent:
        event = await self._next()
        if event is None:
            if self._error is not None:
                raise self._error
            raise StopAsyncIteration
        return event

    def __await__(self) -> Generator[Any, None, EngineReport]:
        """Wait for the end; events that nobody has taken are dropped.

        Raises:
            S3Error: the job as a whole could not be done.
        """
        return self._finish().__await__()

    async def aclose(self) -> None:
        """End the job if it has not ended. May be called again."""
        if self._is_over:
            return
        self._is_over = True
        self._events.clear()
        self._error = self._error or Cancelled("the job was ended before it was done")
        try:
            await self._stop()
        finally:
            self._kill()

    # --- events ------------------------------------------------------------------------------------------------------

    async def _finish(self) -> EngineReport:
        while await self._next() is not None:
            pass
        if self._error is not None:
            raise self._error
        assert self.report is not None
        return self.report

    async def _next(self) -> EngineEvent | None:
        """The next event, or None when there are no more."""
        try:
            if self._process is None and not self._is_over:
                await self._start()
            while not self._events and not self._is_over:
                await self._read()
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                self._error = error
            await self.aclose()
            raise
        return self._events.popleft() if self._events else None

    async def _read(self) -> None:
        """Read some events; at the end, what the job has come to."""
        assert self._reader is not None
        data = await self._reader.read(READ_BYTES)
        if not data:
            await self._end()
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            raise BadReply(f"the engine's process said more than {LONGEST_LINE} bytes in one line")
        for line in lines:
            self._take(read_event(line))

    def _take(self, event: EngineEvent) -> None:
        if isinstance(event, EngineSummary):
            self._summary = event
            return
        if isinstance(event, ObjectFailed):
            self._note(event)
        self._events.append(event)

    def _note(self, event: ObjectFailed) -> None:
        if (event.source or event.destination) and len(self._failures) < FAILURES_KEPT:
            self._failures.append(event)
        if self._stopper is None or (_is_of_job(event) and not _is_of_job(self._stopper)):
            self._stopper = event

    async def _end(self) -> None:
        """The process has closed its stdout: it is ending, or was killed."""
        summary = self._summary
        if summary is None:
            self._signal(signal.SIGKILL)  # workers that have outlived it
        await self._wait(PATIENCE_S)
        status = self._process.returncode if self._process is not None else None
        self._is_over = True
        self._kill()
        if summary is None:
            self._error = EngineLost(f"the engine's process ended with status {status} before its job did")
            return
        self.report = EngineReport(**asdict(summary), failures=tuple(self._failures))
        if summary.interrupted:
            self._error = Cancelled(f"the job was interrupted by a signal (exit status {summary.exit_code})")
        elif summary.exit_code == Exit.NOT_POSSIBLE:
            self._error = self._stopper.error if self._stopper is not None else S3Error("the job could not be done")

    # --- the process -------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self._process is not None:
            return
        if self._is_over:
            raise InvalidConfig("the job has ended: a job is done once")
        if not sys.executable:
            raise LocalError("there is no Python interpreter that an engine could run in (sys.executable is empty)")
        loop = asyncio.get_running_loop()
        try:
            # In this very thread: the process is told to end when it ends. It takes a few milliseconds.
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - as said; our own interpreter, no shell
                [sys.executable, "-P", "-c", BOOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=self._environment,
                process_group=0,
            )
        except OSError as error:
            raise LocalError(f"the engine's process cannot be started: {error.strerror}") from error
        self._process = process
        self._reader = reader = asyncio.StreamReader(READ_BYTES, loop)
        try:
            out, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
            self._transports.append(out)
            err, _ = await loop.connect_read_pipe(_Logged, process.stderr)
            self._transports.append(err)
            into, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
            self._transports.append(into)
            into.write(encode_order(self._order, sys.path))
            into.close()  # when all is written
        except BaseException:
            await self.aclose()
            raise

    async def _stop(self) -> None:
        """Tell the process to end, and to call back what runs; then wait a little."""
        for transport in self._transports:
            transport.close()  # nobody reads its report any more
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGHUP)  # another one: two of a kind may arrive as one
        await self._wait(PATIENCE_S)

    async def _wait(self, limit_s: float) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + limit_s
        # No loop tells of a child's end in every thread, and whatever the program does with SIGCHLD.
        while self._process is not None and self._process.poll() is None and loop.time() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def _signal(self, number: signal.Signals) -> None:
        """To the process alone; SIGKILL to its whole group."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number is signal.SIGKILL:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)

    def _kill(self) -> None:
        """Nothing of it is left when this returns."""
        process = self._process
        if process is not None and process.returncode is None:
            self._signal(signal.SIGKILL)
            process.wait()
        for transport in self._transports:
            transport.close()
        if process is not None:
            for pipe in (process.stdout, process.stderr, process.stdin)[len(self._transports) :]:
                assert pipe is not None
                pipe.close()  # no transport has taken it

    def __del__(self) -> None:
        if self._process is not None and not self._is_over:
            warnings.warn(f"{self!r} was dropped before it had ended", ResourceWarning, source=self, stacklevel=2)
            self._is_over = True
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGHUP)


def _is_of_job(event: ObjectFailed | None) -> bool:
    """Whether this is why a job as a whole could not be done: it names no object, or is one that others share."""
    if event is None:
        return False
    return not (event.source or event.destination) or event.error.scope is Scope.JOB


class _Logged(asyncio.Protocol):
    """What the process says on stderr, as log records of ``orbit_fast.engine``."""

    def __init__(self) -> None:
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[-READ_BYTES:]
        for line in lines:
            self._log(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._rest:
            self._log(self._rest)

    @staticmethod
    def _log(line: bytes) -> None:
        text = line.decode(errors="replace").removeprefix("orbit: ")
        level, colon, rest = text.partition(": ")
        known = _LEVELS.get(level)
        if known is not None and colon:
            _LOG.log(known, "%s", rest)
        else:
            _LOG.warning("%s", text)
