"""What a job has to do with other runs of the same command.

At its start it is told what they left (`proc.recorder`), and removes the temporary files of those that crashed; when
everything has been found, it cleans up what nobody goes on with; at its end it says what a later run can go on with.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import Transfer
from orbit_fast.core.journal import job_name
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.location import LocalDestination
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable
from orbit_fast.io.clock import Clock
from orbit_fast.io.files import temp_run
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.journal import Journal
from orbit_fast.proc.journal import state_directory
from orbit_fast.proc.recorder import RecordingLedger
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import InTurn
from orbit_fast.proc.search import Last
from orbit_fast.proc.supervisor import Supervisor

SLICE: Final = 1024
"""Names that are looked at before the loop turns."""

MOST_TOLD: Final = 10
"""Kept objects that are named one by one."""

_VARIABLES: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
"""What of the environment says where, and as whom."""


class Recovery:
    """Everything about a job that concerns other runs of the same command.

    Attributes:
        ledger: of the job.
    """

    kind: type[RecordingLedger] = RecordingLedger
    """What its ledger is."""

    def __init__(  # noqa: PLR0913 - what makes a command the same
        self,
        sources: Sequence[str],
        destination: str,
        settings: JobSettings,
        environment: Mapping[str, str],
        report: Report,
        *,
        operation: str,
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._report = report
        self._operation = operation
        self._sources = tuple(_absolute(source) for source in sources)
        self._destination = _absolute(destination)
        self._local: LocalDestination | None = None
        self._sweep: Sweep | None = None
        variables = [f"{name}={environment.get(name, '')}" for name in _VARIABLES]
        name = job_name(operation, self._sources, self._destination, settings, variables)
        clock = Clock()
        journal = Journal(state_directory(environment), name, clock=clock, warn=self._warn)
        self.ledger = self.kind(limits, journal, clock)

    def serve(self, supervisor: Supervisor, local: LocalDestination | None) -> None:
        """Read what earlier runs of the command left, for a job that downloads to `local`, if it does."""
        if not self._settings.transfer.resume or self._settings.output.dry_run:
            return
        self.ledger.sites = lambda: supervisor.sides.found.sites
        self.ledger.recall()
        root = b""
        if local is not None:
            root = os.path.abspath(local.path if local.is_directory else os.path.dirname(local.path) or b".")
        journal = self.ledger.journal
        if local is not None and journal.state.runs:
            temps = {known.started.temp for known in journal.state.transfers.values() if known.started is not None}
            runs = {header.run.encode() for header in journal.state.runs}
            self._sweep = Sweep(root, runs, temps, is_tree=local.is_directory)
        journal.begin(
            Header(
                run=supervisor.run_id,
                operation=self._operation,
                sources=self._sources,
                destination=self._destination,
                root=root,
            )
        )

    def finders(self, finders: Sequence[Finder]) -> list[Finder]:
        """The job's finders, and whoever removes what crashed runs left."""
        return [*finders] if self._sweep is None else [*finders, self._sweep]

    def last(self, *lasts: Last | None) -> Last:
        """Whoever comes last, and before them, when everything has been found, the end of what nobody goes on with."""
        return InTurn([self, *(last for last in lasts if last is not None)])

    # --- as a `Last` -------------------------------------------------------------------------------------------------

    is_done = True
    is_waiting = False

    def note(self, item: Item, size: int) -> None:
        """The ledger knows."""

    def start(self) -> None:
        """Everything has been found, and has ended."""
        self.ledger.clean_up_rest()

    def pull(self) -> None:
        """Nothing is left to do."""

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def close(self) -> None:
        """The job has ended: say what is kept, and close the journal."""
        kept = self.ledger.kept
        if kept and not self._settings.output.quiet:
            self._report.forward(b"", "".join(f"orbit: {line}\n" for line in self._told(kept)).encode())
        self.ledger.journal.close(is_clean=self._sweep is None or self._sweep.is_done)

    def _told(self, kept: Sequence[Transfer]) -> Iterator[str]:
        if kept[0].place.direction is Direction.PIPE:  # a job of its own; it could not be aborted
            yield f"unfinished, and of no use: {_name_of(kept[0])}, upload {_token_of(kept[0])}"
            yield f"the next run of the same command aborts it, and so does: {self._advice(kept)}"
            return
        for known in kept[:MOST_TOLD]:
            yield f"unfinished, and kept: {_name_of(known)} ({_progress(known)})"
        if len(kept) > MOST_TOLD:
            yield f"unfinished, and kept: {len(kept) - MOST_TOLD} more"
        yield "the same command goes on from there"
        uploads = [known for known in kept if known.place.direction is not Direction.DOWNLOAD]
        if uploads:
            yield f"to give uploads up: {self._advice(uploads)}"
        if len(uploads) < len(kept):
            yield "to give downloads up: remove the files that are named above"

    def _advice(self, uploads: Sequence[Transfer]) -> str:
        """The command that aborts them."""
        place = uploads[0].place
        url = f"s3://{place.bucket}/{place.key}" if len(uploads) == 1 else lossy(self._destination)[0]
        words = ["orbit uploads", shlex.quote(printable(url)), "--abort"]
        if self._settings.dest.endpoint_url:
            words.append(f"--endpoint-url {clean(self._settings.dest.endpoint_url)}")
        return " ".join(words)

    def _warn(self, text: str) -> None:
        self._report.log(Level.WARNING if self.ledger.journal.is_lost else Level.INFO, text)


class Sweep:
    """Removes the temporary files of runs that are dead. A `Finder` that finds nothing to do.

    Attributes:
        is_done: every directory has been looked at.
    """

    is_waiting = False

    def __init__(self, root: bytes, runs: set[bytes], keep: set[bytes], *, is_tree: bool) -> None:
        """Look in `root` (and below, where it is a tree) for files of these runs, but for those to `keep`."""
        self._runs = runs
        self._keep = keep
        self._is_tree = is_tree
        self._directories = [root]
        self._entries: Iterator[os.DirEntry[bytes]] = iter(())
        self.is_done = False

    def pull(self) -> None:
        """Look at some more names."""
        for _ in range(SLICE):
            entry = next(self._entries, None)
            if entry is not None:
                self._look_at(entry)
                continue
            if not self._directories:
                self.is_done = True
                return
            with contextlib.suppress(OSError):  # what cannot be read holds nothing of ours
                self._entries = os.scandir(self._directories.pop())

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def _look_at(self, entry: os.DirEntry[bytes]) -> None:
        with contextlib.suppress(OSError):
            if self._is_tree and entry.is_dir(follow_symlinks=False):
                self._directories.append(entry.path)
            elif temp_run(entry.name) in self._runs and entry.name not in self._keep:
                os.unlink(entry.path)


def _absolute(argument: str) -> bytes:
    """A source or destination, as it is wherever the command runs."""
    return argument.encode(errors="surrogateescape") if is_s3_url(argument) else os.path.abspath(os.fsencode(argument))


def _name_of(known: Transfer) -> str:
    place = known.place
    if place.direction is Direction.DOWNLOAD and known.started is not None:
        name = os.path.join(os.path.dirname(place.path), known.started.temp)
        return printable(lossy(name)[0])
    return f"s3://{place.bucket}/{printable(place.key)}"


def _token_of(known: Transfer) -> str:
    assert known.started is not None, "what has not started is not kept"
    return known.started.token


def _progress(known: Transfer) -> str:
    started = known.started
    assert started is not None, "what has not started is not kept"
    count = plan_parts(started.size, started.part_size, min_part=1).count
    upload = "" if known.place.direction is Direction.DOWNLOAD else f", upload {started.token}"
    return f"{len(known.parts)} of {count} parts{upload}"
