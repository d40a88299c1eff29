"""The sides, kept up to date: found, renewed, moved, with botocore's part played by a child of its own."""

from __future__ import annotations

import selectors

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import LocalError
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Site
from orbit_fast.core.settings import ClientSettings
from orbit_fast.proc import sidekeeper as module
from orbit_fast.proc.sidekeeper import LOOK_AGAIN_S
from orbit_fast.proc.sidekeeper import LOOKS
from orbit_fast.proc.sidekeeper import REFRESH_AGAIN_S
from orbit_fast.proc.sidekeeper import REFRESH_BEFORE_S
from orbit_fast.proc.sidekeeper import SideKeeper
from orbit_fast.proc.sides import Side
from orbit_fast.proc.sides import Sides
from tests.kit.clock import FakeClock

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "HOME": "/nonexistent"}
HERE = ClientSettings(endpoint_url="http://127.0.0.1:9")
SITE = Site(0, "b", Endpoint("http", "127.0.0.1", 9, "127.0.0.1:9", is_custom=True))


def found(key="AKID", *, expires_at_s=0.0, site=SITE):
    """What botocore is made to answer."""
    return Sides(sites=(site,), identities=(Credentials(key, "s", expires_at_s=expires_at_s), Credentials()))


class Bench:
    """A keeper, and what it told."""

    def __init__(self, monkeypatch, *, needs_botocore=True):
        self.clock = FakeClock()
        self.selector = selectors.DefaultSelector()
        self.answer = found()
        self.told = []
        self.failures = []
        monkeypatch.setattr(module, "resolve", self._resolve)
        monkeypatch.setattr(module, "needs_botocore", lambda *_: needs_botocore)
        self.keeper = SideKeeper((Side("b", HERE),), KEYS, self.selector, self.clock)
        self.keeper.on_change = self.told.append
        self.keeper.on_failure = self.failures.append

    def _resolve(self, *_):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def settle(self):
        """Wait for the child, as the supervisor's loop does."""
        while self.keeper.is_looking:
            for key, _ in self.selector.select(5):
                key.data()

    @property
    def key(self):
        """Whose keys are used now."""
        return self.keeper.found.identities[0].access_key

    def close(self):
        """Nothing is watched any more."""
        self.keeper.close()
        assert len(self.selector.get_map()) == 0
        self.selector.close()


@pytest.fixture
def bench(monkeypatch):
    """A keeper that needs botocore."""
    bench = Bench(monkeypatch)
    yield bench
    bench.close()


def test_what_needs_nobodys_help_is_found_at_once(monkeypatch):
    """No child."""
    bench = Bench(monkeypatch, needs_botocore=False)
    bench.keeper.start()
    assert (bench.keeper.is_found, bench.keeper.is_looking, bench.told) == (True, False, [-1])
    bench.close()


def test_else_a_child_is_asked(bench):
    """And the loop goes on meanwhile."""
    bench.keeper.start()
    assert (bench.keeper.is_found, bench.keeper.is_looking) == (False, True)
    bench.keeper.refresh()  # is being done
    bench.settle()
    assert (bench.keeper.is_found, bench.key, bench.told, bench.failures) == (True, "AKID", [-1], [])


def test_sides_that_cannot_be_had_are_a_failure(bench):
    """With the reason."""
    bench.answer = Authentication("no credentials found")
    bench.keeper.start()
    bench.settle()
    assert [failure.message for failure in bench.failures] == ["no credentials found"]
    assert (bench.keeper.is_found, bench.told) == (False, [])


def test_renewed_credentials_are_told(bench):
    """A refresh finds others; the sites stay where they are."""
    bench.keeper.start()
    bench.settle()
    moved = replace(SITE, endpoint=replace(SITE.endpoint, region="eu-1"))
    bench.keeper.move(moved, 3)
    assert bench.keeper.found.sites == (moved,)
    bench.answer = found("NEW")
    bench.keeper.refresh()
    bench.settle()
    assert (bench.key, bench.keeper.found.sites) == ("NEW", (moved,))
    assert bench.told == [-1, 3, -1]


def test_a_refresh_that_fails_leaves_what_there_was(bench):
    """And says so to those who wait, when it has failed a few times: the same credentials again."""
    bench.keeper.start()
    bench.settle()
    bench.answer = Authentication("the SSO session has expired")
    bench.keeper.refresh()
    bench.settle()
    for _ in range(LOOKS - 1):
        assert bench.told == [-1]
        bench.keeper.refresh()
        bench.keeper.tick()
        assert not bench.keeper.is_looking, "not at once"
        bench.clock.advance(LOOK_AGAIN_S)
        bench.keeper.tick()
        bench.settle()
    assert (bench.key, bench.told, bench.failures) == ("AKID", [-1, -1], [])
    bench.keeper.refresh()
    assert bench.keeper.is_looking, "who asks later is not refused for what was then"


def test_a_file_that_was_half_written_is_read_again(bench):
    """Whoever waits for fresh credentials gets those that are there a moment later."""
    bench.keeper.start()
    bench.settle()
    bench.answer = Authentication("partial credentials found")
    bench.keeper.refresh()
    bench.settle()
    bench.answer = found("NEW")
    bench.clock.advance(LOOK_AGAIN_S)
    bench.keeper.tick()
    bench.settle()
    assert (bench.key, bench.told) == ("NEW", [-1, -1])
    bench.clock.advance(LOOK_AGAIN_S)
    bench.keeper.tick()
    assert not bench.keeper.is_looking


def test_a_look_without_a_process_is_one_in_vain(bench, monkeypatch):
    """Those who wait are told in the end."""
    bench.keeper.start()
    bench.settle()
    bench.answer = Authentication("the SSO session has expired")
    bench.keeper.refresh()
    bench.settle()

    def refuse(*_args, **_named):
        raise LocalError("no process to be had")

    with monkeypatch.context() as patch:
        patch.setattr(module, "Errand", refuse)
        for _ in range(LOOKS - 1):
            bench.clock.advance(LOOK_AGAIN_S)
            bench.keeper.tick()
    assert (bench.key, bench.told) == ("AKID", [-1, -1])


def test_credentials_are_renewed_before_they_expire(bench):
    """Not earlier, and once."""
    now_s = bench.clock.now_s()
    bench.answer = found(expires_at_s=now_s + 3600)
    bench.keeper.start()
    bench.settle()
    bench.clock.advance(3600 - REFRESH_BEFORE_S - 1)
    bench.keeper.tick()
    assert not bench.keeper.is_looking
    bench.answer = found("NEW", expires_at_s=now_s + 7200)
    bench.clock.advance(1)
    bench.keeper.tick()
    assert bench.keeper.is_looking
    bench.settle()
    bench.keeper.tick()
    assert (bench.key, bench.keeper.is_looking) == ("NEW", False)


def test_credentials_that_come_back_the_same_are_not_asked_for_all_the_time(bench):
    """They expire in a minute and whoever gives them has no others yet: a child a minute, not one a tick."""
    bench.answer = found(expires_at_s=bench.clock.now_s() + 60)
    bench.keeper.start()
    bench.settle()
    looked = 0
    for _ in range(int(REFRESH_AGAIN_S)):
        bench.keeper.tick()
        looked += bench.keeper.is_looking
        bench.settle()
        bench.clock.advance(1)
    assert looked == 0
    bench.keeper.tick()
    assert bench.keeper.is_looking


def test_a_renewal_without_a_process_is_tried_later(bench, monkeypatch):
    """What there is still works."""
    bench.answer = found(expires_at_s=bench.clock.now_s() + REFRESH_BEFORE_S + REFRESH_AGAIN_S)
    bench.keeper.start()
    bench.settle()

    def refuse(*_args, **_named):
        raise LocalError("no process to be had")

    bench.clock.advance(REFRESH_AGAIN_S)
    with monkeypatch.context() as patch:
        patch.setattr(module, "Errand", refuse)
        bench.keeper.tick()
    assert not bench.keeper.is_looking
    bench.clock.advance(REFRESH_AGAIN_S)
    bench.keeper.tick()
    assert bench.keeper.is_looking


def test_a_child_that_never_answers_is_given_up(bench, monkeypatch):
    """At its deadline."""
    monkeypatch.setattr(module, "resolve", lambda *_: __import__("signal").pause())
    bench.keeper.start()
    bench.keeper.tick()
    assert bench.keeper.is_looking
    bench.clock.advance(module.DEADLINE_S)
    bench.keeper.tick()
    assert not bench.keeper.is_looking
    assert [failure.code for failure in bench.failures] == ["E_TIMEOUT"]


def test_a_child_is_not_left_behind(bench):
    """Closing ends it."""
    bench.keeper.start()
