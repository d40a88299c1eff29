"""``--audit``: after the job, one listing of the destination, compared with what was acknowledged.

A service that answers an upload well and then loses it cannot be caught while uploading. So what was done is noted (in
a temporary database on disk, because there may be a hundred million of them), and when everything has ended the
destination is listed once: every key must be there with its size. The audit is the job's last finder: it asks for pages
like any other.
"""

from __future__ import annotations

import sqlite3
from os.path import commonprefix

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.events import Pair
from orbit_fast.core.events import pair_of
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import ListPage
from orbit_fast.core.messages import Page
from orbit_fast.proc.finders import AskFor
from orbit_fast.proc.voice import Voice

_SCHEMA = "CREATE TABLE done (key TEXT PRIMARY KEY, size INTEGER, source BLOB, found INTEGER) WITHOUT ROWID"
_BATCH = 1000


class Audit:
    """What was done, and whether it is there. A `Finder`, once it is started."""

    def __init__(self, buckets: list[str], site: int, report: Voice, ask: AskFor) -> None:
        self._buckets = buckets
        self._site = site
        self._report = report
        self._ask = ask
        # An empty name is a private database in a temporary file, which is gone when it is closed.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(_SCHEMA)
        self._noted: list[tuple[str, int, bytes]] = []
        self._prefix = ""
        self._token = ""
        self._last_key = ""
        self.is_done = False
        self.is_waiting = False

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
        self._prefix = commonprefix([first or "", last or ""])  # noqa: RUF071 - by characters is what is meant

    def pull(self) -> None:
        """Ask for the next page."""
        self.is_waiting = True
        self._ask(self, ListPage(0, self._site, self._prefix, self._token, "", self._last_key))

    def answer(self, answer: Answer) -> Failure | None:
        """Compare a page; a listing that fails fails the job, because nothing is known then."""
        self.is_waiting = False
        if isinstance(answer, Failed):
            self.is_done = True
            message = f"the audit could not list the destination: {answer.failure.message}"
            return replace(answer.failure, message=message, exit_code=int(Exit.NOT_POSSIBLE))
        assert isinstance(answer, Page), "only pages are asked for"
        found = [(entry.size, entry.key) for entry in answer.entries]
        self._database.execute("BEGIN")
        self._database.executemany("UPDATE done SET found = ? WHERE key = ?", found)
        self._database.execute("COMMIT")
        self._token = answer.next_token
        if answer.entries:
            self._last_key = answer.entries[-1].key
        if not answer.next_token:
            self.is_done = True
            self._tell()
        return None

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
