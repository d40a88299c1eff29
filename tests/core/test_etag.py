"""What an ETag can prove, by its form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.etag import MAX_GUESSES
from orbit_fast.core.etag import MIB
from orbit_fast.core.etag import guess_part_sizes
from orbit_fast.core.etag import is_md5
from orbit_fast.core.etag import parts_of

MD5 = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("etag", "encryption", "wanted"),
    [
        (MD5, "", True),
        (MD5, "AES256", True),
        (MD5, "aws:kms", False),
        (MD5, "aws:kms:dsse", False),
        (MD5, "SSE-C", False),
        (MD5.upper(), "", False),
        (MD5[:-1], "", False),
        (MD5 + "0", "", False),
        (f"{MD5}-2", "", False),
        (f'"{MD5}"', "", False),
        ("g" * 32, "", False),
        ("", "", False),
    ],
)
def test_the_etag_of_one_put_is_its_md5(etag, encryption, wanted):
    """32 lower-case hex digits, unless the encryption says otherwise."""
    assert is_md5(etag, encryption) is wanted


@pytest.mark.parametrize(
    ("etag", "count"),
    [
        (f"{MD5}-1", 1),
        (f"{MD5}-10000", 10_000),
        (MD5, 0),
        (f"{MD5}-", 0),
        (f"{MD5}-x", 0),
        (f"{MD5}-0", 0),
        (f"{MD5}-02", 0),
        (f"{MD5}--2", 0),
        (f"{MD5}-+2", 0),
        (f"{MD5}-2 ", 0),
        (f"{MD5}-2-2", 0),
        (f"{MD5}-٣", 0),
        (f"{MD5}-100000", 0),
        (f"{MD5}-" + "9" * 5000, 0),
        (f"{MD5.upper()}-2", 0),
        (f"{MD5}0-2", 0),
        ("x-2", 0),
        ("", 0),
    ],
)
def test_the_etag_of_a_multipart_upload_names_its_parts(etag, count):
    """The number behind the dash, as a service writes it that has counted parts."""
    assert parts_of(etag) == count


@given(st.integers(1, 1 << 45), st.integers(1, 10_000))
def test_guesses_fit(size, parts):
    """Each of them cuts the object into exactly so many parts; there are few."""
    guesses = guess_part_sizes(size, parts)
    assert len(guesses) <= MAX_GUESSES
    assert all(-(-size // guess) == parts for guess in guesses)


@pytest.mark.parametrize("part_size", [5 * MIB, 8 * MIB, 16 * MIB, 50 * MIB, 7 * MIB])
@pytest.mark.parametrize("parts", [2, 5, 40])
def test_usual_part_sizes_are_guessed(part_size, parts):
    """Those of known uploaders, and where there are many parts any whole number of MiB."""
    size = part_size * (parts - 1) + 1000
    if part_size != 7 * MIB or parts > 7:
        assert part_size in guess_part_sizes(size, parts)


@pytest.mark.parametrize(
    ("size", "parts", "guesses"),
    [
        (0, 1, ()),
        (5, 0, ()),
        (5, 1, (5,)),
        (5, 2, ()),
        (20 * MIB, 2, (10 * MIB, 15 * MIB, 16 * MIB)),
        (20 * MIB + 1, 3, (8 * MIB, 10 * MIB, 7 * MIB)),
        (14 * MIB, 2, (8 * MIB, 10 * MIB, 7 * MIB)),
        (26 * MIB, 2, (15 * MIB, 16 * MIB, 20 * MIB, 25 * MIB)),
        (1600 * MIB, 2, (1000 * MIB, 1024 * MIB, 800 * MIB)),
        (30 * MIB, 2, (15 * MIB, 16 * MIB, 20 * MIB, 25 * MIB)),
    ],
)
def test_likely_guesses_come_first(size, parts, guesses):
    """Usual sizes from small to large, then the smallest whole number of MiB, never more than a few."""
    assert guess_part_sizes(size, parts) == guesses
