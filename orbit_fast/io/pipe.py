"""The stage → S3: what the supervisor has read from stdin.

A stream that fits the first part stands at the beginning of the stage and goes in one PutObject; a longer one is a
multipart upload whose parts any worker may send. The stage belongs to the supervisor, so a part whose worker died is
sent again by another one from the same memory.
"""

from __future__ import annotations

from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.events import Landed
from orbit_fast.core.events import SkipReason
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import MovePart
from orbit_fast.core.messages import PartFact
from orbit_fast.core.messages import Status
from orbit_fast.io import memory
from orbit_fast.io import upload
from orbit_fast.io.flow import Flow
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import end_early


def put(around: Surroundings, item: Item) -> Flow[Ending]:
    """Store a stream of ``item.size`` bytes in one request.

    Raises:
        S3Error: it could not be done.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    try:
        return (yield from memory.put(around, item, around.stage[: item.size]))
    except PreconditionFailed:
        if not around.settings.selection.no_clobber:
            raise
        return Ending(Status.SKIPPED, Landed(size=item.size), SkipReason.EXISTS)


def begin(around: Surroundings, item: Item) -> Flow[Begun | Ending]:
    """Create the multipart upload.

    Raises:
        S3Error: it could not be done; nothing is left.
    """
    early = yield from end_early(around, item)
    if early is not None:
        return early
    return (yield from memory.begin(around, item))


def move_part(around: Surroundings, order: MovePart) -> Flow[PartFact]:
    """Send one part.

    Raises:
        S3Error: it could not be done.
    """
    return (yield from memory.move_part(around, order, around.stage[order.at : order.at + order.size]))


finish = upload.conclude
abandon = upload.abandon
