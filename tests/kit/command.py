"""The installed command ``orbit``, run as a stranger runs it: a process with arguments, an environment and two pipes.

Whatever it writes to stdout under ``--json`` is held against the shipped schema, with the summary last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from tests.kit.event_schema import validated

LIMIT_S = 60.0
"""No measure of speed: how long a machine may need that does much else besides."""


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        arguments: after ``orbit``.
        code: exit status; minus the signal's number where one killed it.
        out: stdout.
        err: stderr.
    """

    arguments: tuple[str | bytes, ...]
    code: int
    out: bytes
    err: bytes

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The events on stdout, each valid by the schema, the summary last and only there."""
        events = validated(self.out)
        assert [event["operation"] == "summary" for event in events] == [False] * (len(events) - 1) + [True]
        assert events[-1]["exit_code"] == self.code
        return events

    @property
    def summary(self) -> dict[str, Any]:
        """The last event."""
        return self.events[-1]

    @property
    def done(self) -> list[dict[str, Any]]:
        """Objects that arrived."""
        return [event for event in self._objects if event["success"] and "skipped" not in event]

    @property
    def skipped(self) -> list[dict[str, Any]]:
        """Objects that were left as they are."""
        return [event for event in self._objects if "skipped" in event]

    @property
    def failures(self) -> list[dict[str, Any]]:
        """What failed."""
        return [event for event in self._objects if not event["success"]]

    @property
    def _objects(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["operation"] not in {"summary", "progress"}]

    @property
    def lines(self) -> list[str]:
        """The lines on stdout."""
        return self.out.decode().splitlines()

    @property
    def errors(self) -> list[str]:
        """The lines on stderr."""
        return self.err.decode().splitlines()

    @property
    def counts(self) -> tuple[int, int, int]:
        """Copied, skipped and failed, as the summary says."""
        return (self.summary["files_copied"], self.summary["files_skipped"], self.summary["files_failed"])

    def expect(self, code: int, *, err: bytes = b"") -> Result:
        """This result, once its status and its stderr are what they should be."""
        said = f"orbit {self.arguments} -> {self.code}\n{self.out[-3000:].decode(errors='replace')}\n"
        said += self.err[-3000:].decode(errors="replace")
        assert self.code == code, said
        assert self.err == err, said
        return self


@dataclass(frozen=True)
class Orbit:
    """The command in an environment.

    Attributes:
        environment: all it sees beside PATH; HOME leads nowhere, so that no file of the user's takes part.
        directory: where it runs, or None for here.
        prefix: a command that runs the command.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    prefix: tuple[str, ...] = ()

    def __call__(self, *arguments: str | bytes | Path, timeout_s: float = LIMIT_S, fed: bytes | None = None) -> Result:
        """Run it to its end; `fed` is what its stdin gives."""
        with self.start(*arguments, stdin=subprocess.DEVNULL if fed is None else subprocess.PIPE) as process:
            try:
                out, err = process.communicate(fed, timeout=timeout_s)
            except subprocess.TimeoutExpired:
                dump = [(child.pid, child.name(), child.status()) for child in descendants(process.pid)]
                raise AssertionError(f"orbit {arguments} did not end in {timeout_s} s; children: {dump}") from None
            return Result(_text(arguments), process.returncode, out, err)

    @contextlib.contextmanager
    def start(
        self,
        *arguments: str | bytes | Path,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run it beside the test; when the block ends, it and everything it started are gone."""
        process = subprocess.Popen(
            [*self.prefix, command(), *_text(arguments)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={"PATH": os.environ["PATH"], "HOME": "/dev/null", **self.environment},
            cwd=self.directory,
        )
        try:
            yield process
        finally:
            stragglers = descendants(process.pid) if process.poll() is None else []
            if process.poll() is None:
                process.kill()
            process.wait(60)
            for straggler in stragglers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    straggler.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def with_environment(self, **variables: str | None) -> Orbit:
        """The same with other variables; None takes one away."""
        merged = {**self.environment, **variables}
        kept = {name: value for name, value in merged.items() if value is not None}
        return replace(self, environment=kept)

    def with_directory(self, directory: Path) -> Orbit:
        """The same, run in another directory."""
        return replace(self, directory=directory)

    def with_prefix(self, *prefix: str) -> Orbit:
        """The same, run by another command."""
        return replace(self, prefix=prefix)


def finish(process: subprocess.Popen[bytes], timeout_s: float = LIMIT_S) -> Result:
    """Wait for a command that `Orbit.start` started."""
    out, err = process.communicate(timeout=timeout_s)
    return Result(tuple(process.args[1:]), process.returncode, out or b"", err or b"")


def command() -> str:
    """The console script, as it was installed beside this interpreter; ``COMMAND_UNDER_TEST`` names another one."""
    beside = Path(sys.executable).with_name("orbit")
    found = os.environ.get("COMMAND_UNDER_TEST") or (str(beside) if beside.exists() else shutil.which("orbit"))
    assert found, "the command orbit is not installed"
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """The processes below `pid` that live; none where it is gone itself."""
    try:
        return [child for child in psutil.Process(pid).children(recursive=True) if is_alive(child)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie that its new parent has not looked at yet does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: Iterable[psutil.Process]) -> None:
    """Wait until none of them runs; they may be zombies, which `psutil.wait_procs` would wait for too."""
    left, end_s = list(processes), time.monotonic() + LIMIT_S
    while left := [process for process in left if is_alive(process)]:
        assert time.monotonic() < end_s, f"still there after {LIMIT_S} s: {left}"
        time.sleep(0.01)


def _text(arguments: tuple[str | bytes | Path, ...]) -> tuple[str | bytes, ...]:
    return tuple(str(argument) if isinstance(argument, Path) else argument for argument in arguments)
