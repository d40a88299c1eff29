"""ListObjectsV2, ListObjects and ListObjectVersions.

Positions are plain strings: a page starts with the first key that is not less than its position. The one after a key is
the key with a NUL behind it; the one after a common prefix is the least string greater than everything in it.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from orbit_fast.testing.call import Call
from orbit_fast.testing.directories import place_of
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import Version
from orbit_fast.testing.xmlout import document
from orbit_fast.testing.xmlout import element
from orbit_fast.testing.xmlout import escape
from orbit_fast.testing.xmlout import iso_time
from orbit_fast.testing.xmlout import url_encode

OWNER = "<Owner><ID>0000000000000000000000000000000000000000000000000000000000000000</ID></Owner>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A key, or a common prefix that stands for all keys in it."""

    name: str
    is_prefix: bool
    after: str
    """The position behind it."""


@dataclass(slots=True, kw_only=True)
class Page:
    """What one answer lists."""

    versions: list[Version] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: Row | None = None
    is_truncated: bool = False


def beyond(prefix: str) -> str:
    """The least string that is greater than every string with that prefix; for none, one that no key reaches."""
    trimmed = prefix.rstrip(_LAST)
    return trimmed[:-1] + chr(ord(trimmed[-1]) + 1) if trimmed else _LAST * 2048


_LAST = "\U0010ffff"


def rows(order: list[str], prefix: str, delimiter: str, start: str) -> Iterator[Row]:
    """Walk sorted keys from a position, common prefixes rolled up."""
    index = bisect_left(order, max(start, prefix))
    while index < len(order) and order[index].startswith(prefix):
        key = order[index]
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            yield Row(name=key, is_prefix=False, after=key + "\0")
            index += 1
        else:
            common = key[: cut + len(delimiter)]
            yield Row(name=common, is_prefix=True, after=beyond(common))
            index = bisect_left(order, beyond(common), index + 1)


def _has_current(bucket: Bucket, prefix: str) -> bool:
    for key in bucket.keys_from(prefix):
        if not key.startswith(prefix):
            return False
        if bucket.current(key) is not None:
            return True
    return False


def collect(bucket: Bucket, prefix: str, delimiter: str, start: str, limit: int) -> Page:
    """The page of at most `limit` current objects and common prefixes from a position."""
    page = Page()
    count = 0
    if not limit:
        return page
    for row in rows(bucket.keys(), prefix, delimiter, start):
        version = None if row.is_prefix else bucket.current(row.name)
        if version is None and not (row.is_prefix and _has_current(bucket, row.name)):
            continue
        if count == limit:
            page.is_truncated = True
            return page
        if version is None:
            page.prefixes.append(row.name)
        else:
            page.versions.append(version)
        page.last = row
        count += 1
    return page


def encoder(call: Call) -> Callable[[str], str]:
    """How keys are written in this answer.

    Raises:
        Refusal: an encoding-type that does not exist.
    """
    kind = call.query.get("encoding-type")
    if kind is None:
        return escape
    if kind != "url":
        raise Refusal(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=kind,
        )
    return url_encode


def _contents(versions: list[Version], encode: Callable[[str], str], *, with_owner: bool) -> Iterator[str]:
    owner = OWNER if with_owner else ""
    for version in versions:
        checksum = version.checksum
        sums = (
            f"<ChecksumAlgorithm>{checksum.algorithm}</ChecksumAlgorithm><ChecksumType>{checksum.kind}</ChecksumType>"
            if checksum
            else ""
        )
        yield (
            f"<Contents><Key>{encode(version.key)}</Key><LastModified>{iso_time(version.modified_s)}</LastModified>"
            f"<ETag>&quot;{version.etag}&quot;</ETag>{sums}<Size>{version.size}</Size>{owner}"
            f"<StorageClass>{version.attributes.storage_class}</StorageClass></Contents>"
        )


def common_prefixes(prefixes: list[str], encode: Callable[[str], str]) -> str:
    """The elements for common prefixes."""
    return "".join(f"<CommonPrefixes><Prefix>{encode(one)}</Prefix></CommonPrefixes>" for one in prefixes)


def _head(call: Call, encode: Callable[[str], str], limit: int, *, is_truncated: bool) -> str:
    query = call.query
    parts = [
        element("Name", call.request.bucket),
        f"<Prefix>{encode(query.get('prefix', ''))}</Prefix>",
        f"<MaxKeys>{limit}</MaxKeys>",
        f"<IsTruncated>{'true' if is_truncated else 'false'}</IsTruncated>",
    ]
    if query.get("delimiter"):
        parts.append(f"<Delimiter>{encode(query['delimiter'])}</Delimiter>")
    if "encoding-type" in query:
        parts.append("<EncodingType>url</EncodingType>")
    return "".join(parts)


def _to_token(position: str) -> str:
    return base64.urlsafe_b64encode(b"1" + position.encode("utf-8", "surrogatepass")).decode("ascii")


def _from_token(token: str) -> str:
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
        if data[:1] == b"1":
            return data[1:].decode("utf-8", "surrogatepass")
    except (binascii.Error, ValueError):
        pass
    raise Refusal(
        "InvalidArgument",
        "The continuation token provided is incorrect",
        ArgumentName="continuation-token",
        ArgumentValue=token,
    )


def list_objects_v2(call: Call) -> HttpResponse:
    """ListObjectsV2."""
    bucket, query, encode = call.bucket, call.query, encoder(call)
    if bucket.is_directory:
        return _list_directory(call)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = call.number("max-keys", call.settings.max_page_keys, call.settings.max_page_keys)
    token = query.get("continuation-token")
    after = query.get("start-after", "")
    start = after + "\0" if after else ""
    if token is not None:
        start = _from_token(token)
    page = collect(bucket, prefix, delimiter, start, limit)
    parts = [_head(call, encode, limit, is_truncated=page.is_truncated)]
    parts.append(f"<KeyCount>{len(page.versions) + len(page.prefixes)}</KeyCount>")
    if token is not None:
        parts.append(element("ContinuationToken", token))
    if page.is_truncated and page.last is not None:
        parts.append(element("NextContinuationToken", _to_token(page.last.after)))
    if after:
        parts.append(f"<StartAfter>{encode(after)}</StartAfter>")
    parts.extend(_contents(page.versions, encode, with_owner=query.get("fetch-owner") == "true"))
    parts.append(common_prefixes(page.prefixes, encode))
    return document("ListBucketResult", "".join(parts))


def check_directory(query: Mapping[str, str]) -> None:
    """What a listing of a directory bucket may ask for.

    Raises:
        Refusal: it asks for something else.
    """
    for name in ("start-after", "upload-id-marker"):
        if query.get(name):
            raise Refusal("NotImplemented", Resource=name)
    if query.get("delimiter", "/") != "/":
        raise Refusal("InvalidArgument", "The only delimiter of a directory bucket is /", ArgumentName="delimiter")
    if not query.get("prefix", "/").endswith("/"):
        raise Refusal("InvalidArgument", "A prefix in a directory bucket must end in /", ArgumentName="prefix")


def _list_directory(call: Call) -> HttpResponse:
    """ListObjectsV2 of a directory bucket: in no order, though always in the same one."""
    bucket, query, encode = call.bucket, call.query, encoder(call)
    check_directory(query)
    limit = call.number("max-keys", call.settings.max_page_keys, call.settings.max_page_keys)
    token = query.get("continuation-token")
    after = "" if token is None else _from_token(token)
    found = rows(bucket.keys(), query.get("prefix", ""), query.get("delimiter", ""), "")
    places = sorted((place_of(row.name), row.is_prefix, row.name) for row in found if place_of(row.name) > after)
    page = places[:limit]
    versions = [version for _, is_prefix, name in page if not is_prefix and (version := bucket.current(name))]
    prefixes = [name for _, is_prefix, name in page if is_prefix]
    parts = [_head(call, encode, limit, is_truncated=len(places) > len(page) > 0)]
    parts.append(f"<KeyCount>{len(versions) + len(prefixes)}</KeyCount>")
    if token is not None:
        parts.append(element("ContinuationToken", token))
    if len(places) > len(page) > 0:
        parts.append(element("NextContinuationToken", _to_token(page[-1][0])))
    parts.extend(_contents(versions, encode, with_owner=False))
    parts.append(common_prefixes(prefixes, encode))
    return document("ListBucketResult", "".join(parts))


def after_marker(marker: str, prefix: str, delimiter: str) -> str:
    """The position behind a marker: behind all of a common prefix where the marker is one."""
    if not marker:
        return ""
    if delimiter and marker.startswith(prefix):
        cut = marker.find(delimiter, len(prefix))
        if cut >= 0 and cut + len(delimiter) == len(marker):
            return beyond(marker)
    return marker + "\0"


def list_objects(call: Call) -> HttpResponse:
    """ListObjects, the first version."""
    bucket, query, encode = call.bucket, call.query, encoder(call)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = call.number("max-keys", call.settings.max_page_keys, call.settings.max_page_keys)
    marker = query.get("marker", "")
    page = collect(bucket, prefix, delimiter, after_marker(marker, prefix, delimiter), limit)
    parts = [_head(call, encode, limit, is_truncated=page.is_truncated), f"<Marker>{encode(marker)}</Marker>"]
    if page.is_truncated and delimiter and page.last is not None:
        parts.append(f"<NextMarker>{encode(page.last.name)}</NextMarker>")
    parts.extend(_contents(page.versions, encode, with_owner=True))
    parts.append(common_prefixes(page.prefixes, encode))
    return document("ListBucketResult", "".join(parts))


def _version_element(version: Version, encode: Callable[[str], str], *, is_latest: bool) -> str:
    name = "DeleteMarker" if version.is_marker else "Version"
    facts = (
        ""
        if version.is_marker
        else (
            f"<ETag>&quot;{version.etag}&quot;</ETag><Size>{version.size}</Size>"
            f"<StorageClass>{version.attributes.storage_class}</StorageClass>"
        )
    )
    return (
        f"<{name}><Key>{encode(version.key)}</Key><VersionId>{version.version_id}</VersionId>"
        f"<IsLatest>{'true' if is_latest else 'false'}</IsLatest>"
        f"<LastModified>{iso_time(version.modified_s)}</LastModified>{facts}{OWNER}</{name}>"
    )


def _remaining(bucket: Bucket, key: str, version_marker: str) -> list[Version]:
    """The versions of a key, newest first, behind the marker, whose own version may be gone by now."""
    versions = bucket.versions[key][::-1]
    if not version_marker:
        return versions
    ordinal = bucket.ordinal_of(key, version_marker)
    return [version for version in versions if version.ordinal < ordinal]


def list_object_versions(call: Call) -> HttpResponse:
    """ListObjectVersions: every version and delete marker, newest first within a key."""
    bucket, query, encode = call.bucket, call.query, encoder(call)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    limit = call.number("max-keys", call.settings.max_page_keys, call.settings.max_page_keys)
    key_marker, version_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
    if version_marker and not key_marker:
        raise Refusal("InvalidArgument", "A version-id marker cannot be specified without a key marker.")
    if version_marker:
        bucket.ordinal_of(key_marker, version_marker)
    start = key_marker if version_marker else after_marker(key_marker, prefix, delimiter)
    listed: list[str] = []
    prefixes: list[str] = []
    last = ("", "")
    is_truncated = False
    for name, version in _version_rows(bucket, (prefix, delimiter, start), (key_marker, version_marker)):
        if len(listed) + len(prefixes) == limit:
            is_truncated = limit > 0
            break
        if version is None:
            prefixes.append(name)
        else:
            listed.append(_version_element(version, encode, is_latest=version is bucket.versions[name][-1]))
        last = (name, version.version_id if version else "")
    parts = [
        _head(call, encode, limit, is_truncated=is_truncated),
        f"<KeyMarker>{encode(key_marker)}</KeyMarker>",
        element("VersionIdMarker", version_marker),
    ]
    if is_truncated:
        parts.append(f"<NextKeyMarker>{encode(last[0])}</NextKeyMarker>")
        parts.append(element("NextVersionIdMarker", last[1]) if last[1] else "")
    return document("ListVersionsResult", "".join([*parts, *listed, common_prefixes(prefixes, encode)]))


def _version_rows(
    bucket: Bucket, where: tuple[str, str, str], marker: tuple[str, str]
) -> Iterator[tuple[str, Version | None]]:
    for row in rows(bucket.keys(), *where):
        if row.is_prefix:
            yield row.name, None
            continue
        for version in _remaining(bucket, row.name, marker[1] if row.name == marker[0] else ""):
            yield row.name, version
