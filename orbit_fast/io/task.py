"""What the flow of a task works with: the surroundings of every flow, and a way to say something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Protocol

from orbit_fast.core.encode_headers import Headers
from orbit_fast.core.errors import Exit
from orbit_fast.core.messages import Failure
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.tasks import Tallied
from orbit_fast.io.flow import Flow
from orbit_fast.io.flow import Until
from orbit_fast.io.together import Handle
from orbit_fast.io.together import Together
from orbit_fast.io.transfer import Surroundings

SAY_AT = 64 << 10
"""Lines are collected until they are worth a message."""


Presigner = Callable[[int, str, str, Headers, int], tuple[str, int]]
"""Site, method, key, query and lifetime in seconds to a URL, and the Unix second when it was made."""


class Output(Protocol):
    """Where lines go."""

    @property
    def is_congested(self) -> bool:
        """Whether whoever makes lines should wait for their reader."""

    def say(self, lines: bytes, errors: bytes) -> None:
        """Whole lines for stdout and for stderr."""

    def when_drained(self, wake: Callable[[], None]) -> None:
        """Call `wake`, once, when it is congested no more."""


@dataclass(slots=True, kw_only=True)
class TaskSurroundings:
    """What one task is given.

    Attributes:
        around: as for every flow.
        run: starts another flow beside this one (`Client.run`).
        output: where lines go.
        presign: makes a URL that is good for one request (`Client.presign`).
        allowed: how many requests this process may have in flight now, because the service asks to slow down; 0 where
            it does not.
        line: where ``run`` read the command, counted from 1; else 0.
        tallied: what it has come to so far.
    """

    around: Surroundings
    run: Callable[[Flow[Any], Callable[[Any], None]], Handle]
    output: Output
    presign: Presigner
    allowed: Callable[[], int] = lambda: 0
    line: int = 0
    tallied: Tallied = field(default_factory=Tallied)
    _lines: list[bytes] = field(default_factory=list)
    _size: int = 0
    _counted: int = 0

    @property
    def settings(self) -> JobSettings:
        """Those that the task is done with."""
        return self.around.settings

    def together(self, *, limit: int) -> Together:
        """For flows beside this one, at most `limit` at once."""
        return Together(self.run, limit=limit)

    def say(self, lines: bytes, errors: bytes = b"") -> None:
        """Whole lines for stdout, or for stderr. Those for stdout may wait a little for others: see `flush`."""
        if errors:
            self.flush()
            self.output.say(b"", errors)
        if lines:
            self._lines.append(lines)
            self._size += len(lines)
            if self._size >= SAY_AT:
                self.flush()

    def flush(self) -> None:
        """Let what was said go out. The task's owner does it at the task's end."""
        if self._lines:
            lines = b"".join(self._lines)
            self._lines.clear()
            self._size = 0
            self.output.say(lines, b"")

    def drained(self) -> Flow[None]:
        """Let what was said and counted go out, and wait while its reader is slow: between two pages, say."""
        if not self._lines and self.tallied.ended > self._counted:
            self.output.say(b"", b"")
        self.flush()
        self._counted = self.tallied.ended
        while self.output.is_congested:
            yield Until(self.output.when_drained)

    def failed(self, failure: Failure) -> None:
        """Count something that could not be dealt with; what is to be said of it, the caller says."""
        tallied = self.tallied
        tallied.failed += 1
        tallied.denied += failure.status == 403 or failure.code == "AccessDenied"
        tallied.damaged += failure.exit_code == Exit.INTEGRITY
