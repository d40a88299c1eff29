"""A program that lives on the library for as long as its stdin is open: see `tests.crash.soak`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.scale import pss_of
from orbit_fast import ChecksumMismatch
from orbit_fast import Engine
from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast.io.libc import give_back_memory
from tests.crash.soak import BUCKET
from tests.crash.soak import MIB
from tests.crash.soak import Tree

LARGE = 6 * MIB + 1
SMALL = 12


def pieces(data: bytes) -> Iterator[bytes]:
    """The same bytes, little by little."""
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


def expect(is_so: bool, what: str) -> None:
    """Stop where it is not so.

    Raises:
        RuntimeError: `what`.
    """
    if not is_so:
        raise RuntimeError(what)


async def read_stream(client: S3Client, key: str) -> bytearray:
    """A stream's bytes. What has been given out cannot be taken back: damage is told at the end, and it is read anew.

    Raises:
        ChecksumMismatch: it was damaged each time.
    """
    for is_last in (False, False, True):
        got = bytearray()
        try:
            async for piece in client.stream(key):
                got += piece
        except ChecksumMismatch:
            if is_last:
                raise
        else:
            break
    return got


async def with_client(client: S3Client, directory: Path, data: bytes) -> int:
    """Every way of the client, up and down; the bytes that were compared."""
    await client.upload_stream(pieces(data), "client/stream")
    (directory / "file").write_bytes(data)
    await client.upload_file(directory / "file", "client/file")
    await client.copy_object("client/file", "client/copy")
    expect(await read_stream(client, "client/stream") == data, "client/stream is not what was sent")
    await client.download_file("client/copy", directory / "back")
    expect((directory / "back").read_bytes() == data, "client/copy is not what was sent")
    await asyncio.gather(*(client.upload_bytes(data[: 10_000 + n], f"client/small/{n}") for n in range(SMALL)))
    found = [one.key async for one in client.iter_objects("client/small/")]
    expect(len(found) == SMALL, "the listing is not whole")
    small = await asyncio.gather(*(client.download_bytes(key) for key in found))
    expect(sorted(map(len, small)) == [10_000 + n for n in range(SMALL)], "client/small is not what was sent")
    expect(all(data.startswith(one) for one in small), "client/small is not what was sent")
    await client.delete_batch(found)
    return 2 * len(data) + sum(map(len, small))


async def with_engine(engine: Engine, tree: Tree, directory: Path) -> int:
    """Up, sync, from object to object, and down; the bytes that were compared."""
    there = f"s3://{BUCKET}/engine"
    await engine.copy(tree.directory, f"{there}/up", recursive=True)
    await engine.sync(tree.directory, f"{there}/sync", delete=True)
    await engine.move(f"{there}/up/*", f"{there}/moved/")
    await engine.sync(f"{there}/moved", directory / "down", delete=True)
    await engine.delete(f"{there}/moved/*")
    return tree.compare(directory / "down")


async def main(directory: Path) -> None:
    """Rounds of both, until nobody listens."""
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    tree = Tree(directory / "source", 2)
    engine = Engine(timeout=timedelta(seconds=2), processes=2, progress=False, part_size="5MiB")
    rounds = verified = 0
    async with S3Client(S3Config(BUCKET, timeout_seconds=2, max_retries=10)) as client:
        while not is_over.is_set():
            data = bytes([rounds % 256]) * 1000 + tree.files["f0"][:LARGE]
            for _ in range(5):
                verified += await with_client(client, directory, data)
            verified += await with_engine(engine, tree, directory)
            tree.change()
            rounds += 1
            give_back_memory()  # what is looked at is what is used, not what glibc keeps of this program's buffers
            slots, memory = client._session.slots.leased, pss_of(os.getpid())
            said = {"rounds": rounds, "verified": verified, "slots": slots, "memory": memory}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
