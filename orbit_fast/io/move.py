"""``mv``: a copy, and then, only then, the end of the source.

The order in which nothing can be lost: copy, verify, publish (a file and its name on stable storage), look again at
what was published, look again at the source, and delete the source only if it is still what was copied. Whatever goes
wrong on the way, the source stays.

A source that is changed or replaced while it is copied is copied again, as it is then; one that does not stop changing
is left alone, with a failure. So a move onto itself by another name deletes nothing: the copy changes its source.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from orbit_fast.core import encode
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import Service
from orbit_fast.core.errors import SourceChanged
from orbit_fast.core.events import Landed
from orbit_fast.core.messages import Begun
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from orbit_fast.core.messages import Status
from orbit_fast.io.diskerrors import Side
from orbit_fast.io.diskerrors import local_error
from orbit_fast.io.diskerrors import shown
from orbit_fast.io.flow import PAUSE
from orbit_fast.io.flow import Call
from orbit_fast.io.flow import Flow
from orbit_fast.io.sources import fingerprint_of
from orbit_fast.io.transfer import Ending
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import head

COPIES = 3
"""A source that has changed during so many copies is left alone."""

State = tuple[object, ...]
"""What tells one version of a source from another: a file's fingerprint, an object's ETag, size and time."""

_UNCONDITIONAL = frozenset({400, 405, 501})
"""Answers of services that know no conditional delete."""


def move(around: Surroundings, item: Item, copy: Callable[[Surroundings, Item], Flow[Ending]]) -> Flow[Ending]:
    """Copy a whole item, then delete its source.

    Raises:
        S3Error: something went wrong; the source is still there.
        SourceChanged: it changed during every copy.
    """
    for _ in range(COPIES):
        before = yield from _state(around, item)
        ending = yield from copy(around, item)
        if ending.status is not Status.DONE:
            return ending
        yield from _look_again(around, item, ending.landed)
        if (yield from _delete(around, item, before)):
            return ending
        yield PAUSE
    raise _still_there(item)


def finish_move(around: Surroundings, item: Item, begun: Begun, finish: Flow[Ending]) -> Flow[Ending]:
    """The last step of a shared transfer, then the end of its source.

    Raises:
        S3Error: something went wrong; the source is still there.
        SourceChanged: it is not what the parts were read from.
    """
    ending = yield from finish
    if ending.status is not Status.DONE:
        return ending
    yield from _look_again(around, item, ending.landed)
    now = yield from _state(around, item)
    is_same = now == begun.fingerprint if item.direction is Direction.UPLOAD else now[0] == begun.etag
    if not is_same or not (yield from _delete(around, item, now)):
        raise _still_there(item)
    return ending


def _still_there(item: Item) -> SourceChanged:
    name = shown(item.path) if item.direction is Direction.UPLOAD else item.source_key or item.key
    return SourceChanged(f"the source changed while it was moved: it was copied and is left where it is: {name}")


def _source_of(item: Item) -> tuple[int, str]:
    """Site and key of a source in S3."""
    return (item.site, item.key) if item.direction is Direction.DOWNLOAD else (item.source_site, item.source_key)


def _state(around: Surroundings, item: Item) -> Flow[State]:
    if item.direction is Direction.UPLOAD:
        return fingerprint_of(item.path, follow_symlinks=around.settings.selection.follow_symlinks)
    site, key = _source_of(item)
    facts = yield from head(around, site, key)
    return (facts.etag, facts.size, facts.mtime_ns, facts.version_id)


def _look_again(around: Surroundings, item: Item, landed: Landed) -> Flow[None]:
    """See that what was published is there; it is not, where a service acknowledged and lost it.

    Raises:
        IntegrityError: it is not there, or not it.
    """
    if item.direction is Direction.DOWNLOAD:
        return  # published, it is on stable storage
    try:
        facts = yield from head(around, item.site, item.key, landed.version_id, may_lag=True)
    except NotFound:
        raise _lost(item, "it is not there") from None
    if facts.size != landed.size:
        raise _lost(item, f"it has {facts.size} bytes there instead of {landed.size}")
    if landed.etag and facts.etag and facts.etag != landed.etag:
        raise _lost(item, "another object is there now")


def _lost(item: Item, what: str) -> IntegrityError:
    message = f"the service acknowledged {item.key}, but {what}; the source is kept"
    return IntegrityError(message, code="E_REMOTE_MISMATCH")


def _delete(around: Surroundings, item: Item, state: State) -> Flow[bool]:
    """Delete the source if it is still what `state` says; whether it was."""
    now = yield from _state(around, item)
    if now != state:
        return False
    if item.direction is Direction.UPLOAD:
        try:
            os.unlink(item.path)
        except OSError as error:
            raise local_error(error, item.path, Side.SOURCE) from None
        return True
    site, key = _source_of(item)
    try:
        yield Call(request=encode.delete_object(key, if_match=str(state[0])), site=site)
    except PreconditionFailed:
        return False
    except NotFound:
        return True  # by an earlier try whose answer was lost: it was there a moment ago
    except (HeaderRefused, Service) as error:
        if error.status not in _UNCONDITIONAL:
            raise
        yield Call(request=encode.delete_object(key), site=site)
    return True
