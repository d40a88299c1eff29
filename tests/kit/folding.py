"""A directory that folds names, without a file system that does: this process's calls are led to the names it has.

Only names below the directory, and only in the calls that landing files make. For the real thing see `folding_fs`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from orbit_fast.io import libc
from orbit_fast.io import spelling
from tests.kit.folding_fs import fold_with
from tests.kit.folding_fs import store_with

_LISTDIR = os.listdir


class FoldingDirectory:
    """Makes `root` and what is below it fold names, for this process and as long as `monkeypatch` lasts.

    Attributes:
        exclusive: renames that may not replace anything, as far as they were asked for.
    """

    def __init__(self, root: bytes, monkeypatch: pytest.MonkeyPatch, ways: str = "case,forms") -> None:
        self._root = os.path.realpath(root)
        self._fold = fold_with(ways)
        self._stored = store_with(ways)
        self.exclusive = 0
        for name in ("open", "stat", "lstat", "mkdir", "unlink"):
            monkeypatch.setattr(os, name, self._led(getattr(os, name)))
        rename, link = os.rename, os.link

        def new_rename(
            source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
        ) -> None:
            rename(self.real(source, src_dir_fd), self.real(target, dst_dir_fd))

        def new_link(source: Any, target: Any, **rest: Any) -> None:
            link(self.real(source, rest["src_dir_fd"]), self.real(target, rest["dst_dir_fd"]))

        def exclusively(source: bytes, target: bytes, *, dir_fd: int) -> None:
            self.exclusive += 1
            libc.rename_exclusively(self.real(source, dir_fd), self.real(target, dir_fd), dir_fd=dir_fd)

        monkeypatch.setattr(os, "rename", new_rename)
        monkeypatch.setattr(os, "link", new_link)
        monkeypatch.setattr(spelling, "rename_exclusively", exclusively)

    def real(self, path: Any, dir_fd: int | None = None) -> Any:
        """The path with each name below the root as it is spelt there; what is not there, as it is given."""
        if isinstance(path, int):
            return path
        asked = os.fsencode(path)
        base = os.fsencode(os.readlink(f"/proc/self/fd/{dir_fd}")) if dir_fd is not None else os.getcwdb()
        whole = os.path.join(base, asked)
        if not whole.startswith(self._root + b"/"):
            return whole if dir_fd is not None else path
        found = self._root
        for name in whole[len(self._root) + 1 :].split(b"/"):
            found += b"/" + self._spelt(found, name)
        return found if isinstance(path, bytes) else os.fsdecode(found)

    def _spelt(self, directory: bytes, name: bytes) -> bytes:
        try:
            names = _LISTDIR(directory)
        except OSError:
            return name
        return next((each for each in names if self._fold(each) == self._fold(name)), self._stored(name))

    def _led(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def led(path: Any, *args: Any, dir_fd: int | None = None, **rest: Any) -> Any:
            return call(self.real(path, dir_fd), *args, **rest)

        return led
