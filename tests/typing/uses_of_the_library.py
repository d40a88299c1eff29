"""The library as a user's type checker sees it. It is not run: mypy and pyright read it, in strict mode."""

# pyright: strict

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import assert_type

import orbit_fast
from orbit_fast import BackoffStrategy
from orbit_fast import BatchConfig
from orbit_fast import BatchOutcome
from orbit_fast import BatchResult
from orbit_fast import CircuitBreaker
from orbit_fast import CircuitBreakerConfig
from orbit_fast import Engine
from orbit_fast import EngineEvent
from orbit_fast import EngineProgress
from orbit_fast import EngineReport
from orbit_fast import ListResult
from orbit_fast import NotFound
from orbit_fast import ObjectDone
from orbit_fast import ObjectFailed
from orbit_fast import ObjectMetadata
from orbit_fast import ObjectOptions
from orbit_fast import ProgressEvent
from orbit_fast import ProgressReceiver
from orbit_fast import ProgressReporter
from orbit_fast import ResumeState
from orbit_fast import RetryPolicy
from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast import S3ConfigBuilder
from orbit_fast import S3Object
from orbit_fast import S3ServerSideEncryption
from orbit_fast import S3StorageClass
from orbit_fast import TransferResult
from orbit_fast import TransferStarted
from orbit_fast import UploadedPart
from orbit_fast import VersionComparison
from orbit_fast import errors
from orbit_fast import with_retry


def configure() -> S3Config:
    """Both ways."""
    assert_type(orbit_fast.__version__, str)
    built = S3ConfigBuilder("b").region("r").storage_class(S3StorageClass.GLACIER_DEEP_ARCHIVE).build()
    assert_type(built, S3Config)
    assert_type(built.chunk_size, int)
    return S3Config("b", chunk_size=1 << 23, server_side_encryption=S3ServerSideEncryption.AES256)


async def produce() -> AsyncIterator[bytes]:
    """A source."""
    yield b"data"


def listen(event: ProgressEvent) -> None:
    """A listener."""
    if isinstance(event, TransferStarted):
        assert_type(event.total_bytes, int)


async def transfer(path: Path) -> None:
    """Every kind of transfer."""
    async with S3Client(configure()) as client:
        assert_type(client, S3Client)
        options = ObjectOptions(metadata={"a": "b"}, storage_class="STANDARD_IA")
        assert_type(await client.upload_bytes(b"", "k", options=options), TransferResult)
        assert_type(await client.upload_file(path, "k", progress=listen), TransferResult)
        assert_type(await client.upload_stream(produce(), "k"), TransferResult)
        assert_type(await client.upload_stream([b"a", b"b"], "k"), TransferResult)
        assert_type(await client.download_bytes("k"), bytes)
        assert_type(await client.download_file("k", "file"), TransferResult)
        assert_type(await client.download_file_resumable("k", path, 0), TransferResult)
        state = await client.upload_file_multipart(path, "k", None)
        assert_type(state, ResumeState)
        assert_type(await client.list_parts("k", state.upload_id), list[UploadedPart])
        async for chunk in client.stream("k"):
            assert_type(chunk, bytes)


async def look(client: S3Client) -> None:
    """What is there."""
    assert_type(await client.exists("k"), bool)
    found = await client.get_metadata("k")
    assert_type(found, ObjectMetadata)
    assert_type(found.last_modified, datetime | None)
    page = await client.list_objects("p", max_keys=10)
    assert_type(page, ListResult)
    assert_type(page.continuation_token, str | None)
    async for each in client.iter_objects():
        assert_type(each, S3Object)
    assert_type(await client.presign_get("k", expires=timedelta(hours=1)), str)
    versions = await client.list_object_versions("k")
    assert_type([version.is_latest for version in versions.versions], list[bool])
    assert_type(await client.compare_versions("k", "1", "2"), VersionComparison)
    assert_type(await client.restore_version("k", "1"), str)


async def recover(client: S3Client) -> None:
    """Batches, retries, errors."""
    result = await client.batch_delete(["a"], BatchConfig().with_max_concurrent(3))
    assert_type(result, BatchResult)
    for key, outcome in result.results:
        assert_type(key, str)
        assert_type(outcome, BatchOutcome)
        assert_type(outcome.error, errors.S3Error | None)
    policy = RetryPolicy(backoff=BackoffStrategy.exponential(2.0), max_delay=3)
    assert_type(await with_retry(policy, lambda: client.download_bytes("k")), bytes)
    breaker = CircuitBreaker(CircuitBreakerConfig(timeout=timedelta(seconds=1)))
    assert_type(await breaker.call(lambda: client.exists("k")), bool)
    try:
        await client.delete("k")
    except NotFound as error:
        assert_type(error.bucket, str)
        assert_type(error.is_retryable(), bool)


async def follow(client: S3Client) -> None:
    """Progress."""
    reporter, receiver = ProgressReporter.new()
    assert_type(receiver, ProgressReceiver)
    with reporter:
        await client.copy_object("a", "b", progress=reporter)
    async for event in receiver:
        match event:
            case ProgressEvent.Progress(percentage=percentage, eta_secs=eta_secs):
                assert_type(percentage, float)
                assert_type(eta_secs, int | None)
            case _:
                assert_type(event.operation_id, str)


async def run_engine(path: Path) -> None:
    """The engine."""
    engine = Engine(S3Config("b"), workers=8, part_size="8MiB", timeout=timedelta(seconds=3))
    async with engine.copy([path, "f"], "s3://b/k", recursive=True, metadata={"a": "b"}) as job:
        async for event in job:
            assert_type(event, EngineEvent)
            match event:
                case ObjectDone(source=source, size=size):
                    assert_type(source, str)
                    assert_type(size, int)
                case ObjectFailed(error=error):
                    assert_type(error, errors.S3Error)
                case EngineProgress(eta_secs=eta_secs):
                    assert_type(eta_secs, int | None)
                case _:
                    pass
    assert_type(job.report, EngineReport | None)
    assert_type(await engine.sync(path, "s3://b/k", delete=True, max_delete="5%"), EngineReport)
    assert_type(await engine.move("s3://b/k", path), EngineReport)
    report = await engine.delete(["s3://b/a", "s3://b/c"])
    assert_type(report.failures, tuple[ObjectFailed, ...])
