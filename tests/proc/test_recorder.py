"""The ledger that keeps a journal: what is on the disk before an order goes out, and what the next run makes of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orbit_fast.core.hands import MAX_LOSSES
from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Header
from orbit_fast.core.journal import replay
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Transfer
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.stream import Stream
from orbit_fast.proc.journal import Journal
from orbit_fast.proc.recorder import RecordingLedger

LIMITS = Limits(depth=4, concurrency=2, backlog=10)
CUSTOM = Site(0, "b", Endpoint("http", "h", 9, "h:9", is_custom=True))
ITEM = Item(1, Direction.UPLOAD, 0, "k", b"/a/f", size=30)
NO = Failure("no", "AccessDenied", 403)
CUT = Failure("cut", "E_CONN_RESET", retryable=True)
GIVEN_UP = Failure("given up", "E_CANCELLED")


class Desk:
    """Runs of one command, in one place."""

    def __init__(self, directory):
        self.directory = directory
        self.runs = 0
        self.opened = []

    def ledger(self, *items, sites=(CUSTOM,)):
        """The next run's ledger with these large objects, and one worker."""
        self.runs += 1
        clock = SimpleNamespace(now_s=lambda: 5.0, monotonic_s=lambda: 1.0)
        journal = Journal(str(self.directory), "name", clock=clock, warn=lambda _: None)
        ledger = RecordingLedger(LIMITS, journal, clock)
        ledger.sites = lambda: sites
        journal._clock = SimpleNamespace(now_s=lambda: self.directory.stat().st_mtime, monotonic_s=lambda: 1.0)
        if self.directory.exists():
            ledger.recall()
        else:
            self.directory.mkdir(parents=True)
            ledger.recall()
        journal.begin(Header(run=f"{self.runs:016}", operation="cp", sources=(), destination=b""))
        self.opened.append(journal)
        ledger.worker_ready(0)
        for item in items:
            ledger.add(item, plan_parts(item.size, 10, min_part=1))
        return ledger

    @property
    def written(self):
        """What the file says now: what a run would know if this one were killed."""
        [path] = self.directory.iterdir()
        return replay(path.read_bytes().splitlines(keepends=True))

    @property
    def transfer(self):
        """The one object that is under way, as the file says it."""
        [found] = self.written.transfers.values()
        return found

    def die(self):
        """The run is killed."""
        self.opened[-1]._drop()


@pytest.fixture
def desk(tmp_path):
    """Where runs keep their journal."""
    desk = Desk(tmp_path / "state")
    yield desk
    for journal in desk.opened:
        journal._drop()


def orders(ledger):
    """What is dealt now."""
    return [order for _, order in ledger.deal()]


def under_way(ledger, begun=None):
    """Begin the one object; its first parts."""
    [order] = orders(ledger)
    assert isinstance(order, Begin)
    ledger.begun(0, begun or Begun(1, "id", fingerprint=(1, 2)))
    return [order for order in orders(ledger) if isinstance(order, MovePart)]


def land(ledger, order):
    """A part lands."""
    ledger.part_moved(0, PartMoved(1, PartFact(order.number, order.offset, order.size, "e", "c")))


def test_what_matters_is_written_before_the_order_goes_out(desk):
    """The intent before the beginning, the upload id before a part, the end when it has ended."""
    ledger = desk.ledger(ITEM)
    assert orders(ledger) == [Begin(ITEM)]
    assert (desk.transfer.place.key, desk.transfer.place.endpoint, desk.transfer.started) == ("k", "http://h:9", None)
    ledger.begun(0, Begun(1, "id", fingerprint=(1, 2)))
    parts = orders(ledger)
    started = desk.transfer.started
    assert (started.token, started.size, started.part_size, started.fingerprint) == ("id", 30, 10, (1, 2))
    for order in parts:
        land(ledger, order)
    [last] = orders(ledger)
    assert sorted(desk.transfer.parts) == [1, 2]
    land(ledger, last)
    [finish] = orders(ledger)
    assert isinstance(finish, Finish)
    assert ledger.item_ended(0, Outcome(1, Status.DONE, 30)) == ITEM
    ledger.journal.write()
    assert desk.written.transfers == {}


def test_the_next_run_takes_up_what_was_under_way(desk):
    """Whatever number it has now; what it adds is recorded under the same object."""
    ledger = desk.ledger(ITEM)
    land(ledger, under_way(ledger)[0])
    orders(ledger)
    desk.die()
    again = Item(9, Direction.UPLOAD, 0, "k", b"/a/../a/f", size=30)
    ledger = desk.ledger(again)
    [order] = orders(ledger)
    landed = (PartFact(1, 0, 10, "e", "c"),)
    assert order.earlier == Begun(9, "id", fingerprint=(1, 2), algorithm="CRC32C", size=30, part_size=10, landed=landed)
    more = (*landed, PartFact(2, 10, 10, "f", "d"))
    ledger.begun(0, Begun(9, "id", part_size=10, landed=more))
    assert [order.number for order in orders(ledger)] == [3]
    assert sorted(desk.transfer.parts) == [1, 2]
    assert [run.run for run in desk.written.runs] == [f"{1:016}", f"{2:016}"]


def test_where_there_is_nothing_to_take_up_it_begins_anew(desk):
    """The old record ends before the new intent."""
    under_way(desk.ledger(ITEM))
    desk.die()
    ledger = desk.ledger(ITEM)
    assert orders(ledger)[0].earlier is not None
    assert ledger.abandoned(0, 1)
    assert orders(ledger) == [Begin(ITEM)]
    assert (desk.transfer.number, desk.transfer.started) == (2, None)


def test_a_beginning_that_a_worker_died_over_is_looked_for(desk):
    """It may have created an upload that nobody heard of."""
    ledger = desk.ledger(ITEM)
    orders(ledger)
    ledger.worker_lost(0)
    ledger.worker_ready(1)
    [order] = orders(ledger)
    assert order.earlier == Begun(1, since_ns=5 * 10**9)


@pytest.mark.parametrize(("failure", "is_open"), [(NO, False), (CUT, True)])
def test_a_beginning_that_failed_is_looked_for_where_nobody_knows(desk, failure, is_open):
    """A service that refused has created nothing; one that did not answer may have."""
    ledger = desk.ledger(ITEM)
    orders(ledger)
    ledger.failed(0, Failed("begin", 1, failure))
    assert ledger.take_ended()
    ledger.journal.write()
    assert bool(desk.written.transfers) is is_open
    assert ledger.kept == []


@pytest.mark.parametrize("failure", [None, CUT])
def test_what_could_not_be_aborted_is_remembered(desk, failure):
    """Given up for good, and aborted, or not."""
    ledger = desk.ledger(ITEM)
    first, second = under_way(ledger)
    ledger.failed(0, Failed("part", 1, NO, first.number))
    ledger.failed(0, Failed("part", 1, GIVEN_UP, second.number))
    assert isinstance(orders(ledger)[-1], Abandon)
    assert ledger.abandoned(0, 1, failure)
    assert len(ledger.take_ended()) == 1
    assert len(ledger.kept) == (failure is not None)


def test_what_nobody_takes_up_is_cleaned_up_at_the_end(desk):
    """The source is gone, or does not belong to the job any more."""
    under_way(desk.ledger(ITEM))
    desk.die()
    ledger = desk.ledger()
    ledger.clean_up_rest()
    [abandon] = orders(ledger)
    assert (abandon.item.key, abandon.item.site, abandon.begun.token) == ("k", 0, "id")
    assert ledger.abandoned(0, abandon.item.number)
    ledger.journal.write()
    assert desk.written.transfers == {}
    assert ledger.is_idle


def test_what_belongs_to_another_place_is_left_alone(desk):
    """A bucket or an endpoint that this job does not know."""
    under_way(desk.ledger(ITEM))
    desk.die()
    ledger = desk.ledger(sites=(Site(0, "c", CUSTOM.endpoint),))
    ledger.clean_up_rest()
    assert orders(ledger) == []
    assert len(ledger.kept) == 1


def test_what_cannot_be_taken_up_for_good_is_cleaned_up_too(desk):
    """Its source cannot be read any more: nobody will go on with it."""
    under_way(desk.ledger(ITEM))
    desk.die()
    ledger = desk.ledger(ITEM)
    orders(ledger)
    ledger.failed(0, Failed("begin", 1, NO))
    ledger.take_ended()
    ledger.clean_up_rest()
    assert [type(order) for order in orders(ledger)] == [Abandon]


def test_an_interrupted_job_keeps_what_the_journal_has(desk):
    """Nothing is aborted, and no file is swept away."""
    download = Item(1, Direction.DOWNLOAD, 0, "k", b"/a/f", b"/a", size=30)
    ledger = desk.ledger(download)
    parts = under_way(ledger, Begun(1, temp=b"/a/.orbit-x.tmp", etag="e"))
    ledger.stop()
    assert [item.number for item in ledger.leftovers()] == []
    orders(ledger)
    for order in parts:
        ledger.failed(0, Failed("part", 1, GIVEN_UP, order.number))
    assert orders(ledger) == []
    assert ledger.is_idle
    assert [known.started.temp for known in ledger.kept] == [b".orbit-x.tmp"]


def test_without_a_journal_an_interrupted_job_cleans_up(desk):
    """As it always did."""
    ledger = desk.ledger(ITEM)
    ledger.journal._give_up("a test")
    parts = under_way(ledger)
    ledger.stop()
    orders(ledger)
    for order in parts:
        ledger.failed(0, Failed("part", 1, GIVEN_UP, order.number))
    assert [type(order) for order in orders(ledger)] == [Abandon]


def test_a_disk_that_fills_up_under_way_costs_only_the_journal(desk):
    """Every later fact is taken as ever."""
    ledger = desk.ledger(ITEM)
    first, second = under_way(ledger)
    land(ledger, first)
    ledger.journal._give_up("a test")
    land(ledger, second)
    [third] = orders(ledger)
    land(ledger, third)
    assert isinstance(orders(ledger)[0], Finish)
    assert ledger.item_ended(0, Outcome(1, Status.DONE, 30)) == ITEM
    assert ledger.is_idle


def test_small_uploads_leave_no_journal_and_small_downloads_do(desk):
    """Only what lands under a temporary name has to be looked for."""
    ledger = desk.ledger()
    ledger.add(Item(1, Direction.UPLOAD, 0, "k", b"/a/f", size=3))
    assert isinstance(orders(ledger)[0], Transfer)
    assert list(desk.directory.iterdir()) == []
    ledger.add(Item(2, Direction.DOWNLOAD, 0, "k", b"/a/f", b"/a", size=3))
    assert isinstance(orders(ledger)[0], Transfer)
    assert len(desk.written.runs) == 1


def test_an_object_that_kills_workers_stays_known(desk):
    """The worker that took it up died, again and again: the next run finds it."""
    under_way(desk.ledger(ITEM))
    desk.die()
    ledger = desk.ledger(ITEM)
    for worker in range(MAX_LOSSES):
        assert orders(ledger)
        ledger.worker_lost(worker)
        ledger.worker_ready(worker + 1)
    [(_, outcome)] = ledger.take_ended()
    assert outcome.failure.code == "E_WORKER_LOST"
    ledger.journal.write()
    assert desk.transfer.started.token == "id"


def test_a_stream_is_known_and_never_taken_up(desk):
    """Its intent and its id are written in time; the next run begins its own, and in the end aborts the earlier one."""
    stream = Item(1, Direction.PIPE, 0, "k", b"-")

    def begin():
        ledger = desk.ledger()
        parts = Stream(10)
        ledger.add(stream, parts)
        [order] = orders(ledger)
        assert (order.earlier, len(desk.written.transfers)) == (None, desk.runs)
        ledger.begun(0, Begun(1, f"id{desk.runs}"))
        parts.append(10, 0)
        assert [type(order) for order in orders(ledger)] == [MovePart]
        assert desk.written.transfers[desk.runs].started.token == f"id{desk.runs}"
        return ledger, parts

    begin()
    desk.die()
    ledger, parts = begin()
    ledger.part_moved(0, PartMoved(1, PartFact(1, 0, 10, "e", "c")))
    parts.is_whole = True
    ledger.stream_ended(1, 10)
    assert [type(order) for order in orders(ledger)] == [Finish]
    ledger.item_ended(0, Outcome(1, Status.DONE))
    ledger.clean_up_rest()
    [order] = orders(ledger)
    assert (type(order), order.item.key, order.begun.token) == (Abandon, "k", "id1")
    ledger.abandoned(0, order.item.number)
    ledger.journal.close(is_clean=True)
    assert list(desk.directory.iterdir()) == []


def test_a_stream_whose_beginning_a_worker_died_over_begins_anew(desk):
    """Nobody knows whether the first one came to be: it is looked for when everything has ended."""
    ledger = desk.ledger()
    ledger.add(Item(1, Direction.PIPE, 0, "k", b"-"), Stream(10))
    assert len(orders(ledger)) == 1
    ledger.worker_lost(0)
    ledger.worker_ready(1)
    [order] = orders(ledger)
    assert (type(order), order.earlier, sorted(desk.written.transfers)) == (Begin, None, [1, 2])
    ledger.begun(1, Begun(1, "second"))
    ledger.clean_up_rest()
    unheard = [order for order in orders(ledger) if isinstance(order, Abandon)]
    assert [(order.begun.token, order.begun.since_ns > 0) for order in unheard] == [("", True)]
