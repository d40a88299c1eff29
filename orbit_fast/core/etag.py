"""What an ETag can prove.

The ETag of an object uploaded in one PUT, unencrypted or with SSE-S3, is the MD5 of its bytes; with SSE-KMS or SSE-C it
is not. Source: S3 API reference, "Object", element ETag. After a multipart upload it is, on S3 and on many services,
the MD5 of the parts' MD5s and ``-N`` for N parts: provable by whoever knows where the parts were cut.
"""

from __future__ import annotations

import re

MIB = 1 << 20

USUAL_PART_MIB = (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500, 512, 1000, 1024)
"""Part sizes that uploaders use: the defaults of S3's SDKs and command lines, and round numbers."""

MAX_GUESSES = 4
"""Each guess is one more MD5 over the object, at about 1 GB/s."""

_COUNT = re.compile("[1-9][0-9]{0,4}")  # at most 10,000 parts; a number of any length takes its time to read
_HEX = frozenset("0123456789abcdef")
_PLAIN = ("", "AES256")


def is_md5(etag: str, encryption: str = "") -> bool:
    """Whether this ETag has the form of an MD5 and the encryption leaves it one."""
    return len(etag) == 32 and encryption in _PLAIN and _HEX.issuperset(etag)


def parts_of(etag: str) -> int:
    """The number of parts that a multipart ETag names; 0 for any other ETag."""
    digest, _, count = etag.partition("-")
    return part_count(count) if len(digest) == 32 and _HEX.issuperset(digest) else 0


def part_count(text: str) -> int:
    """The number that stands behind the dash of an ETag or a composite checksum; 0 where none does."""
    return int(text) if _COUNT.fullmatch(text) else 0


def guess_part_sizes(size: int, parts: int) -> tuple[int, ...]:
    """Part sizes (bytes) in which an object of `size` bytes may have been uploaded in `parts` parts; likely ones first.

    All parts but the last have one size. The usual sizes come first, then the smallest whole number of MiB.
    """
    if parts < 1 or size < 1:
        return ()
    if parts == 1:
        return (size,)
    smallest, largest = -(-size // parts), (size - 1) // (parts - 1)
    usual = [mib * MIB for mib in USUAL_PART_MIB if smallest <= mib * MIB <= largest]
    rounded = -(-smallest // MIB) * MIB
    if smallest <= rounded <= largest and rounded not in usual:
        usual.append(rounded)
    return tuple(usual[:MAX_GUESSES])
