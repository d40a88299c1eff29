"""``--audit``: after the job, one listing of the destination, compared with what was acknowledged.

A service that answers an upload well and then loses it cannot be caught while uploading. So what was done is noted (in
a temporary database on disk, because there may be a hundred million of them), and when everything has ended the
destination is listed once: every key must be there with its size. The audit is the job's last finder: it asks for pages
like any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from os.path import commonprefix

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.events import Pair
from orbit_fast.core.events import pair_of
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.proc.key_stream import KeyStream
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.questions import Asker
from orbit_fast.proc.voice import Voice

_SCHEMA = "CREATE TABLE done (key TEXT PRIMARY KEY, size INTEGER, source BLOB, found INTEGER) WITHOUT ROWID"
_BATCH = 1000


class Audit:
    """What was done, and whether it is there. A `Finder`, once it is started."""

    def __init__(
        self, buckets: list[str], site: int, report: Voice, ask: Callable[[Asker, Ask], int], listings: Listings
    ) -> None:
        """Of the objects in the S3 side `site`; `ask` has pages fetched, `listings` are those of the job."""
        self._buckets = buckets
        self._site = site
        self._report = report
        self._ask = ask
        self._listings = listings
        self._keys: KeyStream | None = None
        # An empty name is a private database in a temporary file, which is gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(_SCHEMA)
        self._noted: list[tuple[str, int, bytes]] = []
        self.is_done = False

    @property
    def is_waiting(self) -> bool:
        """The next page is on its way."""
        return self._keys is not None and not self._keys.is_ready

    def note(self, item: Item, size: int) -> None:
        """An object was acknowledged with `size` bytes."""
        source = pair_of(item, self._buckets)[0]
        self._noted.append((item.key, size, source if isinstance(source, bytes) else source.encode()))
        if len(self._noted) >= _BATCH:
            self._write()

    def start(self) -> None:
        """Everything has been noted."""
        self._write()
        first, last = self._database.execute("SELECT min(key), max(key) FROM done").fetchone()
        self.is_done = first is None
        # What the first and the last key begin with, all between them do.
        prefix = commonprefix([first or "", last or ""])  # noqa: RUF071 - by characters is what is meant
        self._keys = KeyStream(self._site, prefix, lambda order: self._ask(self, order), self._listings)

    def pull(self) -> None:
        """Compare the next page with what was noted; behind the last, tell what is wrong."""
        assert self._keys is not None, "it was started"
        found = [(entry.size, entry.key) for entry in self._keys.take()]
        self._database.execute("BEGIN")
        self._database.executemany("UPDATE done SET found = ? WHERE key = ?", found)
        self._database.execute("COMMIT")
        if self._keys.is_ended:
            self.is_done = True
            self._tell()

    def answer(self, answer: Answer) -> Failure | None:
        """A page has come; a listing that fails fails the job, because nothing is known then."""
        assert self._keys is not None, "else nothing was asked for"
        failure = self._keys.answer(answer)
        if failure is None:
            return None
        self.is_done = True
        message = f"the audit could not list the destination: {failure.message}"
        return replace(failure, message=message, exit_code=int(Exit.NOT_POSSIBLE))

    def close(self) -> None:
        """Give the database up."""
        self._database.close()

    def _write(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO done (key, size, source) VALUES (?, ?, ?)", self._noted)
        self._database.execute("COMMIT")
        self._noted.clear()

    def _tell(self) -> None:
        """Each object that is not there, or not with its size."""
        rows = self._database.execute("SELECT key, size, source, found FROM done WHERE found IS NOT size ORDER BY key")
        for key, size, source, found in rows:
            state = "is not in the listing" if found is None else f"has {found} bytes there instead of {size}"
            error = IntegrityError(f"the service acknowledged the object, but it {state}", code="E_REMOTE_MISMATCH")
            pair: Pair = (bytes(source), f"s3://{self._buckets[self._site]}/{key}")
            self._report.disproved(pair, Failure.of(error), size)
