"""Single objects: bytes up and down, metadata, existence, deletion, URLs, on both loops."""

from __future__ import annotations

import asyncio
import os
import random
import urllib.error
import urllib.request
from datetime import timedelta

import pytest

from orbit_fast import BucketNotFound
from orbit_fast import ChecksumMismatch
from orbit_fast import InvalidConfig
from orbit_fast import InvalidKey
from orbit_fast import InvalidRange
from orbit_fast import Network
from orbit_fast import NotFound
from orbit_fast import ObjectOptions
from orbit_fast import S3Client
from orbit_fast import S3ServerSideEncryption
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import config_of
from tests.kit.library import damage
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import stored

DATA = random.Random(1).randbytes(2 * PART + 7)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize(
    "size", [0, 1, 70_000, (1 << 20) + 1, PART, PART + 1, pytest.param(2 * PART + 7, marks=pytest.mark.slow)]
)
def test_bytes_go_up_and_down(server, loop, size):
    """In one request or in parts, proven by checksum, and read back the same."""

    async def main():
        async with opened(server) as client:
            result = await client.upload_bytes(DATA[:size], "a/b.txt")
            return result, await client.download_bytes("a/b.txt")

    result, back = on_loop(main(), loop)
    assert back == DATA[:size] == stored(server, "a/b.txt")
    assert (result.key, result.size, result.verified) == ("a/b.txt", size, "checksum")
    assert result.parts == (0 if size <= PART else -(-size // PART))


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_memory_is_taken(server, kind):
    """Without a copy by the caller."""

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(kind(b"hello"), "k")

    on_loop(main())
    assert stored(server, "k") == b"hello"


def test_a_range_is_cut_to_the_object(server):
    """Python's way of slicing, but for a start behind the end."""

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(b"0123456789", "k")
            got = [
                await client.download_bytes("k", offset=2, length=3),
                await client.download_bytes("k", offset=8, length=100),
                await client.download_bytes("k", offset=7),
                await client.download_bytes("k", offset=10),
                await client.download_bytes("k", length=0),
            ]
            with pytest.raises(InvalidRange):
                await client.download_bytes("k", offset=11)
            with pytest.raises(InvalidConfig):
                await client.download_bytes("k", offset=-1)
            return got

    assert on_loop(main()) == [b"234", b"89", b"789", b"", b""]


def test_what_a_call_says_is_stored(server):
    """Headers, metadata and encryption of the object, as the service tells them."""

    async def main():
        async with opened(server, server_side_encryption=S3ServerSideEncryption.AES256) as client:
            options = ObjectOptions(cache_control="no-store", tags={"t": "1"}, storage_class="STANDARD_IA")
            await client.upload_bytes(b"{}", "k.json", metadata={"Team": "x"}, options=options)
            await client.upload_bytes(b"{}", "k.txt", content_type="text/html")
            return await client.get_metadata("k.json"), await client.get_metadata("k.txt")

    found, other = on_loop(main())
    assert (found.key, found.size, found.content_type) == ("k.json", 2, "application/json")
    assert (found.metadata, found.tag_count) == ({"team": "x"}, 1)
    assert (found.storage_class, found.server_side_encryption) == ("STANDARD_IA", "AES256")
    assert found.content_headers["cache-control"] == "no-store"
    assert found.checksum is not None
    assert found.last_modified is not None
    assert found.last_modified.utcoffset() == timedelta(0)
    assert (other.content_type, other.storage_class) == ("text/html", "STANDARD")


def test_what_is_there_and_what_is_not(server):
    """`exists` says so, reading says what is missing, deleting is fine with both."""

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(b"x", "k")
            assert await client.exists("k")
            assert not await client.exists("none")
            with pytest.raises(NotFound) as caught:
                await client.download_bytes("none")
            assert (caught.value.bucket, caught.value.key) == (client.config.bucket, "none")
            with pytest.raises(NotFound):
                await client.get_metadata("none")
            await client.delete("k")
            await client.delete("k")
            assert not await client.exists("k")
        async with opened(server, "nobodys") as client:
            for call in (client.get_metadata("k"), client.download_bytes("k"), client.upload_bytes(b"", "k")):
                with pytest.raises(BucketNotFound):
                    await call

    on_loop(main())


def test_a_question_that_cannot_be_asked_is_no_answer(server):
    """A service that is not there is an error, never "does not exist"."""

    async def main():
        async with opened(server, endpoint="http://127.0.0.1:9", max_retries=0) as client:
            await client.exists("k")

    with pytest.raises(Network, match=r"127\.0\.0\.1:9"):
        on_loop(main())


@pytest.mark.parametrize("key", ["", "x" * 1025, "\ud800"])
def test_a_key_that_cannot_be_is_refused(server, key):
    """Before anything is asked."""

    async def main():
        async with opened(server) as client:
            calls = (
                client.upload_bytes(b"", key),
                client.download_bytes(key),
                client.exists(key),
                client.get_metadata(key),
                client.delete(key),
                client.presign_get(key),
            )
            for call in calls:
                with pytest.raises(InvalidKey):
                    await call

    on_loop(main())
    assert not server.store.log


def test_bytes_that_are_not_the_objects_are_never_given_out(server):
    """A service that sends others fails the call, twice asked; without verification it is believed."""

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(b"right", "k")
            damage(server, "k", b"wrong")
            with pytest.raises(ChecksumMismatch):
                await client.download_bytes("k")
        async with opened(server, verify_checksums=False) as client:
            return await client.download_bytes("k")

    assert on_loop(main()) == b"wrong"


def _open(url: str, data: bytes | None = None, **headers: str) -> bytes:
    request = urllib.request.Request(url, data=data, headers=headers, method="GET" if data is None else "PUT")
    with urllib.request.urlopen(request) as reply:
        return reply.read()


def test_presigned_urls_work_without_credentials(server):
    """For reading, and for writing with the headers that were signed; and only for as long as was said."""

    async def main():
        async with opened(server) as client:
            put = await client.presign_put("new object", content_type="text/x", expires=timedelta(minutes=5))
            await asyncio.to_thread(_open, put, b"written", **{"content-type": "text/x"})
            with pytest.raises(urllib.error.HTTPError) as caught:
                await asyncio.to_thread(_open, put, b"written", **{"content-type": "text/y"})
            caught.value.close()
            assert "X-Amz-Expires=300" in put
            get = await client.presign_get("new object")
            assert "X-Amz-Expires=3600" in get
            for expires in (0, 8 * 86_400):
                with pytest.raises(InvalidConfig):
                    await client.presign_get("k", expires=expires)
            return await asyncio.to_thread(_open, get)

    assert on_loop(main()) == b"written"


def test_credentials_come_from_the_environment(server, monkeypatch):
    """Where the configuration names none, with what the chain finds."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")

    async def main():
        async with opened(server, endpoint="", region="", access_key="", secret_key="") as client:
            await client.upload_bytes(b"x", "k")

    on_loop(main())
    assert stored(server, "k") == b"x"


def test_a_client_may_be_awaited_closed_and_opened_again(server):
    """`await` looks everything up; a closed client refuses; ``async with`` opens it again."""

    async def main():
        client = await S3Client(config_of(server))
        await client.upload_bytes(b"x", "k")
        await client.close()
        await client.close()
        with pytest.raises(InvalidConfig, match="closed"):
            await client.exists("k")
        async with client:
            assert await client.exists("k")
        return repr(client)

    assert server.secret_key not in on_loop(main())


def test_a_client_goes_from_loop_to_loop(server):
    """One after the other, as scripts do it with `asyncio.run`; not two at once."""
    client = S3Client(config_of(server))

    async def use(name: str):
        await client.upload_bytes(name.encode(), name)
        await client._session.close()

    on_loop(use("first"))
    on_loop(use("second"))
    assert stored(server, "second") == b"second"

    async def main():
        async with client:
            await client.exists("first")
            with pytest.raises(InvalidConfig, match="another event loop"):
                await asyncio.to_thread(lambda: on_loop(client.exists("first")))

    on_loop(main())


def test_many_calls_at_once_share_connections(server):
    """No more connections than the configuration allows."""

    async def main():
        async with opened(server, max_connections=3) as client:
            await asyncio.gather(*(client.upload_bytes(os.urandom(10), f"k{n}") for n in range(50)))
            assert client._session.counters.connections <= 3
            return await client.list_objects("k")

    assert len(on_loop(main()).objects) == 50


def test_keys_of_any_kind_go_up_and_down(server):
    """Byte for byte."""
    names = ["a b", "a+b%2F?#@&*[]", "é", "🛰", "a//b", "/lead", "tab\there"]

    async def main():
        async with opened(server) as client:
            for name in names:
                await client.upload_bytes(name.encode(), name)
            return [await client.download_bytes(name) for name in names]

    assert on_loop(main()) == [name.encode() for name in names]
