"""What the process was given: arguments, variables, streams. The only place that reads or writes any of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_STDOUT = 1
_STDERR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of one run of the command.

    Attributes:
        arguments: of the command line, without the program's name; bytes that are not UTF-8 are lone surrogates.
        variables: of the environment.
        is_stdout_tty: whether stdout is a terminal.
        is_stderr_tty: whether stderr is a terminal.
    """

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str]
    is_stdout_tty: bool = False
    is_stderr_tty: bool = False

    def __repr__(self) -> str:
        return f"Environment(arguments={len(self.arguments)}, variables={len(self.variables)})"


def read_environment() -> Environment:
    """The surroundings of this process."""
    return Environment(
        arguments=tuple(sys.argv[1:]),
        variables=dict(os.environ),
        is_stdout_tty=_is_terminal(_STDOUT),
        is_stderr_tty=_is_terminal(_STDERR),
    )


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def write_out(data: bytes) -> None:
    """Write all of `data` to stdout.

    Raises:
        OSError: it is closed, full or broken.
    """
    _write(_STDOUT, data)


def write_err(data: bytes) -> None:
    """Write `data` to stderr; where that is closed or broken there is nobody left to tell."""
    try:
        _write(_STDERR, data)
    except OSError:
        return


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def read_file(name: str) -> bytes:
    """The bytes of a small local file.

    Raises:
        OSError: it cannot be read.
    """
    return Path(name).read_bytes()


def forbid_instance_metadata() -> None:
    """From now on nobody in this process asks the machine's metadata service for credentials.

    That can take seconds on a machine that has none. Botocore reads the variable from the process itself.
    """
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def leave_at_once(status: int) -> NoReturn:
    """End the process without waiting for anything."""
    os._exit(status)


def now_ns() -> int:
    """Nanoseconds since 1970 UTC."""
    from orbit_fast.io.clock import Clock  # noqa: PLC0415  only two options ask for the time

    return int(Clock().now_s() * 1e9)
