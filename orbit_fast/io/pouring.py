"""One stream of bytes for several who take pieces of it, in order; while nobody does, it waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from orbit_fast.core.checksum import Hasher
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import S3Error


class Piece:
    """What somebody wants of the stream, and the memory where it is to be.

    Attributes:
        offset: of its first byte in the object.
        filled: bytes of it that have come.
        failure: why it will not come, or None.
    """

    def __init__(self, offset: int, region: memoryview, algorithm: str) -> None:
        """All of `region` is to be filled; a checksum is computed on the way where an algorithm is named."""
        self.offset = offset
        self.filled = 0
        self.failure: S3Error | None = None
        self._region = region
        self._algorithm = algorithm
        self._hasher: Hasher | None = new_hasher(algorithm) if algorithm else None
        self._wake: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        """It has come, or will not."""
        return self.failure is not None or self.filled == len(self._region)

    @property
    def checksum(self) -> str:
        """Of what has come."""
        return self._hasher.value() if self._hasher is not None else ""

    def room(self) -> memoryview:
        """Where its next bytes go."""
        return self._region[self.filled :]

    def take(self, count: int) -> None:
        """So many bytes now stand at the start of `room`."""
        if self._hasher is not None:
            self._hasher.update(self._region[self.filled : self.filled + count])
        self.filled += count
        self._tell()

    def begin_again(self) -> None:
        """What has come of it comes once more."""
        self.filled = 0
        self._hasher = new_hasher(self._algorithm) if self._algorithm else None

    def fail(self, failure: S3Error) -> None:
        """It will not come."""
        self.failure = failure
        self._tell()

    def wait(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when it is over."""
        self._wake = wake
        self._tell()

    def _tell(self) -> None:
        if self.is_over and self._wake is not None:
            wake, self._wake = self._wake, None
            wake()


class Pouring:
    """The pieces that are wanted of one stream, and how it stands.

    Attributes:
        pieces: in the order of the bytes; none of them is over.
        failure: why no more comes, or None.
        is_stopped: no more is wanted.
        on_change: called when a piece was added, or no more is wanted.
    """

    def __init__(self) -> None:
        self.pieces: deque[Piece] = deque()
        self.failure: S3Error | None = None
        self.is_stopped = False
        self.on_change: Callable[[], None] = _nothing

    def add(self, piece: Piece) -> None:
        """Somebody wants this, behind all that was wanted before."""
        if self.failure is not None:
            piece.fail(self.failure)
        elif self.pieces and self.pieces[-1].offset > piece.offset:
            piece.fail(Internal("pieces of a stream are wanted in another order than they come in"))
        else:
            self.pieces.append(piece)
            self.on_change()

    def drop(self, piece: Piece) -> None:
        """Nobody wants this any more; its memory is not to be touched."""
        if piece in self.pieces:
            self.pieces.remove(piece)

    def stop(self) -> None:
        """No more is wanted."""
        self.is_stopped = True
        self.on_change()

    def end(self, failure: S3Error) -> None:
        """No more comes: whoever waits, or asks later, is told."""
        self.failure = failure
        self.on_change = _nothing
        while self.pieces:
            self.pieces.popleft().fail(failure)


def _nothing() -> None:
    """Nobody is to be told."""
