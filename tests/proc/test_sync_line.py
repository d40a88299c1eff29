"""A sync as a line of a script: it deletes when its own copies have ended well, and fails for itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.hands import Limits
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Page
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.messages import Transfer
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import SyncSettings
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.core.tasks import RemoveExtraKeys
from orbit_fast.core.tasks import Tallied
from orbit_fast.core.work import Line
from orbit_fast.core.work import Sync
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sync_line import SyncLine
from orbit_fast.proc.sync_line import renumbered
from orbit_fast.proc.syncjob import plan_sync
from tests.kit.ledgers import line_ledger

DENIED = Failure.of(AccessDenied("no"))
SITE = 5
"""The bucket's number in the script."""


class Bench:
    """Lines of a script, and what they ask."""

    def __init__(self, tmp_path, monkeypatch):
        self.asked = []
        self._count = 0
        self.said = b""
        self.failures = []
        self.variants = {}
        self.ledger = line_ledger(Limits(workers=1, depth=100, concurrency=4))
        self.ledger.worker_ready(0)
        self.report = Report(JobSettings(operation="run"), SilentConsole(), lambda: 0.0, command="run")
        monkeypatch.setattr(self.report, "forward", self._forward)
        self.source = tmp_path / "src"
        self.source.mkdir()
        for name in ("a", "b"):
            (self.source / name).write_bytes(b"x")
        self._amount = Amount()
        self._listings = Listings(lambda: 0.0)
        self._supervisor = SimpleNamespace(
            questions=SimpleNamespace(ask=self._ask),
            vary=lambda settings: self.variants.setdefault(settings, len(self.variants) + 1),
            sides=SimpleNamespace(sides=[Side(f"b{number}", JobSettings().dest) for number in range(6)]),
        )

    def _ask(self, asker, order):
        self._count += 1
        self.asked.append((asker, replace(order, number=self._count)))
        return self._count

    def _forward(self, out, err):
        self.said += out + err

    def close(self):
        """Give the streams back."""
        for writer in self.report.writers:
            writer.close()

    def line(self, number):
        """A line that has been begun."""
        settings = JobSettings(operation="sync", sync=SyncSettings(delete=True))
        source, destination = str(self.source), f"s3://b{SITE}/d{number}"
        plan = Sync(source=source, destination=destination, command="orbit sync")
        job = renumbered(plan_sync(source, destination, settings), [SITE])
        line = SyncLine(
            Line(number=number, settings=settings, plan=plan),
            job,
            supervisor=self._supervisor,
            ledger=self.ledger,
            report=self.report,
            amount=self._amount,
            listings=self._listings,
        )
        line.on_failure = self.failures.append
        return line

    def go(self, line):
        """Let it go on as far as it can by itself."""
        while not line.is_done and not line.is_waiting:
            line.pull()

    def take(self, kind):
        """The only question, which is of this kind."""
        [(asker, order)] = self.asked
        self.asked.clear()
        assert isinstance(order, kind)
        return asker, order

    def items(self):
        """What is dealt to the one worker."""
        return [item for _, order in self.ledger.deal() if isinstance(order, Transfer) for item in order.items]

    def listed(self, line):
        """The line has seen its destination, which has one extra."""
        self.go(line)
        asker, order = self.take(ListPage)
        assert order.site == SITE
        asker.answer(Page(order.number, (Entry(f"{order.prefix}extra", 1, etag="e"),), (), ""))
        self.go(line)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Somewhere to begin lines."""
    bench = Bench(tmp_path, monkeypatch)
    yield bench
    bench.close()


def test_extras_go_when_the_lines_own_copies_have_ended(bench):
    """Not before, and whatever becomes of another line's."""
    first, second = bench.line(1), bench.line(2)
    bench.listed(first)
    bench.listed(second)
    items = bench.items()
    while more := bench.items():
        items += more
    assert sorted(item.line for item in items) == [1, 1, 2, 2]
    assert len({item.number for item in items}) == 4
    for item in items:
        if item.line == 2:
            bench.ledger.item_ended(0, Outcome(item.number, Status.FAILED, failure=DENIED))
    mine = [item for item in items if item.line == 1]
    bench.ledger.item_ended(0, Outcome(mine[0].number, Status.DONE))
    bench.go(first)
    assert first.is_waiting
    assert bench.asked == []
    bench.ledger.item_ended(0, Outcome(mine[1].number, Status.SKIPPED))
    bench.go(first)
    asker, order = bench.take(RunTask)
    assert (order.task, order.line) == (LookForFiles(0, bytes(bench.source) + b"/", ("extra",)), 1)
    asker.answer(TaskEnded(order.number, Tallied()))
    bench.go(first)
    asker, order = bench.take(RunTask)
    assert (order.task, order.line) == (RemoveExtraKeys(SITE, (("d1/extra", "e"),)), 1)
    assert order.variant == mine[0].variant > 0
    asker.answer(TaskEnded(order.number, Tallied(deleted=1)))
    bench.go(first)
    assert first.is_done
    bench.go(second)
    assert second.is_done
    assert (bench.asked, bench.failures) == ([], [])
    assert b'"line 2: sync' in bench.said
    assert b"E_DELETE_CANCELLED" in bench.said
    for line in (first, second):
        line.close()


def test_a_listing_that_fails_fails_the_line(bench):
    """Whatever comes afterwards is dropped, and nothing is deleted."""
    line = bench.line(1)
    bench.go(line)
    asker, order = bench.take(ListPage)
    assert asker.answer(Failed("page", order.number, DENIED)) is None
    [failure] = bench.failures
    assert "could not be listed whole" in failure.message
    line.close()
    assert line.is_done
    asker.answer(Page(order.number, (), (), ""))
    assert bench.items() == []
    assert len(bench.failures) == 1


def test_a_deletion_that_cannot_be_done_fails_the_line(bench):
    """As the task says."""
    line = bench.line(1)
    bench.listed(line)
    items = bench.items()
    while more := bench.items():
        items += more
    for item in items:
        bench.ledger.item_ended(0, Outcome(item.number, Status.DONE))
    bench.go(line)
    asker, order = bench.take(RunTask)
    asker.answer(TaskEnded(order.number, Tallied()))
    bench.go(line)
    asker, order = bench.take(RunTask)
    assert isinstance(order.task, RemoveExtraKeys)
    asker.answer(TaskEnded(order.number, Tallied(), DENIED))
    assert bench.failures == [DENIED]
    line.close()
