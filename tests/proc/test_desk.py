"""The desk of a worker, with flows that run when the test says so."""

from __future__ import annotations

import json

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import NotFound
from orbit_fast.core.events import Landed
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Abandoned
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Drop
from orbit_fast.core.messages import DropItems
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import Stat
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Stop
from orbit_fast.core.messages import Transfer
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.io.files import Landings
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.upload import IN_MEMORY
from orbit_fast.proc.desk import REPORT_AT
from orbit_fast.proc.desk import Desk
from orbit_fast.proc.desk import Reporter

SETTINGS = JobSettings(output=OutputSettings(json=True))


class FakeRun:
    """A flow that ends when the test says so, or when it is cancelled."""

    def __init__(self, bench, flow, on_end):
        self._bench = bench
        self._flow = flow
        self._on_end = on_end

    @property
    def name(self):
        """Which flow it is."""
        return self._flow.__qualname__

    def end(self, result):
        """End with `result`."""
        self._bench.running.remove(self)
        self._flow.close()
        self._on_end(result)

    def cancel(self):
        """As the client's handle."""
        self.end(Cancelled("cancelled"))


class Bench:
    """A desk, what it runs and what it said."""

    def __init__(self, *, concurrency=2, slots=1):
        self.running = []
        self.at_once = None
        self.sent = []
        self.timers = []
        self.idle = 0
        around = Surroundings(
            settings=SETTINGS,
            sites={},
            receive=memoryview(bytearray(1)),
            lease=lambda: None,
            monotonic_s=lambda: 0.0,
            landings=Landings(umask=0),
        )
        self.reporter = Reporter(self.sent.append, lambda after_s, call: self.timers.append((after_s, call)))
        self.desk = Desk(around, self._run, self.reporter, index=3)
        self.desk.send = self.sent.append
        self.desk.on_idle = self._idle
        self.set_up(concurrency=concurrency, slots=slots)

    def set_up(self, *, concurrency=2, slots=1):
        """Tell the desk how much may run."""
        self.desk.set_up(["bucket", "other"], concurrency=concurrency, slots=slots)

    def _run(self, flow, on_end):
        run = FakeRun(self, flow, on_end)
        self.running.append(run)
        if self.at_once is not None:
            run.end(self.at_once)
        return run

    def _idle(self):
        self.idle += 1

    def take(self, *orders):
        """Give the desk orders."""
        for order in orders:
            self.desk.take(order)

    def flush(self):
        """The outcomes reported so far, and their lines."""
        self.reporter.flush()
        reports = [event for event in self.sent if isinstance(event, Report)]
        lines = [json.loads(line) for report in reports for line in report.lines.splitlines()]
        return [outcome for report in reports for outcome in report.outcomes], lines


def item(number, *, size=10, direction=Direction.UPLOAD):
    """An item."""
    return Item(number, direction, 0, f"k{number}", b"/f", size=size, source_site=1, source_key="from")


def part(number, of=9, *, direction=Direction.UPLOAD):
    """An order to move one part of item `of`."""
    return MovePart(item(of, size=100, direction=direction), Begun(of, "id"), number, (number - 1) * 10, 10)


def done(size=10):
    """A good ending."""
    return Ending(Status.DONE, Landed(size=size, verified=Verified.CHECKSUM))


@pytest.mark.parametrize(
    ("direction", "names"),
    [
        (Direction.UPLOAD, ["upload", "begin", "move_part", "finish", "abandon"]),
        (Direction.DOWNLOAD, ["download", "begin", "move_part", "finish", "abandon"]),
        (Direction.COPY, ["copy", "begin", "move_part", "finish", "abandon"]),
    ],
)
def test_every_order_is_a_flow(direction, names):
    """Of the module of its direction."""
    bench = Bench(concurrency=100, slots=100)
    one, start = item(1, direction=direction), Begun(1, "id")
    orders = [
        Transfer((one,)),
        Begin(one),
        MovePart(one, start, 1, 0, 10),
        Finish(one, start, (PartFact(1, 0, 10),)),
        Abandon(one, start),
    ]
    for order, name in zip(orders, names, strict=True):
        bench.take(order)
        assert bench.running[0].name == name
        bench.running[0].end(Cancelled("enough"))
    bench.take(ListPage(1, 0, ""), Stat(2, 0, "k"))
    assert [run.name for run in bench.running] == ["list_page", "stat"]


def test_an_order_that_is_not_the_desks_is_a_mistake():
    """`Setup` and `Stop` are the worker's own."""
    with pytest.raises(AssertionError):
        Bench().take(Stop())


def test_whole_items_run_up_to_the_share():
    """The next one starts when one has ended; the desk is idle after the last."""
    bench = Bench(concurrency=2)
    bench.take(Transfer(tuple(item(number) for number in range(1, 4))))
    assert len(bench.running) == 2
    bench.running[0].end(done())
    assert len(bench.running) == 2
    assert (bench.idle, bench.desk.is_idle) == (0, False)
    bench.running[0].end(done())
    bench.running[0].end(done())
    assert (bench.idle, bench.desk.is_idle) == (1, True)
    assert [outcome.item for outcome in bench.flush()[0]] == [1, 2, 3]


def test_large_uploads_wait_for_slots():
    """Small ones and downloads need none; parts of uploads do."""
    bench = Bench(concurrency=10, slots=1)
    large = IN_MEMORY + 1
    bench.take(Transfer((item(1, size=large), item(2, size=large), item(3))))
    assert len(bench.running) == 1  # in order: the third waits behind the second
    bench.take(part(1), part(1, direction=Direction.DOWNLOAD))
    assert len(bench.running) == 1
    bench.running[0].end(done())
    assert [run.name for run in bench.running] == ["move_part", "move_part"]
    bench.running[0].end(PartFact(1, 0, 10))
    assert [run.name for run in bench.running] == ["move_part", "upload", "upload"]
    bench = Bench(concurrency=10, slots=0)
    bench.take(Transfer((item(1, size=large, direction=Direction.DOWNLOAD), item(2))))
    assert len(bench.running) == 2


def test_a_second_setup_does_not_forget_what_is_leased():
    """Fresh credentials come while uploads hold slots: they are not given out twice."""
    bench = Bench(concurrency=10, slots=1)
    large = IN_MEMORY + 1
    bench.take(Transfer((item(1, size=large), item(2, size=large))))
    bench.set_up(concurrency=10, slots=1)
    bench.take(Transfer((item(3, size=large),)))
    assert len(bench.running) == 1
    bench.running[0].end(done())
    assert len(bench.running) == 1
    bench.set_up(concurrency=10, slots=2)
    bench.take(Transfer((item(4, size=large),)))
    assert len(bench.running) == 2


def test_flows_that_end_at_once_do_not_pile_up():
    """Thousands of items that need no request (a dry run, vanished files) cost no stack."""
    bench = Bench(concurrency=2)
    bench.at_once = Ending(Status.PLANNED, Landed(size=1))
    bench.take(Transfer(tuple(item(number) for number in range(5000))))
    assert bench.desk.is_idle
    assert len(bench.flush()[0]) == 5000


def test_ends_are_reported_together():
    """After a few milliseconds, or as soon as there are many; each with its line."""
    bench = Bench(concurrency=1000)
    bench.take(Transfer(tuple(item(number) for number in range(REPORT_AT + 2))))
    for run in bench.running[:REPORT_AT]:
        run.end(done())
    [report] = bench.sent
    assert len(report.outcomes) == REPORT_AT
    bench.running[0].end(done())
    assert len(bench.sent) == 1
    assert len(bench.timers) == 1
    bench.timers[0][1]()
    assert len(bench.sent) == 2
    bench.timers[0][1]()  # nothing to say
    assert len(bench.sent) == 2
    bench.running[0].end(done())
    assert len(bench.timers) == 2


@pytest.mark.parametrize(
    ("result", "status", "line"),
    [
        (done(), Status.DONE, {"success": True, "size": 10, "verified": "checksum", "process": 3}),
        (Ending(Status.PLANNED, Landed(size=9)), Status.PLANNED, {"success": True, "dry_run": True, "size": 9}),
        (
            Ending(Status.SKIPPED, Landed(size=8), "exists"),
            Status.SKIPPED,
            {"success": True, "skipped": True, "reason": "exists", "size": 8},
        ),
        (AccessDenied("no", status=403), Status.FAILED, {"success": False, "code": "AccessDenied", "status": 403}),
    ],
)
def test_an_end_has_its_line(result, status, line):
    """Finished, as it will stand on stdout, with both names."""
    bench = Bench()
    bench.take(Transfer((item(1, direction=Direction.COPY),)))
    bench.running[0].end(result)
    [outcome], [event] = bench.flush()
    assert (outcome.item, outcome.status) == (1, status)
    assert (event["source"], event["destination"]) == ("s3://other/from", "s3://bucket/k1")
    assert line.items() <= event.items()


def test_a_failure_says_how_often_it_was_tried():
    """In its line and in its record; a failure without any request does not."""
    bench = Bench()
    tried = AccessDenied("no")
    tried.attempts = 4
    bench.take(Transfer((item(1), item(2))))
    bench.running[0].end(tried)
    bench.running[0].end(AccessDenied("no"))
    outcomes, events = bench.flush()
    assert [outcome.failure.attempts for outcome in outcomes] == [4, 0]
    assert [event.get("attempts") for event in events] == [4, None]


def test_steps_of_shared_transfers_answer_for_themselves():
    """Events to the ledger; only their last ends are the object's."""
    bench = Bench(concurrency=100, slots=100)
    one, start = item(1), Begun(1, "id")
    fact = PartFact(2, 10, 10)
    no = AccessDenied("no")
    cases = [
        (Begin(one), start, start),
        (Begin(one), no, ("begin", 0)),
        (part(2, of=1), fact, PartMoved(1, fact)),
        (part(2, of=1), no, ("part", 2)),
        (Finish(one, start, (fact,)), no, ("finish", 0)),
        (Abandon(one, start), None, Abandoned(1)),
    ]
    for order, result, wanted in cases:
        bench.take(order)
        bench.running[0].end(result)
        event = bench.sent.pop()
        if isinstance(event, Failed):
            assert (event.kind, event.part) == wanted
            assert event.failure.code == "AccessDenied"
        else:
            assert event == wanted
    bench.take(Abandon(one, start))
    bench.running[0].end(no)
    assert bench.sent.pop().failure.code == "AccessDenied"
    for order, result in [
        (Begin(one), Ending(Status.SKIPPED, Landed(size=1), "exists")),
        (Finish(one, start, ()), done()),
    ]:
        bench.take(order)
        bench.running[0].end(result)
    assert [outcome.status for outcome in bench.flush()[0]] == [Status.SKIPPED, Status.DONE]


def test_questions_are_answered_with_their_numbers():
    """Pages and keys, or why not."""
    bench = Bench()
    page, found = Page(7, ()), Found(8, Entry("k", 1))
    for order, result, wanted in [(ListPage(7, 0, ""), page, page), (Stat(8, 0, "k"), found, found)]:
        bench.take(order)
        bench.running[0].end(result)
        assert bench.sent.pop() == wanted
    bench.take(Stat(9, 0, "k"))
    bench.running[0].end(NotFound("bucket", "k"))
    event = bench.sent.pop()
    assert (event.kind, event.number, event.failure.code) == ("stat", 9, "NoSuchKey")


def test_items_are_given_up_on_demand():
    """Those that wait, or those that run too; each is answered, and none of them has a line."""
    bench = Bench(concurrency=1)
    bench.take(Transfer((item(1), item(2), item(3))), DropItems())
    assert len(bench.running) == 1
    bench.take(DropItems(running=True))
    outcomes, lines = bench.flush()
    assert [(outcome.item, outcome.failure.code) for outcome in outcomes] == [
        (2, "E_CANCELLED"),
        (3, "E_CANCELLED"),
        (1, "E_CANCELLED"),
    ]
    assert lines == []
    assert bench.desk.is_idle


def test_parts_are_given_up_by_transfer():
    """Waiting and running ones of this transfer; each is answered, others go on."""
    bench = Bench(slots=2)
    bench.take(part(1), part(2), part(3), part(1, of=8))
    assert len(bench.running) == 2
    bench.take(Drop(9))
    failed = [(event.number, event.part, event.failure.code) for event in bench.sent]
    assert sorted(failed) == [(9, number, "E_CANCELLED") for number in (1, 2, 3)]
    assert [run.name for run in bench.running] == ["move_part"]
    bench.running[0].end(PartFact(1, 0, 10))
    assert bench.sent[-1] == PartMoved(8, PartFact(1, 0, 10))


def test_the_end_of_everything():
    """Nothing that waited starts any more, what ran is cancelled, and the desk is idle once."""
    bench = Bench(concurrency=2, slots=1)
    bench.take(Transfer((item(1), item(2), item(3))), part(1), part(2), Stat(1, 0, "k"))
    bench.desk.cancel_all()
    assert bench.running == []
    assert bench.desk.is_idle
    assert bench.idle == 1


# --- the express lane ------------------------------------------------------------------------------------------------


class FakeLane:
    """Takes items that are small enough, and remembers them."""

    def __init__(self, limit=100):
        self._limit = limit
        self.taken = []
        self.cancelled = []

    def start(self, item):
        """Take it, or leave it to its flow."""
        if item.size > self._limit:
            return None
        self.taken.append(item)
        return FakeParcel(self, item)


class FakeParcel:
    """An item on the lane."""

    def __init__(self, lane, item):
        self._lane = lane
        self.item = item

    def cancel(self):
        """Remember it."""
        self._lane.cancelled.append(self.item.number)


def test_what_the_lane_takes_has_no_flow_of_its_own():
    """As many at once as flows; its end is reported like theirs, and the next one starts."""
    bench = Bench(concurrency=2)
    bench.desk.ways[0].lane = lane = FakeLane()
    items = (item(1), item(2), item(3, size=101))
    bench.take(Transfer(items))
    assert ([taken.number for taken in lane.taken], bench.running) == ([1, 2], [])
    bench.desk.landed(items[0], Landed(size=10, verified=Verified.CHECKSUM))
    assert [run.name for run in bench.running] == ["upload"]
    bench.desk.landed(items[1], Landed(size=10, verified=Verified.CHECKSUM))
    assert bench.idle == 0
    bench.running[0].end(done(101))
    outcomes, lines = bench.flush()
    assert [(outcome.item, outcome.status, outcome.size) for outcome in outcomes] == [
        (1, Status.DONE, 10),
        (2, Status.DONE, 10),
        (3, Status.DONE, 101),
    ]
    assert [line["source"] for line in lines] == ["/f"] * 3
    assert (bench.idle, bench.desk.is_idle) == (1, True)


@pytest.mark.parametrize(
    ("result", "status"),
    [(done(), Status.DONE), (AccessDenied("no"), Status.FAILED), (Cancelled("cancelled"), Status.FAILED)],
)
def test_what_a_flow_takes_over_from_the_lane_ends_as_that_says(result, status):
    """Once, in the place of the lane's own end."""
    bench = Bench(concurrency=1)
    bench.desk.ways[0].lane = FakeLane()
    bench.take(Transfer((item(1), item(2))))
    end = bench.desk.taken_over(item(1))
    assert not bench.desk.is_idle
    end(result)
    assert [taken.number for taken in bench.desk.ways[0].lane.taken] == [1, 2]
    outcomes, _ = bench.flush()
    assert [(outcome.item, outcome.status) for outcome in outcomes] == [(1, status)]
    bench.desk.landed(item(2), Landed(size=10))
    assert bench.idle == 1


def test_what_is_on_the_lane_is_called_back_with_the_rest():
    """By name, when running items are dropped, and when everything is."""
    bench = Bench(concurrency=2)
    bench.desk.ways[0].lane = lane = FakeLane()
    bench.take(Transfer((item(1), item(2), item(3))))
    bench.take(DropItems(running=True))
    assert lane.cancelled == [1, 2]
    bench.desk.cancel_all()
    assert lane.cancelled == [1, 2, 1, 2]
