"""Versions of objects: kept, listed, read, restored, compared, deleted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import msgspec

from orbit_fast.client.files import FileOperations
from orbit_fast.client.files import PathLike
from orbit_fast.client.objects import ObjectOperations
from orbit_fast.client.options import described_anew
from orbit_fast.client.progress import Listener
from orbit_fast.client.results import ObjectMetadata
from orbit_fast.client.results import TransferResult
from orbit_fast.client.results import time_of
from orbit_fast.client.storage import S3StorageClass
from orbit_fast.core import decode
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import check_key
from orbit_fast.core.versioning import VersioningState
from orbit_fast.io.service import service_call
from orbit_fast.io.versions import list_versions_page

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersioningStatus:
    """What a bucket says about versioning.

    Attributes:
        state: see there.
        mfa_delete: deletions of versions need a second factor.
    """

    state: VersioningState
    mfa_delete: bool = False

    @property
    def enabled(self) -> bool:
        """New versions are made."""
        return self.state is VersioningState.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectVersion:
    """One version of an object: size in bytes, ETag without quotes, S3's name of its storage class."""

    key: str
    version_id: str
    size: int
    last_modified: datetime | None
    etag: str
    is_latest: bool
    storage_class: str

    def is_newer_than(self, other: ObjectVersion) -> bool:
        """Whether it was stored after `other`, as far as the service's seconds tell."""
        return (self.last_modified or EPOCH) > (other.last_modified or EPOCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMarker:
    """It hides the versions below it from plain requests."""

    key: str
    version_id: str
    last_modified: datetime | None
    is_latest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsList:
    """The versions and delete markers of one key, newest first."""

    versions: tuple[ObjectVersion, ...]
    delete_markers: tuple[DeleteMarker, ...]

    @property
    def latest_version(self) -> ObjectVersion | None:
        """What a plain request reads, or None where there is a delete marker, or nothing."""
        return next((version for version in self.versions if version.is_latest), None)

    @property
    def is_deleted(self) -> bool:
        """Whether a delete marker is on top."""
        return any(marker.is_latest for marker in self.delete_markers)

    @property
    def total_size(self) -> int:
        """Bytes of all versions."""
        return sum(version.size for version in self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """How `S3Client.restore_version` restores.

    Attributes:
        target_key: where to; ``''`` is the object itself.
        storage_class: of the restored object; None is the version's own.
        metadata: instead of the version's, whose other headers stay; None is the version's own.
    """

    target_key: str = ""
    storage_class: S3StorageClass | str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionComparison:
    """Two versions side by side.

    Attributes:
        version1: the first.
        version2: the second.
        size_diff: bytes that the second has more.
        time_diff: how much later the second was stored.
        content_differs: their bytes are not the same; where the service stores nothing that decides it, the ETags do.
    """

    version1: ObjectVersion
    version2: ObjectVersion
    size_diff: int
    time_diff: timedelta
    content_differs: bool

    @property
    def newer_version(self) -> ObjectVersion:
        """The one that was stored later; the second of two from the same second."""
        return self.version1 if self.version1.is_newer_than(self.version2) else self.version2


@dataclass(slots=True)
class _Collected:
    versions: list[ObjectVersion] = field(default_factory=list)
    markers: list[DeleteMarker] = field(default_factory=list)


class VersioningOperations(ObjectOperations, FileOperations):
    """The versions of the bucket's objects."""

    async def enable_versioning(self) -> None:
        """Keep every version of every object from now on.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        await self._set_versioning(VersioningState.ENABLED)

    async def suspend_versioning(self) -> None:
        """Keep the versions that there are, and make no new ones.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        await self._set_versioning(VersioningState.SUSPENDED)

    async def get_versioning_status(self) -> VersioningStatus:
        """Whether the bucket keeps versions.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._place()
        told = await place.session.do(service_call(place.around, place.site, "GetBucketVersioning", {}))
        state = told.get("Status") or VersioningState.DISABLED.value
        if state not in set(VersioningState):
            raise BadReply(f"GetBucketVersioning: the service says {state[:64]!r}")
        return VersioningStatus(state=VersioningState(state), mfa_delete=told.get("MFADelete") == "Enabled")

    async def list_object_versions(self, key: str) -> VersionsList:
        """All versions and delete markers of one object: of this key exactly, all pages.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        check_key(key)
        found = _Collected()
        async for version in self.iter_object_versions(key):
            if version.key != key:
                break  # keys come in order: what follows only begins with this one
            if isinstance(version, DeleteMarker):
                found.markers.append(version)
            else:
                found.versions.append(version)
        return VersionsList(versions=tuple(found.versions), delete_markers=tuple(found.markers))

    async def iter_object_versions(self, prefix: str = "") -> AsyncGenerator[ObjectVersion | DeleteMarker, None]:
        """The versions and delete markers of all objects whose keys begin with `prefix`, page by page as they are used.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._place()
        marker = ("", "")
        while True:
            page = await place.session.do(list_versions_page(place.site, prefix=prefix, marker=marker))
            for version in page.versions:
                yield _told(version)
            if not page.is_truncated:
                return
            marker = page.next_marker

    async def download_version(
        self, key: str, version_id: str, path: PathLike, *, progress: Listener | None = None
    ) -> TransferResult:
        """Download one version of an object; as `download_file`.

        Raises:
            NotFound: there is no such version.
            S3Error: as `download_file`.
        """
        return await self.download_file(key, path, version_id=_named(version_id), progress=progress)

    async def restore_version(self, key: str, version_id: str, options: RestoreOptions | None = None) -> str:
        """Make a version the current one again, by a copy of it; what there is stays below it.

        Args:
            key: of the object.
            version_id: which.
            options: how, and where to.

        Returns:
            The id of the new version.

        Raises:
            NotFound: there is no such version.
            S3Error: the service refuses, or could not be reached.
        """
        wanted = options or RestoreOptions()
        found = await self.get_metadata(key, version_id=_named(version_id))
        storage_class = (
            S3StorageClass.parse(wanted.storage_class).value if wanted.storage_class else found.storage_class
        )
        base = self._settings.object
        if wanted.metadata is None:
            new_object = msgspec.structs.replace(base, storage_class=storage_class)
        else:
            new_object = described_anew(base, found.content_headers, wanted.metadata, storage_class)
        place = await self._place_with(new_object)
        restored = await self._copy_version(place, key, wanted.target_key or key, version_id)
        return restored.version_id

    async def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version, or one delete marker, for good.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        await self.delete(key, version_id=_named(version_id))

    async def get_version_metadata(self, key: str, version_id: str) -> ObjectVersion:
        """What is known about one version; `ObjectVersion.is_latest` is False where only a listing could tell.

        Raises:
            NotFound: there is no such version.
            S3Error: the service refuses, or could not be reached.
        """
        return _version_of(await self.get_metadata(key, version_id=_named(version_id)), version_id)

    async def compare_versions(self, key: str, version_id1: str, version_id2: str) -> VersionComparison:
        """Two versions of an object side by side, without reading either.

        Raises:
            NotFound: there is no such version.
            S3Error: the service refuses, or could not be reached.
        """
        first = await self.get_metadata(key, version_id=_named(version_id1))
        second = await self.get_metadata(key, version_id=_named(version_id2))
        one, other = first.checksum, second.checksum
        if first.size != second.size:
            differs = True
        elif one is not None and other is not None and (one.algorithm, one.kind) == (other.algorithm, other.kind):
            differs = one.value != other.value
        else:
            differs = first.etag != second.etag
        return VersionComparison(
            version1=_version_of(first, version_id1),
            version2=_version_of(second, version_id2),
            size_diff=second.size - first.size,
            time_diff=(second.last_modified or EPOCH) - (first.last_modified or EPOCH),
            content_differs=differs,
        )

    async def _set_versioning(self, state: VersioningState) -> None:
        place = await self._place()
        params = {"VersioningConfiguration": {"Status": state.value}}
        await place.session.do(service_call(place.around, place.site, "PutBucketVersioning", params))


def _named(version_id: str) -> str:
    if not version_id:
        raise InvalidConfig("version_id: an empty one names no version")
    return version_id


def _version_of(found: ObjectMetadata, version_id: str) -> ObjectVersion:
    return ObjectVersion(
        key=found.key,
        version_id=found.version_id or version_id,
        size=found.size,
        last_modified=found.last_modified,
        etag=found.etag,
        is_latest=False,
        storage_class=found.storage_class,
    )


def _told(version: decode.ListedVersion) -> ObjectVersion | DeleteMarker:
    if version.is_delete_marker:
        return DeleteMarker(
            key=version.key,
            version_id=version.version_id,
            last_modified=time_of(version.mtime_ns),
            is_latest=version.is_latest,
        )
    return ObjectVersion(
        key=version.key,
        version_id=version.version_id,
        size=version.size,
        last_modified=time_of(version.mtime_ns),
        etag=version.etag,
        is_latest=version.is_latest,
        storage_class=version.storage_class or "STANDARD",
    )
