"""Uploads that are given their bytes call by call, objects that are made once, and reads of one version."""

from __future__ import annotations

import asyncio
import random

import pytest

from orbit_fast import IntegrityError
from orbit_fast import InvalidRange
from orbit_fast import ObjectOptions
from orbit_fast import PreconditionFailed
from tests.kit.library import PART
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import stored

DATA = random.Random(12).randbytes(PART + 99)


def test_an_object_is_created_once(server):
    """Of many who try at once, in one request or in parts, one succeeds; nobody's parts are left."""

    async def main():
        async with opened(server) as client:
            for data in (DATA[:100], DATA[: PART + 1]):
                key = f"once/{len(data)}"
                contents = [bytes([number]) + data for number in range(4)]
                tries = [client.create_object([content], key) for content in contents]
                results = await asyncio.gather(*tries, return_exceptions=True)
                lost = [result for result in results if isinstance(result, PreconditionFailed)]
                kept = stored(server, key)
                assert (len(lost), kept in contents) == (3, True)
                assert not isinstance(results[contents.index(kept)], Exception)
                with pytest.raises(PreconditionFailed):
                    await client.begin_upload(key, only_if_absent=True)

    on_loop(main())


def test_bytes_call_by_call(server):
    """An upload that is given up leaves nothing; one that is finished is an object."""

    async def main():
        async with opened(server) as client:
            for ends in (False, True):
                upload = await client.begin_upload("by-hand", options=ObjectOptions(metadata={"a": "b"}))
                for at in range(0, PART + 7, 1 << 20):
                    await upload.take(memoryview(DATA)[at : min(at + (1 << 20), PART + 7)])
                if ends:
                    await upload.finish()
                else:
                    await upload.abandon()
                assert await client.exists("by-hand") == ends
            assert (await client.get_metadata("by-hand")).metadata == {"a": "b"}
            assert stored(server, "by-hand") == DATA[: PART + 7]

    on_loop(main())


def test_a_version_that_was_seen_is_read_or_none(server):
    """In one part and in many; another one in its place is an error."""

    async def main():
        async with opened(server) as client:
            data = DATA[: PART + 99]
            await client.upload_bytes(data, "seen")
            seen = await client.get_metadata("seen")
            assert await client.read_version(seen, 3, 9) == data[3:12]
            assert await client.read_version(seen, 7, len(data)) == data[7:]
            assert await client.read_version(seen, len(data), 5) == b""
            with pytest.raises(InvalidRange):
                await client.read_version(seen, len(data) + 1, 5)
            await client.upload_bytes(data[::-1], "seen")
            with pytest.raises(IntegrityError, match="replaced"):
                await client.read_version(seen, 3, 9)

    on_loop(main())
