"""``orbit demo``: the whole way of a byte on this machine alone: up to an embedded S3 server and back, compared."""

from __future__ import annotations

import contextlib
import hashlib
import select
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orbit_fast.cli.display import new_console
from orbit_fast.cli.streams import print_data
from orbit_fast.cli.verb import Invocation
from orbit_fast.cli.verb import Verb
from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.events import Totals
from orbit_fast.core.events import new_renderer
from orbit_fast.core.settings import MIB
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.visible import printable
from orbit_fast.io.clock import Clock

if TYPE_CHECKING:
    import subprocess

_BUCKET = "orbit-demo"
_ACCESS_KEY = "orbit-demo"
_SECRET_KEY = "known-to-everybody"  # noqa: S105  guards a server on loopback that lives for seconds
_PART_SIZE = 5 * MIB
_START_LIMIT_S = 20.0
_STOP_LIMIT_S = 5.0
_STEP = MIB

_SIZES: Mapping[str, int] = {
    "empty": 0,
    "one-byte": 1,
    "large.bin": 12 * MIB + 345,
    "documents/with space.txt": 2_000,
    "documents/100%+more&less=?#@.txt": 3_000,
    "documents/star*[brackets].txt": 4_000,
    "documents/tab\tand\nnewline": 5_000,
    "documents/naïve-日本語-🚀.md": 6_000,
    **{f"photos/{year}/photo-{number:02}.jpg": 7_000 + number for year in (2024, 2025) for number in range(8)},
}
"""The demo's files and their sizes in bytes; the large one goes in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came back beside what was sent.

    Attributes:
        files: files that are equal byte for byte.
        size: their bytes.
        different: names that are missing, not wanted, or not equal.
    """

    files: int
    size: int
    different: tuple[str, ...]


def run(invocation: Invocation) -> int:
    """Copy a small tree up and down, and compare; returns DONE, the copies' own exit status, or INTEGRITY."""
    if invocation.arguments:
        raise InvalidConfig("demo takes no arguments")
    import tempfile  # noqa: PLC0415 - 10 ms with all it loads, which no other command needs

    clock = Clock()
    started_s = clock.monotonic_s()
    with tempfile.TemporaryDirectory(prefix="orbit-demo-") as directory, _running_server() as url:
        sent, back = Path(directory, "sent"), Path(directory, "back")
        make_tree(sent)
        settings = _settings(invocation.settings, url)
        for source, destination in ((str(sent), f"s3://{_BUCKET}/tree/"), (f"s3://{_BUCKET}/tree/", str(back))):
            exit_code = _copy(source, destination, settings, invocation)
            if exit_code != Exit.DONE:
                return exit_code
        return _report(compare(sent, back), invocation.settings, clock.monotonic_s() - started_s)


def make_tree(root: Path) -> None:
    """Write the demo's files below `root`. Their bytes follow from their names."""
    for name, size in _SIZES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashlib.shake_128(name.encode()).digest(size))


def compare(sent: Path, back: Path) -> Comparison:
    """Compare two trees byte for byte, neither believed to be whole."""
    wanted, found = _files_of(sent), _files_of(back)
    equal = {name for name in wanted & found if _is_equal(sent / name, back / name)}
    return Comparison(
        files=len(equal),
        size=sum((sent / name).stat().st_size for name in equal),
        different=tuple(sorted((wanted | found) - equal)),
    )


def _files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _is_equal(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            here, there = left.read(_STEP), right.read(_STEP)
            if here != there:
                return False
            if not here:
                return True


def _settings(settings: JobSettings, url: str) -> JobSettings:
    """The job's settings: the demo's server on both sides, small parts, statistics where they are text."""
    client = ClientSettings(endpoint_url=url, region="us-east-1")
    change = msgspec.structs.replace
    return change(
        settings,
        source=client,
        dest=client,
        transfer=change(settings.transfer, part_size=_PART_SIZE),
        selection=change(settings.selection, recursive=True),
        output=change(settings.output, stat=not settings.output.json),
        operation="cp",
    )


def _copy(source: str, destination: str, settings: JobSettings, invocation: Invocation) -> int:
    from orbit_fast.proc.job import run_copy  # noqa: PLC0415  the engine loads when there is something to copy

    console = new_console(settings.output, invocation.environment)
    variables = {"AWS_ACCESS_KEY_ID": _ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": _SECRET_KEY}
    try:
        return int(run_copy((source,), destination, settings, variables, console))
    finally:
        console.close()


def _report(comparison: Comparison, settings: JobSettings, duration_s: float) -> int:
    """Say what the comparison found."""
    exit_code = Exit.INTEGRITY if comparison.different else Exit.DONE
    size = format_size(comparison.size, human=True)
    if settings.output.json:
        event = {
            "operation": "demo",
            "success": not comparison.different,
            "files": comparison.files,
            "bytes": comparison.size,
        }
        totals = Totals(
            command="demo",
            files_copied=comparison.files,
            files_failed=len(comparison.different),
            bytes_copied=comparison.size,
            duration_s=duration_s,
            exit_code=int(exit_code),
        )
        lines = msgspec.json.encode(event) + b"\n" + new_renderer(settings, operation="demo").summary(totals).out
    elif comparison.different:
        names = ", ".join(printable(name) for name in comparison.different)
        lines = f"DIFFERENT: {names}\n".encode()
    else:
        lines = f"verified {comparison.files} files, {size}: what came back is what was sent\n".encode()
    printed = print_data(lines)
    return exit_code or printed


@contextlib.contextmanager
def _running_server() -> Iterator[str]:
    """The URL of an embedded S3 server that lives as long as the context, or this process if that is shorter."""
    import subprocess  # noqa: PLC0415 - as in run

    command = [sys.executable, "-m", "orbit_fast.testing", "--until-eof", "--bucket", _BUCKET]
    command += ["--access-key", _ACCESS_KEY, "--secret-key", _SECRET_KEY]
    server = subprocess.Popen(  # noqa: S603  our own module, by our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with server:
        try:
            yield _url_of(server)
        finally:
            assert server.stdin is not None
            server.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_STOP_LIMIT_S)
            server.kill()


def _url_of(server: subprocess.Popen[bytes]) -> str:
    assert server.stdout is not None
    ready, _, _ = select.select([server.stdout], [], [], _START_LIMIT_S)
    line = server.stdout.readline() if ready else b""
    if not line:
        raise Internal("the demo's server did not start")
    return str(msgspec.json.decode(line)["url"])


VERB = Verb(
    name="demo",
    summary="See it work: copy a small tree to an embedded S3 server and back, and compare.",
    description=(
        (
            "Needs no account and no server. Starts an S3 server on loopback, makes a small tree (empty files, odd "
            "names, one file in parts) in a temporary directory, copies it up and down with the real engine and "
            "compares every byte. Nothing is left behind."
        ),
    ),
    examples=(
        ("orbit demo", "the copies, their statistics, and the verdict"),
        ("orbit demo --json -q", "only summaries"),
    ),
    run=run,
)
