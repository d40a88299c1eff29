"""Text for people: what was done, what was left, what went wrong, and the statistics."""

from __future__ import annotations

from orbit_fast.core.console import Snapshot
from orbit_fast.core.events import Landed
from orbit_fast.core.events import Lines
from orbit_fast.core.events import Pair
from orbit_fast.core.events import SkipReason
from orbit_fast.core.events import Totals
from orbit_fast.core.messages import Failure
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.units import format_duration
from orbit_fast.core.units import format_rate
from orbit_fast.core.units import format_size
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import printable

_WISHED = frozenset({SkipReason.EXISTS, SkipReason.SAME_SIZE, SkipReason.NOT_NEWER, SkipReason.IDENTICAL})
"""Skips that the user asked for: no line of text unless ``-v``. The others leave something undone and are warned of."""

_STREAMS = ("-", b"-")
_STREAMING = frozenset({"cat", "pipe"})
"""Commands of which one end is always stdin or stdout, and is not said: ``pipe s3://bucket/key``."""


class TextRenderer:
    """Text: what was done on stdout, what went wrong on stderr."""

    def __init__(self, settings: JobSettings, *, operation: str) -> None:
        output = settings.output
        self._operation = operation
        self._unsaid = _STREAMS if operation in _STREAMING else ()
        self._is_quiet = output.quiet
        self._is_verbose = output.verbose > 0
        self._shows_statistics = output.stat
        self._is_human = output.human_readable
        self._script = f"{printable(settings.script.file)}:" if settings.script.file else "line "
        self._ignores_glacier = settings.selection.ignore_glacier_warnings

    def done(self, pair: Pair, landed: Landed) -> Lines:  # noqa: ARG002  the protocol's arguments
        """``cp SRC DST``."""
        if self._is_quiet:
            return Lines()
        source, destination = pair
        if self._unsaid:
            return Lines(f"{self._what(pair)}\n".encode())
        try:  # nearly all names: 0.5 us less a line
            line = (
                f"{self._operation} {source if isinstance(source, str) else source.decode('ascii')} "
                f"{destination if isinstance(destination, str) else destination.decode('ascii')}"
            )
            if line.isprintable():
                return Lines(f"{line}\n".encode("ascii"))
        except UnicodeError:
            pass
        return Lines(f"{self._operation} {printable(source)} {printable(destination)}\n".encode())

    def skipped(self, pair: Pair, reason: str, size: int | None = None) -> Lines:  # noqa: ARG002  as above
        """``WARNING …`` where something is left undone; ``skip …`` where the user wished it and is verbose."""
        what = self._what(pair)
        is_wished = reason in _WISHED or (reason == SkipReason.GLACIER and self._ignores_glacier)
        if not is_wished:
            return Lines(err=f'WARNING "{what}": skipped: {reason}\n'.encode())
        if self._is_verbose and not self._is_quiet:
            return Lines(f"skip {what}: {reason}\n".encode())
        return Lines()

    def planned(self, pair: Pair, size: int | None = None) -> Lines:  # noqa: ARG002  as above
        """``(dry run) cp SRC DST``."""
        return Lines(f"(dry run) {self._what(pair)}\n".encode())

    def failed(self, pair: Pair, failure: Failure, attempts: int = 0, *, line: int = 0) -> Lines:  # noqa: ARG002  as above
        """``ERROR "cp SRC DST": Code: message``, with where ``run`` read it before the command."""
        message = printable(clean(failure.message))
        if not message.startswith(f"{failure.code}:"):
            message = f"{failure.code}: {message}"
        where = f"{self._script}{line}: " if line else ""
        return Lines(err=f'ERROR "{where}{self._what(pair)}": {message}\n'.encode())

    def progress(self, snapshot: Snapshot) -> Lines:  # noqa: ARG002  as above
        """Nothing: people see the display."""
        return Lines()

    def summary(self, totals: Totals) -> Lines:
        """The statistics where they were asked for, and what an interrupted job had finished."""
        out = statistics(totals, is_human=self._is_human) if self._shows_statistics else b""
        if not totals.interrupted:
            return Lines(out)
        finished = f"{totals.files_copied} copied, {totals.files_skipped} skipped, {totals.files_failed} failed"
        return Lines(out, f'ERROR "{totals.command}": interrupted: {finished}\n'.encode())

    def _what(self, pair: Pair) -> str:
        return " ".join([self._operation, *(printable(name) for name in pair if name and name not in self._unsaid)])


_OPERATIONS = {
    "cp": "Copy",
    "du": "Disk usage",
    "ls": "List",
    "mb": "Make bucket",
    "rb": "Remove bucket",
    "rm": "Remove",
}


def statistics(totals: Totals, *, is_human: bool) -> bytes:
    """The block of ``--stat``, sizes in bytes or, for people, in IEC units."""
    succeeded = totals.files_copied + totals.files_deleted + totals.files_found
    total = succeeded + totals.files_skipped + totals.files_failed
    rows = [
        ("Operation", _OPERATIONS.get(totals.command, totals.command.capitalize())),
        ("Total files", str(total)),
        ("Succeeded", str(succeeded)),
        ("Skipped", str(totals.files_skipped) if totals.files_skipped else ""),
        ("Failed", str(totals.files_failed)),
        ("Total size", format_size(totals.bytes_copied, is_human)),
        ("Elapsed", format_duration(totals.duration_s)),
        ("Throughput", format_rate(totals.throughput_bps, is_human)),
    ]
    lines = ["  Execution Statistics", *(f"  - {name}: {value}" for name, value in rows if value)]
    return ("\n".join(lines) + "\n").encode()
