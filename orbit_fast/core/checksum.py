"""Checksums as S3 knows them: fed piece by piece, combined from parts, written as base64.

Two kinds exist for an object that was uploaded in parts. *Full object*: the checksum of all its bytes. A CRC of the
whole follows from the CRCs and lengths of the parts, so parts that were checked on different connections, in any
process, prove the object without a second read. *Composite*: the checksum of the parts' digests, written with ``-N``
for N parts; the only kind that hash functions have, because they do not combine.

Why CRCs combine: a CRC is the remainder of a polynomial over GF(2). Putting n bytes behind a message multiplies it by
x^8n, so crc(A + B) = crc(A) * x^(8 * len(B)) + crc(B) modulo the CRC's polynomial; the pre- and post-inversion that all
three of S3's CRCs have cancels out. The factor x^8n is found by squaring, and found once for all parts of one size.

The libraries that compute CRC32C and CRC64NVME load when the algorithm is first used (10 to 30 ms each).
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import zlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Final
from typing import Protocol

from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Checksum

if TYPE_CHECKING:
    from hashlib import _Hash

Data = bytes | bytearray | memoryview
_CrcUpdate = Callable[[Data, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Crc:
    """A CRC's shape: width in bytes and the polynomial, lowest power in the highest bit."""

    width: int
    polynomial: int

    @property
    def one(self) -> int:
        """The polynomial 1 in this bit order."""
        return 1 << (8 * self.width - 1)


_CRCS: Final = {
    "CRC32": _Crc(width=4, polynomial=0xEDB88320),  # RFC 1952, 8
    "CRC32C": _Crc(width=4, polynomial=0x82F63B78),  # RFC 3720, 12.1
    "CRC64NVME": _Crc(width=8, polynomial=0x9A6C9329AC4BC9B5),  # NVM Command Set Specification 1.0, 5.2.1.3.4
}
_DIGEST_SIZES: Final = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}

_SMALL_BYTES: Final = 1 << 20
"""Below, to load the faster library for CRC32C costs more than it saves."""

ALGORITHMS: Final = tuple(_DIGEST_SIZES)
"""The algorithms that orbit computes, as S3 spells them."""


class Hasher(Protocol):
    """One running checksum."""

    def update(self, data: Data) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The checksum of everything so far, big-endian."""

    def value(self) -> str:
        """The same in base64, as S3's headers carry it."""


class _CrcHasher:
    __slots__ = ("_crc", "_update", "_width")

    def __init__(self, update: _CrcUpdate, width: int) -> None:
        self._update = update
        self._width = width
        self._crc = 0

    def update(self, data: Data) -> None:
        self._crc = self._update(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(self._width, "big")

    def value(self) -> str:
        return _text_of(self.digest())


class _DigestHasher:
    __slots__ = ("_hash", "digest", "update")

    def __init__(self, running: _Hash) -> None:
        self._hash = running
        self.update = running.update
        self.digest = running.digest

    def value(self) -> str:
        return _text_of(self.digest())


def new_hasher(algorithm: str, size: int = -1) -> Hasher:
    """A fresh checksum of no bytes.

    Args:
        algorithm: one of `ALGORITHMS`.
        size: bytes that it will be given, about; -1: that is not known.

    Raises:
        InvalidConfig: not one of `ALGORITHMS`.
    """
    if algorithm in _CRCS:
        update = _crc_update(algorithm) if 0 <= size < _SMALL_BYTES else _bulk_update(algorithm)
        return _CrcHasher(update, _CRCS[algorithm].width)
    if algorithm == "SHA256":
        return _DigestHasher(hashlib.sha256())
    if algorithm == "SHA1":
        return _DigestHasher(hashlib.sha1(usedforsecurity=False))
    raise _unknown(algorithm)


def checksum_of(algorithm: str, data: Data) -> Checksum:
    """The checksum of one piece of memory.

    Raises:
        InvalidConfig: not one of `ALGORITHMS`.
    """
    return Checksum(algorithm=algorithm, value=new_sum(algorithm)(data))


@functools.cache
def new_sum(algorithm: str) -> Callable[[Data], str]:
    """A function that gives the base64 of one piece of memory's checksum: `checksum_of` without its objects.

    Raises:
        InvalidConfig: not one of `ALGORITHMS`.
    """
    if algorithm not in _CRCS:
        new_hasher(algorithm)
        return lambda data: _sum_of(new_hasher(algorithm), data)
    update, width, text_of = _crc_update(algorithm), _CRCS[algorithm].width, binascii.b2a_base64
    return lambda data: text_of(update(data, 0).to_bytes(width, "big"), newline=False).decode("ascii")


def _sum_of(hasher: Hasher, data: Data) -> str:
    hasher.update(data)
    return hasher.value()


def digest_size(algorithm: str) -> int:
    """Bytes of a digest.

    Raises:
        InvalidConfig: not one of `ALGORITHMS`.
    """
    if algorithm not in _DIGEST_SIZES:
        raise _unknown(algorithm)
    return _DIGEST_SIZES[algorithm]


def decode_value(algorithm: str, value: str) -> bytes:
    """The digest that `value` is the base64 of.

    Raises:
        BadReply: it is not base64 of a digest of this algorithm.
        InvalidConfig: not one of `ALGORITHMS`.
    """
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        digest = b""
    if len(digest) != digest_size(algorithm):
        raise BadReply(f"not a {algorithm} checksum: {value[:100]!r}")
    return digest


def is_combinable(algorithm: str) -> bool:
    """Whether the checksum of a whole follows from the checksums of its parts (all CRCs, no hash)."""
    return algorithm in _CRCS


def combine(algorithm: str, pieces: Iterable[tuple[str, int]]) -> str:
    """The full-object value of pieces that follow one another.

    Args:
        algorithm: one of the CRCs.
        pieces: (base64 value, size in bytes) of each, in order; none at all is the empty object.

    Raises:
        BadReply: a value is not one of this algorithm.
        InvalidConfig: the algorithm does not combine.
    """
    crc = _CRCS.get(algorithm)
    if crc is None:
        raise InvalidConfig(f"{algorithm} checksums of parts do not combine")
    factors: dict[int, int] = {}
    whole = 0
    for value, size in pieces:
        factor = factors.get(size)
        if factor is None:
            factor = factors[size] = _power_of_x8(crc, size)
        whole = _multiply(crc, factor, whole) ^ int.from_bytes(decode_value(algorithm, value), "big")
    return _text_of(whole.to_bytes(crc.width, "big"))


def composite(algorithm: str, values: Sequence[str]) -> str:
    """The composite value of parts' checksums: ``base64-N``.

    Raises:
        BadReply: a value is not one of this algorithm.
        InvalidConfig: not one of `ALGORITHMS`.
    """
    digests = b"".join([decode_value(algorithm, value) for value in values])
    return f"{new_sum(algorithm)(digests)}-{len(values)}"


def etag_of_parts(md5s: Sequence[bytes]) -> str:
    """The ETag of a multipart upload without KMS or customer keys: MD5 of the parts' MD5 digests, ``hex-N``."""
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


@functools.cache
def _crc_update(algorithm: str) -> _CrcUpdate:
    """The function (data, crc so far) -> crc; remembered, because an import costs as much as the CRC of 4 KiB."""
    update: _CrcUpdate
    if algorithm == "CRC32":
        update = zlib.crc32
    elif algorithm == "CRC32C":
        import crc32c  # noqa: PLC0415 - 10 ms, of use to workers only

        update = crc32c.crc32c
    else:
        from awscrt import checksums  # noqa: PLC0415 - 30 ms and 5 MiB, needed only where it is met

        update = checksums.crc64nvme
    return update


@functools.cache
def _bulk_update(algorithm: str) -> _CrcUpdate:
    """As `_crc_update`, for data of any size: the library that is fast rather than the one that is small."""
    if algorithm != "CRC32C":
        return _crc_update(algorithm)
    from awscrt import checksums  # noqa: PLC0415 - as above; 60 GB/s, twice the other's speed, pays it back in 2 GiB

    update: _CrcUpdate = checksums.crc32c
    return update


def _text_of(digest: bytes) -> str:
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


def _unknown(algorithm: str) -> InvalidConfig:
    return InvalidConfig(f"unknown checksum algorithm {algorithm!r}: one of {', '.join(ALGORITHMS)}")


def _multiply(crc: _Crc, left: int, right: int) -> int:
    """The product of two polynomials modulo the CRC's own."""
    product = 0
    bit = crc.one
    while left:
        if left & bit:
            product ^= right
            left ^= bit
        bit >>= 1
        right = (right >> 1) ^ crc.polynomial if right & 1 else right >> 1
    return product


def _power_of_x8(crc: _Crc, size: int) -> int:
    """The power 8 * `size` of x, modulo the CRC's polynomial."""
    if size < 0:
        raise ValueError(f"a piece of {size} bytes")
    power = crc.one
    square = crc.one >> 8
    while size:
        if size & 1:
            power = _multiply(crc, square, power)
        square = _multiply(crc, square, square)
        size >>= 1
    return power
