"""A download that can go on where it was interrupted.

What has landed, up to the first gap, is kept beside the file under a name that also names the object's version:
``FILE.VERSION.partial``. The next download of that version takes it up. It is not believed: the whole file is compared
with what the service stores before it gets its name, and a part that is not of this version fails there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import hashlib
import os
import stat

from msgspec.structs import replace

from orbit_fast.client.meter import Meter
from orbit_fast.client.operations import Place
from orbit_fast.client.transfers import PartsOf
from orbit_fast.client.transfers import begin_transfer
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.errors import object_changing
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.io import download
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.transfer import Ending

COPY_BYTES = 1 << 20


def partial_path(path: bytes, etag: str) -> bytes:
    """Where the beginning of a file is kept that shall hold the version `etag` of an object."""
    return path + b"." + hashlib.sha256(etag.encode()).hexdigest()[:12].encode() + b".partial"


class ResumableDownload:
    """One call's work: `run` it once."""

    def __init__(self, place: Place, item: Item, chunk_size: int, meter: Meter) -> None:
        self._place = place
        self._item = item
        self._layout = plan_parts(item.size, chunk_size, min_part=1)
        self._meter = meter
        self._partial = partial_path(item.path, item.etag)

    async def run(self, offset: int | None) -> Ending:
        """Download, from where there is something to go on from.

        Raises:
            ResumeStateError: there are no `offset` bytes to go on from.
            S3Error: it could not be done; what has landed is kept.
        """
        place, item = self._place, self._item
        kept = self._kept(offset)
        abandon = functools.partial(download.abandon, place.around, item)
        begun = await begin_transfer(place, download.begin(place.around, item), abandon)
        if isinstance(begun, Ending):
            return begun
        parts = PartsOf(place, item, begun, self._layout)
        if begun.etag != item.etag:
            await parts.abandon()
            raise object_changing(item.key)
        try:
            if kept:
                parts.begun = begun = replace(begun, algorithm="")  # the file is read again as a whole
                await self._take_up(begun, *kept)
                self._mark(parts, kept[1])
            await parts.move(lambda part: self._meter.landed(part.number, part.size))
        except BaseException:
            await self._keep(parts)
            raise
        try:
            return await parts.finish()
        except (IntegrityError, LocalError):
            await parts.abandon()  # not these bytes once more
            raise
        except BaseException:
            await self._keep(parts)
            raise

    def _kept(self, offset: int | None) -> tuple[bytes, int] | None:
        """The file whose beginning is taken up, and how many bytes of it, whole parts; None: begin at the beginning."""
        if offset == 0 or not self._layout.is_multipart:
            return None
        for path in (self._partial, self._item.path):
            size = _size_of(path)
            if size is None or (offset is None and path != self._partial) or size < (offset or 1):
                continue
            wanted = min(size if offset is None else offset, self._item.size)
            if wanted < self._item.size:
                wanted -= wanted % self._layout.part_size
            return (path, wanted) if wanted else None
        if offset is None:
            return None
        raise ResumeStateError(f"there are no {offset} bytes of {os.fsdecode(self._item.path)} to go on from")

    async def _take_up(self, begun: Begun, path: bytes, size: int) -> None:
        """Make what is kept the beginning of the temporary file."""
        try:
            if path == self._partial:
                os.replace(path, begun.temp)
                os.truncate(begun.temp, size)
            else:
                await asyncio.to_thread(_copy, path, begun.temp, size)
        except OSError as error:
            raise local_error(error, path, Side.DESTINATION) from None

    def _mark(self, parts: PartsOf, size: int) -> None:
        """The parts that are there already have landed."""
        for number, offset, length in self._layout.parts():
            if offset + length > size:
                return
            parts.landed[number] = PartFact(number, offset, length)
            self._meter.landed(number, length)

    async def _keep(self, parts: PartsOf) -> None:
        """Keep what has landed up to the first gap; take the rest away."""
        count = 0
        while count + 1 in parts.landed:
            count += 1
        if count:
            offset, size = self._layout.part(count)
            with contextlib.suppress(OSError):
                os.truncate(parts.begun.temp, offset + size)
                os.replace(parts.begun.temp, self._partial)
        await parts.abandon()


def _size_of(path: bytes) -> int | None:
    """Bytes of a regular file, or None where there is none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None


def _copy(source: bytes, target: bytes, size: int) -> None:
    """Copy the first `size` bytes of a file over those of another."""
    with open(source, "rb") as reading, open(target, "r+b") as writing:
        left = size
        while left:
            data = reading.read(min(COPY_BYTES, left))
            if not data:
                raise OSError(errno.EIO, "the file became shorter")
            writing.write(data)
            left -= len(data)
