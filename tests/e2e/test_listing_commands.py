"""``ls``, ``du``, ``rm``, ``mb`` and ``rb`` as a stranger runs them: text, events, exit status, what is gone."""

from __future__ import annotations

import json

import pytest

from tests.kit.buckets import keys_of
from tests.kit.buckets import put_all
from tests.kit.command import Orbit
from tests.kit.command import finish
from tests.kit.servers import RUNNERS

pytestmark = pytest.mark.slow

TREE = {"logs/1.gz": b"1", "logs/2.txt": b"22", "logs2/x": b"333", "top.txt": b"4444"}


@pytest.fixture(scope="module", params=list(RUNNERS))
def endpoint(request, tmp_path_factory):
    """Every server."""
    with RUNNERS[request.param](tmp_path_factory.mktemp(request.param)) as endpoint:
        yield endpoint


def test_from_mb_to_rb(endpoint):
    """Orbit mb; ls; ls -R; du; rm -R --dry-run; rm; rm -R; rb; rb --force."""
    orbit, judge = Orbit(endpoint.environment), endpoint.client()
    assert orbit("mb", "s3://life-of-a-bucket").expect(0).lines == ["mb s3://life-of-a-bucket"]
    assert orbit("ls", "s3://life-of-a-bucket").expect(0).out == b""
    put_all(judge, "life-of-a-bucket", TREE)
    assert orbit("ls").expect(0).lines[0].endswith("  s3://life-of-a-bucket")

    shown = orbit("ls", "s3://life-of-a-bucket").expect(0).lines
    assert [line[20:].split() for line in shown] == [["DIR", "logs/"], ["DIR", "logs2/"], ["4", "top.txt"]]
    found = orbit("ls", "--json", "-R", "s3://life-of-a-bucket/logs").expect(0)
    assert [(one["key"], one["size"]) for one in found.done] == [
        ("s3://life-of-a-bucket/logs/1.gz", 1),
        ("s3://life-of-a-bucket/logs/2.txt", 2),
    ]
    (sums,) = orbit("du", "--json", "s3://life-of-a-bucket/*t").expect(0).done
    assert (sums["count"], sums["size"]) == (2, 6)

    said = orbit("rm", "-R", "--dry-run", "s3://life-of-a-bucket/logs").expect(0).lines
    assert said == [f"(dry run) rm s3://life-of-a-bucket/logs/{name}" for name in ("1.gz", "2.txt")]
    assert keys_of(judge, "life-of-a-bucket") == sorted(TREE)
    went = orbit("rm", "--json", "s3://life-of-a-bucket/*.gz", "s3://life-of-a-bucket/top.txt").expect(0)
    assert sorted(one["source"][22:] for one in went.done) == ["logs/1.gz", "top.txt"]
    assert went.summary["files_deleted"] == 2
    assert keys_of(judge, "life-of-a-bucket") == ["logs/2.txt", "logs2/x"]
    none = orbit("rm", "-R", "s3://life-of-a-bucket/log")
    assert (none.code, none.out) == (2, b"")
    [said] = none.errors
    assert said.startswith('ERROR "rm s3://life-of-a-bucket/log": E_NO_SOURCE: nothing matches s3://life-of-a-bucket/l')
    assert said.endswith(" (orbit ls s3://life-of-a-bucket/ says what is there)")

    left = orbit("rb", "--json", "s3://life-of-a-bucket")
    assert left.code == 2
    assert left.failures[0]["code"] == "BucketNotEmpty"
    assert "--force" in left.failures[0]["error"]
    gone = orbit("rb", "--force", "--json", "s3://life-of-a-bucket").expect(0)
    assert gone.done[-1]["source"] == "s3://life-of-a-bucket"
    assert gone.summary["files_deleted"] == 2
    assert judge.list_buckets()["Buckets"] == []
    lost = orbit("ls", "s3://life-of-a-bucket")
    assert (lost.code, lost.out) == (2, b"")
    assert lost.errors[0].startswith('ERROR "ls s3://life-of-a-bucket/": NoSuchBucket: ')


def test_versions(endpoint):
    """Orbit ls --all-versions; rm; rm --version-id; rm --all-versions; rb --force."""
    if endpoint.kind == "rclone":
        pytest.skip("rclone knows no versions")
    orbit, judge = Orbit(endpoint.environment), endpoint.client()
    judge.create_bucket(Bucket="versions")
    judge.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    first, second = (judge.put_object(Bucket="versions", Key="k", Body=body)["VersionId"] for body in (b"1", b"22"))
    judge.put_object(Bucket="versions", Key="k2", Body=b"")
    orbit("rm", "s3://versions/k").expect(0)
    assert orbit("ls", "s3://versions/k").expect(0).lines[0].split()[-1] == "k2"
    shown = orbit("ls", "--json", "--all-versions", "s3://versions/k").expect(0).done
    assert [(one["type"], one["key"][-2:]) for one in shown] == [
        ("delete-marker", "/k"),
        ("file", "/k"),
        ("file", "/k"),
        ("file", "k2"),
    ]
    assert [one["version_id"] for one in shown[1:3]] == [second, first]
    (sums,) = orbit("du", "--json", "--all-versions", "s3://versions/k").expect(0).done
    assert (sums["count"], sums["size"], sums["delete_markers"]) == (2, 3, 1)
    orbit("rm", "--version-id", first, "s3://versions/k").expect(0)
    went = orbit("rm", "--json", "--all-versions", "s3://versions/k").expect(0).done
    assert {one["version_id"] for one in went} == {second, shown[0]["version_id"]}
    assert [one["Key"] for one in judge.list_object_versions(Bucket="versions")["Versions"]] == ["k2"]
    orbit("rb", "--force", "s3://versions").expect(0)
    assert "versions" not in [one["Name"] for one in judge.list_buckets()["Buckets"]]


def test_a_reader_that_goes_away(server, orbit):
    """Orbit ls -R | head -1: ends quietly, 141."""
    for number in range(20_000):
        server.store.put("bkt", f"{number:05d}", b"")
    with orbit.start("ls", "-R", "s3://bkt") as process:
        assert process.stdout.readline().endswith(b"  00000\n")
        process.stdout.close()
        process.stdout = None
        result = finish(process)
    assert (result.code, result.err) == (141, b"")


def test_progress_of_rm(server, orbit, gate):
    """Orbit rm -R --json --progress --quiet: what has been deleted is told while the rest is not."""
    for number in range(3000):
        server.store.put("bkt", f"{number:05d}", b"")
    hold = gate.hold("DeleteObjects", after=2)
    with orbit.start("rm", "-R", "--json", "--progress", "--quiet", "s3://bkt") as process:
        done = 0
        while done < 2000:
            event = json.loads(process.stdout.readline())
            assert event["operation"] == "progress"
            done = event["files_done"]
        assert done == 2000
        hold.release()
        result = finish(process)
    assert result.code == 0
    assert json.loads(result.out.splitlines()[-1])["files_deleted"] == 3000


def test_statistics_and_mistakes(server, orbit):
    """Orbit ls --stat; rm without -R; ls of two; an unknown option; events of a usage error."""
    server.store.put("bkt", "one", b"")
    server.store.put("bkt", "two/x", b"")
    shown = orbit("ls", "--stat", "s3://bkt").expect(0).lines
    assert "  - Operation: List" in shown
    assert "  - Total files: 2" in shown
    removed = orbit("rm", "--stat", "s3://bkt/one").expect(0).lines
    assert removed[0] == "rm s3://bkt/one"
    assert "  - Succeeded: 1" in removed
    whole = orbit("rm", "--json", "s3://bkt")
    assert whole.code == 2
    assert whole.failures[0]["code"] == "E_USAGE"
    assert orbit("ls", "s3://bkt", "s3://b").code == 2
    assert b"did you mean --all-versions" in orbit("ls", "--all-version", "s3://bkt").err
    assert server.store.keys("bkt") == ["two/x"]


def test_refusals(server, orbit, gate):
    """Orbit rm of what may not be deleted, one key and many: 2; a missing one among others: 1."""
    server.store.put("bkt", "k/1", b"")
    missing = orbit("rm", "s3://bkt/none*", "s3://bkt/k/2", "--json")
    assert missing.code == 1
    assert missing.failures[0]["source"] == "s3://bkt/none*"
    gate.refuse("DeleteObjects", "AccessDenied")
    for arguments in (["s3://bkt/k/1"], ["-R", "s3://bkt/k"]):
        denied = orbit("rm", *arguments)
        assert (denied.code, denied.out) == (2, b"")
        assert denied.errors[0].startswith(f'ERROR "rm {arguments[-1]}": AccessDenied: ')
    gate.refuse("ListObjectsV2", "AccessDenied")
    listed = orbit("ls", "s3://bkt/k/", "--json")
    assert listed.code == 2
    assert [one["code"] for one in listed.failures] == ["AccessDenied"]
