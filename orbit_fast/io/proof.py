"""Proving a landed file against what the service stores of the object.

In order of strength: the checksum of the whole object, combined from the ranges as they came or computed over the file;
the composite checksum or ETag of a multipart upload, once it is known where its parts were cut; an ETag that is an MD5.
Where none of these is to be had, only the size has been compared, and the answer says so.

Reading the file again costs a pass over the page cache; it is needed only where ranges' checksums do not combine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orbit_fast.core import decode
from orbit_fast.core import encode
from orbit_fast.core import etag
from orbit_fast.core.checksum import Hasher
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import composite
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.checksum import new_hasher
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import Cancelled
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import S3Error
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.io.aside import FileAside
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.sinks import Md5
from orbit_fast.io.transfer import Surroundings

PAUSE_EVERY = 8 << 20
"""Bytes between two pauses: 8 ms of MD5, the slowest."""


class Readable(Protocol):
    """A file that can be read back."""

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with what was written at `offset`."""


def range_algorithm(stored: Checksum | None) -> str:
    """What to compute over each range so that the whole is proven without reading it again; ``''``: nothing helps."""
    if stored is not None and stored.kind == "FULL_OBJECT" and is_combinable(stored.algorithm):
        return stored.algorithm
    return ""


def prove_ranges(key: str, stored: Checksum, parts: Sequence[PartFact]) -> Verified:
    """Combine the ranges' checksums.

    Raises:
        ChecksumMismatch: they are not the object's.
    """
    return _compare(key, stored.value, combine(stored.algorithm, [(part.checksum, part.size) for part in parts]))


def prove_file(
    around: Surroundings, item: Item, file: Readable, stored: Checksum | None, stored_etag: str, encryption: str
) -> Flow[Verified]:
    """Read the landed file and compare it with the best that the service offers.

    Raises:
        ChecksumMismatch: it is not what the service stores.
    """
    if stored is not None and stored.kind == "FULL_OBJECT":
        [value] = yield from pieces_of(around, file, item.size, max(item.size, 1), stored.algorithm)
        return _compare(item.key, stored.value, value)
    if etag.is_md5(stored_etag, encryption):
        [value] = yield from pieces_of(around, file, item.size, max(item.size, 1), "MD5")
        _compare(item.key, stored_etag, value)
        return Verified.ETAG
    algorithm, wanted, count = "MD5", stored_etag, etag.parts_of(stored_etag) if encryption in {"", "AES256"} else 0
    composite_count = _count_of(stored)
    if stored is not None and composite_count:
        algorithm, wanted, count = stored.algorithm, stored.value, composite_count
    if not count:
        return Verified.SIZE
    known = item.size if count == 1 else (yield from part_size(around, item, stored_etag, count))
    for size in (known,) if known else etag.guess_part_sizes(item.size, count):
        pieces = yield from pieces_of(around, file, item.size, size, algorithm)
        found = composite(algorithm, pieces) if composite_count else etag_of_parts([*map(bytes.fromhex, pieces)])
        if found == wanted:
            return Verified.CHECKSUM if composite_count else Verified.ETAG
        if composite_count == 1 or (known and (yield from _is_cut_so(around, item, stored_etag, count, known))):
            raise ChecksumMismatch(item.key, wanted, found)
    return Verified.SIZE


def part_size(around: Surroundings, item: Item, stored_etag: str, count: int) -> Flow[int]:
    """The size of the object's parts as the service tells it, or 0 where it does not, or where they differ.

    The first and the last part are asked for: where both fit parts of one size, most likely all have it.
    """
    first = yield from _size_of_part(around, item, stored_etag, 1)
    if not first or -(-item.size // first) != count:
        return 0  # a service that ignores the part number tells the size of the whole
    last = yield from _size_of_part(around, item, stored_etag, count)
    return first if last == item.size - (count - 1) * first else 0


def _is_cut_so(around: Surroundings, item: Item, stored_etag: str, count: int, size: int) -> Flow[bool]:
    """Whether the parts between the first and the last one have this size too: asked before bytes are called wrong."""
    if count == 1:
        # Some services write ``-1`` behind ETags that are no MD5 at all: of parts they know nothing.
        told = yield from _part(around, item, stored_etag, 1)
        return told.get("x-amz-mp-parts-count") == "1"
    if count <= 3:
        return True  # the sum leaves no choice
    for number in range(2, count):
        if (yield from _size_of_part(around, item, stored_etag, number)) != size:
            return False
    return True


def _size_of_part(around: Surroundings, item: Item, stored_etag: str, number: int) -> Flow[int]:
    """The size of one part, or 0 where the service does not tell it."""
    told = yield from _part(around, item, stored_etag, number)
    try:
        return decode.parse_content_length(told.get("content-length", ""))
    except BadReply:
        return 0


def _part(around: Surroundings, item: Item, stored_etag: str, number: int) -> Flow[dict[str, str]]:
    """What the service tells of one part, in headers: nothing where it cannot, or tells of another version."""
    request = encode.head_part(
        item.key,
        number=number,
        version_id=item.version_id,
        headers=encode.sse_c_headers(around.settings.object),
    )
    try:
        reply = yield Call(request=request, site=item.site)
    except S3Error as error:
        if isinstance(error, Cancelled) or (error.is_retryable() and not isinstance(error, BadReply)):
            raise
        return {}  # the service does not know the question
    return reply.headers if decode.unquoted(reply.headers.get("etag", "")) == stored_etag else {}


def _count_of(stored: Checksum | None) -> int:
    """The number of parts that a composite checksum names, or 0."""
    if stored is None or stored.kind != "COMPOSITE":
        return 0
    return etag.part_count(stored.value.rpartition("-")[2])


def pieces_of(around: Surroundings, file: Readable, size: int, piece_size: int, algorithm: str) -> Flow[list[str]]:
    """The checksum of each `piece_size` bytes of a file: base64, or of ``MD5`` hexadecimal."""
    if isinstance(file, FileAside):
        return (yield from file.pieces(size, piece_size, algorithm))
    values = []
    since_pause = 0
    for start in range(0, max(size, 1), piece_size):
        end = min(start + piece_size, size)
        hasher: Hasher | Md5 = Md5() if algorithm == "MD5" else new_hasher(algorithm)
        position = start
        while position < end:
            chunk = around.receive[: min(len(around.receive), end - position)]
            file.read_into(chunk, position)
            hasher.update(chunk)
            position += len(chunk)
            since_pause += len(chunk)
            if since_pause >= PAUSE_EVERY:
                since_pause = 0
                yield PAUSE
        values.append(hasher.value())
    return values


def checksum_of_range(around: Surroundings, file: Readable, offset: int, size: int, algorithm: str) -> Flow[str]:
    """The checksum of `size` bytes of a file from `offset` on, in base64.

    Raises:
        S3Error: the file cannot be read, or has not as many.
    """
    hasher = new_hasher(algorithm)
    done = 0
    while done < size:
        chunk = around.receive[: min(len(around.receive), size - done)]
        file.read_into(chunk, offset + done)
        hasher.update(chunk)
        done += len(chunk)
        if done % PAUSE_EVERY < len(chunk):
            del chunk
            yield PAUSE
    yield PAUSE
    return hasher.value()


def _compare(key: str, wanted: str, found: str) -> Verified:
    if wanted != found:
        raise ChecksumMismatch(key, wanted, found)
    return Verified.CHECKSUM
