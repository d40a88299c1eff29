"""Buckets: made, emptied, deleted, and where they are."""

from __future__ import annotations

from orbit_fast.client.operations import Operations
from orbit_fast.client.results import S3Bucket
from orbit_fast.client.results import time_of
from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core.errors import S3Error
from orbit_fast.core.location import check_bucket
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.pages import buckets_page


class BucketOperations(Operations):
    """The client's own bucket, or another one of the same service that is named."""

    async def create_bucket(self, bucket: str = "", *, region: str = "") -> None:
        """Make a bucket.

        Args:
            bucket: its name; ``''`` is the client's own.
            region: where; ``''`` is the client's own.

        Raises:
            Service: it is there already (``BucketAlreadyOwnedByYou``, ``BucketAlreadyExists``).
            S3Error: the service refuses, or could not be reached.
        """
        session = self._current()
        site = await session.site(_checked(bucket or self.config.bucket), region)
        await session.do(_create(site, session.site_of(site).endpoint.region))

    async def delete_bucket(self, bucket: str = "") -> None:
        """Delete a bucket, which must be empty.

        Raises:
            BucketNotFound: there is none.
            Service: there are objects, versions or delete markers in it (``BucketNotEmpty``).
            S3Error: the service refuses, or could not be reached.
        """
        session = self._current()
        await session.do(_delete(await session.site(_checked(bucket or self.config.bucket))))

    async def list_buckets(self) -> list[S3Bucket]:
        """Every bucket that the credentials' owner has.

        Raises:
            S3Error: the service refuses, or could not be reached.
        """
        session = self._current()
        site, found, token = await session.site(""), [], ""
        while True:
            page = await session.do(buckets_page(site, token))
            found += [S3Bucket(each.name, time_of(each.created_ns), each.region) for each in page.buckets]
            token = page.next_token
            if not token:
                return found

    async def detect_bucket_region(self, bucket: str = "") -> str:
        """The region that a bucket lives in, as the service tells it. Works for buckets that one may not read, too.

        Raises:
            BucketNotFound: there is none.
            S3Error: the service refuses and does not tell, or could not be reached.
        """
        session = self._current()
        site = await session.site(_checked(bucket or self.config.bucket))
        told = await session.do(region_of(site))
        return told or session.site_of(site).endpoint.region


def _checked(bucket: str) -> str:
    check_bucket(bucket)
    return bucket


def _create(site: int, region: str) -> Flow[None]:
    request = encode.create_bucket(region=region)
    # Made twice it would be there already: a failure that is none must not follow a lost answer.
    yield Call(request=request, site=site, check=decode.create_bucket, is_idempotent=False)


def _delete(site: int) -> Flow[None]:
    yield Call(request=encode.delete_bucket(), site=site, is_idempotent=False)


def region_of(site: int) -> Flow[str]:
    """The region that the service says a bucket lives in; a refusal says it too. ``''`` where it does not say.

    Raises:
        S3Error: the service refuses and does not say.
    """
    try:
        reply = yield Call(request=encode.head_bucket(), site=site, check=decode.head_bucket)
    except S3Error as error:
        if not error.region:
            raise
        return error.region
    region: str = reply.decoded
    return region
