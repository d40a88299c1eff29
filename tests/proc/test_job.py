"""What the arguments of a copy mean: a table."""

from __future__ import annotations

import os

import pytest

from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.core.settings import TransferSettings
from orbit_fast.proc import job as module
from orbit_fast.proc.job import MAX_PROCESSES
from orbit_fast.proc.job import plan_copy
from orbit_fast.proc.job import worker_count
from orbit_fast.proc.sides import Side

RECURSIVE = JobSettings(selection=SelectionSettings(recursive=True))
PLAIN = JobSettings()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory with a file, a directory and a pipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").write_bytes(b"")
    (tmp_path / "g").write_bytes(b"")
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "settings", "paths", "many"),
    [
        (["f"], PLAIN, (b"f",), False),
        (["f"], RECURSIVE, (b"f",), False),
        (["f", "g"], PLAIN, (b"f", b"g"), True),
        (["d"], RECURSIVE, (b"d",), True),
        (["d/"], RECURSIVE, (b"d/",), True),
        (["link"], RECURSIVE, (b"link",), True),
    ],
)
def test_uploads(sources, settings, paths, many):
    """Files and directories to a key or a prefix."""
    plan = plan_copy(sources, "s3://b/p", settings)
    assert (plan.paths, plan.keys, plan.source_sites) == (paths, (), ())
    assert plan.sides == (Side("b", settings.dest),)
    assert (plan.destination.url.key, plan.destination.site, plan.destination.many) == ("p", 0, many)
    assert plan.destination.local is None


@pytest.mark.parametrize(
    ("sources", "destination", "settings", "local", "many"),
    [
        (["s3://b/k"], "new", PLAIN, (b"new", False), False),
        (["s3://b/k"], "f", PLAIN, (b"f", False), False),
        (["s3://b/k"], "d", PLAIN, (b"d", True), False),
        (["s3://b/k"], "new/", PLAIN, (b"new/", True), False),
        (["s3://b/k"], "dangling", PLAIN, (b"dangling", False), False),
        (["s3://b/k*"], "new", PLAIN, (b"new", True), True),
        (["s3://b/k"], "new", RECURSIVE, (b"new", True), True),
        (["s3://b"], "new", RECURSIVE, (b"new", True), True),
        (["s3://b/k", "s3://c/k"], "new", PLAIN, (b"new", True), True),
    ],
)
def test_downloads(here, sources, destination, settings, local, many):
    """To a file that is named, or into a directory, which is made at once."""
    plan = plan_copy(sources, destination, settings)
    assert (plan.destination.local.path, plan.destination.local.is_directory) == local
    assert plan.destination.many is many
    assert plan.source_sites == tuple(range(len({source[5] for source in sources})))
    assert all(side.client == settings.source for side in plan.sides)
    assert (here / "new").is_dir() == (local[1] and destination.startswith("new"))


def test_a_dry_run_makes_no_directory(here):
    """It touches nothing."""
    settings = JobSettings(selection=SelectionSettings(recursive=True), output=OutputSettings(dry_run=True))
    plan_copy(["s3://b/p"], "new", settings)
    assert not (here / "new").exists()


@pytest.mark.parametrize(
    ("sources", "sides", "numbers"),
    [
        (["s3://to/k"], ["to"], (0,)),
        (["s3://from/k"], ["to", "from"], (1,)),
        (["s3://from/k", "s3://to/k", "s3://from/l", "s3://third/k"], ["to", "from", "third"], (1, 0, 1, 2)),
    ],
)
def test_copies(sources, sides, numbers):
    """Every bucket is one side; the destination's own is its own side."""
    plan = plan_copy(sources, "s3://to/p/", PLAIN)
    assert [side.bucket for side in plan.sides] == sides
    assert plan.source_sites == numbers


def test_keys_are_read_as_the_settings_say():
    """--raw: a star is a star."""
    assert plan_copy(["s3://b/a*"], "d", PLAIN).keys[0].is_many
    raw = JobSettings(selection=SelectionSettings(raw=True))
    assert not plan_copy(["s3://b/a*"], "d", raw).keys[0].is_many


@pytest.mark.parametrize(
    ("sources", "destination", "settings", "kind", "words"),
    [
        ([], "s3://b/p", PLAIN, InvalidConfig, "no source"),
        (["f", "s3://b/k"], "s3://b/p", PLAIN, InvalidConfig, "all local or all in S3"),
        (["f"], "g", PLAIN, InvalidConfig, "both are local"),
        (["missing"], "s3://b/p", PLAIN, SourceMissing, "missing"),
        (["dangling"], "s3://b/p", PLAIN, SourceMissing, "dangling"),
        (["f/x"], "s3://b/p", PLAIN, SourceMissing, "f/x"),
        (["d"], "s3://b/p", PLAIN, InvalidConfig, "--recursive"),
        (["pipe"], "s3://b/p", PLAIN, InvalidConfig, "neither"),
        (["s3://b"], "d", PLAIN, InvalidConfig, "--recursive"),
        (["s3://b/k*"], "f", PLAIN, InvalidConfig, "must be a directory"),
        (["s3://b/k"], "f/", PLAIN, InvalidConfig, "not a directory"),
        (["s3://b/k"], "f/x", PLAIN, InvalidConfig, "destination"),
        (["s3://b/k"], "", PLAIN, InvalidConfig, "empty"),
        (["s3:///k"], "d", PLAIN, InvalidBucketName, "bucket"),
    ],
)
def test_what_makes_no_job(sources, destination, settings, kind, words):
    """One clear line, exit code 2."""
    with pytest.raises(kind) as caught:
        plan_copy(sources, destination, settings)
    assert words in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("processes", "workers", "cpus", "count"),
    [
        (0, 256, 4, 4),
        (0, 2, 4, 2),
        (0, 256, 1000, MAX_PROCESSES),
        (3, 256, 1, 3),
        (1000, 256, 1, MAX_PROCESSES),
        (8, 2, 1, 2),
    ],
)
def test_how_many_processes(monkeypatch, processes, workers, cpus, count):
    """What was asked for, else one for each CPU that is ours; never more than objects may be in flight."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
    assert worker_count(JobSettings(transfer=TransferSettings(processes=processes, workers=workers))) == count
