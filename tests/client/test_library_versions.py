"""Versions: the guide's chapter, against the embedded server and moto's."""

from __future__ import annotations

import pytest

from orbit_fast import AccessDenied
from orbit_fast import InvalidConfig
from orbit_fast import NotFound
from orbit_fast import RestoreOptions
from orbit_fast import S3Client
from orbit_fast import S3Config
from tests.kit.library import BUCKET
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.servers import run_moto


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    """Moto's server."""
    with run_moto(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


def _config(endpoint, bucket) -> S3Config:
    return S3Config(
        bucket,
        endpoint=endpoint.url,
        region=endpoint.region,
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
    )


@pytest.fixture(params=["embedded", pytest.param("moto", marks=pytest.mark.slow)])
def config(request, server):
    """A bucket of either server."""
    if request.param == "moto":
        return _config(request.getfixturevalue("moto"), "moved")
    return S3Config(
        "moved",
        endpoint=server.url,
        region="us-east-1",
        access_key=server.access_key,
        secret_key=server.secret_key,
    )


def test_the_life_of_versions(config, tmp_path):
    """Enabled, listed, read, compared, hidden, restored, deleted, suspended."""

    async def main():
        async with S3Client(config) as client:
            await client.create_bucket()
            status = await client.get_versioning_status()
            assert (status.enabled, status.state) == (False, "Disabled")
            await client.enable_versioning()
            assert (await client.get_versioning_status()).enabled
            old = await client.upload_bytes(b"first", "doc", metadata={"a": "b"})
            new = await client.upload_bytes(b"second", "doc")
            await client.upload_bytes(b"other", "document")
            assert old.version_id
            listed = await client.list_object_versions("doc")
            assert [version.version_id for version in listed.versions] == [new.version_id, old.version_id]
            assert [version.is_latest for version in listed.versions] == [True, False]
            assert (listed.total_size, listed.is_deleted, listed.latest_version) == (11, False, listed.versions[0])

            assert await client.download_bytes("doc", version_id=old.version_id) == b"first"
            await client.download_version("doc", old.version_id, tmp_path / "old")
            assert (tmp_path / "old").read_bytes() == b"first"

            compared = await client.compare_versions("doc", old.version_id, new.version_id)
            assert (compared.size_diff, compared.content_differs) == (1, True)
            assert compared.time_diff.total_seconds() >= 0
            assert compared.newer_version is compared.version2
            same = await client.compare_versions("doc", old.version_id, old.version_id)
            assert (same.size_diff, same.content_differs) == (0, False)

            await client.delete("doc")
            listed = await client.list_object_versions("doc")
            assert (len(listed.versions), len(listed.delete_markers), listed.is_deleted) == (2, 1, True)
            assert listed.latest_version is None
            assert not await client.exists("doc")

            restored = await client.restore_version("doc", old.version_id)
            assert restored not in {"", old.version_id, new.version_id}
            assert await client.download_bytes("doc") == b"first"
            assert (await client.get_metadata("doc")).metadata == {"a": "b"}

            await client.delete_version("doc", new.version_id)
            assert not await client.exists("doc", version_id=new.version_id)
            await client.suspend_versioning()
            status = await client.get_versioning_status()
            assert (status.enabled, status.state) == (False, "Suspended")
            keys = [version.key async for version in client.iter_object_versions()]
            assert keys == ["doc"] * 3 + ["document"]

    on_loop(main())


def test_a_version_is_restored_as_something_else(server):
    """To another key, in another class, with other metadata."""

    async def main():
        async with opened(server) as client:
            await client.enable_versioning()
            old = await client.upload_bytes(b"first", "doc", metadata={"a": "b"}, content_type="text/x")
            await client.upload_bytes(b"second", "doc")
            options = RestoreOptions(target_key="copy", storage_class="STANDARD_IA", metadata={"c": "d"})
            await client.restore_version("doc", old.version_id, options)
            found = await client.get_metadata("copy")
            assert (found.storage_class, found.metadata) == ("STANDARD_IA", {"c": "d"})
            assert await client.download_bytes("copy") == b"first"
            assert await client.download_bytes("doc") == b"second"
            await client.restore_version("doc", old.version_id, RestoreOptions(metadata={}))
            found = await client.get_metadata("doc")
            assert (found.metadata, found.content_type, found.size) == ({}, "text/x", 5)

    on_loop(main())


def test_versions_that_are_not_there(server, tmp_path):
    """Are named; an empty id names none."""

    async def main():
        async with opened(server) as client:
            await client.enable_versioning()
            old = await client.upload_bytes(b"first", "doc")
            await client.delete_version("doc", old.version_id)
            for call in (
                client.download_version("doc", old.version_id, tmp_path / "t"),
                client.restore_version("doc", old.version_id),
                client.compare_versions("doc", old.version_id, old.version_id),
                client.get_version_metadata("doc", old.version_id),
            ):
                with pytest.raises(NotFound):
                    await call
            with pytest.raises(InvalidConfig, match="version_id"):
                await client.delete_version("doc", "")
            listed = await client.list_object_versions("doc")
            assert (listed.versions, listed.delete_markers) == ((), ())
            server.store.bucket(BUCKET).denied.add("ListObjectVersions")
            with pytest.raises(AccessDenied):
                await client.list_object_versions("doc")

    on_loop(main())
