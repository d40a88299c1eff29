"""The load target as a running process: start it, ask it what it has seen, stop it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path
from ssl import SSLContext
from ssl import create_default_context
from types import TracebackType
from typing import Self

from benchmarks.native import build

ACCESS_KEY = "benchmark"
SECRET_KEY = "benchmark-secret"
NOT_REQUESTS = {"connections", "open", "peak", "bytes_in", "bytes_out", "errors", "Other"}


class LoadTarget(AbstractContextManager["LoadTarget"]):
    """A server on loopback with one thread on each of `cpus`.

    Attributes:
        url: where it listens.
    """

    def __init__(
        self, *, cpus: str = "-1", spin_us: int = 0, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """Prepare one; over TLS where a certificate and its key are given.

        With `spin_us` a thread that has nothing to do polls so long before it sleeps; for CPUs that it has alone.
        """
        program = str(build("load_target", tls=certificate is not None))
        self._command = [program, "--cpus", cpus, "--spin-us", str(spin_us)]
        self._trust: SSLContext | None = None
        if certificate is not None:
            self._command += ["--cert", str(certificate), "--key", str(key)]
            self._trust = create_default_context()
            self._trust.check_hostname = False
            self._trust.load_verify_locations(certificate)
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the load target did not start")
        self.url = f"{'https' if self._trust else 'http'}://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()

    def counters(self, *, reset_peak: bool = False) -> dict[str, int]:
        """What it has seen since it started: requests by operation, connections, bytes."""
        url = f"{self.url}/__stats{'?reset' if reset_peak else ''}"
        with urllib.request.urlopen(url, context=self._trust, timeout=10) as reply:
            return json.load(reply)


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What a run did, between two looks at the counters; one connection and no request is the second look's own."""
    change = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    change["connections"] = max(0, change.get("connections", 0) - 1)
    change["requests"] = sum(count for name, count in change.items() if name not in NOT_REQUESTS)
    change["peak"] = after["peak"]
    return change
