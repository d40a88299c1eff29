"""The desk of a worker: orders in, events out, without a pipe, a loop or a process.

An order becomes a flow; `run` drives it; what comes of it goes back as an event. Ends of whole items are collected for
a few milliseconds, with their finished output lines, so that the supervisor wakes up once for many.

How much runs at once: whole items up to the worker's share of ``--workers``; parts as the ledger deals them; both only
while there is a slot for each upload that reads through one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import Landed
from orbit_fast.core.events import Pair
from orbit_fast.core.events import Renderer
from orbit_fast.core.events import new_renderer
from orbit_fast.core.events import pair_of
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Open
from orbit_fast.core.fetching import Pour
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Drop
from orbit_fast.core.messages import DropItems
from orbit_fast.core.messages import Event
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Order
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Stat
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer
from orbit_fast.io import compare
from orbit_fast.io import copy
from orbit_fast.io import download
from orbit_fast.io import fetch
from orbit_fast.io import listing
from orbit_fast.io import move
from orbit_fast.io import pipe
from orbit_fast.io import pour
from orbit_fast.io import relay
from orbit_fast.io import resumption
from orbit_fast.io import upload
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings

if TYPE_CHECKING:
    from orbit_fast.io.client import Handle
    from orbit_fast.io.lane import Lane
    from orbit_fast.io.parcels import Sent
    from orbit_fast.proc.taskdesk import TaskDesk

REPORT_AFTER_S = 0.005
"""How long the end of an item may wait for others to be reported with."""

REPORT_AT = 64
"""So many ended items are reported at once."""

WHOLE: dict[Direction, Callable[[Surroundings, Item], Flow[Ending]]] = {
    Direction.UPLOAD: upload.upload,
    Direction.DOWNLOAD: download.download,
    Direction.COPY: copy.copy,
    Direction.RELAY: relay.relay,
    Direction.PIPE: pipe.put,
}
STEPS = {
    Direction.UPLOAD: upload,
    Direction.DOWNLOAD: download,
    Direction.COPY: copy,
    Direction.RELAY: relay,
    Direction.PIPE: pipe,
}


def whole(around: Surroundings, item: Item) -> Flow[Ending]:
    """The flow of a whole item."""
    copy_item = WHOLE[item.direction]
    if around.settings.sync.look:
        return compare.unless_same(around, item, copy_item(around, item))
    return move.move(around, item, copy_item) if around.is_moving else copy_item(around, item)


def begin(around: Surroundings, order: Begin) -> Flow[Begun | Abandoned | Ending]:
    """The flow of a shared transfer's first step."""
    item = order.item
    if order.earlier is not None:
        return resumption.take_up(around, item, order.earlier)
    flow: Flow[Begun | Ending] = STEPS[item.direction].begin(around, item)
    return compare.unless_same(around, item, flow) if around.settings.sync.look else flow


def finish(around: Surroundings, order: Finish) -> Flow[Ending]:
    """The flow of a shared transfer's last step."""
    flow = STEPS[order.item.direction].finish(around, order)
    return move.finish_move(around, order.item, order.begun, flow) if around.is_moving else flow


ASKS: dict[type, tuple[str, Callable[[Surroundings, Any], Flow[Any]]]] = {
    ListPage: ("page", listing.list_page),
    Stat: ("stat", listing.stat),
    Open: ("open", fetch.look),
    Fetch: ("fetch", fetch.fetch),
    Pour: ("pour", pour.pour),
}

_UNWANTED = frozenset({"task", "open", "fetch", "pour"})
"""What nobody wants any more when the job ends early."""


class Reporter:
    """Collects how items ended, and sends it in few messages."""

    def __init__(self, send: Callable[[Event], None], later: Callable[[float, Callable[[], None]], object]) -> None:
        self._send = send
        self._later = later
        self._outcomes: list[Outcome] = []
        self._lines: list[bytes] = []
        self._errors: list[bytes] = []
        self._rows: list[bytes] = []
        self._is_scheduled = False

    def add(self, outcome: Outcome, lines: bytes, errors: bytes, row: bytes = b"") -> None:
        """One more item has ended."""
        self._outcomes.append(outcome)
        if lines:
            self._lines.append(lines)
        if errors:
            self._errors.append(errors)
        if row:
            self._rows.append(row)
        if len(self._outcomes) >= REPORT_AT:
            self.flush()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._later(REPORT_AFTER_S, self._flush_scheduled)

    def flush(self) -> None:
        """Send what is there."""
        if self._outcomes:
            kept = (self._lines, self._errors, self._rows)
            self._send(Report(tuple(self._outcomes), *map(b"".join, kept)))
            for each in (self._outcomes, *kept):
                each.clear()

    def _flush_scheduled(self) -> None:
        self._is_scheduled = False
        self.flush()


@dataclass(slots=True, kw_only=True)
class Way:
    """How some of the job's items are done: settings, and what follows from them.

    Attributes:
        around: what their flows are given.
        renderer: makes their lines.
        lane: takes the small ones, where it can.
    """

    around: Surroundings
    renderer: Renderer
    lane: Lane | None = None

    def row(self, pair: Pair, landed: Landed) -> bytes:
        """The line of the manifest for what arrived, where one is wanted."""
        if not self.around.settings.output.manifest_out:
            return b""
        from orbit_fast.core.manifest import landed_line  # noqa: PLC0415 - csv is for those who want a manifest

        return landed_line(pair, landed)


def new_way(around: Surroundings, *, process: int, lane: Lane | None = None) -> Way:
    """The way that the settings in `around` describe."""
    settings = around.settings
    return Way(around=around, renderer=new_renderer(settings, operation=settings.operation, process=process), lane=lane)


class Desk:
    """Takes orders, starts flows, answers. Knows nothing of pipes: `send` takes events."""

    def __init__(self, around: Surroundings, run: Callable[..., Handle], reporter: Reporter, *, index: int) -> None:
        self._index = index
        self.ways = {0: new_way(around, process=index)}
        self._run = run
        self._reporter = reporter
        self._buckets: list[str] = []
        self._queue: deque[Item] = deque()
        self._parts_waiting: deque[MovePart] = deque()
        self._slots = 0
        self._slots_free = 0
        self._is_pumping = False
        self._concurrency = 1
        self._running: dict[object, Handle | Sent] = {}
        self.tasks: TaskDesk | None = None
        self.send: Callable[[Event], None] = lambda _: None
        self.on_idle: Callable[[], None] = lambda: None
        self.allowed: Callable[[], int] = lambda: 0

    @property
    def is_idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not (self._running or self._queue or self._parts_waiting)

    def vary(self, number: int, around: Surroundings) -> Way:
        """Some items and tasks name this number: they are done as `around` says."""
        way = new_way(around, process=self._index)
        self.ways[number] = way
        return way

    def set_up(self, buckets: list[str], *, concurrency: int, slots: int) -> None:
        """How the job's buckets are called, and how much may run at once. May come again while flows run."""
        self._buckets = buckets
        self._concurrency = concurrency
        self._slots_free += slots - self._slots
        self._slots = slots

    def take(self, order: Order) -> None:
        """Do what an order says."""
        match order:
            case Transfer(items=items):
                self._queue.extend(items)
                self._pump()
            case MovePart():
                self._parts_waiting.append(order)
                self._pump()
            case Begin() | Finish() | Abandon():
                self._take_step(order)
            case Drop(item=number):
                self._drop_parts(number)
            case DropItems(running=running):
                self._drop_items(running=running)
            case ListPage() | Stat() | RunTask() | Open() | Fetch() | Pour():
                self._take_ask(order)
            case _:
                raise AssertionError(f"not an order for the desk: {order!r}")

    def _take_step(self, order: Begin | Finish | Abandon) -> None:
        """A step of a shared transfer."""
        item, around = order.item, self._way(order.item)
        match order:
            case Begin():
                self._step(("begin", item.number), begin(around, order), self._begun(item))
            case Finish():
                self._step(("finish", item.number), finish(around, order), self._finished(item))
            case Abandon(begun=begun):
                self._step(("abandon", item.number), resumption.abandon(around, item, begun), self._abandoned(item))

    def _take_ask(self, order: Ask) -> None:
        """Something that is answered by what was asked for."""
        number, around = order.number, self.ways[order.variant].around
        if isinstance(order, RunTask):
            assert self.tasks is not None, "a desk that is given tasks has someone for them"
            flow, end = self.tasks.begin(order, around)
            self._step(("task", number), flow, end)
            return
        kind, find = ASKS[type(order)]
        self._step((kind, number), find(around, order), self._answer(kind, number))

    def cancel_all(self) -> None:
        """Give up everything: temporary files go, connections are closed."""
        self._queue.clear()
        self._parts_waiting.clear()
        for handle in list(self._running.values()):
            handle.cancel()

    # --- whole items and parts: as many as memory and settings allow -------------------------------------------------

    def go_on(self) -> None:
        """Start what may start now; to be called now and then, because a limit may have been raised."""
        self._pump()

    def _pump(self) -> None:
        """Start what may start. A flow that ends at once comes back here: then the loop below goes on by itself."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            self._start_parts()
            self._start_items()
        finally:
            self._is_pumping = False

    def _has_leave(self) -> bool:
        """Whether the job's limit allows one more; it is low where the service has asked to slow down."""
        allowed = self.allowed()
        return not allowed or len(self._running) < allowed

    def _start_parts(self) -> None:
        while self._parts_waiting and self._has_leave():
            order = self._parts_waiting[0]
            slots = self._slots_for(order.item, order.size)
            if slots > self._slots_free:
                break
            self._parts_waiting.popleft()
            self._slots_free -= slots
            flow = STEPS[order.item.direction].move_part(self._way(order.item), order)
            self._step(("part", order.item.number, order.number), flow, self._part_ended(order, slots))

    def _start_items(self) -> None:
        while self._queue and len(self._running) < self._concurrency and self._has_leave():
            item = self._queue[0]
            slots = self._slots_for(item, item.size) if item.size > upload.IN_MEMORY else 0
            if slots > self._slots_free:
                break
            self._queue.popleft()
            way = self.ways[item.variant]
            parcel = way.lane.start(item) if way.lane is not None else None
            if parcel is not None:
                self._running[item.number] = parcel
                continue
            self._slots_free -= slots
            self._step(item.number, whole(way.around, item), self._whole_ended(item, slots))

    def _slots_for(self, item: Item, size: int) -> int:
        """The slots that `size` bytes of this item take: an upload reads through one, a relay holds them all."""
        if item.direction is Direction.RELAY:
            needed = relay.slots_for(size, len(self._way(item).receive))
            return min(needed, self._slots)  # one that has grown beyond all of them is started, to fail
        return int(item.direction is Direction.UPLOAD)

    def _step(self, name: object, flow: Flow[Any], on_end: Callable[[Any], None]) -> None:
        """Start a flow; `on_end` gets its result or the `S3Error` that ended it."""
        ended = False

        def end(result: Any) -> None:
            nonlocal ended
            ended = True
            self._running.pop(name, None)
            on_end(result)
            self._pump()
            if self.is_idle:
                self.on_idle()

        handle = self._run(flow, end)
        if not ended:
            self._running[name] = handle

    # --- small items that pass on the express lane -------------------------------------------------------------------

    def landed(self, item: Item, landed: Landed) -> None:
        """All is well with an item that the lane took."""
        del self._running[item.number]
        way, pair = self.ways[item.variant], pair_of(item, self._buckets)
        lines = way.renderer.done(pair, landed)
        outcome = Outcome(item.number, Status.DONE, landed.size, landed.verified)
        self._reporter.add(outcome, lines.out, lines.err, way.row(pair, landed))
        self._pump()
        if self.is_idle:
            self.on_idle()

    def taken_over(self, item: Item) -> Callable[[Ending | S3Error], None]:
        """An item that the lane took is a flow's now; what that is to tell its end."""
        report = self._ended(item)

        def end(result: Ending | S3Error) -> None:
            self._running.pop(item.number, None)
            report(result)
            self._pump()
            if self.is_idle:
                self.on_idle()

        return end

    def _way(self, item: Item) -> Surroundings:
        return self.ways[item.variant].around

    def _drop_items(self, *, running: bool) -> None:
        for unwanted in [name for name in self._running if isinstance(name, tuple) and name[0] in _UNWANTED]:
            self._running[unwanted].cancel()
        while self._queue:
            self._report_failure(self._queue.popleft(), Cancelled("given up"))
        if running:
            for name in [name for name in self._running if isinstance(name, int)]:
                self._running[name].cancel()

    def _drop_parts(self, number: int) -> None:
        for order in [order for order in self._parts_waiting if order.item.number == number]:
            self._parts_waiting.remove(order)
            self._fail("part", number, Cancelled("given up"), order.number)
        names = [name for name in self._running if isinstance(name, tuple) and name[:2] == ("part", number)]
        for name in names:
            self._running[name].cancel()

    # --- what comes of a flow ----------------------------------------------------------------------------------------

    def _whole_ended(self, item: Item, slots: int) -> Callable[[Ending | S3Error], None]:
        report = self._ended(item)

        def on_end(result: Ending | S3Error) -> None:
            self._slots_free += slots
            report(result)

        return on_end

    def _ended(self, item: Item) -> Callable[[Ending | S3Error], None]:
        def on_end(result: Ending | S3Error) -> None:
            pair = pair_of(item, self._buckets)
            renderer = self.ways[item.variant].renderer
            if isinstance(result, S3Error):
                self._report_failure(item, result)
            elif result.status is Status.DONE:
                landed = result.landed
                lines = renderer.done(pair, landed)
                outcome = Outcome(item.number, Status.DONE, landed.size, landed.verified)
                self._reporter.add(outcome, lines.out, lines.err, self.ways[item.variant].row(pair, landed))
            elif result.status is Status.PLANNED:
                lines = renderer.planned(pair, result.landed.size)
                self._reporter.add(Outcome(item.number, Status.PLANNED, result.landed.size), lines.out, lines.err)
            else:
                lines = renderer.skipped(pair, result.reason, result.landed.size)
                outcome = Outcome(item.number, Status.SKIPPED, result.landed.size, reason=result.reason)
                self._reporter.add(outcome, lines.out, lines.err)

        return on_end

    def _report_failure(self, item: Item, error: S3Error) -> None:
        failure = Failure.of(error)
        outcome = Outcome(item.number, Status.FAILED, failure=failure)
        if isinstance(error, Cancelled):
            self._reporter.add(outcome, b"", b"")
            return
        pair, renderer = pair_of(item, self._buckets), self.ways[item.variant].renderer
        lines = renderer.failed(pair, failure, failure.attempts, line=item.line)
        self._reporter.add(outcome, lines.out, lines.err)

    def _finished(self, item: Item) -> Callable[[Ending | S3Error], None]:
        ended = self._ended(item)

        def on_end(result: Ending | S3Error) -> None:
            if isinstance(result, S3Error):
                # Not the end yet: the ledger has the upload abandoned first, and then reports the failure.
                self._fail("finish", item.number, result)
            else:
                ended(result)

        return on_end

    def _begun(self, item: Item) -> Callable[[Begun | Abandoned | Ending | S3Error], None]:
        ended = self._ended(item)

        def on_end(result: Begun | Abandoned | Ending | S3Error) -> None:
            if isinstance(result, Begun | Abandoned):
                self.send(result)
            elif isinstance(result, Ending):
                ended(result)
            else:
                self._fail("begin", item.number, result)

        return on_end

    def _part_ended(self, order: MovePart, slots: int) -> Callable[[PartFact | S3Error], None]:
        def on_end(result: PartFact | S3Error) -> None:
            self._slots_free += slots
            if isinstance(result, PartFact):
                self.send(PartMoved(order.item.number, result))
            else:
                self._fail("part", order.item.number, result, order.number)

        return on_end

    def _abandoned(self, item: Item) -> Callable[[S3Error | None], None]:
        def on_end(result: S3Error | None) -> None:
            self.send(Abandoned(item.number, Failure.of(result) if result is not None else None))

        return on_end

    def _answer(self, kind: str, number: int) -> Callable[[Any], None]:
        def on_end(result: Any) -> None:
            if isinstance(result, S3Error):
                self._fail(kind, number, result)
            else:
                self.send(result)

        return on_end

    def _fail(self, kind: str, number: int, error: S3Error, part: int = 0) -> None:
        self.send(Failed(kind, number, Failure.of(error), part))
