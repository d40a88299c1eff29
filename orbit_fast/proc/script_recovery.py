"""What a script has to do with its other runs: one journal for all lines, called after the script and where it runs.

A script that comes from a pipe has no name by which its next run could be known, and no journal.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from collections.abc import Sequence

from orbit_fast.core.hands import Limits
from orbit_fast.core.journal import Transfer
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import printable
from orbit_fast.proc.aftermath import Recovery
from orbit_fast.proc.line_ledger import LineLedger
from orbit_fast.proc.report import Report
from orbit_fast.proc.supervisor import Supervisor


class ScriptRecovery(Recovery):
    """Everything about a script that concerns other runs of it.

    Attributes:
        ledger: of all its lines.
    """

    kind = LineLedger
    ledger: LineLedger

    def __init__(self, settings: JobSettings, environment: Mapping[str, str], report: Report, limits: Limits) -> None:
        """Lines that are relative paths mean something else elsewhere: the working directory is part of the name."""
        name = settings.script.file
        super().__init__([name], os.curdir, settings, environment, report, operation="run", limits=limits)

    def recall(self, supervisor: Supervisor, fd: int) -> None:
        """Read what earlier runs left, where the script `fd` is a file."""
        if stat.S_ISREG(os.fstat(fd).st_mode) and self._settings.script.file:
            self.serve(supervisor, None)

    def _advice(self, uploads: Sequence[Transfer]) -> str:
        place = uploads[0].place
        words = ["orbit uploads", shlex.quote(printable(f"s3://{place.bucket}/{place.key}")), "--abort"]
        if place.endpoint.startswith("http"):
            words.append(f"--endpoint-url {clean(place.endpoint)}")
        return " ".join(words) + (", and the others likewise" if len(uploads) > 1 else "")
