"""How two versions differ, as far as the service tells."""

from __future__ import annotations

import pytest

from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.versioning import Difference
from orbit_fast.core.versioning import compare

MD5, OTHER = "0" * 32, "1" * 32


def facts(etag="", checksum=None, *, size=5, encryption=""):
    """What HeadObject says."""
    return ObjectFacts(size=size, etag=etag, checksum=checksum and Checksum(*checksum), encryption=encryption)


@pytest.mark.parametrize(
    ("first", "second", "differs", "basis"),
    [
        (facts(MD5), facts(MD5, size=6), True, "size"),
        (facts(MD5), facts(MD5), False, "etag"),
        (facts(MD5), facts(OTHER), True, "etag"),
        (facts(f"{MD5}-2"), facts(f"{MD5}-2"), False, "etag"),
        (facts(f"{MD5}-2"), facts(f"{OTHER}-2"), None, ""),
        (facts(MD5), facts(f"{OTHER}-2"), None, ""),
        (facts(MD5), facts(OTHER, encryption="aws:kms"), None, ""),
        (facts(), facts(), None, ""),
        (facts(MD5, ("CRC32", "AA==")), facts(OTHER, ("CRC32", "AA==")), False, "checksum"),
        (facts(MD5, ("CRC32", "AA==")), facts(MD5, ("CRC32", "BB==")), True, "checksum"),
        (facts(MD5, ("CRC32", "AA==")), facts(OTHER, ("CRC32C", "AA==")), True, "etag"),
        (facts(MD5, ("CRC32", "AA==")), facts(MD5), False, "etag"),
        (facts("x-2", ("SHA1", "A-2", "COMPOSITE")), facts("y-2", ("SHA1", "A-2", "COMPOSITE")), False, "checksum"),
        (facts("x-2", ("SHA1", "A-2", "COMPOSITE")), facts("y-3", ("SHA1", "B-3", "COMPOSITE")), None, ""),
    ],
)
def test_content(first, second, differs, basis):
    """Decided by what is made of the bytes alone; unknown where nothing is."""
    found = compare(first, second)
    assert (found.content_differs, found.basis) == (differs, basis)
    back = compare(second, first)
    assert (back.content_differs, back.basis) == (differs, basis)


def test_sizes_and_times():
    """Of the second, against the first."""
    first = ObjectFacts(size=10, mtime_ns=1_000 * 10**9)
    second = ObjectFacts(size=3, mtime_ns=990 * 10**9)
    assert compare(first, second) == Difference(size_diff=-7, time_diff_s=-10, content_differs=True, basis="size")
