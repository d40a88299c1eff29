"""Memory that is taken and given back in the same order: a ring without its bytes.

Whoever passes a stream on needs its ranges in order, however they arrive. So memory is taken at the head and freed at
the tail, every piece is contiguous, and nothing is ever searched. A piece that comes back early waits until all those
that were taken before it have come back too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

PAGE = 4096
"""Pieces are whole pages."""


@dataclass(slots=True)
class _Piece:
    at: int
    size: int
    is_free: bool = False


class Ring:
    """Offsets into `capacity` bytes.

    Attributes:
        capacity: bytes in all.
    """

    __slots__ = ("_pieces", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._pieces: deque[_Piece] = deque()

    @property
    def is_empty(self) -> bool:
        """Everything has come back."""
        return not self._pieces

    def take(self, size: int) -> int | None:
        """The offset of `size` contiguous bytes, or None while there are none.

        Raises:
            ValueError: there will never be so many, or none are wanted.
        """
        size = -(-size // PAGE) * PAGE
        if not 0 < size <= self.capacity:
            raise ValueError(f"{size} bytes of a ring of {self.capacity}")
        at = self._find(size)
        if at is not None:
            self._pieces.append(_Piece(at, size))
        return at

    def give_back(self, at: int) -> None:
        """Nobody uses the piece at this offset any more.

        Raises:
            KeyError: nobody had it.
        """
        for piece in self._pieces:
            if piece.at == at and not piece.is_free:
                piece.is_free = True
                break
        else:
            raise KeyError(at)
        while self._pieces and self._pieces[0].is_free:
            self._pieces.popleft()

    def _find(self, size: int) -> int | None:
        if not self._pieces:
            return 0  # always from the beginning: what fits at all fits here, and these pages are warm
        tail, last = self._pieces[0].at, self._pieces[-1]
        head = last.at + last.size
        if last.at < tail:  # wrapped around: what is free lies between the two
            return head if size <= tail - head else None
        if size <= self.capacity - head:
            return head
        return 0 if size <= tail else None

    def __repr__(self) -> str:
        taken = sum(piece.size for piece in self._pieces)
        return f"<Ring {taken} of {self.capacity} bytes in {len(self._pieces)} pieces>"
