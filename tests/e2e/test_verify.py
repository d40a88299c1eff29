"""``orbit verify`` as a stranger runs it: text, events, exit codes, other people's servers, a line of a script."""

from __future__ import annotations

import pytest

from tests.kit.command import Orbit
from tests.kit.servers import run_moto
from tests.kit.servers import run_rclone
from tests.kit.trees import PART
from tests.kit.trees import content
from tests.kit.trees import make_tree

pytestmark = pytest.mark.slow


def test_text_events_and_exit_codes(orbit, tmp_path, server):
    """0 where all is the same, 3 where something is not, 2 where a side cannot be seen; the sides may be apart."""
    tree = make_tree(tmp_path / "tree", {"a": b"1", "sub/b": b"22"})
    events = orbit("cp", "-R", "--json", tree, "s3://bkt/p").expect(0)
    (tmp_path / "copied").write_bytes(events.out)
    assert orbit("verify", tree, "s3://bkt/p").expect(0).lines == [
        "2 match, 0 unproven (size only), 0 differ, 0 missing, 0 extra"
    ]
    assert orbit("verify", "-q", f"@{tmp_path}/copied", "s3://bkt/p").expect(0).out == b""
    server.store.put("bkt", "p/a", b"2")
    result = orbit("verify", "--json", tree, "s3://bkt/p").expect(3)
    differing = [event for event in result.events if event.get("result") == "differs"]
    assert [event["destination"] for event in differing] == ["s3://bkt/p/a"]
    assert (result.summary["files_failed"], result.summary["command"]) == (1, "verify")
    nowhere = orbit("verify", tree, "s3://nowhere/p")
    assert (nowhere.code, nowhere.err.count(b"\n")) == (2, 1)
    assert b"NoSuchBucket" in nowhere.err
    apart = orbit.with_environment(AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    apart("verify", tree, "s3://bkt/p", "--dest-endpoint-url", server.url, "--exclude", "a", "-q").expect(0)
    (tmp_path / "script").write_text(f"verify {tree} s3://bkt/p\nverify -q --exclude a s3://bkt/p {tree}\n")
    script = orbit("run", tmp_path / "script")
    assert (script.code, script.out.count(b"differs ")) == (3, 1)


@pytest.mark.parametrize("run_server", [run_moto, run_rclone], ids=["moto", "rclone"])
def test_other_servers(run_server, tmp_path):
    """What cp brought there is the same, in parts or not; a changed file is found."""
    tree = make_tree(tmp_path / "tree", {"small": b"1", "empty": b"", "large": content(1, PART + 999)})
    (tmp_path / "root").mkdir()
    with run_server(tmp_path / "root") as endpoint:
        client = endpoint.client()
        client.create_bucket(Bucket="bkt")
        client.close()
        orbit = Orbit(endpoint.environment)
        orbit("cp", "-q", "-R", "--part-size", "5", tree, "s3://bkt/p/").expect(0)
        result = orbit("verify", "--json", tree, "s3://bkt/p/").expect(0)
        proofs = {event["source"].rpartition("/")[2]: event["verified"] for event in result.events if "result" in event}
        assert set(proofs) == {"small", "empty", "large"}
        assert proofs["small"] in {"checksum", "etag"}
        with open(tree / "large", "r+b") as file:
            file.seek(PART + 5)
            file.write(b"!!")
        read = orbit("verify", "--read", tree, "s3://bkt/p")
        assert (read.code, read.out.count(b"differs ")) == (3, 1)
