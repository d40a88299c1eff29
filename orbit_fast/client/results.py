"""What calls give back: frozen records. Sizes are bytes, times are `datetime` in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta

from orbit_fast.core.directory_buckets import ENCRYPTION as DIRECTORY
from orbit_fast.core.events import Landed
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Entry
from orbit_fast.core.model import ObjectFacts


def time_of(ns: int) -> datetime | None:
    """A time in nanoseconds since 1970, or None for 0: unknown."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns // 1000 % 1_000_000) if ns else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """An object or a file that arrived.

    Attributes:
        key: of the object.
        size: bytes.
        etag: without quotes.
        version_id: of the object that was written or read, or ``''``.
        checksum: what its bytes were proven to have, or None.
        verified: what they were proven against: ``checksum``, ``etag``, ``size``, or ``''`` where nothing was asked.
        parts: how many it was moved in; 0 is one request.
        attempts: tries of the request that needed most.
        duration: from the first request to the proof.
    """

    key: str
    size: int
    etag: str = ""
    version_id: str = ""
    checksum: Checksum | None = None
    verified: str = ""
    parts: int = 0
    attempts: int = 1
    duration: timedelta = timedelta()

    @classmethod
    def of(cls, key: str, landed: Landed) -> TransferResult:
        """What the engine's own record says."""
        return cls(
            key=key,
            size=landed.size,
            etag=landed.etag,
            version_id=landed.version_id,
            checksum=landed.checksum,
            verified=str(landed.verified),
            parts=landed.parts,
            attempts=landed.attempts,
            duration=timedelta(milliseconds=landed.duration_ms or 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMetadata:
    """Everything that HeadObject says.

    Attributes:
        key: of the object.
        size: bytes.
        last_modified: or None where the service does not say.
        etag: without quotes.
        content_type: or ``''``.
        version_id: or ``''``.
        storage_class: S3's name; ``STANDARD`` where the service leaves it out.
        server_side_encryption: ``AES256``, ``aws:kms``, ``SSE-C`` ... or ``''``.
        checksum: the strongest that the service stores, or None.
        metadata: user metadata, names without ``x-amz-meta-``.
        content_headers: ``cache-control``, ``content-encoding`` and so on, where they are set.
        restore: the state of a restore from the archive, as S3 writes it, or ``''``.
        parts_count: parts it was uploaded in, 0 where that is not known.
        tag_count: number of tags.
    """

    key: str
    size: int
    last_modified: datetime | None
    etag: str
    content_type: str = ""
    version_id: str = ""
    storage_class: str = "STANDARD"
    server_side_encryption: str = ""
    checksum: Checksum | None = None
    metadata: Mapping[str, str]
    content_headers: Mapping[str, str]
    restore: str = ""
    parts_count: int = 0
    tag_count: int = 0

    @classmethod
    def of(cls, key: str, facts: ObjectFacts) -> ObjectMetadata:
        """What the engine's own record says."""
        return cls(
            key=key,
            size=facts.size,
            last_modified=time_of(facts.mtime_ns),
            etag=facts.etag,
            content_type=facts.content_type,
            version_id=facts.version_id,
            storage_class=facts.storage_class or "STANDARD",
            server_side_encryption="AES256" if facts.encryption == DIRECTORY else facts.encryption,
            checksum=facts.checksum,
            metadata=dict(facts.metadata),
            content_headers=dict(facts.content_headers),
            restore=facts.restore,
            parts_count=facts.parts_count,
            tag_count=facts.tag_count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Object:
    """One listed object: key, size in bytes, time, ETag without quotes, storage class."""

    key: str
    size: int
    last_modified: datetime | None
    etag: str
    storage_class: str

    @classmethod
    def of(cls, entry: Entry) -> S3Object:
        """What the engine's own record says."""
        return cls(
            key=entry.key,
            size=entry.size,
            last_modified=time_of(entry.mtime_ns),
            etag=entry.etag,
            storage_class=entry.storage_class or "STANDARD",
        )


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """One bucket: name, when it was made, and where it is, or ``''`` where the service does not say."""

    name: str
    created: datetime | None = None
    region: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListResult:
    """One page of a listing.

    Attributes:
        objects: in the service's order.
        common_prefixes: where a delimiter was asked for.
        is_truncated: more follows.
        continuation_token: for `S3Client.list_objects_paginated`; None on the last page.
    """

    objects: tuple[S3Object, ...]
    common_prefixes: tuple[str, ...] = ()
    is_truncated: bool = False
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedPart:
    """A part that the service holds of an unfinished upload: number from 1, size in bytes, ETag, checksum."""

    part_number: int
    size: int
    etag: str
    last_modified: datetime | None = None
    checksum: Checksum | None = None
