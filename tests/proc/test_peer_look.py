"""The look at the source: every peer once, bounded, and ended by the first that is there."""

from __future__ import annotations

import msgspec
import pytest

from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failed
from orbit_fast.core.messages import Failure
from orbit_fast.core.messages import TaskEnded
from orbit_fast.core.tasks import LookForFiles
from orbit_fast.core.tasks import LookForKeys
from orbit_fast.core.tasks import Tallied
from orbit_fast.proc.peer_look import AT_ONCE
from orbit_fast.proc.peer_look import NAMES_A_TASK
from orbit_fast.proc.peer_look import PeerLook
from orbit_fast.proc.sync_finder import End
from orbit_fast.proc.sync_finder import Extra

OBJECTS = End(url=S3Url("b", "p/"), site=3)
FILES = End(root=b"/d/")
FOUND = Failure("it is there", "E_LIST_INCOMPLETE")


def _look(source, count, **known):
    """A look for so many, and what it asks for."""
    orders = []
    record = msgspec.msgpack.encode(Extra(**known))
    pairs = iter([(b"n%05d" % number, record) for number in range(count)])
    return PeerLook(pairs, source, orders.append), orders


def _finish(look):
    while not look.is_done:
        if look.is_waiting:
            look.answer(TaskEnded(0, Tallied()))
        else:
            look.pull()


@pytest.mark.parametrize("count", [0, 1, NAMES_A_TASK, 2 * NAMES_A_TASK + 1])
def test_every_peer_once(count):
    """By its name at the source, in order."""
    look, orders = _look(OBJECTS, count)
    _finish(look)
    tasks = [order.task for order in orders]
    assert all(isinstance(task, LookForKeys) and task.site == 3 for task in tasks)
    assert [key for task in tasks for key in task.keys] == [f"p/n{number:05}" for number in range(count)]
    look, orders = _look(FILES, count)
    _finish(look)
    tasks = [order.task for order in orders]
    assert all(isinstance(task, LookForFiles) and task.root == b"/d/" for task in tasks)
    assert [name for task in tasks for name in task.names] == [f"n{number:05}" for number in range(count)]
    assert look.trouble is None


def test_what_is_left_out_has_its_peer_by_right():
    """It is not looked for."""
    look, orders = _look(OBJECTS, 5, may_be_at_source=True)
    _finish(look)
    assert (orders, look.trouble) == ([], None)


@pytest.mark.parametrize("bad", [TaskEnded(0, Tallied(), FOUND), Failed(0, "task", FOUND)])
def test_one_is_enough(bad):
    """No other task is begun, those under way are waited for, and the first trouble is told."""
    look, orders = _look(OBJECTS, NAMES_A_TASK * (AT_ONCE + 5))
    while not look.is_waiting:
        look.pull()
    assert len(orders) == AT_ONCE
    look.answer(bad)
    assert look.is_waiting
    for _ in range(AT_ONCE - 1):
        assert not look.is_done
        look.answer(TaskEnded(0, Tallied(), Failure("later", "X")))
    assert look.is_done
    assert (look.trouble, len(orders)) == (FOUND, AT_ONCE)
