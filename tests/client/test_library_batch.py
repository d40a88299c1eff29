"""Batches: an outcome for each item, bounded, paced, stopped by the first failure where that is wished."""

from __future__ import annotations

import asyncio

import pytest

from orbit_fast import AccessDenied
from orbit_fast import BatchConfig
from orbit_fast import BatchProgress
from orbit_fast import Cancelled
from orbit_fast import InvalidConfig
from orbit_fast import InvalidKey
from orbit_fast import NotFound
from orbit_fast import ObjectOptions
from orbit_fast import Timeout
from orbit_fast.client.batch import SLACK_S
from orbit_fast.client.batch import Pacer
from orbit_fast.testing import S3Server
from tests.kit.clock import FakeClock
from tests.kit.gate import Gate
from tests.kit.library import BUCKET
from tests.kit.library import PART
from tests.kit.library import on_loop
from tests.kit.library import opened

GAP_S = 1 / 64
KEYS = [f"data/{number}" for number in range(8)]


@pytest.fixture
def gated():
    """A server that refuses and holds what it is told to."""
    gate = Gate()
    with S3Server(intercept=gate) as server:
        server.store.create_bucket(BUCKET)
        yield server, gate
        gate.open()


async def _fill(client, keys=KEYS):
    for key in keys:
        await client.upload_bytes(key.encode(), key, metadata={"a": "b"}, content_type="text/x")


def test_the_defaults_are_known():
    """Ten at once, five minutes, three tries more, two seconds between them; each can be changed by itself."""
    config = BatchConfig()
    assert (config.max_concurrent, config.rate_limit, config.fail_fast, config.max_retries) == (10, None, False, 3)
    assert (config.operation_timeout.total_seconds(), config.retry_delay.total_seconds()) == (300, 2)
    changed = (
        config.with_max_concurrent(5)
        .with_rate_limit(100)
        .with_operation_timeout(1.5)
        .with_fail_fast(True)
        .with_max_retries(0)
        .with_retry_delay(0)
    )
    assert changed == BatchConfig(
        max_concurrent=5, rate_limit=100, operation_timeout=1.5, fail_fast=True, max_retries=0, retry_delay=0
    )
    for wrong in ({"max_concurrent": 0}, {"rate_limit": 0}, {"operation_timeout": 0}, {"max_retries": -1}):
        with pytest.raises(InvalidConfig):
            BatchConfig(**wrong)


def test_many_keys_are_deleted_a_thousand_at_a_time(gated):
    """Each has its outcome, in the order given; progress is told after each request."""
    server, _ = gated
    keys = [f"k{number:04d}" for number in range(2500)]

    async def main():
        async with opened(server) as client:
            await _fill(client, keys[::500])
            events: list[BatchProgress] = []
            result = await client.batch_delete(keys, progress=events.append)
            again = await client.delete_batch(keys[:3])
            assert [found.key async for found in client.iter_objects()] == []
            return result, events, again

    result, events, again = on_loop(main())
    assert (result.total, result.successful, result.failed, result.errors) == (2500, 2500, 0, ())
    assert [key for key, _ in result.results] == keys
    assert result.duration.total_seconds() > 0
    assert (again.total, again.successful) == (3, 3)
    assert sum(entry.operation == "DeleteObjects" for entry in server.store.log) == 4
    assert max(event.completed for event in events) == 2500
    assert {event.total for event in events} == {2500}


def test_what_cannot_be_deleted_is_named(gated):
    """A refusal of the whole request is the outcome of each of its keys."""
    server, gate = gated
    gate.refuse("DeleteObjects", "AccessDenied", times=1)

    async def main():
        async with opened(server) as client:
            return await client.batch_delete(KEYS)

    result = on_loop(main())
    assert (result.successful, result.failed) == (0, len(KEYS))
    assert [error.key for error in result.errors] == KEYS
    assert all(isinstance(error.error, AccessDenied) and "AccessDenied" in error.message for error in result.errors)


def test_objects_are_copied_under_a_prefix(gated):
    """Prefix and whole key; one that is not there fails by itself."""
    server, _ = gated

    async def main():
        async with opened(server) as client:
            await _fill(client)
            result = await client.batch_copy([*KEYS, "none"], "archive/")
            assert await client.download_bytes("archive/data/3") == b"data/3"
            return result

    result = on_loop(main())
    assert (result.successful, result.total) == (len(KEYS), len(KEYS) + 1)
    outcomes = dict(result.results)
    assert isinstance(outcomes["none"].error, NotFound)
    assert outcomes["data/3"].is_ok
    assert outcomes["data/3"].result is not None
    assert outcomes["data/3"].result.key == "archive/data/3"


@pytest.mark.parametrize("threshold", [PART, 1 << 30])
def test_storage_classes_change_and_the_rest_stays(gated, threshold):
    """Headers, metadata and tags, in one request or in parts."""
    server, _ = gated
    data = bytes(PART + 1)

    async def main():
        async with opened(server, multipart_copy_threshold=threshold) as client:
            options = ObjectOptions(metadata={"a": "b"}, tags={"t": "1"}, content_type="text/x")
            await client.upload_bytes(data, "k", options=options)
            result = await client.batch_change_storage_class(["k"], "GLACIER_INSTANT_RETRIEVAL")
            back = await client.batch_change_storage_class(["k"], "STANDARD")
            found = await client.get_metadata("k")
            assert await client.download_bytes("k") == data
            with pytest.raises(InvalidConfig, match="COLD"):
                await client.batch_change_storage_class(["k"], "COLD")
            return result, back, found

    result, back, found = on_loop(main())
    assert (result.failed, back.failed) == (0, 0)
    assert (found.storage_class, found.metadata, found.tag_count) == ("STANDARD", {"a": "b"}, 1)
    assert found.content_type == "text/x"
    versions = server.store.bucket(BUCKET).versions["k"]
    assert len(versions) == 1


def test_metadata_is_set_and_the_rest_stays(gated):
    """Other names, content headers, tags and the storage class."""
    server, _ = gated

    async def main():
        async with opened(server) as client:
            options = ObjectOptions(
                metadata={"a": "b", "old": "x"},
                tags={"t": "1"},
                content_type="text/x",
                cache_control="no-store",
                content_encoding="gzip",
                storage_class="STANDARD_IA",
            )
            await client.upload_bytes(b"1", "k", options=options)
            result = await client.batch_update_metadata(["k", "none"], {"project": "analytics", "old": "y"})
            return result, await client.get_metadata("k")

    result, found = on_loop(main())
    assert (result.successful, result.failed) == (1, 1)
    assert found.metadata == {"a": "b", "old": "y", "project": "analytics"}
    assert (found.content_type, found.tag_count, found.storage_class) == ("text/x", 1, "STANDARD_IA")
    assert found.content_headers["cache-control"] == "no-store"
    assert found.content_headers["content-encoding"] == "gzip"


def test_objects_are_tagged(gated):
    """With these tags and no others."""
    server, _ = gated

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(b"1", "k", options=ObjectOptions(tags={"old": "1"}))
            result = await client.batch_tag_objects(["k", "none"], {"category": "photos", "year": "2025"})
            return result, await client.get_metadata("k")

    result, found = on_loop(main())
    assert (result.successful, result.failed, found.tag_count) == (1, 1, 2)


def test_no_more_run_at_once_than_was_said(gated):
    """Counted where they arrive."""
    server, gate = gated

    async def main():
        async with opened(server) as client:
            await _fill(client)
            hold = gate.hold("CopyObject")
            task = asyncio.ensure_future(client.batch_copy(KEYS, "to/", BatchConfig(max_concurrent=3)))
            await asyncio.to_thread(hold.wait_for, 3)
            hold.release()
            return await task

    assert on_loop(main()).successful == len(KEYS)
    assert gate.most_at_once["CopyObject"] == 3


def test_the_first_failure_stops_a_batch_where_that_is_wished(gated):
    """What was not begun says so."""
    server, _ = gated

    async def main():
        async with opened(server) as client:
            await _fill(client)
            config = BatchConfig(max_concurrent=1).with_fail_fast(True)
            return await client.batch_copy([KEYS[0], "none", *KEYS[1:]], "to/", config)

    result = on_loop(main())
    assert (result.successful, result.failed) == (1, len(KEYS))
    assert isinstance(result.errors[0].error, NotFound)
    assert {type(error.error) for error in result.errors[1:]} == {Cancelled}


def test_what_may_pass_is_tried_again_and_what_hangs_is_given_up(gated):
    """As often and as long as the batch says, beside the retries of each request."""
    server, gate = gated

    async def main():
        async with opened(server, max_retries=0) as client:
            await _fill(client)
            gate.refuse("CopyObject", "InternalError", times=2)
            config = BatchConfig(max_retries=2, retry_delay=0)
            again = await client.batch_copy(KEYS[:1], "to/", config)
            gate.refuse("CopyObject", "InternalError", times=3)
            never = await client.batch_copy(KEYS[:1], "to/", config)
            hold = gate.hold("CopyObject")
            late = await client.batch_copy(KEYS[:1], "to/", BatchConfig(operation_timeout=0.05, max_retries=0))
            hold.release()
            return again, never, late

    again, never, late = on_loop(main())
    assert (again.failed, never.failed, late.failed) == (0, 1, 1)
    assert never.errors[0].error.code == "InternalError"
    assert isinstance(late.errors[0].error, Timeout)


def test_a_batch_that_is_cancelled_ends(gated):
    """With everything that it has begun."""
    server, gate = gated

    async def main():
        async with opened(server) as client:
            await _fill(client)
            hold = gate.hold("CopyObject")
            task = asyncio.ensure_future(client.batch_copy(KEYS, "to/"))
            await asyncio.to_thread(hold.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client._session.counters.in_flight == 0
            hold.release()

    on_loop(main())


def test_what_a_listener_raises_ends_the_batch(gated):
    """As itself, not as a group."""
    server, _ = gated

    def listen(event):
        raise RuntimeError("enough")

    async def main():
        async with opened(server) as client:
            with pytest.raises(RuntimeError, match="enough"):
                await client.batch_delete(KEYS, progress=listen)
            with pytest.raises(InvalidKey):
                await client.batch_delete(["good", ""])
            return await client.batch_delete([])

    assert on_loop(main()).total == 0


def test_a_rate_is_kept(monkeypatch):
    """Turns of twenty tasks at once are as far apart as the rate says; a long silence is not made up for."""
    clock, turns_s = FakeClock(mono_s=1000.0), []

    async def sleep(seconds):
        turns_s.append(clock.mono_s + seconds)

    async def main():
        pacer = Pacer(1 / GAP_S, clock)
        await pacer.turn()
        monkeypatch.setattr("asyncio.sleep", sleep)
        await asyncio.gather(*(pacer.turn() for _ in range(20)))
        clock.advance(10.0)
        for _ in range(20):
            await pacer.turn()

    on_loop(main())
    again_s = [1010 - SLACK_S + GAP_S * number for number in range(20)]
    assert turns_s[:20] == [1000 + GAP_S * number for number in range(1, 21)]
    assert turns_s[20:] == pytest.approx([turn_s for turn_s in again_s if turn_s > 1010], abs=1e-6)
