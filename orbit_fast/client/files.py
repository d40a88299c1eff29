"""Files to objects and back, and objects to objects, of any size; unfinished multipart uploads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from collections.abc import Mapping

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Operations
from orbit_fast.client.operations import Place
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.options import merged
from orbit_fast.client.progress import Listener
from orbit_fast.client.progress import TransferDirection
from orbit_fast.client.results import TransferResult
from orbit_fast.client.results import UploadedPart
from orbit_fast.client.results import time_of
from orbit_fast.client.resumable_download import ResumableDownload
from orbit_fast.client.resumable_upload import ResumableUpload
from orbit_fast.client.resume import ResumeState
from orbit_fast.client.transfers import move_in_parts
from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.layout import Layout
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Stat
from orbit_fast.core.settings import MIB
from orbit_fast.io import copy
from orbit_fast.io import download
from orbit_fast.io import upload
from orbit_fast.io.files import open_source
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import stat
from orbit_fast.io.move import finish_move
from orbit_fast.io.parts import landed_parts
from orbit_fast.io.transfer import Ending

PathLike = str | os.PathLike[str]

COPY_PARTS = 128
"""A copy in parts has about so many, so that a copy of 5 TiB is no more requests than one of 50 GiB."""


class FileOperations(Operations):
    """Transfers of whole files. Every one is verified; see `S3Config.verify_checksums`."""

    async def upload_file(
        self,
        path: PathLike,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        options: ObjectOptions | None = None,
        progress: Listener | None = None,
    ) -> TransferResult:
        """Upload a local file; above `S3Config.chunk_size` in parts, several at once.

        A link is followed. An upload that fails or is cancelled leaves nothing at the service; see
        `upload_file_multipart` for one that can be resumed. A file that changes meanwhile is uploaded anew, as it is
        then, a few times.

        Args:
            path: of a regular file.
            key: of the object.
            content_type: MIME type; guessed where it is left out.
            metadata: user metadata (ASCII).
            options: everything else about the object.
            progress: hears of it.

        Raises:
            LocalError: the file is not there, not a file, or cannot be read.
            SourceChanged: it does not stop changing.
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._place(options=merged(options, content_type, metadata))
        with Meter(progress, key, TransferDirection.UPLOAD) as meter:
            for left in reversed(range(upload.CHANGES)):
                item = _file_item(place, path, key)
                meter.started(item.size)
                try:
                    ending = await self._upload(place, item, meter)
                    break
                except SourceChanged:
                    if not left:
                        raise
            meter.completed()
        return TransferResult.of(key, ending.landed)

    async def upload_file_multipart(
        self,
        path: PathLike,
        key: str,
        resume_state: ResumeState | None = None,
        *,
        options: ObjectOptions | None = None,
        on_state: Callable[[ResumeState], None] | None = None,
        progress: Listener | None = None,
    ) -> ResumeState:
        """Upload a local file in such a way that it can go on where it was interrupted.

        An error carries what to go on from as ``resume_state``; the parts stay at the service until it is resumed or
        aborted (`abort_multipart_upload`). A file up to `S3Config.chunk_size` takes one request and leaves nothing.
        What is resumed is checked first: a file that has changed, or an upload that is gone, starts anew.

        Args:
            path: of a regular file.
            key: of the object.
            resume_state: what an earlier call came to, or None.
            options: about the object; of a resumed upload those count that it was begun with.
            on_state: told after every part, so that even a killed process can be resumed. With it, an upload that is
                cancelled is kept; without it, nobody could resume it, and it is aborted.
            progress: hears of it.

        Returns:
            What the upload came to: complete.

        Raises:
            ResumeStateError: `resume_state` is of another object.
            LocalError: the file is not there, not a file, or cannot be read.
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._place(options=options)
        with Meter(progress, key, TransferDirection.UPLOAD) as meter:
            item = _file_item(place, path, key)
            meter.started(item.size)
            work = ResumableUpload(place, item, self.config.bucket, on_state=on_state, meter=meter)
            with place.session.undertaking():
                state = await work.run(resume_state)
            meter.completed()
        return state

    async def download_file(
        self, key: str, path: PathLike, *, version_id: str = "", progress: Listener | None = None
    ) -> TransferResult:
        """Download an object to a local file; above `S3Config.chunk_size` in ranges, several at once.

        The file appears under its name in one step, when it is whole and proven; what stood there stays until then.
        Directories that are missing are made. Its modification time is the object's.

        Args:
            key: of the object.
            path: of the file.
            version_id: of the object, or ``''`` for the current one.
            progress: hears of it.

        Raises:
            NotFound: there is no such object.
            ChecksumMismatch: what arrived is not what the service stores, twice.
            LocalError: the file cannot be written.
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._place()
        with Meter(progress, key, TransferDirection.DOWNLOAD) as meter:
            item = replace(await _found_item(place, key, version_id), path=_file_path(path))
            meter.started(item.size)
            plan = functools.partial(plan_parts, wanted_part_size=self.config.chunk_size, min_part=1)
            if plan(item.size).is_multipart:
                ending = await move_in_parts(place, item, plan, meter)
            else:
                ending = await place.session.do(download.download(place.around, item))
                meter.landed(0, ending.landed.size)
            meter.completed()
        return TransferResult.of(key, ending.landed)

    async def download_file_resumable(
        self,
        key: str,
        path: PathLike,
        offset: int | None = None,
        *,
        version_id: str = "",
        progress: Listener | None = None,
    ) -> TransferResult:
        """As `download_file`, but what has landed is kept when it fails or is cancelled, and taken up the next time.

        It is kept beside the file, as ``FILE.VERSION.partial`` (`VERSION` stands for the object's), and gone when the
        file is whole. It is not believed: the whole file is compared with what the service stores.

        Args:
            key: of the object.
            path: of the file.
            offset: how many bytes to take up, in whole parts: of what was kept, or of a file at `path` that somebody
                else began. None is everything that was kept, 0 is nothing.
            version_id: of the object, or ``''`` for the current one.
            progress: hears of it.

        Raises:
            ResumeStateError: there are no `offset` bytes to go on from.
            S3Error: as `download_file`.
        """
        if offset is not None and offset < 0:
            raise InvalidConfig(f"offset: {offset} is negative")
        place = await self._place()
        with Meter(progress, key, TransferDirection.DOWNLOAD) as meter:
            item = replace(await _found_item(place, key, version_id), path=_file_path(path))
            meter.started(item.size)
            if item.size > self.config.chunk_size:
                with place.session.undertaking():
                    ending = await ResumableDownload(place, item, self.config.chunk_size, meter).run(offset)
            else:
                ending = await place.session.do(download.download(place.around, item))
                meter.landed(0, ending.landed.size)
            meter.completed()
        return TransferResult.of(key, ending.landed)

    # --- inside the service ------------------------------------------------------------------------------------------

    async def copy_object(
        self,
        source_key: str,
        dest_key: str,
        *,
        source_bucket: str = "",
        source_version_id: str = "",
        options: ObjectOptions | None = None,
        progress: Listener | None = None,
    ) -> TransferResult:
        """Copy an object of any size inside the service; no byte of it passes through this machine.

        Headers, metadata and tags come along. Of `options`, the storage class, encryption, ACL and tags are given to
        the copy; any other header or metadata in them replaces all of the source's.

        Args:
            source_key: what to copy.
            dest_key: its new name, in the client's bucket.
            source_bucket: where it is, or ``''`` for the client's bucket.
            source_version_id: which version, or ``''`` for the current one.
            options: about the copy.
            progress: hears of it.

        Raises:
            NotFound: there is no such object.
            S3Error: the service refuses, or could not be reached.
        """
        place = await self._copy_place(options)
        source = place
        if source_bucket and source_bucket != self.config.bucket:
            source = await self._place(source_bucket)
        with Meter(progress, dest_key, TransferDirection.UPLOAD) as meter:
            found = await _found_item(source, source_key, source_version_id)
            ending = await self._copy(place, found, dest_key, meter)
            meter.completed()
        return TransferResult.of(dest_key, ending.landed)

    async def rename(self, old_key: str, new_key: str, *, progress: Listener | None = None) -> TransferResult:
        """Give an object of any size another name: copy it, and delete it when the copy is proven.

        Raises:
            NotFound: there is no such object.
            InvalidConfig: both names are the same.
            SourceChanged: the object was replaced meanwhile: both are there.
            IntegrityError: the service has lost the copy: the source is there.
            S3Error: the service refuses, or could not be reached.
        """
        if old_key == new_key:
            raise InvalidConfig(f"rename: both names are {old_key!r}")
        place = await self._place()
        with Meter(progress, new_key, TransferDirection.UPLOAD) as meter:
            found = await _found_item(place, old_key, "")
            ending = await self._copy(place, found, new_key, meter)
            item = _copy_item(place, found, new_key)
            begun = Begun(item=item.number, etag=found.etag)
            await place.session.do(finish_move(place.around, item, begun, _ended(ending)))
            meter.completed()
        return TransferResult.of(new_key, ending.landed)

    async def _copy_place(self, options: ObjectOptions | None) -> Place:
        if options is None:
            return await self._place()
        settings = options.over(self._settings.object)
        replaces = settings.metadata or any(
            (
                settings.content_type,
                settings.content_encoding,
                settings.content_disposition,
                settings.content_language,
                settings.cache_control,
                settings.expires,
            )
        )
        return await self._place_with(replace(settings, metadata_directive="REPLACE" if replaces else "COPY"))

    async def _copy_version(self, place: Place, key: str, dest_key: str, version_id: str = "") -> TransferResult:
        """Copy an object, or one version of it, as `place` says that copies are made."""
        found = await _found_item(place, key, version_id)
        ending = await self._copy(place, found, dest_key, Meter(None, dest_key, TransferDirection.UPLOAD))
        return TransferResult.of(dest_key, ending.landed)

    async def _copy(self, place: Place, found: Item, dest_key: str, meter: Meter) -> Ending:
        """Copy what was found."""
        item = _copy_item(place, found, dest_key)
        meter.started(item.size)
        if item.size > self.config.multipart_copy_threshold:
            return await move_in_parts(place, item, self._copy_plan, meter)
        ending = await place.session.do(copy.copy(place.around, item))
        meter.landed(0, ending.landed.size)
        return ending

    def _copy_plan(self, size: int) -> Layout:
        return plan_parts(size, max(self.config.chunk_size, -(-size // COPY_PARTS // MIB) * MIB))

    # --- unfinished uploads ------------------------------------------------------------------------------------------

    async def list_parts(self, key: str, upload_id: str) -> list[UploadedPart]:
        """The parts that the service holds of an unfinished upload, all pages.

        Raises:
            UploadGone: there is no such upload (any more).
        """
        place = await self._place()
        parts = await place.session.do(landed_parts(place.site, key, upload_id))
        return [
            UploadedPart(
                part_number=part.number,
                size=part.size,
                etag=part.etag,
                last_modified=time_of(part.mtime_ns),
                checksum=part.checksum,
            )
            for part in parts
        ]

    async def abort_multipart_upload(self, key: str, upload_id: str) -> None:
        """Give an unfinished upload up and free its parts.

        Raises:
            UploadGone: there is no such upload (any more).
        """
        place = await self._place()
        await place.session.do(_abort(place.site, key, upload_id))

    async def _upload(self, place: Place, item: Item, meter: Meter) -> Ending:
        """Upload a file as it is now."""
        if item.size > self.config.chunk_size:
            plan = functools.partial(plan_parts, wanted_part_size=self.config.chunk_size)
            return await move_in_parts(place, item, plan, meter)
        ending = await place.session.do(upload.upload(place.around, item), needs_slot=item.size > upload.IN_MEMORY)
        meter.landed(0, ending.landed.size)
        return ending


# --- pieces ----------------------------------------------------------------------------------------------------------


def _file_item(place: Place, path: PathLike, key: str) -> Item:
    """The item of a local file, which must be there."""
    local = os.fsencode(path)
    with open_source(local, follow_symlinks=True) as source:
        item = place.item(Direction.UPLOAD, key, size=source.size)
        return replace(item, path=local, mtime_ns=source.mtime_ns)


def _file_path(path: PathLike) -> bytes:
    target = os.fsencode(path)
    if not target or target.endswith(b"/"):
        raise InvalidConfig(f"path: {os.fspath(path)!r} names no file")
    return target


async def _found_item(place: Place, key: str, version_id: str) -> Item:
    """The item of an object to read, which must be there."""
    item = place.item(Direction.DOWNLOAD, key)
    found = (await place.session.do(stat(place.around, Stat(0, place.site, key, version_id)))).entry
    return replace(
        item,
        size=found.size,
        mtime_ns=found.mtime_ns,
        etag=found.etag,
        version_id=version_id,
        storage_class=found.storage_class,
    )


def _copy_item(place: Place, found: Item, dest_key: str) -> Item:
    """The item of a copy of what was found."""
    return replace(
        place.item(Direction.COPY, dest_key, size=found.size),
        mtime_ns=found.mtime_ns,
        etag=found.etag,
        version_id=found.version_id,
        storage_class=found.storage_class,
        source_site=found.site,
        source_key=found.key,
    )


def _ended(ending: Ending) -> Flow[Ending]:
    """A flow that has ended already."""
    yield from ()
    return ending


def _abort(site: int, key: str, upload_id: str) -> Flow[None]:
    request = encode.abort_multipart_upload(key, upload_id=upload_id)
    yield Call(request=request, site=site, check=decode.abort_multipart_upload)
