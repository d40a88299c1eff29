"""Trees of files: made for a test, and compared byte for byte. Names are bytes, as the disk has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MIB = 1024 * 1024
PART = 5 * MIB
"""The smallest part that S3 takes."""

ODD_NAMES = (
    "with space",
    " leading and trailing ",
    "plus+sign",
    "percent%41%zz",
    "question?mark",
    "hash#mark",
    "at@sign",
    "amper&sand=equals;semicolon",
    "star*star",
    "square[bracket]",
    "quotes'\"",
    "back\\slash",
    "less<greater>",
    "tilde~exclamation!(parens),comma:colon",
    "new\nline",
    "tab\ttab",
    "next\u0085line",
    "del\x7f",
    "emoji-\U0001f680",
    "nfc-\u00e9",
    "nfd-e\u0301",
    "\ufb01 ligature \u202e right to left",
    "-dash",
    ".hidden",
    "..two-dots",
    "n" * 250,
    "\u00e9" * 125,
)
"""Each is a name that a Linux directory holds and that S3 takes as (the last component of) a key."""


def content(seed: int, size: int) -> bytes:
    """Bytes that no two seeds share and that no shifted or swapped part leaves equal."""
    block = b"".join((seed * 1_000_003 + number).to_bytes(8, "little") for number in range(512))
    repeated = bytearray((block * (size // len(block) + 1))[:size])
    for offset in range(0, size, len(block)):
        end = min(offset + 8, size)
        repeated[offset:end] = (offset ^ seed).to_bytes(8, "big")[: end - offset]
    return bytes(repeated)


def make_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write `files` (name to content) below `root`."""
    for name, data in files.items():
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    """Every regular file below `root`, by its name relative to it. Anything else there is a mistake."""
    found: dict[str, bytes] = {}
    base = os.fsencode(root)
    for directory, _, names in os.walk(base):
        for name in names:
            path = os.path.join(directory, name)
            assert os.path.isfile(path), path
            assert not os.path.islink(path), path
            with open(path, "rb") as file:
                found[os.fsdecode(os.path.relpath(path, base))] = file.read()
    return found


def differences(found: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> list[str]:
    """What is missing, too much or different: names only, so that a failed test can be read."""
    missing = [f"missing: {name!r}" for name in wanted.keys() - found.keys()]
    extra = [f"too much: {name!r}" for name in found.keys() - wanted.keys()]
    other = [f"other bytes: {name!r}" for name in wanted.keys() & found.keys() if wanted[name] != found[name]]
    return sorted(missing + extra + other)


def ordinary_files() -> dict[str, bytes]:
    """Small files, empty ones, and one each of a part less a byte, a part, a part and a byte, and several parts."""
    files = {f"small/{number % 3}/file-{number:02}": content(number, number * 97) for number in range(12)}
    files["empty"] = b""
    files["deep/a/b/c/d/e/empty too"] = b""
    files["parts/less"] = content(101, PART - 1)
    files["parts/exact"] = content(102, PART)
    files["parts/more"] = content(103, PART + 1)
    files["parts/three"] = content(104, 2 * PART + 12345)
    return files


def odd_files() -> dict[str, bytes]:
    """One small file of every odd name."""
    files = {f"odd/{name}": content(200 + number, 50 + number) for number, name in enumerate(ODD_NAMES)}
    files["dir with space/and+plus/%2F/in"] = content(300, 33)
    return files
