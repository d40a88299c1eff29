"""The journal of a script: what the next run of the same script makes of what lines had under way."""

from __future__ import annotations

import os

import pytest
from msgspec.structs import replace

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Place
from orbit_fast.core.journal import Started
from orbit_fast.core.journal import Transfer as Known
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Abandon
from orbit_fast.core.messages import Begin
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Transfer
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.settings import ScriptSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.proc.script_recovery import ScriptRecovery
from orbit_fast.proc.sides import Sides

SITE = Site(0, "b", Endpoint("http", "h", 9, "h:9", is_custom=True))
LARGE = Item(1, Direction.UPLOAD, 0, "k", b"/a/f", size=30, variant=1, line=1)
SMALL = Item(2, Direction.DOWNLOAD, 0, "s", b"/a/s", size=3, line=2)
PLAIN = JobSettings(object=ObjectSettings(), operation="cp")


class Said:
    """As much of a report as is told something."""

    def __init__(self):
        self.text = ""

    def forward(self, _out, err):
        """Lines for stderr."""
        self.text += err.decode()

    def log(self, _level, text):
        """A log line."""
        self.text += text + "\n"


class Job:
    """As much of a supervisor as is asked."""

    run_id = "0123456789abcdef"

    class sides:  # noqa: N801 - the name of an attribute
        """What has been found."""

        found = Sides(sites=(SITE,), identities=())


class Bench:
    """One script, run again and again."""

    def __init__(self, directory):
        self.script = directory / "script"
        self.script.write_text("")
        self.state = directory / "state"
        self.opened = []

    def run(self, *items, variant=PLAIN, name=None, fd=None, **transfer):
        """The next run, with these items, and one worker: its recovery, and what it said."""
        script = ScriptSettings(file=str(self.script) if name is None else name)
        settings = JobSettings(script=script, transfer=TransferSettings(**transfer), operation="run")
        said = Said()
        limits = Limits(depth=4, concurrency=2)
        recovery = ScriptRecovery(settings, {"XDG_STATE_HOME": str(self.state)}, said, limits)
        opened = os.open(self.script, os.O_RDONLY) if fd is None else fd
        recovery.recall(Job, opened)
        os.close(opened)
        ledger = recovery.ledger
        self.opened.append(ledger.journal)
        ledger.varied(1, variant)
        ledger.worker_ready(0)
        for item in items:
            ledger.add(item, plan_parts(item.size, 10, min_part=1) if item.size > 10 else None)
        return recovery, said

    def interrupt(self, **options):
        """A run that begins the large object and is killed."""
        recovery, _ = self.run(LARGE, **options)
        [(_, order)] = recovery.ledger.deal()
        assert order == Begin(LARGE)
        recovery.ledger.begun(0, Begun(1, "id", fingerprint=(1, 2)))
        recovery.ledger.deal()
        recovery.ledger.journal._drop()

    @property
    def journals(self):
        """Those that there are."""
        return list(self.state.rglob("*.journal"))


@pytest.fixture
def bench(tmp_path):
    """Where it is run."""
    bench = Bench(tmp_path)
    yield bench
    for journal in bench.opened:
        journal._drop()


def test_a_line_goes_on_with_what_it_had_under_way(bench):
    """By its place: it may stand on another line, and options that change nothing of the object may be others."""
    bench.interrupt()
    moved = replace(LARGE, number=7, line=9)
    recovery, _ = bench.run(moved, variant=replace(PLAIN, transfer=TransferSettings(part_size=12 << 20)))
    [(_, order)] = recovery.ledger.deal()
    assert (order.item, order.earlier.token) == (moved, "id")


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAIN, object=ObjectSettings(storage_class="GLACIER")),
        replace(PLAIN, transfer=TransferSettings(checksum_algorithm="SHA256")),
    ],
)
def test_what_other_options_began_is_not_gone_on_with(bench, other):
    """It is begun anew, and what was there is aborted when every line has ended."""
    bench.interrupt()
    recovery, _ = bench.run(LARGE, variant=other)
    ledger = recovery.ledger
    assert ledger.deal() == [(0, Begin(LARGE))]
    recovery.start()
    [(_, order)] = ledger.deal()
    assert isinstance(order, Abandon)
    assert (order.begun.token, order.item.key) == ("id", "k")


def test_a_line_that_is_gone_leaves_nothing(bench):
    """Its upload is aborted; then the journal is removed."""
    bench.interrupt()
    recovery, said = bench.run()
    recovery.start()
    [(_, order)] = recovery.ledger.deal()
    assert recovery.ledger.abandoned(0, order.item.number)
    recovery.close()
    assert (bench.journals, said.text) == ([], "")


def test_lines_of_small_objects_make_no_journal(bench):
    """Not even those of downloads."""
    recovery, _ = bench.run(SMALL)
    assert recovery.ledger.deal() == [(0, Transfer((SMALL,)))]
    assert recovery.ledger.journal.is_on
    recovery.close()
    assert not bench.state.exists()


def test_a_script_without_a_name_or_without_resume_has_no_journal(bench):
    """From stdin, from a pipe that has a name, and where it is not wanted."""
    reader, writer = os.pipe()
    for options in ({"name": ""}, {"fd": reader}, {"resume": False}):
        recovery, _ = bench.run(LARGE, **options)
        assert recovery.ledger.deal() == [(0, Begin(LARGE))]
        assert not recovery.ledger.journal.is_on
    os.close(writer)
    assert not bench.state.exists()


def test_the_same_script_twice_at_once(bench):
    """The second one keeps no journal, and leaves what the first has under way alone."""
    recovery, _ = bench.run(LARGE)
    recovery.ledger.deal()
    second, said = bench.run(LARGE)
    assert second.ledger.deal() == [(0, Begin(LARGE))]
    assert "another run of the same command has it" in said.text
    second.start()
    assert second.ledger.deal() == []
    assert len(bench.journals) == 1


def test_settings_that_no_line_uses_are_forgotten(bench):
    """As their numbers are: there may be as many as lines."""
    recovery, _ = bench.run()
    ledger = recovery.ledger
    for number in range(2, 100):
        ledger.varied(number, PLAIN)
        ledger.hold(number)
        ledger.let_go(number)
    assert len(ledger.take_idle_variants()) == 98
    assert list(ledger._settings) == [1]


@pytest.mark.parametrize(("count", "more"), [(1, ""), (2, ", and the others likewise")])
def test_what_is_kept_is_named_with_the_command_that_gives_it_up(bench, count, more):
    """By its own URL: a script has no destination."""
    recovery, said = bench.run()
    for number in range(1, count + 1):
        place = Place(Direction.UPLOAD, "http://h:9", "b", f"k{number}")
        started = Started(transfer=number, size=25, part_size=10, token="id")
        recovery.ledger.journal.state.transfers[number] = Known(number=number, place=place, when_ns=1, started=started)
    recovery.close()
    assert said.text.splitlines()[-2:] == [
        "orbit: the same command goes on from there",
        f"orbit: to give uploads up: orbit uploads s3://b/k1 --abort --endpoint-url http://h:9{more}",
    ]
