"""The ledger that keeps a journal: every fact that a later run needs is on stable storage before it matters.

It decides nothing that `core.ledger` does not. What it adds: an intent is written before a beginning is dealt, and an
upload id or a temporary file before a part is; what an earlier run had under way is handed to whoever begins it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Sequence

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Ended
from orbit_fast.core.journal import Intent
from orbit_fast.core.journal import Landing
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import Started
from orbit_fast.core.journal import Transfer as Known
from orbit_fast.core.layout import Layout
from orbit_fast.core.ledger import Ledger
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Order
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Transfer
from orbit_fast.core.model import Site
from orbit_fast.core.stream import Stream
from orbit_fast.io.clock import Clock
from orbit_fast.proc.journal import Journal


class RecordingLedger(Ledger):
    """A ledger with a journal, which may be off: then it is a ledger.

    Attributes:
        journal: where it writes.
        sites: gives the job's S3 sides.
    """

    def __init__(self, limits: Limits, journal: Journal, clock: Clock) -> None:
        super().__init__(limits)
        self.journal = journal
        self.sites: Callable[[], Sequence[Site]] = tuple
        self._clock = clock
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._waiting: dict[Place, int] = {}
        self._useless: list[int] = []
        self._has_landed = False

    def recall(self) -> None:
        """Read what earlier runs left in the journal."""
        self.journal.open()
        self._count = self.journal.state.last
        for number, transfer in self.journal.state.transfers.items():
            if transfer.place in self._waiting:
                self._useless.append(self._waiting[transfer.place])
            self._waiting[transfer.place] = number

    # --- as the ledger, and recorded ---------------------------------------------------------------------------------

    def deal(self) -> list[tuple[int, Order]]:
        """As the ledger; what must be known before these orders are carried out is on stable storage."""
        orders = super().deal()
        if self.journal.is_on:
            for place, (worker, order) in enumerate(orders):
                if isinstance(order, Begin):
                    orders[place] = (worker, self._beginning(order))
                elif isinstance(order, Transfer) and not self._has_landed:
                    self._announce(order.items[0])
            self.journal.write()
        return orders

    def begun(self, worker: int, begun: Begun) -> Layout | Stream | None:
        """As the ledger."""
        layout = super().begun(worker, begun)
        known = self._known(begun.item)
        if known is not None and layout is not None:
            self._start(known, begun, layout)
        return layout

    def part_moved(self, worker: int, moved: PartMoved) -> bool:
        """As the ledger."""
        is_new = super().part_moved(worker, moved)
        if is_new:
            known = self._known(moved.item)
            if known is not None and known.place.direction is not Direction.PIPE:
                self.journal.record(Landing(transfer=known.number, part=moved.part))
        return is_new

    def item_ended(self, worker: int, outcome: Outcome) -> Item | None:
        """As the ledger."""
        item = super().item_ended(worker, outcome)
        if item is not None and self._numbers:
            self._end(item.number)
        return item

    def abandoned(self, worker: int, number: int, failure: Failure | None = None) -> bool:
        """As the ledger. What could not be cleaned up is remembered for the next run."""
        is_new = super().abandoned(worker, number)
        if is_new and failure is None:
            self._end(number)
        elif is_new:
            self._numbers.pop(number, None)
        return is_new

    def take_ended(self) -> list[tuple[Item, Outcome]]:
        """As the ledger. An upload that may have begun, though nobody heard of it, is looked for by the next run."""
        ended = super().take_ended()
        for item, outcome in ended:
            known = self._known(item.number)
            if known is None:
                continue
            failure = outcome.failure
            if known.started is None and failure is not None and failure.status:
                self._end(item.number)  # the service has said that there is none
            elif known.started is not None and failure is not None and not failure.retryable:
                self._useless.append(known.number)
                del self._numbers[item.number]
        return ended

    def stop(self, *, keeps: bool = True) -> None:
        """As the ledger; what is under way is kept where the journal has it."""
        super().stop(keeps=keeps and self.journal.is_on)

    def leftovers(self) -> list[Item]:
        """As the ledger, without what a later run goes on with."""
        return [item for item in super().leftovers() if not self._is_kept(item.number)]

    # --- what earlier runs left --------------------------------------------------------------------------------------

    def clean_up_rest(self) -> None:
        """Everything has been found: what nobody has taken up belongs to nothing any more."""
        for number in (*self._waiting.values(), *self._useless):
            known = self.journal.state.transfers.get(number)
            if known is None:
                continue
            site = self._site_of(known.place)
            item = Item(-number, known.place.direction, site, known.place.key, known.place.path)
            self._numbers[item.number] = number
            if known.place.direction is Direction.DOWNLOAD and known.started is None:
                self._end(item.number)
            elif site >= 0:
                self.clean_up(item, known.earlier(item))
        self._waiting.clear()
        self._useless.clear()
        self.journal.write()

    @property
    def kept(self) -> list[Known]:
        """What a later run can go on with, or has to look after."""
        return [known for known in self.journal.state.transfers.values() if known.started is not None]

    # --- pieces ------------------------------------------------------------------------------------------------------

    def _announce(self, item: Item) -> None:
        """A file may be about to land under a name that only this run knows."""
        if item.direction is Direction.DOWNLOAD:
            self._has_landed = True
            self.journal.announce()

    def _beginning(self, order: Begin) -> Begin:
        item = order.item
        place = self._place_of(item)
        if item.direction is not Direction.PIPE:
            self._numbers.setdefault(item.number, self._waiting.pop(place, 0))
        known = self._known(item.number)
        if known is not None and item.direction is Direction.PIPE:
            self._useless.append(known.number)  # what a worker died over: nobody goes on with it
        elif known is not None:
            # An earlier run had it under way, or a worker died while it began.
            return Begin(item, known.earlier(item))
        self._count += 1
        self._numbers[item.number] = self._count
        intent = Intent(transfer=self._count, place=place, when_ns=int(self._clock.now_s() * 1e9))
        self.journal.record(intent, is_urgent=True)
        return order

    def _start(self, known: Known, begun: Begun, layout: Layout | Stream) -> None:
        temp = os.path.basename(begun.temp)
        if known.started is None or (known.started.token, known.started.temp) != (begun.token, temp):
            # A stream has no size yet. Nobody goes on with one: its id is what it is aborted by.
            size, part_size = (layout.size, layout.part_size) if isinstance(layout, Layout) else (0, 0)
            started = Started(
                transfer=known.number,
                size=size,
                part_size=part_size,
                token=begun.token,
                temp=temp,
                etag=begun.etag,
                fingerprint=begun.fingerprint,
                algorithm=begun.algorithm,
            )
            self.journal.record(started, is_urgent=True)
        for part in begun.landed:
            if known.parts.get(part.number) != part:
                self.journal.record(Landing(transfer=known.number, part=part))

    def _end(self, item: int) -> None:
        number = self._numbers.pop(item, None)
        if number is not None:
            self.journal.record(Ended(transfer=number))

    def _known(self, item: int) -> Known | None:
        number = self._numbers.get(item)
        return None if number is None else self.journal.state.transfers.get(number)

    def _is_kept(self, item: int) -> bool:
        known = self._known(item)
        return known is not None and known.started is not None

    def _place_of(self, item: Item) -> Place:
        site = self.sites()[item.site]
        has_file = item.path and item.direction is not Direction.PIPE
        path = os.path.abspath(item.path) if has_file else b""
        return Place(item.direction, _endpoint_of(site), site.bucket, item.key, path)

    def _site_of(self, place: Place) -> int:
        """The number of the place's site, or -1."""
        for site in self.sites():
            if (_endpoint_of(site), site.bucket) == (place.endpoint, place.bucket):
                return site.number
        return -1


def _endpoint_of(site: Site) -> str:
    """Where a bucket is, whatever region its requests go to first: names are unique in all of AWS."""
    endpoint = site.endpoint
    return f"{endpoint.scheme}://{endpoint.host_header}" if endpoint.is_custom else "aws"
