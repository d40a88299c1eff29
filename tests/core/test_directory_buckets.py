"""What is decided from a directory bucket's values alone: its name, what may be asked of it, what its ETags prove."""

from __future__ import annotations

import pytest

from orbit_fast.core import etag
from orbit_fast.core.advice import advise
from orbit_fast.core.decode_facts import encryption_of
from orbit_fast.core.decode_listing import Trail
from orbit_fast.core.directory_buckets import MARK
from orbit_fast.core.directory_buckets import is_directory_bucket
from orbit_fast.core.directory_buckets import listable_prefix
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.keyspace import KeySpace
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.model import Site

BUCKET = "base--usw2-az1--x-s3"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (BUCKET, True),
        ("base--usw2-az1--xa-s3", True),
        ("base--usw2-lax1-az1--x-s3", True),
        ("base--usw2-az1-x-s3", False),
        ("base--x-s3x", False),
        ("x-s3", False),
        ("mine-123-s3alias", False),
        ("", False),
    ],
)
def test_a_directory_bucket_is_told_by_its_name(name, is_one):
    """By an ending that S3 gives to nothing else."""
    assert is_directory_bucket(name) is is_one
    assert Site(0, name, Endpoint("http", "h", 80, "h")).is_directory is is_one


@pytest.mark.parametrize(
    ("prefix", "asked"), [("", ""), ("a", ""), ("a/", "a/"), ("a/b", "a/"), ("a/b/c", "a/b/"), ("/x", "/")]
)
def test_a_directory_is_asked_for(prefix, asked):
    """The one that the prefix stands in; of other buckets, the prefix itself."""
    endpoint = Endpoint("http", "h", 80, "h")
    assert listable_prefix(prefix) == asked
    assert Site(0, BUCKET, endpoint).listable(prefix) == asked
    assert Site(0, "other", endpoint).listable(prefix) == prefix


@pytest.mark.parametrize("told", ["", "AES256", "aws:kms"])
def test_an_etag_there_is_no_md5(told):
    """Whatever it looks like, and whatever the service says of encryption."""
    headers = {"x-amz-server-side-encryption": told} if told else {}
    looks_like_one = "0" * 32
    assert etag.is_md5(looks_like_one, encryption_of(headers)) is (told != "aws:kms")
    assert not etag.is_md5(looks_like_one, encryption_of({**headers, MARK: "1"}))


def test_a_way_through_pages_never_leads_back():
    """Without keys in order only the tokens tell."""
    trail = Trail()
    for token in ("a", "b", "", ""):
        trail.follow(token)
    with pytest.raises(BadReply) as caught:
        trail.follow("a")
    assert caught.value.code == "E_LIST_LOOP"


def test_a_listing_that_is_not_sorted_is_never_cut():
    """However many pages might be on their way: the next one is asked for by its token, and nothing is tried."""
    space: KeySpace[str] = KeySpace(in_order=False)
    keys = ["m", "c", "x", "a"]
    token = ""
    for number in range(6):
        (ask,) = space.asks(16)
        assert (ask.token, ask.start_after, ask.is_trial) == (token, "", False)
        space.stay_whole()
        token = f"token {number}" if number < 5 else ""
        space.answer(ask.number, keys, keys, token)
        assert space.take() == [keys]
    assert space.is_done


def test_what_was_denied_there_needs_one_permission():
    """Whatever was asked: sessions are allowed or not."""
    error = AccessDenied("Access Denied", code="AccessDenied", status=403)
    request = Request(operation="GetObject", method="GET", key="k")
    assert advise(error, request, BUCKET).startswith("it needs s3express:CreateSession;")
    assert advise(error, request, "other").startswith("it needs s3:GetObject;")
