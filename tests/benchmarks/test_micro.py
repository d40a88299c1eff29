"""The micro benchmarks do what they say; how fast is not asked here."""

from __future__ import annotations

import pytest

from benchmarks.micro import all_micros
from benchmarks.micro import measure

NAMES = [
    "signature of a GET",
    "request head of a PUT, encoded and signed",
    "request head of a GET, encoded and signed",
    "CRC32C of 4 KiB",
    "response head of a PUT",
    "PutObject's answer, decoded",
    "GetObject's headers, decoded",
    "listed key",
    "event line, JSON",
    "event line, text",
    "order: an item encoded and framed",
    "order: an item read and decoded",
    "event: an outcome read and decoded",
    "ledger: an item's life",
    "supervisor: an object dealt and heard of, through pipes",
    "supervisor: a part dealt and heard of, through pipes",
    "source file opened, read, checked, closed",
    "landing file made, written, published",
    "walk: a file found",
]


@pytest.fixture(scope="module")
def micros():
    """All benchmarks by name."""
    with all_micros() as found:
        yield {micro.name: micro for micro in found}


def test_every_benchmark_is_listed(micros):
    """The names below are all there are, so that none drops out unnoticed."""
    assert list(micros) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_work_gives_what_check_accepts(micros, name):
    """Each does its work, twice in a row, and the result is the right one."""
    micro = micros[name]
    assert micro.check(micro.work())
    assert micro.check(micro.work())


def test_measure_divides_by_the_units(micros):
    """A figure is for one unit: more units in one call make it smaller."""
    figure = measure(micros["listed key"], seconds=0.001, repeats=1)
    assert 0 < figure < 1_000_000
