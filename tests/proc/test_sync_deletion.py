"""The end of a sync: the guard is asked once, then extras go in batches; what comes last comes one after another."""

from __future__ import annotations

import msgspec
import pytest

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.guard import LOOKED_FOR
from orbit_fast.core.guard import Case
from orbit_fast.core.guard import DeleteVerify
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import RemoveExtraFiles
from orbit_fast.core.tasks import RemoveExtraKeys
from orbit_fast.core.tasks import Tallied
from orbit_fast.proc.extras import Extras
from orbit_fast.proc.report import Report
from orbit_fast.proc.search import InTurn
from orbit_fast.proc.sync_deletion import AT_ONCE
from orbit_fast.proc.sync_deletion import Deletion
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.sync_finder import Extra

FINE = {"is_whole": True, "failed": 0, "at_source": 10**6, "at_destination": 10**6}


class Bench:
    """A deletion, and what it asked for and said."""

    def __init__(self, end, known, count, monkeypatch, *, on_done=lambda: None, **case):
        self.orders = []
        self.lines = b""
        self.extras = Extras(end.root)
        for number in range(count):
            self.extras.add(f"n{number:05d}", msgspec.msgpack.encode(known))
        settings = JobSettings()
        self.report = Report(settings, SilentConsole(), lambda: 0.0, command="sync")
        monkeypatch.setattr(self.report, "forward", self._forward)
        self.deletion = Deletion(
            self.extras,
            (SOURCE, end),
            lambda: Case(**{**FINE, "extras": count, "verify": DeleteVerify.NONE, **case}),
            report=self.report,
            ask=lambda _, order: self.orders.append(order),
            on_done=on_done,
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
SOURCE = End(root=b"/source/")


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (1000, [1000]), (2500, [1000, 1000, 500])])
def test_extras_go_by_the_thousand(monkeypatch, count, sizes) -> None:
    """Every name once, in order, with what was known of it."""
    tasks = Bench(OBJECTS, Extra("etag"), count, monkeypatch).run()
    assert [len(task.extras) for task in tasks] == sizes
    assert all(isinstance(task, RemoveExtraKeys) and task.site == 3 for task in tasks)
    assert [pair for task in tasks for pair in task.extras] == [(f"p/n{number:05}", "etag") for number in range(count)]
    tasks = Bench(FILES, Extra("", 7, 8, 9), count, monkeypatch).run()
    assert all(isinstance(task, RemoveExtraFiles) and task.root == b"/d/" for task in tasks)
    assert [row for task in tasks for row in task.extras] == [(b"n%05d" % number, 7, 8, 9) for number in range(count)]


def test_not_everything_at_once(monkeypatch) -> None:
    """So many tasks, and then it waits."""
    bench = Bench(OBJECTS, Extra(), 1000 * (AT_ONCE + 2), monkeypatch)
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
    bench = Bench(OBJECTS, Extra(), 150, monkeypatch, **case)
    assert bench.run() == []
    assert bench.lines.startswith(b'ERROR "sync": ' + code + b": nothing was deleted, because ")
    assert bench.lines.count(b"\n") == 1
    assert bench.report.tally.exit_code() == exit_code


LOOKED = "LookForFiles LookForFiles LookForFiles LookForFiles RemoveExtraKeys"


@pytest.mark.parametrize(
    ("verify", "count", "trouble", "asked"),
    [
        (DeleteVerify.AUTO, 1000, False, LOOKED),
        (DeleteVerify.AUTO, 1000, True, "LookForFiles LookForFiles LookForFiles LookForFiles"),
        (DeleteVerify.NONE, 1000, False, "RemoveExtraKeys"),
        (DeleteVerify.AUTO, LOOKED_FOR + 1, False, " ".join(["RemoveExtraKeys"] * 11)),
    ],
)
def test_every_peer_is_looked_for_before_anything_goes(monkeypatch, verify, count, trouble, asked) -> None:
    """Nothing is deleted where one is there; who deletes without a look says so, to whoever asks."""
    done: list[bool] = []
    bench = Bench(OBJECTS, Extra(), count, monkeypatch, verify=verify, on_done=lambda: done.append(True))
    logged: list[str] = []
    monkeypatch.setattr(bench.report, "log", lambda _, text: logged.append(text))
    found = Failure("x is there", "E_LIST_INCOMPLETE") if trouble else None
    deletion = bench.deletion
    deletion.start()
    while not deletion.is_done:
        if not deletion.is_waiting:
            deletion.pull()
        else:
            assert deletion.answer(TaskEnded(0, Tallied(), found)) is None
    assert " ".join(type(order.task).__name__ for order in bench.orders) == asked
    assert bench.report.tally.exit_code() == (2 if trouble else 0)
    assert (b"nothing was deleted, because x is there" in bench.lines) == trouble
    assert [f"{count} objects are deleted without looking for them at the source"] * ("Look" not in asked) == logged
    assert done == ([] if trouble else [True])
    deletion.close()


def test_a_task_that_cannot_be_done_ends_the_job(monkeypatch) -> None:
    """No permission to delete anything is told once."""
    bench = Bench(OBJECTS, Extra(), 5, monkeypatch)
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
