"""Small and large files to upload, and the items that stand for them."""

from __future__ import annotations

import random

from msgspec.structs import replace

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.errors import NotFound
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import SelectionSettings
from orbit_fast.io import upload
from tests.kit.flow_driver import reply

SMALL = b"some bytes"
LARGE = random.Random(3).randbytes(upload.IN_MEMORY + 5000)
NO_CLOBBER = JobSettings(selection=SelectionSettings(no_clobber=True))
MISSING = NotFound("here", "k")
THERE = reply(content_length="3", last_modified="Fri, 02 Jan 2026 03:04:05 GMT")


def crc(data):
    """CRC32C, in base64."""
    return checksum_of("CRC32C", data).value


def file_item(tmp_path, data, **changes):
    """An item for a file of these bytes."""
    path = tmp_path / "file"
    path.write_bytes(data)
    item = Item(7, Direction.UPLOAD, 0, "k", bytes(path), size=len(data), mtime_ns=path.stat().st_mtime_ns)
    return replace(item, **changes)
