"""What a command line comes to, before an engine does it: tasks, and the buckets that they are about."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_fast.core.messages import Failure
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import Task

STDOUT = "-"
"""How stdout is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The tasks of one command.

    Attributes:
        tasks: what to do, in this order; their sites are the numbers of `buckets`.
        buckets: every bucket that takes part; ``''`` for the list of them.
        name: what a failure is told with: mostly the argument.
        is_data: what goes to stdout is what the user asked to read.
        takes_stdout: and nothing else goes there: events and statistics go to stderr.
        dest_buckets: those that are reached as the destination is; their numbers go on behind those of `buckets`.
    """

    tasks: tuple[Task, ...]
    buckets: tuple[str, ...]
    name: str
    is_data: bool = True
    takes_stdout: bool = False
    dest_buckets: tuple[str, ...] = ()

    def reached(self, settings: JobSettings) -> tuple[tuple[str, ClientSettings], ...]:
        """Every bucket, and how it is reached."""
        sources = tuple((bucket, settings.source) for bucket in self.buckets)
        return (*sources, *((bucket, settings.dest) for bucket in self.dest_buckets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A command that moves objects.

    Attributes:
        sources: as they were typed.
        destination: likewise.
    """

    sources: tuple[str, ...]
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cat:
    """A command that writes objects to stdout.

    Attributes:
        sources: as they were typed.
    """

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A command that makes one side what the other is.

    Attributes:
        source: as it was typed.
        destination: likewise.
        command: the whole of it, for advice.
    """

    source: str
    destination: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A command that only says something: no bucket, no object.

    Attributes:
        text: whole lines for stdout.
        name: what a failure is told with.
    """

    text: bytes
    name: str = ""


Plan = Work | Copy | Cat | Sync | Saying
"""What a command comes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command of a script.

    Attributes:
        number: where it was read, counted from 1.
        settings: that it is done with.
        plan: what it comes to; None where it cannot be done.
        failure: why it cannot be done.
        text: what a failure is told with where there is no plan.
    """

    number: int
    settings: JobSettings
    plan: Plan | None = None
    failure: Failure | None = None
    text: str = ""

    @property
    def names(self) -> tuple[str, str]:
        """What a failure of the whole line is told with."""
        if isinstance(self.plan, Copy):
            return (" ".join(self.plan.sources), self.plan.destination)
        if isinstance(self.plan, Cat):
            return (" ".join(self.plan.sources), STDOUT)
        if isinstance(self.plan, Sync):
            return (self.plan.source, self.plan.destination)
        return (self.text if self.plan is None else self.plan.name, "")
