"""A job of tasks: commands that move no items, done by one worker (`orbit_fast.io.tasks` has their flows)."""

from __future__ import annotations

from collections.abc import Mapping

from orbit_fast.core.console import Console
from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import Work
from orbit_fast.io.clock import Clock
from orbit_fast.proc.finders import AskFor
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.writer import hold_standard_fds


def run_work(work: Work, settings: JobSettings, environment: Mapping[str, str], console: Console) -> int:
    """Do the tasks one after another, report on stdout and stderr, and find the exit code.

    The command's name is ``settings.operation``. The first task that fails ends the job: it could not be done.
    """
    hold_standard_fds()
    report = Report(settings, console, Clock().monotonic_s, command=settings.operation)
    report.is_data = work.is_data
    report.leaves_stdout = work.takes_stdout
    ledger = Ledger(Limits(workers=1, depth=1, concurrency=1))
    sides = [Side(bucket, client) for bucket, client in work.reached(settings)]
    supervisor = Supervisor(settings, environment, report, ledger, sides=sides, processes=1)
    finder = TaskFinder(work, report, supervisor.questions.ask)
    supervisor.set_sources([finder], Amount())
    return supervisor.run()


class TaskFinder:
    """Has tasks done, one after another."""

    def __init__(self, work: Work, report: Report, ask: AskFor) -> None:
        self._tasks = list(work.tasks)
        self._name = work.name
        self._report = report
        self._ask = ask
        self.is_waiting = False

    @property
    def is_done(self) -> bool:
        """All have been done."""
        return not self._tasks

    def pull(self) -> None:
        """Have the next one done."""
        self.is_waiting = True
        self._ask(self, RunTask(0, self._tasks[0]))

    def answer(self, answer: Answer) -> Failure | None:
        """It has ended."""
        self.is_waiting = False
        self._tasks.pop(0)
        failure = answer.failure if isinstance(answer, TaskEnded | Failed) else None
        if failure is not None:
            self._report.stopped(failure, (self._name, ""))
        return failure
