"""``versions`` against the embedded server: listed, compared, deleted; buckets told to keep them."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import SourceMissing
from orbit_fast.testing import S3Server
from tests.kit.gate import Gate
from tests.kit.task_run import do


@pytest.fixture
def gate():
    """Refuses what the test names."""
    return Gate()


@pytest.fixture
def server(gate):
    """A server with a bucket that keeps versions."""
    with S3Server(intercept=gate) as server:
        server.store.create_bucket("bkt")
        server.store.buckets["bkt"].versioning = "Enabled"
        yield server


@pytest.fixture
def versions(server, tmp_path):
    """``orbit versions``."""
    return lambda *arguments, **options: do(server, tmp_path, "versions", *arguments, **options)


@pytest.fixture
def history(server):
    """Ids of versions of ``k``, newest first; the newest is a delete marker. Other keys begin like it."""
    put = [server.store.put("bkt", "k", body).version_id for body in (b"1", b"22", b"33")]
    server.store.buckets["bkt"].remove("k", server.store.now())
    for key in ("k/under", "k2", "a"):
        server.store.put("bkt", key, b"other")
    marker = server.store.buckets["bkt"].versions["k"]
    (marked,) = [one.version_id for one in marker if one.is_marker]
    return [marked, *reversed(put)]


def test_list(versions, history):
    """Exactly the key's, newest first; with ``-R`` and wildcards everything that they stand for."""
    events = versions("list", "s3://bkt/k", json=True).events
    assert [event["version_id"] for event in events] == history
    assert {event["key"] for event in events} == {"s3://bkt/k"}
    assert [event["type"] for event in events] == ["delete-marker", "file", "file", "file"]
    assert [event["is_latest"] for event in events] == [True, False, False, False]
    assert {event["operation"] for event in events} == {"versions"}
    text = versions("list", "s3://bkt/k").lines
    assert [line.split()[-1] for line in text] == history
    assert text[0].split()[2:4] == ["DELETED", "k"]
    for url, options, keys in (
        ("s3://bkt/k", {"recursive": True}, {"k", "k/under"}),
        ("s3://bkt/k*", {}, {"k", "k/under", "k2"}),
        ("s3://bkt", {"recursive": True, "exclude": ("k*",)}, {"a"}),
    ):
        found = versions("list", url, json=True, **options).events
        assert {event["key"].removeprefix("s3://bkt/") for event in found} == keys
    assert isinstance(versions("list", "s3://bkt/none").error, SourceMissing)


@pytest.mark.slow
def test_list_of_many_pages(versions, server):
    """All of them, and nothing of the key behind."""
    for number in range(1100):
        server.store.put("bkt", "k", b"%d" % number)
    server.store.put("bkt", "k1", b"")
    came = versions("list", "s3://bkt/k", json=True)
    assert came.tallied[0].found == len(came.events) == 1100
    assert {event["key"] for event in came.events} == {"s3://bkt/k"}


def test_diff(versions, server, history):
    """Of two, and of one with what is current; a delete marker has nothing to compare."""
    _, new, middle, old = history
    (event,) = versions("diff", "s3://bkt/k", old, middle, json=True).events
    time_diff = event.pop("time_diff")
    assert event == {
        "operation": "versions",
        "success": True,
        "source": "s3://bkt/k",
        "version_id1": old,
        "version_id2": middle,
        "size_diff": 1,
        "content_differs": True,
        "basis": "size",
    }
    assert time_diff >= 0
    (event,) = versions("diff", "s3://bkt/k", middle, new, json=True).events
    assert (event["size_diff"], event["content_differs"], event["basis"]) == (0, True, "checksum")
    same = versions("diff", "s3://bkt/k", new, new).lines
    assert {"size_diff: 0", "time_diff: 0", "content_differs: false", "basis: checksum"} <= set(same)
    assert isinstance(versions("diff", "s3://bkt/k", new).error, NotFound)
    marked = versions("diff", "s3://bkt/k", new, history[0])
    assert "is a delete marker" in marked.error.message
    current = server.store.put("bkt", "k", b"33").version_id
    (event,) = versions("diff", "s3://bkt/k", new, json=True).events
    assert (event["version_id2"], event["content_differs"]) == (current, False)
    assert versions("diff", "s3://bkt/k", "no-such-version-of-it").error.status in {400, 404}
    assert "size_diff: -1 B" in "\n".join(versions("diff", "s3://bkt/k", new, old, human_readable=True).lines)
    assert versions("diff", "s3://bkt/k", new, old, quiet=True).out == b""


def test_rm(versions, server, history):
    """One version, all of a key, all below a prefix; a dry run tells the same."""
    kept = server.store.buckets["bkt"].versions
    marked, new, middle, old = history
    assert versions("rm", "s3://bkt/k", version_id=middle, dry_run=True).lines == [f"(dry run) rm s3://bkt/k {middle}"]
    assert len(kept["k"]) == 4
    assert versions("rm", "s3://bkt/k", version_id=middle).lines == [f"rm s3://bkt/k {middle}"]
    gone = versions("rm", "s3://bkt/k", all_versions=True, json=True)
    assert {event["version_id"] for event in gone.events} == {marked, new, old}
    assert sorted(kept) == ["a", "k/under", "k2"]
    versions("rm", "s3://bkt/k", all_versions=True, recursive=True)
    assert sorted(kept) == ["a", "k2"]


def test_whether_a_bucket_keeps_them(versions, server):
    """Set and told; a dry run changes nothing."""
    server.store.create_bucket("new")
    bucket = server.store.buckets["new"]
    assert versions("status", "s3://new").lines == ["s3://new: Disabled"]
    assert versions("enable", "s3://new", dry_run=True).lines == ["(dry run) versions enable s3://new"]
    assert bucket.versioning != "Enabled"
    assert versions("enable", "s3://new/").lines == ["versions enable s3://new"]
    assert bucket.versioning == "Enabled"
    assert versions("enable", "s3://new").error is None
    event = {"operation": "versions", "success": True, "source": "s3://new", "versioning": "Suspended"}
    assert versions("suspend", "s3://new", json=True).events == [event]
    assert bucket.versioning == "Suspended"
    assert versions("status", "s3://new", json=True).events == [event]
    assert versions("status", "s3://new", quiet=True).out == b""
    for word in ("status", "enable"):
        assert isinstance(versions(word, "s3://not-there").error, BucketNotFound)
    assert isinstance(versions("enable", "s3://not-there", dry_run=True).error, BucketNotFound)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([], {}, "versions is followed by one of list, restore, rm, diff, enable, suspend, status: "),
        (["lst", "s3://bkt/k"], {}, "not 'lst'"),
        (["list"], {}, "versions list takes one S3 URL"),
        (["list", "s3://bkt"], {}, "add --recursive"),
        (["list", "s3://bkt/k"], {"version_id": "v"}, "versions list does not take --version-id"),
        (["list", "s3://bkt/k"], {"all_versions": True}, "versions list does not take --all-versions"),
        (["restore", "s3://bkt/k"], {}, "needs a version"),
        (["restore", "s3://bkt/k*"], {"version_id": "v"}, "of one key: orbit versions restore"),
        (["restore", "s3://bkt/k"], {"version_id": "v", "recursive": True}, "does not take --recursive"),
        (["restore", "s3://bkt/k/"], {"version_id": "v"}, "directory's marker"),
        (["rm", "s3://bkt/k"], {}, "--version-id ID or --all-versions"),
        (["rm", "s3://bkt/k"], {"version_id": "v", "all_versions": True}, "contradict"),
        (["diff", "s3://bkt/k"], {}, "one or two ids"),
        (["diff", "s3://bkt/k", "1", "2", "3"], {}, "one or two ids"),
        (["diff", "s3://bkt/k*", "1"], {}, "is a wildcard"),
        (["diff", "s3://bkt/k", ""], {}, "empty string"),
        (["diff", "s3://bkt/k", "1"], {"exclude": ("x",)}, "does not take filters"),
        (["enable", "s3://bkt/k"], {}, "about a bucket"),
        (["status", "s3://bkt"], {"raw": True}, "versions status does not take --raw"),
    ],
)
def test_what_cannot_be_meant(versions, server, arguments, options, words):
    """Refused before anything is asked of the service."""
    with pytest.raises(InvalidConfig, match=words):
        versions(*arguments, **options)
    assert server.store.log == []


def test_a_key_that_cannot_be_one(versions):
    """Longer than S3 takes, or none."""
    for arguments in (["list", "s3://bkt/" + "x" * 1025], ["diff", "s3://bkt/" + "x" * 1025, "1"]):
        with pytest.raises(InvalidKey):
            versions(*arguments)
