"""Lines that copy one local file to S3: what goes the short way, and what it makes of a line."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from orbit_fast.core.console import SilentConsole
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.hands import Limits
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Transfer
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Line
from orbit_fast.proc import file_lines as module
from orbit_fast.proc.file_lines import FileLines
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from tests.kit.ledgers import line_ledger

PLAIN = JobSettings(operation="cp")


def typed(content_type):
    """Settings of another set of options."""
    return replace(PLAIN, object=replace(PLAIN.object, content_type=content_type))


class Bench:
    """The short way, with sides that are known at once."""

    def __init__(self, tmp_path):
        (tmp_path / "f").write_bytes(b"four")
        (tmp_path / "g").write_bytes(b"")
        (tmp_path / "d").mkdir()
        (tmp_path / "link").symlink_to("f")
        self.path = tmp_path
        self.buckets = []
        self.variants = {}
        self.ledger = line_ledger(Limits(workers=1, depth=1000, concurrency=4))
        self.ledger.worker_ready(0)
        self.report = Report(PLAIN, SilentConsole(), lambda: 0.0, command="run")
        self.amount = Amount()
        sides = SimpleNamespace(
            is_at_hand=lambda side: side.bucket != "elsewhere",
            number_of=self._number_of,
            knows=lambda number: self.buckets[number] != "late",
        )
        supervisor = SimpleNamespace(
            sides=sides, vary=lambda settings: self.variants.setdefault(settings, len(self.variants) + 1)
        )
        self.lines = FileLines(supervisor, self.ledger, self.report, self.amount)

    def _number_of(self, side):
        if side.bucket == "refused":
            raise InvalidConfig("no such profile")
        self.buckets.append(side.bucket)
        return len(self.buckets) - 1

    def take(self, number, sources, destination, settings=PLAIN):
        """Whether a line goes the short way."""
        copy = Copy(sources=sources, destination=destination)
        return self.lines.take(Line(number=number, settings=settings, plan=copy), copy)

    def file(self, name):
        """A source."""
        return (f"{self.path}/{name}",)

    def items(self):
        """What was dealt."""
        return [item for _, order in self.ledger.deal() if isinstance(order, Transfer) for item in order.items]


@pytest.fixture
def bench(tmp_path):
    """A bench whose streams are given back."""
    made = Bench(tmp_path)
    yield made
    for writer in made.report.writers:
        writer.close()


def test_a_line_becomes_an_item(bench):
    """With the key, side, settings and number of its own line; what lines share is looked up once."""
    assert bench.take(3, bench.file("f"), "s3://b/k")
    assert bench.take(5, bench.file("f"), "s3://c/p/", typed("text/x"))
    assert bench.take(9, bench.file("g"), "s3://b")
    found = [(i.number, i.line, i.site, i.key, i.variant, i.size, i.direction) for i in bench.items()]
    assert found == [
        (1, 3, 0, "k", 1, 4, Direction.UPLOAD),
        (2, 5, 1, "p/f", 2, 4, Direction.UPLOAD),
        (3, 9, 0, "g", 1, 0, Direction.UPLOAD),
    ]
    assert (bench.amount.files, bench.amount.size, bench.buckets) == (3, 8, ["b", "c"])


@pytest.mark.parametrize(
    ("source", "destination", "selection"),
    [
        ("d", "s3://b/k", {}),
        ("link", "s3://b/k", {}),
        ("none", "s3://b/k", {}),
        ("f/", "s3://b/k", {}),
        ("f", "down", {}),
        ("f", "s3:///k", {}),
        ("f", "s3://elsewhere/k", {}),
        ("f", "s3://late/k", {}),
        ("f", "s3://refused/k", {}),
        ("f", "s3://b/k", {"flatten": True}),
        ("f", "s3://b/k", {"files_from": "f"}),
    ],
)
def test_what_goes_the_long_way(bench, source, destination, selection):
    """Whatever is unusual: the long way does it, or says what is wrong with it."""
    settings = replace(PLAIN, selection=SelectionSettings(**selection))
    assert bench.take(1, bench.file(source), destination, settings) is False
    assert (bench.items(), bench.amount.files) == ([], 0)


def test_several_sources_and_objects_go_the_long_way(bench):
    """They may want one name, or have to be looked for."""
    assert not bench.take(1, (*bench.file("f"), *bench.file("g")), "s3://b/k")
    assert not bench.take(2, ("s3://b/k",), "s3://b/l")


def test_a_filter_leaves_a_file_out(bench):
    """As in a command by itself."""
    settings = replace(PLAIN, selection=SelectionSettings(exclude=("f",)))
    assert bench.take(1, bench.file("f"), "s3://b/k", settings)
    assert bench.take(2, bench.file("g"), "s3://b/k", settings)
    assert [item.line for item in bench.items()] == [2]


def test_sets_of_options_are_forgotten(bench, monkeypatch):
    """When there are many; then what is under way is all that is done with them."""
    monkeypatch.setattr(module, "MOST_WAYS", 2)
    for number in range(5):
        assert bench.take(number, bench.file("g"), "s3://b/k", typed(f"text/{number}"))
    assert bench.ledger.take_idle_variants() == ()
    for item in bench.items():
        bench.ledger.item_ended(0, SimpleNamespace(item=item.number))
    assert bench.ledger.take_idle_variants() == (1, 2, 3, 4)
