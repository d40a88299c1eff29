"""The library in a directory bucket: within a session, keys in no order, ETags that prove nothing."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.testing import S3Server
from orbit_fast.testing.settings import ServerSettings
from tests.kit.library import on_loop
from tests.kit.library import opened

BUCKET = "base--use1-az4--x-s3"


def test_objects_are_stored_listed_read_and_never_presigned():
    """All of them, whatever the prefix; an object of which only the ETag is known is read all the same."""
    keys = [f"d/k{number}" for number in range(7)] + ["d/other", "e"]

    async def main(server):
        async with opened(server, BUCKET) as client:
            for key in keys:
                await client.upload_bytes(key.encode(), key)
            found = [one.key async for one in client.iter_objects("d/k")]
            assert sorted(found) == keys[:7] != found
            server.store.buckets[BUCKET].current("e").checksum = None
            assert await client.download_bytes("e") == b"e"
            facts = await client.get_metadata("e")
            assert (facts.server_side_encryption, facts.storage_class) == ("AES256", "EXPRESS_ONEZONE")
            with pytest.raises(InvalidConfig, match="five minutes"):
                await client.presign_get("e", expires=60)

    with S3Server(settings=ServerSettings(max_page_keys=3)) as server:
        server.store.create_bucket(BUCKET)
        on_loop(main(server))
        assert server.store.counts["CreateSession"] == 1
