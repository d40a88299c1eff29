"""Deleting what still is what was listed, played by hand: with an ETag for each key, while the service knows that."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import Service
from orbit_fast.io.deletion import delete_batch
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

KEYS = [("a", ""), ("b", "v1"), ("c", "")]
ETAGS = {"a": "1", "b": "2"}
CHANGED = "it has changed since it was listed, and stays"


@pytest.fixture
def stage(tmp_path):
    """A stage that is checked at its end."""
    with staged(tmp_path) as stage:
        yield stage


def _answer(*failed):
    """A DeleteObjects answer in quiet mode: keys and codes of what failed."""
    items = [f"<Error><Key>{key}</Key><Code>{code}</Code><Message>m</Message></Error>" for key, code in failed]
    return reply(f"<DeleteResult>{''.join(items)}</DeleteResult>".encode())


def _delete(stage, *answers, keys=KEYS):
    """What became of each key, and the driver."""
    driver = Driver(list(answers))
    told = driver.run(delete_batch(stage.around, 0, keys, etags=ETAGS))
    return {one.key: one.failure.message for one in told if one.failure is not None}, driver


def _conditions(driver):
    return [request.body.count(b"<ETag>") for request in driver.requests]


def test_each_key_with_its_etag(stage):
    """One that has changed stays, and fails; one that is gone is gone. A version needs no condition."""
    failed, driver = _delete(stage, _answer(("a", "PreconditionFailed"), ("c", "NoSuchKey")))
    assert failed == {"a": CHANGED}
    assert b'<Key>a</Key><ETag>"1"</ETag>' in driver.requests[0].body
    assert _conditions(driver) == [1]


@pytest.mark.parametrize(
    "refusal",
    [
        Service("no", code="MalformedXML", status=400),
        Service("no", code="NotImplemented", status=501),
        _answer(("a", "NotImplemented")),
    ],
    ids=["malformed", "501", "of a key"],
)
def test_a_service_that_does_not_know_it(stage, refusal):
    """It is asked once more without, and from then on at once; of checksums nothing was learned."""
    failed, driver = _delete(stage, refusal, _answer())
    assert (failed, _conditions(driver)) == ({}, [1, 0])
    assert not stage.around.ladder.deletes_if_same(0)
    assert stage.around.ladder.deletes_if_same(1)
    assert _conditions(_delete(stage, _answer())[1]) == [0]
    assert stage.around.ladder.delete_by(0) == 0


def test_a_refused_checksum_is_another_matter(stage):
    """The condition stays."""
    failed, driver = _delete(stage, HeaderRefused("no", status=501), _answer())
    assert (failed, _conditions(driver)) == ({}, [1, 1])
    assert stage.around.ladder.deletes_if_same(0)


def test_one_by_one(stage):
    """Without DeleteObjects each key has its If-Match, until the service does not know that either."""
    unknown = Service("no", code="MethodNotAllowed", status=405)
    failed, driver = _delete(
        stage, unknown, PreconditionFailed("no", status=412), reply(status=204), NotFound("h", "c")
    )
    assert failed == {"a": CHANGED}
    assert [dict(request.headers).get("if-match") for request in driver.requests[1:]] == ['"1"', None, None]
    failed, driver = _delete(stage, HeaderRefused("no", status=501), reply(status=204), keys=KEYS[:1])
    assert failed == {}
    assert [dict(request.headers).get("if-match") for request in driver.requests] == ['"1"', None]
    failed, driver = _delete(stage, reply(status=204), keys=KEYS[:1])
    assert [dict(request.headers).get("if-match") for request in driver.requests] == [None]
