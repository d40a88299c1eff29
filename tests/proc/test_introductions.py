"""What workers are told, and when: the job, its sides, its variants."""

from __future__ import annotations

from types import SimpleNamespace

from msgspec.structs import replace

from orbit_fast.core.messages import Setup
from orbit_fast.core.messages import Vary
from orbit_fast.core.settings import JobSettings
from orbit_fast.proc.introductions import MOST_VARIANTS
from orbit_fast.proc.introductions import Introductions
from orbit_fast.proc.sides import Sides

PLAIN = JobSettings()
OTHER = replace(PLAIN, operation="mv")


class Bench:
    """Introductions to workers that are only numbers."""

    def __init__(self):
        self.told = []
        self.ready = []
        self.idle = ()
        self.varied = []
        self.sides = SimpleNamespace(is_found=True, found=Sides(sites=(), identities=()))
        self.introductions = Introductions(
            SimpleNamespace(send=lambda index, order: self.told.append((index, order)), send_each=self.told.extend),
            SimpleNamespace(
                worker_ready=self.ready.append,
                take_idle_variants=self._take_idle,
                varied=lambda number, settings: self.varied.append((number, settings)),
            ),
            self.sides,
            settings=PLAIN,
            processes=3,
            run="0123456789abcdef",
            environment={
                "AWS_REGION": "eu-1",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_SESSION_TOKEN": "t",
                "PATH": "x",
            },
        )

    def _take_idle(self):
        idle, self.idle = self.idle, ()
        return idle

    def take(self):
        """What was told since, by worker and kind."""
        told, self.told = self.told, []
        return [(index, type(order)) for index, order in told]


def test_a_worker_is_told_when_both_are_there():
    """The sides may be found later than it is ready; it takes orders only then."""
    bench = Bench()
    bench.sides.is_found = False
    bench.introductions.ready(4)
    assert (bench.take(), bench.ready) == ([], [])
    bench.sides.is_found = True
    bench.introductions.sides_changed(-1)
    assert (bench.take(), bench.ready) == ([(4, Setup)], [4])


def test_what_is_told():
    """Its share of the work, and nothing secret from the environment."""
    bench = Bench()
    bench.introductions.ready(0)
    [(_, setup)] = bench.told
    assert setup.concurrency == -(-PLAIN.transfer.workers // 3)
    assert setup.environment == (("AWS_REGION", "eu-1"),)


def test_a_change_is_told_to_all_but_the_one_who_knows():
    """And only to those who live."""
    bench = Bench()
    for index in (0, 1, 2):
        bench.introductions.ready(index)
    bench.introductions.lost(1)
    bench.take()
    bench.introductions.sides_changed(2)
    assert bench.take() == [(0, Setup)]


def test_variants_have_numbers_that_every_worker_knows():
    """0 are the job's own; the same settings have the same number; who comes later is told as well."""
    bench = Bench()
    bench.introductions.ready(0)
    bench.take()
    assert bench.introductions.vary(PLAIN) == 0
    assert bench.introductions.vary(OTHER) == bench.introductions.vary(OTHER) == 1
    assert (bench.take(), bench.varied) == ([(0, Vary)], [(1, OTHER)])
    bench.introductions.ready(1)
    assert bench.take() == [(1, Setup), (1, Vary)]


def test_variants_that_nobody_uses_are_forgotten():
    """As soon as there are many: a worker keeps no more than are used; a number never comes again."""
    bench = Bench()
    bench.introductions.ready(0)
    many = [replace(PLAIN, operation=f"rm {number}") for number in range(MOST_VARIANTS + 10)]
    numbers = [bench.introductions.vary(settings) for settings in many[: MOST_VARIANTS - 1]]
    bench.idle = tuple(numbers[:-1])
    bench.told.clear()
    newest = bench.introductions.vary(many[MOST_VARIANTS])
    assert newest == MOST_VARIANTS
    assert [(index, order.number) for index, order in bench.told if order.settings is None] == [
        (0, number) for number in numbers[:-1]
    ]
    assert bench.told[-1] == (0, Vary(newest, many[MOST_VARIANTS]))
    assert bench.introductions.vary(many[MOST_VARIANTS - 2]) == numbers[-1]
    assert bench.introductions.vary(many[0]) == newest + 1
    bench.take()
    bench.introductions.ready(1)
    assert [order.number for _, order in bench.told if isinstance(order, Vary)] == [numbers[-1], newest, newest + 1]


def test_variants_that_are_used_stay():
    """However many there are."""
    bench = Bench()
    numbers = [
        bench.introductions.vary(replace(PLAIN, operation=f"rm {number}")) for number in range(2 * MOST_VARIANTS)
    ]
    assert bench.introductions.vary(replace(PLAIN, operation="rm 0")) == numbers[0]
