"""Objects on their way to stdout: what of each has been asked for, has come, and has been written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from msgspec.structs import replace

from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RangeIgnored
from orbit_fast.core.errors import Scope
from orbit_fast.core.errors import Unverifiable
from orbit_fast.core.errors import object_changing
from orbit_fast.core.events import Landed
from orbit_fast.core.fetching import Fetch
from orbit_fast.core.fetching import Fetched
from orbit_fast.core.fetching import Opened
from orbit_fast.core.messages import Answer
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Entry
from orbit_fast.core.running import RunningProof
from orbit_fast.proc.wanted import Wanted


@dataclass(slots=True)
class Block:
    """A piece of the stage, and what was asked to come there.

    Attributes:
        at: where it is.
        passing: whose it is.
        go_on: called when the answer has come.
        order: what was asked.
        is_refused: the service does no ranges: it is to come in a stream.
        fetched: the answer, or None before it.
        failure: why nothing came, or None.
        written: bytes of it that have gone to stdout.
    """

    at: int
    passing: Passing
    go_on: Callable[[], None]
    order: Fetch
    is_refused: bool = False
    fetched: Fetched | None = None
    failure: Failure | None = None
    written: int = 0

    @property
    def has_come(self) -> bool:
        """Whether nobody writes to it any more."""
        return self.fetched is not None or self.failure is not None

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.fetched.size if self.fetched is not None else 0

    def answer(self, answer: Answer) -> Failure | None:
        """It has come, or it will not; a failure that is every other object's too."""
        self.passing.in_flight -= 1
        if isinstance(answer, Failed) and answer.failure.code == RangeIgnored.default_code and not self.order.stream:
            self.is_refused = True
        elif isinstance(answer, Failed):
            self.failure = self.passing.explained(answer.failure)
        else:
            assert isinstance(answer, Fetched), "nothing else is asked for"
            self.fetched = answer
            self.passing.attempts = max(self.passing.attempts, answer.attempts)
        if self.failure is not None and self.failure.scope == Scope.JOB and not self.passing.wanted.is_line:
            return self.failure
        self.go_on()
        return None


@dataclass(slots=True, kw_only=True)
class Passing:
    """One object.

    Attributes:
        entry: as it was found.
        site: number of its side.
        name: how it is called.
        wanted: whose it is.
        started_s: when it was found, monotonic seconds.
        is_cold: its storage class wants a restore, and nobody has looked yet whether there was one.
        is_skipped: it is archived, and left.
        go_on: called when the answer to `Open` has come.
        opened: what it is, once that is known; None of an object that comes in one piece.
        proof: of one that comes in ranges, where it is to be proven.
        next: offset of the first byte that has not been asked for.
        end: offset behind the last one that is wanted.
        is_asked: all of it has been asked for.
        is_opening: it is being looked at.
        stream: number of the order by which all of it is sent, where the service does no ranges; 0: none.
        is_streaming: that order has not been answered.
        blocks: what was asked for and has not been written, in order.
        in_flight: of those, the ones that have not come.
        written: bytes that have gone to stdout.
        attempts: tries of the request that needed most.
        failure: why the rest is not written, or None.
        whole: the answer for an object that came in one piece.
    """

    entry: Entry
    site: int
    name: str
    wanted: Wanted
    started_s: float
    go_on: Callable[[], None]
    is_cold: bool = False
    is_skipped: bool = False
    opened: Opened | None = None
    proof: RunningProof | None = None
    next: int = 0
    end: int = 0
    is_asked: bool = False
    is_opening: bool = False
    stream: int = 0
    is_streaming: bool = False
    blocks: deque[Block] = field(default_factory=deque)
    in_flight: int = 0
    written: int = 0
    attempts: int = 1
    failure: Failure | None = None
    whole: Fetched | None = None

    @property
    def is_over(self) -> bool:
        """Everything that was asked for has been written or dropped, and nothing more will be."""
        return (
            not self.blocks and not self.is_opening and (self.is_asked or self.is_skipped or self.failure is not None)
        )

    def answer(self, answer: Answer) -> Failure | None:
        """It has been looked at; a failure that is every other object's too."""
        self.is_opening = False
        if isinstance(answer, Failed):
            self.failure = answer.failure
            if answer.failure.scope == Scope.JOB and not self.wanted.is_line:
                return answer.failure
        else:
            assert isinstance(answer, Opened), "nothing else is asked for"
            self.opened = answer
        self.go_on()
        return None

    def stream_ended(self, answer: Answer) -> Failure | None:
        """All of it has been sent, or will not be; a failure that is every other object's too."""
        self.is_streaming = False
        if isinstance(answer, Failed):
            self.failure = self.failure or self.explained(answer.failure)
            if answer.failure.scope == Scope.JOB and not self.wanted.is_line:
                return answer.failure
        self.go_on()
        return None

    def explained(self, failure: Failure) -> Failure:
        """The failure of a range, in the words of the whole."""
        if failure.code == PreconditionFailed.default_code:
            return Failure.of(object_changing(self.entry.key))
        return failure

    def take(self, block: Block, data: memoryview) -> None:
        """The first of the blocks has been written: `data`."""
        assert block.fetched is not None, "it has come"
        if self.proof is not None:
            self.proof.update(data, block.fetched.checksum)
        elif not self.end:
            self.whole = block.fetched

    def prove(self, *, verify: bool, require: bool) -> Verified:
        """What the object, all of it written, has been proven against.

        Raises:
            IntegrityError: it is not what the service stores, or nothing can be compared and that is required.
        """
        verified = Verified.SIZE
        if self.whole is not None:
            verified = Verified(self.whole.verified)
        elif self.proof is not None:
            try:
                verified = self.proof.finish()
            except ChecksumMismatch as error:
                error.message += ": its bytes have been passed on already"
                raise
        elif not verify:
            verified = Verified.NOTHING
        if require and verified is Verified.SIZE:
            raise Unverifiable(f"{self.entry.key}: the service offers nothing to compare its bytes with")
        return verified

    def landed(self, verified: Verified, now_s: float) -> Landed:
        """What there is to say of it."""
        facts: Fetched | Opened | None = self.whole or self.opened
        proof = self.proof.checksum if self.proof is not None else None
        if self.whole is not None:
            proof = self.whole.proof
        return Landed(
            size=self.written,
            etag=facts.etag if facts is not None else "",
            version_id=facts.version_id if facts is not None else "",
            checksum=proof if verified is Verified.CHECKSUM else None,
            verified=verified,
            content_type=facts.content_type if facts is not None else "",
            storage_class=facts.storage_class if facts is not None else "",
            attempts=self.attempts,
            duration_ms=round((now_s - self.started_s) * 1000),
        )

    def told(self, failure: Failure) -> Failure:
        """The failure, with what has been passed on before it."""
        if not self.written or "passed on" in failure.message:
            return failure
        return replace(failure, message=f"{failure.message} ({self.written} bytes of it were passed on before)")
