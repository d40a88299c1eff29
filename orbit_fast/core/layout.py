"""Size to parts: how one object is cut so that S3 takes it.

All parts have one size but the last, which has the rest. S3 allows 10,000 parts of 5 MiB to 5 GiB, so the part size
that was asked for grows when the object needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orbit_fast.core.errors import TooLarge
from orbit_fast.core.limits import MAX_OBJECT_BYTES
from orbit_fast.core.limits import MAX_PART_BYTES
from orbit_fast.core.limits import MAX_PARTS
from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.settings import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The parts of one object.

    Attributes:
        size: bytes of the object.
        part_size: bytes of every part but the last.
        count: number of parts; 1 for an empty object, whose one part is empty.
    """

    size: int
    part_size: int
    count: int

    @property
    def is_whole(self) -> bool:
        """Always: all parts are known (of a `core.stream.Stream` they are not until its end)."""
        return True

    @property
    def is_multipart(self) -> bool:
        """Whether the object is larger than one part."""
        return self.count > 1

    def part(self, number: int) -> tuple[int, int]:
        """Offset and length, in bytes, of part `number` (from 1).

        Raises:
            ValueError: there is no such part.
        """
        if not 1 <= number <= self.count:
            raise ValueError(f"no part {number} of {self.count}")
        offset = (number - 1) * self.part_size
        return offset, min(self.part_size, self.size - offset)

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """Number, offset and length of every part, in order."""
        for number in range(1, self.count + 1):
            yield number, *self.part(number)


def plan_parts(size: int, wanted_part_size: int, *, min_part: int = MIN_PART_BYTES) -> Layout:
    """The parts of an object of `size` bytes.

    The wanted part size is brought into the range that S3 takes, then raised, in whole MiB, until 10,000 parts suffice.

    Args:
        size: bytes of the object.
        wanted_part_size: bytes of a part, if nothing speaks against it.
        min_part: smallest part that the service takes, in bytes (downloads and tests may go below S3's).

    Raises:
        TooLarge: the object is larger than S3 can hold.
        ValueError: a negative size, or a smallest part below one byte.
    """
    if size < 0 or min_part < 1:
        raise ValueError(f"no layout for {size} bytes in parts of at least {min_part}")
    if size > MAX_OBJECT_BYTES:
        raise TooLarge(f"{size} bytes are more than the {MAX_OBJECT_BYTES} (48.8 TiB) that an S3 object can have")
    part_size = min(max(wanted_part_size, min_part), MAX_PART_BYTES)
    if size > part_size * MAX_PARTS:
        part_size = _round_up(_divide_up(size, MAX_PARTS), MIB)
    return Layout(size=size, part_size=part_size, count=max(1, _divide_up(size, part_size)))


def _divide_up(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _round_up(number: int, step: int) -> int:
    return _divide_up(number, step) * step
