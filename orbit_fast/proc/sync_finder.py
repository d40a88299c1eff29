"""The finder of a sync: two sides in, what is to be done out, while both are still being looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.location import S3Url
from orbit_fast.core.merge import Merge
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Entry
from orbit_fast.core.sync import Judged
from orbit_fast.core.sync import Seen
from orbit_fast.core.sync import SyncPlan
from orbit_fast.io.walk import WalkEntry
from orbit_fast.proc.extras import Extras
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.sync_sides import ListedSide
from orbit_fast.proc.sync_sides import LocalSide
from orbit_fast.proc.voice import Voice

_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the names of one side stand.

    Attributes:
        url: in S3: the bucket, and what stands before the names in keys; None on a local disk.
        root: the local directory, with a ``/`` at its end.
        site: number of the S3 side.
    """

    url: S3Url | None = None
    root: bytes = b""
    site: int = 0

    def name(self, name: str) -> str | bytes:
        """How a name is called in full."""
        return self.root + name.encode() if self.url is None else f"{self.url}{name}"


class Extra(msgspec.Struct, frozen=True, array_like=True):
    """What is noted of an object that only the destination has.

    Attributes:
        etag: that was listed, or ``''``.
        size: bytes.
        mtime_ns: last modification.
        ctime_ns: of a file: last change.
        may_be_at_source: the filters leave it out, so nobody looked whether the source has it.
    """

    etag: str = ""
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    may_be_at_source: bool = False

    @property
    def file(self) -> tuple[int, int, int]:
        """What tells that a file still is the one that was seen."""
        return (self.size, self.mtime_ns, self.ctime_ns)


class SyncFinder:
    """Compares the sides and hands what has to be copied to the intake.

    Args:
        sides: source and destination.
        ends: where their names stand.
        plan: decides.
        intakes: for what is copied, and for what is looked at first.
        extras: takes what only the destination has, and the names that only the source has.
        report: takes what is left as it is.
        needs_source: a source in which there is nothing at all is an error.
    """

    def __init__(  # noqa: PLR0913 - what comes in, what decides, and three ways out
        self,
        sides: tuple[LocalSide | ListedSide, LocalSide | ListedSide],
        ends: tuple[End, End],
        plan: SyncPlan,
        intakes: tuple[Intake, Intake],
        *,
        extras: Extras,
        report: Voice,
        needs_source: bool,
    ) -> None:
        self._source, self._destination = sides
        self._source_end, self._destination_end = ends
        self._plan = plan
        self._copying, self._asking = intakes
        self._extras = extras
        self._report = report
        self._needs_source = needs_source
        self._merge: Merge[Seen, Seen] = Merge()

    @property
    def is_done(self) -> bool:
        """Both sides were seen to their ends: what was not seen is not there."""
        return self._merge.is_done

    @property
    def is_waiting(self) -> bool:
        """The pages that are needed are on their way."""
        merge = self._merge
        if merge.wants_source and self._source.is_ready:
            return False
        return not (merge.wants_destination and self._destination.is_ready)

    def pull(self) -> None:
        """Look at some more of both sides, and do what follows.

        Raises:
            S3Error: a side cannot be read, is not in order, or the source is empty where it must not be.
        """
        merge = self._merge
        if merge.wants_source and self._source.is_ready:
            merge.feed_source(*self._source.take())
            if self._source.is_ended:
                self._end_source()
        if merge.wants_destination and self._destination.is_ready:
            merge.feed_destination(*self._destination.take())
            if self._destination.is_ended:
                merge.end_destination()
        rows = merge.take()
        if rows:
            self._do(self._plan.judge(rows))
            self._extras.missed(name for name, source, dest in rows if dest is None and source is not None)

    def answer(self, answer: Answer) -> Failure | None:
        """The sides ask for themselves."""
        raise AssertionError(f"nothing was asked: {answer!r}")

    def _end_source(self) -> None:
        source = self._source
        if self._needs_source and isinstance(source, ListedSide) and not source.found:
            raise SourceMissing(
                f"nothing is in {self._source_end.url} (--allow-empty-source says that this is as it should be)"
            )
        self._merge.end_source()

    # --- what follows -------------------------------------------------------------------------------------------------

    def _do(self, judged: Judged) -> None:
        for name, source in judged.copies:
            self._offer(self._copying, name, source)
        for name, source, _ in judged.asks:
            self._offer(self._asking, name, source)
        report = self._report
        told = 0
        for name, source, reason in judged.skips:
            told += reason == "identical"
            report.skipped((self._source_end.name(name), self._destination_end.name(name)), reason, source.size)
        report.tally.skipped += judged.identical - told
        for name, unknown in judged.unknown:
            self._tell(self._source_end, name, unknown.reason, unknown.error)
        for name, unknown in judged.unseen:
            if unknown.error is not None:
                self._tell(self._destination_end, name, "", unknown.error)
        for name, seen in judged.extras:
            may_be = name in judged.left_out
            if isinstance(seen, WalkEntry):
                extra = Extra("", seen.size, seen.mtime_ns, seen.ctime_ns, may_be)
            else:
                extra = Extra(seen.etag if isinstance(seen, Entry) else "", may_be_at_source=may_be)
            self._extras.add(name, _encode(extra))

    def _offer(self, intake: Intake, name: str, source: object) -> None:
        end = self._source_end
        if isinstance(source, WalkEntry):
            intake.offer_file(end.root + source.path, name, source.size, source.mtime_ns)
        elif isinstance(source, Entry) and end.url is not None:
            intake.offer_object(end.url, end.site, source, name)

    def _tell(self, end: End, name: str, reason: str, error: S3Error | None) -> None:
        pair = (end.name(name), "")
        if error is not None:
            self._report.failed(pair, Failure.of(error))
        else:
            self._report.skipped(pair, reason or "special")
