"""Completion in real shells, on a terminal, and the hidden question behind it."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from tests.kit.command import Orbit
from tests.kit.event_schema import validated
from tests.kit.shells import is_installed
from tests.kit.shells import running

pytestmark = pytest.mark.slow

SHELLS = [
    pytest.param(
        shell,
        marks=pytest.mark.skipif(
            shell != "bash" and not is_installed(shell), reason=f"{shell} is not installed; nothing in PyPI brings it"
        ),
    )
    for shell in ("bash", "zsh", "fish")
]

KEYS = ("docs/a.txt", "docs/b.txt", "my dir/x y.txt", "user@home=1", "it's $5", "pipe|;&*?[x]!#~")

LINES = [
    ("orbit versio", "", ["orbit", "version"]),
    ("orbit --checksum-al", "", ["orbit", "--checksum-algorithm"]),
    ("orbit cp --acl=public-read-", "", ["orbit", "cp", "--acl=public-read-write"]),
    ("orbit cp --symlink f", "", ["orbit", "cp", "--symlink", "follow"]),
    ("orbit completions z", "", ["orbit", "completions", "zsh"]),
    ("orbit cp loc", "", ["orbit", "cp", "local dir"]),
    ("orbit cp --config=loc", "", ["orbit", "cp", "--config=local dir"]),
    ("orbit cp s3", "", ["orbit", "cp", "s3:/"]),
    ("orbit cp s3://bk", "", ["orbit", "cp", "s3://bkt"]),
    ("orbit cp s3://bk", "do\t", ["orbit", "cp", "s3://bkt/docs"]),
    ("orbit cp s3://bkt/do", "a\t", ["orbit", "cp", "s3://bkt/docs/a.txt"]),
    ("orbit cp s3://bkt/my", "x\t", ["orbit", "cp", "s3://bkt/my dir/x y.txt"]),
    ("orbit cp 's3://bkt/my dir/", "", ["orbit", "cp", "s3://bkt/my dir/x y.txt"]),
    ("orbit cp s3://bkt/us", "", ["orbit", "cp", "s3://bkt/user@home=1"]),
    ("orbit cp s3://bkt/user@h", "", ["orbit", "cp", "s3://bkt/user@home=1"]),
    ("orbit cp s3://bkt/it", "", ["orbit", "cp", "s3://bkt/it's $5"]),
    ('orbit cp "s3://bkt/it', "", ["orbit", "cp", "s3://bkt/it's $5"]),
    ("orbit cp s3://bkt/pi", "", ["orbit", "cp", "s3://bkt/pipe|;&*?[x]!#~"]),
    ("orbit --dest=s3://bkt/do", "", ["orbit", "--dest=s3://bkt/docs"]),
    ("orbit cp s3://bkt/nothing", "", ["orbit", "cp", "s3://bkt/nothing"]),
]
"""What is typed before tab, what after it, and the words that the shell then has (less a slash at their end)."""


PATIENT = """\
#!{python}
from orbit_fast.cli import completing
from orbit_fast.cli.main import main
completing.LIMIT_S = 60.0
main()
"""


@pytest.fixture
def patient(monkeypatch, tmp_path_factory):
    """The command takes its time: a second is enough for who types, not for a machine that runs other tests besides."""
    script = tmp_path_factory.mktemp("patient") / "orbit"
    script.write_text(PATIENT.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setenv("COMMAND_UNDER_TEST", str(script))


@pytest.mark.parametrize("shell", SHELLS)
def test_shell(shell, server, orbit, patient, tmp_path):
    """`eval "$(orbit completions SHELL)"`: commands, options, values, files, buckets and keys, however spelt."""
    for key in KEYS:
        server.store.put("bkt", key, b"")
    (tmp_path / "local dir").mkdir()
    with running(shell, tmp_path, orbit.environment) as terminal:
        found = [terminal.complete(line, then=then) for line, then, _ in LINES]
    assert [[word.rstrip("/") or word for word in words] for words in found] == [
        [word.rstrip("/") for word in words] for _, _, words in LINES
    ]


def test_script_is_data(orbit, tmp_path):
    """`orbit completions SHELL` prints the script; under --json events go to stderr; another shell is exit 2."""
    plain = orbit("completions", "fish").expect(0)
    assert plain.out.startswith(b"# fish completion for orbit")
    as_json = orbit("completions", "fish", "--json")
    (summary,) = validated(as_json.err)
    assert (as_json.code, as_json.out, summary["command"], summary["exit_code"]) == (0, plain.out, "completions", 0)
    wrong = b'ERROR "completions": E_USAGE: completions takes one shell: bash, zsh, fish\n'
    orbit("completions", "ksh").expect(2, err=wrong)
    orbit("completions").expect(2, err=wrong)


def test_question(orbit, server, patient, tmp_path):
    """`orbit __complete`: buckets and keys, one level, one request each; the second time from the cache."""
    for key in KEYS:
        server.store.put("bkt", key, b"")
    asking = orbit.with_environment(HOME=str(tmp_path))
    for _ in range(2):
        assert asking("__complete", "zsh", "cp", "s3://").expect(0).lines == ["words", "s3://bkt/"]
        assert asking("__complete", "zsh", "cp", "s3://bkt/d").expect(0).lines == ["words", "s3://bkt/docs/"]
    assert dict(server.store.counts) == {"ListBuckets": 1, "ListObjectsV2": 1}


def test_question_of_a_secret_is_silent(orbit, server, tmp_path):
    """A refusal, a missing bucket, a bad configuration file, nonsense: nothing on either stream, and exit 0."""
    (tmp_path / "bad.toml").write_text("[")
    wrong_key = orbit.with_environment(AWS_SECRET_ACCESS_KEY="wrong")
    for result in (
        wrong_key("__complete", "zsh", "cp", "s3://bkt/"),
        orbit("__complete", "zsh", "cp", "s3://missing/"),
        orbit("__complete", "zsh", "cp", "--config", tmp_path / "bad.toml", "s3://"),
        orbit("__complete"),
        orbit("__complete", "bash"),
        orbit("__complete", "zsh"),
    ):
        assert (result.code, result.out, result.err) == (0, b"", b"")


def test_nothing_is_asked_without_credentials(tmp_path):
    """Without credentials no connection is opened, not even to the machine's metadata service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        orbit = Orbit({"AWS_ENDPOINT_URL_S3": url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_REGION": "us-east-1"})
        result = orbit("__complete", "zsh", "cp", "s3://bkt/")
        assert (result.code, result.out, result.err) == (0, b"", b"")
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_service_that_does_not_answer(orbit):
    """A service that says nothing is waited for a second, and no longer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = orbit.with_environment(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{listener.getsockname()[1]}")
        started_s = time.monotonic()
        result = deaf("__complete", "zsh", "cp", "s3://bkt/")
        assert (result.code, result.out, result.err) == (0, b"", b"")
        assert time.monotonic() - started_s < 30


def test_credentials_that_take_too_long(orbit, tmp_path):
    """Who gives the credentials is not waited for either: the whole answer has its limit."""
    (tmp_path / "config").write_text("[default]\ncredential_process = sleep 40\n")
    slow = orbit.with_environment(
        AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_CONFIG_FILE=str(tmp_path / "config")
    )
    started_s = time.monotonic()
    result = slow("__complete", "zsh", "cp", "s3://bkt/")
    assert (result.code, result.out, result.err) == (0, b"", b"")
    assert time.monotonic() - started_s < 30
