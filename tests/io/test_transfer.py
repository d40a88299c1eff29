"""What flows share: headers, memory, proofs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.messages import Verified
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import JobSettings
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.io.transfer import Surroundings
from orbit_fast.io.transfer import find
from orbit_fast.io.transfer import head
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import Tries
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged


@pytest.mark.parametrize(
    ("scheme", "wanted", "signs"), [("http", True, True), ("http", False, False), ("https", True, False)]
)
def test_payloads_are_signed_over_plain_http_only(tmp_path, scheme, wanted, signs):
    """Over TLS the connection protects them, and --unsigned-payload leaves them out."""
    with staged(tmp_path) as stage:
        site = stage.around.sites[0]
        endpoint = replace(site.endpoint, scheme=scheme)
        stage.around.sites[0] = replace(site, sign_payload=wanted, endpoint=endpoint)
        assert stage.around.signs_payload(0) is signs


@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        (ObjectSettings(), "text/html"),
        (ObjectSettings(content_type="a/b"), "a/b"),
        (ObjectSettings(guess_mime_type=False), ""),
    ],
)
def test_the_type_of_an_object(tmp_path, options, content_type):
    """The user's word, else a guess by name, unless that is not wanted; headers are made once a type."""
    with staged(tmp_path, JobSettings(object=options)) as stage:
        assert stage.around.content_type_of("x.html") == content_type
        headers = stage.around.object_headers("x.html")
        assert dict(headers).get("content-type", "") == content_type
        assert stage.around.object_headers("y.html") is headers


def test_a_slot_is_leased_for_the_length_of_a_block(tmp_path):
    """It goes home whatever happens; where none is free, somebody has started too much."""
    with staged(tmp_path, slots=1) as stage:
        with stage.around.leased() as view:
            assert len(view) > 0
            assert stage.pool.leased == 1
            with pytest.raises(Internal), stage.around.leased():
                pass
        with pytest.raises(KeyError), stage.around.leased():
            raise KeyError
        stage.check_clean()


OURS = Checksum("CRC32C", "AAAAAA==")


@pytest.mark.parametrize(
    ("replied", "verified"),
    [
        (OURS, Verified.CHECKSUM),
        (None, None),
        (Checksum("SHA1", "x"), None),
        (Checksum("CRC32C", "BBBBBB==-2", "COMPOSITE"), None),
    ],
)
def test_a_stated_checksum_is_a_proof_where_it_can_be_compared(replied, verified):
    """The same algorithm and the same kind; anything else says nothing."""
    assert Surroundings.proof("k", OURS, replied) is verified


def test_a_stated_checksum_that_differs_is_a_failure():
    """The service stores other bytes."""
    with pytest.raises(ChecksumMismatch) as caught:
        Surroundings.proof("k", OURS, Checksum("CRC32C", "BBBBBB=="))
    assert caught.value.code == "E_REMOTE_MISMATCH"


def test_what_is_not_there_is_none(tmp_path):
    """And what is there is its facts."""
    with staged(tmp_path) as stage:
        assert Driver([NotFound("here", "k")]).run(find(stage.around, 0, "k")) is None
        assert Driver([reply(content_length="5")]).run(find(stage.around, 0, "k")).size == 5


@pytest.mark.parametrize("first", [reply(), reply(content_length="many"), reply(content_range="bytes 0-1/*")])
def test_an_unreadable_answer_to_a_look_is_a_failed_try(tmp_path, first):
    """Another one may be better; when none is, it is the service's failure."""
    with staged(tmp_path) as stage:
        assert Driver([Tries([first, reply(content_length="5")])]).run(head(stage.around, 0, "k")).size == 5
        with pytest.raises(BadReply):
            Driver([Tries([first, first])]).run(head(stage.around, 0, "k"))
        stage.check_clean()


EXPLAINED = AccessDenied("not yours", status=403)
FORBIDDEN = AccessDenied("403", status=403)


@pytest.mark.parametrize(
    ("answers", "operations", "found"),
    [
        ([FORBIDDEN, EXPLAINED], ["HeadObject", "GetObject"], "not yours"),
        ([FORBIDDEN, NotFound("here", "k")], ["HeadObject", "GetObject"], "403"),
        ([FORBIDDEN, reply(), reply(content_length="5")], ["HeadObject", "GetObject", "HeadObject"], 5),
        ([FORBIDDEN, reply(), NotFound("here", "k")], ["HeadObject", "GetObject", "HeadObject"], "no such object"),
        ([ServerFault("500", status=500)], ["HeadObject"], "500"),
    ],
)
def test_why_a_look_was_refused_is_found_out(tmp_path, answers, operations, found):
    """A HEAD's refusal has no body; a GET of one byte has, and tells the reason, or that there is none any more."""
    with staged(tmp_path) as stage:
        driver = Driver(answers)
        if isinstance(found, int):
            assert driver.run(head(stage.around, 0, "k")).size == found
        else:
            with pytest.raises(S3Error, match=found):
                driver.run(head(stage.around, 0, "k"))
    assert driver.operations == operations
    if len(operations) > 1:
        assert driver.headers(1)["range"] == "bytes=0-0"
