"""The parts of an object whose size nobody knows yet: what comes from stdin.

S3 takes 10,000 parts, and a part must be whole in memory before it is sent, because its checksum goes ahead of it. So
parts begin small and double after every thousand: small streams go out at once and in little memory, and a long one
still ends before the 10,000th part. What memory allows is the limit of a part, and so of the stream. Who says how much
will come gets parts of one size, which some services insist on.
"""

from __future__ import annotations

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.limits import MAX_PART_BYTES
from orbit_fast.core.limits import MAX_PARTS
from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.ring import PAGE
from orbit_fast.core.settings import MIB
from orbit_fast.core.units import format_size

FIRST_PART = 8 * MIB
"""Parts begin with this size: the smallest at which requests cost next to nothing."""

DOUBLE_AFTER = 1000
"""Parts of one size before they double: 5 GiB go out in parts of 8 MiB, 1 TiB fits in parts of 256 MiB at most."""


class PartSizes:
    """How large the parts of one stream are.

    Attributes:
        first: bytes of the first part.
        largest: bytes of the largest part that memory allows.
    """

    def __init__(self, memory: int, *, expected_size: int = 0, first: int = FIRST_PART) -> None:
        """`memory` bytes hold the parts in flight; `expected_size` bytes are said to come (0: unknown).

        Parts begin with `first` bytes, where memory and `expected_size` allow it.

        Raises:
            InvalidConfig: as many bytes as are expected need parts that this memory does not hold.
            TooLarge: S3 does not take so many.
        """
        self._doubles = not expected_size
        self.largest = min(MAX_PART_BYTES, memory // 2 // PAGE * PAGE)
        self.first = min(first, max(MIN_PART_BYTES, self.largest))
        if expected_size:
            self.first = plan_parts(expected_size, self.first).part_size
            if self.first > max(self.largest, MIN_PART_BYTES):
                raise InvalidConfig(
                    f"{expected_size} bytes need parts of {format_size(self.first, human=True)}, of which two must fit "
                    f"into memory: give --max-memory {format_size(3 * self.first, human=True).replace(' ', '')}"
                )
        self.largest = max(self.largest, self.first)

    def size_of(self, number: int) -> int:
        """Bytes of part `number` (from 1), if it is not the last.

        Raises:
            TooLarge: there is no such part.
        """
        if number > MAX_PARTS:
            raise TooLarge(
                f"the stream is longer than the {format_size(self.total(), human=True)} that {MAX_PARTS} parts hold: "
                "say how long it is with --expected-size, and give more --max-memory"
            )
        if not self._doubles:
            return self.first
        return min(self.largest, self.first << (number - 1) // DOUBLE_AFTER)

    def total(self) -> int:
        """Bytes of the longest stream."""
        return sum(self.size_of(number) for number in range(1, MAX_PARTS + 1))


class Stream:
    """The layout of a stream, which grows while it is read. It stands where a `Layout` would.

    Attributes:
        size: bytes that have been read.
        part_size: bytes of the first part.
        count: parts that are full.
        is_whole: the last byte has been read.
    """

    __slots__ = ("_parts", "count", "is_whole", "landed", "part_size", "size")

    def __init__(self, part_size: int) -> None:
        self.part_size = part_size
        self.size = 0
        self.count = 0
        self.is_whole = False
        self._parts: dict[int, tuple[int, int, int]] = {}
        self.landed: list[int] = []
        """Where the bytes stood that are not needed any more; emptied by whoever gives that memory back."""

    def append(self, size: int, at: int) -> None:
        """One more part is full: `size` bytes of the stage, from `at` on."""
        self.count += 1
        self._parts[self.count] = (self.size, size, at)
        self.size += size

    def part(self, number: int) -> tuple[int, int]:
        """Offset in the object and size of a part that has not landed."""
        offset, size, _ = self._parts[number]
        return offset, size

    def place(self, number: int) -> int:
        """Where in the stage the bytes of a part stand."""
        return self._parts[number][2]

    def land(self, number: int) -> None:
        """The service has this part: nobody will send it again."""
        self.landed.append(self._parts.pop(number)[2])
