"""stdin → one object: ``pipe URL`` and ``cp - URL``.

The supervisor reads stdin into the stage, part by part, and never waits for it; workers send the parts from there. What
the ledger knows of large objects holds for this one too: a part whose worker died is dealt again, an upload that began
is completed or aborted, whatever happens. Only starting over is not possible: what was read is gone. So an upload that
a killed run has left is of no use, and the next run of the same command aborts it, as a journal says (`proc.recorder`).

A part's memory is used again when the service has it, in the order in which parts were read (`core.ring`); while there
is none, stdin is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping

from msgspec.structs import replace

from orbit_fast.core.console import Console
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.hands import Limits
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import check_key
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.ring import Ring
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.stream import PartSizes
from orbit_fast.core.stream import Stream
from orbit_fast.io.clock import Clock
from orbit_fast.proc.aftermath import Recovery
from orbit_fast.proc.inlet import Inlet
from orbit_fast.proc.job import audit_of
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.stage import BESIDE
from orbit_fast.proc.stage import parts_memory
from orbit_fast.proc.stage import stage_workers
from orbit_fast.proc.supervisor import Supervisor
from orbit_fast.proc.writer import hold_standard_fds

STDIN = b"-"
"""How stdin is called."""


def run_pipe(url: S3Url, settings: JobSettings, environment: Mapping[str, str], console: Console) -> int:
    """Store what stdin gives as the object `url`, report on stdout and stderr, and find the exit code.

    Raises:
        S3Error: the arguments do not make a job.
    """
    if 0 in hold_standard_fds():
        raise InvalidConfig("stdin is closed: give it the bytes of the object")
    _check(url, settings)
    workers = stage_workers(settings)
    memory = parts_memory(settings, workers)
    sizes = PartSizes(memory, expected_size=settings.transfer.expected_size)
    inlet = Inlet()
    report = Report(settings, console, Clock().monotonic_s, command=settings.operation)
    limits = Limits(workers=workers, depth=1, concurrency=settings.transfer.concurrency)
    operation = settings.operation
    recovery = Recovery((), str(url), settings, environment, report, operation=operation, limits=limits)
    ledger = recovery.ledger
    sides = (Side(url.bucket, settings.dest),)
    supervisor = Supervisor(settings, environment, report, ledger, sides=sides, processes=workers, stage=memory)
    recovery.serve(supervisor, None)
    item = Item(1, Direction.PIPE, 0, url.key, STDIN)
    pieces = settings.transfer.concurrency + BESIDE
    source = StreamFinder(inlet, sizes, supervisor, ledger, item=item, pieces=pieces)
    source.is_dry_run = settings.output.dry_run
    supervisor.on_end_early = source.stop
    audit = audit_of(settings, report, supervisor, site=0)
    supervisor.set_sources([source], source.amount, recovery.last(audit))
    try:
        return supervisor.run()
    finally:
        inlet.close()


def _check(url: S3Url, settings: JobSettings) -> None:
    """Raises InvalidConfig where stdin cannot be what is asked for."""
    if not url.key or url.key.endswith("/"):
        raise InvalidConfig(f"stdin has no name: give the whole key, not {url}")
    check_key(url.key)
    selection = settings.selection
    if selection.if_size_differ or selection.if_source_newer:
        raise InvalidConfig("stdin has neither size nor time to compare: not with --if-size-differ, --if-source-newer")


class StreamFinder:
    """Reads stdin into the stage and tells the ledger of the parts.

    Attributes:
        amount: what has been read.
        is_dry_run: nothing is to be read.
    """

    def __init__(
        self, inlet: Inlet, sizes: PartSizes, supervisor: Supervisor, ledger: Ledger, *, item: Item, pieces: int
    ) -> None:
        """Parts for the object that `item` names, of which `pieces` are in memory at once."""
        self._inlet = inlet
        self._sizes = sizes
        self._selector = supervisor.selector
        self._fail: Callable[[Failure], None] = supervisor.questions.on_failure
        self._stage = supervisor.stage
        self._ring = Ring(0)
        self._pieces = pieces
        self._stream = Stream(sizes.first)
        self._ledger = ledger
        self._item = item
        self._at: int | None = None
        self._filled = 0
        self._is_added = False
        self._is_at_end = False
        self.is_done = False
        self.is_dry_run = False
        self.amount = Amount(files=1)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing can be read before something happens: a byte comes, a part lands."""
        if self._is_at_end or self._is_left:
            return False
        is_watched = self._inlet.is_pollable and self._inlet.fileno() in self._selector.get_map()
        return is_watched or not self._make_room()

    @property
    def _is_left(self) -> bool:
        """The object has ended before the stream: it was not to be written, or could not be."""
        return self._is_added and self._ledger.is_idle

    def pull(self) -> None:
        """Read a piece of a file; begin to watch a pipe; end what has come to its end.

        Raises:
            S3Error: stdin cannot be read, or gives more than S3 takes.
        """
        if self._is_left:
            self.stop()
        elif self.is_dry_run:
            self._ledger.add(self._item)
            self.stop()
        elif self._is_at_end:
            self._end()
        elif self._inlet.is_pollable:
            self._inlet.watch(self._selector, self._readable)
        elif self._make_room():
            self._read()

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def stop(self) -> None:
        """Read no more."""
        self._inlet.unwatch(self._selector)
        self.is_done = True

    # --- reading -----------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """The pipe has something; called by the selector, where no error may leave."""
        try:
            while not self._is_at_end and self._make_room() and self._read():
                pass
        except S3Error as error:
            self._inlet.unwatch(self._selector)
            self._fail(Failure.of(error))
            return
        if self._is_at_end or self._at is None:
            self._inlet.unwatch(self._selector)

    def _read(self) -> bool:
        """Read once; whether that brought something."""
        assert self._at is not None, "there is memory to read into"
        wanted = self._sizes.size_of(self._stream.count + 1)
        with self._stage[self._at + self._filled : self._at + wanted] as room:
            count = self._inlet.read(room)
        if count is None:
            return False
        if count == 0:
            self._is_at_end = True
            return False
        if self._stream.count and not self._filled and not self._is_added:
            self._is_added = True  # there is a second part: now it is known to be an upload of several
            self._ledger.add(self._item, self._stream)
        self._filled += count
        self.amount.size += count
        if self._filled == wanted:
            self._stream.append(self._filled, self._at)
            self._at, self._filled = None, 0
        return True

    def _end(self) -> None:
        """The stream has ended. Not told in the turn in which it was seen: a signal may have come with it."""
        self.stop()
        if self._is_added:
            if self._filled and self._at is not None:
                self._stream.append(self._filled, self._at)
            self._stream.is_whole = True
            self._ledger.stream_ended(self._item.number, self._stream.size)
            return
        self._ledger.add(replace(self._item, size=self._stream.size + self._filled))

    # --- memory ------------------------------------------------------------------------------------------------------

    def _make_room(self) -> bool:
        """Whether there is memory to read into; what the service has by now is used again.

        Raises:
            TooLarge: no more parts.
        """
        for at in self._stream.landed:
            self._ring.give_back(at)
        self._stream.landed.clear()
        if self._at is None:
            size = self._sizes.size_of(self._stream.count + 1)
            # As much as the parts in flight need and no more: a ring touches all that it is given.
            self._ring.capacity = max(self._ring.capacity, min(len(self._stage), self._pieces * size))
            self._at = self._ring.take(size)
        return self._at is not None
