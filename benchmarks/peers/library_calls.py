"""One library doing one kind of call for a while: CLIENT CALL URL COUNT; prints what it took as JSON.

All are asynchronous, on uvloop, with the same number of calls in flight and the same credentials, and hand their caller
all the bytes. CPU is that of the whole process, threads included, from the first measured call to the last: starting,
connecting and the first calls are not in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import asynccontextmanager

BUCKET = "bench"
KEYS = {"access": "benchmark", "secret": "benchmark-secret"}
IN_FLIGHT = 16
WARM_UP = 2 * IN_FLIGHT
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

UNSIGNED_PUT = "put-unsigned"
"""A put whose request is signed without its body, where the library lets one say so over plain HTTP."""

Do = Callable[[int], Awaitable[int]]
"""One call; returns how many bytes it has moved."""

SIZES: Mapping[str, tuple[str, int]] = {
    "get-16k": ("get", 16 * KIB),
    "get-1m": ("get", MIB),
    "range-64m": ("range", 64 * MIB),
    "put-16k": ("put", 16 * KIB),
    "put-1m": ("put", MIB),
    "put-1m-unsigned": (UNSIGNED_PUT, MIB),
}


def key_of(size: int) -> str:
    """An object of this size, which the load target has."""
    return f"synth/{size}/1000000/0000/0000000.bin"


@asynccontextmanager
async def orbit(url: str, kind: str, size: int) -> AsyncIterator[Do]:
    """This library."""
    from orbit_fast import S3Client  # noqa: PLC0415 - each library loads itself alone
    from orbit_fast import S3Config  # noqa: PLC0415

    config = S3Config(
        BUCKET,
        endpoint=url,
        region="us-east-1",
        access_key=KEYS["access"],
        secret_key=KEYS["secret"],
        unsigned_payload=kind == UNSIGNED_PUT,
    )
    data = os.urandom(size)
    async with S3Client(config) as client:

        async def get(_: int) -> int:
            return len(await client.download_bytes(key_of(size)))

        async def read(number: int) -> int:
            return len(await client.download_bytes(key_of(GIB), offset=number % 8 * size, length=size))

        async def put(number: int) -> int:
            return (await client.upload_bytes(data, f"put/{number}")).size

        yield {"get": get, "range": read, "put": put, UNSIGNED_PUT: put}[kind]


@asynccontextmanager
async def aioboto3(url: str, kind: str, size: int) -> AsyncIterator[Do]:
    """aioboto3, which is aiobotocore."""
    import aioboto3 as library  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    session = library.Session(
        aws_access_key_id=KEYS["access"], aws_secret_access_key=KEYS["secret"], region_name="us-east-1"
    )
    data = os.urandom(size)
    config = Config(s3={"payload_signing_enabled": kind != UNSIGNED_PUT})
    async with session.client("s3", endpoint_url=url, config=config) as client:

        async def get(_: int) -> int:
            reply = await client.get_object(Bucket=BUCKET, Key=key_of(size))
            return len(await reply["Body"].read())

        async def read(number: int) -> int:
            first = number % 8 * size
            reply = await client.get_object(Bucket=BUCKET, Key=key_of(GIB), Range=f"bytes={first}-{first + size - 1}")
            return len(await reply["Body"].read())

        async def put(number: int) -> int:
            await client.put_object(Bucket=BUCKET, Key=f"put/{number}", Body=data)
            return size

        yield {"get": get, "range": read, "put": put, UNSIGNED_PUT: put}[kind]


@asynccontextmanager
async def s3fs(url: str, kind: str, size: int) -> AsyncIterator[Do]:
    """s3fs, in its asynchronous form."""
    from s3fs import S3FileSystem  # noqa: PLC0415

    fs = S3FileSystem(
        key=KEYS["access"],
        secret=KEYS["secret"],
        endpoint_url=url,
        asynchronous=True,
        client_kwargs={"region_name": "us-east-1"},
        config_kwargs={"s3": {"payload_signing_enabled": kind != UNSIGNED_PUT}},
    )
    session = await fs.set_session()
    data = os.urandom(size)

    async def get(_: int) -> int:
        return len(await fs._cat_file(f"{BUCKET}/{key_of(size)}"))  # noqa: SLF001 - its asynchronous names begin so

    async def read(number: int) -> int:
        first = number % 8 * size
        return len(await fs._cat_file(f"{BUCKET}/{key_of(GIB)}", start=first, end=first + size))  # noqa: SLF001

    async def put(number: int) -> int:
        await fs._pipe_file(f"{BUCKET}/put/{number}", data)  # noqa: SLF001
        return size

    yield {"get": get, "range": read, "put": put, UNSIGNED_PUT: put}[kind]
    await session.close()


@asynccontextmanager
async def obstore(url: str, kind: str, size: int) -> AsyncIterator[Do]:
    """obstore: Rust's object_store."""
    import obstore as library  # noqa: PLC0415
    from obstore.store import S3Store  # noqa: PLC0415

    store = S3Store(
        BUCKET,
        endpoint=url,
        region="us-east-1",
        access_key_id=KEYS["access"],
        secret_access_key=KEYS["secret"],
        virtual_hosted_style_request=False,
        unsigned_payload=kind == UNSIGNED_PUT,
        client_options={"allow_http": True},
    )
    data = os.urandom(size)

    async def get(_: int) -> int:
        reply = await library.get_async(store, key_of(size))
        return len(bytes(await reply.bytes_async()))

    async def read(number: int) -> int:
        return len(bytes(await library.get_range_async(store, key_of(GIB), start=number % 8 * size, length=size)))

    async def put(number: int) -> int:
        await library.put_async(store, f"put/{number}", data, use_multipart=False)
        return size

    yield {"get": get, "range": read, "put": put, UNSIGNED_PUT: put}[kind]


CLIENTS = {"orbit": orbit, "aioboto3": aioboto3, "s3fs": s3fs, "obstore": obstore}


async def repeat(do: Do, count: int, size: int) -> None:
    """Make `count` calls, `IN_FLIGHT` at a time."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            moved = await do(number)
            if moved != size:
                raise RuntimeError(f"{moved} bytes of {size}")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(count, IN_FLIGHT)):
            tasks.create_task(some())


async def measure(client: str, call: str, url: str, count: int) -> dict[str, float]:
    """What `count` calls take."""
    kind, size = SIZES[call]
    async with CLIENTS[client](url, kind, size) as do:
        await repeat(do, min(WARM_UP, count), size)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        await repeat(do, count, size)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    return {"cpu_s": cpu_s / count, "wall_s": wall_s / count, "peak_bytes": peak}


def main() -> None:
    """Do what the arguments say."""
    import uvloop  # noqa: PLC0415 - not for whoever only reads the names above

    client, call, url, count = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure(client, call, url, int(count)))), flush=True)
    os._exit(0)  # some libraries have threads that outlive the interpreter


if __name__ == "__main__":
    main()
