"""Two syncs of one destination: the second one ends, or waits."""

from __future__ import annotations

from tests.kit.command import finish
from tests.kit.trees import make_tree


def test_syncs_exclude_each_other(orbit, gate, tmp_path):
    """While the first is held at its upload: same destination refused, another one and a dry run not; --wait waits."""
    orbit = orbit.with_environment(XDG_STATE_HOME=str(tmp_path / "state"))
    tree = make_tree(tmp_path / "tree", {"a": b"alpha"})
    held = gate.hold("PutObject", key="p/a")
    with orbit.start("sync", tree, "s3://bkt/p") as first:
        held.wait_for(1)
        refused = orbit("sync", "--json", "--delete", tree, "s3://bkt/p/")
        assert refused.code == 2
        [failure] = refused.failures
        assert (failure["code"], failure["operation"]) == ("E_LOCKED", "sync")
        assert f"process {first.pid} " in failure["error"]
        orbit("sync", "-q", tree, "s3://bkt/q").expect(0)
        orbit("sync", "-q", "--dry-run", tree, "s3://bkt/p").expect(0)
        lines = (
            f"sync {tree} s3://bkt/p\nsync {tree} s3://bkt/r\nsync --wait {tree} s3://bkt/s\nsync {tree} s3://bkt/p/x/y\n"
            f"sync {tree} s3://bkt\nsync {tree} s3://bkt/p2\n"
        )
        script = orbit("run", "--json", fed=lines.encode()).expect(1)
        assert {event["line"]: event["code"] for event in script.failures} == {
            1: "E_LOCKED",
            3: "E_USAGE",
            4: "E_LOCKED",
            5: "E_LOCKED",
        }
        with orbit.start("sync", "--wait", "--json", tree, "s3://bkt/p") as second:
            line = second.stderr.readline().decode()
            who = f"another sync is writing to s3://bkt/p/: process {first.pid}"
            assert line == f"orbit: {who}: waiting for its end\n"
            held.release()
            assert finish(first).code == 0
            waited = finish(second).expect(0)
    assert waited.counts == (0, 1, 0)
    assert list((tmp_path / "state" / "orbit" / "locks").iterdir()) == []
