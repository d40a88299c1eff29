"""The load target as a running process: start it, ask it what it has seen, stop it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from ssl import create_default_context
from types import TracebackType
from typing import Self

from benchmarks.native import build

ACCESS_KEY = "benchmark"
SECRET_KEY = "benchmark-secret"
NOT_REQUESTS = {"connections", "open", "peak", "bytes_in", "bytes_out", "errors", "Other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How late replies come, and how many requests are refused.

    Attributes:
        latency_ms: the median delay.
        sigma: the standard deviation of the delay's logarithm.
        stall_share: so many replies come after `stall_ms` instead.
        stall_ms: see there.
        error_share: so many requests are answered 503.
    """

    latency_ms: float = 30.0
    sigma: float = 0.35
    stall_share: float = 0.001
    stall_ms: float = 5_000.0
    error_share: float = 0.01

    @property
    def options(self) -> list[str]:
        """For the load target's command line."""
        named = {
            "--latency-ms": self.latency_ms,
            "--sigma": self.sigma,
            "--stall-share": self.stall_share,
            "--stall-ms": self.stall_ms,
            "--error-share": self.error_share,
        }
        return [word for name, value in named.items() for word in (name, f"{value:g}")]


class LoadTarget(AbstractContextManager["LoadTarget"]):
    """A server with one thread on each of `cpus`.

    Attributes:
        url: where it listens.
        address: the same, without port.
        client_prefix: words before a client's command.
    """

    address = "127.0.0.1"

    def __init__(
        self,
        *,
        cpus: str = "-1",
        spin_us: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
        weather: Weather | None = None,
    ) -> None:
        """Prepare one; over TLS where a certificate and its key are given.

        With `spin_us` a thread that has nothing to do polls so long before it sleeps; for CPUs that it has alone.
        """
        program = str(build("load_target", tls=certificate is not None))
        self._command = [program, "--cpus", cpus, "--spin-us", str(spin_us), "--address", self.address]
        self._command += weather.options if weather is not None else []
        self.client_prefix: Sequence[str] = ()
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
        self.url = f"{'https' if self._trust else 'http'}://{self.address}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()

    def counters(self, *, reset_peak: bool = False) -> dict[str, int]:
        """What it has seen since it started: requests by operation, connections, bytes."""
        return json.loads(self._read(f"{self.url}/__stats{'?reset' if reset_peak else ''}"))

    def _read(self, url: str) -> bytes:
        with urllib.request.urlopen(url, context=self._trust, timeout=10) as reply:
            return reply.read()

    def prepare(self, size: int, count: int) -> None:
        """Have `count` objects of `size` bytes: it has all of them already."""

    def stored(self) -> list[int] | None:
        """Sizes of what was stored since the last call, or None where only the counters tell."""
        return None


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What a run did, between two looks at the counters; one connection and no request is the second look's own."""
    change = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    change["connections"] = max(0, change.get("connections", 0) - 1)
    change["requests"] = sum(count for name, count in change.items() if name not in NOT_REQUESTS)
    change["peak"] = after["peak"]
    return change
