"""Every object is covered exactly, in parts that S3 takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import TooLarge
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.limits import MAX_OBJECT_BYTES
from orbit_fast.core.limits import MAX_PART_BYTES
from orbit_fast.core.limits import MAX_PARTS
from orbit_fast.core.limits import MIN_PART_BYTES
from orbit_fast.core.settings import GIB
from orbit_fast.core.settings import MIB


@pytest.mark.parametrize(
    ("size", "wanted", "part_size", "count"),
    [
        (0, 50 * MIB, 50 * MIB, 1),
        (1, 50 * MIB, 50 * MIB, 1),
        (50 * MIB - 1, 50 * MIB, 50 * MIB, 1),
        (50 * MIB, 50 * MIB, 50 * MIB, 1),
        (50 * MIB + 1, 50 * MIB, 50 * MIB, 2),
        (100 * MIB, 50 * MIB, 50 * MIB, 2),
        (2 * GIB, 50 * MIB, 50 * MIB, 41),
        (12 * MIB, MIB, MIN_PART_BYTES, 3),
        (20 * GIB, 6 * GIB, MAX_PART_BYTES, 4),
        (10_000 * 50 * MIB, 50 * MIB, 50 * MIB, 10_000),
        (10_000 * (5 * MIB + 1), 5 * MIB + 1, 5 * MIB + 1, 10_000),
        (10_000 * 50 * MIB + 1, 50 * MIB, 51 * MIB, 9_804),
        (MAX_OBJECT_BYTES, 50 * MIB, MAX_PART_BYTES, 10_000),
        (MAX_OBJECT_BYTES - 1, 5 * MIB, MAX_PART_BYTES, 10_000),
    ],
)
def test_parts_are_as_large_as_wanted_or_as_needed(size, wanted, part_size, count) -> None:
    """The wanted part size holds unless S3's numbers forbid it; then it grows in whole MiB."""
    assert plan_parts(size, wanted) == Layout(size=size, part_size=part_size, count=count)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 50 * MIB])
def test_what_fits_one_part_is_not_multipart(size) -> None:
    """An object of at most one part's size, the empty one too, is one part."""
    layout = plan_parts(size, 50 * MIB)
    assert not layout.is_multipart
    assert list(layout.parts()) == [(1, 0, size)]


def test_one_byte_more_is_multipart() -> None:
    """One byte above the part size makes a second part of one byte."""
    layout = plan_parts(5 * MIB + 1, 5 * MIB)
    assert layout.is_multipart
    assert layout.part(2) == (5 * MIB, 1)


def test_too_large_is_refused() -> None:
    """One byte above S3's largest object is refused."""
    with pytest.raises(TooLarge, match=r"48\.8 TiB"):
        plan_parts(MAX_OBJECT_BYTES + 1, 50 * MIB)


@pytest.mark.parametrize("number", [0, -1, 4])
def test_there_are_no_other_parts(number) -> None:
    """Part numbers run from 1 to count."""
    with pytest.raises(ValueError, match="no part"):
        plan_parts(15 * MIB, 5 * MIB).part(number)


@pytest.mark.parametrize(("size", "min_part"), [(-1, 1), (1, 0)])
def test_nonsense_is_a_mistake(size, min_part) -> None:
    """Negative sizes and parts of nothing are mistakes of the caller."""
    with pytest.raises(ValueError, match="no layout"):
        plan_parts(size, MIB, min_part=min_part)


@given(size=st.integers(0, MAX_OBJECT_BYTES), wanted=st.integers(1, 8 * GIB))
def test_layouts_keep_to_s3s_numbers(size, wanted) -> None:
    """Any size in any wanted part size: at most 10,000 parts of 5 MiB to 5 GiB that end where the object ends."""
    layout = plan_parts(size, wanted)
    assert 1 <= layout.count <= MAX_PARTS
    assert MIN_PART_BYTES <= layout.part_size <= MAX_PART_BYTES
    offset, length = layout.part(layout.count)
    assert offset == (layout.count - 1) * layout.part_size
    assert offset + length == size
    assert 0 < length <= layout.part_size or size == 0


@given(size=st.integers(0, 100_000), wanted=st.integers(0, 5_000), min_part=st.integers(500, 5_000))
def test_parts_cover_every_byte_once(size, wanted, min_part) -> None:
    """Parts follow one another without gap or overlap from the first byte to the last."""
    at = 0
    for expected, (number, offset, length) in enumerate(plan_parts(size, wanted, min_part=min_part).parts(), 1):
        assert (number, offset) == (expected, at)
        at += length
    assert at == size


@given(wanted=st.integers(MIN_PART_BYTES, MAX_PART_BYTES), size=st.integers(0, MAX_OBJECT_BYTES))
def test_parts_grow_no_more_than_needed(wanted, size) -> None:
    """A part size that was raised is the smallest whole MiB that makes 10,000 parts suffice."""
    part_size = plan_parts(size, wanted).part_size
    if part_size != wanted:
        assert part_size % MIB == 0
        assert max(wanted, part_size - MIB) * MAX_PARTS < size
