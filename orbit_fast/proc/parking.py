"""Where lines of a script wait for their buckets."""

from __future__ import annotations

import dataclasses
from collections import deque

from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Failure
from orbit_fast.core.work import Line
from orbit_fast.proc.sidekeeper import SideKeeper
from orbit_fast.proc.sides import Side


class Parking:
    """Lines that wait until their buckets have been found, which may take botocore a while.

    They are looked for all at once. Where that fails nobody knows by whose fault: then they are looked for one by one,
    and the one that fails alone is told so.
    """

    def __init__(self, sides: SideKeeper) -> None:
        self._sides = sides
        self._waiting: deque[tuple[Line, tuple[Side, ...]]] = deque()
        self._sought: list[tuple[Line, tuple[Side, ...]]] = []
        self._is_careful = False

    def __bool__(self) -> bool:
        return bool(self._waiting or self._sought)

    @property
    def can_go_on(self) -> bool:
        """Nothing is being looked for, and something waits."""
        return bool(self) and self._sides.is_complete and not self._sides.is_looking

    def park(self, line: Line, sides: tuple[Side, ...]) -> bool:
        """Keep a line that cannot be done yet; False for one that can."""
        if all(self._sides.is_at_hand(side) for side in sides):
            return False
        self._waiting.append((line, sides))
        return True

    def take(self) -> list[Line]:
        """Lines that can be done now, or have failed; looks for the sides of others."""
        if not self.can_go_on:
            return []
        refusal = self._sides.take_refusal()
        sought, self._sought = self._sought, []
        found = [line for line, _ in sought]
        if refusal is not None and len(sought) > 1:
            self._is_careful = True
            self._waiting.extendleft(reversed(sought))
            found = []
        elif refusal is not None:
            found = [dataclasses.replace(line, failure=refusal) for line in found]
        while self._waiting and not (self._sought and self._is_careful):
            found += self._seek(*self._waiting.popleft())
        return found

    def _seek(self, line: Line, sides: tuple[Side, ...]) -> list[Line]:
        try:
            for side in sides:
                self._sides.number_of(side)
        except S3Error as error:
            return [dataclasses.replace(line, failure=Failure.of(error))]
        self._sought.append((line, sides))
        return []
