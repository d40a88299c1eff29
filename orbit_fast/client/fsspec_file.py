"""An open file of `fsspec_filesystem`: read by ranges of one version, written by parts.

What is written goes to the service while it is being written, part by part; the object appears when the file is closed,
or not at all.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from fsspec.asyn import sync
from fsspec.spec import AbstractBufferedFile

from orbit_fast.client.results import ObjectMetadata
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import NoSpace
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceUnreadable
from orbit_fast.core.errors import Vanished

if TYPE_CHECKING:
    from orbit_fast.client.fsspec_filesystem import OrbitFileSystem
    from orbit_fast.client.stream_upload import StreamUpload


@contextlib.contextmanager
def as_file_errors(path: str) -> Iterator[None]:
    """Errors of S3 as errors of files.

    Raises:
        OSError: of the kind that a file would have; its cause is the `S3Error`.
    """
    try:
        yield
    except (NotFound, BucketNotFound, Vanished) as error:
        raise FileNotFoundError(errno.ENOENT, error.message, path) from error
    except (AccessDenied, SourceUnreadable) as error:
        raise PermissionError(errno.EACCES, error.message, path) from error
    except PreconditionFailed as error:
        raise FileExistsError(errno.EEXIST, error.message, path) from error
    except S3Error as error:
        if error.code in {"BucketAlreadyExists", "BucketAlreadyOwnedByYou", "E_BUCKET_EXISTS"}:
            raise FileExistsError(errno.EEXIST, error.message, path) from error
        raise OSError(errno.ENOSPC if isinstance(error, NoSpace) else errno.EIO, error.message, path) from error


class OrbitFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file; see fsspec's `AbstractBufferedFile`. ``rb``, ``wb``, ``xb`` (the service decides), ``ab``.

    A file that is being read and is replaced meanwhile is an error, never a mixture.
    """

    fs: OrbitFileSystem

    def __init__(self, fs: OrbitFileSystem, path: str, mode: str = "rb", *args: Any, **kwargs: Any) -> None:
        self._upload: StreamUpload | None = None
        if mode == "xb" and fs.exists(path):
            raise FileExistsError(errno.EEXIST, "there is such a file", path)
        super().__init__(fs, path, mode, *args, **kwargs)

    def _fetch_range(self, start: int, end: int) -> bytes:
        info = self.details
        if "ETag" not in info:
            raise IsADirectoryError(errno.EISDIR, "that is a directory", self.path)
        data: bytes = self._do(self._read, info, start, min(end, info["size"]))
        return data

    async def _read(self, info: dict[str, Any], start: int, end: int) -> bytes:
        client, key = await self.fs.client_of(self.path)
        version = ObjectMetadata(
            key=key,
            size=info["size"],
            last_modified=info["LastModified"],
            etag=info["ETag"],
            version_id=info.get("VersionId") or "",
            metadata={},
            content_headers={},
        )
        return await client.read_version(version, start, max(0, end - start))

    def _initiate_upload(self) -> None:
        self._upload = self._do(self._begin)

    async def _begin(self) -> StreamUpload:
        client, key = await self.fs.client_of(self.path)
        upload = await client.begin_upload(key, only_if_absent=self.mode == "xb")
        if self.mode == "ab" and await client.exists(key):
            async with client.stream(key) as stream:
                async for chunk in stream:
                    await upload.take(memoryview(chunk))
        return upload

    def _upload_chunk(self, final: bool = False) -> bool:  # noqa: FBT001, FBT002 - fsspec's
        assert self._upload is not None
        try:
            self._do(self._upload.take, memoryview(self.buffer.getvalue()))
        except BaseException:
            self.discard()
            raise
        if final and self.autocommit:
            self.commit()
        return True

    def commit(self) -> None:
        """Make an object of what was written; where that fails nothing is left of it."""
        upload = self._upload
        if upload is not None:
            try:
                self._do(upload.finish)
            except BaseException:
                self.discard()
                raise
            self._upload = None

    def discard(self) -> None:
        """Throw away what was written."""
        upload, self._upload = self._upload, None
        if upload is not None:
            self._do(upload.abandon)

    def _do(self, work: Any, *given: Any) -> Any:
        """Have something done on the file system's loop, from any other thread."""
        with as_file_errors(self.path):
            return sync(self.fs.loop, work, *given)
