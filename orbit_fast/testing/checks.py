"""Checksums as S3 checks them: the five algorithms, what headers may say, and how parts make a whole."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Protocol

from awscrt import checksums as awscrt_checksums
from crc32c import crc32c

from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import Refusal

PREFIX = "x-amz-checksum-"


class Hasher(Protocol):
    """Takes bytes, gives a digest."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take `data`."""

    def digest(self) -> bytes:
        """The digest of everything taken, big-endian."""


class _Crc:
    __slots__ = ("_compute", "_value", "_width")

    def __init__(self, compute: Callable[[bytes | memoryview, int], int], width: int) -> None:
        self._compute = compute
        self._width = width
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


_FACTORIES: dict[str, Callable[[], Hasher]] = {
    "CRC32": lambda: _Crc(zlib.crc32, 4),
    "CRC32C": lambda: _Crc(crc32c, 4),
    "CRC64NVME": lambda: _Crc(awscrt_checksums.crc64nvme, 8),
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "SHA256": hashlib.sha256,
}

_COMBINERS: dict[str, Callable[[int, int, int], int]] = {
    "CRC32": awscrt_checksums.combine_crc32,
    "CRC32C": awscrt_checksums.combine_crc32c,
    "CRC64NVME": awscrt_checksums.combine_crc64nvme,
}

_SIZES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}

ALGORITHMS = tuple(_FACTORIES)
DEFAULT_ALGORITHM = "CRC64NVME"
"""What S3 computes where the client names nothing."""

KINDS: dict[str, tuple[str, ...]] = {
    "CRC32": ("COMPOSITE", "FULL_OBJECT"),
    "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
    "CRC64NVME": ("FULL_OBJECT",),
    "SHA1": ("COMPOSITE",),
    "SHA256": ("COMPOSITE",),
}
"""Algorithm to the checksum types of a multipart upload, S3's default first."""


def new_hasher(algorithm: str) -> Hasher:
    """A fresh hasher of one of `ALGORITHMS`."""
    return _FACTORIES[algorithm]()


def to_text(digest: bytes) -> str:
    """A digest as S3 writes it."""
    return base64.b64encode(digest).decode("ascii")


def checksum_of(algorithm: str, content: Content) -> str:
    """The checksum of `content`, base64."""
    hasher = new_hasher(algorithm)
    for chunk in content.chunks():
        hasher.update(chunk)
    return to_text(hasher.digest())


def md5_of(content: Content) -> bytes:
    """The MD5 digest of `content`."""
    hasher = hashlib.md5(usedforsecurity=False)
    for chunk in content.chunks():
        hasher.update(chunk)
    return hasher.digest()


def combine(algorithm: str, parts: Iterable[tuple[str, int]]) -> str:
    """The full-object CRC of parts given as (base64 value, bytes)."""
    total = 0
    for value, size in parts:
        total = _COMBINERS[algorithm](total, int.from_bytes(base64.b64decode(value), "big"), size)
    return to_text(total.to_bytes(_SIZES[algorithm], "big"))


def compose(algorithm: str, values: list[str]) -> str:
    """The composite checksum of the parts' base64 values."""
    hasher = new_hasher(algorithm)
    for value in values:
        hasher.update(base64.b64decode(value))
    return f"{to_text(hasher.digest())}-{len(values)}"


def multipart_etag(md5s: list[bytes]) -> str:
    """S3's entity tag of an object made of parts."""
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def is_value(algorithm: str, text: str) -> bool:
    """Whether `text` is base64 of as many bytes as the algorithm's digest has."""
    try:
        return len(base64.b64decode(text, validate=True)) == _SIZES[algorithm]
    except (binascii.Error, ValueError):
        return False


def declared_algorithm(name: str) -> str:
    """The algorithm that a header value names.

    Raises:
        Refusal: S3 has none of that name.
    """
    if name.upper() not in _FACTORIES:
        raise Refusal(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the "
            "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    return name.upper()


def declared_checksum(headers: Mapping[str, str]) -> tuple[str, str]:
    """The algorithm and the base64 value that a request's headers (or trailers) announce, or ``('', '')``.

    Raises:
        Refusal: more than one, an unknown one, or a value that cannot be a digest.
    """
    found = [name for name in headers if name.startswith(PREFIX) and name not in _NOT_VALUES]
    if not found:
        return "", ""
    if len(found) > 1:
        raise Refusal(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    algorithm = declared_algorithm(found[0].removeprefix(PREFIX))
    value = headers[found[0]]
    if not is_value(algorithm, value.partition("-")[0]):
        raise Refusal("InvalidRequest", f"Value for {found[0]} header is invalid.")
    return algorithm, value


_NOT_VALUES = {f"{PREFIX}algorithm", f"{PREFIX}type", f"{PREFIX}mode"}


def declared_md5(headers: Mapping[str, str]) -> bytes | None:
    """The digest in Content-MD5, or None.

    Raises:
        Refusal: it is not one.
    """
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise Refusal("InvalidDigest")
    return digest


def check_sdk_algorithm(headers: Mapping[str, str], algorithm: str) -> None:
    """`x-amz-sdk-checksum-algorithm` must agree with the checksum that comes along.

    Raises:
        Refusal: it names another one, or none comes.
    """
    named = headers.get("x-amz-sdk-checksum-algorithm")
    if named is None:
        return
    if not algorithm:
        raise Refusal(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.",
        )
    if declared_algorithm(named) != algorithm:
        raise Refusal("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
