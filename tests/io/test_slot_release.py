"""A slot goes home when no transport can read it any more: uploads that are given up at the worst moments."""

from __future__ import annotations

import asyncio
import os
import random
import socket

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.settings import NetworkSettings
from orbit_fast.io import upload
from orbit_fast.io.client import Client
from orbit_fast.io.client import Hooks
from orbit_fast.io.clock import Clock
from orbit_fast.io.exchange import Counters
from orbit_fast.io.loop import run
from tests.kit.flow_driver import staged

SIZE = 32 << 20
"""More than kernels buffer on loopback, so that the transport is left holding a chunk."""


class Deaf:
    """A server that accepts and never reads, or reads for a while and answers nothing."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def close(self):
        """Listen no more."""
        self._listener.close()


async def given_up(stage, item, port, act):
    """Run one upload into the deaf server; `act` when the transport is full. What it ended with, and the slots then."""
    counters = Counters()
    settings = NetworkSettings(retry_attempts=0)
    client = Client(
        asyncio.get_running_loop(), Clock(), settings=settings, rng=random.Random(1), hooks=Hooks(), counters=counters
    )
    endpoint = replace(stage.around.sites[0].endpoint, port=port)
    client.set_site(replace(stage.around.sites[0], endpoint=endpoint))
    ended = asyncio.get_running_loop().create_future()

    def on_done(result):
        # As the desk sees it: the flow's `finally` has run, and the result with its traceback is still in hand.
        ended.set_result((result, stage.pool.leased, stage.pool.lingering, stage.pool.free))

    handle = client.run(upload.upload(stage.around, item), on_done)
    assert stage.pool.leased == 1
    before = -1
    while counters.bytes_sent != before:  # until nothing more goes out
        before = counters.bytes_sent
        await asyncio.sleep(0.05)
    assert 0 < counters.bytes_sent < SIZE
    assert stage.pool.leased == 1
    act(client, handle)
    found = await ended
    client.close()
    await client.wait_closed()
    return found


@pytest.fixture(autouse=True)
def warm_loop():
    """The first loop of a process opens descriptors that stay."""

    async def nothing():
        pass

    run(nothing())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "kind"),
    [(lambda _client, handle: handle.cancel(), Cancelled), (lambda client, _handle: client.close(), Cancelled)],
    ids=["cancelled", "client closed"],
)
def test_a_stuck_upload_that_is_given_up_gives_its_slot_back_whole(tmp_path, act, kind):
    """When its end is told, the slot can be leased again at once: nobody reads it any more."""
    (tmp_path / "f").write_bytes(os.urandom(SIZE))
    item = Item(1, Direction.UPLOAD, 0, "k", bytes(tmp_path / "f"), size=SIZE)
    server = Deaf()
    with staged(tmp_path, slots=1) as stage:
        result, leased, lingering, free = run(given_up(stage, item, server.port, act))
        assert isinstance(result, kind)
        assert (leased, lingering, free) == (0, 0, 1)
    server.close()


@pytest.mark.slow
def test_a_file_that_is_cut_while_the_transport_is_full(tmp_path, monkeypatch):
    """The body's own error ends the request: its slot is free while the error is still in hand."""
    monkeypatch.setattr(upload, "CHANGES", 1)  # it would be sent anew, to a server that never answers
    (tmp_path / "f").write_bytes(os.urandom(SIZE))
    item = Item(1, Direction.UPLOAD, 0, "k", bytes(tmp_path / "f"), size=SIZE)
    server = Deaf()

    def cut(_client, _handle):
        os.truncate(tmp_path / "f", 100)
        peer, _ = server._listener.accept()
        peer.setblocking(False)
        asyncio.get_running_loop().create_task(read_some(peer))

    async def read_some(peer):
        loop = asyncio.get_running_loop()
        for _ in range(64):
            if not await loop.sock_recv(peer, 1 << 20):
                break
        peer.close()

    with staged(tmp_path, slots=1) as stage:
        result, leased, lingering, free = run(given_up(stage, item, server.port, cut))
        assert isinstance(result, S3Error)
        assert isinstance(result, SourceChanged)
        assert (leased, lingering, free) == (0, 0, 1)
    server.close()
