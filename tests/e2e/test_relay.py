"""``orbit cp s3://A s3://B`` between services, and between credentials: the bytes pass through this machine."""

from __future__ import annotations

import contextlib

import psutil
import pytest

from orbit_fast.testing import S3Server
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.fault_run import stored
from tests.kit.gate import Gate
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint
from tests.kit.trees import content

pytestmark = pytest.mark.slow

MIB = 1 << 20
PART = 5 * MIB
LARGE = content(4, 3 * PART + 99)
"""Four parts."""


@pytest.fixture
def far_gate():
    """Holds back or refuses what the test names, at the other service."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def far(far_gate, tmp_path_factory):
    """Another service, with a bucket ``far``; afterwards no multipart upload may be left on it."""
    root = tmp_path_factory.mktemp("far")
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=root, intercept=far_gate) as server:
        server.store.create_bucket("far")
        yield server
        assert server.store.unfinished_uploads() == []


@pytest.fixture
def relay(orbit, far):
    """Copies, or moves, to the other service."""

    def relay(*arguments, verb="cp"):
        return orbit(verb, "--dest-endpoint-url", far.url, *arguments)

    return relay


def read(server, bucket):
    """Everything in a bucket."""
    return {key: server.store.read(bucket, key) for key in server.store.keys(bucket)}


def test_a_tree_goes_from_service_to_service(relay, server, bucket, far, judge):
    """``orbit cp -R --dest-endpoint-url URL``: small objects whole, large ones in parts; both ends proven."""
    files = {"t/empty": b"", "t/small": b"small", "t/middle": content(1, 3 * MIB), "t/large": LARGE}
    for key, data in files.items():
        bucket.add(stored(key, data, now_s=server.store.now(), checksum="CRC32C"))
    result = relay("--json", "--part-size", "5MiB", "-R", "s3://bkt/t", "s3://far/u").expect(0)
    assert read(far, "far") == {key.replace("t/", "u/"): data for key, data in files.items()}
    events = {event["source"]: event for event in result.done}
    assert {event["verified"] for event in events.values()} == {"checksum"}
    assert events["s3://bkt/t/large"]["parts"] == 4
    assert events["s3://bkt/t/large"]["destination"] == "s3://far/u/large"
    assert not any(entry.operation in {"CopyObject", "UploadPartCopy"} for entry in far.store.log)
    assert read(server, "bkt") == files


@pytest.mark.parametrize("size", [10, 6 * MIB])
def test_what_an_object_carries_comes_along(relay, judge, far, size):
    """Content headers, metadata and tags, as in a copy inside the service; unless they are replaced."""
    judge.put_object(
        Bucket="bkt",
        Key="k.txt",
        Body=content(2, size),
        ContentType="text/x-odd",
        CacheControl="no-store",
        ContentDisposition="inline",
        Metadata={"a": "b"},
        Tagging="t=1&u=2",
    )
    relay("--part-size", "5MiB", "s3://bkt/k.txt", "s3://far/copied").expect(0)
    replaced = ("--metadata-directive", "REPLACE", "--metadata", "c=d", "--tags", "v=3")
    relay("--part-size", "5MiB", *replaced, "s3://bkt/k.txt", "s3://far/replaced.txt").expect(0)
    with contextlib.closing(Endpoint(kind="embedded", url=far.url).client()) as other:
        copied = other.head_object(Bucket="far", Key="copied")
        assert (copied["ContentType"], copied["CacheControl"]) == ("text/x-odd", "no-store")
        assert (copied["ContentDisposition"], copied["Metadata"]) == ("inline", {"a": "b"})
        assert tags_of(other, "copied") == {"t": "1", "u": "2"}
        made = other.head_object(Bucket="far", Key="replaced.txt")
        assert (made["ContentType"], made["Metadata"]) == ("text/plain", {"c": "d"})
        assert "CacheControl" not in made
        assert tags_of(other, "replaced.txt") == {"v": "3"}


def tags_of(client, key):
    """An object's tags."""
    return {tag["Key"]: tag["Value"] for tag in client.get_object_tagging(Bucket="far", Key=key)["TagSet"]}


@pytest.mark.parametrize("size", [100, 3 * MIB, len(LARGE)])
def test_a_source_that_is_not_what_its_service_states(relay, server, bucket, far, size):
    """Exit 3, and nothing appears at the destination."""
    data = LARGE[:size]
    good = stored("k", data, now_s=server.store.now(), checksum="CRC32C")
    bad = stored("k", data[:-1] + bytes([data[-1] ^ 1]), now_s=server.store.now(), checksum="CRC32C", etag=good.etag)
    bad.checksum = good.checksum
    bucket.add(bad)
    result = relay("--json", "--part-size", "5MiB", "s3://bkt/k", "s3://far/k")
    assert result.code == 3
    assert result.failures[0]["code"] == "E_CHECKSUM_MISMATCH"
    assert read(far, "far") == {}


def test_what_nothing_proves_is_said_so(relay, server, bucket, far):
    """A source without a checksum, in parts: its size is all; with ``--require-verify`` that is a failure."""
    bucket.add(stored("k", LARGE, now_s=server.store.now(), checksum=""))
    result = relay("--json", "--part-size", "5MiB", "s3://bkt/k", "s3://far/k").expect(0)
    assert (result.done[0]["verified"], result.summary["unverified"]) == ("size", 1)
    assert read(far, "far") == {"k": LARGE}
    assert relay("--part-size", "5MiB", "--require-verify", "s3://bkt/k", "s3://far/k").code == 3


def test_it_works_in_little_memory(relay, server, bucket, far):
    """``--max-memory 16MiB``: parts of 5 MiB, whatever is asked for; objects beyond one part too."""
    files = {f"t/{number}": content(number, 9 * MIB) for number in range(4)}
    for key, data in files.items():
        bucket.add(stored(key, data, now_s=server.store.now()))
    relay("--max-memory", "16MiB", "--processes", "2", "-R", "s3://bkt/t", "s3://far/t").expect(0)
    assert read(far, "far") == files
    assert {far.store.buckets["far"].current(key).part_sizes for key in files} == {(5 * MIB, 4 * MIB)}


def test_credentials_that_differ_relay_too(orbit, server, bucket, tmp_path):
    """``--source-aws-profile``: one endpoint, two owners; never onto itself, though nobody else could tell."""
    bucket.add(stored("k", b"data", now_s=server.store.now()))
    (tmp_path / "c").write_text(f"[other]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n")
    orbit = orbit.with_environment(AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "c"))
    options = ("--source-aws-profile", "other")
    orbit("cp", *options, "s3://bkt/k", "s3://bkt/k2").expect(0)
    assert read(server, "bkt") == {"k": b"data", "k2": b"data"}
    assert not any(entry.operation == "CopyObject" for entry in server.store.log)
    for verb in ("cp", "mv"):
        result = orbit(verb, "--json", *options, "s3://bkt/k", "s3://bkt/k")
        assert result.failures[0]["code"] == "E_SAME_OBJECT"
    assert read(server, "bkt") == {"k": b"data", "k2": b"data"}


def test_a_move_deletes_the_source_there(relay, server, bucket, far):
    """``orbit mv``: after the copy was proven."""
    for key, data in {"a": b"a", "large": LARGE}.items():
        bucket.add(stored(key, data, now_s=server.store.now()))
    relay("--part-size", "5MiB", "s3://bkt/*", "s3://far/", verb="mv").expect(0)
    assert read(far, "far") == {"a": b"a", "large": LARGE}
    assert read(server, "bkt") == {}


def test_conditions_are_of_the_destination(relay, server, bucket, far):
    """``--no-clobber``, ``--if-size-differ``, dry run."""
    for key in ("a", "b"):
        bucket.add(stored(key, b"new", now_s=server.store.now()))
    far.store.put("far", "a", b"old")
    result = relay("--json", "--dry-run", "s3://bkt/*", "s3://far/").expect(0)
    assert [event["dry_run"] for event in result.done] == [True, True]
    assert relay("--json", "--no-clobber", "s3://bkt/*", "s3://far/").expect(0).counts == (1, 1, 0)
    assert relay("--json", "--if-size-differ", "s3://bkt/*", "s3://far/").expect(0).counts == (0, 2, 0)
    assert read(far, "far") == {"a": b"old", "b": b"new"}


def test_a_worker_that_dies_is_replaced(orbit, server, bucket, far, far_gate):
    """Its parts are relayed by another one."""
    bucket.add(stored("k", LARGE, now_s=server.store.now()))
    hold = far_gate.hold("UploadPart")
    with orbit.start(
        "cp", "--dest-endpoint-url", far.url, "--part-size", "5MiB", "s3://bkt/k", "s3://far/k"
    ) as process:
        hold.wait_for(3)
        workers = descendants(process.pid)
        workers[0].kill()
        psutil.wait_procs(workers[:1], 10)
        hold.release()
        result = finish(process)
    assert (result.code, result.err) == (0, b"")
    assert read(far, "far") == {"k": LARGE}


def test_a_source_that_was_replaced_starts_over(relay, server, bucket, far, gate):
    """What began is abandoned, and nobody hears of it."""
    bucket.add(stored("k", LARGE, now_s=server.store.now()))
    gate.refuse("GetObject", "PreconditionFailed", after=2, times=1)
    relay("--part-size", "5MiB", "s3://bkt/k", "s3://far/k").expect(0)
    assert read(far, "far") == {"k": LARGE}
    assert sum(entry.operation == "CreateMultipartUpload" for entry in far.store.log) == 2
