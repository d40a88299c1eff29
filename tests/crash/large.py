"""A large object that is interrupted half way: ``python -m tests.crash.large [BYTES] [DIRECTORY]``. A table to stdout.

Up and down, each ended once by SIGKILL of all its processes and once by a terminal's Ctrl-C, when the server has seen
half of the parts. Then the same command runs again. What was moved is counted by the server, the embedded one in this
process: whole parts that it took, and bytes that it answered with, whoever was still there to take them.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from typing import Self

from orbit_fast.core.settings import MIB
from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import S3Server
from orbit_fast.testing import Seams
from tests.kit.command import Orbit
from tests.kit.command import descendants
from tests.kit.command import finish
from tests.kit.gate import Gate
from tests.kit.gate import Hold
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import Endpoint

BUCKET: Final = "large"
SOURCE: Final = "source"
SIZE: Final = 2 << 30
PART: Final = 8
AT_ONCE: Final = 4
LIMIT_S: Final = 600.0
LOOK_S: Final = 0.05
WAYS: Final = (("up", signal.SIGKILL), ("up", signal.SIGINT), ("down", signal.SIGKILL), ("down", signal.SIGINT))


ENDS: Final = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}
COLUMNS: Final = ("", "ended by", "first run", "again", "moved twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one interruption, in bytes by the server's count.

    Attributes:
        way: ``up`` or ``down``.
        by: the signal.
        size: of the object.
        first: moved by the run that was ended.
        second: moved by the same command, run again.
        told: that it said it had gone on with.
    """

    way: str
    by: signal.Signals
    size: int
    first: int
    second: int
    told: int

    @property
    def twice(self) -> int:
        """What both runs have moved."""
        return self.first + self.second - self.size

    @property
    def cells(self) -> tuple[str, ...]:
        """For the table."""
        sizes = (f"{size / MIB:,.0f} MiB" for size in (self.first, self.second, self.twice))
        return (self.way, self.by.name, *sizes)


class Lab:
    """A server, a file of `size` bytes, and the command.

    Args:
        directory: for all of it: three times `size`.
        size: bytes.
        part: size of a part in MiB.
    """

    def __init__(self, directory: Path, size: int, part: int = PART) -> None:
        self._directory = directory
        self._size = size
        self._part = part
        self._gate = Gate()
        self._moved: list[tuple[int, int]] = []
        (directory / "bodies").mkdir()
        self._server = S3Server(
            access_key=ACCESS_KEY, secret_key=SECRET_KEY, root=directory / "bodies", intercept=self._gate
        )
        self._server.seams = Seams(revise=self._count)
        self._server.store.create_bucket(BUCKET)
        with (directory / SOURCE).open("wb") as file:
            file.writelines(pieces(size))

    def __enter__(self) -> Self:
        self._server.__enter__()
        environment = Endpoint(kind="embedded", url=self._server.url).environment
        state = {"XDG_STATE_HOME": str(self._directory / "state")}
        self._orbit = Orbit({**environment, **state}, directory=self._directory)
        return self

    def __exit__(self, *_: object) -> None:
        self._gate.open()
        self._server.__exit__(None, None, None)

    def trial(self, way: str, by: signal.Signals) -> Row:
        """Move the object, end that half way, and run the command again to its end; its bytes are proven.

        The way down needs the object of the way up that was ended by the same signal.
        """
        name = by.name
        url = f"s3://{BUCKET}/{name}"
        operation, ends = ("UploadPart", (SOURCE, url)) if way == "up" else ("GetObject", (url, name))
        command = ("cp", "--json", "--part-size", str(self._part), "--concurrency", str(AT_ONCE), *ends)
        self._moved.clear()
        half = self._size // (self._part * MIB) // 2
        self._interrupt(command, by, self._gate.hold(operation, after=half, key=name))
        last = max(request.connection for request in self._gate.requests)
        (done,) = self._orbit(*command, timeout_s=LIMIT_S).expect(0).done
        second = sum(size for connection, size in self._moved if connection > last)
        self._check(way, name)
        return Row(
            way=way,
            by=by,
            size=self._size,
            first=sum(size for _, size in self._moved) - second,
            second=second,
            told=done.get("resumed_bytes", 0),
        )

    def _interrupt(self, command: Sequence[str], by: signal.Signals, hold: Hold) -> None:
        with self._orbit.start(*command) as process:
            while hold.arrived < AT_ONCE:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(LOOK_S)
                    raise AssertionError(f"it ended before it was half way: exit status {code}")
            family = descendants(process.pid)
            process.send_signal(by)
            for child in family if by is signal.SIGKILL else ():
                child.send_signal(by)
            if by is not signal.SIGKILL:
                hold.release()
            code = finish(process).code
            assert code == ENDS[by], f"exit status {code} after {by.name}"
            for child in family:
                child.wait(10)
            hold.release()

    async def _count(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.operation in {"UploadPart", "GetObject"} and response.status < 300:
            self._moved.append((request.connection, max(request.content.size, response.body.size)))
        return response

    def _check(self, way: str, name: str) -> None:
        """The bytes are there, and nothing else is left."""
        path = self._directory / name
        if way == "up":
            current = self._server.store.bucket(BUCKET).current(name)
            assert current is not None
            assert is_whole(current.content.chunks(), self._size)
        else:
            with path.open("rb") as file:
                assert is_whole(iter(lambda: file.read(MIB), b""), self._size)
            path.unlink()
        assert not self._server.store.unfinished_uploads()
        assert not [*self._directory.rglob("*.journal"), *self._directory.glob(".orbit-*")]


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes, a MiB at a time, of which no two are alike."""
    noise = random.Random(1).randbytes(MIB)
    for number in range(-(-size // MIB)):
        piece = number.to_bytes(8) + noise[8:]
        yield piece[: size - number * MIB]


def is_whole(chunks: Iterator[bytes | memoryview], size: int) -> bool:
    """Whether these are the bytes of `pieces`."""
    found = bytearray()
    wanted = pieces(size)
    for chunk in chunks:
        found += chunk
        while len(found) >= MIB:
            if found[:MIB] != next(wanted, b""):
                return False
            del found[:MIB]
    return found == next(wanted, b"") and next(wanted, None) is None


def main(size: int, directory: str | None) -> None:
    """All ways, and a table."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
    say = sys.stdout.write
    say(f"| {' | '.join(COLUMNS)} |\n{'|---' * 2}{'|---:' * (len(COLUMNS) - 2)}|\n")
    with tempfile.TemporaryDirectory(dir=directory) as name, Lab(Path(name), size) as lab:
        for way, by in WAYS:
            row = lab.trial(way, by)
            say(f"| {' | '.join(row.cells)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else SIZE, given[1] if len(given) > 1 else None)
