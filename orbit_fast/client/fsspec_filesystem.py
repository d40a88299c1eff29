"""A file system for fsspec: ``orbit://bucket/key``, and with it pandas, pyarrow, dask, xarray and others.

It needs the extra ``fsspec`` (``pip install orbit-fast[fsspec]``). Everything is done by `S3Client`, one for each
bucket, with the same checksums, retries and limits. What fsspec expects of an object store holds: a directory is what
keys have in common up to a ``/``; there are no empty ones, and making one does nothing. Listings are never cached.

Errors are those of files: `FileNotFoundError`, `PermissionError`, `FileExistsError`, else `OSError`, each with the
`S3Error` as its cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from typing import ClassVar
from typing import Final

from fsspec.asyn import sync
from fsspec.callbacks import DEFAULT_CALLBACK

from orbit_fast.client.fsspec_clients import ANY_BUCKET
from orbit_fast.client.fsspec_clients import BucketClients
from orbit_fast.client.fsspec_clients import split
from orbit_fast.client.fsspec_file import OrbitFile
from orbit_fast.client.fsspec_file import as_file_errors
from orbit_fast.client.progress import ChunkCompleted
from orbit_fast.client.progress import Progress
from orbit_fast.client.progress import ProgressEvent
from orbit_fast.client.results import S3Object
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import NotFound
from orbit_fast.core.settings import MIB

Info = dict[str, Any]

PIECE: Final = MIB


class OrbitFileSystem(BucketClients):
    """Objects as files, ``orbit://bucket/key``; ``s3://bucket/key`` is understood, too.

    The options are those of `S3Config` but for the bucket, under its names or s3fs's (``key``, ``secret``, ``token``,
    ``anon``, ``endpoint_url``), beside fsspec's own (``asynchronous``, ``loop``, ``batch_size`` ...).

    Example:
        >>> fs = OrbitFileSystem(endpoint="http://127.0.0.1:9000")  # doctest: +SKIP
        >>> fs.pipe("bucket/a.txt", b"hello")  # doctest: +SKIP
    """

    protocol: ClassVar[tuple[str, ...]] = ("orbit", "s3")
    root_marker = ""
    default_block_size = 5 * MIB

    # --- what there is -----------------------------------------------------------------------------------------------

    async def _info(self, path: str, **_: Any) -> Info:
        path = self._strip_protocol(path)
        bucket, key = split(path)
        if not bucket:
            return _directory("")
        with as_file_errors(path):
            client = await self._client(bucket)
            if key:
                with contextlib.suppress(NotFound):
                    found = await client.get_metadata(key)
                    return {
                        **_file(path, found.size, found.last_modified, found.etag, found.storage_class),
                        "ContentType": found.content_type,
                        "VersionId": found.version_id or None,
                        "metadata": dict(found.metadata),
                    }
            below = await client.list_objects(f"{key}/" if key else "", max_keys=1)
        if key and not below.objects:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return _directory(path)

    async def _exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a file or directory. What cannot be asked is an error, never "no"."""
        try:
            await self._info(path)
        except FileNotFoundError:
            return False
        return True

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Info] | list[str]:  # noqa: FBT001, FBT002 - fsspec's
        path = self._strip_protocol(path)
        bucket, key = split(path)
        found: list[Info] = []
        with as_file_errors(path):
            if not bucket:
                client = await self._client(ANY_BUCKET)
                found = [_directory(each.name, each.created) for each in await client.list_buckets()]
            else:
                prefix, token = f"{key}/" if key else "", None
                client = await self._client(bucket)
                while True:
                    page = await client.list_objects_paginated(prefix, token, delimiter="/")
                    found += [_directory(f"{bucket}/{each.rstrip('/')}") for each in page.common_prefixes]
                    found += [_listed(bucket, each) for each in page.objects if each.key != prefix]
                    is_there = bool(found or page.objects) or not key
                    token = page.continuation_token
                    if token is None:
                        break
                if not is_there:
                    info = await self._info(path)
                    found = [info] if info["type"] == "file" else []
        return sorted(found, key=_name_of) if detail else sorted(map(_name_of, found))

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,  # noqa: FBT001, FBT002 - fsspec's
        *,
        prefix: str = "",
        detail: bool = False,
        **_: Any,
    ) -> list[str] | dict[str, Info]:
        """All files below, by one listing; with `maxdepth`, directory by directory."""
        path = self._strip_protocol(path)
        bucket, key = split(path)
        if maxdepth is not None or not bucket:
            found: dict[str, Info] = await super()._find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True)
            begins = f"{path}/{prefix}" if path else prefix
            found = {name: info for name, info in found.items() if name.startswith(begins) or not prefix}
            return found if detail else sorted(found)
        start = f"{key}/" if key else ""
        files: dict[str, Info] = {}
        with as_file_errors(path):
            client = await self._client(bucket)
            async for each in client.iter_objects(start + prefix):
                is_marker = each.key.endswith("/")
                if withdirs:
                    for parent in _parents(each.key, len(start)):
                        files.setdefault(f"{bucket}/{parent}", _directory(f"{bucket}/{parent}"))
                if not is_marker:
                    files[f"{bucket}/{each.key}"] = _listed(bucket, each)
            if not files and key and not prefix:
                with contextlib.suppress(FileNotFoundError):
                    info = await self._info(path)
                    if info["type"] == "file":
                        files[path] = info
            elif withdirs and key:
                files.setdefault(path, _directory(path))
        names = sorted(files)
        return {name: files[name] for name in names} if detail else names

    def modified(self, path: str) -> datetime:
        """When a file was last written."""
        when: datetime = self.info(path)["LastModified"]
        return when

    def sign(self, path: str, expiration: int = 100, **_: Any) -> str:
        """A URL with which anybody can read the file for so many seconds."""
        bucket, key = split(self._strip_protocol(path))

        async def presigned() -> str:
            return await (await self._client(bucket)).presign_get(key, expires=expiration)

        url: str = sync(self.loop, presigned)
        return url

    # --- bytes -------------------------------------------------------------------------------------------------------

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        path = self._strip_protocol(path)
        bucket, key = split(path)
        with as_file_errors(path):
            client = await self._client(bucket)
            if (start or 0) < 0 or (end or 0) < 0:
                size = (await client.get_metadata(key)).size
                start, end = (max(0, size + at) if at is not None and at < 0 else at for at in (start, end))
            first = start or 0
            if end is not None and end <= first:
                return b""
            try:
                return await client.download_bytes(key, offset=first, length=None if end is None else end - first)
            except InvalidRange:
                return b""  # as a file: there is nothing behind its end

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        path = self._strip_protocol(path)
        bucket, key = split(path)
        with as_file_errors(path):
            client = await self._client(bucket)
            if mode == "create":
                await client.create_object([value], key)
            else:
                await client.upload_bytes(value, key)

    async def _put_file(
        self, lpath: str, rpath: str, mode: str = "overwrite", callback: Any = DEFAULT_CALLBACK, **_: Any
    ) -> None:
        if _is_directory(lpath):
            await self._makedirs(rpath, exist_ok=True)
            return
        path = self._strip_protocol(rpath)
        bucket, key = split(path)
        with as_file_errors(path):
            client = await self._client(bucket)
            if mode == "create":
                await client.create_object(_pieces_of(lpath), key, progress=_told_to(callback))
            else:
                await client.upload_file(lpath, key, progress=_told_to(callback))

    async def _get_file(self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        path = self._strip_protocol(rpath)
        bucket, key = split(path)
        if not hasattr(lpath, "write") and _is_directory(lpath):
            return
        with as_file_errors(path):
            client = await self._client(bucket)
            if hasattr(lpath, "write"):
                async with client.stream(key, progress=_told_to(callback)) as stream:
                    async for chunk in stream:
                        lpath.write(chunk)
                return
            try:
                await client.download_file(key, lpath, progress=_told_to(callback))
            except NotFound:
                if (await self._info(path))["type"] != "directory":
                    raise
                os.makedirs(lpath, exist_ok=True)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,  # noqa: FBT001, FBT002 - fsspec's
        cache_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> OrbitFile:
        return OrbitFile(
            self,
            path,
            mode,
            block_size or self.default_block_size,
            autocommit=autocommit,
            cache_options=cache_options,
            **kwargs,
        )

    # --- changes -----------------------------------------------------------------------------------------------------

    async def _cp_file(self, path1: str, path2: str, **_: Any) -> None:
        path1, path2 = self._strip_protocol(path1), self._strip_protocol(path2)
        (from_bucket, from_key), (bucket, key) = split(path1), split(path2)
        if not from_key or not key:
            raise FileNotFoundError(errno.ENOENT, "a bucket is no file", path1)
        with as_file_errors(path1):
            await (await self._client(bucket)).copy_object(from_key, key, source_bucket=from_bucket)

    async def _rm_file(self, path: str, **_: Any) -> None:
        path = self._strip_protocol(path)
        bucket, key = split(path)
        with as_file_errors(path):
            await (await self._client(bucket)).delete(key)

    async def _rm(
        self,
        path: str | list[str],
        recursive: bool = False,  # noqa: FBT001, FBT002 - fsspec's
        batch_size: int | None = None,  # noqa: ARG002 - fsspec's; a thousand go in one request
        maxdepth: int | None = None,
        **_: Any,
    ) -> None:
        """Delete files, and with `recursive` what is below directories, a thousand in one request."""
        keys: dict[str, list[str]] = {}
        for each in await self._expand_path(path, recursive=recursive, maxdepth=maxdepth):
            bucket, key = split(each)
            if key:
                keys.setdefault(bucket, []).append(key)
        for bucket, some in keys.items():
            with as_file_errors(bucket):
                result = await (await self._client(bucket)).delete_batch(some)
            for key, outcome in result.results:
                if outcome.error is not None:
                    with as_file_errors(f"{bucket}/{key}"):
                        raise outcome.error

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:  # noqa: FBT001, FBT002 - fsspec's
        """Make a bucket. A directory below one is there as soon as something is in it: nothing is done for it."""
        bucket, key = split(self._strip_protocol(path))
        if key and not create_parents:
            return
        if not key:
            if await self._exists(bucket):  # in AWS's oldest region making it again is no error
                raise FileExistsError(errno.EEXIST, "there is such a bucket", bucket)
            with as_file_errors(bucket):
                await (await self._client(bucket)).create_bucket()

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002 - fsspec's
        bucket, key = split(self._strip_protocol(path))
        if key:
            return
        try:
            await self._mkdir(bucket)
        except FileExistsError:
            if not exist_ok:
                raise

    async def _rmdir(self, path: str) -> None:
        """Remove an empty bucket."""
        bucket, key = split(self._strip_protocol(path))
        if not key:
            with as_file_errors(bucket):
                await (await self._client(bucket)).delete_bucket()

    def rmdir(self, path: str) -> None:
        """Remove an empty bucket; a directory that is empty is not there."""
        sync(self.loop, self._rmdir, path)

    def created(self, path: str) -> datetime:
        """When a file was written; an object has no other birth."""
        return self.modified(path)


# --- names and facts --------------------------------------------------------------------------------------------------


def _directory(name: str, created: datetime | None = None) -> Info:
    return {"name": name, "size": 0, "type": "directory"} | ({"LastModified": created} if created else {})


def _file(name: str, size: int, modified: datetime | None, etag: str, storage_class: str) -> Info:
    return {
        "name": name,
        "size": size,
        "type": "file",
        "LastModified": modified,
        "ETag": etag,
        "StorageClass": storage_class,
    }


def _listed(bucket: str, found: S3Object) -> Info:
    return _file(f"{bucket}/{found.key}", found.size, found.last_modified, found.etag, found.storage_class)


def _name_of(info: Info) -> str:
    name: str = info["name"]
    return name


def _parents(key: str, start: int) -> Iterator[str]:
    """Every directory above a key that lies below the first `start` characters of it."""
    at = key.find("/", start)
    while at >= 0:
        yield key[:at]
        at = key.find("/", at + 1)


# --- progress, and the end ----------------------------------------------------------------------------------------


def _told_to(callback: Any) -> Callable[[ProgressEvent], None] | None:
    """A listener for fsspec's callback, which counts bytes."""
    if callback is DEFAULT_CALLBACK:
        return None

    def tell(event: ProgressEvent) -> None:
        if isinstance(event, Progress):
            callback.absolute_update(event.bytes_transferred)
        elif not isinstance(event, ChunkCompleted) and getattr(event, "total_bytes", -1) >= 0:
            callback.set_size(event.total_bytes)  # type: ignore[attr-defined]  # as was just asked

    return tell


def _is_directory(name: str) -> bool:
    return os.path.isdir(name)


async def _pieces_of(name: str) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(open, name, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
