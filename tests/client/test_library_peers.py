"""The library against servers that nobody here wrote, where they have the feature; the last word has boto3."""

from __future__ import annotations

import random

import pytest

from orbit_fast import BucketNotFound
from orbit_fast import NotFound
from orbit_fast import S3Client
from orbit_fast import S3Config
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import on_loop
from tests.kit.library import pieces
from tests.kit.servers import Certificates
from tests.kit.servers import run_moto
from tests.kit.servers import run_rclone

DATA = random.Random(9).randbytes(2 * PART + 3)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["moto", "rclone", "rclone over TLS"])
def endpoint(request, tmp_path_factory):
    """Moto's server and rclone's."""
    root = tmp_path_factory.mktemp("served")
    certificates = Certificates.issue(tmp_path_factory.mktemp("tls")) if "TLS" in request.param else None
    run = run_moto if request.param == "moto" else run_rclone
    with run(root, certificates) as found:
        yield found


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_round_of_everything_that_they_have(endpoint, tmp_path, loop):
    """Up as bytes, file and stream, whole and in parts; down the same ways; listed, copied, renamed, deleted."""
    (tmp_path / "f").write_bytes(DATA)
    config = S3Config(
        "peers",
        endpoint=endpoint.url,
        region=endpoint.region,
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
        ca_bundle=endpoint.ca_file or "",
    )

    async def main():
        async with S3Client(config) as client:
            await client.create_bucket()
            for name, data in (("small", DATA[:1000]), ("large", DATA)):
                results = [
                    await client.upload_bytes(data, f"{name}/bytes"),
                    await client.upload_stream(pieces(data, 1 << 20), f"{name}/stream", expected_size=len(data)),
                ]
                assert all(result.verified in {"checksum", "etag"} for result in results)
                assert await client.download_bytes(f"{name}/bytes") == data
                assert b"".join([chunk async for chunk in client.stream(f"{name}/stream")]) == data
            state = await client.upload_file_multipart(tmp_path / "f", "file")
            assert state.is_complete
            for key in ("file", "large/stream"):
                await client.download_file(key, tmp_path / "back")
                assert (tmp_path / "back").read_bytes() == DATA
            await client.copy_object("small/bytes", "copy")
            await client.rename("copy", "renamed")
            assert await client.download_bytes("renamed", offset=10, length=5) == DATA[10:15]
            assert not await client.exists("copy")
            with pytest.raises(NotFound):
                await client.download_bytes("copy")
            keys = [found.key async for found in client.iter_objects()]
            held = {item["Key"] for item in endpoint.client().list_objects_v2(Bucket="peers")["Contents"]}
            assert set(keys) == held
            result = await client.delete_batch(keys)
            assert (result.failed, result.total) == (0, len(keys))
            await client.delete_bucket()
            with pytest.raises(BucketNotFound):
                await client.download_bytes("copy")

    on_loop(main(), loop)
