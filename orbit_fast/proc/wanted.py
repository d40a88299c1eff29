"""What one command wants on stdout: its settings, its voice, and where its objects are still looked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from orbit_fast.core.errors import Exit
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import KeySource
from orbit_fast.core.location import S3Url
from orbit_fast.core.location import key_source
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Ask
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import STDOUT
from orbit_fast.proc.finders import Finder
from orbit_fast.proc.finders import ObjectFinder
from orbit_fast.proc.key_stream import Listings
from orbit_fast.proc.questions import Asker
from orbit_fast.proc.voice import Voice

_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", SourceMissing.default_code})


def cat_keys(sources: Sequence[str], settings: JobSettings) -> list[KeySource]:
    """What the arguments of ``cat`` mean.

    Raises:
        S3Error: they do not make a job.
    """
    selection = settings.selection
    keys = [key_source(parse_s3_url(text), recursive=selection.recursive, raw=selection.raw) for text in sources]
    if selection.version_id and (len(keys) > 1 or any(key.is_many for key in keys)):
        raise InvalidConfig("--version-id is of one object")
    return keys


class Wanted:
    """What one command wants.

    Attributes:
        settings: it is done with.
        selection: which objects.
        voice: counts and says what becomes of them.
        variant: number of the settings.
        is_line: it is a line of a script: nothing of it ends the job.
        sources: arguments in which objects are still looked for, in order.
        is_open: more arguments may come.
        waiting: objects that were found and have not ended.
        on_over: called when nothing of it is to be done any more.
    """

    def __init__(self, settings: JobSettings, voice: Voice, *, variant: int = 0, is_line: bool = False) -> None:
        self.settings = settings
        self.selection = Selection(settings.selection)
        self.voice = voice
        self.variant = variant
        self.is_line = is_line
        self.sources: deque[Source] = deque()
        self.is_open = True
        self.waiting = 0
        self.on_over: Callable[[], None] = lambda: None
        self._count = 0

    @property
    def is_found(self) -> bool:
        """All that it wants has been found."""
        return not self.is_open and not self.sources

    @property
    def is_over(self) -> bool:
        """All that it wants has been written, or has failed."""
        return self.is_found and not self.waiting

    @property
    def can_find(self) -> bool:
        """Something can be looked for now."""
        return bool(self.sources) and not self.sources[0].finder.is_waiting

    def find(self) -> None:
        """Look for more.

        Raises:
            SourceMissing: there is nothing, and that ends the job.
        """
        source = self.sources[0]
        if source.finder.is_done:
            self.sources.popleft()
        else:
            source.find()

    def add(self, source: Source) -> None:
        """One more argument, behind those before it."""
        self._count += 1
        self.sources.append(source)

    def ends_job(self, failure: Failure, *, is_object: bool) -> bool:
        """Whether this failure of an argument, or of the one object that it is, ends the job."""
        return not self.is_line and (self._count == 1 or not (is_object or failure.code in _MISSING))


class Taker(Protocol):
    """Who has things fetched and written."""

    def ask(self, asker: Asker, order: Ask) -> int:
        """Have a page or a key fetched; the number that the answer will have."""

    def take(self, wanted: Wanted, shown: str, site: int, entry: Entry, restore: str) -> None:
        """An object that is wanted, behind those before it; `restore` is what is known of its restore."""

    def go_on(self) -> None:
        """Something has been found, or will not be."""


class Source:
    """One argument: takes what its finder finds, and asks in its name.

    Attributes:
        finder: looks for its objects.
    """

    def __init__(self, wanted: Wanted, key: KeySource, site: int, taker: Taker, listings: Listings) -> None:
        self._wanted = wanted
        self._url = key.url
        self._taker = taker
        version_id = wanted.settings.selection.version_id
        self.finder = ObjectFinder(key, site, self, self._ask_through, listings, version_id=version_id)

    def find(self) -> None:
        """Look for more.

        Raises:
            SourceMissing: there is nothing, and that ends the job.
        """
        try:
            self.finder.pull()
        except SourceMissing as error:
            failure = Failure.of(error)
            if self._wanted.ends_job(failure, is_object=False):
                raise
            self._tell(failure)

    def offer_object(self, url: S3Url, site: int, entry: Entry, name: str, restore: str | None = None) -> None:
        """An object has been found."""
        wanted = self._wanted
        if not wanted.selection.accepts(name or entry.key, entry.size, entry.mtime_ns):
            return
        shown = f"s3://{url.bucket}/{entry.key}"
        if wanted.settings.output.dry_run:
            wanted.voice.planned((shown, STDOUT), entry.size)
        else:
            self._taker.take(wanted, shown, site, entry, restore or "")

    def answer(self, answer: Answer) -> Failure | None:
        """A page has come, or a key was looked up; a failure that ends the job, if this is one."""
        failure = self.finder.answer(answer)
        if failure is not None:
            is_object = isinstance(answer, Failed) and answer.kind == "stat" and answer.failure.scope == Scope.OBJECT
            if self._wanted.ends_job(failure, is_object=is_object):
                return failure
            self._tell(failure)
        self._taker.go_on()
        return None

    def _tell(self, failure: Failure) -> None:
        one = replace(failure, exit_code=int(Exit.SOME_FAILED), scope=int(Scope.OBJECT))
        self._wanted.voice.failed((str(self._url), STDOUT), one)

    def _ask_through(self, finder: Finder, order: Ask) -> int:  # noqa: ARG002 - it has no other finder
        return self._taker.ask(self, replace(order, variant=self._wanted.variant))
