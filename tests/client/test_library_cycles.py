"""What a client's method failed with, and what it was given, is gone with the exception."""

from __future__ import annotations

import pytest

from orbit_fast import S3Client
from orbit_fast import S3Error
from orbit_fast.client.session import Running
from orbit_fast.core.messages import Item
from orbit_fast.io.run import Run
from tests.kit.cycles import left_to_the_collector
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import config_of
from tests.kit.library import on_loop


class Bytes(bytearray):
    """What a program gives, and has no further use for."""


async def _read(client):
    async for _ in client.stream("missing"):
        raise AssertionError("there is no such object")


FAILING = {
    "upload_bytes": lambda client, _: client.upload_bytes(Bytes(1000), "k"),
    "upload_bytes in parts": lambda client, _: client.upload_bytes(Bytes(PART + 1), "k"),
    "download_bytes": lambda client, _: client.download_bytes("missing"),
    "download_file": lambda client, path: client.download_file("missing", path),
    "stream": lambda client, _: _read(client),
    "copy_object": lambda client, _: client.copy_object("missing", "k"),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("begin", FAILING.values(), ids=FAILING)
def test_a_failure_keeps_nothing(server, tmp_path, begin, loop):
    """Neither the program's bytes nor anything of ours waits for the collector."""
    config = config_of(server, bucket="no-such-bucket")

    async def main():
        async with S3Client(config) as client:
            with left_to_the_collector(Bytes, Item, Run, Running, S3Error) as found:
                try:
                    await begin(client, tmp_path / "file")
                except S3Error:
                    pass
                else:
                    raise AssertionError("there is no such bucket")
            return found

    assert on_loop(main(), loop) == set()
