"""Many objects at once: bounded, paced, with an outcome for each.

A batch never raises for an item: it says in its result what became of each. Requests of a batch have the client's own
retries; what still fails in a way that may pass is tried again as a whole, `BatchConfig.max_retries` times.
"""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from typing import TypeVar

from orbit_fast.client.files import FileOperations
from orbit_fast.client.objects import ObjectOperations
from orbit_fast.client.options import ObjectOptions
from orbit_fast.client.options import described_anew
from orbit_fast.client.progress import BatchProgress
from orbit_fast.client.progress import Listener
from orbit_fast.client.recovery import seconds
from orbit_fast.client.results import TransferResult
from orbit_fast.client.storage import S3StorageClass
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Timeout
from orbit_fast.core.limits import MAX_DELETE_KEYS
from orbit_fast.core.location import check_key
from orbit_fast.io.clock import Clock
from orbit_fast.io.deletion import delete_batch
from orbit_fast.io.service import service_call

T = TypeVar("T")

SLACK_S = 0.05
"""How far a paced batch may catch up when the loop was late: at 100 requests a second, five of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """How a batch is done. Times are `timedelta` or seconds.

    Attributes:
        max_concurrent: operations at once. (A deletion is one operation for 1,000 keys.)
        rate_limit: operations a second at most, or None.
        operation_timeout: for one operation, its requests' retries included.
        fail_fast: after the first failure nothing more is begun.
        max_retries: how often an operation that failed is tried again, where that can help.
        retry_delay: the wait before that.
    """

    max_concurrent: int = 10
    rate_limit: float | None = None
    operation_timeout: timedelta | float = timedelta(seconds=300)
    fail_fast: bool = False
    max_retries: int = 3
    retry_delay: timedelta | float = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if self.max_concurrent < 1:
            raise InvalidConfig(f"max_concurrent: {self.max_concurrent!r} is less than 1")
        if self.rate_limit is not None and self.rate_limit <= 0:
            raise InvalidConfig(f"rate_limit: {self.rate_limit!r} is not a number above 0")
        if seconds(self.operation_timeout) <= 0 or seconds(self.retry_delay) < 0 or self.max_retries < 0:
            raise InvalidConfig("operation_timeout is above 0, retry_delay and max_retries are not negative")

    def with_max_concurrent(self, count: int) -> BatchConfig:
        """The same with another `max_concurrent`."""
        return dataclasses.replace(self, max_concurrent=count)

    def with_rate_limit(self, per_second: float | None) -> BatchConfig:
        """The same with another `rate_limit`."""
        return dataclasses.replace(self, rate_limit=per_second)

    def with_operation_timeout(self, timeout: timedelta | float) -> BatchConfig:
        """The same with another `operation_timeout`."""
        return dataclasses.replace(self, operation_timeout=timeout)

    def with_fail_fast(self, fail_fast: bool) -> BatchConfig:  # noqa: FBT001 - the guide's form
        """The same with another `fail_fast`."""
        return dataclasses.replace(self, fail_fast=fail_fast)

    def with_max_retries(self, count: int) -> BatchConfig:
        """The same with another `max_retries`."""
        return dataclasses.replace(self, max_retries=count)

    def with_retry_delay(self, delay: timedelta | float) -> BatchConfig:
        """The same with another `retry_delay`."""
        return dataclasses.replace(self, retry_delay=delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What became of one item.

    Attributes:
        error: why it failed, or None. `Cancelled` is an item that `BatchConfig.fail_fast` did not let begin.
        result: of a copy, what arrived.
    """

    error: S3Error | None = None
    result: TransferResult | None = None

    @property
    def is_ok(self) -> bool:
        """It was done."""
        return self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchError:
    """One failure: which item, one line that says why, and the error itself."""

    key: str
    message: str
    error: S3Error


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What a batch came to.

    Attributes:
        duration: of all of it.
        results: each key with its outcome, in the order given.
    """

    duration: timedelta
    results: tuple[tuple[str, BatchOutcome], ...]

    @property
    def total(self) -> int:
        """Items."""
        return len(self.results)

    @property
    def successful(self) -> int:
        """Items done."""
        return sum(outcome.is_ok for _, outcome in self.results)

    @property
    def failed(self) -> int:
        """Items not done."""
        return self.total - self.successful

    @property
    def errors(self) -> tuple[BatchError, ...]:
        """The failures."""
        return tuple(
            BatchError(key=key, message=outcome.error.message, error=outcome.error)
            for key, outcome in self.results
            if outcome.error is not None
        )


class BatchOperations(ObjectOperations, FileOperations):
    """Many objects at once."""

    async def delete_batch(self, keys: Iterable[str], *, progress: Listener | None = None) -> BatchResult:
        """As `batch_delete`, as the configuration comes."""
        return await self.batch_delete(keys, progress=progress)

    async def batch_delete(
        self, keys: Iterable[str], config: BatchConfig | None = None, *, progress: Listener | None = None
    ) -> BatchResult:
        """Delete objects, 1,000 in a request. One that is not there is deleted: S3 does not tell the difference.

        Args:
            keys: of the objects.
            config: how.
            progress: told after each request.
        """
        place = await self._place()

        async def delete(chunk: Sequence[str]) -> list[BatchOutcome]:
            pairs = [(key, "") for key in chunk]
            done = await place.session.do(delete_batch(place.around, place.site, pairs))
            return [BatchOutcome(error=one.failure) for one in done]

        wanted = _checked(keys)
        chunks = [wanted[at : at + MAX_DELETE_KEYS] for at in range(0, len(wanted), MAX_DELETE_KEYS)]
        return await _Batch(config, place.session.clock, progress).run(chunks, delete)

    async def batch_copy(
        self,
        keys: Iterable[str],
        dest_prefix: str,
        config: BatchConfig | None = None,
        *,
        progress: Listener | None = None,
    ) -> BatchResult:
        """Copy objects inside the bucket: each to `dest_prefix` followed by its whole key.

        Args:
            keys: of the objects, of any size.
            dest_prefix: what the copies' keys begin with.
            config: how.
            progress: told after each object.
        """

        async def copy(key: str) -> TransferResult:
            return await self.copy_object(key, dest_prefix + key)

        return await self._each(keys, copy, config, progress)

    async def batch_change_storage_class(
        self,
        keys: Iterable[str],
        storage_class: S3StorageClass | str,
        config: BatchConfig | None = None,
        *,
        progress: Listener | None = None,
    ) -> BatchResult:
        """Give objects another storage class, each by a copy onto itself; headers, metadata and tags stay.

        Args:
            keys: of the objects, of any size.
            storage_class: S3's name (``GLACIER``) or the guide's (``GLACIER_FLEXIBLE_RETRIEVAL``).
            config: how.
            progress: told after each object.

        Raises:
            InvalidConfig: there is no such storage class.
        """
        options = ObjectOptions(storage_class=S3StorageClass.parse(storage_class))

        async def change(key: str) -> TransferResult:
            return await self.copy_object(key, key, options=options)

        return await self._each(keys, change, config, progress)

    async def batch_update_metadata(
        self,
        keys: Iterable[str],
        metadata: Mapping[str, str],
        config: BatchConfig | None = None,
        *,
        progress: Listener | None = None,
    ) -> BatchResult:
        """Set user metadata of objects, each by a copy onto itself. Other metadata, headers, tags and class stay.

        Args:
            keys: of the objects, of any size.
            metadata: what is set; names that are there already get the new value.
            config: how.
            progress: told after each object.
        """

        async def update(key: str) -> TransferResult:
            return await self._copy_with_metadata(key, metadata)

        return await self._each(keys, update, config, progress)

    async def batch_tag_objects(
        self,
        keys: Iterable[str],
        tags: Mapping[str, str],
        config: BatchConfig | None = None,
        *,
        progress: Listener | None = None,
    ) -> BatchResult:
        """Give objects these tags, in place of those that they have.

        Args:
            keys: of the objects.
            tags: at most ten.
            config: how.
            progress: told after each object.
        """
        place = await self._place()
        tagging = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}

        async def tag(key: str) -> None:
            params = {"Key": key, "Tagging": tagging}
            await place.session.do(service_call(place.around, place.site, "PutObjectTagging", params))

        return await self._each(keys, tag, config, progress)

    async def _copy_with_metadata(self, key: str, metadata: Mapping[str, str]) -> TransferResult:
        """Copy an object onto itself with everything that it has, and `metadata` over it."""
        found = await self.get_metadata(key)
        wanted = {**found.metadata, **metadata}
        new_object = described_anew(self._settings.object, found.content_headers, wanted, found.storage_class)
        place = await self._place_with(new_object)
        return await self._copy_version(place, key, key)

    async def _each(
        self,
        keys: Iterable[str],
        operation: Callable[[str], Awaitable[TransferResult | None]],
        config: BatchConfig | None,
        progress: Listener | None,
    ) -> BatchResult:
        async def do(unit: Sequence[str]) -> list[BatchOutcome]:
            return [BatchOutcome(result=await operation(unit[0]))]

        clock = self._current().clock
        return await _Batch(config, clock, progress).run([(key,) for key in _checked(keys)], do)


def _checked(keys: Iterable[str]) -> list[str]:
    wanted = list(keys)
    for key in wanted:
        check_key(key)
    return wanted


class Pacer:
    """Turns at a rate: evenly, and never more than the rate allows."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._gap_s = 0.0 if rate is None else 1.0 / rate
        self._clock = clock
        self._next_s = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        if not self._gap_s:
            return
        now_s = self._clock.monotonic_s()
        mine_s = max(self._next_s, now_s - SLACK_S) if self._next_s else now_s
        self._next_s = mine_s + self._gap_s
        if mine_s > now_s:
            await asyncio.sleep(mine_s - now_s)


Unit = Sequence[str]
"""Keys that one operation is about."""


class _Batch:
    """One batch: `run` it once."""

    def __init__(self, config: BatchConfig | None, clock: Clock, progress: Listener | None) -> None:
        self._config = config or BatchConfig()
        self._clock = clock
        self._progress = progress
        self._pacer = Pacer(self._config.rate_limit, clock)
        self._id = uuid.uuid4().hex
        self._is_stopped = False
        self._done = 0
        self._failed = 0

    async def run(
        self, units: Sequence[Unit], operation: Callable[[Unit], Awaitable[list[BatchOutcome]]]
    ) -> BatchResult:
        """Do every unit, `max_concurrent` at once."""
        started_s = self._clock.monotonic_s()
        outcomes: list[list[BatchOutcome]] = [[] for _ in units]
        total = sum(map(len, units))
        numbers = iter(range(len(units)))

        async def work() -> None:
            for number in numbers:
                outcomes[number] = await self._one(units[number], operation)
                self._tell(outcomes[number], total)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._config.max_concurrent, len(units))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        return BatchResult(
            duration=timedelta(seconds=self._clock.monotonic_s() - started_s),
            results=tuple(
                pair for unit, told in zip(units, outcomes, strict=True) for pair in zip(unit, told, strict=True)
            ),
        )

    async def _one(self, unit: Unit, operation: Callable[[Unit], Awaitable[list[BatchOutcome]]]) -> list[BatchOutcome]:
        """Do one unit, and try again."""
        config = self._config
        for attempt in range(config.max_retries + 1):
            await self._pacer.turn()
            if self._is_stopped:
                return [BatchOutcome(error=Cancelled("another item of the batch failed before")) for _ in unit]
            try:
                async with asyncio.timeout(seconds(config.operation_timeout)):
                    return await operation(unit)
            except S3Error as failure:
                error = failure
            except TimeoutError:
                error = Timeout(f"not done within {seconds(config.operation_timeout):g} s")
            if attempt == config.max_retries or not error.is_retryable():
                break
            await asyncio.sleep(seconds(config.retry_delay))
        return [BatchOutcome(error=error) for _ in unit]

    def _tell(self, outcomes: list[BatchOutcome], total: int) -> None:
        failed = sum(not outcome.is_ok for outcome in outcomes)
        self._done += len(outcomes)
        self._failed += failed
        self._is_stopped = self._is_stopped or (self._config.fail_fast and failed > 0)
        if self._progress is not None:
            self._progress(
                BatchProgress(
                    operation_id=self._id,
                    completed=self._done,
                    total=total,
                    succeeded=self._done - self._failed,
                    failed=self._failed,
                )
            )


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    """The first error of a group: what ended the batch."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
