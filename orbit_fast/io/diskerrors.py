r"""What the operating system says about a local file, as one of orbit's errors: a table, indexed by `errno`.

A name is shown as UTF-8 with every other byte as ``\xNN``, so that the message can travel in any encoding.
"""

from __future__ import annotations

import errno
import os
from enum import Enum
from typing import Final

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import Vanished


class Side(Enum):
    """Which end of a transfer the file is."""

    SOURCE = "source"
    DESTINATION = "destination"


_ANY_SIDE: Final[dict[int, type[S3Error]]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.ENAMETOOLONG: NameTooLong,
    errno.ENOENT: Vanished,
    errno.ESTALE: Vanished,
    errno.EFBIG: TooLarge,
    errno.EILSEQ: UnsafePath,
}
_SOURCE: Final[dict[int, type[S3Error]]] = {
    errno.EACCES: SourceUnreadable,
    errno.EPERM: SourceUnreadable,
    errno.EIO: SourceUnreadable,
    errno.ENOTDIR: Vanished,
}
_DESTINATION: Final[dict[int, type[S3Error]]] = {
    errno.EISDIR: NameConflict,
    errno.ENOTDIR: NameConflict,
    errno.EEXIST: NameConflict,
    errno.ENOTEMPTY: NameConflict,
    errno.ELOOP: UnsafePath,
}
_CODES: Final[dict[int, str]] = {
    errno.EROFS: "E_READ_ONLY",
    errno.ELOOP: "E_SYMLINK",
    errno.ENXIO: "E_SPECIAL",  # what opening a socket or a FIFO nobody reads gives
    errno.ENODEV: "E_SPECIAL",
}
_TOO_MANY_FILES: Final[frozenset[int]] = frozenset({errno.EMFILE, errno.ENFILE})
_EVERY_OTHER_TOO: Final[frozenset[int]] = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def shown(path: bytes) -> str:
    r"""`path` as text for a message: UTF-8, with bytes that are not as ``\xNN``."""
    return path.decode("utf-8", "backslashreplace")


def local_error(error: OSError, path: bytes, side: Side) -> S3Error:
    """The typed error for what the system said about `path`.

    A full disk and a read-only file system stop the job, because every other file would fail in the same way.
    """
    number = error.errno or 0
    one_sided = _SOURCE if side is Side.SOURCE else _DESTINATION
    kind = one_sided.get(number) or _ANY_SIDE.get(number, LocalError)
    reason = os.strerror(number) if number else str(error)
    return kind(
        f"{reason}: {shown(path)}",
        code=_CODES.get(number, "") if kind is LocalError else "",
        scope=Scope.JOB if number in _EVERY_OTHER_TOO else None,
    )


def refusal(error: OSError) -> LocalError:
    """The typed error for what the system refused to the process as a whole: descriptors, processes, memory."""
    reason = error.strerror or str(error)
    name = error.filename if isinstance(error.filename, str | bytes) else ""
    about = f": {shown(os.fsencode(name))}" if name else ""
    advice = " (ulimit -n has the limit)" if error.errno in _TOO_MANY_FILES else ""
    return LocalError(f"the system refuses: {reason}{advice}{about}")
