"""The suite as it is run against somebody's service: the environment names it, and nothing is left there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orbit_fast.testing import S3Server
from tests.kit.real_endpoint import NEEDED
from tests.kit.real_endpoint import why_not

HERE = Path(__file__).parent
ACCESS_KEY, SECRET_KEY, BUCKET = "AKIDREAL000000000000", "a-secret-of-a-real-endpoint", "somebodys-bucket"


def run_suite(**variables):
    """Run the tests of the endpoint that `variables` name, and no others; its output."""
    ours = {"S3_TESTS_ENABLED", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", *NEEDED}
    environment = {name: value for name, value in os.environ.items() if name not in ours and "PYTEST" not in name}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "pytest_timeout",
        "-k",
        "real",
        str(HERE / "test_round_trip.py"),
    ]
    result = subprocess.run(
        command,
        cwd=HERE.parents[1],
        env={**environment, **variables, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.slow
def test_any_endpoint_passes_and_is_left_as_it_was(tmp_path):
    """All tests run, the bucket is used below prefixes only, and afterwards it holds what it held before."""
    with S3Server(access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=tmp_path) as server:
        server.store.create_bucket(BUCKET)
        server.store.put(BUCKET, "theirs", b"theirs")
        code, said = run_suite(
            S3_TESTS_ENABLED="1",
            S3_TEST_BUCKET=BUCKET,
            S3_TEST_ENDPOINT=server.url,
            AWS_ACCESS_KEY_ID=ACCESS_KEY,
            AWS_SECRET_ACCESS_KEY=SECRET_KEY,
        )
        assert code == 0, said
        assert re.search(r"\b4 passed\b", said), said
        assert "skipped" not in said, said
        assert server.store.counts["UploadPart"] > 0
        assert server.store.counts["CreateBucket"] == 0
        assert (server.store.keys(BUCKET), server.store.unfinished_uploads()) == (["theirs"], [])


def test_without_being_told_no_endpoint_is_touched():
    """Not enabled, or enabled without a bucket, endpoint or key: skipped, saying why."""
    assert "S3_TESTS_ENABLED" in why_not({})
    assert "S3_TESTS_ENABLED" in why_not(dict.fromkeys(NEEDED, "x"))
    for name in NEEDED:
        named = {"S3_TESTS_ENABLED": "1", **dict.fromkeys(set(NEEDED) - {name}, "x")}
        assert why_not(named) == f"not set: {name}"
    assert why_not({"S3_TESTS_ENABLED": "1", **dict.fromkeys(NEEDED, "x")}) == ""
