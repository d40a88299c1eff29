"""``verify`` against the embedded server: every pair of sides, every way in which they differ."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceMissing
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint
from tests.kit.task_run import do
from tests.kit.trees import content
from tests.kit.trees import make_tree

MIB = 1 << 20
FILES = {"a": b"1", "sub/b": b"22", "sub/c d": content(1, 300_000), "z\u00e9": b"", "s-x": b"4"}


@pytest.fixture
def server():
    """A server with two buckets, of which ``one`` holds `FILES` under ``p/``."""
    settings = ServerSettings(min_part_size=1)
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, settings=settings) as server:
        for bucket in ("one", "two"):
            server.store.create_bucket(bucket)
        for name, data in FILES.items():
            server.store.put("one", f"p/{name}", data)
        yield server


@pytest.fixture
def tree(tmp_path):
    """A directory with `FILES`."""
    return make_tree(tmp_path / "tree", FILES)


@pytest.fixture
def verify(server, tmp_path):
    """``orbit verify``."""
    stage = tmp_path / "stage"
    stage.mkdir()
    return lambda *arguments, **options: do(server, stage, "verify", *map(str, arguments), **options)


def results(came):
    """Results by the last part of the name, and the totals proven to be their sum."""
    assert came.error is None
    *events, totals = came.events
    found = {(event.get("source") or event["destination"]).rpartition("/")[2]: event["result"] for event in events}
    assert totals["type"] == "totals"
    assert sum(totals[name] for name in ("matched", "unproven", "differing", "missing", "extra")) == len(events)
    return found


@pytest.fixture
def client(server):
    """boto3."""
    client = Endpoint(kind="embedded", url=server.url).client()
    yield client
    client.close()


def put_in_parts(client, key, data, size, **how):
    """Upload to ``one`` in parts of `size` bytes."""
    upload = client.create_multipart_upload(Bucket="one", Key=key, **how)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, len(data), size), 1):
        made = client.upload_part(
            Bucket="one", Key=key, UploadId=upload, PartNumber=number, Body=data[start : start + size], **how
        )
        sums = {name: made[name] for name in made if name.startswith("Checksum") and name != "ChecksumType"}
        parts.append({"ETag": made["ETag"], "PartNumber": number, **sums})
    client.complete_multipart_upload(Bucket="one", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def forget_checksum(server, key):
    """As services do that know nothing but ETags."""
    stored = server.store.bucket("one").find(key)
    stored.checksum = None


def test_a_tree_and_a_prefix(verify, tree):
    """All the same, either way round; a prefix ends at a slash whether or not it was typed."""
    for sides in ((tree, "s3://one/p"), ("s3://one/p/", tree)):
        came = verify(*sides, json=True)
        assert set(results(came).values()) == {"match"}
        assert {event.get("verified") for event in came.events[:-1]} <= {"checksum", "etag"}
        assert [tallied.found for tallied in came.tallied] == [len(FILES)]


def test_every_difference(verify, server, tree):
    """Size, content, missing and extra: each is named, and counted as damage."""
    (tree / "a").write_bytes(b"1+")
    (tree / "sub/b").write_bytes(b"XX")
    (tree / "new").write_bytes(b"n")
    (tree / "s-x").unlink()
    came = verify(tree, "s3://one/p/", json=True)
    found = results(came)
    assert found == {
        "a": "differs",
        "b": "differs",
        "c d": "match",
        "new": "missing",
        "s-x": "extra",
        "z\u00e9": "match",
    }
    reasons = {event["source"].rpartition("/")[2]: event for event in came.events if event.get("reason")}
    assert (reasons["a"]["reason"], reasons["a"]["expected"], reasons["a"]["actual"]) == ("size", "2", "1")
    assert reasons["b"]["reason"] in {"checksum", "etag"}
    assert (came.tallied[0].failed, came.tallied[0].damaged) == (4, 4)
    text = verify(tree, "s3://one/p/").lines
    assert f"differs {tree}/a s3://one/p/a: size: 2 and 1" in text
    assert f"missing {tree}/new" in text
    assert "extra s3://one/p/s-x" in text
    assert text[-1] == "2 match, 0 unproven (size only), 2 differ, 1 missing, 1 extra"
    assert len(text) == 5


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"ChecksumAlgorithm": "SHA256"},
        {"ChecksumAlgorithm": "CRC32"},
    ],
    ids=["ETag of parts", "composite SHA-256", "composite CRC32"],
)
def test_objects_in_parts(how, verify, server, client, tmp_path):
    """A local file is hashed in the parts that the object was uploaded in; a changed byte is found."""
    data = content(2, 5 * MIB + 12345)
    put_in_parts(client, "big", data, 2_000_000, **how)
    if not how:
        forget_checksum(server, "big")
    (tmp_path / "big").write_bytes(data)
    came = verify(tmp_path / "big", "s3://one/big", json=True)
    assert results(came) == {"big": "match"}
    assert came.events[0]["verified"] == ("checksum" if how else "etag")
    (tmp_path / "big").write_bytes(data[:4_000_000] + b"!" + data[4_000_001:])
    assert results(verify(tmp_path / "big", "s3://one/", json=True)) == {"big": "differs"}


def test_two_prefixes(verify, server, client):
    """By what the services store; where the ways of storing differ nothing is proven, unless the data is read."""
    for name, data in FILES.items():
        server.store.put("two", f"q/{name}", data)
    put_in_parts(client, "p/cut", b"x" * 3_000, 1_000)
    forget_checksum(server, "p/cut")
    server.store.put("two", "q/cut", b"x" * 3_000)
    server.store.put("one", "p", b"the root itself")
    came = verify("s3://one/p/", "s3://two/q", json=True)
    assert set(results(came).values()) == {"match"}
    verified = {event["source"]: event["verified"] for event in came.events[:-1]}
    assert verified.pop("s3://one/p/cut") == "size"
    assert set(verified.values()) <= {"checksum", "etag"}
    assert came.tallied[0].unverified == 1
    strict = verify("s3://one/p/", "s3://two/q", require_verify=True)
    assert (strict.tallied[0].failed, strict.tallied[0].damaged) == (1, 1)
    assert b"--read" in strict.err
    read = verify("s3://one/p/", "s3://two/q", json=True, read=True)
    assert {event["verified"] for event in read.events[:-1]} == {"checksum"}
    server.store.put("two", "q/cut", b"y" * 3_000)
    read = verify("s3://one/p/", "s3://two/q", json=True, read=True, include=("cut",))
    assert results(read) == {"cut": "differs"}
    assert results(verify("s3://one/p", "s3://two/q", json=True, include=("p", "sub/*"))) == {
        "p": "missing",
        "b": "match",
        "c d": "match",
    }


def test_two_trees(verify, tree, tmp_path):
    """Byte by byte."""
    other = make_tree(tmp_path / "other", {**FILES, "sub/c d": FILES["sub/c d"][:-1] + b"!", os.fsdecode(b"\xff"): b""})
    came = verify(tree, other, json=True)
    found = results(came)
    assert found.pop("\N{REPLACEMENT CHARACTER}") == "extra"
    assert found == {"a": "match", "b": "match", "c d": "differs", "s-x": "match", "z\u00e9": "match"}


def test_manifests(verify, tree, tmp_path):
    """Checksum lists, events and names, against a directory and a prefix; unsorted, and one line twice."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in reversed(FILES.items()))
    (tmp_path / "sums").write_text(sums)
    assert set(results(verify(f"@{tmp_path}/sums", tree, json=True)).values()) == {"match"}
    events = [
        {
            "operation": "cp",
            "success": True,
            "source": f"{tree}/{name}",
            "destination": f"s3://one/p/{name}",
            "size": len(data),
            "etag": hashlib.md5(data).hexdigest(),
        }
        for name, data in (("a", b"old"), *FILES.items())
    ]
    (tmp_path / "events").write_text("".join(json.dumps(event) + "\n" for event in events))
    for side in (tree, "s3://one/p"):
        assert set(results(verify(f"@{tmp_path}/events", side, json=True)).values()) == {"match"}
    (tmp_path / "names").write_text("a\nnope\nsub/b\n")
    came = verify("s3://one/p", f"@{tmp_path}/names", json=True, exclude=("s-x", "z*", "*c d"))
    assert results(came) == {"a": "match", "b": "match", "nope": "extra"}
    assert came.tallied[0].unverified == 2
    (tmp_path / "bad").write_text(sums + "what?\n")
    refused = verify(f"@{tmp_path}/bad", tree)
    assert isinstance(refused.error, InvalidConfig)
    assert "bad:6: " in refused.error.message


def test_filters(verify, tree):
    """Names are left out on both sides; of sizes the first side's count."""
    (tree / "a").write_bytes(b"1+++++")
    assert set(results(verify(tree, "s3://one/p", json=True, exclude=("a", "z*"))).values()) == {"match"}
    assert results(verify(tree, "s3://one/p", json=True, min_size="3", max_size="9")) == {"a": "differs"}
    assert results(verify("s3://one/p", tree, json=True, min_size="3", max_size="9")) == {}


def test_what_is_no_file(verify, tree):
    """Links are told of and left out, or followed; what cannot be read is a failure of its own."""
    (tree / "link").symlink_to("a")
    came = verify(tree, "s3://one/p")
    assert b"link" in came.err
    assert (came.tallied[0].skipped, came.tallied[0].failed) == (1, 0)
    followed = verify(tree, "s3://one/p", symlink="follow", json=True)
    assert results(followed)["link"] == "missing"
    (tree / "link").unlink()
    os.mkfifo(tree / "pipe")
    assert b"special" in verify(tree, "s3://one/p").err


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("{tree}",), InvalidConfig, "two sides"),
        (("{tree}/nope", "s3://one"), SourceMissing, "no such file"),
        (("@{tree}", "s3://one"), InvalidConfig, "is a directory"),
        (("{tree}/a", "@{tree}/a"), InvalidConfig, "is a file"),
    ],
)
def test_refused(arguments, error, words, verify, tree):
    """What makes no comparison."""
    with pytest.raises(error, match=words):
        verify(*(argument.format(tree=tree) for argument in arguments))


def test_nothing_there(verify, server, tree):
    """Nothing at the first side is an error; nothing at the second one is everything missing."""
    came = verify("s3://one/nope", tree)
    assert isinstance(came.error, SourceMissing)
    assert set(results(verify(tree, "s3://two/", json=True)).values()) == {"missing"}
    assert results(verify("s3://two", "s3://two/", json=True)) == {}


def test_listing_failures(verify, tree):
    """A side that cannot be seen whole ends the command."""
    assert verify(tree, "s3://nope/").error is not None
