"""Progress: who hears of what, in which order, and what is dropped when nobody listens."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from orbit_fast import BatchProgress
from orbit_fast import ChunkCompleted
from orbit_fast import NotFound
from orbit_fast import Progress
from orbit_fast import ProgressAggregator
from orbit_fast import ProgressEvent
from orbit_fast import ProgressReporter
from orbit_fast import ThroughputTracker
from orbit_fast import TransferCompleted
from orbit_fast import TransferDirection
from orbit_fast import TransferFailed
from orbit_fast import TransferStarted
from orbit_fast import TransferStats
from orbit_fast.client.progress import CAPACITY
from orbit_fast.core.settings import MIB
from tests.kit.clock import FakeClock
from tests.kit.library import PART
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import pieces

DATA = bytes(2 * PART + 5)
UP, DOWN = TransferDirection.UPLOAD, TransferDirection.DOWNLOAD


def _file(path, data=DATA):
    path.write_bytes(data)
    return path


async def _drain(stream):
    async for _ in stream:
        pass


CALLS = {
    "upload_bytes": (UP, lambda c, _, p: c.upload_bytes(DATA, "new", progress=p)),
    "upload_file": (UP, lambda c, d, p: c.upload_file(_file(d / "f"), "new", progress=p)),
    "upload_file_multipart": (UP, lambda c, d, p: c.upload_file_multipart(_file(d / "f"), "new", progress=p)),
    "upload_stream": (
        UP,
        lambda c, _, p: c.upload_stream(pieces(DATA, MIB), "new", expected_size=len(DATA), progress=p),
    ),
    "download_bytes": (DOWN, lambda c, _, p: c.download_bytes("k", progress=p)),
    "download_file": (DOWN, lambda c, d, p: c.download_file("k", d / "t", progress=p)),
    "download_file_resumable": (DOWN, lambda c, d, p: c.download_file_resumable("k", d / "t", progress=p)),
    "stream": (DOWN, lambda c, _, p: _drain(c.stream("k", progress=p))),
    "copy_object": (UP, lambda c, _, p: c.copy_object("k", "new", progress=p)),
    "rename": (UP, lambda c, _, p: c.rename("k", "new", progress=p)),
    "small up": (UP, lambda c, _, p: c.upload_bytes(b"abc", "new", progress=p)),
    "small down": (DOWN, lambda c, _, p: c.download_bytes("small", progress=p)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_that_transfers_tells_of_it(server, tmp_path, name):
    """From the start over each part to the end; bytes only grow, and end at the total."""
    direction, call = CALLS[name]
    total = 3 if name.startswith("small") else len(DATA)

    async def main():
        async with opened(server, multipart_copy_threshold=PART) as client:
            await client.upload_bytes(DATA, "k")
            await client.upload_bytes(b"abc", "small")
            events: list[ProgressEvent] = []
            await call(client, tmp_path, events.append)
            return events

    events = on_loop(main())
    first, last = events[0], events[-1]
    assert isinstance(first, TransferStarted)
    assert (first.total_bytes, first.direction) == (total, direction)
    assert first.key in {"new", "k", "small"}
    assert isinstance(last, TransferCompleted)
    assert (last.total_bytes, last.stats.total_bytes, last.stats.duration) == (total, total, last.duration)
    assert last.stats.peak_throughput_bps >= last.stats.avg_throughput_bps > 0
    assert len({event.operation_id for event in events}) == 1
    done = [event.bytes_transferred for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] == total
    chunks = [event for event in events if isinstance(event, ChunkCompleted)]
    assert sum(event.chunk_bytes for event in chunks) == (total if total > PART else 0)
    assert sorted(event.chunk_number for event in chunks) == ([1, 2, 3] if total > PART else [])
    whole = next(event for event in events if isinstance(event, Progress) and event.bytes_transferred == total)
    assert (whole.percentage, whole.total_bytes, whole.eta_secs) == (100.0, total, 0)


def test_a_failure_and_a_cancellation_are_told(server):
    """In one line, with what had landed."""
    events: list[ProgressEvent] = []

    async def main():
        async with opened(server) as client:
            with pytest.raises(NotFound):
                await client.download_bytes("none", progress=events.append)
            task = asyncio.ensure_future(client.upload_bytes(b"x", "k", progress=events.append))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    on_loop(main())
    failed = [event for event in events if isinstance(event, TransferFailed)]
    assert [(event.error, event.bytes_transferred) for event in failed] == [
        ("no such object: s3://held/none (orbit ls s3://held/ says what is there)", 0),
        ("cancelled", 0),
    ]


def test_what_a_listener_raises_ends_the_transfer(server):
    """And leaves nothing behind, as any failure."""

    def listen(event):
        if isinstance(event, ChunkCompleted):
            raise RuntimeError("enough")  # noqa: TRY004 - of the event there is nothing wrong

    async def main():
        async with opened(server) as client:
            with pytest.raises(RuntimeError, match="enough"):
                await client.upload_bytes(DATA, "k", progress=listen)

    on_loop(main())


def test_a_reporter_and_its_receiver(server):
    """The guide's form: one end reports, the other is read by another task until it is closed."""

    async def main():
        reporter, receiver = ProgressReporter.new()
        kinds = []

        async def show():
            async for event in receiver:
                match event:
                    case ProgressEvent.TransferStarted(key=key, total_bytes=total):
                        kinds.append((key, total))
                    case ProgressEvent.TransferCompleted(total_bytes=total):
                        kinds.append(total)
                    case _:
                        kinds.append(type(event).__name__)

        async with opened(server) as client, asyncio.TaskGroup() as group:
            group.create_task(show())
            with reporter:
                await client.upload_bytes(b"abc", "k", progress=reporter)
        assert await receiver.recv() is None
        return kinds

    assert on_loop(main()) == [("k", 3), "Progress", 3]


def _progress(number: int) -> Progress:
    return Progress(
        operation_id="o", bytes_transferred=number, total_bytes=0, percentage=0.0, rate_bps=0.0, eta_secs=None
    )


def test_a_receiver_that_is_never_read_stays_small():
    """What a later event makes superfluous goes first; what began and ended is kept as long as possible."""
    reporter, receiver = ProgressReporter.new()
    begun = TransferStarted(operation_id="o", key="k", total_bytes=1, direction=UP)
    reporter.report(begun)
    for number in range(3 * CAPACITY):
        reporter.report(_progress(number))
    assert receiver.dropped == 2 * CAPACITY + 1
    assert receiver.try_recv() is begun
    kept = [receiver.try_recv() for _ in range(CAPACITY)]
    assert kept == [*map(_progress, range(2 * CAPACITY + 1, 3 * CAPACITY)), None]
    for _ in range(CAPACITY + 1):
        reporter.report(begun)
    assert len([*iter(receiver.try_recv, None)]) == CAPACITY


def test_an_aggregator_passes_everything_on():
    """To all its reporters, whichever way it is told."""

    async def main():
        aggregator = ProgressAggregator()
        pairs = [ProgressReporter.new() for _ in range(2)]
        for reporter, _ in pairs:
            await aggregator.add_reporter(reporter)
        event = TransferStarted(operation_id="op1", key="file.bin", total_bytes=1000, direction=UP)
        await aggregator.report(event)
        aggregator(event)
        for _, receiver in pairs:
            assert [receiver.try_recv() for _ in range(3)] == [event, event, None]

    on_loop(main())


def test_throughput_is_over_all_time_and_its_peak_over_a_second():
    """`update` takes the bytes so far; `mbps` are MiB a second."""
    clock = FakeClock()
    tracker = ThroughputTracker(clock=clock)

    async def main():
        assert await tracker.eta(MIB) is None
        assert (await tracker.throughput_mbps(), await tracker.instantaneous_throughput_bps()) == (0.0, 0.0)
        done = 0
        for mib in (1, 1, 8, 8, 1, 1):
            for _ in range(4):
                clock.advance(0.25)
                done += mib * MIB // 4
                await tracker.update(done)
        assert done == 20 * MIB
        assert await tracker.throughput_mbps() == pytest.approx(20 / 6)
        assert tracker.peak_bps() == pytest.approx(8 * MIB)
        assert await tracker.instantaneous_throughput_bps() == pytest.approx(MIB)
        assert await tracker.eta(40 * MIB) == timedelta(seconds=6)
        assert tracker.elapsed == timedelta(seconds=6)
        await tracker.reset()
        assert (tracker.peak_bps(), await tracker.throughput_bps()) == (0.0, 0.0)

    on_loop(main())


def test_stats_have_an_average_and_a_peak():
    """The peak is never below the average."""
    stats = TransferStats(10_485_760, timedelta(seconds=10))
    assert (stats.avg_throughput_mbps(), stats.peak_throughput_mbps()) == (1.0, 1.0)
    stats = TransferStats(10_485_760, timedelta(seconds=10), 3.0 * MIB, chunks=2, retries=1)
    assert (stats.avg_throughput_mbps(), stats.peak_throughput_mbps()) == (1.0, 3.0)
    assert TransferStats(1, timedelta(0)).avg_throughput_bps == 0.0


def test_the_kinds_of_events_stand_in_one_place_too():
    """As ``ProgressEvent.Progress``, in the guide's spelling."""
    assert ProgressEvent.Progress is Progress
    assert ProgressEvent.BatchProgress is BatchProgress
    assert str(UP) == "Upload"
