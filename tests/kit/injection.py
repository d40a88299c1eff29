"""System calls that fail on purpose: a run of the command under ``strace -e inject``, and what it traced.

An injection names a call, an error, the files it is about, and a pattern: the call that fails is the first one that the
pattern matches in a run without injection. Only calls about those files are traced and counted, so that the same one is
hit again. Files are named by what they are to the job (`ROLES`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.fault_run import Lab
from tests.kit.pinned_run import RUN

ROOT = Path(__file__).resolve().parents[2]
TEMPORARY = f".orbit-{RUN}-1.tmp"
"""The temporary file of a job's first object."""

_LINE = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<rest>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One call that fails.

    Attributes:
        call: its name.
        error: what it fails with: ``EIO``.
        about: the role of the files it is about, or ``''`` for whatever it is about.
        like: a pattern that the line of the trace matches.
        also: more of them; 1, or strace's ``1+`` for it and all that follow.
    """

    call: str
    error: str
    about: str = ""
    like: str = ""
    also: str = ""

    def __str__(self) -> str:
        return "-".join(word for word in (self.call, self.error, self.about, self.also) if word)


@dataclass(frozen=True, slots=True)
class Traced:
    """A line of a trace.

    Attributes:
        pid: whose.
        call: its name.
        rest: arguments and result.
    """

    pid: str
    call: str
    rest: str

    @property
    def is_injected(self) -> bool:
        """Whether it failed on purpose."""
        return "(INJECTED)" in self.rest


def read_trace(path: Path) -> list[Traced]:
    """The calls of a trace, in order; those that were interrupted by another one's line are put together."""
    started: dict[str, str] = {}
    lines = []
    for line in path.read_text(errors="replace").splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith("<unfinished ...>"):
            started[pid] = rest.removesuffix("<unfinished ...>")
            continue
        if rest.startswith("<... "):
            rest = started.pop(pid, "") + rest.partition(" resumed>")[2]
        found = _LINE.match(f"{pid} {rest}")
        if found:
            lines.append(Traced(found["pid"], found["call"], found["rest"]))
    return lines


def tracer(trace: Path, calls: str, paths: list[Path], *how: str) -> tuple[str, ...]:
    """A command prefix that traces these calls, where there are `paths` only those about them."""
    about = [word for path in paths for word in ("-P", str(path))]
    # Without a filter in the kernel every call of every process stops twice.
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-y", "-s", "128", "-o", str(trace), *about]
    return (*strace, "-e", f"trace={calls}", *how, sys.executable, "-m", "tests.kit.pinned_run")


def require_strace(directory: Path) -> None:
    """Skip the test where calls cannot be made to fail."""
    if shutil.which("strace") is None:
        pytest.skip("there is no strace to make system calls fail with")
    probe = ["strace", "-f", "--seccomp-bpf", "-o", str(directory / "probe"), "-e", "inject=getpid:error=EIO", "true"]
    tried = subprocess.run(probe, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace cannot trace here: {tried.stderr.strip()}")


class Injected:
    """A lab in which system calls can be made to fail.

    Attributes:
        lab: the lab.
        state: where its journals are.
        journal: the one that injections are about.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.state = lab.directory / "state"
        self.journal = self.state / "none"
        self._trace = lab.directory / "trace"
        lab.environment |= {"XDG_STATE_HOME": str(self.state), "PYTHONPATH": str(ROOT)}
        require_strace(lab.directory)

    def paths(self, role: str) -> list[Path]:
        """The files of a role."""
        roles = {
            "": [],
            "temporary": [self.lab.target / TEMPORARY],
            "target": [self.lab.target],
            "final": [self.lab.target / "object"],
            "source": [self.lab.source / "object"],
            "tree": [self.lab.source],
            "journal": [self.journal],
            "state": [self.state / "orbit"],
        }
        return roles[role]

    def watch(self, calls: str, about: str = "") -> None:
        """Have the next runs traced, and nothing fail."""
        self._trace.unlink(missing_ok=True)
        self.lab.prefix = tracer(self._trace, calls, self.paths(about))

    def inject(self, *injections: Injection, at: int) -> None:
        """Have the `at`-th call of the next runs fail; the injections share their files."""
        self._trace.unlink(missing_ok=True)
        how = [
            word for one in injections for word in ("-e", f"inject={one.call}:error={one.error}:when={at}{one.also}")
        ]
        calls = ",".join(one.call for one in injections)
        self.lab.prefix = tracer(self._trace, calls, self.paths(injections[0].about), *how)

    def release(self) -> None:
        """Let the next runs be."""
        self.lab.prefix = ()

    @property
    def trace(self) -> list[Traced]:
        """What the last run did."""
        return read_trace(self._trace)

    def place_of(self, injection: Injection) -> int:
        """Which call of its process, counted from 1, the pattern matches first in what was watched.

        Raises:
            AssertionError: none.
        """
        counts: Counter[str] = Counter()
        for line in self.trace:
            counts[line.pid] += 1
            if re.search(injection.like, line.rest):
                return counts[line.pid]
        seen = "\n".join(f"{line.pid} {line.call}({line.rest}" for line in self.trace)
        raise AssertionError(f"no call like {injection}: {injection.like!r} in\n{seen[-3000:]}")


def forget(directory: Path) -> None:
    """Empty a directory."""
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
