"""What only the destination of a sync has: deleted after both sides were seen whole and every copy has succeeded.

Between the look at the destination and this lies the whole job. What has been changed meanwhile is not what was decided
upon, so it stays: a file is looked at again before it is unlinked, and an object is deleted under the condition that it
has the ETag that was listed, where the service knows such conditions.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from typing import Final

from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.events import new_renderer
from orbit_fast.core.messages import Failure
from orbit_fast.core.moments import held
from orbit_fast.core.render.rm import removed_files
from orbit_fast.core.tasks import RemoveExtraFiles
from orbit_fast.core.tasks import RemoveExtraKeys
from orbit_fast.io.directories import names_below
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Flow
from orbit_fast.io.removal import Removal
from orbit_fast.io.task import TaskSurroundings

FILES_A_PAUSE: Final = 64
"""Files that are removed before the loop turns: about a millisecond."""

_OPEN: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


def remove_keys(given: TaskSurroundings, task: RemoveExtraKeys) -> Flow[None]:
    """Delete objects that still have the ETag that was listed, where the service knows such a condition.

    Raises:
        S3Error: nothing may be deleted at all.
    """
    removal = Removal(given, {key: etag for key, etag in task.extras if etag})
    try:
        yield from removal.add(task.site, [(key, "") for key, _ in task.extras])
        yield from removal.finish()
    except S3Error:
        yield from removal.settle()
        raise
    finally:
        removal.close()


def remove_files(given: TaskSurroundings, task: RemoveExtraFiles) -> Flow[None]:
    """Unlink files. Directories that become empty stay."""
    renderer = new_renderer(given.settings, operation="rm")
    parents = _Parents(task.root)
    gone: list[bytes] = []
    try:
        for count, (path, *facts) in enumerate(task.extras, 1):
            whole = parents.join(path)
            try:
                if not given.settings.output.dry_run:
                    parents.unlink(path, facts)
                gone.append(whole)
            except (OSError, S3Error) as error:
                known = local_error(error, whole, Side.DESTINATION) if isinstance(error, OSError) else error
                failure = Failure.of(known)
                lines = renderer.failed((whole, ""), failure, line=given.line)
                given.say(lines.out, lines.err)
                given.failed(failure)
            if count % FILES_A_PAUSE == 0:
                yield PAUSE
    finally:
        parents.close()
        given.say(removed_files(gone, given.settings.output))
        given.tallied.deleted += len(gone)


class _Parents:
    """Directories below a root, entered one name at a time and never through a link; the last one is kept open."""

    def __init__(self, root: bytes) -> None:
        self._root = root.rstrip(b"/") or root[:1]
        self._path: bytes | None = None
        self._fd = -1

    def join(self, path: bytes) -> bytes:
        """The whole path, for messages."""
        return self._root + path if self._root.endswith(b"/") else self._root + b"/" + path

    def unlink(self, path: bytes, facts: Sequence[int]) -> None:
        """Remove a file that has this size and these times; one that is gone already is no matter.

        The time of its last change tells it from a file that was given its size and time: where the file system folds
        case, a copy that has just arrived may stand under the name of an extra.

        Raises:
            OSError: the system refuses, or a link stands in the way.
            PreconditionFailed: it is another one now.
        """
        directory, _, name = path.rpartition(b"/")
        with contextlib.suppress(FileNotFoundError):
            self._enter(directory)
            found = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            now = (found.st_size, held(found.st_mtime_ns), held(found.st_ctime_ns))
            if not stat.S_ISREG(found.st_mode) or now != tuple(facts):
                raise PreconditionFailed(f"it has changed since it was looked at, and stays: {shown(path)}")
            os.unlink(name, dir_fd=self._fd)

    def close(self) -> None:
        """Close what is open."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._path = None

    def _enter(self, directory: bytes) -> None:
        if self._path == directory:
            return
        self.close()
        fd = os.open(self._root, _OPEN)
        try:
            for name in names_below(self.join(directory), self._root) if directory else []:
                inner = os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = inner
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._path = directory
