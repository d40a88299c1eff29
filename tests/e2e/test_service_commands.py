"""``uploads``, ``restore``, ``versions`` and ``select`` as a stranger runs them, against every server that has them."""

from __future__ import annotations

import functools
import gzip
import json

import pytest

from tests.kit.buckets import new_bucket
from tests.kit.buckets import put_all
from tests.kit.buckets import uploads_of
from tests.kit.command import Orbit
from tests.kit.event_schema import validated
from tests.kit.servers import RUNNERS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(RUNNERS))
def endpoint(request, tmp_path_factory):
    """Every server."""
    with RUNNERS[request.param](tmp_path_factory.mktemp(request.param)) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def judge(endpoint):
    """boto3."""
    client = endpoint.client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def orbit(endpoint):
    """The installed command."""
    return Orbit(endpoint.environment)


@pytest.fixture
def bucket(judge):
    """A new bucket."""
    return new_bucket(judge)


def test_uploads(orbit, judge, bucket):
    """Orbit uploads; --json; --abort --dry-run; --abort --older-than; --abort."""
    root = f"s3://{bucket}"
    none = orbit("uploads", "--json", root).expect(0)
    assert (len(none.events), none.summary["command"]) == (1, "uploads")
    ids = {
        key: judge.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        for key in ("logs", "logs/1", "logs2", "ü*")
    }
    lines = orbit("uploads", f"{root}/logs").expect(0).lines
    assert [line.split()[-2:] for line in lines] == [[ids[key], f"{root}/{key}"] for key in ("logs", "logs/1")]
    found = orbit("uploads", "--json", root).expect(0).done
    assert {event["key"]: event["upload_id"] for event in found} == {f"{root}/{key}": ids[key] for key in ids}
    planned = orbit("uploads", "--json", "--abort", "--dry-run", root).expect(0).done
    assert [event["dry_run"] for event in planned] == [True] * 4
    young = orbit("uploads", "--abort", "--older-than", "2001-01-01", root).expect(0)  # moto begins all in 2010
    assert young.out == b""
    assert len(uploads_of(judge, bucket)) == 4
    assert orbit("uploads", "--abort", f"{root}/l*2").expect(0).lines == [f"abort {root}/logs2 {ids['logs2']}"]
    gone = orbit("uploads", "--abort", "--json", "--stat", root)
    assert gone.code == 0
    assert sorted(event["key"] for event in gone.done) == sorted(f"{root}/{key}" for key in ids if key != "logs2")
    assert "  - Succeeded: 3" in gone.errors
    none = orbit("uploads", "s3://no-such-bucket-of-ours")
    assert (none.code, len(none.errors)) == (2, 1)
    assert none.errors[0].startswith('ERROR "uploads s3://no-such-bucket-of-ours/": NoSuchBucket')


def test_restore(orbit, judge, bucket, endpoint):
    """Orbit restore --status; restore; restore -R; of what is not archived."""
    if endpoint.kind == "rclone":
        pytest.skip("rclone has no storage classes")
    root = f"s3://{bucket}"
    for key, kind in (("a/cold", "GLACIER"), ("a/warm", "STANDARD"), ("b", "DEEP_ARCHIVE")):
        judge.put_object(Bucket=bucket, Key=key, Body=b"x", StorageClass=kind)
    assert orbit("restore", "--status", f"{root}/b").expect(0).lines == [f"restore {root}/b: not requested"]
    (planned,) = orbit("restore", "--dry-run", "--json", "--days", "2", f"{root}/b").expect(0).done
    assert (planned["dry_run"], planned["days"], planned["tier"]) == (True, 2, "Standard")
    came = orbit("restore", "-R", "--json", "-v", "--tier", "Bulk", root).expect(0)
    assert {event["source"]: event["status"] for event in came.done} == {
        f"{root}/a/cold": "requested",
        f"{root}/b": "requested",
    }
    assert [event["source"] for event in came.skipped] == [f"{root}/a/warm"]
    assert (came.summary["command"], came.summary["files_skipped"], came.summary["success"]) == ("restore", 1, True)
    assert "x-amz-restore" in judge.head_object(Bucket=bucket, Key="b")["ResponseMetadata"]["HTTPHeaders"]
    (state,) = orbit("restore", "--status", "--json", f"{root}/b").expect(0).done
    assert state["status"] in {"in-progress", "restored"}
    warm = orbit("restore", f"{root}/a/warm")
    assert (warm.code, warm.out) == (2, b"")
    (error,) = warm.errors
    assert error.startswith(f'ERROR "restore {root}/a/warm": InvalidObjectState: ')
    assert error.endswith(" is not archived (STANDARD): there is nothing to restore")
    assert orbit("restore", f"{root}/none").code == 2


def test_versions(orbit, judge, bucket, endpoint):
    """Orbit versions status, enable, list, diff, restore, rm, suspend."""
    if endpoint.kind == "rclone":
        pytest.skip("rclone knows no versions")
    root = f"s3://{bucket}"
    assert orbit("versions", "status", root).expect(0).lines == [f"{root}: Disabled"]
    (event,) = orbit("versions", "enable", "--json", root).expect(0).done
    assert event["versioning"] == "Enabled"
    assert judge.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    put = functools.partial(judge.put_object, Bucket=bucket, Key="k")
    ids = [put(Body=body, Metadata={"n": "v"}, StorageClass="STANDARD_IA")["VersionId"] for body in (b"1", b"22")]
    put_all(judge, bucket, {"k2": b"other", "kk/x": b"other"})
    judge.delete_object(Bucket=bucket, Key="k")
    listed = orbit("versions", "list", "--json", f"{root}/k").expect(0).done
    assert [event["type"] for event in listed] == ["delete-marker", "file", "file"]
    assert [event["version_id"] for event in listed[1:]] == ids[::-1]
    (found,) = orbit("versions", "diff", "--json", "--", f"{root}/k", *ids).expect(0).done
    assert (found["size_diff"], found["content_differs"]) == (1, True)
    gone = orbit("versions", "diff", "--", f"{root}/k", ids[0])
    assert (gone.code, len(gone.errors)) == (2, 1)

    planned = orbit("versions", "restore", "--dry-run", f"{root}/k", "--version-id", ids[0]).expect(0)
    assert planned.lines == [f"(dry run) versions {root}/k {root}/k"]
    came = orbit("versions", "restore", "--json", f"{root}/k", "--version-id", ids[0]).expect(0)
    (done,) = came.done
    current = judge.get_object(Bucket=bucket, Key="k")
    assert (current["Body"].read(), current["Metadata"]) == (b"1", {"n": "v"})
    assert current["StorageClass"] == "STANDARD_IA"
    assert (done["version_id"], done["size"], done["verified"]) == (current["VersionId"], 1, done["verified"])
    assert done["verified"] in {"checksum", "etag"}
    assert (came.summary["command"], came.counts) == ("versions", (1, 0, 0))
    (found,) = orbit("versions", "diff", "--json", "--", f"{root}/k", ids[0]).expect(0).done
    assert (found["version_id2"], found["content_differs"]) == (current["VersionId"], False)
    marker = orbit("versions", "restore", f"{root}/k", "--version-id", listed[0]["version_id"])
    assert (marker.code, marker.out, len(marker.errors)) == (2, b"", 1)

    assert orbit("versions", "rm", f"{root}/k", "--version-id", ids[1]).expect(0).lines == [f"rm {root}/k {ids[1]}"]
    assert len(orbit("versions", "rm", "--all-versions", f"{root}/k").expect(0).lines) == 3
    left = judge.list_object_versions(Bucket=bucket)
    assert [one["Key"] for one in left["Versions"]] == ["k2", "kk/x"]
    assert orbit("versions", "suspend", root).expect(0).lines == [f"versions suspend {root}"]
    assert judge.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    wrong = orbit("versions", "lst", root, "--json")
    assert (wrong.code, wrong.failures[0]["code"]) == (2, "E_USAGE")


SQL = "SELECT * FROM s3object"
TABLE = b"a,b\n1,2\n3,4\n"


def test_select(orbit, judge, bucket, endpoint):
    """Orbit select csv, --use-header, --compression, json; a wildcard; --json and --stat; of what is not there."""
    root = f"s3://{bucket}"
    tables = {"t/1.csv": TABLE, "t/2.csv": b"5,6\n", "t/3.gz": gzip.compress(TABLE), "j": b'{"a":1}\n{"a":2}\n'}
    put_all(judge, bucket, tables)
    if endpoint.kind != "moto":
        refused = orbit("select", "csv", "--query", SQL, f"{root}/t/*")
        assert (refused.code, refused.out, len(refused.errors)) == (2, b"", 1)
        assert "this service does not offer S3 Select" in refused.errors[0]
        return
    plain = orbit("select", "csv", "--query", SQL, f"{root}/t/1.csv").expect(0)
    assert plain.out.rstrip(b"\n") == TABLE.rstrip(b"\n")
    named = orbit("select", "csv", "--use-header", "USE", "--compression", "GZIP", "--query", SQL, f"{root}/t/3.gz")
    assert named.expect(0).out.split() == [b"1,2", b"3,4"]
    lines = orbit("select", "csv", "--output-format", "json", "--query", SQL, f"{root}/t/2.csv").expect(0).lines
    assert json.loads(lines[0]) == {"_1": "5", "_2": "6"}
    counted = orbit("select", "json", "--query", "SELECT count(*) FROM s3object", f"{root}/j").expect(0)
    assert json.loads(counted.out) == {"_1": 2}
    many = orbit("select", "csv", "--json", "--query", SQL, f"{root}/t/*.csv")
    assert many.code == 0
    assert many.out.split() == [b"a,b", b"1,2", b"3,4", b"5,6"]
    *done, summary = validated(many.err)
    assert [event["source"] for event in done] == [f"{root}/t/1.csv", f"{root}/t/2.csv"]
    assert (summary["command"], summary["files_copied"], summary["bytes_copied"]) == ("select", 2, len(many.out))
    stat = orbit("select", "csv", "--stat", "--query", SQL, f"{root}/t/1.csv")
    assert b"  - Succeeded: 1" in stat.err
    assert stat.out == plain.out
    none = orbit("select", "csv", "--query", SQL, f"{root}/none")
    assert (none.code, none.out, len(none.errors)) == (2, b"", 1)


def test_lines_of_run(orbit, judge, bucket, endpoint, tmp_path):
    """Orbit run, with a line of each of them; s5cmd's ``bucket-version`` and ``select`` too."""
    if endpoint.kind == "rclone":
        pytest.skip("rclone knows neither versions nor storage classes")
    root = f"s3://{bucket}"
    judge.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = judge.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    new = judge.put_object(Bucket=bucket, Key="k", Body=b"newer")["VersionId"]
    gone = judge.put_object(Bucket=bucket, Key="gone", Body=b"x")["VersionId"]
    judge.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER")
    put_all(judge, bucket, {"t.csv": TABLE})
    judge.create_multipart_upload(Bucket=bucket, Key="half")
    script = tmp_path / "script"
    script.write_text(
        f"uploads --abort {root}\n"
        f"restore --days 2 {root}/cold\n"
        f"versions list {root}/t.csv\n"
        f"versions diff -- {root}/k {old} {new}\n"  # an id may begin with a dash
        f"versions rm {root}/gone --version-id {gone}\n"
        f"versions restore {root}/k --version-id {old}\n"
        f"versions status {root}\n"
        f"bucket-version {root}\n"
        f"select csv -e '{SQL}' {root}/t.csv\n"
    )
    result = orbit("run", "--json", script)
    said = [event for event in result.events if event["operation"] != "summary"]
    failures = result.failures
    if endpoint.kind == "moto":
        assert (result.code, failures) == (0, [])
        (records,) = [event for event in said if "records" in event]
        assert records["records"].split() == ["a,b", "1,2", "3,4"]
    else:
        assert (result.code, [(event["line"], event["code"]) for event in failures]) == (1, [(9, "NotImplemented")])
    one_each = {
        "aborted": lambda event: event.get("aborted") is True,
        "restore": lambda event: event.get("status") == "requested" and event["days"] == 2,
        "listed": lambda event: event.get("key") == f"{root}/t.csv",
        "diff": lambda event: event.get("size_diff") == 2,
        "rm": lambda event: event["operation"] == "rm",
        "restored": lambda event: event.get("destination") == f"{root}/k",
    }
    for name, is_it in one_each.items():
        assert len([event for event in said if is_it(event)]) == 1, name
    assert [event["versioning"] for event in said if "versioning" in event] == ["Enabled"] * 2
    assert judge.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    assert uploads_of(judge, bucket) == []
    script.write_text(f"bucket-version --set Suspended {root}\nselect csv --query '{SQL}' {root}/t.csv\n")
    text = orbit("run", script)
    assert f"versions suspend {root}" in text.lines
    assert endpoint.kind != "moto" or {"1,2", "3,4"} <= set(text.lines)
    assert judge.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
