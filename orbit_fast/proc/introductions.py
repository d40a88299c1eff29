"""What the workers have been told of the job: its settings, its sides, and the variants of its settings."""

from __future__ import annotations

from collections.abc import Mapping

from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Setup
from orbit_fast.core.messages import Vary
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc.crew import Crew
from orbit_fast.proc.sidekeeper import SideKeeper

MOST_VARIANTS = 256
"""Settings from which those that are not used any more are forgotten."""


class Introductions:
    """Tells every worker the job as soon as both are there, and again when a side has changed.

    Args:
        crew: the workers.
        ledger: is told who can take orders.
        sides: where requests go and who signs.
        settings: of the job; variant 0.
        processes: how many workers share ``--workers``.
        run: the job's own 16 hexadecimal digits.
        environment: of the process.
    """

    def __init__(  # noqa: PLR0913 - everything that a worker is told comes from here
        self,
        crew: Crew,
        ledger: Ledger,
        sides: SideKeeper,
        *,
        settings: JobSettings,
        processes: int,
        run: str,
        environment: Mapping[str, str],
    ) -> None:
        self._crew = crew
        self._ledger = ledger
        self._sides = sides
        self._settings = settings
        self._share = -(-settings.transfer.workers // processes)
        self._run = run
        self._environment = _harmless(environment)
        self._variants = {settings: 0}
        self._newest = 0
        self._ready: set[int] = set()
        self._introduced: set[int] = set()

    def ready(self, index: int) -> None:
        """This worker's loop runs."""
        self._ready.add(index)
        self._introduce(index)

    def lost(self, index: int) -> None:
        """This worker is dead; one that follows it knows nothing."""
        self._ready.discard(index)
        self._introduced.discard(index)

    def sides_changed(self, told_by: int) -> None:
        """Where requests go, or who signs, is not what the workers know; `told_by` knows already, unless it is -1."""
        for index in self._ready - {told_by}:
            if index in self._introduced:
                self._crew.send(index, self._setup())
            else:
                self._introduce(index)

    def vary(self, settings: JobSettings) -> int:
        """The number by which items and tasks that are done with these settings name them."""
        number = self._variants.get(settings)
        if number is None:
            if len(self._variants) >= MOST_VARIANTS:
                self._forget(frozenset(self._ledger.take_idle_variants()))
            self._newest += 1
            number = self._variants[settings] = self._newest
            self._ledger.varied(number, settings)
            for index in self._introduced:
                self._crew.send(index, Vary(number, settings))
        return number

    def _forget(self, numbers: frozenset[int]) -> None:
        """Nothing is done with these any more: a script may have other options on each of its lines."""
        if not numbers:
            return
        self._variants = {settings: number for settings, number in self._variants.items() if number not in numbers}
        for index in self._introduced:
            self._crew.send_each([(index, Vary(number, None)) for number in sorted(numbers)])

    def _introduce(self, index: int) -> None:
        if not self._sides.is_found:
            return
        self._crew.send(index, self._setup())
        for settings, number in self._variants.items():
            if number:
                self._crew.send(index, Vary(number, settings))
        self._ledger.worker_ready(index)
        self._introduced.add(index)

    def _setup(self) -> Setup:
        found = self._sides.found
        return Setup(
            settings=self._settings,
            sites=found.sites,
            identities=found.identities,
            concurrency=self._share,
            environment=self._environment,
            run=self._run,
            clients=found.clients,
        )


def _harmless(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What endpoint rules depend on: AWS's variables without those that hold secrets, and where the home is."""
    return tuple(
        (name, value)
        for name, value in environment.items()
        if name == "HOME" or (name.startswith("AWS_") and "SECRET" not in name and "TOKEN" not in name)
    )
