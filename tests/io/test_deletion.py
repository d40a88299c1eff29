"""Deleting a thousand at once, played by hand: what each key's answer means, and what services do not know."""

from __future__ import annotations

import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import Service
from orbit_fast.io.deletion import delete_batch
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import interrupt_everywhere
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged

KEYS = [("a", ""), ("b", "v1"), ("c", "")]


def result(*items):
    """A DeleteObjects answer."""
    return reply(f"<DeleteResult>{''.join(items)}</DeleteResult>".encode())


def error(key, code, version_id=""):
    """One key's failure."""
    version = f"<VersionId>{version_id}</VersionId>" if version_id else ""
    return f"<Error><Key>{key}</Key>{version}<Code>{code}</Code><Message>because</Message></Error>"


def gone(key, version_id="", marker=""):
    """One key's success."""
    version = f"<VersionId>{version_id}</VersionId>" if version_id else ""
    more = f"<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>{marker}</DeleteMarkerVersionId>" if marker else ""
    return f"<Deleted><Key>{key}</Key>{version}{more}</Deleted>"


@pytest.fixture
def stage(tmp_path):
    """A stage that is checked at its end."""
    with staged(tmp_path) as stage:
        yield stage


def names(request):
    """The keys of a DeleteObjects request."""
    return [piece.partition(b"</Key>")[0].decode() for piece in request.body.split(b"<Key>")[1:]]


def failures(told):
    """Key to the code of its failure, for those that have one."""
    return {one.key: one.failure.code for one in told if one.failure is not None}


def test_silence_means_deleted(stage):
    """In quiet mode an empty answer is all success; the order is that of the question."""
    driver = Driver([result()])
    told = driver.run(delete_batch(stage.around, 0, KEYS))
    assert [(one.key, one.version_id) for one in told] == KEYS
    assert failures(told) == {}
    assert b"<Quiet>true</Quiet>" in driver.requests[0].body
    assert Driver([]).run(delete_batch(stage.around, 0, [])) == ()


def test_each_key_has_its_own_answer(stage):
    """A key that may not be deleted fails alone; what was not there has been deleted."""
    answer = result(error("a", "AccessDenied"), error("b", "NoSuchVersion", "v1"))
    told = Driver([answer]).run(delete_batch(stage.around, 0, KEYS))
    assert failures(told) == {"a": "AccessDenied"}
    assert isinstance(told[0].failure, AccessDenied)
    assert "s3://here/a" in told[0].failure.message


def test_markers_are_told_where_they_are_asked_for(stage):
    """Without quiet mode each key is named, and so is the delete marker that now hides it."""
    answer = result(gone("a", marker="m1"), gone("b", "v1"), gone("c", marker="m2"))
    driver = Driver([answer])
    told = driver.run(delete_batch(stage.around, 0, KEYS, quiet=False))
    assert [one.marker_version_id for one in told] == ["m1", "", "m2"]
    assert b"Quiet" not in driver.requests[0].body


def test_what_the_service_did_not_get_to_is_asked_for_again(stage):
    """Internal errors and throttling are retried together, in a request of just those keys; the rest stays told."""
    tries = Tries(
        [
            result(error("a", "SlowDown"), error("c", "InternalError"), error("b", "AccessDenied", "v1")),
            result(error("c", "OperationAborted")),
            result(),
        ]
    )
    driver = Driver([tries])
    told = driver.run(delete_batch(stage.around, 0, KEYS))
    assert [names(request) for request in driver.requests] == [["a", "b", "c"], ["a", "c"], ["c"]]
    assert failures(told) == {"b": "AccessDenied"}


def test_a_key_without_an_answer_is_asked_for_again(stage):
    """Without quiet mode silence is no success."""
    driver = Driver([Tries([result(gone("a"), gone("c")), result(gone("b", "v1"))])])
    assert failures(driver.run(delete_batch(stage.around, 0, KEYS, quiet=False))) == {}
    assert [names(request) for request in driver.requests] == [["a", "b", "c"], ["b"]]


def test_retries_have_an_end(stage):
    """When the client gives up, keys that are still refused have failed, each with its own reason, the others not."""
    last = result(error("a", "SlowDown"))
    driver = Driver([Tries([result(error("a", "SlowDown"), error("c", "InternalError")), last])])
    told = driver.run(delete_batch(stage.around, 0, KEYS))
    assert failures(told) == {"a": "SlowDown"}
    assert isinstance(told[0].failure, RateLimitExceeded)


def test_a_failure_of_the_request_after_some_answers(stage):
    """What was told stays true; a key that was still open keeps what was said of it last."""
    driver = Driver([Tries([result(error("a", "SlowDown")), Network("gone")])])
    assert failures(driver.run(delete_batch(stage.around, 0, KEYS))) == {"a": "SlowDown"}


@pytest.mark.parametrize("failure", [AccessDenied("no"), Network("gone"), BucketNotFound("no bucket")])
def test_a_failure_of_the_whole_request_is_raised(stage, failure):
    """Where nothing is known of any key there is nothing to return."""
    with pytest.raises(S3Error) as caught:
        Driver([failure]).run(delete_batch(stage.around, 0, KEYS))
    assert caught.value is failure


def test_an_answer_about_another_key_is_no_answer(stage):
    """A service that answers about what was not asked is not believed."""
    with pytest.raises(BadReply):
        Driver([result(gone("z"))]).run(delete_batch(stage.around, 0, KEYS))


STEPS = [
    (HeaderRefused("checksum", status=400), "content-md5"),
    (HeaderRefused("?", status=501), "content-md5"),
    (Service("InvalidRequest", code="InvalidRequest", status=400), "content-md5"),
    (Service("MissingContentMD5", code="MissingContentMD5", status=400), "content-md5"),
]


@pytest.mark.parametrize(("refusal", "header"), STEPS)
def test_content_md5_where_a_checksum_is_not_known(stage, refusal, header):
    """The next request carries Content-MD5, and so do all later ones; uploads are not concerned."""
    driver = Driver([refusal, result()])
    assert failures(driver.run(delete_batch(stage.around, 0, KEYS))) == {}
    assert [header in dict(request.headers) for request in driver.requests] == [False, True]
    driver = Driver([result()])
    driver.run(delete_batch(stage.around, 0, KEYS))
    assert header in driver.headers()
    assert stage.around.ladder.step(0).has_checksum
    with pytest.raises(S3Error):
        Driver([Service("InvalidRequest", code="InvalidRequest", status=400)]).run(delete_batch(stage.around, 0, KEYS))


def test_what_uploads_learned_holds_for_deletes(stage):
    """A service that does not know upload checksums is not asked to know those of deletes."""
    stage.around.ladder.go_down(0, stage.around.ladder.step(0))
    driver = Driver([result()])
    driver.run(delete_batch(stage.around, 0, KEYS))
    assert "content-md5" in driver.headers()


@pytest.mark.parametrize(
    "refusals",
    [
        [Service("no", code="MethodNotAllowed", status=405)],
        [HeaderRefused("no", status=501), HeaderRefused("no", status=501)],
    ],
)
def test_one_by_one_where_nothing_else_is_known(stage, refusals):
    """A service without DeleteObjects is asked for each key, from then on at once."""
    answers = [reply(status=204, x_amz_delete_marker="true", x_amz_version_id="m"), NotFound("here", "b")]
    denied = AccessDenied("no")
    driver = Driver([*refusals, *answers, denied])
    told = driver.run(delete_batch(stage.around, 0, KEYS))
    assert driver.operations[len(refusals) :] == ["DeleteObject"] * 3
    assert driver.requests[-2].query == (("versionId", "v1"),)
    assert [one.marker_version_id for one in told] == ["m", "", ""]
    assert [one.failure for one in told] == [None, None, denied]
    driver = Driver([reply(status=204)])
    driver.run(delete_batch(stage.around, 0, KEYS[:1]))
    assert driver.operations == ["DeleteObject"]


def test_keys_that_xml_cannot_carry_are_deleted_alone(stage):
    """They never name another key inside a document; the others go together."""
    keys = [("a", ""), ("bad\x01", ""), ("c", "")]
    driver = Driver([result(), reply(status=204)])
    told = driver.run(delete_batch(stage.around, 0, keys))
    assert [one.key for one in told] == ["a", "bad\x01", "c"]
    assert driver.operations == ["DeleteObjects", "DeleteObject"]
    assert names(driver.requests[0]) == ["a", "c"]
    assert driver.requests[1].key == "bad\x01"
    driver = Driver([reply(status=204)])
    driver.run(delete_batch(stage.around, 0, keys[1:2]))
    assert driver.operations == ["DeleteObject"]


def test_keys_deleted_alone_do_not_wait_for_the_others(stage):
    """Where the client gives up on some keys of a request, what has to be deleted alone is deleted all the same."""
    driver = Driver([result(error("a", "SlowDown")), reply(status=204)])
    told = driver.run(delete_batch(stage.around, 0, [("a", ""), ("bad\x01", "")]))
    assert failures(told) == {"a": "SlowDown"}
    assert driver.operations == ["DeleteObjects", "DeleteObject"]


def test_an_end_in_the_middle_keeps_what_is_known(stage):
    """One by one: after an error that all would meet, the others are not asked for and have failed with it."""
    driver = Driver([Service("no", status=405), reply(status=204), BucketNotFound("gone")])
    told = driver.run(delete_batch(stage.around, 0, KEYS))
    assert failures(told) == {"b": "NoSuchBucket", "c": "NoSuchBucket"}


def test_it_ends_anywhere(stage):
    """Closed or failed at each of its calls, it leaves nothing."""
    answers = [Service("no", status=405), reply(status=204), reply(status=204), reply(status=204)]

    def flow():
        stage.around.ladder.__init__()
        return delete_batch(stage.around, 0, KEYS)

    assert interrupt_everywhere(stage, flow, answers) == 4
