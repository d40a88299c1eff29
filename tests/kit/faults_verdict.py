"""The verdict on a run: from what the server stores and what lies on the disk, never from what the client says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from pathlib import Path

from orbit_fast.testing import Refusal
from orbit_fast.testing import S3Server

Wanted = bytes | tuple[bytes, ...]
"""The bytes that are right, or several contents of which each is (an object that is replaced meanwhile)."""


class State(Enum):
    """What is found under a name."""

    RIGHT = "right"
    UNTOUCHED = "untouched"
    """Nothing, or what was there before: the honest state of a transfer that failed."""
    PARTIAL = "partial"
    DAMAGED = "damaged"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a run left.

    Attributes:
        states: by name: key of an upload, path relative to the destination of a download.
        litter: temporary files and names that nobody asked for.
        uploads: unfinished multipart uploads, by key.
    """

    states: dict[str, State]
    litter: tuple[str, ...] = ()
    uploads: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Everything arrived."""
        return all(state is State.RIGHT for state in self.states.values())

    @property
    def is_harmless(self) -> bool:
        """Whatever is not right is as it was."""
        return all(state in {State.RIGHT, State.UNTOUCHED} for state in self.states.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a run is for.

    Attributes:
        wanted: what shall be there in the end.
        before: what is there at the start.
        bucket: destination in S3, or ``''``.
        directory: destination on the disk, or None.
    """

    wanted: Mapping[str, Wanted]
    before: Mapping[str, bytes] = field(default_factory=dict)
    bucket: str = ""
    directory: Path | None = None

    def judge(self, server: S3Server) -> Verdict:
        """Look at what is there."""
        found = read_files(self.directory) if self.directory is not None else _read_bucket(server, self.bucket)
        states = {name: judge(found.get(name), wanted, self.before.get(name)) for name, wanted in self.wanted.items()}
        litter = sorted(name for name in found.keys() - self.wanted.keys() if found[name] != self.before.get(name))
        uploads = tuple(upload.key for upload in server.store.unfinished_uploads())
        return Verdict(states=states, litter=tuple(litter), uploads=uploads)


def judge(found: bytes | None, wanted: Wanted, before: bytes | None) -> State:
    """The state of one name."""
    contents = (wanted,) if isinstance(wanted, bytes) else wanted
    if found is not None and found in contents:
        return State.RIGHT
    if found == before:
        return State.UNTOUCHED
    assert found is not None or before is not None
    if found is None:
        return State.WRONG
    if any(len(found) < len(content) and content.startswith(found) for content in contents):
        return State.PARTIAL
    if any(len(found) == len(content) for content in contents):
        return State.DAMAGED
    return State.WRONG


def read_files(directory: Path) -> dict[str, bytes]:
    """Every file below `directory`, temporary ones too; links and special files by what they are."""
    found: dict[str, bytes] = {}
    for parent, _, names in os.walk(directory):
        for name in names:
            path = Path(parent, name)
            relative = str(path.relative_to(directory))
            found[relative] = path.read_bytes() if path.is_file() and not path.is_symlink() else b"(special)"
    return found


def _read_bucket(server: S3Server, bucket: str) -> dict[str, bytes]:
    try:
        return {key: server.store.read(bucket, key) for key in server.store.keys(bucket)}
    except Refusal:
        return {}
