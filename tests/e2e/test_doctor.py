"""``orbit doctor``: where everything is well, and in the ways in which it is not."""

from __future__ import annotations

import socket

import pytest

pytestmark = pytest.mark.slow


def checks(result):
    """Checks by name, the last of each."""
    return {event["check"]: event for event in result.events if event["operation"] == "doctor"}


def test_all_is_well(orbit, server, tmp_path):
    """Who is asked and who asks, each setting with its origin, nothing secret, and nothing left behind."""
    (tmp_path / "orbit.toml").write_text("part_size = 64\n")
    orbit = orbit.with_environment(ORBIT_WORKERS="99", ORBIT_CONFIG=str(tmp_path / "orbit.toml"))
    result = orbit("doctor", "--json", "--write", "s3://bkt/p").expect(0)
    found = checks(result)
    assert {"versions", "open-files", "memory", "credentials", "endpoint", "region", "dns", "tcp", "clock"} <= set(
        found
    )
    assert {found[name]["status"] for name in ("bucket", "list", "uploads", "write", "checksums")} == {"ok"}
    assert found["credentials"]["facts"]["provider"] == "env"
    assert found["endpoint"]["message"] == f"{server.url} (from AWS_ENDPOINT_URL_S3)"
    settings = [event["message"] for event in result.events if event.get("check") == "setting"]
    assert "workers = 99 (from ORBIT_WORKERS)" in settings
    assert any(line.startswith("part-size = 64 (from ") and "orbit.toml" in line for line in settings)
    assert orbit.environment["AWS_SECRET_ACCESS_KEY"].encode() not in result.out
    assert (server.store.keys("bkt"), result.summary["command"]) == ([], "doctor")
    text = orbit("doctor").expect(0).lines
    assert text[-1].endswith(" ok, 0 to look at, 0 broken")
    assert any(line.startswith("ok    list-buckets") for line in text)


def closed_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "variables", "broken"),
    [
        (("s3://nowhere",), {}, "bucket"),
        (("s3://bkt",), {"AWS_SECRET_ACCESS_KEY": "wrong"}, "list"),
        (("--profile", "nope"), {}, "credentials"),
        (("--endpoint-url", f"http://127.0.0.1:{closed_port()}"), {}, "tcp"),
        ((), {"ORBIT_PART_SIZE": "1"}, "setting"),
    ],
    ids=["bucket", "secret", "profile", "port", "setting"],
)
def test_what_is_broken(arguments, variables, broken, orbit):
    """Exit code 2, the check that fails says what to do next, and the others are told too."""
    result = orbit.with_environment(**variables)("doctor", "--json", *arguments)
    assert (result.code, result.err, result.summary["success"]) == (2, b"", False)
    found = checks(result)
    assert found[broken]["status"] == "fail"
    assert found[broken]["advice"]
    assert found["versions"]["status"] == "ok"


def test_certificates(tls):
    """One that nobody knows is broken; with its authority all is well; unverified it is something to look at."""
    result = tls.orbit("doctor", "--json", "s3://bkt")
    assert (result.code, checks(result)["tls"]["status"]) == (2, "fail")
    assert "--ca-bundle" in checks(result)["tls"]["advice"]
    assert (
        checks(tls.orbit("doctor", "--json", "--ca-bundle", tls.ca_file, "s3://bkt").expect(0))["tls"]["status"] == "ok"
    )
    result = tls.orbit("doctor", "-q", "--no-verify-ssl", "s3://bkt")
    assert (result.code, b"warn  tls" in result.out) == (0, True)


def test_usage(orbit):
    """What makes no sense."""
    for arguments in (("s3://a", "s3://b"), ("a",), ("--write",)):
        result = orbit("doctor", *arguments)
        assert (result.code, result.err.count(b"\n")) == (2, 1)
