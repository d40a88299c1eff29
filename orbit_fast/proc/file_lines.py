"""The lines of a script that copy one local file to S3: most lines of most scripts, so they go the shortest way.

A copy of several sources, of trees or of listings needs a plan and finders of its own for each line. About one file
everything is known as soon as it has been looked at; what lines with the same options share is kept from one to the
next. A line about which anything is unusual is left to the long way, which also says what is wrong with it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.errors import S3Error
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.names import file_name
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.work import Copy
from orbit_fast.core.work import Line
from orbit_fast.proc.intake import Destination
from orbit_fast.proc.intake import Intake
from orbit_fast.proc.line_ledger import LineLedger
from orbit_fast.proc.progress import Amount
from orbit_fast.proc.report import Report
from orbit_fast.proc.sides import Side
from orbit_fast.proc.supervisor import Supervisor

MOST_WAYS = 64
"""Sets of options that are remembered at once."""


@dataclass(slots=True, kw_only=True)
class _Way:
    """What lines with one set of options share.

    Attributes:
        settings: the set; kept, so that nothing else can have its identity.
        variant: its number.
        intake: takes their files.
        sites: numbers of the sides that are known, by bucket.
    """

    settings: JobSettings
    variant: int
    intake: Intake
    sites: dict[str, int] = field(default_factory=dict)


class FileLines:
    """All of them.

    Args:
        supervisor: of the script.
        ledger: likewise.
        report: likewise.
        amount: what all lines of the script have found.
    """

    def __init__(self, supervisor: Supervisor, ledger: LineLedger, report: Report, amount: Amount) -> None:
        self._supervisor = supervisor
        self._ledger = ledger
        self._report = report
        self._amount = amount
        self._ways: dict[int, _Way] = {}

    def take(self, line: Line, copy: Copy) -> bool:
        """Do a line; False where it has to go the long way."""
        source, settings = copy.sources[0], line.settings
        if len(copy.sources) > 1 or settings.selection.files_from or settings.selection.flatten:
            return False
        if is_s3_url(source) or not is_s3_url(copy.destination):
            return False
        try:
            url = parse_s3_url(copy.destination)
            path = os.fsencode(source)
            name = file_name(path)
            found = os.lstat(path)
        except (S3Error, OSError, ValueError):
            return False
        way = self._way(settings)
        site = way.sites.get(url.bucket, -1)
        if site < 0:
            site = self._learn(way, url.bucket)
        if site < 0 or not stat.S_ISREG(found.st_mode):
            return False
        way.intake.aim(Destination(url=url, site=site), line=line.number)
        way.intake.offer_file(path, name, found.st_size, found.st_mtime_ns)
        return True

    def _learn(self, way: _Way, bucket: str) -> int:
        """The number of a bucket's side; -1 where requests cannot be made to it yet."""
        sides, side = self._supervisor.sides, Side(bucket, way.settings.dest)
        if not sides.is_at_hand(side):
            return -1
        try:
            number = sides.number_of(side)
        except S3Error:
            return -1
        if not sides.knows(number):
            return -1
        way.sites[bucket] = number
        return number

    def _way(self, settings: JobSettings) -> _Way:
        way = self._ways.get(id(settings))
        if way is None:
            if len(self._ways) >= MOST_WAYS:
                self._forget()
            variant = self._supervisor.vary(settings)
            self._ledger.hold(variant)
            intake = Intake(settings, Destination(), self._ledger, self._report)
            intake.serve(self._amount, variant=variant, line=0)
            way = self._ways[id(settings)] = _Way(settings=settings, variant=variant, intake=intake)
        return way

    def _forget(self) -> None:
        for way in self._ways.values():
            self._ledger.let_go(way.variant)
        self._ways.clear()
