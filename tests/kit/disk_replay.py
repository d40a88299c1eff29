"""A disk that loses power: what is on it after the first so many calls of a record (`tests.kit.disk_record`).

The model promises nothing that POSIX does not: bytes are safe when their file was flushed since, a name when its
directory was, a directory when the one above was. Whatever is not safe may be there or not; `Loss` says which.
"""

from __future__ import annotations

import base64
import enum
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any


class Loss(enum.Enum):
    """What of that which is not safe is gone."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    BYTES = "bytes"
    """Names are there, what was written to their files is not."""
    ZEROED = "zeroed"
    """As `BYTES`, and the files have their lengths, with zeros."""
    NAMES = "names"
    """What was written is there, new names are not, and old ones are there again."""
    TORN = "torn"
    """Nothing, but for half of the last write."""


@dataclass(slots=True)
class _File:
    now: bytearray = field(default_factory=bytearray)
    safe: bytes = b""

    def write(self, data: bytes, offset: int) -> None:
        if len(self.now) < offset:
            self.now += bytes(offset - len(self.now))
        self.now[offset : offset + len(data)] = data

    def after(self, loss: Loss) -> bytes:
        """Its bytes."""
        if loss in {Loss.NOTHING, Loss.NAMES, Loss.TORN}:
            return bytes(self.now)
        return self.safe.ljust(len(self.now), b"\0") if loss is Loss.ZEROED else self.safe


def read_record(path: Path) -> list[dict[str, Any]]:
    """The calls of a record."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


class Disk:
    """A directory and everything below it, from its state before the first call on."""

    def __init__(self, root: Path) -> None:
        """What is below `root` now is safe."""
        self._root = str(root)
        self._files: dict[int, _File] = {}
        self._now: dict[str, int] = {}
        self._safe: dict[str, int] = {}
        self._last: tuple[int, int, int] | None = None
        for path in sorted(root.rglob("*")):
            self._now[str(path)] = number = 0 if path.is_dir() else path.stat().st_ino
            if number:
                data = path.read_bytes()
                self._files[number] = _File(bytearray(data), data)
        self._safe = dict(self._now)

    def apply(self, call: Mapping[str, Any]) -> None:
        """One more call."""
        path, kind = call.get("path", ""), call["kind"]
        if path and path != self._root and not path.startswith(self._root + os.sep):
            return
        self._last = None
        match kind:
            case "mkdir":
                self._now[path] = 0
            case "create":
                self._files[call["file"]] = _File()
                self._now[path] = call["file"]
            case "write" if call["file"] in self._files:
                data = base64.b64decode(call["data"])
                self._files[call["file"]].write(data, call["offset"])
                self._last = (call["file"], call["offset"], len(data))
            case "resize" if call["file"] in self._files:
                one = self._files[call["file"]]
                one.now = bytearray(bytes(one.now[: call["size"]]).ljust(call["size"], b"\0"))
            case "flush" if call["file"] in self._files:
                one = self._files[call["file"]]
                one.safe = bytes(one.now)
            case "flush directory":
                self._flush_directory(path)
            case "rename":
                self._now[call["to"]] = self._now.pop(path)
            case "remove":
                self._now.pop(path, None)

    def _flush_directory(self, directory: str) -> None:
        inside = lambda path: os.path.dirname(path) == directory  # noqa: E731 - twice, here
        self._safe = {path: number for path, number in self._safe.items() if not inside(path)}
        self._safe |= {path: number for path, number in self._now.items() if inside(path)}

    def after(self, loss: Loss) -> dict[str, bytes | None]:
        """What is there when the power comes back: bytes by path relative to the root; None for a directory."""
        names = self._safe if loss in {Loss.EVERYTHING, Loss.NAMES} else self._now
        found: dict[str, bytes | None] = {}
        for path, number in sorted(names.items()):
            above = os.path.dirname(path)
            if above != self._root and os.path.relpath(above, self._root) not in found:
                continue  # the directory that it was in is gone
            found[os.path.relpath(path, self._root)] = self._files[number].after(loss) if number else None
        if loss is Loss.TORN and self._last is not None:
            self._tear(found, *self._last)
        return found

    def _tear(self, found: dict[str, bytes | None], number: int, offset: int, size: int) -> None:
        for path, other in self._now.items():
            name = os.path.relpath(path, self._root)
            data = found.get(name)
            if other == number and data is not None and len(data) == offset + size:
                found[name] = data[: offset + size // 2]


def lay_out(directory: Path, found: Mapping[str, bytes | None], modes: int = 0o700) -> None:
    """Make a directory that holds this and nothing else."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name, data in found.items():
        path = directory / name
        if data is None:
            path.mkdir(mode=modes)
        else:
            path.write_bytes(data)
            path.chmod(0o600)
