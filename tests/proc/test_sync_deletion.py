"""The end of a sync: the guard is asked once, then extras go in batches; what comes last comes one after another."""

from __future__ import annotations

import msgspec
import pytest

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.guard import Case
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import RemoveExtraFiles
from orbit_fast.core.tasks import RemoveExtraKeys
from orbit_fast.core.tasks import Tallied
from orbit_fast.io.external_sort import Spool
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import InTurn
from orbit_fast.proc.sync_deletion import AT_ONCE
from orbit_fast.proc.sync_deletion import Deletion
from orbit_fast.proc.sync_finder import End

FINE = {"is_whole": True, "failed": 0, "at_source": 10**6, "at_destination": 10**6}


class Bench:
    """A deletion, and what it asked for and said."""

    def __init__(self, end, known, count, monkeypatch, **case):
        self.orders = []
        self.lines = b""
        self.extras = Spool()
        for number in range(count):
            self.extras.add(b"n%05d" % number, msgspec.msgpack.encode(known))
        settings = JobSettings()
        self.report = Report(settings, SilentConsole(), lambda: 0.0, command="sync")
        monkeypatch.setattr(self.report, "forward", self._forward)
        self.deletion = Deletion(
            self.extras,
            end,
            lambda: Case(**{**FINE, "extras": count, **case}),
            report=self.report,
            ask=lambda _, order: self.orders.append(order),
        )

    def _forward(self, out, err):
        self.lines += out + err

    def run(self):
        """Deal everything, answering only when it waits."""
        self.deletion.start()
        while not self.deletion.is_done:
            if self.deletion.is_waiting:
                assert self.deletion.answer(TaskEnded(0, Tallied())) is None
            else:
                self.deletion.pull()
        self.deletion.close()
        return [order.task for order in self.orders]


OBJECTS = End(url=S3Url("b", "p/"), site=3)
FILES = End(root=b"/d/")


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (1000, [1000]), (2500, [1000, 1000, 500])])
def test_extras_go_by_the_thousand(monkeypatch, count, sizes) -> None:
    """Every name once, in order, with what was known of it."""
    tasks = Bench(OBJECTS, ("etag",), count, monkeypatch).run()
    assert [len(task.extras) for task in tasks] == sizes
    assert all(isinstance(task, RemoveExtraKeys) and task.site == 3 for task in tasks)
    assert [pair for task in tasks for pair in task.extras] == [(f"p/n{number:05}", "etag") for number in range(count)]
    tasks = Bench(FILES, (7, 8), count, monkeypatch).run()
    assert all(isinstance(task, RemoveExtraFiles) and task.root == b"/d/" for task in tasks)
    assert [row for task in tasks for row in task.extras] == [(b"n%05d" % number, 7, 8) for number in range(count)]


def test_not_everything_at_once(monkeypatch) -> None:
    """So many tasks, and then it waits."""
    bench = Bench(OBJECTS, ("",), 1000 * (AT_ONCE + 2), monkeypatch)
    bench.deletion.start()
    while not bench.deletion.is_waiting:
        bench.deletion.pull()
    assert len(bench.orders) == AT_ONCE
    bench.deletion.answer(TaskEnded(0, Tallied()))
    assert not bench.deletion.is_waiting
    bench.deletion.close()


@pytest.mark.parametrize(
    ("case", "code", "exit_code"),
    [
        ({"is_whole": False}, b"E_LIST_INCOMPLETE", 2),
        ({"failed": 1}, b"E_DELETE_CANCELLED", 0),
        ({"at_source": 0}, b"E_EMPTY_SOURCE", 2),
        ({"at_destination": 200, "extras": 150}, b"E_MAX_DELETE", 2),
    ],
)
def test_what_the_guard_refuses_is_not_begun(monkeypatch, case, code, exit_code) -> None:
    """It is said in one line, nothing is asked for, and the exit code follows; failed copies have theirs already."""
    bench = Bench(OBJECTS, ("",), 150, monkeypatch, **case)
    assert bench.run() == []
    assert bench.lines.startswith(b'ERROR "sync": ' + code + b": nothing was deleted, because ")
    assert bench.lines.count(b"\n") == 1
    assert bench.report.tally.exit_code() == exit_code


def test_a_task_that_cannot_be_done_ends_the_job(monkeypatch) -> None:
    """No permission to delete anything is told once."""
    bench = Bench(OBJECTS, ("",), 5, monkeypatch)
    bench.deletion.start()
    bench.deletion.pull()
    failure = Failure.of(AccessDenied("no"))
    assert bench.deletion.answer(TaskEnded(0, Tallied(), failure)) is failure
    bench.deletion.close()
    assert list(bench.extras.pairs()) == []


class Turn:
    """One that comes last, and says what it is told."""

    is_waiting = False

    def __init__(self, name, told, steps):
        self.name, self.told, self.steps = name, told, steps

    @property
    def is_done(self):
        """After so many steps."""
        return self.steps == 0

    def note(self, item, size):
        """As `Last`."""
        self.told.append((self.name, item, size))

    def start(self):
        """As `Last`."""
        self.told.append((self.name, "start"))

    def pull(self):
        """As `Last`."""
        self.steps -= 1
        self.told.append((self.name, "pull"))

    def close(self):
        """As `Last`."""
        self.told.append((self.name, "close"))


def test_one_after_another() -> None:
    """The second starts when the first is done; all hear of every object, and all are closed."""
    told = []
    both = InTurn([Turn("one", told, 2), Turn("two", told, 0), Turn("three", told, 1)])
    both.note("item", 5)
    both.start()
    while not both.is_done:
        assert not both.is_waiting
        both.pull()
    both.close()
    assert told == [
        ("one", "item", 5),
        ("two", "item", 5),
        ("three", "item", 5),
        ("one", "start"),
        ("one", "pull"),
        ("one", "pull"),
        ("two", "start"),
        ("three", "start"),
        ("three", "pull"),
        ("one", "close"),
        ("two", "close"),
        ("three", "close"),
    ]
