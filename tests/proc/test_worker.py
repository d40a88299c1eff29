"""A worker as the process it is, given orders by hand."""

from __future__ import annotations

import gc
import os
import select
import signal
import weakref
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Finish
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import PartMoved
from orbit_fast.core.messages import Ready
from orbit_fast.core.messages import Report
from orbit_fast.core.messages import Setup
from orbit_fast.core.messages import Stat
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Stop
from orbit_fast.core.messages import Transfer
from orbit_fast.core.messages import decode_event
from orbit_fast.core.messages import encode
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.notes import NeedCredentials
from orbit_fast.core.notes import RegionFound
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.io import libc
from orbit_fast.proc.cells import Cell
from orbit_fast.proc.child import CRASHED
from orbit_fast.proc.crew import ENTRY
from orbit_fast.proc.slots import SlotArena
from orbit_fast.proc.spawn import WorkerSpec
from orbit_fast.proc.spawn import start_worker
from orbit_fast.proc.worker import ORPHANED
from orbit_fast.proc.worker import TIDY_EVERY
from orbit_fast.proc.worker import Worker
from orbit_fast.proc.worker import client_settings
from orbit_fast.proc.worker import trust_of
from tests.kit.held_service import BUCKET
from tests.kit.held_service import HeldService

pytestmark = pytest.mark.slow

MIB = 1 << 20
RUN = "0123456789abcdef"
LIMIT_S = 30


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One server for all."""
    with HeldService(root=tmp_path_factory.mktemp("server")) as service:
        yield service


class Hand:
    """A worker in the test's hand."""

    def __init__(self, service, *, slots=4):
        self.service = service
        self.arena = SlotArena.create(max_memory=slots * MIB, workers=1)
        self.worker = start_worker(0, ENTRY, arena_fd=self.arena.fd)
        server = service.server
        endpoint = Endpoint("http", "127.0.0.1", server.port, f"127.0.0.1:{server.port}", f"/{BUCKET}", is_custom=True)
        self.setup = Setup(
            JobSettings(),
            (Site(0, BUCKET, endpoint, identity=1),),
            (Credentials(), Credentials(server.access_key, server.secret_key)),
            concurrency=8,
            run=RUN,
            clients=(ClientSettings(), ClientSettings()),
        )
        self._events = []

    def order(self, *orders):
        """Send orders."""
        for order in orders:
            self.worker.channel.send(encode(order))
        assert self.worker.channel.flush()

    def event(self):
        """The next event, or None after the last."""
        while not self._events and not self.worker.channel.is_ended:
            assert select.select([self.worker.channel.read_fd], [], [], LIMIT_S)[0], "no event came"
            self._events += [decode_event(bytes(payload)) for payload in self.worker.channel.read()]
        return self._events.pop(0) if self._events else None

    def start(self):
        """Wait for it, and tell it the job."""
        assert self.event() == Ready(self.worker.pid)
        self.order(self.setup)
        return self

    def status(self):
        """Its exit status; no slot of it is in use but by a crash."""
        found = self.worker.wait(LIMIT_S)
        assert found is not None, "the worker does not end"
        return found

    def close(self):
        """Kill it."""
        self.worker.kill()
        self.worker.wait(LIMIT_S)
        self.worker.close()
        self.arena.close()


@pytest.fixture
def hand(service):
    """A worker that knows the job."""
    hand = Hand(service)
    yield hand.start()
    hand.close()


def upload_of(path, number=1):
    """An item for this file."""
    size = path.stat().st_size
    return Item(number, Direction.UPLOAD, 0, path.name, bytes(path), size=size, mtime_ns=path.stat().st_mtime_ns)


def test_orders_are_done_and_answered(hand, service, tmp_path):
    """A whole item, a shared one step by step, a page, a key; then it ends, and has counted."""
    (tmp_path / "small").write_bytes(b"some bytes")
    data = os.urandom(6 * MIB)
    (tmp_path / "large").write_bytes(data)
    hand.order(Transfer((upload_of(tmp_path / "small"),)))
    [outcome] = hand.event().outcomes
    assert (outcome.item, outcome.status, outcome.size) == (1, Status.DONE, 10)
    large = upload_of(tmp_path / "large", 2)
    hand.order(Begin(large))
    begun = hand.event()
    assert isinstance(begun, Begun)
    facts = []
    for number, (offset, size) in enumerate([(0, 5 * MIB), (5 * MIB, MIB)], start=1):
        hand.order(MovePart(large, begun, number, offset, size))
        moved = hand.event()
        assert isinstance(moved, PartMoved)
        facts.append(moved.part)
    hand.order(Finish(large, begun, tuple(facts)))
    report = hand.event()
    assert isinstance(report, Report)
    assert report.lines.startswith(b"cp ")
    hand.order(ListPage(5, 0, ""), Stat(6, 0, "large"))
    answers = {type(event): event for event in (hand.event(), hand.event())}
    assert [entry.key for entry in answers[Page].entries] == ["large", "small"]
    assert (answers[Found].number, answers[Found].entry.size) == (6, len(data))
    assert service.data("large") == data
    hand.order(Stop(abort=True))
    assert hand.event() is None
    assert hand.status() == 0
    assert hand.arena.board.total(Cell.BYTES_SENT) > len(data)
    assert hand.arena.board.total(Cell.REQUESTS) == 7
    assert hand.arena.leased == 1  # the one it received into; it is free when the worker has been buried


def test_of_one_slot_none_is_kept_for_receiving(service, tmp_path):
    """Uploads read through it, downloads land in memory of the worker's own."""
    data = os.urandom(2 * MIB)
    (tmp_path / "f").write_bytes(data)
    hand = Hand(service, slots=1).start()
    hand.order(Transfer((upload_of(tmp_path / "f"),)))
    assert hand.event().outcomes[0].status is Status.DONE
    back = Item(2, Direction.DOWNLOAD, 0, "f", bytes(tmp_path / "back"), size=len(data))
    hand.order(Transfer((back,)))
    assert hand.event().outcomes[0].status is Status.DONE
    assert (tmp_path / "back").read_bytes() == data
    hand.order(Stop(abort=True))
    assert hand.status() == 0
    assert hand.arena.leased == 0
    hand.close()


def test_being_stopped_leaves_no_file_and_no_request(hand, service, tmp_path):
    """What is under way is given up: temporary files go, and the worker ends at once."""
    service.server.store.put(BUCKET, "half", os.urandom(1000))
    held = service.hold("GetObject", half=True)
    item = Item(3, Direction.DOWNLOAD, 0, "half", bytes(tmp_path / "out" / "f"), bytes(tmp_path / "out"), size=1000)
    hand.order(Transfer((item,)))
    held.wait()
    while not list(tmp_path.rglob(f".orbit-{RUN}-3.tmp")):
        assert hand.worker.poll() is None
    hand.order(Stop(abort=True))
    [outcome] = hand.event().outcomes
    assert outcome.failure.code == "E_CANCELLED"
    assert hand.status() == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_a_worker_without_its_supervisor_ends(hand, service):
    """In the middle of whatever it does: nobody would know of it."""
    held = service.hold("HeadObject")
    hand.order(Stat(1, 0, "x"))
    held.wait()
    os.close(hand.worker.channel.write_fd)
    assert hand.status() == ORPHANED
    held.release()
    hand.worker.channel.write_fd = os.open(os.devnull, os.O_WRONLY)


def test_orders_that_cannot_be_read_end_it(hand):
    """A broken frame is not guessed at."""
    os.write(hand.worker.channel.write_fd, b"nonsense" * 10)
    assert hand.status() == ORPHANED


def test_a_mistake_of_ours_ends_it_rather_than_losing_an_order(hand, tmp_path):
    """An exception outside a flow: whatever was under way is in doubt, and dealt again by the supervisor."""
    (tmp_path / "f").write_bytes(b"x")
    hand.order(Transfer((replace(upload_of(tmp_path / "f"), site=9),)))
    assert hand.event() is None
    assert hand.status() == CRASHED


def test_signals_are_the_supervisors_business(hand):
    """A terminal's interrupt reaches the whole group; a worker waits for what it is told."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(hand.worker.pid, number)
    hand.order(ListPage(5, 0, "none/"))
    assert isinstance(hand.event(), Page)


def test_it_asks_for_credentials_and_waits(hand, service):
    """What was refused is sent again with those that come; the same ones end the wait."""
    good = hand.setup.identities[1]
    expired = replace(good, access_key="EXPIRED")
    hand.order(replace(hand.setup, identities=(Credentials(), expired)))
    identity = type(next(iter(service.server.identities.values())))
    service.server.identities["EXPIRED"] = identity(access_key="EXPIRED", secret_key=good.secret_key, expires_at_s=1.0)
    hand.order(Stat(7, 0, "small"), ListPage(8, 0, "none/"))
    assert hand.event() == NeedCredentials(1, "EXPIRED")
    hand.order(hand.setup)
    answers = {getattr(event, "number", None) for event in (hand.event(), hand.event())}
    assert answers == {7, 8}
    hand.order(replace(hand.setup, identities=(Credentials(), expired)), ListPage(9, 0, "none/"))
    assert hand.event() == NeedCredentials(1, "EXPIRED")
    hand.order(replace(hand.setup, identities=(Credentials(), expired)))
    failed = hand.event()
    assert (failed.kind, failed.number, failed.failure.code) == ("page", 9, "ExpiredToken")


def test_it_learns_the_region_and_tells(tmp_path):
    """The site as it is now goes to the supervisor, once."""
    with HeldService(root=tmp_path, region="eu-west-7") as service:
        hand = Hand(service).start()
        hand.order(ListPage(1, 0, ""))
        found = hand.event()
        assert isinstance(found, RegionFound)
        assert found.site.endpoint.region == "eu-west-7"
        assert isinstance(hand.event(), Page)
        hand.order(ListPage(2, 0, ""))
        assert isinstance(hand.event(), Page)
        hand.close()


def test_each_side_has_its_own_settings():
    """Those of the identity that signs for it."""
    source, dest = ClientSettings(verify_ssl=False), ClientSettings(ca_bundle="/ca")
    setup = Setup(JobSettings(source=source, dest=dest), (), (), 1, clients=(source, dest))
    site = Site(0, "b", Endpoint("http", "h", 1, "h"))
    assert client_settings(setup, site) == source
    assert client_settings(setup, replace(site, identity=1)) == dest
    assert not trust_of(setup, site).verify
    assert trust_of(setup, replace(site, identity=1)).ca_bundle == "/ca"


class Cycle:
    """Something that only the collector frees."""

    def __init__(self):
        self.own = self


def test_what_is_not_used_any_more_is_given_back_now_and_then(monkeypatch):
    """Cycles, however few, and then the memory that is free; not at every count."""
    given_back = []
    monkeypatch.setattr(libc, "give_back_memory", lambda: given_back.append(lost() is None))
    arena = SlotArena.create(max_memory=1, workers=1)
    fds = (*os.pipe(), *os.pipe(), os.dup(arena.fd))
    spec = WorkerSpec(0, ENTRY, fds[0], fds[3], fds[4], -1, os.getpid())
    worker = Worker(spec, SimpleNamespace(call_later=lambda *_: None))
    lost = weakref.ref(Cycle())
    gc.disable()
    try:
        for _ in range(TIDY_EVERY - 1):
            worker._count()
        assert lost() is not None
        assert not given_back
        worker._count()
    finally:
        gc.enable()
        for fd in fds:
            os.close(fd)
        arena.close()
        del worker
    assert given_back == [True]
