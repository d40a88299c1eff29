"""The command as a process: what it loads, and what a lost stdout means."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {"asyncio", "awscrt", "boto3", "botocore", "rich", "ssl", "uvloop", "xml", "orbit_fast.proc.job"}


def orbit(*arguments, stdout=subprocess.PIPE, **options):
    """Run the command, with the modules it loads listed on stderr."""
    command = [sys.executable, "-X", "importtime", "-m", "orbit_fast", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=60, **options)


def loaded(result):
    """The names of the modules that were loaded."""
    lines = [line for line in result.stderr.decode().splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (("--version",), HEAVY | {"click", "msgspec", "orbit_fast.core.options"}),
        (("--help",), HEAVY),
        (("cp", "--help"), HEAVY),
        (("cp", "--recursiv"), HEAVY),
        (("cp", "only-one"), HEAVY),
        (("__complete", "zsh", "cp", "--part"), HEAVY | {"click", "difflib", "subprocess", "tempfile", "tomllib"}),
    ],
)
@pytest.mark.slow
def test_start_up_loads_little(arguments, absent):
    """Version, help and usage errors load neither the engine nor any heavy library."""
    modules = loaded(orbit(*arguments))
    assert "orbit_fast.cli.main" in modules
    assert modules & absent == set()


def quiet_stderr(result):
    """What the command itself wrote to stderr."""
    lines = result.stderr.decode().splitlines()
    return [line for line in lines if not line.startswith("import time:")]


@pytest.mark.slow
def test_closed_pipe_is_quiet():
    """A reader that went away ends help quietly with 141."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = orbit("--help", stdout=writer)
    finally:
        os.close(writer)
    assert (result.returncode, quiet_stderr(result)) == (141, [])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.slow
def test_full_disk_is_told():
    """A stdout that takes nothing is an error, not a success."""
    with open("/dev/full", "wb") as full:
        result = orbit("--version", stdout=full)
    assert result.returncode == 1
    assert quiet_stderr(result) == ['ERROR "orbit": E_REPORT_LOST: cannot write to stdout: No space left on device']


@pytest.mark.slow
def test_usage_error_with_closed_pipe_is_still_2():
    """A usage error under ``--json`` keeps its status when nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = orbit("--json", "nonsense", stdout=writer)
    finally:
        os.close(writer)
    assert (result.returncode, quiet_stderr(result)) == (2, [])
