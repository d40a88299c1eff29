"""An S3 service that runs already, named by the environment; tests leave nothing in its bucket.

``S3_TESTS_ENABLED=1``, ``S3_TEST_BUCKET`` (which exists), ``S3_TEST_ENDPOINT`` and AWS's own variables for credentials
name it. Whoever names one lets the tests write below prefixes of their own; they touch nothing else.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kit.buckets import keys_of
from tests.kit.servers import REGION
from tests.kit.servers import Endpoint

KIND = "real"
NEEDED = ("S3_TEST_BUCKET", "S3_TEST_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def why_not(environment: Mapping[str, str] = os.environ) -> str:
    """Why no real service is tested, or ``''``."""
    if environment.get("S3_TESTS_ENABLED") != "1":
        return "S3_TESTS_ENABLED is not 1: no real endpoint is tested"
    missing = [name for name in NEEDED if not environment.get(name)]
    return f"not set: {', '.join(missing)}" if missing else ""


def real_endpoint(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """The service that the environment names."""
    bundle = environment.get("AWS_CA_BUNDLE", "")
    return Endpoint(
        kind=KIND,
        url=environment["S3_TEST_ENDPOINT"],
        ca_file=Path(bundle) if bundle else None,
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        token=environment.get("AWS_SESSION_TOKEN", ""),
        region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION,
        bucket=environment["S3_TEST_BUCKET"],
    )


def new_prefix() -> str:
    """A prefix that nothing else is below."""
    return f"orbit-contract-{uuid.uuid4().hex}/"


def clean_up(client: Any, bucket: str, prefix: str) -> None:
    """Remove everything below a prefix of ours, unfinished uploads too; other things are not touched."""
    assert prefix.startswith("orbit-contract-"), prefix
    for key in keys_of(client, bucket, prefix):
        client.delete_object(Bucket=bucket, Key=key)
    for upload in client.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", []):
        if upload["Key"].startswith(prefix):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
