"""The client: every group of operations on one bucket."""

from __future__ import annotations

from orbit_fast.client.batch import BatchOperations
from orbit_fast.client.buckets import BucketOperations
from orbit_fast.client.listing import ListOperations
from orbit_fast.client.recovery import CircuitBreaker
from orbit_fast.client.recovery import CircuitBreakerConfig
from orbit_fast.client.recovery import shared_breaker
from orbit_fast.client.versioning import VersioningOperations


class S3Client(BatchOperations, VersioningOperations, ListOperations, BucketOperations):
    """One bucket of one service.

    Nothing happens before the first call (or ``await S3Client(config)``): then the bucket is looked up and credentials
    are found, off the loop. Connections are kept and shared by all calls, which may run beside each other in any
    number; they are closed by `close` or at the end of ``async with``.

    Example:
        >>> async with S3Client(S3Config("data")) as client:  # doctest: +SKIP
        ...     await client.upload_bytes(b"Hello, S3!", "path/to/file.txt")
    """

    async def circuit_breaker(self, config: CircuitBreakerConfig | None = None) -> CircuitBreaker:
        """The breaker of the client's endpoint with this configuration: one for the whole process, to put around calls.

        The client's own requests have another one, which they all share too.
        """
        place = await self._place()
        origin = place.session.site_of(place.site).endpoint.origin
        return shared_breaker(origin, config or CircuitBreakerConfig())
