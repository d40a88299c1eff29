"""A link of limited rate: two network namespaces, a veth pair between them, and a token bucket at each end.

The load target runs in one namespace, the client in the other; nothing of it touches the machine's own network. It
needs root and Linux's ``tbf`` queue.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.target import LoadTarget

_READ = "import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=10).read())"


class NoLink(RuntimeError):
    """There can be none here; why stands in its text."""


def why_not() -> str:
    """What a link would need and is not here, or ``''``."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    missing = [program for program in ("ip", "tc") if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)} (iproute2)" if missing else ""


class LinkedTarget(LoadTarget):
    """A load target at the other end of a link of `rate` bits per second."""

    address = "192.0.2.2"  # RFC 5737: an address for documentation, here of a namespace that nobody else sees

    def __init__(self, *, rate: int, cpus: str = "-1") -> None:
        """Prepare it.

        Raises:
            NoLink: it cannot be made here.
        """
        reason = why_not()
        if reason:
            raise NoLink(reason)
        super().__init__(cpus=cpus)
        self._rate = rate
        self._names = [f"orbit-bench-{end}-{os.getpid()}-{rate // 1_000_000}" for end in ("client", "server")]
        client, server = self._names
        self._command = ["ip", "netns", "exec", server, *self._command]
        self.client_prefix = ("ip", "netns", "exec", client)

    def __enter__(self) -> Self:
        try:
            self._make()
            return super().__enter__()
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._remove()

    def _make(self) -> None:
        client, server = self._names
        for name in self._names:
            _do("ip", "netns", "add", name)
            _do("ip", "-n", name, "link", "set", "lo", "up")
        _do("ip", "-n", client, "link", "add", "up0", "type", "veth", "peer", "name", "down0", "netns", server)
        burst = max(256 << 10, self._rate // 8 // 250)
        for name, end, address in ((client, "up0", "192.0.2.1/30"), (server, "down0", f"{self.address}/30")):
            _do("ip", "-n", name, "addr", "add", address, "dev", end)
            _do("ip", "-n", name, "link", "set", end, "up")
            limits = ["rate", f"{self._rate}bit", "burst", str(burst), "latency", "20ms"]
            _do("tc", "-n", name, "qdisc", "add", "dev", end, "root", "tbf", *limits)

    def _remove(self) -> None:
        for name in self._names:
            if Path("/run/netns", name).exists():
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def _read(self, url: str) -> bytes:
        command = [*self.client_prefix, sys.executable, "-I", "-c", _READ, url]
        return subprocess.run(command, capture_output=True, check=True).stdout


def _do(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise NoLink(f"{_shown(command)}: {result.stderr.strip()}")


def _shown(command: Sequence[str]) -> str:
    return " ".join(command)
