"""The peers of extras: whether the source of a sync has a name after all that its listing did not name.

A listing can leave out what is there: a gateway that loses a page, a store that names new objects late, a file that has
come back. One peer that is found, or of which nothing can be learnt, is enough: the task fails, saying which.

What cannot be a key, or a path on this disk, is at the source of no sync and is not looked for. Where a file system
folds case, a file of another case counts as the peer: nothing is deleted then, which can be put right; the other way
round it could not.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from functools import partial
from typing import Any
from typing import Final

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import IncompleteListing
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import check_key
from orbit_fast.core.names import local_name
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.core.tasks import LookForKeys
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Flow
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.transfer import find

AT_ONCE: Final = 32
"""HEADs of one task: as many small requests as one connection pool has in flight anyway."""

FILES_A_PAUSE: Final = 256
"""Files that are looked for before the loop turns: less than a millisecond."""

_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def look_for_keys(given: TaskSurroundings, task: LookForKeys) -> Flow[None]:
    """Ask for each key, many at once.

    Raises:
        IncompleteListing: one of them is there, or nobody can tell.
    """
    bucket = given.around.sites[task.site].bucket
    together = given.together(limit=AT_ONCE)
    trouble: list[S3Error] = []

    def ended(name: str, result: Any) -> None:
        if isinstance(result, S3Error):
            trouble.append(_unclear(name, result))
        elif result is not None:
            trouble.append(_found(name))

    try:
        for key in task.keys:
            if not _can_be_key(key):
                continue
            together.limit = min(AT_ONCE, given.allowed() or AT_ONCE)
            yield from together.room()
            if trouble:
                break
            together.start(find(given.around, task.site, key), partial(ended, str(S3Url(bucket, key))))
        yield from together.rest()
    finally:
        together.cancel()
    if trouble:
        raise trouble[0]


def look_for_files(given: TaskSurroundings, task: LookForFiles) -> Flow[None]:
    """Ask the file system for each name.

    Raises:
        IncompleteListing: one of them is there, or nobody can tell.
    """
    follows = given.settings.selection.follow_symlinks
    try:
        os.stat(task.root)
    except OSError as error:
        raise _unclear(shown(task.root), local_error(error, task.root, Side.SOURCE)) from None
    for count, name in enumerate(task.names, 1):
        try:
            path = task.root + local_name(name)
        except (UnsafePath, NameTooLong):
            continue
        try:
            is_there = _is_there(path, is_directory=name.endswith("/"), follows=follows)
        except OSError as error:
            raise _unclear(shown(path), local_error(error, path, Side.SOURCE)) from None
        if is_there:
            raise _found(shown(path))
        if count % FILES_A_PAUSE == 0:
            yield PAUSE


def _can_be_key(key: str) -> bool:
    try:
        check_key(key)
    except InvalidKey:
        return False
    return True


def _is_there(path: bytes, *, is_directory: bool, follows: bool) -> bool:
    """Whether there is something of this name that a key of it stands for; a directory is no file's peer.

    A link is whatever it leads to where the sync `follows` links; else, and where it leads nowhere, nobody knows what
    it is, so it is there.

    Raises:
        OSError: the system does not say.
    """
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode) and follows:
            with contextlib.suppress(FileNotFoundError):
                mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return stat.S_ISLNK(mode) or stat.S_ISDIR(mode) == is_directory


def _found(name: str) -> S3Error:
    return IncompleteListing(f"{name} is at the source, which was listed without it")


def _unclear(name: str, error: S3Error) -> S3Error:
    if isinstance(error, Cancelled):
        return error
    why = f"it cannot be told whether {name} is at the source: {error.message}"
    unclear = IncompleteListing(why, code=error.code, status=error.status, request_id=error.request_id)
    unclear.attempts = error.attempts
    return unclear
