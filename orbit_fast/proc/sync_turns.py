"""Syncs of one script that write to the same place, or one inside the other's: they take turns.

Lines run side by side, but two such syncs would each take what the other one is just copying for something that should
not be there. So the one that was read first is done first, whole, and the others wait; syncs to other places do not.
"""

from __future__ import annotations

from orbit_fast.core.work import Line


class SyncTurns:
    """Who writes where, and who waits for whom."""

    def __init__(self) -> None:
        self._busy: dict[int, bytes] = {}
        self._waiting: dict[int, tuple[Line, bytes]] = {}
        self._next: list[Line] = []

    def __len__(self) -> int:
        """Lines that wait, or have not been taken since it is their turn."""
        return len(self._waiting) + len(self._next)

    @property
    def can_go_on(self) -> bool:
        """It is the turn of a line that has waited."""
        return bool(self._next)

    def enter(self, line: Line, place: bytes) -> bool:
        """Whether a line may write to `place` (`destination_lock.place_of`) now; otherwise its turn will come."""
        if line.number in self._busy:
            return True
        if self._is_free(place, [*self._busy.values(), *(other for _, other in self._waiting.values())]):
            self._busy[line.number] = place
            return True
        self._waiting[line.number] = (line, place)
        return False

    def leave(self, line: Line) -> None:
        """A line has ended, or cannot be begun."""
        if self._busy.pop(line.number, None) is None:
            return
        before = list(self._busy.values())
        for number, (other, place) in list(self._waiting.items()):
            if self._is_free(place, before):
                del self._waiting[number]
                self._busy[number] = place
                self._next.append(other)
            before.append(place)

    def take(self) -> list[Line]:
        """The lines whose turn has come."""
        taken, self._next = self._next, []
        return taken

    @staticmethod
    def _is_free(place: bytes, others: list[bytes]) -> bool:
        return not any(place.startswith(other) or other.startswith(place) for other in others)
