"""Proofs of objects while they pass, for every kind of thing that a service may state."""

from __future__ import annotations

import hashlib

import pytest

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.fetching import Opened
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.running import RunningProof

DATA = bytes(range(256)) * 40
PART = 3000
PARTS = [DATA[start : start + PART] for start in range(0, len(DATA), PART)]
MD5 = hashlib.md5(DATA).hexdigest()
MULTIPART_ETAG = etag_of_parts([hashlib.md5(part).digest() for part in PARTS])


def composite_of(algorithm):
    """The composite checksum of the object's parts."""
    value = composite(algorithm, [checksum_of(algorithm, part).value for part in PARTS])
    return Checksum(algorithm, value, "COMPOSITE")


STATED = [
    ({"checksum": checksum_of("CRC32C", DATA)}, "CRC32C", Verified.CHECKSUM),
    ({"checksum": checksum_of("CRC32", DATA)}, "CRC32", Verified.CHECKSUM),
    ({"checksum": checksum_of("CRC64NVME", DATA)}, "CRC64NVME", Verified.CHECKSUM),
    ({"checksum": checksum_of("SHA256", DATA)}, "", Verified.CHECKSUM),
    ({"etag": MD5}, "", Verified.ETAG),
    ({"checksum": composite_of("CRC32C"), "part_size": PART}, "", Verified.CHECKSUM),
    ({"checksum": composite_of("SHA256"), "part_size": PART}, "", Verified.CHECKSUM),
    ({"etag": MULTIPART_ETAG, "part_size": PART}, "", Verified.ETAG),
]


def passed(opened, data, step):
    """A proof past which `data` has gone in ranges of `step` bytes."""
    proof = RunningProof("k", opened)
    for start in range(0, len(data), step):
        chunk = data[start : start + step]
        value = checksum_of(proof.range_algorithm, chunk).value if proof.range_algorithm else ""
        proof.update(memoryview(chunk), value)
    return proof


@pytest.mark.parametrize("step", [1000, 2999, 3000, 7000, 100_000])
@pytest.mark.parametrize(("stated", "algorithm", "verified"), STATED)
def test_the_right_bytes_are_proven(stated, algorithm, verified, step):
    """However the ranges lie to the parts; what does combine is left to whoever fetches."""
    proof = passed(Opened(0, len(DATA), **stated), DATA, step)
    assert proof.range_algorithm == algorithm
    assert proof.finish() is verified
    assert proof.checksum == stated.get("checksum")


@pytest.mark.parametrize("at", [0, 5000, len(DATA) - 1])
@pytest.mark.parametrize("stated", [row[0] for row in STATED])
def test_one_wrong_byte_is_found(stated, at):
    """Wherever it is."""
    bad = bytearray(DATA)
    bad[at] ^= 1
    with pytest.raises(ChecksumMismatch):
        passed(Opened(0, len(DATA), **stated), bytes(bad), 2999).finish()


@pytest.mark.parametrize(
    "stated",
    [{}, {"etag": "whatever"}, {"etag": MD5, "encryption": "aws:kms"}, {"etag": MULTIPART_ETAG}],
)
def test_nothing_is_claimed_where_nothing_can_be_compared(stated):
    """The size is all that was."""
    assert passed(Opened(0, len(DATA), **stated), DATA, 4096).finish() is Verified.SIZE
