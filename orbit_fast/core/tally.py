"""What a job has come to: the counts, and the exit code that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from orbit_fast.core.errors import Exit
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Outcome
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.tasks import Tallied

DENIED_AT_START = 3
"""So many refusals in a row, and nothing else before: the credentials may not do this job at all."""

_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem"})
_HOPELESS = frozenset(
    {"E_CONNECT", "E_DNS", "E_NO_SOURCE", "NoSuchKey", "E_SAME_OBJECT", "E_SOURCE_UNREADABLE", "E_VANISHED"}
)


@dataclass(slots=True)
class Tally:
    """Counts of ended objects. `add` is the only writer of all but the last three.

    Attributes:
        found: objects that were looked at, nothing else.
        copied: objects done (in a dry run: that would have been).
        skipped: objects left as they are.
        failed: objects that failed.
        denied: of those, refused for want of permission.
        hopeless: of those, for want of a connection, or of a source that is there and can be read.
        damaged: of those, with bytes that were not what they should be.
        deleted: objects deleted.
        archived: of those skipped, because they must be restored first.
        unverified: objects done of which only the size could be compared.
        size: bytes of the objects done.
        stopper: the failure that ended the job, if one did.
        signal: the signal that ended it, or 0.
        is_report_lost: stdout did not take the report.
        is_script: what failed were lines of a script, each a job of its own: together they are never impossible.
        under_way: objects that tasks which have not ended have dealt with, by the number of the task.
    """

    found: int = 0
    copied: int = 0
    deleted: int = 0
    skipped: int = 0
    failed: int = 0
    denied: int = 0
    hopeless: int = 0
    damaged: int = 0
    archived: int = 0
    unverified: int = 0
    size: int = 0
    stopper: Failure | None = None
    signal: int = 0
    is_report_lost: bool = False
    is_script: bool = False
    under_way: dict[int, int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """Objects that ended, however."""
        return self.found + self.copied + self.deleted + self.skipped + self.failed

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        if outcome.status is Status.SKIPPED:
            self.skipped += 1
            self.archived += outcome.reason == "glacier"
        elif outcome.status is Status.FAILED:
            self.fail(outcome.failure)
        else:
            self.copied += 1
            self.size += outcome.size
            self.unverified += outcome.verified is Verified.SIZE

    def fail(self, failure: Failure | None) -> None:
        """Count one more that failed."""
        self.failed += 1
        if failure is not None:
            self.denied += failure.code in _DENIED
            self.hopeless += failure.code in _HOPELESS
            self.damaged += failure.exit_code == Exit.INTEGRITY

    def add_task(self, tallied: Tallied) -> None:
        """Count what a task has come to."""
        self.found += tallied.found
        self.copied += tallied.copied
        self.deleted += tallied.deleted
        self.skipped += tallied.skipped
        self.failed += tallied.failed
        self.denied += tallied.denied
        self.damaged += tallied.damaged
        self.size += tallied.size
        self.unverified += tallied.unverified

    @property
    def is_denied(self) -> bool:
        """Everything so far was refused, often enough to know that the rest will be."""
        return not self.is_script and self.denied >= DENIED_AT_START and self.denied == self.ended

    def exit_code(self, *, ignores_archived: bool = False) -> int:
        """The exit code of the command.

        Args:
            ignores_archived: objects that must be restored first do not make the job a failure.
        """
        if self.signal:
            return 128 + self.signal
        if self.damaged:
            return Exit.INTEGRITY
        if self.stopper is not None:
            # A failure of one object that is also every other one's: the job as a whole could not be done.
            return max(Exit.NOT_POSSIBLE, self.stopper.exit_code)
        if self.failed and not self.is_script and self.denied + self.hopeless == self.ended:
            return Exit.NOT_POSSIBLE
        if self.failed or self.is_report_lost or (self.archived and not ignores_archived):
            return Exit.SOME_FAILED
        return Exit.DONE
