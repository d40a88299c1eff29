"""The end of a sync that deletes: when every copy has ended, the guard is asked, once; then extras go.

What the guard allows is first compared with the names of the source as the file system reads them (`proc.extras`), and
looked for at the source by name (`proc.peer_look`), where that is not too much.
A thousand go in one task, many tasks at once. What is to be deleted waits on disk meanwhile, because there may be as
much of it as there is of anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from orbit_fast.core.errors import Exit
from orbit_fast.core.guard import Case
from orbit_fast.core.guard import Refusal
from orbit_fast.core.guard import looks
from orbit_fast.core.guard import refuse
from orbit_fast.core.guard import refuse_folded
from orbit_fast.core.guard import refuse_unproven
from orbit_fast.core.limits import MAX_DELETE_KEYS
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import RemoveExtraFiles
from orbit_fast.core.tasks import RemoveExtraKeys
from orbit_fast.io.external_sort import Pair
from orbit_fast.proc.extras import Extras
from orbit_fast.proc.finders import AskFor
from orbit_fast.proc.peer_look import PeerLook
from orbit_fast.proc.report import Level
from orbit_fast.proc.report import Report
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.sync_finder import Extra
from orbit_fast.proc.voice import LineVoice

AT_ONCE: Final = 16
"""Tasks on their way: see `io.removal.IN_FLIGHT`."""

_read: Final = msgspec.msgpack.Decoder(Extra).decode


class Deletion:
    """Deletes the extras of a sync, if it may.

    Args:
        extras: names, each with its `Extra`.
        ends: where the source's names stand, and the destination's.
        case: what is known when the copies have ended.
        report: is told a refusal.
        ask: has tasks done.
        on_done: called when every copy has succeeded, and everything that was to be deleted has been dealt with.
    """

    def __init__(
        self,
        extras: Extras,
        ends: tuple[End, End],
        case: Callable[[], Case],
        *,
        report: Report | LineVoice,
        ask: AskFor,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._extras = extras
        self._source, self._end = ends
        self._case = case
        self._report = report
        self._ask = ask
        self._rest: Iterator[Pair] = iter(())
        self._under_way = 0
        self._is_dealt = False
        self._look: PeerLook | None = None
        self._on_done = on_done
        self._is_clean = False

    @property
    def is_done(self) -> bool:
        """Everything that may be deleted has been."""
        return self._is_dealt and not self._under_way

    @property
    def is_waiting(self) -> bool:
        """Enough is under way."""
        if self._look is not None:
            return self._look.is_waiting
        return self._under_way >= AT_ONCE or (self._is_dealt and self._under_way > 0)

    def note(self, item: Item, size: int) -> None:
        """What has become of copies is counted elsewhere."""

    def start(self) -> None:
        """Every copy has ended: see whether extras may be deleted."""
        case = self._case()
        refusal = refuse(case)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._rest = self._extras.pairs()
        self._is_clean = not case.failed
        if looks(case.verify, case.extras):
            self._look = PeerLook(self._extras.pairs(), self._source, lambda order: self._ask(self, order))
        elif case.extras:
            self._report.log(Level.INFO, f"{case.extras} objects are deleted without looking for them at the source")

    def pull(self) -> None:
        """Have the next ones looked for, or deleted.

        Raises:
            S3Error: what was noted cannot be read again.
        """
        if not self._extras.is_looked_through:
            one = self._extras.look()
            if one is not None:
                self._refuse(refuse_folded(*one))
        elif self._look is None:
            self._delete()
        elif not self._look.is_done:
            self._look.pull()
        if self._look is not None and self._look.is_done:
            trouble, self._look = self._look.trouble, None
            if trouble is not None:
                self._refuse(refuse_unproven(trouble.message, trouble.code))

    def answer(self, answer: Answer) -> Failure | None:
        """A task has ended; one that could not delete ends the job."""
        if self._look is not None:
            self._look.answer(answer)
            return None
        self._under_way -= 1
        failure = answer.failure if isinstance(answer, TaskEnded | Failed) else None
        if failure is None:
            self._tell_done()
        return failure

    def close(self) -> None:
        """Give up what is noted."""
        self._extras.close()

    def _delete(self) -> None:
        pairs = list(islice(self._rest, MAX_DELETE_KEYS))
        self._is_dealt = len(pairs) < MAX_DELETE_KEYS
        if not pairs:
            self._tell_done()
            return
        self._under_way += 1
        end = self._end
        task: RemoveExtraKeys | RemoveExtraFiles
        if end.url is not None:
            key = end.url.key
            task = RemoveExtraKeys(end.site, tuple([(key + name.decode(), _read(known).etag) for name, known in pairs]))
        else:
            seen = [(name, _read(known)) for name, known in pairs]
            task = RemoveExtraFiles(0, end.root, tuple([(name, *one.file) for name, one in seen]))
        self._ask(self, RunTask(0, task))

    def _tell_done(self) -> None:
        if self._is_clean and self.is_done:
            self._on_done()

    def _refuse(self, refusal: Refusal) -> None:
        self._is_dealt = True
        failure = Failure(refusal.message, refusal.code, exit_code=int(refusal.exit_code))
        self._report.refused(failure, stops=refusal.exit_code is not Exit.SOME_FAILED)
