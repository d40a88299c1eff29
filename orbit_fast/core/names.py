"""Names on both sides: what a key is called on a local disk, and a local file in S3.

The mapping is injective and never tidies: a name that has no exact counterpart is refused with a reason, so that no two
keys meet in one file and no key leaves the destination directory. On POSIX only ``/`` and NUL mean anything in a path:
backslashes, colons, control characters, percent signs and either Unicode normal form stay what they are.
"""

from __future__ import annotations

import unicodedata

from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.limits import MAX_NAME_BYTES
from orbit_fast.core.limits import MAX_PATH_BYTES


def is_directory_marker(name: str) -> bool:
    """Whether a key (or relative name) stands for a directory: it ends with ``/``."""
    return name.endswith("/")


def base_name(name: str) -> str:
    """The last component of a key or relative name; a directory marker keeps its ``/``."""
    return name[name.rfind("/", 0, -1) + 1 :]


def local_name(name: str) -> bytes:
    """The path below the destination directory that the relative name `name` gets.

    A directory marker (``a/b/``) gives the directory's path, without the slash at the end.

    Raises:
        UnsafePath: the name is empty, begins with ``/``, has an empty, ``.`` or ``..`` component, a NUL, or is not
            Unicode text.
        NameTooLong: a component or the whole is longer than file systems take.
    """
    try:
        path = name.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafePath(f"not Unicode text, so without a local name: {name!r}") from None
    if path.endswith(b"/"):
        path = path[:-1]
    if b"\0" in path:
        raise UnsafePath(f"a NUL cannot stand in a local name: {name!r}")
    for component in path.split(b"/"):
        if component in _REFUSED:
            raise UnsafePath(f"{_REFUSED[component]}: {name!r}")
        if len(component) > MAX_NAME_BYTES:
            raise NameTooLong(f"a component has {len(component)} bytes, more than {MAX_NAME_BYTES}: {name!r}")
    if len(path) > MAX_PATH_BYTES:
        raise NameTooLong(f"the path has {len(path)} bytes, more than {MAX_PATH_BYTES}: {name[:100]!r}…")
    return path


_REFUSED = {
    b"": "an empty component cannot be kept in a local path",
    b".": "the component '.' cannot be kept in a local path",
    b"..": "the component '..' would leave the destination",
}


def key_name(path: bytes) -> str:
    """The relative name of the local file `path` (relative, ``/`` between components) in S3.

    Raises:
        InvalidKey: it is not UTF-8, which keys must be.
    """
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        shown = path.decode("utf-8", "backslashreplace")
        raise InvalidKey(f"not UTF-8, which S3 keys must be: {shown}") from None


def file_name(path: bytes) -> str:
    """The relative name of one file given by its path: its last component.

    Raises:
        InvalidKey: it is not UTF-8, which keys must be.
    """
    return key_name(path[path.rstrip(b"/").rfind(b"/") + 1 :])


def folded(name: str) -> str:
    """What two names have in common where a file system ignores case and normal form (macOS's do).

    Unicode's canonical caseless match (The Unicode Standard, 3.13, D145).
    """
    if name.isascii():
        return name.lower()
    return _decomposed(_decomposed(name).casefold())


def other_spellings(name: str) -> tuple[str, ...]:
    """Names that a file system which ignores case, or the normal form, takes for `name`: one for each way to fold."""
    swapped = name.swapcase()
    forms = (swapped,) if name.isascii() else (swapped, unicodedata.normalize("NFC", name), _decomposed(name))
    return tuple(dict.fromkeys(form for form in forms if form != name))


def _decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)
