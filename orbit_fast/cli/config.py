"""The configuration file: which one it is, and what it says.

It is the file that ``--config`` or ``ORBIT_CONFIG`` names, else ``orbit/orbit.toml`` in the XDG configuration
directory. Never one in the working directory: what a directory holds may be somebody else's.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from orbit_fast.cli.environment import read_file
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.values import Entry

_NAME = Path("orbit", "orbit.toml")
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_config(named: object, variables: Mapping[str, str], verb: str) -> tuple[dict[str, Entry], ...]:
    """What the configuration file says for a command, the strongest first; nothing where there is no file.

    Args:
        named: what ``--config`` says, or None.
        variables: of the environment.
        verb: the command.

    Raises:
        InvalidConfig: the file named is not there, or the file cannot be used; one line with its name.
    """
    given = named or variables.get("ORBIT_CONFIG")
    path = Path(str(given)) if given else _default_path(variables)
    if path is None:
        return ()
    try:
        content = read_file(str(path))
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        if not given and number in _ABSENT:
            return ()
        raise InvalidConfig(f"cannot read the configuration file {path}: {_reason(error)}") from None
    return _parse(content, str(path), verb)


def _parse(content: bytes, name: str, verb: str) -> tuple[dict[str, Entry], ...]:
    import tomllib  # noqa: PLC0415 - 10 ms that only who has a configuration file pays

    from orbit_fast.core.configfile import read_document  # noqa: PLC0415 - as above

    try:
        document = tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"{name}: not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{name}: not UTF-8, from byte {error.start} on") from None
    except ValueError as error:  # a number of thousands of digits, a date that there is not
        raise InvalidConfig(f"{name}: not TOML: {error}") from None
    except RecursionError:
        raise InvalidConfig(f"{name}: not TOML: nested too deeply") from None
    return read_document(document, verb, name)


def _default_path(variables: Mapping[str, str]) -> Path | None:
    """Where the file is by default, or None where there is no home; relative directories do not count (XDG says so)."""
    base, home = Path(variables.get("XDG_CONFIG_HOME", "")), Path(variables.get("HOME", ""))
    if base.is_absolute():
        return base / _NAME
    return home / ".config" / _NAME if home.is_absolute() else None


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
