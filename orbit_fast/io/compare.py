"""A closer look at one pair, where listings do not tell whether it is the same (`core.plan.Verdict.ASK`).

What is asked depends on the job (`core.settings.Look`): the content that the source's ETag names, for which the local
file is read and nobody is asked; the modification time in the object's metadata; the checksums that services store, for
which a local file is hashed here, in a worker. Where the answer is not certain, the pair is different: a copy too many
does no harm.

A local file that has the content of a newer object gets the object's time, as it would by being downloaded: the next
sync finds both the same without a look.
"""

from __future__ import annotations

import contextlib
import os
from typing import TypeVar

from orbit_fast.core import etag
from orbit_fast.core.checksum import etag_of_parts
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import LocalError
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.layout import plan_parts
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Status
from orbit_fast.core.messages import Verified
from orbit_fast.core.metadata import file_times
from orbit_fast.core.model import ObjectFacts
from orbit_fast.core.plan import is_newer
from orbit_fast.core.settings import Look
from orbit_fast.io.flow import Flow
from orbit_fast.io.proof import pieces_of
from orbit_fast.io.proof import prove_file
from orbit_fast.io.sources import SourceFile
from orbit_fast.io.sources import open_source
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import find

T = TypeVar("T")


def unless_same(around: Surroundings, item: Item, transfer: Flow[T]) -> Flow[T | Ending]:
    """Transfer the item unless source and destination are the same; then it is skipped as identical.

    Raises:
        S3Error: nothing could be learned, or the transfer failed.
    """
    if (yield from is_same(around, item)):
        transfer.close()
        return Ending(Status.SKIPPED, Landed(size=item.size), SkipReason.IDENTICAL)
    return (yield from transfer)


def is_same(around: Surroundings, item: Item) -> Flow[bool]:
    """Whether the pair is certainly the same.

    Raises:
        S3Error: a service did not answer.
    """
    look = around.settings.sync.look
    if item.direction in {Direction.COPY, Direction.RELAY}:
        return (yield from _are_objects_same(around, item, look))
    try:
        with open_source(item.path, follow_symlinks=around.settings.selection.follow_symlinks) as file:
            if file.size != item.size:
                return False
            is_equal = yield from _is_file_same(around, item, file, look)
            file.check_unchanged()
            if is_equal and item.direction is Direction.DOWNLOAD and look is Look.CONTENT:
                _set_time(around, file, item.mtime_ns)
            return is_equal
    except (LocalError, SourceChanged):
        return False  # whatever is wrong with it, the transfer will say


def _is_file_same(around: Surroundings, item: Item, file: SourceFile, look: Look) -> Flow[bool]:
    if look is Look.CONTENT:
        return (yield from _has_etag(around, item, file))
    facts = yield from find(around, item.site, item.key, item.version_id)
    if facts is None or facts.size != file.size:
        return False
    if look is Look.TIMES and not is_newer(_mtime_ns(facts), file.mtime_ns):
        return True
    try:
        verified = yield from prove_file(around, item, file, facts.checksum, facts.etag, facts.encryption)
    except ChecksumMismatch:
        return False
    return verified in {Verified.CHECKSUM, Verified.ETAG}


def _has_etag(around: Surroundings, item: Item, file: SourceFile) -> Flow[bool]:
    """Whether the file has the content of the source's ETag, as far as can be told without asking anybody."""
    if around.sites[item.site].is_directory:
        return False
    if etag.is_md5(item.etag):
        [value] = yield from pieces_of(around, file, file.size, max(file.size, 1), "MD5")
        return value == item.etag
    count = etag.parts_of(item.etag)
    if not count:
        return False
    sizes = list(etag.guess_part_sizes(file.size, count))
    ours = plan_parts(file.size, around.settings.transfer.part_size)
    if ours.is_multipart and ours.count == count:
        sizes.insert(0, ours.part_size)
    for size in dict.fromkeys(sizes):
        values = yield from pieces_of(around, file, file.size, size, "MD5")
        if etag_of_parts([*map(bytes.fromhex, values)]) == item.etag:
            return True
    return False


def _are_objects_same(around: Surroundings, item: Item, look: Look) -> Flow[bool]:
    source = yield from find(around, item.source_site, item.source_key, item.version_id)
    dest = yield from find(around, item.site, item.key)
    if source is None or dest is None or source.size != dest.size:
        return False
    if look is Look.TIMES:
        return not is_newer(_mtime_ns(source), _mtime_ns(dest))
    if source.checksum is not None and source.checksum == dest.checksum:
        return True
    is_telling = all(etag.is_md5(facts.etag, facts.encryption) or etag.parts_of(facts.etag) for facts in (source, dest))
    return is_telling and source.etag == dest.etag


def _mtime_ns(facts: ObjectFacts) -> int:
    mtime_ns, _ = file_times(facts.metadata, facts.mtime_ns)
    return mtime_ns or 0


def _set_time(around: Surroundings, file: SourceFile, mtime_ns: int) -> None:
    if not around.settings.output.dry_run:
        with contextlib.suppress(OSError):  # somebody else's file: then it is looked at again next time
            os.utime(file.fd, ns=(mtime_ns, mtime_ns))
