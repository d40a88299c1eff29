"""Every option that says what an uploaded or copied object is given, asked back with boto3."""

from __future__ import annotations

import os
import stat

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.command import Orbit
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint
from tests.kit.trees import PART
from tests.kit.trees import content

pytestmark = pytest.mark.slow

ROWS = {
    "guessed type": ((), {"ContentType": "text/plain"}),
    "no guess": (("--no-guess-mime-type",), {"ContentType": "binary/octet-stream"}),
    "content-type": (("--content-type", "application/x-orbit"), {"ContentType": "application/x-orbit"}),
    "content-encoding": (("--content-encoding", "gzip"), {"ContentEncoding": "gzip"}),
    "content-disposition": (
        ("--content-disposition", 'attachment; filename="a b"'),
        {"ContentDisposition": 'attachment; filename="a b"'},
    ),
    "content-language": (("--content-language", "de"), {"ContentLanguage": "de"}),
    "cache-control": (("--cache-control", "max-age=60"), {"CacheControl": "max-age=60"}),
    "expires": (
        ("--expires-header", "Wed, 21 Oct 2037 07:28:00 GMT"),
        {"ExpiresString": "Wed, 21 Oct 2037 07:28:00 GMT"},
    ),
    "metadata": (("--metadata", "One=1", "--metadata", "two=a=b c"), {"Metadata": {"one": "1", "two": "a=b c"}}),
    "storage-class": (("--storage-class", "STANDARD_IA"), {"StorageClass": "STANDARD_IA"}),
    "sse": (("--sse", "AES256"), {"ServerSideEncryption": "AES256"}),
    "kms": (("--sse", "aws:kms"), {"ServerSideEncryption": "aws:kms"}),
    "kms key": (("--sse", "aws:kms", "--sse-kms-key-id", "key-1"), {"SSEKMSKeyId": "key-1"}),
}
"""Options, and what HeadObject must then say."""

SIZES = {"one piece": 100, "in parts": PART + 1}
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def head_of(judge, key="k", **more):
    """What the service says about an object."""
    return judge.head_object(Bucket="bkt", Key=key, **more)


@pytest.fixture(params=SIZES)
def file(request, tmp_path):
    """A file that goes up in one piece, or in two parts."""
    path = tmp_path / "file.txt"
    path.write_bytes(content(5, SIZES[request.param]))
    return path


@pytest.mark.parametrize("row", ROWS)
def test_upload(row, orbit, judge, file):
    """The option reaches the object, whether it goes up in one request or in parts."""
    options, wanted = ROWS[row]
    orbit("cp", file, "s3://bkt/k.txt", "--part-size", "5", *options).expect(0)
    found = head_of(judge, "k.txt")
    assert {name: found.get(name) for name in wanted} == wanted
    assert judge.get_object(Bucket="bkt", Key="k.txt")["Body"].read() == file.read_bytes()


@pytest.mark.parametrize("row", [row for row in ROWS if row not in {"guessed type", "no guess"}])
def test_copy_with_replace(row, orbit, judge):
    """``--metadata-directive REPLACE``: a copy inside S3 gets what the options say, and nothing of the source's."""
    options, wanted = ROWS[row]
    judge.put_object(Bucket="bkt", Key="source", Body=b"x", Metadata={"old": "1"}, CacheControl="no-store")
    orbit("cp", "s3://bkt/source", "s3://bkt/k", "--metadata-directive", "REPLACE", *options).expect(0)
    found = head_of(judge)
    assert {name: found.get(name) for name in wanted} == wanted
    assert "old" not in found["Metadata"]
    assert found.get("CacheControl") == wanted.get("CacheControl")


def test_copy_keeps(orbit, judge):
    """Without it (``COPY``) a copy keeps the source's properties, and the options add storage class and encryption."""
    judge.put_object(Bucket="bkt", Key="source", Body=b"x", Metadata={"old": "1"}, CacheControl="no-store")
    orbit("cp", "s3://bkt/source", "s3://bkt/k", "--storage-class", "STANDARD_IA", "--sse", "AES256").expect(0)
    found = head_of(judge)
    assert (found["Metadata"], found["CacheControl"]) == ({"old": "1"}, "no-store")
    assert (found["StorageClass"], found["ServerSideEncryption"]) == ("STANDARD_IA", "AES256")


def test_tags(orbit, judge, file):
    """``--tags`` tags the object, with odd characters too."""
    options = ("--tags", "team=a b", "--tags", "x=1&y=+/=")
    orbit("cp", file, "s3://bkt/k", "--part-size", "5", *options).expect(0)
    tags = judge.get_object_tagging(Bucket="bkt", Key="k")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "a b", "x": "1", "y": "+/="}


def test_tags_of_a_copy(orbit, judge):
    """A copy keeps the source's tags, unless ``--tags`` gives others."""
    judge.put_object(Bucket="bkt", Key="source", Body=b"x", Tagging="old=1")
    orbit("cp", "s3://bkt/source", "s3://bkt/kept").expect(0)
    orbit("cp", "s3://bkt/source", "s3://bkt/other", "--tags", "new=2").expect(0)
    assert judge.get_object_tagging(Bucket="bkt", Key="kept")["TagSet"] == [{"Key": "old", "Value": "1"}]
    assert judge.get_object_tagging(Bucket="bkt", Key="other")["TagSet"] == [{"Key": "new", "Value": "2"}]


def test_acl(orbit, bucket, file):
    """``--acl`` reaches the service."""
    orbit("cp", file, "s3://bkt/k", "--part-size", "5", "--acl", "public-read").expect(0)
    assert bucket.find("k").attributes.acl == "public-read"


def test_acl_of_a_copy(orbit, judge, bucket):
    """A copy's too."""
    judge.put_object(Bucket="bkt", Key="source", Body=b"x")
    orbit("cp", "s3://bkt/source", "s3://bkt/k", "--acl", "bucket-owner-full-control").expect(0)
    assert bucket.find("k").attributes.acl == "bucket-owner-full-control"


@pytest.mark.parametrize("form", ["raw", "base64"])
def test_customer_key(form, file, tmp_path):
    """``--sse-c-key-file F``: the service keeps the object under that key, and gives it back only for that key."""
    key = bytes(range(32))
    text = b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    (tmp_path / "key").write_bytes(key if form == "raw" else text + b"\n")
    settings = ServerSettings(sse_c_needs_tls=False)
    options = ("--part-size", "5", "--sse-c-key-file", tmp_path / "key")
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, settings=settings) as server:
        server.store.create_bucket("bkt")
        orbit = Orbit(Endpoint(kind="embedded", url=server.url).environment)
        orbit("cp", file, "s3://bkt/k", *options).expect(0)
        assert server.store.buckets["bkt"].find("k").attributes.customer_key_md5
        without = orbit("cp", "s3://bkt/k", tmp_path / "without")
        assert (without.code, len(without.errors)) == (2, 1)
        orbit("cp", "s3://bkt/k", tmp_path / "back", *options).expect(0)
        orbit("cp", "s3://bkt/k", "s3://bkt/copy", *options).expect(0)
        assert server.store.buckets["bkt"].find("copy").attributes.customer_key_md5
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksum_algorithm(algorithm, orbit, bucket, file):
    """``--checksum-algorithm A``: the service has verified and stored that one, and says so in the event."""
    options = ("--part-size", "5", "--checksum-algorithm", algorithm)
    result = orbit("cp", "--json", file, "s3://bkt/k", *options).expect(0)
    stored = bucket.find("k").checksum
    assert stored.algorithm == algorithm
    (event,) = result.done
    assert event["verified"] == "checksum"
    assert event["checksum"]["algorithm"] == algorithm
    assert event["checksum"]["value"] == stored.value


def test_preserve_metadata(orbit, judge, file, tmp_path):
    """``--preserve-metadata``: mtime to the nanosecond and mode go up and come back."""
    os.chmod(file, 0o640)
    os.utime(file, ns=(0, 1_234_567_890_123_456_789))
    orbit("cp", "--preserve-metadata", "--part-size", "5", file, "s3://bkt/k").expect(0)
    assert head_of(judge)["Metadata"] == {"mtime": "1234567890.123456789", "mode": "100640"} | {
        name: value for name, value in head_of(judge)["Metadata"].items() if name not in {"mtime", "mode"}
    }
    orbit("cp", "--preserve-metadata", "--part-size", "5", "s3://bkt/k", tmp_path / "back").expect(0)
    found = os.stat(tmp_path / "back")
    assert (found.st_mtime_ns, stat.S_IMODE(found.st_mode)) == (1_234_567_890_123_456_789, 0o640)


def test_without_preserve_metadata(orbit, judge, file, tmp_path):
    """Without it nothing is added to the object, and a download's time is the object's Last-Modified."""
    os.chmod(file, 0o600)
    orbit("cp", "--part-size", "5", file, "s3://bkt/k").expect(0)
    assert head_of(judge)["Metadata"] == {}
    orbit("cp", "--part-size", "5", "s3://bkt/k", tmp_path / "back").expect(0)
    found = os.stat(tmp_path / "back")
    assert found.st_mtime == head_of(judge)["LastModified"].timestamp()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(found.st_mode) == 0o666 & ~umask
