"""``rclone serve s3`` as a second server: one that really stores, computes and checks, and is slow at it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.native import beside
from benchmarks.target import ACCESS_KEY
from benchmarks.target import SECRET_KEY

PATIENCE_S = 20.0


class RcloneTarget(AbstractContextManager["RcloneTarget"]):
    """A running rclone that serves a directory.

    Attributes:
        url: where it listens.
        client_prefix: words before a client's command: none.
    """

    client_prefix: Sequence[str] = ()

    def __init__(self, folder: Path, bucket: str, *, cpus: str) -> None:
        """Serve `folder`, whose directory `bucket` is a bucket, on the CPUs `cpus`."""
        self._bucket = folder / bucket
        self._cpus = cpus
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        program = beside("rclone")
        if program is None:
            raise RuntimeError("rclone is not installed")
        self._bucket.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [program, "serve", "s3", str(self._bucket.parent), "--config", "", "--addr", f"127.0.0.1:{port}"]
        command += [
            "--auth-key",
            f"{ACCESS_KEY},{SECRET_KEY}",
            "--no-cleanup",
            "--vfs-cache-mode",
            "off",
            "--dir-cache-time",
            "0s",
        ]
        if self._cpus != "-1" and shutil.which("taskset"):
            command = ["taskset", "-c", self._cpus, *command]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError("rclone serve s3 did not start")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def counters(self, *, reset_peak: bool = False) -> dict[str, int]:  # noqa: ARG002 - it counts nothing
        """What it has seen: it does not say."""
        return {}

    def prepare(self, size: int, count: int) -> None:
        """Have `count` objects of `size` bytes, named as the load target's."""
        root = self._bucket / "synth" / str(size) / str(count)
        if root.exists():
            return
        content = bytes(range(256)) * (size // 256 + 1)
        for number in range(count):
            path = root / f"{number // 1000:04}" / f"{number:07}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[:size])

    def stored(self) -> list[int] | None:
        """Sizes of what was stored since the last call."""
        uploads = self._bucket / "up"
        sizes = [path.stat().st_size for path in uploads.rglob("*") if path.is_file()]
        shutil.rmtree(uploads, ignore_errors=True)
        return sizes
