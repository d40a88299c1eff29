"""Objects one by one: bytes up and down, what they are, whether they are there, and the end of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from orbit_fast.client.buckets import region_of
from orbit_fast.client.meter import Meter
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.options import merged
from orbit_fast.client.progress import Listener
from orbit_fast.client.progress import TransferDirection
from orbit_fast.client.results import ObjectMetadata
from orbit_fast.client.results import TransferResult
from orbit_fast.client.stream_download import StreamDownload
from orbit_fast.client.stream_download import Wanted
from orbit_fast.client.streams import StreamOperations
from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.location import check_key
from orbit_fast.core.messages import Direction
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import format_amz_date
from orbit_fast.io import memory
from orbit_fast.io.client import NO_PRESIGN
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.listing import named
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import find

Data = bytes | bytearray | memoryview

DEFAULT_EXPIRES_S = 3600


class ObjectOperations(StreamOperations):
    """What is done with single objects."""

    async def upload_bytes(
        self,
        data: Data,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        options: ObjectOptions | None = None,
        progress: Listener | None = None,
    ) -> TransferResult:
        """Store bytes as an object; above `S3Config.chunk_size` in parts, several at once.

        Args:
            data: must not change meanwhile.
            key: of the object.
            content_type: MIME type; guessed where it is left out.
            metadata: user metadata (ASCII).
            options: everything else about the object.
            progress: hears of it.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        view = memoryview(data).cast("B")
        if len(view) > self.config.chunk_size:
            return await self._upload_pieces(view, key, merged(options, content_type, metadata), progress)
        place = await self._place(options=merged(options, content_type, metadata))
        with Meter(progress, key, TransferDirection.UPLOAD) as meter:
            meter.started(len(view))
            item = place.item(Direction.UPLOAD, key, size=len(view))
            ending = await place.session.do(memory.put(place.around, item, view))
            meter.landed(0, ending.landed.size)
            meter.completed()
        return TransferResult.of(key, ending.landed)

    async def download_bytes(
        self,
        key: str,
        *,
        offset: int = 0,
        length: int | None = None,
        version_id: str = "",
        progress: Listener | None = None,
    ) -> bytes:
        """The bytes of an object, all of them in memory; see `stream` for objects larger than that.

        A whole object is compared with what the service stores before anything is returned.

        Args:
            key: of the object.
            offset: of the first byte.
            length: how many, at most; None is all that follow.
            version_id: of the object, or ``''`` for the current one.
            progress: hears of it.

        Raises:
            NotFound: there is no such object.
            InvalidRange: the object ends before `offset`.
            ChecksumMismatch: what arrived is not what the service stores, twice.
            S3Error: the service refuses, or could not be reached.
        """
        if offset < 0 or (length is not None and length < 0):
            raise InvalidConfig(f"download_bytes: offset {offset} and length {length} must not be negative")
        wanted = Wanted(key=key, offset=offset, length=length, version_id=version_id)
        return await StreamDownload(self._place, wanted).collect(Meter(progress, key, TransferDirection.DOWNLOAD))

    async def exists(self, key: str, *, version_id: str = "") -> bool:
        """Whether there is such an object. What cannot be asked is an error, never "no".

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        check_key(key)
        place = await self._place()
        return await place.session.do(find(place.around, place.site, key, version_id)) is not None

    async def get_metadata(self, key: str, *, version_id: str = "") -> ObjectMetadata:
        """Everything that the service says about an object.

        Raises:
            NotFound: there is no such object.
            S3Error: the service refuses, or could not be reached.
        """
        check_key(key)
        place = await self._place()
        return ObjectMetadata.of(key, await place.session.do(_facts(place.around, place.site, key, version_id)))

    async def delete(self, key: str, *, version_id: str = "") -> None:
        """Delete an object. One that is not there is fine: S3 does not tell the difference.

        In a bucket with versions this puts a delete marker on top, unless `version_id` names what is to go.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        check_key(key)
        place = await self._place()
        await place.session.do(_delete(place.site, key, version_id))

    # --- presigned URLs ----------------------------------------------------------------------------------------------

    async def presign_get(
        self, key: str, *, expires: float | timedelta = DEFAULT_EXPIRES_S, version_id: str = ""
    ) -> str:
        """A URL with which anybody can read the object until it expires. The URL is a secret.

        Args:
            key: of the object, which need not be there.
            expires: seconds, at most seven days.
            version_id: of the object, or ``''`` for the current one.

        Raises:
            InvalidConfig: `expires` is outside what S3 takes, or requests are not signed.
        """
        query = (("versionId", version_id),) if version_id else ()
        return await self._presign("GET", key, expires, query, ())

    async def presign_put(
        self, key: str, *, expires: float | timedelta = DEFAULT_EXPIRES_S, content_type: str = ""
    ) -> str:
        """A URL with which anybody can write the object until it expires. The URL is a secret.

        Args:
            key: of the object.
            expires: seconds, at most seven days.
            content_type: must be sent along by whoever uses the URL; ``''`` leaves it open.

        Raises:
            InvalidConfig: `expires` is outside what S3 takes, or requests are not signed.
        """
        headers = (("content-type", content_type),) if content_type else ()
        return await self._presign("PUT", key, expires, (), headers)

    async def _presign(
        self,
        method: str,
        key: str,
        expires: float | timedelta,
        query: tuple[tuple[str, str], ...],
        headers: tuple[tuple[str, str], ...],
    ) -> str:
        check_key(key)
        place = await self._place()
        session = place.session
        if session.credentials.is_anonymous():
            raise InvalidConfig("a presigned URL needs credentials, and no_sign_request is set")
        endpoint = session.site_of(place.site).endpoint
        if not self.config.region and not endpoint.is_custom:
            # The URL must name the bucket's own region, which only the service knows for certain.
            told = await session.do(region_of(place.site))
            site = session.site_of(place.site)
            endpoint = (session.in_region(site, told) if told else site).endpoint
        if endpoint.has_sessions:
            raise InvalidConfig(NO_PRESIGN)
        seconds = expires.total_seconds() if isinstance(expires, timedelta) else expires
        return Signer(session.credentials, endpoint.region, endpoint.signing_name).presign(
            method=method,
            endpoint=endpoint,
            key=key,
            query=query,
            headers=headers,
            amz_date=format_amz_date(session.clock.now_s()),
            expires_s=int(seconds),
        )


def _facts(around: Surroundings, site: int, key: str, version_id: str) -> Flow[ObjectFacts]:
    reply = yield from named(around, site, key, version_id)
    facts: ObjectFacts = reply.decoded
    return facts


def _delete(site: int, key: str, version_id: str) -> Flow[None]:
    yield Call(request=encode.delete_object(key, version_id=version_id), site=site, check=decode.delete_object)
