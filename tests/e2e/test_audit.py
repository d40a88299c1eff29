"""``--audit``: what the service acknowledged and then lost is found by one listing after the job."""

from __future__ import annotations

import pytest

from orbit_fast.testing import S3Server
from tests.kit.command import Orbit

# orbit cp -R --audit --json tree s3://b/p


@pytest.fixture
def server():
    """An embedded server with a bucket."""
    with S3Server(access_key="test", secret_key="testtest") as server:
        server.store.create_bucket("b")
        yield server


@pytest.fixture
def orbit(server, tmp_path):
    """The command, for that server."""
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "testtest",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": "us-east-1",
    }
    return Orbit(variables, tmp_path)


def tree(root, count):
    """So many files of ten bytes."""
    (root / "tree").mkdir()
    for number in range(count):
        (root / "tree" / f"f{number:04}").write_bytes(b"x" * 10)


def test_an_audit_that_finds_everything_says_nothing(orbit, server, tmp_path):
    """2,100 objects, three pages of the listing; other keys there do not matter."""
    tree(tmp_path, 2100)
    server.store.put("b", "p/f0000.other", b"not ours")
    result = orbit("cp", "-R", "--audit", "--json", "tree", "s3://b/p")
    result.expect(0)
    assert result.summary["files_copied"] == 2100
    asked = {str(entry.query) for entry in server.store.log if entry.operation == "ListObjectsV2"}
    assert len(asked) == 1 + 3  # the look at the start, and the audit; a page that comes late may be asked for twice


def test_without_audit_nothing_is_listed_afterwards(orbit, server, tmp_path):
    """One look at the start, and no more."""
    tree(tmp_path, 3)
    orbit("cp", "-R", "--json", "tree", "s3://b/p").expect(0)
    assert server.store.counts["ListObjectsV2"] == 1


@pytest.mark.parametrize(
    ("harm", "said"),
    [("lost", "is not in the listing"), ("cut", "has 4 bytes there instead of 10")],
)
def test_what_was_acknowledged_and_lost_is_an_integrity_failure(tmp_path, harm, said):
    """The upload was answered well, then the service lost or cut the object: exit 3, and the object is named."""

    async def lose(request):
        if request.query.get("list-type") == "2" and request.query.get("max-keys") != "1":
            if harm == "lost":
                del server.store.bucket("b").versions["p/f0001"]
            else:
                server.store.put("b", "p/f0001", b"xxxx")

    with S3Server(access_key="test", secret_key="testtest", intercept=lose) as server:
        server.store.create_bucket("b")
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "testtest",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "us-east-1",
        }
        tree(tmp_path, 3)
        result = Orbit(variables, tmp_path)("cp", "-R", "--audit", "--json", "tree", "s3://b/p")
    result.expect(3)
    [failure] = result.failures
    assert (failure["destination"], failure["code"]) == ("s3://b/p/f0001", "E_REMOTE_MISMATCH")
    assert failure["source"].endswith("tree/f0001")
    assert said in failure["error"]
    assert (result.summary["files_copied"], result.summary["files_failed"]) == (2, 1)


def test_a_single_object_is_audited_too(orbit, server, tmp_path):
    """The listing's prefix is the key itself."""
    (tmp_path / "f").write_bytes(b"x")
    orbit("cp", "--audit", "--json", "f", "s3://b/one").expect(0)
    assert server.store.counts["ListObjectsV2"] == 1
