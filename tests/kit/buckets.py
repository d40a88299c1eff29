"""What a bucket holds, asked for with boto3 only."""

from __future__ import annotations

import itertools
import os
from typing import Any

_NUMBERS = itertools.count(1)


def new_bucket(client: Any) -> str:
    """A fresh, empty bucket; its name is used by no other test of this machine's run."""
    name = f"e2e-{os.getpid()}-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    return name


def keys_of(client: Any, bucket: str, prefix: str = "") -> list[str]:
    """The keys under `prefix`, in the service's order."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def objects_of(client: Any, bucket: str, prefix: str = "") -> dict[str, bytes]:
    """Every object under `prefix`: its key without the prefix, and its bytes."""
    return {
        key.removeprefix(prefix): client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys_of(client, bucket, prefix)
    }


def uploads_of(client: Any, bucket: str, prefix: str = "") -> list[str]:
    """The keys under `prefix` of multipart uploads that were neither completed nor aborted."""
    found = [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
    return [key for key in found if key.startswith(prefix)]


def put_all(client: Any, bucket: str, objects: dict[str, bytes]) -> None:
    """Make objects without orbit."""
    for key, data in objects.items():
        client.put_object(Bucket=bucket, Key=key, Body=data)
