"""What fits into the number of files that a process may open."""

from __future__ import annotations

import resource

import pytest

from orbit_fast.core.errors import LocalError
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc import open_files
from orbit_fast.proc.open_files import LEAST
from orbit_fast.proc.open_files import MOST
from orbit_fast.proc.open_files import fitted
from orbit_fast.proc.open_files import pairs
from orbit_fast.proc.open_files import raise_limit

DEFAULT = JobSettings().transfer.workers


@pytest.fixture
def limits(monkeypatch):
    """Makes the system say these limits; what it is asked to make of them."""
    asked = []

    def limits(soft, hard):
        monkeypatch.setattr(open_files, "file_limits", lambda: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, both: asked.append(both[0]))
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        return asked

    return limits


@pytest.mark.parametrize(
    ("hard", "processes", "workers"),
    [(-1, 1, DEFAULT), (1 << 20, 2, DEFAULT), (1024, 2, DEFAULT), (256, 2, 216), (256, 1, 108), (LEAST, 2, 24)],
)
def test_objects_at_once_are_as_many_as_files_can_be_opened(limits, hard, processes, workers):
    """A connection and a file for each, in every process; the hard limit counts."""
    limits(min(hard, 64), hard)
    settings = fitted(JobSettings(), processes)
    assert settings.transfer.workers == workers
    assert 2 * workers / processes <= 2 * pairs(hard)


def test_too_few_are_told(limits):
    """With what helps."""
    limits(LEAST - 1, LEAST - 1)
    with pytest.raises(LocalError, match=f"ulimit -n {LEAST}"):
        fitted(JobSettings(), 1)


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "found"),
    [
        (64, 4096, [4096], 4096),
        (1024, -1, [MOST], MOST),
        (1024, 1 << 30, [MOST], MOST),
        (-1, -1, [], -1),
        (1 << 20, 1 << 20, [], 1 << 20),
    ],
)
def test_a_worker_takes_what_it_may_have(limits, soft, hard, asked, found):
    """Up to a number that is enough for everything, and never less than before."""
    seen = limits(soft, hard)
    assert raise_limit() == found
    assert seen == asked
