"""The sides of a sync give every name once, in order, however pages come in; and say that they ended only then."""

from __future__ import annotations

import os

import pytest

from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.sync import Unknown
from orbit_fast.proc import sync_sides as module
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.sync_sides import ListedSide
from orbit_fast.proc.sync_sides import LocalSide
from orbit_fast.proc.sync_sides import as_job_failure
from tests.kit.paged_service import PagedService


def _side(service, base="p/", begins="", on_failure=lambda failure: failure):
    return ListedSide(4, base, begins, service.ask, Listings(service.monotonic_s), on_failure=on_failure)


def _drain(side, service):
    """Take whatever there is until the side has ended."""
    names = []
    while not side.is_ended:
        if side.is_ready:
            batch, seen = side.take()
            assert [entry.key for entry in seen] == [f"p/{name}" for name in batch]
            names += batch
        else:
            assert service.waiting, "nothing to take, and nothing on its way"
            assert service.answer() is None
    return names


def test_a_prefix_gives_names_below_it() -> None:
    """All of them, page by page, and it has ended only then."""
    names = [f"{number:03}" for number in range(30)]
    service = PagedService([*(f"p/{name}" for name in names), "o", "q"])
    side = _side(service)
    assert _drain(side, service) == names
    assert (side.found, len(service.orders)) == (30, 10)


def test_the_beginning_of_names_and_the_marker_of_the_prefix() -> None:
    """A wildcard's beginning is sent as prefix; the marker of the prefix itself has no name."""
    service = PagedService(["p/", "p/tea", "p/ten", "p/toe"])
    assert _drain(_side(service, begins="te"), service) == ["tea", "ten"]
    service = PagedService(["p/", "p/tea"])
    side = _side(service)
    assert _drain(side, service) == ["tea"]
    assert side.found == 1


def test_a_page_that_cannot_be_had_is_the_end_of_the_job() -> None:
    """The failure says which side, and asks for exit 2."""
    service = PagedService(["p/a"])
    side = _side(service, on_failure=lambda failure: as_job_failure(failure, "the source s3://b/p/"))
    side.take()
    failure = service.answer(0, Failed("page", 0, Failure.of(ServerFault("no", code="InternalError"))))
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
    """Files, directories in their place, and what cannot be told, as unfinished downloads at a source are."""
    for name in ("a", "d/x", ".orbit-0123456789abcdef-1.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    names, seen = _everything(_local(tmp_path))
    temporary, *rest = names
    assert temporary == ".orbit-0123456789abcdef-1.tmp"
    assert rest == ["a", "d/", "d/x", "link", "pipe"]
    assert [one.reason for one in seen if isinstance(one, Unknown)] == ["temporary", "symlink", "special"]
    assert seen[1].size == 2
    assert temporary not in _everything(_local(tmp_path, is_source=False))[0]


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
