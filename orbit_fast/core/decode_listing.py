"""Pages of listings: objects, parts, unfinished uploads.

A page is believed only whole: ``IsTruncated`` must be there, a truncated page must say how to go on, every entry must
have its key, size and time. `check_page` adds what needs the question: keys under the prefix, in order, after the last
one. A listing that fails these is never a shorter listing: deletions are decided on listings.

Pages of objects are hot (a thousand entries each), so those of the exact shape that S3 sends are read by one regular
expression an entry. The shape is checked over every byte of the page; whatever differs takes the slow path, which gives
the same answer for the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.decode_facts import unquoted
from orbit_fast.core.decode_fields import NUMBER
from orbit_fast.core.decode_fields import bad_listing
from orbit_fast.core.decode_fields import checksum_in
from orbit_fast.core.decode_fields import decoded_key
from orbit_fast.core.decode_fields import number
from orbit_fast.core.decode_fields import required
from orbit_fast.core.decode_fields import says_truncated
from orbit_fast.core.decode_fields import time_ns
from orbit_fast.core.errors import BadReply
from orbit_fast.core.limits import MAX_PAGE_BYTES
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Entry
from orbit_fast.core.model import Reply
from orbit_fast.core.xml import Element

_HEAD = re.compile(
    rb"(?:<\?xml[ A-Za-z0-9=\"'._-]*\?>\s*)?<ListBucketResult(?: xmlns=\"[^\"<&]*\")?>"
    rb"(?:<([A-Za-z]+)>[^<>&]*</\1>|<[A-Za-z]+ ?/>)*"
)
_OPEN: Final = b"<Contents>"
_CLOSE: Final = b"</Contents>"
_OWNER: Final = rb"<Owner>(?:<ID>[ !-%'-;=?-~]*</ID>)?(?:<DisplayName>[ !-%'-;=?-~]*</DisplayName>)?</Owner>"
_ENTRY = re.compile(
    rb"<Contents><Key>([ !-%'-;=?-~]+)</Key>"
    rb"<LastModified>((?:19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:)([0-5][0-9])(?:\.([0-9]{3}))?Z</LastModified>"
    rb"<ETag>(?:&quot;|\")([0-9A-Za-z-]+)(?:&quot;|\")</ETag>"
    rb"(?:<ChecksumAlgorithm>[A-Z0-9]+</ChecksumAlgorithm>)*(?:<ChecksumType>[A-Z_]+</ChecksumType>)?"
    rb"<Size>([0-9]{1,18})</Size>"
    rb"(?:" + _OWNER + rb")?(?:<StorageClass>([A-Z0-9_-]*)</StorageClass>)?(?:" + _OWNER + rb")?</Contents>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of objects.

    Attributes:
        entries: the objects, in the service's order.
        prefixes: common prefixes, where a delimiter was asked for.
        is_truncated: whether more pages follow.
        next_token: what the next page is asked with: continuation token (ListObjectsV2) or marker (ListObjects);
            ``''`` on the last page.
        key_count: what the service says it sent, or -1.
    """

    entries: tuple[Entry, ...]
    prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    next_token: str = ""
    key_count: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPart:
    """A part that the service holds: its number, size in bytes, ETag without quotes, checksum where it has one."""

    number: int
    size: int
    etag: str
    mtime_ns: int = 0
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsPage:
    """One page of ListParts; `next_marker` is 0 on the last."""

    parts: tuple[ListedPart, ...]
    next_marker: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedUpload:
    """A multipart upload that was neither completed nor aborted."""

    key: str
    upload_id: str
    initiated_ns: int
    storage_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsPage:
    """One page of ListMultipartUploads; both markers are ``''`` on the last."""

    uploads: tuple[UnfinishedUpload, ...]
    next_key_marker: str = ""
    next_upload_id_marker: str = ""


# --- objects -------------------------------------------------------------------------------------------------------


def list_objects_v2(reply: Reply) -> Listing:
    """One page of ListObjectsV2.

    Raises:
        BadReply: it is no whole, consistent page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    page = _page(reply, "ListObjectsV2")
    token = page.root.text_of("NextContinuationToken")
    return page.listing(token)


def list_objects_v1(reply: Reply) -> Listing:
    """One page of ListObjects. Without a delimiter the service names no next marker: it is the page's last key.

    Raises:
        BadReply: it is no whole, consistent page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    page = _page(reply, "ListObjects")
    marker = page.text(page.root.text_of("NextMarker"))
    if not marker:
        last_key = page.entries[-1].key if page.entries else ""
        marker = max(last_key, page.prefixes[-1] if page.prefixes else "")
    return page.listing(marker)


def check_page(
    listing: Listing,
    *,
    prefix: str,
    after: str = "",
    token: str = "",
    is_ordered: bool = True,
) -> None:
    """Check a page against its question.

    Args:
        listing: the page.
        prefix: what was asked for.
        after: keys must come after this one (the last of the page before, or StartAfter).
        token: what this page was asked with; a page that hands it out again would go on for ever.
        is_ordered: the service sorts keys by their UTF-8 bytes (directory buckets do not: `after` says nothing then).

    Raises:
        BadReply: ``E_BAD_LISTING``, or ``E_LIST_LOOP`` where there is no progress.
    """
    if token and listing.next_token == token:
        raise BadReply("the service hands out the same page for ever", code="E_LIST_LOOP")
    count = listing.key_count
    if count >= 0 and count not in {len(listing.entries), len(listing.entries) + len(listing.prefixes)}:
        raise bad_listing(f"it says {count} keys and lists {len(listing.entries)}")
    for name in (*listing.prefixes, *(entry.key for entry in listing.entries)):
        if not name.startswith(prefix):
            raise bad_listing(f"{name!r} is not under the prefix {prefix!r}")
    keys = [entry.key for entry in listing.entries]
    if is_ordered:
        _check_order(keys, after)
        _check_order(listing.prefixes, "")
    elif len(set(keys)) < len(keys):
        raise bad_listing("it names a key twice")


class Trail:
    """The way through an unsorted listing: each page's token leads on, never back. Sorted keys show that themselves."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens: set[str] = set()

    def follow(self, token: str) -> None:
        """A page names its next one.

        Raises:
            BadReply: ``E_LIST_LOOP``: a page before has named that one.
        """
        if not token:
            return
        if token in self._tokens:
            raise BadReply("the service leads through the same pages for ever", code="E_LIST_LOOP")
        self._tokens.add(token)


def _check_order(names: list[str] | tuple[str, ...], after: str) -> None:
    """Strictly increasing, in code-point order, which is the order of UTF-8 bytes."""
    for name in names:
        if name <= after:
            raise bad_listing(f"{name!r} comes after {after!r}")
        after = name


class _Page:
    """A page being read: its root (without the entries that the fast path took) and what was found in it."""

    __slots__ = ("entries", "is_encoded", "prefixes", "root")

    def __init__(self, root: Element) -> None:
        self.root = root
        self.is_encoded = root.text_of("EncodingType").lower() == "url"
        self.entries: tuple[Entry, ...] = ()
        self.prefixes: tuple[str, ...] = ()

    def text(self, text: str) -> str:
        """A key or prefix as it is: percent-decoded only where the service says that it encoded."""
        return decoded_key(text) if self.is_encoded else text

    def listing(self, next_token: str) -> Listing:
        """The finished page.

        Raises:
            BadReply: it does not say whether more follows, or how to go on.
        """
        is_truncated = says_truncated(self.root)
        if is_truncated and not next_token:
            raise bad_listing("it is truncated and does not say how to go on")
        count = self.root.text_of("KeyCount")
        return Listing(
            entries=self.entries,
            prefixes=self.prefixes,
            is_truncated=is_truncated,
            next_token=next_token if is_truncated else "",
            key_count=int(count) if NUMBER.fullmatch(count) else -1,
        )


def _page(reply: Reply, operation: str) -> _Page:
    """Read a page the fast way where its shape allows, else element by element."""
    body = reply.body
    fast = _scan_entries(body)
    if fast is not None:
        chunks, body = fast
        reply = Reply(status=reply.status, headers=reply.headers, body=body)
    page = _Page(success_document(reply, operation, "ListBucketResult"))
    if fast is not None:
        page.entries = _fast_entries(page, chunks)
    else:
        page.entries = tuple(_entry(page, item) for item in page.root.children if item.name == "Contents")
    page.prefixes = tuple(
        required(page.text(item.text_of("Prefix")), "a common prefix")
        for item in page.root.children
        if item.name == "CommonPrefixes"
    )
    return page


def _scan_entries(body: bytes) -> tuple[list[tuple[bytes, ...]], bytes] | None:
    """The fields of all entries and the page without them; None where a byte of the page is not of the known shape.

    What stands before the first entry is matched as the open root element with finished children, so the entries are
    the root's own children. What is left of the page without them goes through the XML parser.
    """
    first = body.find(_OPEN)
    last = body.rfind(_CLOSE)
    if first < 0 or last < first or len(body) > MAX_PAGE_BYTES:
        return None
    if _HEAD.fullmatch(body, 0, first) is None:
        return None
    fields: list[tuple[bytes, ...]] = _ENTRY.findall(body, first, last + len(_CLOSE))
    count = len(fields)
    # Every match is one whole entry. As many matches as start tags and end tags, and every end tag but the last with a
    # start tag right behind it, means that the matches cover everything from the first entry to the last.
    if body.count(_OPEN) != count or body.count(_CLOSE) != count or body.count(_CLOSE + _OPEN) != count - 1:
        return None
    return (fields, body[:first] + body[last + len(_CLOSE) :])


def _fast_entries(page: _Page, fields: list[tuple[bytes, ...]]) -> tuple[Entry, ...]:
    """Entries of the fields that `_scan_entries` found."""
    minutes: dict[bytes, int] = {}
    classes: dict[bytes, str] = {}
    is_encoded = page.is_encoded
    entries = []
    for key_bytes, minute, second, milli, etag, size, storage_class in fields:
        key = key_bytes.decode("ascii")
        if is_encoded and (b"%" in key_bytes or b"+" in key_bytes):
            key = decoded_key(key)
        start = minutes.get(minute)
        if start is None:
            start = minutes[minute] = time_ns(f"{minute.decode('ascii')}00Z")
        mtime_ns = start + int(second) * 1_000_000_000 + (int(milli) * 1_000_000 if milli else 0)
        name = classes.get(storage_class)
        if name is None:
            name = classes[storage_class] = storage_class.decode("ascii")
        entries.append(Entry(key, int(size), mtime_ns, etag.decode("ascii"), name))
    return tuple(entries)


def _entry(page: _Page, item: Element) -> Entry:
    """One ``<Contents>``, by its elements."""
    return Entry(
        key=required(page.text(item.text_of("Key")), "an object's key"),
        size=number(item.text_of("Size"), "an object's size"),
        mtime_ns=time_ns(item.text_of("LastModified")),
        etag=unquoted(item.text_of("ETag")),
        storage_class=item.text_of("StorageClass"),
    )


# --- parts and uploads ---------------------------------------------------------------------------------------------


_OF_THE_NEXT_PARTS = frozenset({"IsTruncated", "NextPartNumberMarker"})


def list_parts(reply: Reply) -> PartsPage:
    """One page of ListParts. One that says nothing of a next page is the last: so ``rclone serve s3`` answers.

    To miss a part costs the part, no more: what is completed is compared as a whole.

    Raises:
        BadReply: it is no whole, consistent page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    root = success_document(reply, "ListParts", "ListPartsResult", also="ListPartsResponse")  # as moto says
    kind = root.text_of("ChecksumType")
    parts = tuple(_listed_part(item, kind) for item in root.children if item.name == "Part")
    if any(part.number >= following.number for part, following in pairwise(parts)):
        raise bad_listing("its parts are out of order")
    marker = 0
    said = {item.name for item in root.children}
    if not said.isdisjoint(_OF_THE_NEXT_PARTS) and says_truncated(root):
        marker = number(root.text_of("NextPartNumberMarker"), "the next part number")
        if not parts or marker < parts[-1].number:
            raise bad_listing("it is truncated and does not say how to go on")
    return PartsPage(parts=parts, next_marker=marker)


def _listed_part(item: Element, kind: str) -> ListedPart:
    checksum = checksum_in(item)
    if checksum is not None and kind:
        checksum = Checksum(checksum.algorithm, checksum.value, kind)
    modified = item.text_of("LastModified")
    return ListedPart(
        number=number(item.text_of("PartNumber"), "a part's number"),
        size=number(item.text_of("Size"), "a part's size"),
        etag=required(unquoted(item.text_of("ETag")), "a part's ETag"),
        mtime_ns=time_ns(modified) if modified else 0,
        checksum=checksum,
    )


def list_multipart_uploads(reply: Reply) -> UploadsPage:
    """One page of ListMultipartUploads.

    Raises:
        BadReply: it is no whole, consistent page (``E_BAD_LISTING`` where it was well-formed).
        S3Error: the body holds an error.
    """
    root = success_document(reply, "ListMultipartUploads", "ListMultipartUploadsResult")
    page = _Page(root)
    uploads = tuple(_upload(page, item) for item in root.children if item.name == "Upload")
    is_silent = (
        root.child("IsTruncated") is None and root.child("NextKeyMarker") is None
    )  # so rclone ends its only page
    if is_silent or not says_truncated(root):
        return UploadsPage(uploads=uploads)
    key_marker = page.text(root.text_of("NextKeyMarker"))
    return UploadsPage(
        uploads=uploads,
        next_key_marker=required(key_marker, "the next key"),
        next_upload_id_marker=root.text_of("NextUploadIdMarker"),
    )


def _upload(page: _Page, item: Element) -> UnfinishedUpload:
    return UnfinishedUpload(
        key=required(page.text(item.text_of("Key")), "an upload's key"),
        upload_id=required(item.text_of("UploadId"), "an upload's id"),
        initiated_ns=time_ns(item.text_of("Initiated")),
        storage_class=item.text_of("StorageClass"),
    )
