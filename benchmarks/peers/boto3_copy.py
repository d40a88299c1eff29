"""boto3 with s3transfer as a command: up|down|list|delete URL BUCKET PREFIX DIRECTORY."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

THREADS = 64 if "PEER_IN_FLIGHT" in os.environ else 16
SMALL_BYTES = 8 << 20


class Copier:
    """One client, shared by the threads."""

    def __init__(self, url: str, bucket: str) -> None:
        """Connect to `url`."""
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=4 * THREADS)
        self.client: Any = boto3.client("s3", endpoint_url=url, config=config)
        self.bucket = bucket

    def put(self, key: str, path: Path) -> None:
        """Upload one file."""
        if path.stat().st_size <= SMALL_BYTES:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=path.read_bytes())
        else:
            self.client.upload_file(str(path), self.bucket, key)

    def get(self, key: str, size: int, path: Path) -> None:
        """Download one object."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if size <= SMALL_BYTES:
            path.write_bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        else:
            self.client.download_file(self.bucket, key, str(path))

    def pages(self, prefix: str) -> Iterator[list[dict[str, Any]]]:
        """What is below `prefix`, page by page."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            yield page.get("Contents", [])

    def delete(self, keys: list[str]) -> None:
        """Delete up to 1,000 objects."""
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        self.client.delete_objects(Bucket=self.bucket, Delete=wanted)


def main() -> None:
    """Do what the arguments say."""
    verb, url, bucket, prefix, folder = sys.argv[1:]
    copier, root, tasks = Copier(url, bucket), Path(folder), list[Future[None]]()
    with ThreadPoolExecutor(THREADS) as pool:
        if verb == "up":
            for directory, _, names in os.walk(root):
                paths = [Path(directory, name) for name in names]
                tasks += [pool.submit(copier.put, f"{prefix}{path.relative_to(root)}", path) for path in paths]
        elif verb == "list":
            for entries in copier.pages(prefix):
                sys.stdout.writelines(f"{entry['LastModified']} {entry['Size']} {entry['Key']}\n" for entry in entries)
        elif verb == "delete":
            for entries in copier.pages(prefix):
                tasks.append(pool.submit(copier.delete, [entry["Key"] for entry in entries]))
        else:
            for entries in copier.pages(prefix):
                for entry in entries:
                    key = entry["Key"]
                    tasks.append(pool.submit(copier.get, key, entry["Size"], root / key[len(prefix) :]))
        for task in tasks:
            task.result()


if __name__ == "__main__":
    main()
