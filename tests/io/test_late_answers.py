"""One answer that does not come while all others do: who only reads is served over another connection."""

from __future__ import annotations

import asyncio
import os

import pytest

from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Status
from orbit_fast.io.tail import SHARE
from tests.kit.lane_bench import DATA
from tests.kit.lane_bench import MD5
from tests.kit.lane_bench import Bench
from tests.kit.lane_bench import Service
from tests.kit.lane_bench import silence
from tests.kit.wire import drive

SECONDS = 4
"""Less than any limit, more than anybody waits for one answer where the others came at once."""


async def seconds_pass(bench: Bench, seconds: int) -> None:
    """Let the pool see them pass, and the loop do what follows."""
    for _ in range(seconds):
        bench.clock.advance(1.0)
        bench.pool().tick()
        for _ in range(50):
            await asyncio.sleep(0)


async def play(root, direction, *, has_lane, others, connections=1):
    """One object whose answer does not come, after so many others; whether it ended, requests, connections.

    Where there will be so many `connections`, they are waited for.
    """
    path = root / "k.txt"
    if direction is Direction.UPLOAD:
        path.write_bytes(DATA)
    item = Item(7, direction, 0, "p/k.txt", os.fsencode(path), os.fsencode(root), len(DATA), etag=MD5)
    service = Service(silence)
    async with Bench(root, service, has_lane=has_lane) as bench:
        for _ in range(others - 1):  # one has been made by the bench
            await bench.warm()
        handle = bench.start(item)
        await seconds_pass(bench, SECONDS)
        while bench.server.accepted < connections:  # noqa: ASYNC110 - the moment is not announced by anything else
            await asyncio.sleep(0)
        if bench.server.accepted == 1:
            assert bench.ends == []
            handle.cancel()
        await bench.until()
        return bench.ends[0][1], service.seen, bench.server.accepted


@pytest.mark.parametrize("has_lane", [True, False])
def test_a_late_download_is_made_over_another_connection(tmp_path, has_lane):
    """The same request once more, for the same version; it is said to have been two."""
    ending, seen, connections = drive(
        play(tmp_path, Direction.DOWNLOAD, has_lane=has_lane, others=SHARE, connections=2)
    )
    assert ending.status is Status.DONE
    assert ending.landed.attempts == 2
    assert (tmp_path / "k.txt").read_bytes() == DATA
    assert connections == 2
    assert seen == [seen[0]] * 2
    assert seen[0][1]["if-match"] == f'"{MD5}"'


@pytest.mark.parametrize("has_lane", [True, False])
@pytest.mark.parametrize(("direction", "others"), [(Direction.UPLOAD, SHARE), (Direction.DOWNLOAD, SHARE - 1)])
def test_nothing_else_is_made_again(tmp_path, direction, others, has_lane):
    """No upload, for the first one may still be carried out after others; and of less than a hundred, nothing."""
    _, seen, connections = drive(play(tmp_path, direction, has_lane=has_lane, others=others))
    assert connections == 1
    assert len(seen) == 1
