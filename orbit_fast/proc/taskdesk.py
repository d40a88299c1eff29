"""The part of a worker's desk that does tasks: their flows, and where what they say goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Said
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import Tallied
from orbit_fast.io.flow import Flow
from orbit_fast.io.task import Presigner
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.tasks import flow_of
from orbit_fast.io.together import Handle
from orbit_fast.io.transfer import Surroundings


class TaskDesk:
    """Starts tasks and tells what comes of them.

    Args:
        run: runs a flow (`Client.run`).
        send: takes events.
        is_congested: whether the pipe to the supervisor has enough to carry.
        presign: makes URLs (`Client.presign`).
        allowed: how many requests may be in flight, or 0; see `TaskSurroundings`.
    """

    def __init__(
        self,
        run: Callable[[Flow[Any], Callable[[Any], None]], Handle],
        send: Callable[[Event], None],
        is_congested: Callable[[], bool],
        presign: Presigner,
        allowed: Callable[[], int] = lambda: 0,
    ) -> None:
        self._allowed = allowed
        self._presign = presign
        self._run = run
        self._send = send
        self._is_congested = is_congested
        self._sleepers: list[Callable[[], None]] = []

    def begin(self, order: RunTask, around: Surroundings) -> tuple[Flow[None], Callable[[S3Error | None], None]]:
        """The flow of a task, and who is to be told its end."""
        voice = _Voice(self, order.number)
        given = TaskSurroundings(
            around=around,
            run=self._run,
            output=voice,
            presign=self._presign,
            allowed=self._allowed,
            line=order.line,
            tallied=voice.tallied,
        )

        def end(result: S3Error | None) -> None:
            given.flush()
            failure = Failure.of(result) if result is not None else None
            self._send(TaskEnded(order.number, given.tallied, failure))

        return flow_of(given, order.task), end

    def drained(self) -> None:
        """The pipe has taken everything."""
        sleepers, self._sleepers = self._sleepers, []
        for wake in sleepers:
            wake()

    @property
    def is_congested(self) -> bool:
        """Whether tasks should wait before they say more."""
        return self._is_congested()

    def say(self, said: Said) -> None:
        """Lines of a task."""
        self._send(said)

    def when_drained(self, wake: Callable[[], None]) -> None:
        """Call `wake` when tasks may go on."""
        self._sleepers.append(wake)


class _Voice:
    """The `Output` of one task, and what it has come to."""

    __slots__ = ("_desk", "_number", "tallied")

    def __init__(self, desk: TaskDesk, number: int) -> None:
        self._desk = desk
        self._number = number
        self.tallied = Tallied()

    @property
    def is_congested(self) -> bool:
        """Whether the task should wait."""
        return self._desk.is_congested

    def say(self, lines: bytes, errors: bytes) -> None:
        """Whole lines for stdout and for stderr."""
        self._desk.say(Said(self._number, lines, errors, self.tallied.ended))

    def when_drained(self, wake: Callable[[], None]) -> None:
        """Call `wake`, once, when it is congested no more."""
        self._desk.when_drained(wake)
