"""obstore (Rust object_store) as a command: up|down|list|delete URL BUCKET PREFIX DIRECTORY."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import obstore
from obstore.store import S3Store

IN_FLIGHT = int(os.environ.get("PEER_IN_FLIGHT", "64"))
WHOLE_BYTES = 8 << 20
STEP_BYTES = 1 << 20


async def put(store: S3Store, key: str, path: Path, limit: asyncio.Semaphore) -> None:
    """Upload one file; obstore reads it, and cuts large ones into parts."""
    async with limit:
        await obstore.put_async(store, key, path)


async def get(store: S3Store, key: str, size: int, path: Path, limit: asyncio.Semaphore) -> None:
    """Download one object."""
    async with limit:
        reply = await obstore.get_async(store, key)
        if size <= WHOLE_BYTES:
            data = await reply.bytes_async()
            path.write_bytes(data)  # noqa: ASYNC240 - a thread for each small file would cost more than the write
            return
        with path.open("wb", buffering=0) as file:
            async for chunk in reply.stream(min_chunk_size=STEP_BYTES):
                file.write(chunk)


async def upload(store: S3Store, prefix: str, folder: Path) -> None:
    """Upload every file below `folder`."""
    limit = asyncio.Semaphore(IN_FLIGHT)
    async with asyncio.TaskGroup() as tasks:
        for directory, _, names in os.walk(folder):
            for name in names:
                path = Path(directory, name)
                tasks.create_task(put(store, f"{prefix}{path.relative_to(folder)}", path, limit))


async def download(store: S3Store, prefix: str, folder: Path) -> None:
    """Download every object below `prefix`."""
    limit = asyncio.Semaphore(IN_FLIGHT)
    made = set()
    async with asyncio.TaskGroup() as tasks:
        async for page in obstore.list(store, prefix=prefix, chunk_size=1000):
            for entry in page:
                path = folder / entry["path"][len(prefix) :]
                if path.parent not in made:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    made.add(path.parent)
                tasks.create_task(get(store, entry["path"], entry["size"], path, limit))


async def show(store: S3Store, prefix: str, _folder: Path) -> None:
    """Print every object below `prefix`."""
    async for page in obstore.list(store, prefix=prefix, chunk_size=1000):
        sys.stdout.writelines(f"{entry['last_modified']} {entry['size']} {entry['path']}\n" for entry in page)


async def delete(store: S3Store, prefix: str, _folder: Path) -> None:
    """Delete every object below `prefix`."""

    async def drop(keys: list[str]) -> None:
        await obstore.delete_async(store, keys)

    async with asyncio.TaskGroup() as tasks:
        async for page in obstore.list(store, prefix=prefix, chunk_size=1000):
            tasks.create_task(drop([entry["path"] for entry in page]))


def main() -> None:
    """Do what the arguments say."""
    verb, url, bucket, prefix, folder = sys.argv[1:]
    store = S3Store(
        bucket,
        endpoint=url,
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "allow_invalid_certificates": True, "timeout": "600s"},
    )
    work = {"up": upload, "down": download, "list": show, "delete": delete}[verb]
    asyncio.run(work(store, prefix, Path(folder)))
    sys.stdout.flush()
    os._exit(0)  # its threads may still call into an interpreter that is being taken down, which then aborts


if __name__ == "__main__":
    main()
