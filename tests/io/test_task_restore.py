"""``restore`` against the embedded server: what is requested, and what is told of it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import SourceMissing
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.gate import Gate
from tests.kit.servers import Endpoint
from tests.kit.task_run import do

CLASSES = {
    "a/cold": "GLACIER",
    "a/colder": "DEEP_ARCHIVE",
    "a/tiered": "INTELLIGENT_TIERING",
    "a/warm": "STANDARD",
    "ab": "GLACIER",
}


@pytest.fixture
def gate():
    """Holds back or refuses what the test names."""
    return Gate()


@pytest.fixture
def server(gate):
    """A server whose restores take an hour, with an object of each class."""
    with S3Server(intercept=gate, settings=ServerSettings(restore_s=3600)) as server:
        server.store.create_bucket("bkt")
        put(server, CLASSES)
        yield server


def put(server, classes):
    """Store an object of each class."""
    endpoint = Endpoint(kind="embedded", url=server.url, access_key=server.access_key, secret_key=server.secret_key)
    with contextlib.closing(endpoint.client()) as client:
        for key, storage_class in classes.items():
            client.put_object(Bucket="bkt", Key=key, Body=key.encode(), StorageClass=storage_class)


@pytest.fixture
def restore(server, tmp_path):
    """``orbit restore``."""
    return lambda *arguments, **options: do(server, tmp_path, "restore", *arguments, **options)


def asked(server):
    """The keys that restores were requested of."""
    return sorted(entry.key for entry in server.store.log if entry.operation == "RestoreObject")


def test_one_object(restore, server):
    """Not requested, requested, in progress, restored until a time, extended."""
    version = server.store.buckets["bkt"].find("a/cold")
    assert restore("s3://bkt/a/cold", status=True).lines == ["restore s3://bkt/a/cold: not requested"]
    assert restore("s3://bkt/a/cold", dry_run=True).lines == ["(dry run) restore s3://bkt/a/cold"]
    assert version.restore is None
    (event,) = restore("s3://bkt/a/cold", json=True, days="3", tier="bulk").events
    known = {"operation": "restore", "success": True, "source": "s3://bkt/a/cold", "storage_class": "GLACIER"}
    assert event == {**known, "status": "requested", "days": 3, "tier": "Bulk"}
    assert round((version.restore.expires_s - server.store.now()) / 86_400) == 3
    assert restore("s3://bkt/a/cold", status=True).lines == ["restore s3://bkt/a/cold: in progress"]
    again = restore("s3://bkt/a/cold")
    assert (again.error, again.lines) == (None, ["restore s3://bkt/a/cold: in progress"])
    version.restore = replace(version.restore, ready_s=server.store.now())
    (event,) = restore("s3://bkt/a/cold", status=True, json=True).events
    until = event.pop("restored_until")
    assert event == {**known, "status": "restored"}
    (line,) = restore("s3://bkt/a/cold", status=True).lines
    assert line == f"restore s3://bkt/a/cold: restored until {until[:-1].replace('-', '/').replace('T', ' ')}"
    assert restore("s3://bkt/a/cold").lines == ["restore s3://bkt/a/cold: already restored, and kept longer now"]
    assert round((version.restore.expires_s - server.store.now()) / 86_400) == 1
    assert restore("s3://bkt/a/cold", quiet=True).out == b""


def test_one_object_that_is_not_archived(restore, server):
    """One clear line with S3's code, in a dry run too; its status is told."""
    for options in ({}, {"dry_run": True}):
        came = restore("s3://bkt/a/warm", **options)
        assert came.error.code == "InvalidObjectState"
        assert came.error.message == "s3://bkt/a/warm is not archived (STANDARD): there is nothing to restore"
        assert came.out == b""
    assert restore("s3://bkt/a/warm", status=True).lines == ["restore s3://bkt/a/warm: not archived"]
    assert isinstance(restore("s3://bkt/none").error, NotFound)


def test_a_tier_that_its_class_has_not(restore):
    """The service's refusal, and so the tier that was asked for."""
    assert restore("s3://bkt/a/colder", tier="expedited").error.code == "InvalidArgument"
    assert restore("s3://bkt/a/colder", tier="bulk").error is None


def test_one_version(restore, server):
    """An older version by its id; the current one is left."""
    server.store.buckets["bkt"].versioning = "Enabled"
    put(server, {"ab": "GLACIER"})
    old, current = server.store.buckets["bkt"].find("ab", "null"), server.store.buckets["bkt"].find("ab")
    (event,) = restore("s3://bkt/ab", version_id="null", json=True).events
    assert (event["version_id"], event["status"]) == ("null", "requested")
    assert (old.restore is not None, current.restore) == (True, None)
    (event,) = restore("s3://bkt/ab", version_id="null", json=True, status=True).events
    assert (event["version_id"], event["status"]) == ("null", "in-progress")


@pytest.mark.parametrize(
    ("url", "options", "keys", "skipped"),
    [
        ("s3://bkt/a", {"recursive": True}, ["a/cold", "a/colder"], 2),
        ("s3://bkt", {"recursive": True}, ["a/cold", "a/colder", "ab"], 2),
        ("s3://bkt/a*", {}, ["a/cold", "a/colder", "ab"], 2),
        ("s3://bkt/*", {"exclude": ("*cold*",)}, ["ab"], 2),
        ("s3://bkt/ab", {"max_size": "1"}, [], 0),
        ("s3://bkt/ab", {"min_size": "1"}, ["ab"], 0),
        ("s3://bkt/ab", {"exclude": ("a*",)}, [], 0),
    ],
)
def test_many(restore, server, url, options, keys, skipped):
    """What is archived is requested; the rest is skipped, and told of only with ``-v``."""
    planned = restore(url, dry_run=True, **options)
    assert asked(server) == []
    came = restore(url, verbose=1, **options)
    done = sorted(line for line in came.lines if line.startswith("restore"))
    assert done == [f"restore s3://bkt/{key}: requested" for key in keys]
    assert (came.tallied[0].found, came.tallied[0].skipped) == (len(keys), skipped)
    assert len([line for line in came.lines if line.startswith("skip ")]) == skipped
    assert "a/warm" not in asked(server), "what the listing tells needs no request"
    assert [line for line in planned.lines if "tiered" not in line] == [
        f"(dry run) restore s3://bkt/{key}" for key in keys
    ]
    states = restore(url, status=True, json=True, verbose=1, **options).events
    told = {event["source"].removeprefix("s3://bkt/"): event["status"] for event in states}
    assert {key for key, state in told.items() if state == "in-progress"} == set(keys)
    assert set(told.values()) <= {"in-progress", "not-archived"}


def test_failures_of_many(restore, gate):
    """Each is told; a prefix that stands for nothing is an error."""
    gate.refuse("RestoreObject", "AccessDenied", after=1)
    came = restore("s3://bkt/a", recursive=True, json=True)
    assert [event["code"] for event in came.events if not event["success"]] == ["AccessDenied"] * came.tallied[0].failed
    assert (came.error, came.tallied[0].failed, came.tallied[0].denied) == (None, 2, 2)
    assert isinstance(restore("s3://bkt/x", recursive=True).error, SourceMissing)


def test_who_may_restore_but_not_look(restore, gate, server):
    """Without HeadObject the request is made all the same; its status cannot be told."""
    gate.refuse("HeadObject", "AccessDenied")
    gate.refuse("GetObject", "AccessDenied")
    assert restore("s3://bkt/ab").lines == ["restore s3://bkt/ab: requested"]
    assert restore("s3://bkt/ab", status=True).error.code == "AccessDenied"


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([], {}, "takes one S3 URL"),
        (["s3://bkt"], {}, "add --recursive"),
        (["s3://bkt/a*"], {"version_id": "v"}, "of one key: orbit restore s3://bucket/key"),
        (["s3://bkt/a"], {"days": "0"}, "--days: '0' is not a whole number"),
        (["s3://bkt/a"], {"tier": "quick"}, "--tier: 'quick' is not one of Standard, Bulk, Expedited"),
    ],
)
def test_what_cannot_be_meant(restore, server, arguments, options, words):
    """Refused before anything is asked of the service."""
    with pytest.raises(InvalidConfig, match=words):
        restore(*arguments, **options)
    assert asked(server) == []
