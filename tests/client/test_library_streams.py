"""Streams: in order, bounded, verified before they end, closed when nobody listens any more."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import random
import tracemalloc

import pytest

from orbit_fast import ChecksumMismatch
from orbit_fast import IntegrityError
from orbit_fast import NotFound
from orbit_fast import S3Client
from orbit_fast import S3Config
from orbit_fast import TooLarge
from orbit_fast.client.pieces import StreamParts
from orbit_fast.client.stream_proof import proof_of
from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.checksum import composite
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.settings import MIB
from tests.kit.held_service import HeldService
from tests.kit.library import BUCKET
from tests.kit.library import LOOPS
from tests.kit.library import PART
from tests.kit.library import damage
from tests.kit.library import on_loop
from tests.kit.library import opened
from tests.kit.library import pieces
from tests.kit.library import stored
from tests.kit.servers import ACCESS_KEY
from tests.kit.servers import SECRET_KEY
from tests.kit.servers import run_embedded

DATA = random.Random(4).randbytes(3 * PART + 99)


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, pytest.param(len(DATA), marks=pytest.mark.slow)])
def test_streams_go_up_and_down(server, loop, size):
    """From an iterator into one request or into parts, and out again in order."""

    async def main():
        async with opened(server) as client:
            up = await client.upload_stream(pieces(DATA[:size], 700_001), "k", content_type="text/x")
            chunks = [chunk async for chunk in client.stream("k")]
            assert all(0 < len(chunk) <= PART for chunk in chunks)
            return up, b"".join(chunks), await client.get_metadata("k")

    up, back, found = on_loop(main(), loop)
    assert back == DATA[:size] == stored(server, "k")
    assert (up.size, up.verified, found.content_type) == (size, "checksum", "text/x")
    assert up.parts == (0 if size <= PART else -(-size // PART))


@pytest.mark.slow
def test_any_source_is_taken(server):
    """A list, a generator, pieces of any size and kind, empty ones too, and one larger than a part."""

    async def main():
        async with opened(server) as client:
            await client.upload_stream([b"a", bytearray(b"b"), b"", memoryview(b"c")], "list")
            await client.upload_stream((bytes([n]) for n in range(5)), "generator")
            await client.upload_stream([DATA], "one")
            await client.upload_stream(client.stream("one"), "copy")

    on_loop(main())
    assert stored(server, "list") == b"abc"
    assert stored(server, "generator") == bytes(range(5))
    assert stored(server, "one") == stored(server, "copy") == DATA


def test_a_range_can_be_streamed(server):
    """From the middle of one part to the middle of another."""

    async def main():
        async with opened(server) as client:
            await client.upload_bytes(DATA, "k")
            chunks = [chunk async for chunk in client.stream("k", offset=PART - 5, length=PART + 10)]
            return b"".join(chunks)

    assert on_loop(main()) == DATA[PART - 5 : 2 * PART + 5]


@pytest.mark.slow
def test_the_last_bytes_are_given_out_when_all_are_proven(server):
    """A stream of damaged bytes raises instead of ending; a small one gives nothing at all."""

    async def main():
        async with opened(server) as client:
            for size in (len(DATA), 100):
                await client.upload_bytes(DATA[:size], "k")
                damage(server, "k", DATA[: size - 1] + b"!")
                stream = client.stream("k")
                if size > PART:
                    got = b"".join([await anext(stream) for _ in range(3)])
                    assert got == DATA[: 3 * PART]
                with pytest.raises(ChecksumMismatch):
                    await anext(stream)

    on_loop(main())


def test_a_stream_of_nothing_raises_when_it_is_read(server):
    """Not before: `stream` itself asks nothing."""

    async def main():
        async with opened(server) as client:
            stream = client.stream("none")
            with pytest.raises(NotFound):
                await anext(stream)

    on_loop(main())


@pytest.mark.slow
def test_a_stream_fetches_no_more_than_its_window(server):
    """While nobody takes chunks, no more ranges are asked for; closing it ends those that are."""
    data = DATA * 3

    async def main():
        async with opened(server, parallel_operations=2) as client:
            await client.upload_bytes(data, "k")
            server.store.log.clear()
            async with client.stream("k") as stream:
                await anext(stream)
                for _ in range(200):
                    await asyncio.sleep(0)
                asked = [entry for entry in server.store.log if entry.operation == "GetObject"]
                assert len(asked) <= 3  # the first look, and the window
            assert client._session.counters.in_flight == 0
            stream = client.stream("k")
            await anext(stream)
            del stream
            gc.collect()
            while client._session.counters.in_flight:  # noqa: ASYNC110 - the moment is not announced by anything else
                await asyncio.sleep(0)

    on_loop(main())


def test_an_object_that_is_replaced_under_a_stream_ends_it():
    """Bytes of two versions are never given out as one object."""
    with HeldService() as service:

        async def main():
            async with opened(service.server, parallel_operations=1) as client:
                await client.upload_bytes(DATA, "k")
                stream = client.stream("k")
                await anext(stream)
                await client.upload_bytes(DATA[::-1], "k")
                with pytest.raises(IntegrityError, match="replaced") as caught:
                    async for _ in stream:
                        pass
                assert caught.value.code == "E_OBJECT_CHANGING"

        on_loop(main())


@pytest.mark.slow
def test_streams_stay_within_the_memory_that_was_allowed(tmp_path):
    """120 MiB up and down through 15 MiB, in a process that has nothing else to hold."""
    piece = bytes(MIB)

    async def source():
        for _ in range(120):
            yield piece

    async def main(url):
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
        config = S3Config(BUCKET, endpoint=url, region="us-east-1", max_memory=15 * MIB, **keys)
        async with S3Client(config) as client:
            await client.create_bucket()
            tracemalloc.start()
            await client.upload_stream(source(), "k")
            _, up = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            async for _ in client.stream("k"):
                pass
            _, down = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return up, down

    with run_embedded(tmp_path) as endpoint:
        up, down = on_loop(main(endpoint.url))
    assert up < 18 * MIB
    assert down < 24 * MIB  # the window, and the chunk that the reader holds


# --- how large parts are ---------------------------------------------------------------------------------------------


def test_parts_of_a_stream_grow():
    """Twice as large every thousand, so that ten thousand hold 5 TiB where the memory allows it."""
    sizes = StreamParts(5 * MIB, 1 << 40, None)
    assert [sizes.size(number) for number in (1, 1000, 1001, 2001)] == [5 * MIB, 5 * MIB, 10 * MIB, 20 * MIB]
    assert sum(sizes.size(number) for number in range(1, 10_001)) > 4.8 * (1 << 40)
    with pytest.raises(TooLarge, match="10000 parts"):
        sizes.size(10_001)


def test_parts_of_a_stream_fit_in_memory():
    """Two at least, and as many at once as fit."""
    sizes = StreamParts(5 * MIB, 64 * MIB, None)
    assert sizes.size(10_000) == 32 * MIB
    assert [sizes.at_once(number, 8) for number in (1, 1001, 9999)] == [8, 5, 1]


def test_parts_of_a_known_size_are_equal():
    """As some services demand."""
    size = 100 * (1 << 30)
    sizes = StreamParts(5 * MIB, 64 * MIB, size)
    assert sizes.size(1) == sizes.size(9000) == 11 * MIB
    with pytest.raises(TooLarge, match="max_memory"):
        StreamParts(5 * MIB, 64 * MIB, 1 << 40)


# --- proofs ----------------------------------------------------------------------------------------------------------

BYTES = DATA[: 3 * 1000 + 5]
MD5 = hashlib.md5(BYTES).hexdigest()
CUTS = [BYTES[at : at + 1000] for at in range(0, len(BYTES), 1000)]
PARTS_ETAG = hashlib.md5(b"".join(hashlib.md5(cut).digest() for cut in CUTS)).hexdigest() + "-4"
COMPOSITE = composite("SHA256", [checksum_of("SHA256", cut).value for cut in CUTS])


@pytest.mark.parametrize("step", [100, 999, 1000, 1700, 5000])
@pytest.mark.parametrize(
    ("facts", "verified"),
    [
        ({"checksum": checksum_of("CRC32C", BYTES)}, Verified.CHECKSUM),
        ({"checksum": checksum_of("SHA256", BYTES)}, Verified.CHECKSUM),
        ({"checksum": Checksum("SHA256", COMPOSITE, "COMPOSITE")}, Verified.CHECKSUM),
        ({"etag": MD5}, Verified.ETAG),
        ({"etag": PARTS_ETAG}, Verified.ETAG),
        ({"etag": PARTS_ETAG, "encryption": "aws:kms"}, Verified.SIZE),
        ({"etag": "opaque"}, Verified.SIZE),
    ],
)
def test_what_proves_a_stream(monkeypatch, server, facts, verified, step):
    """Whatever the service offers, however the stream is cut; other bytes are found out wherever that is possible."""

    def known_parts(*_):
        yield from ()
        return 1000

    monkeypatch.setattr("orbit_fast.client.stream_proof.part_size", known_parts)

    async def main(data):
        async with opened(server) as client:
            place = await client._place()
            item = place.item(Direction.DOWNLOAD, "k", size=len(BYTES))
            proof = await proof_of(place, item, ObjectFacts(size=len(BYTES), **facts))
            for at in range(0, len(data), step):
                chunk = data[at : at + step]
                value = checksum_of(proof.algorithm, chunk).value if proof.algorithm else ""
                proof.take(chunk, PartFact(1, at, len(chunk), checksum=value))
            return proof.check()

    assert on_loop(main(BYTES)) is verified
    other = BYTES[:-1] + bytes([BYTES[-1] ^ 1])
    if verified is Verified.SIZE:
        assert on_loop(main(other)) is verified
    else:
        with pytest.raises(ChecksumMismatch):
            on_loop(main(other))


@pytest.mark.slow
def test_nothing_is_proven_where_nothing_is_asked(server):
    """``verify_checksums=False``."""

    async def main():
        async with opened(server, verify_checksums=False) as client:
            await client.upload_bytes(DATA, "k")
            damage(server, "k", DATA[:-1] + b"!")
            return await client.download_bytes("k")

    assert on_loop(main())[-1:] == b"!"


@pytest.mark.slow
def test_an_object_of_parts_of_somebody_elses_is_proven(server):
    """Cut otherwise than the ranges it is read in."""

    async def main():
        async with opened(server, chunk_size=6 * MIB, checksum_algorithm="SHA256") as client:
            await client.upload_bytes(DATA, "k")
        async with opened(server) as client:
            assert await client.download_bytes("k") == DATA
            damage(server, "k", DATA[:-1] + b"!")
            with pytest.raises(ChecksumMismatch):
                await client.download_bytes("k")

    on_loop(main())


def test_the_least_memory_is_two_parts():
    """One to fill while the other one is on its way."""
    assert S3Config(BUCKET, max_memory=2 * PART).max_memory == 2 * PART
