"""``rm``, ``mb`` and ``rb`` against the embedded server: what is gone afterwards, and what is not."""

from __future__ import annotations

import threading

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import SourceMissing
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing.xmlout import document
from tests.kit.gate import Gate
from tests.kit.servers import Endpoint
from tests.kit.task_run import do

KEYS = ("a*", "ab", "logs", "logs/", "logs/1.gz", "logs/2.txt", "logs/deep/3.gz", "logs2", "logs2/x", "top")


@pytest.fixture
def gate():
    """Holds back or refuses what the test names."""
    return Gate()


@pytest.fixture
def server(gate):
    """A server with a bucket of a few keys, ``bkt``."""
    with S3Server(intercept=gate) as server:
        server.store.create_bucket("bkt")
        for key in KEYS:
            server.store.put("bkt", key, key.encode())
        yield server


@pytest.fixture
def rm(server, tmp_path):
    """``orbit rm``."""
    return lambda *arguments, **options: do(server, tmp_path, "rm", *arguments, **options)


@pytest.fixture
def rb(server, tmp_path):
    """``orbit rb``."""
    return lambda *arguments, **options: do(server, tmp_path, "rb", *arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "gone"),
    [
        (["s3://bkt/top"], {}, ["top"]),
        (["s3://bkt/logs"], {}, ["logs"]),
        (["s3://bkt/logs/"], {}, ["logs/"]),
        (["s3://bkt/top", "s3://bkt/ab"], {}, ["ab", "top"]),
        (["s3://bkt/logs"], {"recursive": True}, ["logs", "logs/", "logs/1.gz", "logs/2.txt", "logs/deep/3.gz"]),
        (["s3://bkt/logs/"], {"recursive": True}, ["logs/", "logs/1.gz", "logs/2.txt", "logs/deep/3.gz"]),
        (["s3://bkt/logs2"], {"recursive": True}, ["logs2", "logs2/x"]),
        (["s3://bkt"], {"recursive": True}, list(KEYS)),
        (["s3://bkt/logs*"], {}, [key for key in KEYS if key.startswith("logs")]),
        (["s3://bkt/*.gz", "s3://bkt/top"], {}, ["logs/1.gz", "logs/deep/3.gz", "top"]),
        (["s3://bkt/a*"], {}, ["a*", "ab"]),
        (["s3://bkt/a*"], {"raw": True}, ["a*"]),
        (["s3://bkt/logs"], {"recursive": True, "include": ("*.gz",)}, ["logs/1.gz", "logs/deep/3.gz"]),
        (["s3://bkt/logs"], {"recursive": True, "exclude": ("*.gz", "logs*")}, ["logs/2.txt"]),
        (["s3://bkt/*"], {"exclude": ("logs*",)}, ["a*", "ab", "top"]),
        (["s3://bkt/*"], {"min_size": "10"}, ["logs/2.txt", "logs/deep/3.gz"]),
        (["s3://bkt/top"], {"min_size": "10"}, []),
        (["s3://bkt/top"], {"max_size": "3"}, ["top"]),
        (["s3://bkt/top"], {"exclude": ("to*",)}, []),
        (["s3://bkt/logs"], {"all_versions": True}, ["logs"]),
        (["s3://bkt/logs/"], {"all_versions": True, "recursive": True}, list(KEYS[3:7])),
    ],
)
def test_what_goes(rm, server, arguments, options, gone):
    """Exactly what was meant is deleted and told; a dry run tells the same and deletes nothing."""
    planned = rm(*arguments, **options, dry_run=True)
    assert server.store.keys("bkt") == sorted(KEYS)
    came = rm(*arguments, **options)
    assert came.error is None
    assert sorted(set(KEYS) - set(server.store.keys("bkt"))) == sorted(gone)
    version = " null" if "all_versions" in options else ""
    assert sorted(came.lines) == [f"rm s3://bkt/{key}{version}" for key in sorted(gone)]
    assert planned.lines == [f"(dry run) {line}" for line in came.lines]
    assert came.tallied[0].deleted == planned.tallied[0].deleted == len(gone)


def test_events(rm):
    """Source, and the version where one was named; ``dry_run`` where nothing was done."""
    assert rm("s3://bkt/top", json=True, dry_run=True).events == [
        {"operation": "rm", "success": True, "source": "s3://bkt/top", "dry_run": True}
    ]
    assert rm("s3://bkt/top", json=True).events == [{"operation": "rm", "success": True, "source": "s3://bkt/top"}]
    assert rm("s3://bkt/ab", json=True, all_versions=True).events == [
        {"operation": "rm", "success": True, "source": "s3://bkt/ab", "version_id": "null"}
    ]
    assert rm("s3://bkt/logs2", quiet=True).out == b""
    assert rm("s3://bkt/logs2/x", quiet=True, json=True).out == b""


def test_a_key_that_is_not_there(rm):
    """Counts as deleted, as S3 has it; with ``--all-versions`` or a filter there is nothing to do."""
    assert rm("s3://bkt/nothing").lines == ["rm s3://bkt/nothing"]
    for options in ({"all_versions": True}, {"min_size": "1"}):
        came = rm("s3://bkt/nothing", **options)
        assert (came.error, came.out) == (None, b"")


LOOK = "orbit ls s3://bkt/ says what is there"


@pytest.mark.parametrize(("argument", "options"), [("s3://bkt/no*", {}), ("s3://bkt/no", {"recursive": True})])
def test_what_stands_for_nothing(rm, server, argument, options):
    """Alone it is what ends the command; beside others it is one that failed."""
    came = rm(argument, **options)
    assert isinstance(came.error, SourceMissing)
    assert came.out == b""
    came = rm(argument, "s3://bkt/logs2", **options)
    assert came.error is None
    assert came.err == f'ERROR "rm {argument}": E_NO_SOURCE: nothing matches {argument} ({LOOK})\n'.encode()
    assert came.tallied[0].failed == 1
    assert "logs2" not in server.store.keys("bkt")


def test_an_empty_bucket(rm, server):
    """Emptying what is empty is no error."""
    server.store.create_bucket("empty")
    came = rm("s3://empty", recursive=True)
    assert (came.error, came.out) == (None, b"")


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ([], {}, "rm takes S3 URLs"),
        (["top"], {}, "does not begin with s3://"),
        (["s3://bkt/top", "file"], {}, "does not begin with s3://"),
        (["s3://bkt"], {}, "is a bucket: add --recursive"),
        (["s3://bkt/"], {}, "is a bucket: add --recursive"),
        (["s3://bkt/a", "s3://bkt/b"], {"version_id": "v"}, "of one key"),
        (["s3://bkt/a*"], {"version_id": "v"}, "of one key"),
        (["s3://bkt/a"], {"version_id": "v", "recursive": True}, "of one key"),
        (["s3://bkt/a"], {"version_id": "v", "all_versions": True}, "contradict"),
        (["s3://bkt/a"], {"version_id": "v", "older_than": "1d"}, "not with filters"),
    ],
)
def test_what_cannot_be_meant(rm, server, arguments, options, words):
    """Refused before anything is asked of the service."""
    with pytest.raises(InvalidConfig, match=words):
        rm(*arguments, **options)
    assert server.store.log == []


def test_a_key_that_cannot_be_one(rm):
    """Longer than S3 takes."""
    with pytest.raises(InvalidKey):
        rm("s3://bkt/" + "x" * 1025)


def test_versions(rm, server):
    """Without an option a marker hides the object; one version, or all, are gone for good."""
    bucket = server.store.buckets["bkt"]
    bucket.versioning = "Enabled"
    first = server.store.put("bkt", "top", b"2").version_id
    assert rm("s3://bkt/top").lines == ["rm s3://bkt/top"]
    assert [version.is_marker for version in bucket.versions["top"]].count(True) == 1
    assert rm("s3://bkt/top", version_id=first, json=True).events[0]["version_id"] == first
    assert len(bucket.versions["top"]) == 2
    server.store.put("bkt", "top2", b"")
    came = rm("s3://bkt/top", all_versions=True)
    assert len(came.lines) == 2
    assert "top" not in bucket.versions
    assert "top2" in bucket.versions
    rm("s3://bkt", all_versions=True, recursive=True)
    assert bucket.versions == {}


@pytest.mark.slow
def test_many_chunks_at_once(rm, server, gate):
    """Ten chunks and more are under way while the listing goes on."""
    for number in range(15_000):
        server.store.put("bkt", f"n/{number:05d}", b"")
    hold = gate.hold("DeleteObjects")
    came = []
    worker = threading.Thread(target=lambda: came.append(rm("s3://bkt/n/", recursive=True)), daemon=True)
    worker.start()
    hold.wait_for(12)
    hold.release()
    worker.join(60)
    assert came[0].error is None
    assert came[0].tallied[0].deleted == 15_000
    assert server.store.keys("bkt") == sorted(KEYS)
    assert gate.most_at_once["DeleteObjects"] >= 12
    assert [entry.operation for entry in server.store.log].count("DeleteObjects") == 15


def test_a_listing_that_fails(rm, server, gate):
    """What its pages had named is deleted and told; the command fails and says why."""
    for number in range(2500):
        server.store.put("bkt", f"n/{number:05d}", b"")
    gate.refuse("ListObjectsV2", "AccessDenied", after=2)
    came = rm("s3://bkt/n/", recursive=True)
    assert isinstance(came.error, AccessDenied)
    assert len(came.lines) == came.tallied[0].deleted == 2000
    assert len(server.store.keys("bkt")) == 500 + len(KEYS)


def test_no_permission_to_delete(rm, server, gate):
    """Ends the command; nothing is told of keys that nobody knows of."""
    gate.refuse("DeleteObjects", "AccessDenied")
    came = rm("s3://bkt/logs", recursive=True)
    assert isinstance(came.error, AccessDenied)
    assert (came.out, came.err) == (b"", b"")
    assert server.store.keys("bkt") == sorted(KEYS)


class Reluctant:
    """Answers DeleteObjects itself: some keys may not be deleted."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    async def __call__(self, request):
        """What the server calls for each request."""
        if request.operation != "DeleteObjects":
            return None
        return document("DeleteResult", self.answer.decode())


ANSWER = (
    b"<Error><Key>logs/1.gz</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    b"<Error><Key>logs/2.txt</Key><Code>ObjectLocked</Code><Message>kept\nby law</Message></Error>"
)


@pytest.mark.parametrize("is_json", [False, True])
def test_failures_inside_an_answer(tmp_path, is_json):
    """Each key's own error is told, and counted; the others are gone."""
    with S3Server(intercept=Reluctant(ANSWER)) as server:
        server.store.create_bucket("bkt")
        for key in KEYS:
            server.store.put("bkt", key, b"")
        came = do(server, tmp_path, "rm", "s3://bkt/logs/", recursive=True, **{"json": True} if is_json else {})
    assert came.error is None
    assert (came.tallied[0].deleted, came.tallied[0].failed, came.tallied[0].denied) == (2, 2, 1)
    if not is_json:
        assert came.lines == ["rm s3://bkt/logs/", "rm s3://bkt/logs/deep/3.gz"]
        assert came.err.count(b'ERROR "rm s3://bkt/logs/') == 2
        assert b'ERROR "rm s3://bkt/logs/2.txt": ObjectLocked: kept by law' in came.err
        return
    failed = {event["source"]: event["code"] for event in came.events if not event["success"]}
    assert failed == {"s3://bkt/logs/1.gz": "AccessDenied", "s3://bkt/logs/2.txt": "ObjectLocked"}
    assert came.err == b""


# --- mb and rb -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_mb(tmp_path, region):
    """The bucket is made where the site is; making it again is an error, whoever has it."""
    with S3Server(settings=ServerSettings(region=region)) as server:
        assert do(server, tmp_path, "mb", "s3://new-bucket", dry_run=True).lines == ["(dry run) mb s3://new-bucket"]
        assert server.store.buckets == {}
        assert do(server, tmp_path, "mb", "s3://new-bucket").lines == ["mb s3://new-bucket"]
        assert list(server.store.buckets) == ["new-bucket"]
        again = do(server, tmp_path, "mb", "s3://new-bucket")
        assert "exists already" in again.error.message
        assert do(server, tmp_path, "mb", "s3://new-bucket", dry_run=True).error.code == "E_BUCKET_EXISTS"
        server.store.foreign.add("somebodys")
        other = do(server, tmp_path, "mb", "s3://somebodys")
        assert "belongs to somebody else" in other.error.message
        (event,) = do(server, tmp_path, "mb", "s3://other-bucket/", json=True).events
        assert event == {"operation": "mb", "success": True, "source": "s3://other-bucket", "region": region}


@pytest.mark.parametrize("verb", ["mb", "rb"])
@pytest.mark.parametrize("arguments", [[], ["s3://bkt/key"], ["bkt"], ["s3://a-1", "s3://b-2"], ["s3://"]])
def test_one_bucket_is_named(server, tmp_path, verb, arguments):
    """No key, and neither none nor two."""
    with pytest.raises(InvalidConfig):
        do(server, tmp_path, verb, *arguments)


def test_rb_of_a_bucket_that_is_not_empty(rb, server):
    """The error says what would help; a dry run says the same."""
    for options in ({}, {"dry_run": True}):
        came = rb("s3://bkt", **options)
        assert came.error.code == "BucketNotEmpty"
        assert "--force" in came.error.message
    assert server.store.keys("bkt") == sorted(KEYS)


def test_rb(rb, server):
    """An empty bucket goes; one that is not there is an error."""
    server.store.create_bucket("empty")
    assert rb("s3://empty", dry_run=True).lines == ["(dry run) rb s3://empty"]
    assert rb("s3://empty", json=True).events == [{"operation": "rb", "success": True, "source": "s3://empty"}]
    assert "empty" not in server.store.buckets
    assert isinstance(rb("s3://empty").error, BucketNotFound)


def test_rb_force(rb, server):
    """All versions and markers are deleted and unfinished uploads aborted before the bucket goes."""
    bucket = server.store.buckets["bkt"]
    bucket.versioning = "Enabled"
    server.store.put("bkt", "top", b"newer")
    bucket.remove("ab", server.store.now())
    do_upload(server)
    count = sum(map(len, bucket.versions.values()))
    planned = rb("s3://bkt", force=True, dry_run=True)
    assert "bkt" in server.store.buckets
    assert len(planned.lines) == count + 1
    came = rb("s3://bkt", force=True, json=True)
    assert came.error is None
    assert server.store.buckets == {}
    assert came.events[-1] == {"operation": "rb", "success": True, "source": "s3://bkt", "uploads_aborted": 1}
    assert [event["operation"] for event in came.events[:-1]] == ["rm"] * count
    assert came.tallied[0].deleted == count


def do_upload(server):
    """Begin a multipart upload that nobody completes."""
    endpoint = Endpoint(kind="embedded", url=server.url, access_key=server.access_key, secret_key=server.secret_key)
    endpoint.client().create_multipart_upload(Bucket="bkt", Key="half")


def test_rb_force_that_cannot_empty(tmp_path):
    """The bucket stays, and the failure of each key is told."""
    error = b"<Error><Key>kept</Key><VersionId>null</VersionId><Code>AccessDenied</Code><Message>no</Message></Error>"
    with S3Server(intercept=Reluctant(error)) as server:
        server.store.create_bucket("bkt")
        server.store.put("bkt", "kept", b"")
        came = do(server, tmp_path, "rb", "s3://bkt", force=True)
        assert came.error.message == "s3://bkt could not be emptied, so it stays"
        assert b'ERROR "rm s3://bkt/kept": AccessDenied:' in came.err
        assert b"(version null)" in came.err
        assert "bkt" in server.store.buckets


@pytest.mark.parametrize("code", ["MethodNotAllowed", "NoSuchUpload"])
def test_rb_force_of_a_service_without_versions(rb, server, gate, code):
    """Objects are deleted instead, and uploads that cannot be listed are none."""
    gate.refuse("ListObjectVersions", "NotImplemented")
    gate.refuse("ListMultipartUploads", code)
    assert rb("s3://bkt", dry_run=True).error.code == "BucketNotEmpty"
    came = rb("s3://bkt", force=True)
    assert came.error is None
    assert server.store.buckets == {}
    assert came.lines[0] == "rm s3://bkt/a*"
