"""A file system of its own for a test, in a mount namespace that nobody else sees and that ends with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit import folding_fs


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A file system, mounted.

    Attributes:
        inside: its path for programs that run with `prefix`.
        path: the same directory as seen from here.
        prefix: the command that runs a program where it is mounted.
    """

    inside: Path
    path: Path
    prefix: tuple[str, ...]

    def remount(self, options: str) -> None:
        """Mount it again with other options: ``ro``."""
        subprocess.run([*self.prefix, "mount", "-o", f"remount,{options}", str(self.inside)], check=True)


@contextlib.contextmanager
def mount(directory: Path, options: str) -> Iterator[Disk]:
    """Mount a tmpfs with `options` over `directory`; skips the test where the system does not allow it."""
    script = 'mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec cat'
    with _held(directory, ["sh", "-c", script, "sh", options, str(directory)]) as disk:
        yield disk


@contextlib.contextmanager
def mount_folding(directory: Path, ways: str = "case,forms") -> Iterator[Disk]:
    """Mount a file system that folds names (`folding_fs`) over `directory`; else skips the test."""
    with _held(directory, [sys.executable, folding_fs.__file__, str(directory), ways]) as disk:
        yield disk


@contextlib.contextmanager
def _held(directory: Path, command: list[str]) -> Iterator[Disk]:
    """A mount that `command` makes, which then says so, and holds until its stdin ends."""
    if not all(map(shutil.which, ("unshare", "nsenter", "mount"))):
        pytest.skip("there is no unshare, nsenter or mount to make a file system with")
    is_root = os.geteuid() == 0
    namespaces = ["--mount"] if is_root else ["--mount", "--user", "--map-root-user"]
    holder = subprocess.Popen(
        ["unshare", *namespaces, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip(f"no file system can be mounted here: {holder.stderr.read().decode().strip()}")
        prefix = ("nsenter", "--target", str(holder.pid), "--mount")
        if not is_root:
            prefix += ("--user", "--preserve-credentials")
        yield Disk(inside=directory, path=Path(f"/proc/{holder.pid}/root{directory}"), prefix=prefix)
    finally:
        holder.stdin.close()
        holder.wait(60)
        holder.stdout.close()
        holder.stderr.close()
