"""``uploads`` against the embedded server: which unfinished uploads are meant, shown and aborted."""

from __future__ import annotations

import contextlib

import pytest

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.testing import S3Server
from orbit_fast.testing.xmlout import document
from tests.kit.gate import Gate
from tests.kit.servers import Endpoint
from tests.kit.task_run import NOW_NS
from tests.kit.task_run import do

KEYS = ("a*", "ab", "logs", "logs", "logs/1", "logs/deep/2", "logs2/x")


@pytest.fixture
def gate():
    """Holds back or refuses what the test names."""
    return Gate()


@pytest.fixture
def server(gate):
    """A server with unfinished uploads of `KEYS`."""
    with S3Server(intercept=gate) as server:
        server.store.create_bucket("bkt")
        begin(server, KEYS)
        yield server


@pytest.fixture
def uploads(server, tmp_path):
    """``orbit uploads``."""
    return lambda *arguments, **options: do(server, tmp_path, "uploads", *arguments, **options)


def begin(server, keys):
    """Begin uploads that nobody completes."""
    endpoint = Endpoint(kind="embedded", url=server.url, access_key=server.access_key, secret_key=server.secret_key)
    with contextlib.closing(endpoint.client()) as client:
        for key in keys:
            client.create_multipart_upload(Bucket="bkt", Key=key, StorageClass="STANDARD_IA")


def left(server):
    """The keys of uploads that are unfinished."""
    return sorted(upload.key for upload in server.store.buckets["bkt"].uploads.values())


@pytest.mark.parametrize(
    ("url", "options", "meant"),
    [
        ("s3://bkt", {}, list(KEYS)),
        ("s3://bkt/", {}, list(KEYS)),
        ("s3://bkt/logs", {}, ["logs", "logs", "logs/1", "logs/deep/2"]),
        ("s3://bkt/logs/", {}, ["logs/1", "logs/deep/2"]),
        ("s3://bkt/logs*", {}, [key for key in KEYS if key.startswith("logs")]),
        ("s3://bkt/*/?", {}, ["logs/1", "logs/deep/2", "logs2/x"]),
        ("s3://bkt/a*", {}, ["a*", "ab"]),
        ("s3://bkt/a*", {"raw": True}, ["a*"]),
        ("s3://bkt/none", {}, []),
        ("s3://bkt", {"older_than": "2000-01-01"}, []),
        ("s3://bkt", {"older_than": "2100-01-01"}, list(KEYS)),
    ],
)
def test_which_are_meant(uploads, server, url, options, meant):
    """The same are listed, would be aborted, and are aborted; that there is none is no error."""
    listed = uploads(url, json=True, **options)
    assert [event["key"] for event in listed.events] == [f"s3://bkt/{key}" for key in meant]
    planned = uploads(url, abort=True, dry_run=True, **options)
    assert left(server) == sorted(KEYS)
    came = uploads(url, abort=True, **options)
    assert (listed.error, planned.error, came.error) == (None, None, None)
    assert sorted(planned.lines) == sorted(f"(dry run) {line}" for line in came.lines)
    assert sorted(line.split()[1] for line in came.lines) == [f"s3://bkt/{key}" for key in sorted(meant)]
    assert sorted([*left(server), *meant]) == sorted(KEYS)
    assert [one.tallied[0].found for one in (listed, planned, came)] == [len(meant)] * 3


def test_text_and_events(uploads, server):
    """Columns of time, class, id and key; events with the same, and what was done."""
    (first,) = [one for one in server.store.buckets["bkt"].uploads.values() if one.key == "ab"]
    (line,) = [line for line in uploads("s3://bkt/a*").lines if line.endswith("/ab")]
    assert line.split()[2:] == ["STANDARD_IA", first.upload_id, "s3://bkt/ab"]
    (event,) = uploads("s3://bkt/ab", json=True).events
    initiated = event.pop("initiated")
    assert initiated[:16].replace("-", "/").replace("T", " ") == line[:16]
    known = {"operation": "uploads", "success": True, "key": "s3://bkt/ab", "upload_id": first.upload_id}
    assert event == {**known, "storage_class": "STANDARD_IA"}
    (event,) = uploads("s3://bkt/ab", json=True, abort=True, dry_run=True).events
    assert (event["dry_run"], "aborted" in event) == (True, False)
    assert uploads("s3://bkt", quiet=True).out == b""
    (event,) = uploads("s3://bkt/ab", json=True, abort=True).events
    assert (event["aborted"], "dry_run" in event) == (True, False)
    assert uploads("s3://bkt/a*", quiet=True, abort=True).out == b""


def test_an_age_is_counted_from_now(uploads, server):
    """``--older-than`` of what was begun long before and just after that time."""
    for one in server.store.buckets["bkt"].uploads.values():
        one.started_s = NOW_NS // 10**9 - (90_000 if one.key == "logs" else 80_000)
    came = uploads("s3://bkt", abort=True, older_than="1d")
    assert len(came.lines) == 2
    assert left(server) == sorted(set(KEYS) - {"logs"})


@pytest.mark.slow
def test_many_pages(uploads, server):
    """Pages go on while what they name is aborted."""
    begin(server, [f"n/{number:04d}" for number in range(1005)])
    assert len(uploads("s3://bkt/n").lines) == 1005
    assert uploads("s3://bkt/n/", abort=True).tallied[0].found == 1005
    assert left(server) == sorted(KEYS)


def test_failures_are_told_one_by_one(uploads, server, gate):
    """Each upload's own error, with its id; the others are aborted."""
    gate.refuse("AbortMultipartUpload", "AccessDenied", after=2)
    came = uploads("s3://bkt", abort=True)
    assert came.error is None
    assert len(came.lines) == 2
    assert (came.tallied[0].failed, came.tallied[0].denied) == (5, 5)
    assert came.err.count(b'ERROR "uploads s3://bkt/') == came.err.count(b"(upload ") == 5


def test_one_that_is_gone_already(uploads, gate):
    """Completed or aborted meanwhile: it counts as gone."""
    gate.refuse("AbortMultipartUpload", "NoSuchUpload")
    came = uploads("s3://bkt/a*", abort=True)
    assert (came.error, came.err, len(came.lines)) == (None, b"", 2)


def test_a_service_that_says_none_by_an_error(uploads, gate):
    """NoSuchUpload as the answer to a listing."""
    gate.refuse("ListMultipartUploads", "NoSuchUpload")
    came = uploads("s3://bkt")
    assert (came.error, came.out) == (None, b"")


async def round_page(request):
    """A page that says that it follows itself."""
    if request.operation != "ListMultipartUploads":
        return None
    page = "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>"
    return document("ListMultipartUploadsResult", page)


def test_pages_that_go_round(tmp_path):
    """A listing that never ends is not believed."""
    with S3Server(intercept=round_page) as server:
        server.store.create_bucket("bkt")
        came = do(server, tmp_path, "uploads", "s3://bkt")
    assert isinstance(came.error, BadReply)
    assert came.error.code == "E_BAD_LISTING"


def test_what_cannot_be_meant(uploads):
    """No URL, a local name, a bucket that is not there."""
    for arguments in ([], ["file"], ["s3://bkt", "s3://other"]):
        with pytest.raises(InvalidConfig):
            uploads(*arguments)
    assert isinstance(uploads("s3://nowhere-at-all").error, BucketNotFound)
