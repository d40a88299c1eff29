"""The end of a sync that deletes: when every copy has ended, the guard is asked, once; then extras go.

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
from orbit_fast.core.guard import refuse
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
from orbit_fast.io.external_sort import Spool
from orbit_fast.proc.finders import AskFor
from orbit_fast.proc.report import Report
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.voice import LineVoice

AT_ONCE: Final = 16
"""Tasks on their way: see `io.removal.IN_FLIGHT`."""

_read_object: Final = msgspec.msgpack.Decoder(tuple[str]).decode
_read_file: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode


class Deletion:
    """Deletes the extras of a sync, if it may.

    Args:
        extras: names below the destination; with the ETag of an object, or the size and time of a file.
        end: where the destination is.
        case: what is known when the copies have ended.
        report: is told a refusal.
        ask: has tasks done.
    """

    def __init__(
        self,
        extras: Spool,
        end: End,
        case: Callable[[], Case],
        *,
        report: Report | LineVoice,
        ask: AskFor,
    ) -> None:
        self._extras = extras
        self._end = end
        self._case = case
        self._report = report
        self._ask = ask
        self._rest: Iterator[Pair] = iter(())
        self._under_way = 0
        self._is_dealt = False

    @property
    def is_done(self) -> bool:
        """Everything that may be deleted has been."""
        return self._is_dealt and not self._under_way

    @property
    def is_waiting(self) -> bool:
        """Enough is under way."""
        return self._under_way >= AT_ONCE or (self._is_dealt and self._under_way > 0)

    def note(self, item: Item, size: int) -> None:
        """What has become of copies is counted elsewhere."""

    def start(self) -> None:
        """Every copy has ended: see whether extras may be deleted."""
        refusal = refuse(self._case())
        if refusal is None:
            self._rest = self._extras.pairs()
        else:
            self._is_dealt = True
            self._refuse(refusal)

    def pull(self) -> None:
        """Have the next ones deleted.

        Raises:
            S3Error: what was noted cannot be read again.
        """
        pairs = list(islice(self._rest, MAX_DELETE_KEYS))
        self._is_dealt = len(pairs) < MAX_DELETE_KEYS
        if not pairs:
            return
        self._under_way += 1
        end = self._end
        task: RemoveExtraKeys | RemoveExtraFiles
        if end.url is not None:
            key = end.url.key
            extras = [(key + name.decode(), _read_object(known)[0]) for name, known in pairs]
            task = RemoveExtraKeys(end.site, tuple(extras))
        else:
            task = RemoveExtraFiles(0, end.root, tuple((name, *_read_file(known)) for name, known in pairs))
        self._ask(self, RunTask(0, task))

    def answer(self, answer: Answer) -> Failure | None:
        """A task has ended; one that could not be done ends the job."""
        self._under_way -= 1
        return answer.failure if isinstance(answer, TaskEnded | Failed) else None

    def close(self) -> None:
        """Give up what is noted."""
        self._extras.close()

    def _refuse(self, refusal: Refusal) -> None:
        failure = Failure(refusal.message, refusal.code, exit_code=int(refusal.exit_code))
        self._report.refused(failure, stops=refusal.exit_code is not Exit.SOME_FAILED)
