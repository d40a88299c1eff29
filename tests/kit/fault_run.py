"""One run of the installed command against a server that misbehaves as planned, and the verdict on it.

The rule of every run, checked here and nowhere else (`Run.honest`): exit status 0 if and only if every byte is right;
an object that was called done is right; whatever is not right is as it was; no litter, no unfinished upload; an end
within the deadline; no traceback; every fault of the plan happened.
"""

from __future__ import annotations

import os
import shlex
import ssl
import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orbit_fast.testing import Identity
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from orbit_fast.testing import checks
from orbit_fast.testing.blob import Content
from orbit_fast.testing.store import Attributes
from orbit_fast.testing.store import ObjectChecksum
from orbit_fast.testing.store import Version
from tests.kit.command import Orbit
from tests.kit.command import Result
from tests.kit.faults import PART
from tests.kit.faults import Injector
from tests.kit.faults import Rule
from tests.kit.faults_verdict import Aim
from tests.kit.faults_verdict import State
from tests.kit.faults_verdict import Verdict
from tests.kit.faults_verdict import Wanted
from tests.kit.trees import content

BUCKET = "faulty"
OTHER = "second"
SMALL = 3000
LARGE = 2 * PART + 12345
"""Three parts."""
DEADLINE_S = 60.0
"""An end comes by itself, also on a machine that has much else to do; only what hangs takes longer."""
BASE = ("--json", "--part-size", "5", "--timeout", "30", "--retry-attempts", "4", "--processes", "1")
"""Nothing is called silent that is only slow: a request more than expected would be sent."""
HASTY = ("--timeout", "1")
"""Behind that, where the plan makes the service fall silent."""


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes:
        result: what the command said.
        verdict: what it left.
        plan: the faults.
        seconds: how long it took.
        deadline_s: how long it might take.
    """

    result: Result
    verdict: Verdict
    plan: Injector
    seconds: float
    deadline_s: float

    @property
    def code(self) -> int:
        """The exit status."""
        return self.result.code

    @property
    def failure(self) -> dict[str, Any]:
        """The only failure."""
        assert len(self.result.failures) == 1, self.report()
        return self.result.failures[0]

    @property
    def done(self) -> dict[str, Any]:
        """The only object done."""
        assert len(self.result.done) == 1, self.report()
        return self.result.done[0]

    def report(self) -> str:
        """What a person needs to understand a red test."""
        lines = [f"exit {self.code} after {self.seconds:.1f} s; {self.verdict}"]
        lines += [f"  fault {one.rule.action} hit {one.operation} {one.key} part {one.part} try {one.attempt}"
                  for one in self.plan.fired[:12]]  # fmt: skip
        lines += [f"  never hit: {rule}" for rule in self.plan.unfired()]
        asked = [f"{request.operation}({request.query.get('partNumber', '') or request.headers.get('range', '')})"
                 for request in self.plan.requests[:60]]  # fmt: skip
        lines.append("  asked " + " ".join(asked))
        lines.append(self.result.out[-2500:].decode(errors="replace"))
        lines.append(self.result.err[-2500:].decode(errors="replace"))
        return "\n".join(lines)

    def honest(
        self,
        *codes: int,
        harmless: bool = True,
        orphans: bool = False,
        fires: bool = True,
        litter: bool = False,
        unproven: bool = False,
    ) -> Run:
        """This run, once it has kept the rule and its status is one of `codes`.

        Args:
            codes: the statuses allowed.
            harmless: nothing but right and untouched names; False where the service itself damages what it stores.
            orphans: an unfinished upload may be left: the service lets nobody remove it.
            fires: each rule of the plan must have acted.
            litter: other names may be there too.
            unproven: everything may be right although the command, rightly, says that it failed.
        """
        said = self.report()
        assert self.code != 0 or self.verdict.is_right, f"A WRONG SUCCESS: {said}"
        assert self.code == 0 or unproven or not self.verdict.is_right, f"a false failure: {said}"
        if harmless:
            assert self.verdict.is_harmless, said
        done = {event["destination"] for event in self.result.done}
        for name, state in self.verdict.states.items():
            if any(destination.endswith("/" + name) for destination in done):
                assert state is State.RIGHT, said
        assert litter or not self.verdict.litter, said
        assert orphans or not self.verdict.uploads, said
        assert self.seconds <= self.deadline_s, said
        assert b"Traceback" not in self.result.err, said
        assert not fires or not self.plan.unfired(), said
        assert self.code in codes, said
        assert self.result.events, said
        return self

    def right(self, **allowed: bool) -> Run:
        """Everything arrived, and the command says so."""
        return self.honest(0, **allowed)

    def failed(self, status: int, *errors: str, **allowed: bool) -> Run:
        """It failed with this exit status, as one of the `errors` (their codes), and everything is as it was."""
        self.honest(status, **allowed)
        codes = {event["code"] for event in self.result.failures}
        assert codes, self.report()
        assert not errors or codes <= set(errors), self.report()
        return self


class Lab:
    """A server, a plan, and a directory.

    Attributes:
        server: the server.
        plan: what goes wrong; rules may be added.
        directory: of the test.
        prefix: a command that runs the command.
        cwd: where it runs, or None for here.
        verb: what is run: ``cp`` or another that takes sources and a destination.
    """

    def __init__(self, server: S3Server, plan: Injector, directory: Path, arguments: tuple[str, ...] = ()) -> None:
        self.server = server
        self.plan = plan
        self.directory = directory
        self.endpoint_url = server.url
        self.environment: dict[str, str] = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": "us-east-1",
        }
        self.arguments = arguments
        self.prefix: tuple[str, ...] = ()
        self.cwd: Path | None = None
        self.verb = "cp"
        for name in (BUCKET, OTHER):
            server.store.create_bucket(name)
        self.source = directory / "source"
        self.target = directory / "target"
        self.source.mkdir()
        self.target.mkdir()

    # --- things ---

    def file(self, name: str, size: int, seed: int = 1) -> bytes:
        """Write a source file; its content."""
        data = content(seed, size)
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return data

    def put(self, key: str, data: bytes, **how: Any) -> Version:
        """Place an object: see `stored`."""
        return self.server.store.bucket(BUCKET).add(stored(key, data, now_s=self.server.store.now(), **how))

    # --- runs ---

    def run(self, aim: Aim, *arguments: str | Path, deadline_s: float = DEADLINE_S) -> Run:
        """Run ``orbit cp``, or another verb, with `arguments`, and judge what it left."""
        orbit = Orbit(self.environment, self.cwd, self.prefix)
        started_s = time.monotonic()
        result = orbit(*self.command(*arguments), timeout_s=deadline_s + 15)
        seconds = time.monotonic() - started_s
        return Run(result, aim.judge(self.server), self.plan, seconds, deadline_s)

    def command(self, *arguments: str | Path) -> tuple[str | Path, ...]:
        """The arguments of ``orbit`` with which `run` runs it."""
        hasty = HASTY if self.plan.is_silent else ()
        return (self.verb, *BASE, *hasty, "--endpoint-url", self.endpoint_url, *self.arguments, *arguments)

    def upload(self, size: int = SMALL, *arguments: str, name: str = "object", deadline_s: float = DEADLINE_S) -> Run:
        """Upload one file."""
        data = self.file(name, size)
        aim = Aim(wanted={name: data}, before=self._stored_now(), bucket=BUCKET)
        return self.run(aim, *arguments, self.source / name, f"s3://{BUCKET}/{name}", deadline_s=deadline_s)

    def download(
        self,
        data: Wanted | None = None,
        *arguments: str,
        name: str = "object",
        size: int = SMALL,
        deadline_s: float = DEADLINE_S,
    ) -> Run:
        """Download one object over an older file; puts it there first unless `data` says what is right."""
        if data is None:
            data = content(7, size)
            self.put(name, data)
        before = b"what was here before"
        (self.target / name).write_bytes(before)
        aim = Aim(wanted={name: data}, before={name: before}, directory=self.target)
        return self.run(aim, *arguments, f"s3://{BUCKET}/{name}", f"{self.target}/{name}", deadline_s=deadline_s)

    def download_all(
        self, wanted: Mapping[str, Wanted], *arguments: str, prefix: str = "", deadline_s: float = DEADLINE_S
    ) -> Run:
        """Download everything under `prefix` into the empty target directory."""
        aim = Aim(wanted=wanted, directory=self.target)
        source = f"s3://{BUCKET}/{prefix}"
        return self.run(aim, "--recursive", *arguments, source, f"{self.target}/", deadline_s=deadline_s)

    def copy(self, data: bytes | None = None, *arguments: str, name: str = "object") -> Run:
        """Copy one object from one bucket to the other."""
        if data is None:
            data = content(9, SMALL)
            self.put(name, data)
        aim = Aim(wanted={name: data}, bucket=OTHER)
        return self.run(aim, *arguments, f"s3://{BUCKET}/{name}", f"s3://{OTHER}/{name}")

    def exercise(self, operation: str, **how: Any) -> Run:
        """A run of the kind in which `operation` is needed."""
        if operation == "CopyObject":
            return self.copy()
        if operation == "ListObjectsV2":
            data = content(4, SMALL)
            self.put("p/object", data)
            return self.download_all({"object": data}, prefix="p/", **how)
        if operation in {"GetObject", "HeadObject"}:
            return self.download(**how)
        return self.upload(SMALL if operation == "PutObject" else LARGE, **how)

    def _stored_now(self) -> dict[str, bytes]:
        store = self.server.store
        return {key: store.read(BUCKET, key) for key in store.keys(BUCKET)}


def stored(
    key: str,
    data: bytes,
    *,
    now_s: int,
    checksum: str = "CRC64NVME",
    kind: str = "FULL_OBJECT",
    part_size: int = 0,
    attributes: Attributes | None = None,
    etag: str = "",
) -> Version:
    """An object as some client left it.

    Args:
        key: its key.
        data: its bytes.
        now_s: when.
        checksum: algorithm of the stored checksum; ``''`` for a service (or an old object) without one.
        kind: type of the checksum.
        part_size: bytes of each part it was uploaded in; 0 for a single PutObject.
        attributes: what it carries.
        etag: instead of the one that it would have.
    """
    whole = Content.of(data)
    pieces = [whole.slice(start, part_size) for start in range(0, len(data), part_size)] if part_size else [whole]
    md5s = [checks.md5_of(piece) for piece in pieces]
    value = None
    if checksum and kind == "COMPOSITE":
        value = checks.compose(checksum, [checks.checksum_of(checksum, piece) for piece in pieces])
    elif checksum:
        value = checks.checksum_of(checksum, whole)
    return Version(
        key=key,
        content=whole,
        etag=etag or (checks.multipart_etag(md5s) if part_size else md5s[0].hex()),
        modified_s=now_s,
        attributes=attributes or Attributes(),
        checksum=ObjectChecksum(algorithm=checksum, value=value, kind=kind) if value else None,
        part_sizes=tuple(piece.size for piece in pieces) if part_size else (),
    )


@contextmanager
def open_lab(
    directory: Path,
    *rules: Rule,
    arguments: tuple[str, ...] = (),
    tls: ssl.SSLContext | None = None,
    settings: ServerSettings | None = None,
    identity: Identity | None = None,
) -> Iterator[Lab]:
    """A lab whose server runs while the block does.

    The options in the variable ``ORBIT_FAULTS_ARGUMENTS`` are given with every run, so that one suite serves for many
    settings (little memory, many processes).
    """
    arguments += tuple(shlex.split(os.environ.get("ORBIT_FAULTS_ARGUMENTS", "")))
    server = S3Server(tls=tls, settings=settings or ServerSettings())
    if identity is not None:
        server.identities[identity.access_key] = identity
    plan = Injector(server, rules)
    with server:
        yield Lab(server, plan, directory, arguments)
