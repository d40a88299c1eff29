"""If-Match and its relatives, and Range: RFC 9110 as S3 reads it."""

from __future__ import annotations

import calendar
import email.utils
from collections.abc import Mapping

from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import Version


def matches(condition: str, etag: str) -> bool:
    """Whether a list of entity tags (or ``*``) includes `etag`. S3 does not insist on the quotes."""
    return any(one.strip().strip('"') in {etag, "*"} for one in condition.split(","))


def _seconds(text: str) -> float | None:
    parsed = email.utils.parsedate(text)
    return calendar.timegm(parsed) if parsed else None


def check_read(headers: Mapping[str, str], version: Version, prefix: str = "") -> None:
    """The conditions of a GET, a HEAD or (with the prefix ``x-amz-copy-source-``) of a copy's source.

    Raises:
        Refusal: 412, or 304 for a GET or HEAD whose cached copy is still good.
    """
    modified = version.modified_s
    if_match = headers.get(f"{prefix}if-match")
    unmodified_since = _seconds(headers.get(f"{prefix}if-unmodified-since", ""))
    if if_match is not None:
        if not matches(if_match, version.etag):
            raise Refusal("PreconditionFailed", Condition="If-Match")
    elif unmodified_since is not None and modified > unmodified_since:
        raise Refusal("PreconditionFailed", Condition="If-Unmodified-Since")
    if_none_match = headers.get(f"{prefix}if-none-match")
    modified_since = _seconds(headers.get(f"{prefix}if-modified-since", ""))
    if if_none_match is not None:
        is_fresh = matches(if_none_match, version.etag)
    else:
        is_fresh = modified_since is not None and modified <= modified_since
    if is_fresh:
        if prefix:
            raise Refusal("PreconditionFailed", Condition="If-None-Match")
        refusal = Refusal("NotModified")
        refusal.headers.append(("etag", f'"{version.etag}"'))
        raise refusal


def check_write(headers: Mapping[str, str], bucket: Bucket, key: str) -> None:
    """The conditions of a PutObject or CompleteMultipartUpload, at the moment it takes effect.

    Raises:
        Refusal: 412, 404 for If-Match without an object, 501 for forms that S3 does not have.
    """
    if_match = headers.get("if-match")
    if_none_match = headers.get("if-none-match")
    if if_none_match is not None and (if_none_match.strip() != "*" or if_match is not None):
        raise Refusal("NotImplemented", Header="If-None-Match")
    current = bucket.current(key)
    if if_none_match is not None and current is not None:
        raise Refusal("PreconditionFailed", Condition="If-None-Match")
    if if_match is not None:
        if current is None:
            raise Refusal("NoSuchKey", Key=key)
        if not matches(if_match, current.etag):
            raise Refusal("PreconditionFailed", Condition="If-Match")


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Offset and length of the one range asked, or None where the header is not one that S3 honours.

    Raises:
        Refusal: it lies beyond the end.
    """
    unit, equals, spec = text.partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.strip() != "bytes" or not equals or not dash or not (first + last).isdecimal():
        return None
    if first and last and int(first) > int(last):
        return None
    if not first:
        length = min(int(last), size)
        offset = size - length
    else:
        offset = int(first)
        length = min(int(last) + 1 if last else size, size) - offset
    if length <= 0:
        raise Refusal("InvalidRange", RangeRequested=text, ActualObjectSize=str(size))
    return offset, length
