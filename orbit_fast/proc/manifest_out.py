"""``--manifest-out``: what arrived, a line each, in a file that is there whole or not at all.

Lines come finished from the workers and are written as they come, to a temporary file beside the one that is wanted. It
takes that one's place when the job has ended, with every object or with some failures; a job that ended early or came
to damage leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.settings import JobSettings
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.proc.report import Report
from orbit_fast.proc.supervisor import Supervisor

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COMPLETE: Final = frozenset({Exit.DONE, Exit.SOME_FAILED})
_BUFFER: Final = 256 << 10


class ManifestFile:
    """A manifest that is being written."""

    def __init__(self, path: str, run: str) -> None:
        """Begin to write what will be `path`, for the job of this number.

        Raises:
            InvalidConfig: nothing can be written there.
        """
        self._path = os.fsencode(path)
        # No object of the job has the number 0; crashed runs' files of this name are removed like theirs.
        self._temp = os.path.join(os.path.dirname(self._path), f".orbit-{run}-0.tmp".encode())
        if os.path.isdir(self._path):
            raise InvalidConfig(f"cannot write --manifest-out {path}: it is a directory")
        try:
            fd = os.open(self._temp, _CREATE, 0o666)
        except OSError as error:
            raise InvalidConfig(f"cannot write --manifest-out {path}: {error.strerror}") from None
        self._file = os.fdopen(fd, "wb", _BUFFER)

    def add(self, rows: bytes) -> None:
        """More lines.

        Raises:
            LocalError: the disk does not take them.
        """
        try:
            self._file.write(rows)
        except OSError as error:
            raise local_error(error, self._path, Side.DESTINATION) from None

    def finish(self, exit_code: int) -> None:
        """The job has ended so.

        Raises:
            LocalError: the disk does not take what is left, or the file's name.
        """
        if exit_code not in _COMPLETE:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            os.rename(self._temp, self._path)
        except OSError as error:
            raise local_error(error, self._path, Side.DESTINATION) from None

    def close(self) -> None:
        """Remove what was not finished."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temp)


@contextlib.contextmanager
def writing_manifest(settings: JobSettings, supervisor: Supervisor, report: Report) -> Iterator[None]:
    """While the job runs, its manifest is written, where one is wanted.

    Raises:
        InvalidConfig: it cannot be.
    """
    if not settings.output.manifest_out or settings.output.dry_run:
        yield
        return
    file = ManifestFile(settings.output.manifest_out, supervisor.run_id)
    supervisor.on_rows = file.add
    report.on_close = file.finish
    try:
        yield
    finally:
        file.close()
