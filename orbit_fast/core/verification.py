"""Two things that have one name, compared by what is known of them: listings, stored checksums, lines of a manifest.

What is known never says that two things are the same where it only might be so: two objects of one size, of which one
has a CRC32C and the other one a SHA-256, are *unproven*, and so are two multipart ETags that differ, because the same
bytes cut otherwise have another one.
"""

from __future__ import annotations

import base64
import enum
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from orbit_fast.core import etag
from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts

_PLAIN: Final = frozenset({"", "AES256"})
_SCHEME: Final = b"s3://"

_GNU_SUM: Final = re.compile(rb"\\?([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}) [ *](.+)", re.IGNORECASE)
_BSD_SUM: Final = re.compile(rb"(MD5|SHA1|SHA256) \((.+)\) = ([0-9a-f]{32,64})", re.IGNORECASE)
_HEX_DIGITS: Final = {"MD5": 32, "SHA1": 40, "SHA256": 64}
_BY_DIGITS: Final = {digits: name for name, digits in _HEX_DIGITS.items()}


class Result(enum.StrEnum):
    """What came of comparing one name."""

    MATCH = "match"
    DIFFERS = "differs"
    MISSING = "missing"
    """Only the first side has it."""
    EXTRA = "extra"
    """Only the second side has it."""


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What one side says of one name.

    Attributes:
        name: in full, as the user knows it: ``s3://bucket/key`` or a path.
        size: bytes, or -1 where it is not said.
        mtime_ns: last modification, or 0.
        etag: or ``''``.
        checksum: or None.
        encryption: see `ObjectFacts`.
        version_id: or ``''``.
    """

    name: bytes
    size: int = -1
    mtime_ns: int = 0
    etag: str = ""
    checksum: Checksum | None = None
    encryption: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one name ended.

    Attributes:
        result: see `Result`.
        verified: of a match, what it was proven by.
        reason: of a difference: ``size``, ``checksum`` or ``etag``.
        expected: what the first side has.
        actual: what the second side has.
    """

    result: Result
    verified: Verified = Verified.NOTHING
    reason: str = ""
    expected: str = ""
    actual: str = ""


UNPROVEN: Final = Verdict(Result.MATCH, Verified.SIZE)
"""Nothing contradicts that they are the same, and nothing proves it."""


def known_object(name: bytes, facts: ObjectFacts) -> Known:
    """What a HeadObject told."""
    return Known(name, facts.size, facts.mtime_ns, facts.etag, facts.checksum, facts.encryption, facts.version_id)


def differ(reason: str, expected: object, actual: object) -> Verdict:
    """They are not the same."""
    return Verdict(Result.DIFFERS, reason=reason, expected=str(expected), actual=str(actual))


def compare_sizes(first: Known, second: Known) -> Verdict | None:
    """A difference that the sizes show, or None."""
    if first.size >= 0 and second.size >= 0 and first.size != second.size:
        return differ("size", first.size, second.size)
    return None


def compare_known(first: Known, second: Known) -> Verdict:
    """By what is known of both, the strongest first."""
    by_size = compare_sizes(first, second)
    if by_size is not None:
        return by_size
    one, other = first.checksum, second.checksum
    if one is not None and other is not None and (one.algorithm, one.kind) == (other.algorithm, other.kind):
        if one.value == other.value:
            return Verdict(Result.MATCH, Verified.CHECKSUM)
        if one.kind == "FULL_OBJECT":
            return differ("checksum", f"{one.algorithm} {one.value}", f"{other.algorithm} {other.value}")
    return _compare_etags(first, second)


def _compare_etags(first: Known, second: Known) -> Verdict:
    is_md5 = etag.is_md5(first.etag, first.encryption) and etag.is_md5(second.etag, second.encryption)
    is_plain = first.encryption in _PLAIN and second.encryption in _PLAIN
    if first.etag == second.etag and (is_md5 or (is_plain and etag.parts_of(first.etag))):
        return Verdict(Result.MATCH, Verified.ETAG)
    return differ("etag", first.etag, second.etag) if is_md5 else UNPROVEN


def whole_sum(known: Known) -> Checksum | None:
    """The checksum of all the bytes that is known, ``MD5`` in hexadecimal included; None where there is none."""
    if known.checksum is not None and known.checksum.kind == "FULL_OBJECT" and known.checksum.algorithm in ALGORITHMS:
        return known.checksum
    return Checksum("MD5", known.etag) if etag.is_md5(known.etag, known.encryption) else None


# --- manifests --------------------------------------------------------------------------------------------------------


def sum_row(line: bytes) -> ManifestRow | None:
    """A line of ``md5sum``, ``sha1sum``, ``sha256sum`` (GNU's form or BSD's); None where it is no such line."""
    gnu = _GNU_SUM.fullmatch(line)
    if gnu is not None:
        digest, name = gnu[1].decode().lower(), gnu[2]
        if line.startswith(b"\\"):  # then, and only then, line feeds and backslashes of the name are escaped
            name = re.sub(rb"\\(.)", lambda match: b"\n" if match[1] == b"n" else match[1], name)
        return _sum_row(_BY_DIGITS[len(digest)], digest, name)
    bsd = _BSD_SUM.fullmatch(line)
    if bsd is None:
        return None
    algorithm, digest = bsd[1].decode().upper(), bsd[3].decode().lower()
    return _sum_row(algorithm, digest, bsd[2]) if len(digest) == _HEX_DIGITS[algorithm] else None


def _sum_row(algorithm: str, digest: str, name: bytes) -> ManifestRow:
    name = name.removeprefix(b"./")
    if algorithm == "MD5":
        return ManifestRow(line=0, name=name, etag=digest)
    value = base64.b64encode(bytes.fromhex(digest)).decode()
    return ManifestRow(line=0, name=name, checksum=Checksum(algorithm, value))


def row_name(row: ManifestRow, other_root: bytes) -> bytes:
    """What a manifest's object is called below the root of the other side.

    Of the names that a row may have, the one that lies below that root; else a whole URL's key, else the name.
    """
    for name in (row.destination, row.name, row.source):
        if other_root and name.startswith(other_root) and name != other_root:
            return name[len(other_root) :]
    if row.name.startswith(_SCHEME):
        return row.name[len(_SCHEME) :].partition(b"/")[2]
    return row.name


def known_row(row: ManifestRow) -> Known:
    """What a line of a manifest says."""
    return Known(row.name, row.size, row.mtime_ns, row.etag, row.checksum, "", row.version_id)
