"""``ls`` and ``du`` against the embedded server: what they show of it, and what they make of a listing that fails."""

from __future__ import annotations

import re

import pytest

from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import SourceMissing
from orbit_fast.testing import S3Server
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.xmlout import document
from tests.kit.gate import Gate
from tests.kit.task_run import do

KEYS = ("a/1.gz", "a/2.txt", "a/deep/3.gz", "logs", "logs/today", "logs/old/x", "logs2", "top.txt")


@pytest.fixture
def gate():
    """Holds back or refuses what the test names."""
    return Gate()


@pytest.fixture
def server(gate):
    """A server with a bucket of a few keys, ``b``, and one without, ``empty``."""
    with S3Server(intercept=gate) as server:
        server.store.create_bucket("b")
        server.store.create_bucket("empty")
        for key in KEYS:
            server.store.put("b", key, key.encode())
        yield server


@pytest.fixture
def ls(server, tmp_path):
    """``orbit ls``."""
    return lambda *arguments, **options: do(server, tmp_path, "ls", *arguments, **options)


@pytest.fixture
def du(server, tmp_path):
    """``orbit du``."""
    return lambda *arguments, **options: do(server, tmp_path, "du", *arguments, **options)


def names(came):
    """The last word of each line."""
    assert came.error is None
    return [line.split()[-1] for line in came.lines]


def test_buckets(ls):
    """Time and URL of each, by name; ``s3://`` says the same as nothing."""
    came = ls()
    assert [line[19:] for line in came.lines] == ["  s3://b", "  s3://empty"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", came.lines[0][:19])
    assert ls("s3://").out == came.out
    assert [event["type"] for event in ls(json=True).events] == ["bucket", "bucket"]
    assert came.tallied[0].found == 2


@pytest.mark.parametrize(
    ("argument", "options", "shown"),
    [
        ("s3://b", {}, ["a/", "logs/", "logs", "logs2", "top.txt"]),
        ("s3://b/", {}, ["a/", "logs/", "logs", "logs2", "top.txt"]),
        ("s3://b/a/", {}, ["deep/", "1.gz", "2.txt"]),
        ("s3://b/a", {}, ["a/"]),
        ("s3://b/lo", {}, ["logs/", "logs", "logs2"]),
        ("s3://b/logs/old/x", {}, ["x"]),
        ("s3://b", {"recursive": True}, list(KEYS)),
        ("s3://b/logs", {"recursive": True}, ["logs", "old/x", "today"]),
        ("s3://b/logs/", {"recursive": True}, ["old/x", "today"]),
        ("s3://b/*.gz", {}, ["a/1.gz", "a/deep/3.gz"]),
        ("s3://b/a/*.gz", {}, ["1.gz", "deep/3.gz"]),
        ("s3://b/logs?", {}, ["logs2"]),
        ("s3://b", {"recursive": True, "exclude": ("*/*",)}, ["logs", "logs2", "top.txt"]),
        ("s3://b/a", {"recursive": True, "include": ("*.gz",)}, ["1.gz", "deep/3.gz"]),
        ("s3://b", {"exclude": ("logs*",)}, ["a/", "top.txt"]),
        ("s3://b", {"recursive": True, "min_size": "9"}, ["a/deep/3.gz", "logs/today", "logs/old/x"]),
        ("s3://b", {"recursive": True, "older_than": "1h"}, list(KEYS)),
        ("s3://b", {"recursive": True, "newer_than": "1h"}, []),
        ("s3://b", {"show_fullpath": True}, [f"s3://b/{name}" for name in ("a/", "logs/", "logs", "logs2", "top.txt")]),
        ("s3://empty", {}, []),
        ("s3://empty", {"recursive": True}, []),
        ("s3://b", {"quiet": True}, []),
    ],
)
def test_what_is_shown(ls, argument, options, shown):
    """Directories first, then objects in order; names without the prefix that was asked for; filters on those names."""
    assert sorted(names(ls(argument, **options))) == sorted(shown)


def test_order(ls):
    """Keys come as the service has them; directories of a page come first."""
    assert names(ls("s3://b", recursive=True)) == sorted(KEYS)
    assert names(ls("s3://b")) == ["a/", "logs/", "logs", "logs2", "top.txt"]


@pytest.mark.parametrize("argument", ["s3://b/none", "s3://b/none/", "s3://b/none*", "s3://empty/*", "s3://empty/x"])
@pytest.mark.parametrize("verb", ["ls", "du"])
def test_nothing_there(server, tmp_path, verb, argument):
    """What stands for nothing is an error that names it; an empty bucket is none."""
    came = do(server, tmp_path, verb, argument)
    assert isinstance(came.error, SourceMissing)
    assert came.error.message == f"nothing matches {argument}"
    assert came.out == b""


def test_stars_that_are_meant(ls, server):
    """``--raw`` takes a star for a star."""
    server.store.put("b", "st*r", b"")
    server.store.put("b", "star", b"")
    assert names(ls("s3://b/st*r")) == ["st*r", "star"]
    assert names(ls("s3://b/st*r", raw=True)) == ["st*r"]


def test_events(ls, server):
    """Everything that the listing tells, and prefixes as directories."""
    server.store.put("b", "z/é\u202e", b"12", Attributes(storage_class="GLACIER_IR"))
    (one,) = ls("s3://b/z/", json=True).events
    assert one.pop("last_modified").endswith("Z")
    assert len(one.pop("etag")) == 32
    assert one == {
        "operation": "ls",
        "success": True,
        "key": "s3://b/z/é\u202e",
        "type": "file",
        "size": 2,
        "storage_class": "GLACIER_IR",
    }
    assert b"\xe2\x80\xae" not in ls("s3://b/z/", json=True).out
    assert "\\u202e" in ls("s3://b/z/").lines[0]
    (directory,) = ls("s3://b/z", json=True).events
    assert directory == {"operation": "ls", "success": True, "key": "s3://b/z/", "type": "directory"}


def test_versions(ls, server):
    """Every version and delete marker, newest first, with ids; text and events."""
    server.store.buckets["b"].versioning = "Enabled"
    server.store.put("b", "top.txt", b"newer")
    server.store.buckets["b"].remove("top.txt", server.store.now())
    events = ls("s3://b/top.txt", all_versions=True, json=True).events
    assert [(one["type"], one["is_latest"], one.get("size")) for one in events] == [
        ("delete-marker", True, None),
        ("file", False, 5),
        ("file", False, 7),
    ]
    assert events[2]["version_id"] == "null"
    lines = ls("s3://b/top.txt", all_versions=True).lines
    assert [line.split()[2:] for line in lines] == [
        [size, "top.txt", one["version_id"]] for size, one in zip(["DELETED", "5", "7"], events, strict=True)
    ]
    assert isinstance(ls("s3://b/top.txt").error, SourceMissing)
    assert names(ls("s3://b/lo", all_versions=True))[0] == "logs/"


def test_many_pages(ls, server, gate):
    """Pages follow one another, the next one asked for while one is shown; none is asked for twice."""
    for number in range(2500):
        server.store.put("empty", f"{number:05d}", b"")
    assert names(ls("s3://empty", recursive=True)) == [f"{number:05d}" for number in range(2500)]
    assert [entry.operation for entry in server.store.log].count("ListObjectsV2") == 3
    again = ls("s3://empty", recursive=True, use_list_objects_v1=True)
    assert names(again) == [f"{number:05d}" for number in range(2500)]
    assert [entry.operation for entry in server.store.log].count("ListObjects") == 3
    server.store.buckets["empty"].versioning = "Enabled"
    assert len(ls("s3://empty/00*", all_versions=True).lines) == 1000


def test_a_listing_that_fails(ls, du, server, gate):
    """What came before is shown by ``ls``; ``du`` tells no sum."""
    for number in range(1500):
        server.store.put("empty", f"{number:05d}", b"")
    gate.refuse("ListObjectsV2", "AccessDenied", after=1)
    came = ls("s3://empty", recursive=True)
    assert came.error.code == "AccessDenied"
    assert len(came.lines) == 1000
    came = du("s3://empty")
    assert came.error.code == "AccessDenied"
    assert came.out == b""


class Backward:
    """Pages that do not go on behind the one before: ``m``, then `second`."""

    def __init__(self, second: str) -> None:
        self.second = second

    async def __call__(self, request):
        """What the server calls for each request."""
        key, rest = "m", "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        if "continuation-token" in request.query:
            key, rest = self.second, "<IsTruncated>false</IsTruncated>"
        time = "<LastModified>2026-01-02T03:04:05Z</LastModified>"
        return document("ListBucketResult", f"{rest}<Contents><Key>{key}</Key>{time}<Size>1</Size></Contents>")


@pytest.mark.parametrize(("second", "code"), [("n", ""), ("m", "E_BAD_LISTING"), ("a", "E_BAD_LISTING")])
def test_pages_that_go_back(tmp_path, second, code):
    """A listing whose pages do not follow each other is not believed."""
    with S3Server(intercept=Backward(second)) as server:
        came = do(server, tmp_path, "ls", "s3://bkt", recursive=True)
    assert (came.error.code if came.error else "") == code
    assert [line[-1] for line in came.lines] == (["m"] if code else ["m", "n"])


def test_no_such_bucket(ls, du):
    """The bucket is named."""
    for verb in (ls, du):
        came = verb("s3://nowhere")
        assert isinstance(came.error, BucketNotFound)


@pytest.mark.parametrize(
    ("argument", "options", "line"),
    [
        ("s3://b", {}, "60 bytes in 8 objects: s3://b/"),
        ("s3://b/logs", {}, "24 bytes in 3 objects: s3://b/logs"),
        ("s3://b/*.gz", {}, "17 bytes in 2 objects: s3://b/*.gz"),
        ("s3://b", {"human_readable": True}, "60 B in 8 objects: s3://b/"),
        ("s3://b", {"group": True}, "60 bytes in 8 objects: s3://b/ [STANDARD]"),
        ("s3://b", {"include": ("logs*",)}, "29 bytes in 4 objects: s3://b/"),
        ("s3://empty", {}, "0 bytes in 0 objects: s3://empty/"),
    ],
)
def test_sums(du, argument, options, line):
    """Everything under the argument, laid out as s5cmd does."""
    came = du(argument, **options)
    assert (came.error, came.lines) == (None, [line])


def test_sums_by_class_and_version(du, server):
    """A line for each storage class; with versions, each counts, and markers are told apart."""
    server.store.put("b", "cold", b"123", Attributes(storage_class="GLACIER"))
    server.store.buckets["b"].versioning = "Enabled"
    server.store.put("b", "cold", b"12345", Attributes(storage_class="GLACIER"))
    server.store.buckets["b"].remove("top.txt", server.store.now())
    assert du("s3://b", group=True).lines == [
        "5 bytes in 1 objects: s3://b/ [GLACIER]",
        "53 bytes in 7 objects: s3://b/ [STANDARD]",
    ]
    (event,) = du("s3://b", json=True, all_versions=True).events
    assert event == {
        "operation": "du",
        "success": True,
        "source": "s3://b/",
        "count": 10,
        "size": 68,
        "delete_markers": 1,
    }
    assert du("s3://b", quiet=True).out == b""


def test_many_directories(ls, server):
    """Pages that end with a directory go on behind all that is in it, by either verb."""
    for number in range(1200):
        server.store.put("empty", f"{number:04d}/x", b"")
        server.store.put("empty", f"{number:04d}/y", b"")
    shown = sorted(f"{number:04d}/" for number in range(1200))
    for options in ({}, {"use_list_objects_v1": True}, {"all_versions": True}):
        assert names(ls("s3://empty", **options)) == shown
