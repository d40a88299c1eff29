"""Pages of ListObjectVersions: every version and delete marker, newest first within a key.

Believed only whole, as `decode_listing` has it, and read the same two ways: pages of the exact shape that S3 sends by
one regular expression an entry, all others element by element. `check_versions` adds what needs the question.

S3 mixes versions and delete markers as they follow each other. Some services send all versions of a page first and then
all its markers: those are put in order here, which is possible because each of the two lists is in order itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.decode_facts import unquoted
from orbit_fast.core.decode_fields import bad_listing
from orbit_fast.core.decode_fields import decoded_key
from orbit_fast.core.decode_fields import number
from orbit_fast.core.decode_fields import required
from orbit_fast.core.decode_fields import says_truncated
from orbit_fast.core.decode_fields import time_ns
from orbit_fast.core.errors import BadReply
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.model import Reply
from orbit_fast.core.xml import Element

_HEAD = re.compile(
    rb"(?:<\?xml[ A-Za-z0-9=\"'._-]*\?>\s*)?<ListVersionsResult(?: xmlns=\"[^\"<&]*\")?>"
    rb"(?:<([A-Za-z]+)>[^<>&]*</\1>|<[A-Za-z]+ ?/>)*"
)
_KINDS: Final = (b"Version", b"DeleteMarker")
_OPENS: Final = tuple(b"<%b>" % kind for kind in _KINDS)
_CLOSES: Final = tuple(b"</%b>" % kind for kind in _KINDS)
_SEAMS: Final = tuple(close + start for close in _CLOSES for start in _OPENS)
_TEXT: Final = rb"[ !-%'-;=?-~]"
_OWNER: Final = rb"<Owner>(?:<ID>%b*</ID>)?(?:<DisplayName>%b*</DisplayName>|<DisplayName ?/>)?</Owner>" % (
    _TEXT,
    _TEXT,
)
_RECORD = re.compile(
    rb"<(Version|DeleteMarker)><Key>(" + _TEXT + rb"+)</Key>"
    rb"<VersionId>([!-%'-;=?-~]{1,1024})</VersionId><IsLatest>(true|false)</IsLatest>"
    rb"<LastModified>((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:)([0-5][0-9])(?:\.([0-9]{3}))?Z</LastModified>"
    rb"(?:<ETag>(?:&quot;|\")([0-9A-Za-z-]+)(?:&quot;|\")</ETag>"
    rb"(?:<ChecksumAlgorithm>[A-Z0-9]+</ChecksumAlgorithm>)*(?:<ChecksumType>[A-Z_]+</ChecksumType>)?"
    rb"<Size>([0-9]{1,18})</Size>)?"
    rb"(?:" + _OWNER + rb")?(?:<StorageClass>([A-Z0-9_-]*)</StorageClass>)?(?:" + _OWNER + rb")?</\1>"
)


class ListedVersion(msgspec.Struct, frozen=True, array_like=True):
    """One version of an object, or a delete marker.

    Attributes:
        key: S3 key.
        version_id: ``null`` for what was stored while versioning was off.
        is_latest: a plain request sees this one.
        is_delete_marker: it hides what is older, and has no bytes.
        size: bytes; 0 of a marker.
        mtime_ns: when it was stored, nanoseconds since 1970 UTC.
        etag: without quotes; ``''`` of a marker.
        storage_class: S3's name; ``''`` of a marker.
    """

    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    size: int = 0
    mtime_ns: int = 0
    etag: str = ""
    storage_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsPage:
    """One page of versions.

    Attributes:
        versions: by key, newest first within a key.
        prefixes: common prefixes, where a delimiter was asked for.
        is_truncated: whether more pages follow.
        next_marker: key and version id that the next page is asked with; both ``''`` on the last page. Without a
            version id the page goes on behind everything that the key (then a common prefix) stands for.
    """

    versions: tuple[ListedVersion, ...]
    prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    next_marker: tuple[str, str] = ("", "")


def list_object_versions(reply: Reply) -> VersionsPage:
    """One page of ListObjectVersions.

    Raises:
        BadReply: it is no whole, consistent page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    body = reply.body
    fast = _scan(body)
    if fast is not None:
        fields, body = fast
        reply = Reply(status=reply.status, headers=reply.headers, body=body)
    root = success_document(reply, "ListObjectVersions", "ListVersionsResult")
    is_encoded = root.text_of("EncodingType").lower() == "url"
    if fast is not None:
        versions = _fast_versions(fields, is_encoded=is_encoded)
    else:
        names = {"Version", "DeleteMarker"}
        versions = [_version(item, is_encoded=is_encoded) for item in root.children if item.name in names]
    prefixes = tuple(
        _name(item.text_of("Prefix"), "a common prefix", is_encoded=is_encoded)
        for item in root.children
        if item.name == "CommonPrefixes"
    )
    is_truncated = says_truncated(root)
    return VersionsPage(
        versions=tuple(_in_order(versions)),
        prefixes=prefixes,
        is_truncated=is_truncated,
        next_marker=_next_marker(root, versions, is_encoded=is_encoded) if is_truncated else ("", ""),
    )


def check_versions(page: VersionsPage, *, prefix: str, marker: tuple[str, str] = ("", "")) -> None:
    """Check a page against its question.

    Args:
        page: the page.
        prefix: what was asked for.
        marker: what this page was asked with; it must go on behind that.

    Raises:
        BadReply: ``E_BAD_LISTING``, or ``E_LIST_LOOP`` where there is no progress.
    """
    if page.is_truncated and page.next_marker == marker:
        raise BadReply("the service hands out the same page for ever", code="E_LIST_LOOP")
    versions = page.versions
    _check_keys(versions)
    before = marker[0]
    for name in page.prefixes:
        if name <= before:
            raise bad_listing(f"{name!r} comes after {before!r}")
        before = name
    # Keys between two that have the prefix have it too, and the order has been checked.
    for name in (*page.prefixes, *(one.key for one in (*versions[:1], *versions[-1:]))):
        if not name.startswith(prefix):
            raise bad_listing(f"{name!r} is not under the prefix {prefix!r}")
    if versions and (versions[0].key < marker[0] or (versions[0].key == marker[0] and not marker[1])):
        raise bad_listing(f"{versions[0].key!r} comes after {marker[0]!r}")
    if page.is_truncated and page.next_marker[0] < max(versions[-1].key if versions else "", *page.prefixes[-1:], ""):
        raise bad_listing("it is truncated and goes on before its end")


def _check_keys(versions: tuple[ListedVersion, ...]) -> None:
    """Keys in order, and at most one latest version of each.

    Raises:
        BadReply: they are not.
    """
    key = ""
    has_latest = False
    for one in versions:
        if one.key != key:
            if one.key < key:
                raise bad_listing(f"{one.key!r} comes after {key!r}")
            key = one.key
            has_latest = False
        if one.is_latest:
            if has_latest:
                raise bad_listing(f"{key!r} has two latest versions")
            has_latest = True


def _in_order(versions: list[ListedVersion]) -> list[ListedVersion]:
    """The versions by key; what is no two lists in order one after the other stays as it is, and will be refused."""
    if _is_by_key(versions):
        return versions
    stored = [one for one in versions if not one.is_delete_marker]
    markers = [one for one in versions if one.is_delete_marker]
    if not (_is_by_key(stored) and _is_by_key(markers)):
        return versions
    return sorted(versions, key=lambda one: (one.key, not one.is_latest, -one.mtime_ns))


def _is_by_key(versions: list[ListedVersion]) -> bool:
    keys = [one.key for one in versions]
    return keys == sorted(keys)


def _next_marker(root: Element, versions: list[ListedVersion], *, is_encoded: bool) -> tuple[str, str]:
    """What the next page is asked with.

    Raises:
        BadReply: the page does not say, or not after which version of its last key.
    """
    key = root.text_of("NextKeyMarker")
    key = decoded_key(key) if is_encoded else key
    version_id = root.text_of("NextVersionIdMarker")
    if not key or (not version_id and any(one.key == key for one in versions)):
        raise bad_listing("it is truncated and does not say how to go on")
    return key, version_id


# --- the fast way ----------------------------------------------------------------------------------------------------


def _scan(body: bytes) -> tuple[list[tuple[bytes, ...]], bytes] | None:
    """The fields of all entries and the page without them; None where a byte of the page is not of the known shape.

    As `decode_listing` does it: as many matches as start tags and as end tags, every end tag but the last with a start
    tag right behind it, and before the first one nothing but finished children of the root.
    """
    starts = [at for at in map(body.find, _OPENS) if at >= 0]
    end = max(at + len(close) if (at := body.rfind(close)) >= 0 else -1 for close in _CLOSES)
    if not starts or end < starts[0] or len(body) > MAX_PAGE_BYTES:
        return None
    first = min(starts)
    if _HEAD.fullmatch(body, 0, first) is None:
        return None
    fields: list[tuple[bytes, ...]] = _RECORD.findall(body, first, end)
    count = len(fields)
    if sum(map(body.count, _OPENS)) != count or sum(map(body.count, _CLOSES)) != count:
        return None
    if sum(map(body.count, _SEAMS)) != count - 1:
        return None
    return (fields, body[:first] + body[end:])


def _fast_versions(fields: list[tuple[bytes, ...]], *, is_encoded: bool) -> list[ListedVersion]:
    """What `_scan` found."""
    minutes: dict[bytes, int] = {}
    classes: dict[bytes, str] = {}
    versions = []
    for kind, key_bytes, version_id, latest, minute, second, milli, etag, size, storage_class in fields:
        key = key_bytes.decode("ascii")
        if is_encoded and (b"%" in key_bytes or b"+" in key_bytes):
            key = decoded_key(key)
        start = minutes.get(minute)
        if start is None:
            start = minutes[minute] = time_ns(f"{minute.decode('ascii')}00Z")
        mtime_ns = start + int(second) * 1_000_000_000 + (int(milli) * 1_000_000 if milli else 0)
        is_latest = latest == b"true"
        is_marker = kind == b"DeleteMarker"
        if is_marker:
            versions.append(ListedVersion(key, version_id.decode("ascii"), is_latest, is_marker, 0, mtime_ns))
            continue
        if not size:
            raise bad_listing("a version's size is missing")
        name = classes.get(storage_class)
        if name is None:
            name = classes[storage_class] = storage_class.decode("ascii")
        versions.append(
            ListedVersion(
                key, version_id.decode("ascii"), is_latest, is_marker, int(size), mtime_ns, etag.decode("ascii"), name
            )
        )
    return versions


# --- element by element ----------------------------------------------------------------------------------------------


def _name(text: str, what: str, *, is_encoded: bool) -> str:
    return required(decoded_key(text) if is_encoded else text, what)


def _version(item: Element, *, is_encoded: bool) -> ListedVersion:
    """One ``<Version>`` or ``<DeleteMarker>``."""
    is_marker = item.name == "DeleteMarker"
    latest = item.text_of("IsLatest").lower()
    if latest not in {"true", "false"}:
        raise bad_listing("it does not say which version is the latest")
    return ListedVersion(
        key=_name(item.text_of("Key"), "a version's key", is_encoded=is_encoded),
        version_id=required(item.text_of("VersionId"), "a version's id"),
        is_latest=latest == "true",
        is_delete_marker=is_marker,
        size=0 if is_marker else number(item.text_of("Size"), "a version's size"),
        mtime_ns=time_ns(item.text_of("LastModified")),
        etag="" if is_marker else unquoted(item.text_of("ETag")),
        storage_class="" if is_marker else item.text_of("StorageClass"),
    )
