"""Cancelled at every request that a call makes: before it is done, when only its answer is missing, in its middle.

Whatever is cancelled leaves no unfinished upload, no temporary file, no slot in use, and a client that goes on working.
"""

from __future__ import annotations

import asyncio
import random

import pytest

from orbit_fast import Cancelled
from orbit_fast.io.loop import new_loop
from tests.kit.held_service import HeldService
from tests.kit.library import PART
from tests.kit.library import left_below
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import pieces

LARGE = random.Random(2).randbytes(PART + 99)
SMALL = LARGE[:70_000]
UPLOAD_STEPS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
BEFORE, AFTER, HALF = {}, {"is_after": True}, {"half": True}


async def _stream(client):
    async with client.stream("large") as stream:
        async for _ in stream:
            pass


def _file(path, data):
    path.write_bytes(data)
    return path


CALLS = {
    "upload_bytes": lambda client, _: client.upload_bytes(SMALL, "new"),
    "upload_bytes in parts": lambda client, _: client.upload_bytes(LARGE, "new"),
    "upload_file": lambda client, path: client.upload_file(_file(path / "f", SMALL), "new"),
    "upload_file in parts": lambda client, path: client.upload_file(_file(path / "f", LARGE), "new"),
    "upload_file_multipart": lambda client, path: client.upload_file_multipart(_file(path / "f", LARGE), "new"),
    "upload_stream": lambda client, _: client.upload_stream(pieces(LARGE, 1 << 20), "new"),
    "upload_stream in one": lambda client, _: client.upload_stream(pieces(SMALL, 1000), "new"),
    "download_bytes": lambda client, _: client.download_bytes("small"),
    "download_bytes in ranges": lambda client, _: client.download_bytes("large"),
    "download_file": lambda client, path: client.download_file("small", path / "out"),
    "download_file in ranges": lambda client, path: client.download_file("large", path / "out"),
    "stream": lambda client, _: _stream(client),
    "get_metadata": lambda client, _: client.get_metadata("small"),
    "copy_object": lambda client, _: client.copy_object("small", "new"),
    "copy_object in parts": lambda client, _: client.copy_object("large", "new"),
    "rename": lambda client, _: client.rename("small", "new"),
    "delete": lambda client, _: client.delete("small"),
    "delete_batch": lambda client, _: client.delete_batch(["small", "large"]),
    "list_objects": lambda client, _: client.list_objects(),
}
POINTS = [
    *[("upload_bytes", "PutObject", how) for how in (BEFORE, AFTER)],
    *[
        (call, step, how)
        for call in ("upload_bytes in parts", "upload_file in parts", "upload_file_multipart", "upload_stream")
        for step in UPLOAD_STEPS
        for how in (BEFORE, AFTER)
    ],
    *[("upload_file", "PutObject", how) for how in (BEFORE, AFTER)],
    *[("upload_stream in one", "PutObject", how) for how in (BEFORE, AFTER)],
    *[
        (call, "GetObject", how)
        for call in (
            "download_bytes",
            "download_bytes in ranges",
            "download_file",
            "download_file in ranges",
            "stream",
        )
        for how in (BEFORE, AFTER)
    ],
    *[(call, "GetObject", HALF) for call in ("download_bytes", "download_file", "stream")],
    # What says that an object is large is dropped at its head: to hold the rest of it would hold nothing up.
    *[
        (call, "GetObject", HALF | {"of_range": True})
        for call in ("download_bytes in ranges", "download_file in ranges")
    ],
    *[(call, "HeadObject", BEFORE) for call in ("download_file", "download_file in ranges", "get_metadata")],
    *[("copy_object", step, how) for step in ("HeadObject", "CopyObject") for how in (BEFORE, AFTER)],
    *[
        ("copy_object in parts", step, how)
        for step in ("CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload")
        for how in (BEFORE, AFTER)
    ],
    *[("rename", step, BEFORE) for step in ("CopyObject", "DeleteObject")],
    ("delete", "DeleteObject", AFTER),
    ("delete_batch", "DeleteObjects", AFTER),
    ("list_objects", "ListObjectsV2", BEFORE),
]


def _name(point) -> str:
    call, step, how = point
    return f"{call}-{step}-{next(iter(how), 'before')}"


@pytest.fixture
def service():
    """A server whose requests can be held."""
    with HeldService() as held:
        yield held


@pytest.mark.parametrize("point", POINTS, ids=_name)
def test_a_cancelled_call_leaves_nothing(service, tmp_path, point):
    """Nothing at the service, nothing on disk, and a client as good as before."""
    call, step, how = point

    async def main():
        async with opened(service.server, multipart_copy_threshold=PART) as client:
            await client.upload_bytes(SMALL, "small")
            await client.upload_bytes(LARGE, "large")
            held = service.hold(step, **how)
            task = asyncio.ensure_future(CALLS[call](client, tmp_path))
            await asyncio.to_thread(held.wait)
            task.cancel()
            await asyncio.sleep(0)
            held.release()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert service.unfinished == 0
            assert left_below(tmp_path) == []
            assert not (tmp_path / "out").exists()
            session = client._session
            assert (session.slots.leased, session.counters.in_flight) == (0, 0)
            await client.upload_bytes(SMALL, "again")
            assert await client.download_bytes("again") == SMALL

    on_loop(main(), new_loop)


def test_an_upload_that_is_cancelled_twice_is_aborted_all_the_same(service):
    """The second cancellation ends the wait, and the cleaning up goes on; closing the client waits for it."""

    async def main():
        async with opened(service.server) as client:
            part, abort = service.hold("UploadPart"), service.hold("AbortMultipartUpload")
            task = asyncio.ensure_future(client.upload_bytes(LARGE, "new"))
            await asyncio.to_thread(part.wait)
            task.cancel()
            await asyncio.to_thread(abort.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert service.unfinished == 1
            part.release()
            abort.release()
        assert service.unfinished == 0

    on_loop(main())


def test_a_source_that_raises_leaves_nothing(service):
    """Its own error is what the caller sees."""

    async def source():
        yield LARGE
        raise RuntimeError("the source is broken")

    async def main():
        async with opened(service.server) as client:
            with pytest.raises(RuntimeError, match="the source is broken"):
                await client.upload_stream(source(), "new")
            assert not await client.exists("new")
        assert service.unfinished == 0

    on_loop(main())


def test_a_source_that_is_waited_for_can_be_cancelled(service):
    """The upload that it has begun is taken away."""

    async def main():
        begun = asyncio.Event()

        async def source():
            yield LARGE
            begun.set()
            await asyncio.Event().wait()

        async with opened(service.server) as client:
            task = asyncio.ensure_future(client.upload_stream(source(), "new"))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert service.unfinished == 0

    on_loop(main())


def test_a_timeout_is_a_cancellation(service):
    """``asyncio.timeout`` around a call that hangs raises `TimeoutError` and leaves nothing."""

    async def main():
        async with opened(service.server) as client:
            held = service.hold("UploadPart")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.upload_bytes(LARGE, "new")
            held.release()
        assert service.unfinished == 0

    on_loop(main())


@pytest.mark.parametrize("call", ["upload_bytes in parts", "upload_file_multipart", "download_file in ranges"])
def test_closing_the_client_ends_what_is_under_way(service, tmp_path, call):
    """Calls of other tasks fail, clean up, and then the connections are closed."""

    async def main():
        async with opened(service.server) as client:
            await client.upload_bytes(LARGE, "large")
            held = service.hold("GetObject" if "download" in call else "UploadPart")
            task = asyncio.ensure_future(CALLS[call](client, tmp_path))
            await asyncio.to_thread(held.wait)
            await client.close()
            with pytest.raises(Cancelled) as caught:
                await task
            held.release()
            if caught.value.resume_state is None:
                assert service.unfinished == 0
            assert left_below(tmp_path) == []

    on_loop(main())
