"""What reply headers say: times, ranges, ETags, checksums, and all of it together as `ObjectFacts`."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orbit_fast.core.directory_buckets import ENCRYPTION
from orbit_fast.core.directory_buckets import MARK
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.moments import held

CHECKSUM_PREFERENCE: Final = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")
"""Which checksum is used where a reply carries several: cheapest to compute first, CRCs because they combine."""

_CHECKSUM_HEADERS: Final = tuple((name, f"x-amz-checksum-{name.lower()}") for name in CHECKSUM_PREFERENCE)
_EPOCH_ORDINAL: Final = 719_163
"""``date(1970, 1, 1).toordinal()``."""
_NS: Final = 1_000_000_000
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT")
_ISO_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|\+00:00)"
)
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_LENGTH = re.compile(r"[0-9]{1,19}")
_MULTIPART_ETAG = re.compile(r"-([0-9]{1,5})$")
_COMPOSITE = re.compile(r"-[0-9]{1,5}$")
_METADATA: Final = "x-amz-meta-"
_CONTENT_HEADERS: Final = (
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "cache-control",
    "expires",
)
"""What describes an object's content: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRange:
    """Which bytes a reply carries: `first` to `last`, both included, of `total`."""

    first: int
    last: int
    total: int


# --- times ---------------------------------------------------------------------------------------------------------


def iso_time_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time in UTC, as S3's XML writes it (``2026-01-02T03:04:05.000Z``).

    One that 64 bits do not hold is the nearest that they do: see `moments`.

    Raises:
        ValueError: it is no such time.
    """
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a time of S3's form: {text[:64]!r}")
    year, month, day, hour, minute, second, fraction = match.groups()
    seconds = _unix_seconds((int(year), int(month), int(day)), (int(hour), int(minute), int(second)))
    return held(seconds * _NS + (int(fraction.ljust(9, "0")) if fraction else 0))


def http_date_ns(text: str) -> int:
    """Nanoseconds since 1970 of an HTTP date (``Fri, 02 Jan 2026 03:04:05 GMT``), or an ISO 8601 time, held likewise.

    Raises:
        ValueError: it is neither.
    """
    match = _HTTP_DATE.fullmatch(text)
    if match is None:
        return iso_time_ns(text)
    day, month_name, year, hour, minute, second = match.groups()
    month = _MONTHS.get(month_name, 0)
    return held(_unix_seconds((int(year), month, int(day)), (int(hour), int(minute), int(second))) * _NS)


def _unix_seconds(date: tuple[int, int, int], time: tuple[int, int, int]) -> int:
    """Seconds since 1970 of a UTC date and time; a leap second counts as the second after it."""
    hour, minute, second = time
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"no time of day: {hour}:{minute}:{second}")
    days = dt.date(*date).toordinal() - _EPOCH_ORDINAL
    return days * 86_400 + hour * 3_600 + minute * 60 + second


# --- single headers ------------------------------------------------------------------------------------------------


def unquoted(etag: str) -> str:
    """An ETag without its quotes; a weak one (``W/"…"``) stays as it is, because it is another thing."""
    if len(etag) >= 2 and etag[0] == etag[-1] == '"':
        return etag[1:-1]
    return etag


def parse_content_range(value: str) -> ContentRange:
    """The value of ``Content-Range``.

    Raises:
        BadReply: it is no byte range, its total is unknown (``*``), or its ends contradict each other.
    """
    match = _CONTENT_RANGE.fullmatch(value)
    if match is not None:
        found = ContentRange(first=int(match[1]), last=int(match[2]), total=int(match[3]))
        if found.first <= found.last < found.total:
            return found
    raise BadReply(f"the service sent an unusable Content-Range: {value[:100]!r}")


def parse_content_length(value: str) -> int:
    """The value of ``Content-Length``.

    Raises:
        BadReply: it is no number of bytes.
    """
    if _LENGTH.fullmatch(value) is None:
        raise BadReply(f"the service sent an unusable Content-Length: {value[:100]!r}")
    return int(value)


def checksum_of_headers(headers: Mapping[str, str]) -> Checksum | None:
    """The preferred checksum among ``x-amz-checksum-*`` headers, or None.

    A value that ends in ``-N`` is composite whatever ``x-amz-checksum-type`` says or leaves out.
    """
    for algorithm, header in _CHECKSUM_HEADERS:
        value = headers.get(header)
        if value:
            return checksum_of(algorithm, value, headers.get("x-amz-checksum-type", ""))
    return None


def checksum_of(algorithm: str, value: str, kind: str) -> Checksum:
    """A checksum with its kind made certain."""
    if _COMPOSITE.search(value):
        return Checksum(algorithm, value, "COMPOSITE")
    return Checksum(algorithm, value, kind or "FULL_OBJECT")


# --- all of them ---------------------------------------------------------------------------------------------------


def object_facts(headers: Mapping[str, str], *, unsaid_size: int | None = None) -> ObjectFacts:
    """What the headers of a HeadObject or GetObject reply say about the whole object.

    The size is the total of ``Content-Range`` where there is one (also beside status 200: some services answer ranges
    so), else ``Content-Length``, else `unsaid_size`. A time that is missing or unreadable is 0.

    Raises:
        BadReply: the size is unusable, or missing where there is no `unsaid_size`.
    """
    get = headers.get
    etag = unquoted(get("etag", ""))
    multipart = _MULTIPART_ETAG.search(etag)
    parts = _count(get("x-amz-mp-parts-count", ""))
    return ObjectFacts(
        size=_size(headers, unsaid_size),
        etag=etag,
        mtime_ns=last_modified_ns(get("last-modified", "")),
        version_id=get("x-amz-version-id", ""),
        checksum=checksum_of_headers(headers),
        content_type=get("content-type", ""),
        storage_class=get("x-amz-storage-class", ""),
        restore=get("x-amz-restore", ""),
        encryption=encryption_of(headers),
        parts_count=parts or (int(multipart[1]) if multipart else 0),
        metadata={name.removeprefix(_METADATA): value for name, value in headers.items() if name.startswith(_METADATA)},
        content_headers=tuple((name, headers[name]) for name in _CONTENT_HEADERS if name in headers),
        tag_count=_count(get("x-amz-tagging-count", "")),
    )


def encryption_of(headers: Mapping[str, str]) -> str:
    """How the service encrypts the object (``AES256``, ``aws:kms``, ``SSE-C`` …), or ``''`` where it does not say.

    `directory_buckets.ENCRYPTION` where the ETag would be an MD5 in any other bucket.
    """
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return "SSE-C"
    told = headers.get("x-amz-server-side-encryption", "")
    return ENCRYPTION if MARK in headers and told in {"", "AES256"} else told


def _size(headers: Mapping[str, str], unsaid: int | None) -> int:
    content_range = headers.get("content-range")
    if content_range is not None:
        return parse_content_range(content_range).total
    length = headers.get("content-length")
    if length is None and unsaid is not None:
        return unsaid
    if length is None:
        raise BadReply("the service did not say how large the object is")
    return parse_content_length(length)


def _count(text: str) -> int:
    return int(text) if _LENGTH.fullmatch(text) else 0


@functools.lru_cache(maxsize=1024)  # objects that were made together have the same one
def last_modified_ns(text: str) -> int:
    """Nanoseconds since 1970 of a ``Last-Modified``; 0 where it cannot be read."""
    try:
        return http_date_ns(text)
    except ValueError:
        return 0
