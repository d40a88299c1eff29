"""``--files-from``: what a manifest names below the one source, and nothing else.

Names are read as they come: from a pipe without waiting for it, and never more than there is room for. A name that is
not there, or that leads out of the source, is one object's failure; a line that cannot be read ends the job, because
nobody knows what it was to name.
"""

from __future__ import annotations

import os
import selectors
import stat
from typing import Final

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import SourceKind
from orbit_fast.core.location import check_key
from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.manifest import RowReader
from orbit_fast.core.manifest import relative_name
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Found
from orbit_fast.core.messages import Stat
from orbit_fast.core.names import key_name
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.proc.finders import SLICE
from orbit_fast.proc.finders import NumberedAsk
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.lines import LineReader

LOOKUPS: Final = 256
"""Keys that are looked up at once."""

_STDIN: Final = 0


class Names:
    """The rows of a manifest, in its order.

    Attributes:
        title: what the user called it.
        is_dry: its writer has not written more yet.
    """

    def __init__(self, fd: int, title: str, selector: selectors.BaseSelector) -> None:
        """`fd` is closed at its end, unless it is stdin; `selector` is where to wait for more."""
        self.title = title
        self.is_dry = False
        self._selector = selector
        self._lines = LineReader(fd, title)
        self._rows = RowReader(title)
        self._is_closed = False

    @property
    def is_ended(self) -> bool:
        """All rows have been given out."""
        return self._lines.is_ended

    def take(self) -> ManifestRow | None:
        """The next row; None where there is none now.

        Raises:
            S3Error: a line cannot be read.
        """
        row = None
        try:
            while row is None and (taken := self._lines.take_bytes()) is not None:
                row = self._rows.read(*taken)
        except S3Error:
            self._close()
            raise
        if self._lines.is_ended:
            self._close()
        elif row is None and self._lines.is_pollable:
            self.is_dry = True
            self._selector.register(self._lines.fileno(), selectors.EVENT_READ, self._has_more)
        return row

    def _has_more(self) -> None:
        self._selector.unregister(self._lines.fileno())
        self.is_dry = False

    def _close(self) -> None:
        if self._lines.fileno() != _STDIN and not self._is_closed:
            os.close(self._lines.fileno())
            self._is_closed = True


def open_names(path: str, selector: selectors.BaseSelector) -> Names:
    """The manifest `path`; ``-`` is stdin.

    Raises:
        InvalidConfig: it cannot be opened.
    """
    if path == "-":
        return Names(_STDIN, "stdin", selector)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidConfig(f"cannot read --files-from {path}: {error.strerror}") from None
    return Names(fd, path, selector)


def named_source(url: S3Url) -> KeySource:
    """The prefix below which a manifest names keys."""
    key = url.key if not url.key or url.key.endswith("/") else f"{url.key}/"
    return KeySource(S3Url(url.bucket, key), SourceKind.TREE)


class NamedFiles:
    """Files below a directory."""

    def __init__(self, root: bytes, names: Names, intake: Intake, *, follow_symlinks: bool) -> None:
        self._root = root if root.endswith(b"/") else root + b"/"
        self._names = names
        self._intake = intake
        self._follow_symlinks = follow_symlinks
        self._real_directory = b""

    @property
    def is_done(self) -> bool:
        """All names have been looked at."""
        return self._names.is_ended

    @property
    def is_waiting(self) -> bool:
        """There is no name yet."""
        return self._names.is_dry

    def pull(self) -> None:
        """Look at the next few names.

        Raises:
            S3Error: a line of the manifest cannot be read.
        """
        for _ in range(SLICE):
            row = self._names.take()
            if row is None:
                return
            self._offer(row)

    def answer(self, answer: Answer) -> None:
        """Never asks."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def _offer(self, row: ManifestRow) -> None:
        path = row.name
        try:
            name = relative_name(row, self._root, self._names.title)
            path = self._root + name
            if not self._follow_symlinks and self._is_behind_link(name):
                self._intake.skip((path, ""), "symlink")
                return
            facts = os.stat(path)
            if stat.S_ISDIR(facts.st_mode):
                raise SourceMissing(f"{self._where(row)} is a directory: the files in it must be named")
            if not stat.S_ISREG(facts.st_mode):
                self._intake.skip((path, ""), "special")
                return
            self._intake.offer_file(path, key_name(name), facts.st_size, facts.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            self._intake.fail((path, ""), SourceMissing(f"{self._where(row)} is not there"))
        except OSError as error:
            self._intake.fail((path, ""), local_error(error, path, Side.SOURCE))
        except S3Error as error:
            self._intake.fail((path, ""), error)

    def _where(self, row: ManifestRow) -> str:
        return f"{self._names.title}:{row.line}: {shown(row.name)}"

    def _is_behind_link(self, name: bytes) -> bool:
        """Whether a link stands anywhere in the name: a walk would not have gone there."""
        parts = name.removesuffix(b"/").split(b"/")
        directory = b"/".join(parts[:-1])
        start = len(parts) if directory == self._real_directory and directory else 1
        for length in range(start, len(parts) + 1):
            if stat.S_ISLNK(os.lstat(self._root + b"/".join(parts[:length])).st_mode):
                return True
        self._real_directory = directory
        return False


class NamedKeys:
    """Objects below a prefix, each looked up by itself, many at once."""

    def __init__(self, source: KeySource, site: int, names: Names, intake: Intake, ask: NumberedAsk) -> None:
        self._source = source
        self._root = str(source.url).encode()
        self._site = site
        self._names = names
        self._intake = intake
        self._ask = ask
        self._asked: dict[int, str] = {}

    @property
    def is_done(self) -> bool:
        """All names have been looked up."""
        return self._names.is_ended and not self._asked

    @property
    def is_waiting(self) -> bool:
        """There is no name yet, or enough are being looked up."""
        if self._names.is_ended:
            return bool(self._asked)
        return self._names.is_dry or len(self._asked) >= LOOKUPS

    def pull(self) -> None:
        """Have the next names looked up.

        Raises:
            S3Error: a line of the manifest cannot be read.
        """
        while len(self._asked) < LOOKUPS:
            row = self._names.take()
            if row is None:
                return
            self._look_up(row)

    def answer(self, answer: Answer) -> Failure | None:
        """Take in an object; one that is not there is that name's failure, a bucket that is not ends the job."""
        key = self._asked.pop(answer.number)
        if isinstance(answer, Found):
            name = self._source.relative_name(key)
            self._intake.offer_object(self._source.url, self._site, answer.entry, name, answer.restore)
            return None
        assert isinstance(answer, Failed), "nothing else is asked for"
        failure = answer.failure
        if failure.scope == Scope.JOB:
            return replace(failure, exit_code=int(Exit.NOT_POSSIBLE))
        self._intake.refuse((f"s3://{self._source.url.bucket}/{key}", ""), failure)
        return None

    def _look_up(self, row: ManifestRow) -> None:
        source: bytes | str = row.name if row.name.startswith(b"s3://") else self._root + row.name
        try:
            key = self._source.url.key + key_name(relative_name(row, self._root, self._names.title))
            source = f"s3://{self._source.url.bucket}/{key}"
            check_key(key)
        except S3Error as error:
            self._intake.fail((source, ""), error)
            return
        self._asked[self._ask(self, Stat(0, self._site, key))] = key
