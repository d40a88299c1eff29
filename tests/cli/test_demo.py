"""The demo: its tree, its comparison, its verdict, and the whole of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest

from orbit_fast.cli.environment import Environment
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verbs import demo
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import OutputSettings
from tests.kit.command import is_alive
from tests.kit.event_schema import validated


@pytest.fixture
def trees(tmp_path, monkeypatch):
    """Two equal trees of three files."""
    sizes = {"empty": 0, "a/b": 3, "large": demo._STEP + 1}
    monkeypatch.setattr(demo, "_SIZES", sizes)
    for name in ("sent", "back"):
        demo.make_tree(tmp_path / name)
    return tmp_path / "sent", tmp_path / "back"


def test_tree_has_what_is_hard():
    """The demo's tree has an empty file, one larger than a part, and odd names."""
    assert 0 in demo._SIZES.values()
    assert max(demo._SIZES.values()) > 2 * demo._PART_SIZE > 10 * MIB - 1
    assert any("\n" in name for name in demo._SIZES)
    assert any(not name.isascii() for name in demo._SIZES)


def test_equal_trees(trees):
    """Two trees of the same bytes are equal, every file counted."""
    assert demo.compare(*trees) == demo.Comparison(files=3, size=demo._STEP + 4, different=())


@pytest.mark.parametrize(
    ("damage", "different"),
    [
        (lambda back: (back / "a/b").unlink(), ("a/b",)),
        (lambda back: (back / "extra").write_bytes(b""), ("extra",)),
        (lambda back: (back / "empty").write_bytes(b"x"), ("empty",)),
        (lambda back: (back / "large").write_bytes((back / "large").read_bytes()[:-1] + b"?"), ("large",)),
        (lambda back: (back / "large").write_bytes((back / "large").read_bytes()[:-1]), ("large",)),
    ],
)
def test_differences_are_found(trees, damage, different):
    """A missing, an unwanted, a changed and a cut file are each named."""
    damage(trees[1])
    comparison = demo.compare(*trees)
    assert comparison.different == different
    assert comparison.files == 3 - sum(name != "extra" for name in different)


@pytest.mark.parametrize("is_json", [True, False])
@pytest.mark.parametrize("different", [(), ("a\nb",)])
def test_verdict(capfdbinary, is_json, different):
    """Equal trees are exit 0, different ones exit 3, as a line or as events."""
    settings = JobSettings(output=OutputSettings(json=is_json))
    exit_code = demo._report(demo.Comparison(files=2, size=2048, different=different), settings, 1.0)
    out, _ = capfdbinary.readouterr()
    assert exit_code == (3 if different else 0)
    if is_json:
        event, summary = validated(out)
        assert (event["operation"], event["success"], event["files"], event["bytes"]) == (
            "demo",
            not different,
            2,
            2048,
        )
        assert (summary["command"], summary["exit_code"], summary["files_failed"]) == (
            "demo",
            exit_code,
            len(different),
        )
    elif different:
        assert out == b"DIFFERENT: a\\x0ab\n"
    else:
        assert out == b"verified 2 files, 2.0 KiB: what came back is what was sent\n"


def test_takes_no_arguments():
    """An argument is a usage error before anything is started."""
    with pytest.raises(InvalidConfig):
        demo.run(Invocation(arguments=("x",), settings=JobSettings(), environment=Environment(variables={})))


@pytest.mark.slow
def test_server_lives_as_long_as_its_context():
    """The embedded server answers inside the context and is gone after it."""
    others = psutil.Process().children()
    with demo._running_server() as url:
        [server] = [child for child in psutil.Process().children() if child not in others]
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 403"
    assert not is_alive(server)  # its port may be somebody else's by now


def run_demo(tmp_path, *arguments):
    """The installed command, with its temporary files below `tmp_path`."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "orbit_fast", "demo", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=100, env=environment)


@pytest.mark.slow
def test_demo(tmp_path):
    """`orbit demo`: exit 0, every copy told, both statistics, the verdict last, nothing left behind."""
    result = run_demo(tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
    lines = result.stdout.decode().splitlines()
    assert sum(line.startswith("cp ") for line in lines) == 2 * len(demo._SIZES)
    assert lines.count("  Execution Statistics") == 2
    assert lines[-1].startswith(f"verified {len(demo._SIZES)} files, 12.1 MiB")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_demo_json(tmp_path):
    """`orbit demo --json`: valid events only, the demo's own summary last."""
    result = run_demo(tmp_path, "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    events = validated(result.stdout)
    assert sum(event["operation"] == "cp" for event in events) == 2 * len(demo._SIZES)
    assert [event["command"] for event in events if event["operation"] == "summary"] == ["cp", "cp", "demo"]
    assert {event["parts"] for event in events if event.get("source", "").endswith("large.bin")} == {3}
    assert events[-1]["files_copied"] == len(demo._SIZES)
    assert events[-1]["operation"] == "summary"
