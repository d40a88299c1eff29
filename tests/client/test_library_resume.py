"""What was interrupted goes on where it was, and believes nothing of what it remembers."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from orbit_fast import ChecksumMismatch
from orbit_fast import ChunkCompleted
from orbit_fast import ResumeState
from orbit_fast import ResumeStateError
from orbit_fast import S3Error
from orbit_fast import errors
from orbit_fast.client.resumable_download import partial_path
from orbit_fast.testing import S3Server
from tests.kit.gate import Gate
from tests.kit.library import BUCKET
from tests.kit.library import PART
from tests.kit.library import left_below
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import stored

DATA = random.Random(5).randbytes(4 * PART + 55)


@pytest.fixture
def gated():
    """A server that refuses what it is told to, and the gate in front of it."""
    gate = Gate()
    with S3Server(intercept=gate) as server:
        server.store.create_bucket(BUCKET)
        yield server, gate


def _operations(server, name):
    return sum(entry.operation == name and entry.status < 300 for entry in server.store.log)


def _interrupted(server, gate, source, parts):
    """The state of an upload that was refused after so many parts."""
    left = [parts]
    gate.refuse("UploadPart", "AccessDenied", times=0)

    async def main():
        async with opened(server, parallel_operations=1) as client:
            seen = []

            def stop(state):
                seen.append(state)
                if len(state.parts) == left[0]:
                    gate.refuse("UploadPart", "AccessDenied", times=1)

            with pytest.raises(S3Error) as caught:
                await client.upload_file_multipart(source, "k", on_state=stop)
            assert caught.value.resume_state == seen[-1]
            return caught.value.resume_state

    return on_loop(main())


def test_an_upload_goes_on_where_it_failed(gated, tmp_path):
    """The error carries the state; JSON carries it on; only what is missing is sent."""
    server, gate = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)
    state = _interrupted(server, gate, source, 3)
    assert (len(state.parts), state.is_complete, state.bytes_done) == (3, False, 3 * PART)
    state.save(tmp_path / "state.json")
    again = ResumeState.load(tmp_path / "state.json")
    assert again == state
    server.store.log.clear()

    async def main():
        async with opened(server) as client:
            parts = await client.list_parts("k", state.upload_id)
            assert [(part.part_number, part.size) for part in parts] == [(n, PART) for n in (1, 2, 3)]
            done = await client.upload_file_multipart(source, "k", again)
            assert await client.upload_file_multipart(source, "k", done) == done
            return done

    done = on_loop(main())
    assert (done.is_complete, done.bytes_done, len(done.parts)) == (True, len(DATA), 5)
    assert _operations(server, "UploadPart") == 2
    assert _operations(server, "CreateMultipartUpload") == 0
    assert stored(server, "k") == DATA
    assert not server.store.bucket(BUCKET).uploads


def test_a_source_that_changed_starts_over(gated, tmp_path):
    """The old upload is aborted, and nothing of it is used."""
    server, gate = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)
    state = _interrupted(server, gate, source, 2)
    source.write_bytes(DATA[::-1])

    async def main():
        async with opened(server) as client:
            return await client.upload_file_multipart(source, "k", state)

    assert on_loop(main()).upload_id != state.upload_id
    assert stored(server, "k") == DATA[::-1]
    assert not server.store.bucket(BUCKET).uploads


@pytest.mark.parametrize("lie", ["etag", "checksum", "size"])
def test_a_part_that_the_service_does_not_have_like_this_is_sent_again(gated, tmp_path, lie):
    """What is remembered must be what is listed."""
    server, gate = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)
    state = _interrupted(server, gate, source, 2)
    wrong = {"etag": "0" * 32, "checksum": "AAAAAA==", "size": 1}[lie]
    parts = (msgspec.structs.replace(state.parts[0], **{lie: wrong}), state.parts[1])
    server.store.log.clear()

    async def main():
        async with opened(server) as client:
            await client.upload_file_multipart(source, "k", msgspec.structs.replace(state, parts=parts))

    on_loop(main())
    assert _operations(server, "UploadPart") == 4
    assert stored(server, "k") == DATA


def test_an_upload_that_is_gone_starts_over(gated, tmp_path):
    """Aborted by somebody, or completed and deleted since."""
    server, gate = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)
    state = _interrupted(server, gate, source, 2)

    async def main():
        async with opened(server) as client:
            await client.abort_multipart_upload("k", state.upload_id)
            done = await client.upload_file_multipart(source, "k", state)
            await client.delete("k")
            again = await client.upload_file_multipart(source, "k", done)
            return done, again

    done, again = on_loop(main())
    assert len({state.upload_id, done.upload_id, again.upload_id}) == 3
    assert stored(server, "k") == DATA


def test_a_state_of_something_else_is_refused(gated, tmp_path):
    """Of another object, or no state at all."""
    server, _ = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)

    async def main():
        async with opened(server) as client:
            for state in (ResumeState(bucket=BUCKET, key="other"), ResumeState(bucket="other", key="k")):
                with pytest.raises(ResumeStateError, match="not of s3://held/k"):
                    await client.upload_file_multipart(source, "k", state)

    on_loop(main())
    for text in ("", "{}", '{"bucket": 1}', b"\xff"):
        with pytest.raises(errors.ResumeState):
            ResumeState.from_json(text)


def test_a_small_file_takes_one_request(gated, tmp_path):
    """And is complete at once."""
    server, _ = gated
    source = tmp_path / "s"
    source.write_bytes(b"small")

    async def main():
        async with opened(server) as client:
            return await client.upload_file_multipart(source, "k")

    state = on_loop(main())
    assert (state.is_complete, state.upload_id, state.size) == (True, "", 5)
    assert stored(server, "k") == b"small"


def test_a_cancelled_upload_is_kept_for_who_listens(gated, tmp_path):
    """With ``on_state`` somebody can resume it; without, it is aborted (see the other tests)."""
    server, gate = gated
    source = tmp_path / "s"
    source.write_bytes(DATA)
    states: list[ResumeState] = []

    async def main():
        async with opened(server, parallel_operations=1) as client:
            hold = gate.hold("UploadPart", after=2)
            task = asyncio.ensure_future(client.upload_file_multipart(source, "k", on_state=states.append))
            await asyncio.to_thread(hold.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            hold.release()
            return await client.upload_file_multipart(source, "k", states[-1])

    assert on_loop(main()).is_complete
    assert len(states[-1].parts) == 2
    assert stored(server, "k") == DATA


# --- downloads -------------------------------------------------------------------------------------------------------


class _Enough(Exception):
    """A test has seen enough."""


def _broken_off(client, target, after, **arguments):
    """A download that is broken off after so many parts."""
    seen = []

    def stop(event):
        if isinstance(event, ChunkCompleted):
            seen.append(event)
            if len(seen) == after:
                raise _Enough

    return client.download_file_resumable("k", target, progress=stop, **arguments)


@pytest.mark.parametrize("offset", [None, 2 * PART + 5, 0])
def test_a_download_goes_on_where_it_was(gated, tmp_path, offset):
    """What has landed is kept beside the file; the next one fetches what is missing, unless told otherwise."""
    server, _ = gated
    target = tmp_path / "t"

    async def main():
        async with opened(server, parallel_operations=1) as client:
            up = await client.upload_bytes(DATA, "k")
            with pytest.raises(_Enough):
                await _broken_off(client, target, 3)
            kept = tmp_path / partial_path(b"t", up.etag).decode()
            assert kept.read_bytes() == DATA[: 3 * PART]
            assert not target.exists()
            server.store.log.clear()
            return await client.download_file_resumable("k", target, offset)

    result = on_loop(main())
    assert target.read_bytes() == DATA
    assert (result.size, result.verified) == (len(DATA), "checksum")
    assert _operations(server, "GetObject") == {None: 2, 2 * PART + 5: 3, 0: 5}[offset]
    assert [name for name in left_below(tmp_path) if offset != 0] == []


def test_what_was_kept_is_not_believed(gated, tmp_path):
    """Damaged, it is found out before the file gets its name, and not kept again."""
    server, _ = gated
    target = tmp_path / "t"

    async def main():
        async with opened(server, parallel_operations=1) as client:
            up = await client.upload_bytes(DATA, "k")
            kept = tmp_path / partial_path(b"t", up.etag).decode()
            kept.write_bytes(b"!" + DATA[1 : 2 * PART])
            with pytest.raises(ChecksumMismatch):
                await client.download_file_resumable("k", target)
            assert left_below(tmp_path) == []
            await client.download_file_resumable("k", target)

    on_loop(main())
    assert target.read_bytes() == DATA


def test_a_file_that_somebody_else_began_is_taken_up(gated, tmp_path):
    """By its offset; where there are not so many bytes, that is said."""
    server, _ = gated
    target = tmp_path / "t"
    target.write_bytes(DATA[: 2 * PART])

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(DATA, "k")
            with pytest.raises(ResumeStateError):
                await client.download_file_resumable("k", target, 2 * PART + 1)
            server.store.log.clear()
            await client.download_file_resumable("k", target, 2 * PART)

    on_loop(main())
    assert target.read_bytes() == DATA
    assert _operations(server, "GetObject") == 3


def test_another_version_is_not_mixed_in(gated, tmp_path):
    """What was kept of the old one stays beside; the new one is fetched whole."""
    server, _ = gated
    target = tmp_path / "t"

    async def main():
        async with opened(server, parallel_operations=1) as client:
            await client.upload_bytes(DATA, "k")
            with pytest.raises(_Enough):
                await _broken_off(client, target, 1)
            await client.upload_bytes(DATA[::-1], "k")
            await client.download_file_resumable("k", target)
            await client.upload_bytes(b"small", "k")
            await client.download_file_resumable("k", tmp_path / "small")

    on_loop(main())
    assert target.read_bytes() == DATA[::-1]
    assert (tmp_path / "small").read_bytes() == b"small"
