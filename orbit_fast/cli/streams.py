"""What the command itself prints (a job prints through its own writer), and what a lost reader means."""

from __future__ import annotations

import errno

from orbit_fast import __version__
from orbit_fast.cli.environment import write_err
from orbit_fast.cli.environment import write_out
from orbit_fast.core.errors import Exit


def installed_version() -> str:
    """The version of the package."""
    return __version__


def version_line() -> bytes:
    """The version, as a person reads it."""
    return f"orbit {installed_version()}\n".encode()


def print_version() -> int:
    """Print the version on stdout; returns the exit status."""
    return print_data(version_line())


def print_data(data: bytes) -> Exit:
    """Print what the user asked to read.

    Returns:
        DONE; PIPE_CLOSED where the reader has gone; SOME_FAILED where stdout takes nothing, with a line on stderr.
    """
    try:
        write_out(data)
    except OSError as error:
        if error.errno == errno.EPIPE:
            return Exit.PIPE_CLOSED
        write_err(f'ERROR "orbit": E_REPORT_LOST: cannot write to stdout: {error.strerror}\n'.encode())
        return Exit.SOME_FAILED
    return Exit.DONE
