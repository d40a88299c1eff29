"""Files up and down, copies and renames, buckets and listings."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from orbit_fast import BucketNotFound
from orbit_fast import InvalidConfig
from orbit_fast import LocalError
from orbit_fast import NotFound
from orbit_fast import ObjectOptions
from orbit_fast import Service
from orbit_fast import SourceChanged
from orbit_fast import TransferStarted
from orbit_fast import UploadGone
from orbit_fast.testing import S3Server
from orbit_fast.testing import ServerSettings
from tests.kit import faults_actions as act
from tests.kit.faults import Injector
from tests.kit.faults import Rule
from tests.kit.gate import Gate
from tests.kit.held_service import HeldService
from tests.kit.library import BUCKET
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import damage
from tests.kit.library import left_below
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import stored

DATA = random.Random(3).randbytes(2 * PART + 77)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("size", [0, 1000, (1 << 20) + 1, PART, PART + 1, len(DATA)])
def test_files_go_up_and_down(server, tmp_path, loop, size):
    """In one request or in parts; the file appears whole, with the object's time, in a directory made for it."""
    source = tmp_path / "source.txt"
    source.write_bytes(DATA[:size])
    target = tmp_path / "new" / "target"

    async def main():
        async with opened(server) as client:
            up = await client.upload_file(source, "k")
            down = await client.download_file("k", target)
            return up, down, await client.get_metadata("k")

    up, down, found = on_loop(main(), loop)
    assert target.read_bytes() == DATA[:size] == stored(server, "k")
    assert (up.size, up.verified, down.verified) == (size, "checksum", "checksum")
    assert up.parts == (0 if size <= PART else -(-size // PART))
    assert found.content_type == "text/plain"
    assert found.last_modified is not None
    assert target.stat().st_mtime == found.last_modified.timestamp()
    assert left_below(tmp_path) == []


def test_a_link_is_followed_and_what_is_no_file_is_refused(server, tmp_path):
    """By name, before anything is asked."""
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("f")
    os.mkfifo(tmp_path / "pipe")

    async def main():
        async with opened(server) as client:
            await client.upload_file(tmp_path / "link", "k")
            for name in ("none", "pipe", "."):
                with pytest.raises(LocalError, match=name):
                    await client.upload_file(tmp_path / name, "k")
            for path in ("", f"{tmp_path}/"):
                with pytest.raises(InvalidConfig, match="path"):
                    await client.download_file("k", path)
            with pytest.raises(LocalError):
                await client.download_file("k", tmp_path / "f" / "below")

    on_loop(main())
    assert stored(server, "k") == b"x"


def test_what_stood_there_stays_when_a_download_fails(server, tmp_path):
    """Damaged bytes never get the name, in one piece or in ranges."""
    target = tmp_path / "t"
    target.write_bytes(b"old")

    async def main():
        async with opened(server) as client:
            for size in (100, PART + 1):
                await client.upload_bytes(DATA[:size], "k")
                damage(server, "k", b"!" + DATA[1:size])
                with pytest.raises(Exception, match="checksum mismatch"):
                    await client.download_file("k", target)
            with pytest.raises(NotFound):
                await client.download_file("none", target)

    on_loop(main())
    assert target.read_bytes() == b"old"
    assert left_below(tmp_path) == []


def test_a_range_that_arrives_damaged_once_costs_time_only(tmp_path):
    """Which one it was cannot be told: the object is fetched once more."""
    server = S3Server()
    injector = Injector(server, [Rule(action=act.flip(offset=9), operation="GetObject", part=2)])
    with server:
        server.store.create_bucket(BUCKET)

        async def main():
            async with opened(server) as client:
                await client.upload_bytes(DATA, "k")
                return await client.download_file("k", tmp_path / "t")

        assert on_loop(main()).verified == "checksum"
        assert [one.operation for one in injector.fired] == ["GetObject"]
    assert (tmp_path / "t").read_bytes() == DATA
    assert left_below(tmp_path) == []


def test_an_upload_that_fails_is_aborted(tmp_path):
    """Nothing is left at the service."""
    source = tmp_path / "s"
    source.write_bytes(DATA)
    gate = Gate()
    with S3Server(intercept=gate) as server:
        bucket = server.store.create_bucket(BUCKET)
        gate.refuse("UploadPart", "AccessDenied")

        async def main():
            async with opened(server) as client:
                with pytest.raises(Exception, match="AccessDenied"):
                    await client.upload_file(source, "k")
                with pytest.raises(Exception, match="AccessDenied"):
                    await client.upload_bytes(DATA, "k")

        on_loop(main())
        assert not bucket.uploads
        assert not bucket.versions


@pytest.mark.parametrize("changes", [1, 99])
def test_a_source_that_changes_is_uploaded_anew(tmp_path, changes):
    """As it is then; one that does not stop changing is a failure, and never a mixture."""
    source = tmp_path / "s"
    source.write_bytes(DATA)
    left = [changes]
    events = []
    with HeldService() as service:

        def change(request):
            if request.operation == "UploadPart" and left[0]:
                left[0] -= 1
                source.write_bytes(DATA[: PART + left[0] + 10])

        service.on_request = change

        async def main():
            async with opened(service.server, parallel_operations=1) as client:
                if changes == 1:
                    return await client.upload_file(source, "k", progress=events.append)
                with pytest.raises(SourceChanged):
                    await client.upload_file(source, "k")
                return None

        result = on_loop(main())
        assert service.unfinished == 0
        if result is None:
            assert service.data("k") is None
        else:
            assert service.data("k") == DATA[: PART + 10]
            totals = [event.total_bytes for event in events if isinstance(event, TransferStarted)]
            assert totals == [len(DATA), PART + 10]
            assert events[-1].total_bytes == PART + 10


def test_an_object_that_is_replaced_while_it_is_read_is_read_anew(tmp_path):
    """Ranges of two versions never meet in one file."""
    with HeldService() as service:
        server, new = service.server, DATA[::-1]
        replaced = []

        def replace(request):
            if request.operation == "GetObject" and not replaced:
                replaced.append(True)
                other = server.store.bucket(BUCKET).versions["other"][0]
                other.key = "k"
                server.store.bucket(BUCKET).versions["k"] = [other]

        async def main():
            async with opened(server, parallel_operations=2) as client:
                await client.upload_bytes(DATA, "k")
                await client.upload_bytes(new, "other")
                service.on_request = replace
                await client.download_file("k", tmp_path / "t")

        on_loop(main())
    assert replaced
    assert (tmp_path / "t").read_bytes() == new
    assert left_below(tmp_path) == []


# --- inside the service ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [PART, 1 << 30])
def test_copies_and_renames_of_any_size(server, threshold):
    """In one request or in parts, with headers, metadata and tags; the old name goes when the new one is proven."""

    async def main():
        async with opened(server, multipart_copy_threshold=threshold) as client:
            options = ObjectOptions(cache_control="no-store", metadata={"a": "b"}, tags={"t": "1"})
            await client.upload_bytes(DATA, "k.txt", options=options)
            copied = await client.copy_object("k.txt", "copy")
            renamed = await client.rename("k.txt", "renamed")
            assert not await client.exists("k.txt")
            for key in ("copy", "renamed"):
                assert await client.download_bytes(key) == DATA
                found = await client.get_metadata(key)
                assert (found.metadata, found.tag_count, found.content_type) == ({"a": "b"}, 1, "text/plain")
                assert found.content_headers["cache-control"] == "no-store"
            return copied, renamed

    for result in on_loop(main()):
        assert (result.size, result.parts) == (len(DATA), 3 if threshold == PART else 0)
        assert result.verified


def test_a_copy_may_be_given_something_else(server):
    """A storage class and tags beside what comes along; a header replaces all of them."""

    async def main():
        async with opened(server) as client:
            server.store.create_bucket("other")
            await client.upload_bytes(b"x", "k", metadata={"a": "b"}, content_type="text/x")
            await client.copy_object("k", "cold", options=ObjectOptions(storage_class="STANDARD_IA"))
            await client.copy_object("k", "plain", options=ObjectOptions(metadata={"c": "d"}))
            cold, plain = await client.get_metadata("cold"), await client.get_metadata("plain")
            assert (cold.storage_class, cold.metadata, cold.content_type) == ("STANDARD_IA", {"a": "b"}, "text/x")
            assert plain.metadata == {"c": "d"}
        async with opened(server, "other") as other:
            await other.copy_object("k", "from there", source_bucket=BUCKET)
            assert await other.download_bytes("from there") == b"x"

    on_loop(main())


def test_a_rename_that_cannot_be_leaves_both():
    """Onto itself, of nothing, and of what is replaced meanwhile."""
    with HeldService() as service:

        async def main():
            async with opened(service.server) as client:
                await client.upload_bytes(b"x", "k")
                with pytest.raises(InvalidConfig, match="both names"):
                    await client.rename("k", "k")
                with pytest.raises(NotFound):
                    await client.rename("none", "new")
                held = service.hold("CopyObject", is_after=True)
                task = asyncio.ensure_future(client.rename("k", "new"))
                await asyncio.to_thread(held.wait)
                await client.upload_bytes(b"newer", "k")
                held.release()
                with pytest.raises(SourceChanged, match="left where it is"):
                    await task
                assert await client.download_bytes("k") == b"newer"

        on_loop(main())


# --- unfinished uploads, buckets, listings -----------------------------------------------------------------------


def test_buckets_are_made_found_and_deleted(server):
    """And say what is wrong with them."""

    async def main():
        async with opened(server) as client:
            await client.create_bucket("another")
            assert await client.detect_bucket_region("another") == "us-east-1"
            assert await client.detect_bucket_region() == "us-east-1"
            await client.delete_bucket("another")
            with pytest.raises(BucketNotFound):
                await client.delete_bucket("another")
            with pytest.raises(BucketNotFound):
                await client.detect_bucket_region("another")
            await client.upload_bytes(b"x", "k")
            with pytest.raises(Service) as caught:
                await client.delete_bucket()
            assert (caught.value.code, caught.value.status) == ("BucketNotEmpty", 409)

    on_loop(main())


def test_the_region_of_a_bucket_that_may_not_be_read_is_told():
    """By the refusal; and a request for another region goes where the service says."""
    with S3Server(settings=ServerSettings(region="eu-west-1")) as server:
        server.store.create_bucket(BUCKET)

        async def main():
            async with opened(server) as client:
                assert await client.detect_bucket_region() == "eu-west-1"
                await client.upload_bytes(b"x", "k")
                assert "eu-west-1" in await client.presign_get("k")

        on_loop(main())


@pytest.mark.parametrize("v1", [False, True])
def test_listings_page_by_page_and_one_by_one(server, v1):
    """With prefix, delimiter, page size, wildcards; lazily, so that who stops early asks for no more."""

    async def main():
        async with opened(server, use_list_objects_v1=v1) as client:
            keys = [f"logs/{n}/error.log" for n in range(5)] + ["logs/x", "other"]
            for key in keys:
                await client.upload_bytes(b"12", key)
            page = await client.list_objects("logs/", max_keys=4)
            assert ([found.key for found in page.objects], page.is_truncated) == (keys[:4], True)
            page = await client.list_objects_paginated("logs/", page.continuation_token, None)
            assert ([found.key for found in page.objects], page.continuation_token) == (keys[4:6], None)
            below = await client.list_objects("logs/", delimiter="/")
            assert ([found.key for found in below.objects], len(below.common_prefixes)) == (["logs/x"], 5)
            assert [found.key async for found in client.iter_objects(page_size=2)] == keys
            server.store.log.clear()
            async for found in client.iter_objects(page_size=2):
                assert (found.size, found.storage_class) == (2, "STANDARD")
                break
            assert len(server.store.log) == 1
            matched = await client.list_objects_with_wildcard("logs/*/error.log")
            assert [found.key for found in matched] == keys[:5]
            assert [found.key for found in await client.list_objects_with_wildcard("log?/x")] == ["logs/x"]
            for count in (0, 1001):
                with pytest.raises(InvalidConfig, match="max_keys"):
                    await client.list_objects(max_keys=count)
        async with opened(server, "nobodys") as client:
            with pytest.raises(BucketNotFound):
                await client.list_objects()

    on_loop(main())


def test_an_upload_that_is_gone_says_so(server):
    """Whether its parts are asked for or it is to be aborted."""

    async def main():
        async with opened(server) as client:
            with pytest.raises(UploadGone):
                await client.list_parts("k", "AAAA")
            with pytest.raises(UploadGone):
                await client.abort_multipart_upload("k", "AAAA")

    on_loop(main())
