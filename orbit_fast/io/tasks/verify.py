"""``verify``: two sides, merged name by name, and what both have compared, many at once."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Final

from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.filters import Selection
from orbit_fast.core.location import S3Url
from orbit_fast.core.merge import Merge
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Verified
from orbit_fast.core.names import base_name
from orbit_fast.core.render.verify import Counts
from orbit_fast.core.render.verify import name_line
from orbit_fast.core.render.verify import totals_line
from orbit_fast.core.tasks import CompareSides
from orbit_fast.core.tasks import Root
from orbit_fast.core.verification import Known
from orbit_fast.core.verification import Result
from orbit_fast.core.verification import Verdict
from orbit_fast.io.flow import Flow
from orbit_fast.io.task import TaskSurroundings
from orbit_fast.io.verify_pair import compare_pair
from orbit_fast.io.verify_sides import side_of
from orbit_fast.io.verify_sides import tell_failure

AT_ONCE: Final = 64
"""Names being compared: enough to hide a service's answer time; each holds a file open, no memory to speak of."""

_NONE: Final = Known(b"")


def compare_sides(given: TaskSurroundings, task: CompareSides) -> Flow[None]:
    """Compare two sides.

    Raises:
        SourceMissing: there is nothing at the first.
        S3Error: a side could not be seen whole.
    """
    roots = (task.first, task.second)
    comparison = _Comparison(given, roots)
    merge: Merge[Known, Known] = Merge()
    first, second = side_of(given, *roots), side_of(given, *roots[::-1])
    is_any = False
    try:
        while not merge.is_done:
            if merge.wants_source:
                batch = yield from first.next()
                if batch is None:
                    merge.end_source()
                else:
                    is_any = is_any or bool(batch[0])
                    merge.feed_source(*batch)
            if merge.wants_destination:
                batch = yield from second.next()
                if batch is None:
                    merge.end_destination()
                else:
                    merge.feed_destination(*batch)
            for name, one, other in merge.take():
                yield from comparison.add(name, one, other)
            yield from given.drained()
        yield from comparison.finish()
    finally:
        comparison.close()
        first.close()
        second.close()
    if not is_any and (task.first.is_one or task.first.key):
        raise SourceMissing(f"nothing is at {_title(given, task.first)}")
    given.say(totals_line(comparison.counts, given.settings.output))


def _title(given: TaskSurroundings, root: Root) -> str:
    if root.site >= 0:
        return str(S3Url(given.around.sites[root.site].bucket, root.key))
    return root.path.decode("utf-8", "backslashreplace")


class _Comparison:
    """The names that are being compared, and what came of the others.

    Attributes:
        counts: so far.
    """

    def __init__(self, given: TaskSurroundings, roots: tuple[Root, Root]) -> None:
        self.counts = Counts()
        self._given = given
        self._roots = roots
        self._together = given.together(limit=AT_ONCE)
        self._selection = Selection(given.settings.selection)
        self._stopper: S3Error | None = None

    def add(self, name: str, one: Known | None, other: Known | None) -> Flow[None]:
        """One more name.

        Raises:
            S3Error: something that every other name would meet too.
        """
        some = one or other
        if some is None or not self._accepts(name, some if some.size >= 0 else other or some):
            return
        if one is None or other is None:
            result = Result.MISSING if other is None else Result.EXTRA
            self._ended(Verdict(result), one or _NONE, other or _NONE)
            return
        yield from self._together.room()
        if self._stopper is not None:
            raise self._stopper
        flow = compare_pair(self._given.around, self._roots, (one, other))
        self._together.start(flow, partial(self._compared, one, other))

    def finish(self) -> Flow[None]:
        """Wait for those that are being compared.

        Raises:
            S3Error: as `add`.
        """
        yield from self._together.rest()
        if self._stopper is not None:
            raise self._stopper

    def close(self) -> None:
        """Give them up."""
        self._together.cancel()

    def _accepts(self, name: str, known: Known) -> bool:
        """Whether the name takes part; the size and age that count are the first side's, where it has the name."""
        text = name.encode("latin-1").decode("utf-8", "surrogateescape") if name else ""
        text = text or base_name(known.name.decode("utf-8", "surrogateescape"))
        return self._selection.accepts(text, max(known.size, 0), known.mtime_ns)

    def _compared(self, one: Known, other: Known, result: Any) -> None:
        if isinstance(result, S3Error):
            failure = Failure.of(result)
            if failure.scope == Scope.JOB:
                self._stopper = self._stopper or result
            tell_failure(self._given, (one.name, other.name), failure)
        else:
            self._ended(result, one, other)

    def _ended(self, verdict: Verdict, one: Known, other: Known) -> None:
        given = self._given
        pair, size = (one.name, other.name), max(one.size, other.size)
        self.counts.add(verdict)
        is_unproven = verdict.verified is Verified.SIZE
        if is_unproven and given.settings.transfer.require_verify:
            message = "there is nothing but the size to compare by (--read reads the objects)"
            tell_failure(given, pair, Failure.of(Unverifiable(message)))
            return
        given.say(name_line(verdict, pair, size, given.settings.output))
        tallied = given.tallied
        if verdict.result is Result.MATCH:
            tallied.found += 1
            tallied.unverified += is_unproven
        else:
            tallied.failed += 1
            tallied.damaged += 1
