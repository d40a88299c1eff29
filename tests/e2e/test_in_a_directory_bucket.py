"""A directory bucket as a stranger uses one: moved to and from, synced without a wrong delete, within sessions."""

from __future__ import annotations

import os

import pytest

from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit.command import Orbit
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint

pytestmark = pytest.mark.slow

BUCKET = "base--use1-az4--x-s3"
NAMES = ["a", "a.b", "a/b", "a/c/d", "a0", "é", "logs/1", "logs/2", "z"]


@pytest.fixture
def server(gate, tmp_path_factory):
    """A server that lists three names at a time."""
    root = tmp_path_factory.mktemp("bodies")
    settings = ServerSettings(max_page_keys=3)
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=root, settings=settings, intercept=gate) as server:
        server.store.create_bucket(BUCKET)
        server.store.create_bucket("plain")
        yield server
        assert server.store.unfinished_uploads() == []


@pytest.fixture
def orbit(server, tmp_path):
    """The command, with one worker process, in a directory of its own."""
    environment = {**Endpoint(kind="embedded", url=server.url).environment, "ORBIT_PROCESSES": "1"}
    return Orbit(environment).with_directory(tmp_path)


def _tree(root, names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def _files(root):
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def _lines(result):
    return sorted(result.expect(0).lines)


def test_up_down_and_in_sync(server, orbit, tmp_path):
    """Orbit cp -R; sync; sync --delete, both ways; ls; du; cp -R to another bucket and back; rm -R."""
    url, files = f"s3://{BUCKET}/t", [name for name in NAMES if name != "a"]
    _tree(tmp_path / "src", files)
    (tmp_path / "src" / "big").write_bytes(os.urandom(9 << 20))
    for name in ("other", "t2/x"):
        server.store.put(BUCKET, name, b"not below")
    orbit("cp", "-R", "--part-size", "5MiB", "src/", f"{url}/").expect(0)
    assert (server.store.counts["UploadPart"], server.store.counts["CreateSession"]) == (2, 1)
    assert server.store.keys(BUCKET) == sorted(["other", "t2/x", "t/big", *(f"t/{name}" for name in files)])

    assert _lines(orbit("sync", "--delete", "src/", f"{url}/")) == []
    server.store.buckets[BUCKET].current("t/big").checksum = None  # only an ETag is left, which is no MD5
    orbit("cp", "-R", f"{url}/", "dst/").expect(0)
    (tmp_path / "dst" / "big").rename(tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == (tmp_path / "src" / "big").read_bytes()
    (tmp_path / "src" / "big").unlink()
    assert _lines(orbit("sync", "--delete", "src/", f"{url}/")) == [f"rm {url}/big"]
    assert _lines(orbit("sync", "--delete", "--checksum", f"{url}/", "dst/")) == []

    _tree(tmp_path / "dst", ["extra", "a/extra"])
    (tmp_path / "dst" / "logs" / "2").unlink()
    said = _lines(orbit("sync", "--delete", f"{url}/", "dst/"))
    assert said == [f"cp {url}/logs/2 dst/logs/2", "rm dst/a/extra", "rm dst/extra"]
    assert _files(tmp_path / "dst") == {name: name for name in files}
    orbit("verify", "dst/", f"{url}/").expect(0)

    shown = [line.rsplit(maxsplit=1)[1] for line in orbit("ls", "-R", url).expect(0).lines]
    assert shown == sorted(files)
    sizes = sum(len(name.encode()) for name in files)
    assert _lines(orbit("du", f"{url}/")) == [f"{sizes} bytes in {len(files)} objects: {url}/"]
    orbit("cp", "-R", f"{url}/", "s3://plain/u/").expect(0)
    orbit("mv", "-R", "s3://plain/u/", f"s3://{BUCKET}/v/").expect(0)
    assert server.store.keys("plain") == []
    orbit("rm", "-R", f"{url}/", f"s3://{BUCKET}/v/").expect(0)
    assert server.store.keys(BUCKET) == ["other", "t2/x"]
    asked = [one.query for one in server.store.log if (one.operation, one.bucket) == ("ListObjectsV2", BUCKET)]
    assert not any("start-after" in query for query in asked)


@pytest.mark.parametrize("is_up", [True, False])
def test_a_listing_that_breaks_off_deletes_nothing(server, orbit, gate, tmp_path, is_up):
    """Orbit sync --delete; on either side: exit 2, and everything is where it was."""
    _tree(tmp_path / "dir", ["a0", "extra"])
    for name in NAMES:
        server.store.put(BUCKET, f"t/{name}", b"as it was")
    gate.refuse("ListObjectsV2", "AccessDenied", after=1)
    ends = ("dir/", f"s3://{BUCKET}/t/")
    result = orbit("sync", "--delete", *(ends if is_up else ends[::-1]))
    assert result.code == 2
    assert "could not be listed whole" in result.errors[0]
    assert server.store.counts["DeleteObjects"] == server.store.counts["DeleteObject"] == 0
    assert set(_files(tmp_path / "dir")) == {"a0", "extra"}


def test_sessions_that_end_in_mid_job_are_replaced(server, orbit, gate, tmp_path):
    """Orbit cp -R; the service takes the first session no more after three objects: nothing fails."""
    names = [f"n{number}" for number in range(20)]
    _tree(tmp_path / "src", names)
    hold = gate.hold("PutObject", after=3)
    with orbit.start("cp", "-R", "--workers", "2", "src/", f"s3://{BUCKET}/") as process:
        hold.wait_for(2)
        server.store.sessions.end()
        hold.release()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert len(out.splitlines()) == 20
    assert server.store.keys(BUCKET) == sorted(names)
    assert server.store.counts["CreateSession"] == 2
    assert any(one.code == "ExpiredToken" for one in server.store.log)


def test_who_may_begin_no_session_is_told_which_permission_is_missing(server, orbit, tmp_path):
    """Orbit ls; cp -R: one clear line, exit 2, and nothing but the question was asked."""
    server.store.buckets[BUCKET].denied.add("CreateSession")
    _tree(tmp_path / "src", [f"n{number}" for number in range(20)])
    for arguments in (("ls", f"s3://{BUCKET}/"), ("cp", "-R", "src/", f"s3://{BUCKET}/")):
        result = orbit(*arguments)
        assert result.code == 2
        (line,) = result.errors
        assert "AccessDenied" in line
        assert "it needs s3express:CreateSession" in line
    assert set(server.store.counts) == {"CreateSession"}


def test_the_doctor_finds_nothing_wrong_with_it(orbit):
    """Orbit doctor --write: a prefix that is no directory, and a proof that is no MD5."""
    found = orbit("doctor", "--write", "--json", f"s3://{BUCKET}/lo/x").expect(0)
    assert {
        one["check"]: one["status"] for one in found.events if one.get("check") in {"list", "uploads", "write"}
    } == {
        "list": "ok",
        "uploads": "ok",
        "write": "ok",
    }


def test_without_sessions_the_callers_own_keys_sign(server, orbit):
    """AWS_S3_DISABLE_EXPRESS_SESSION_AUTH=true orbit ls: as botocore does it."""
    server.store.put(BUCKET, "x", b"x")
    quiet = orbit.with_environment(AWS_S3_DISABLE_EXPRESS_SESSION_AUTH="true")
    assert [line.rsplit(maxsplit=1)[1] for line in quiet("ls", f"s3://{BUCKET}/").expect(0).lines] == ["x"]
    assert server.store.counts["CreateSession"] == 0
