"""The look at the source before the first deletion: is any of the extras there after all?

All peers are looked for before anything is deleted: one that is found says that the listing is not to be believed.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import RunTask
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.core.tasks import LookForKeys
from orbit_fast.io.external_sort import Pair
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.sync_finder import Extra

NAMES_A_TASK: Final = 250
"""A few hundred extras already keep several workers busy; a task more costs a message."""

AT_ONCE: Final = 16
"""Tasks on their way; each has `io.tasks.peers.AT_ONCE` requests at once."""

_read: Final = msgspec.msgpack.Decoder(Extra).decode


class PeerLook:
    """Has the peers of extras looked for.

    Args:
        extras: names and `Extra`, as they were noted.
        source: where the peers would be.
        ask: has a task done; its answer comes to `answer`.

    Attributes:
        trouble: why nothing may be deleted, or None.
    """

    def __init__(self, extras: Iterator[Pair], source: End, ask: Callable[[RunTask], object]) -> None:
        self._names = (name.decode() for name, known in extras if not _read(known).may_be_at_source)
        self._source = source
        self._ask = ask
        self._under_way = 0
        self._is_dealt = False
        self.trouble: Failure | None = None

    @property
    def is_done(self) -> bool:
        """Every peer has been looked for, or one look was enough."""
        return self._is_dealt and not self._under_way

    @property
    def is_waiting(self) -> bool:
        """Enough is under way."""
        return self._under_way >= AT_ONCE or (self._is_dealt and self._under_way > 0)

    def pull(self) -> None:
        """Have the next ones looked for.

        Raises:
            S3Error: what was noted cannot be read again.
        """
        names = list(islice(self._names, NAMES_A_TASK))
        self._is_dealt = self._is_dealt or len(names) < NAMES_A_TASK
        if not names:
            return
        self._under_way += 1
        source = self._source
        task: LookForKeys | LookForFiles
        if source.url is not None:
            task = LookForKeys(source.site, tuple([source.url.key + name for name in names]))
        else:
            task = LookForFiles(0, source.root, tuple(names))
        self._ask(RunTask(0, task))

    def answer(self, answer: Answer) -> None:
        """A task has ended; after the first trouble no other is begun."""
        self._under_way -= 1
        failure = answer.failure if isinstance(answer, TaskEnded | Failed) else None
        if failure is not None:
            self._is_dealt = True
            self.trouble = self.trouble or failure
