"""The sides of a sync give every name once, in order, however pages come in; and say that they ended only then."""

from __future__ import annotations

import os
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Page
from orbit_fast.core.model import Entry
from orbit_fast.core.sync import Unknown
from orbit_fast.proc import sync_sides as module
from orbit_fast.proc.sync_sides import ListedSide
from orbit_fast.proc.sync_sides import LocalSide
from orbit_fast.proc.sync_sides import as_job_failure


class Service:
    """A listing in pages, answered when the test says so, and a clock."""

    def __init__(self, keys, *, size=3, page_s=0.0):
        self.keys = sorted(keys)
        self.size = size
        self.waiting = []
        self.orders = []
        self.page_s = page_s
        self.now_s = 0.0

    def ask(self, asker, order):
        """What sides call."""
        self.orders.append(order)
        self.waiting.append((asker, order))

    def monotonic_s(self):
        """The clock."""
        return self.now_s

    def answer(self, place=0):
        """Bring the answer to one question that waits."""
        asker, order = self.waiting.pop(place)
        self.now_s += self.page_s
        keys = [key for key in self.keys if key.startswith(order.prefix)]
        after = order.token or order.start_after
        start = bisect_right(keys, after) if after else 0
        page = keys[start : start + self.size]
        token = page[-1] if start + self.size < len(keys) else ""
        return asker.answer(Page(order.number, tuple(Entry(key, 1) for key in page), (), token))


def _side(service, base="p/", begins="", on_failure=lambda failure: failure):
    return ListedSide(4, base, begins, service.ask, service.monotonic_s, on_failure=on_failure)


def test_the_trial_may_fail() -> None:
    """A service that cannot begin a listing anywhere is listed page by page, and nobody is told."""
    names = [f"{number:04}" for number in range(100)]
    service = Service([f"p/{name}" for name in names], size=10, page_s=0.1)
    side = _side(service, on_failure=pytest.fail)
    found = []
    while not side.is_ended:
        trial = next((one for one in service.waiting if one[1].start_after), None)
        if trial is not None:
            service.waiting.remove(trial)
            assert trial[0].answer(Failed("page", 0, Failure.of(ServerFault("no")))) is None
        elif side.is_ready:
            found += side.take()[0]
        else:
            service.answer()
    assert found == names


def _drain(side, service, picks=()):
    """Take whatever there is until the side has ended; answers come in the order of `picks`."""
    names, turn = [], 0
    while not side.is_ended:
        if side.is_ready:
            batch, seen = side.take()
            assert [entry.key for entry in seen] == [side._prefix[: side._under] + name for name in batch]
            names += batch
        else:
            assert service.waiting, "nothing to take, and nothing on its way"
            service.answer(picks[turn % len(picks)] % len(service.waiting) if picks else 0)
        turn += 1
    assert len(service.waiting) <= 1  # the trial, whose answer nobody needs any more
    return names


NAMES = st.sets(st.text(alphabet="01ab/\u00e9", min_size=1, max_size=5), max_size=40)


@given(names=NAMES, page_s=st.sampled_from([0.0, 0.05]), picks=st.lists(st.integers(0, 20), max_size=30))
def test_a_listing_comes_whole_and_in_order(names, page_s, picks) -> None:
    """However slow the service is, and whichever page comes first."""
    service = Service({f"p/{name}" for name in names} | {"o", "q"}, page_s=page_s)
    assert _drain(_side(service), service, picks) == sorted(names)


def test_one_page_at_a_time_where_the_service_is_fast() -> None:
    """Each page once, the next one on its way while the last one is compared."""
    service = Service([f"p/{number:03}" for number in range(30)])
    side = _side(service)
    side.take()
    service.answer()
    assert len(side.take()[0]) == 3
    assert len(service.waiting) == 1
    _drain(side, service)
    assert len(service.orders) == 10


def test_a_slow_service_is_asked_for_several_pages_at_once() -> None:
    """And still each name comes once, in order."""
    names = [f"{number:04}" for number in range(3000)]
    service = Service([f"p/{name}" for name in names], size=10, page_s=0.1)
    side = _side(service)
    most, found = 0, []
    while not side.is_ended:
        if side.is_ready:
            found += side.take()[0]
        else:
            service.answer()
        most = max(most, len(service.waiting))
    assert found == names
    assert most == module.AT_ONCE


def test_nobody_is_asked_for_what_nobody_takes() -> None:
    """Pages come only when names are wanted."""
    service = Service([f"p/{number:03}" for number in range(30)])
    side = _side(service)
    assert side.is_ready
    assert not service.orders
    side.take()
    service.answer()
    assert side.is_ready
    assert not service.waiting


def test_the_beginning_of_names_and_the_marker_of_the_prefix() -> None:
    """A wildcard's beginning is sent as prefix; the marker of the prefix itself has no name."""
    service = Service(["p/", "p/tea", "p/ten", "p/toe"])
    assert _drain(_side(service, begins="te"), service) == ["tea", "ten"]
    service = Service(["p/", "p/tea"])
    side = _side(service)
    assert _drain(side, service) == ["tea"]
    assert side.found == 1


def test_a_page_that_cannot_be_had_is_the_end_of_the_job() -> None:
    """The failure says which side, and asks for exit 2."""
    service = Service(["p/a"])
    side = _side(service, on_failure=lambda failure: as_job_failure(failure, "the source s3://b/p/"))
    side.take()
    asker, order = service.waiting.pop()
    failure = asker.answer(Failed("page", order.number, Failure.of(ServerFault("no", code="InternalError"))))
    assert (failure.exit_code, failure.scope, failure.code) == (2, 1, "InternalError")
    assert failure.message == "the source s3://b/p/ could not be listed whole: no"
    assert not side.is_ended


# --- local ------------------------------------------------------------------------------------------------------------


def _local(root, *, is_source=True, unnamed=None, follow_symlinks=False):
    told = unnamed if unnamed is not None else []
    return LocalSide(
        os.fsencode(root),
        follow_symlinks=follow_symlinks,
        is_source=is_source,
        on_unnamed=lambda path, error: told.append((path, error)),
    )


def _everything(side):
    names, seen = [], []
    while not side.is_ended:
        more, what = side.take()
        names += more
        seen += what
    return names, seen


def test_a_tree(tmp_path) -> None:
    """Files, directories in their place, and what cannot be told; unfinished downloads are no data."""
    for name in ("a", "d/x", ".orbit-0123456789abcdef-1.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    names, seen = _everything(_local(tmp_path))
    assert names == ["a", "d/", "d/x", "link", "pipe"]
    assert [one.reason for one in seen if isinstance(one, Unknown)] == ["symlink", "special"]
    assert seen[0].size == 2


def test_names_that_no_key_can_have(tmp_path) -> None:
    """At a source they are told; at a destination nobody has put them there."""
    (tmp_path / "fine").write_bytes(b"")
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"")
    told = []
    assert _everything(_local(tmp_path, unnamed=told))[0] == ["fine"]
    [(path, error)] = told
    assert path.endswith(b"/\xff")
    assert isinstance(error, InvalidKey)
    told.clear()
    assert _everything(_local(tmp_path, is_source=False, unnamed=told))[0] == ["fine"]
    assert not told


def test_a_destination_that_is_not_there_yet_is_empty(tmp_path) -> None:
    """A source must exist."""
    assert _everything(_local(tmp_path / "none", is_source=False)) == ([], [])
    with pytest.raises(SourceMissing):
        _local(tmp_path / "none").take()


def test_it_gives_a_slice_at_a_time(tmp_path, monkeypatch) -> None:
    """A large tree does not keep the loop from turning."""
    monkeypatch.setattr(module, "SLICE", 2)
    for name in "abcde":
        (tmp_path / name).write_bytes(b"")
    side = _local(tmp_path)
    assert [len(side.take()[0]) for _ in range(3)] == [2, 2, 1]
    assert side.is_ended
