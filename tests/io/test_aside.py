"""Hashing in threads: right values, errors brought home, and nothing left of what was given up."""

from __future__ import annotations

import asyncio
import hashlib
import threading

import pytest

from orbit_fast.core.checksum import new_sum
from orbit_fast.core.errors import SourceChanged
from orbit_fast.io.aside import SMALL_BYTES
from orbit_fast.io.aside import FileAside
from orbit_fast.io.aside import aside
from orbit_fast.io.aside import is_same_content
from orbit_fast.io.sources import open_source
from tests.kit.wire import drive

LARGE = SMALL_BYTES + 4_000_003


async def perform(flow):
    """Run a flow that asks for nothing but to wait."""
    while True:
        try:
            until = next(flow)
        except StopIteration as stop:
            return stop.value
        woken = asyncio.Event()
        until.subscribe(woken.set)
        await woken.wait()


@pytest.mark.parametrize("size", [0, 10, SMALL_BYTES, LARGE])
def test_pieces(size, tmp_path):
    """The whole and parts of it, of small files and large ones."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "f").write_bytes(data)
    with open_source(bytes(tmp_path / "f")) as file:

        async def main():
            aside = FileAside(file)
            whole = await perform(aside.pieces(size, max(size, 1), "MD5"))
            parts = await perform(aside.pieces(size, max(1, size // 3), "CRC32C"))
            return whole, parts

        whole, parts = drive(main())
    assert whole == [hashlib.md5(data).hexdigest()]
    step = max(1, size // 3)
    assert parts == [new_sum("CRC32C")(data[start : start + step]) for start in range(0, max(size, 1), step)]


def test_a_file_that_became_shorter(tmp_path):
    """Is an error of the flow's."""
    (tmp_path / "f").write_bytes(b"x" * LARGE)
    with open_source(bytes(tmp_path / "f")) as file:
        (tmp_path / "f").write_bytes(b"x" * (LARGE - 1))

        async def main():
            return await perform(FileAside(file).pieces(LARGE, LARGE, "CRC32"))

        with pytest.raises(SourceChanged):
            drive(main())


@pytest.mark.parametrize("size", [10, LARGE])
def test_contents(size, tmp_path):
    """Equal, and not equal in the last byte."""
    for name, data in (("a", b"x" * size), ("b", b"x" * size), ("c", b"x" * (size - 1) + b"y")):
        (tmp_path / name).write_bytes(data)

    async def main():
        found = []
        for other in ("b", "c"):
            with open_source(bytes(tmp_path / "a")) as one, open_source(bytes(tmp_path / other)) as two:
                found.append(await perform(is_same_content(one, two)))
        return found

    assert drive(main()) == [True, False]


def test_given_up():
    """The thread is told, and its error is nobody's."""
    begun, ended = threading.Event(), threading.Event()

    def work(is_over):
        begun.set()
        while not is_over():
            pass
        ended.set()
        raise SourceChanged("nobody hears this")

    async def main():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        flow = aside(work)
        next(flow).subscribe(lambda: None)
        await asyncio.to_thread(begun.wait)
        flow.close()
        await asyncio.to_thread(ended.wait)
        return complaints

    assert drive(main()) == []
