"""What the system says about a file, as a typed error."""

import errno
import os

import pytest

from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.errors import Vanished
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown


@pytest.mark.parametrize(
    ("number", "side", "kind", "code", "scope"),
    [
        (errno.ENOSPC, Side.DESTINATION, NoSpace, "E_NO_SPACE", Scope.JOB),
        (errno.EDQUOT, Side.DESTINATION, NoSpace, "E_NO_SPACE", Scope.JOB),
        (errno.EROFS, Side.DESTINATION, LocalError, "E_READ_ONLY", Scope.JOB),
        (errno.EACCES, Side.DESTINATION, LocalError, "E_IO", Scope.OBJECT),
        (errno.EACCES, Side.SOURCE, SourceUnreadable, "E_SOURCE_UNREADABLE", Scope.OBJECT),
        (errno.EPERM, Side.SOURCE, SourceUnreadable, "E_SOURCE_UNREADABLE", Scope.OBJECT),
        (errno.EIO, Side.SOURCE, SourceUnreadable, "E_SOURCE_UNREADABLE", Scope.OBJECT),
        (errno.EIO, Side.DESTINATION, LocalError, "E_IO", Scope.OBJECT),
        (errno.ENAMETOOLONG, Side.DESTINATION, NameTooLong, "E_NAME_TOO_LONG", Scope.OBJECT),
        (errno.EISDIR, Side.DESTINATION, NameConflict, "E_FILE_DIR_CONFLICT", Scope.OBJECT),
        (errno.ENOTDIR, Side.DESTINATION, NameConflict, "E_FILE_DIR_CONFLICT", Scope.OBJECT),
        (errno.ENOTDIR, Side.SOURCE, Vanished, "E_VANISHED", Scope.OBJECT),
        (errno.ENOENT, Side.SOURCE, Vanished, "E_VANISHED", Scope.OBJECT),
        (errno.ELOOP, Side.SOURCE, LocalError, "E_SYMLINK", Scope.OBJECT),
        (errno.ELOOP, Side.DESTINATION, UnsafePath, "E_PATH_UNSAFE", Scope.OBJECT),
        (errno.ENXIO, Side.SOURCE, LocalError, "E_SPECIAL", Scope.OBJECT),
        (errno.EFBIG, Side.DESTINATION, TooLarge, "E_TOO_LARGE", Scope.OBJECT),
        (errno.EMFILE, Side.SOURCE, LocalError, "E_IO", Scope.OBJECT),
    ],
)
def test_error_table(number, side, kind, code, scope):
    """Each errno has one typed error on each side; the message names the reason and the file."""
    error = local_error(OSError(number, "whatever"), b"/d/\xff\xc3\xa9", side)
    assert (type(error), error.code, error.scope) == (kind, code, scope)
    assert error.message == f"{os.strerror(number)}: /d/\\xffé"


def test_an_error_without_a_number_keeps_its_text():
    """Where the system gave no errno, its own words are shown."""
    error = local_error(OSError("strange"), b"a", Side.SOURCE)
    assert (type(error), error.message) == (LocalError, "strange: a")


@pytest.mark.parametrize(
    ("path", "expected"),
    [(b"a b", "a b"), ("é😀".encode(), "é😀"), (b"\xff\xfe", "\\xff\\xfe"), (b"", "")],
)
def test_shown_can_always_be_encoded(path, expected):
    """A name in a message has no lone surrogate, so that it can cross to another process."""
    assert shown(path) == expected
    shown(path).encode()
