"""Requests to directory buckets are signed as botocore signs them, and sessions read as botocore reads them."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256
from unittest import mock

import botocore.auth
import botocore.session
import pytest
from botocore.auth import S3ExpressAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core import encode
from orbit_fast.core.decode_session import create_session
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.sigv4 import SESSION_TOKEN
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.skeleton import Skeleton

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
AMZ_DATE = "20260102T030405Z"
HOST = "b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com"
ENDPOINT = Endpoint("https", HOST, 443, HOST, "", "us-west-2", "s3express", has_sessions=True)
KEYS = Credentials("SESSIONKEY", "secret", "a/session+token==")
SIGNER = Signer(KEYS, "us-west-2", "s3express", token_name=SESSION_TOKEN)
SESSION = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<CreateSessionResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Credentials><SessionToken>t/o+k==</SessionToken><SecretAccessKey>secret</SecretAccessKey>"
    b"<AccessKeyId>KEYID</AccessKeyId><Expiration>2026-01-02T03:09:05Z</Expiration></Credentials>"
    b"</CreateSessionResult>"
)


def _fields(head):
    """Request line and headers of a head."""
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    return start, dict(line.split(": ", 1) for line in lines)


@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "HEAD", "POST"]),
    key=st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=20),
    headers=st.dictionaries(st.sampled_from(["range", "x-amz-meta-a", "x-amz-tagging", "z"]), st.just("a  b")),
    body=st.binary(max_size=20),
)
def test_what_a_session_signs_equals_botocores(method, key, headers, body):
    """The same Authorization, and the token in a header of its own: never as a security token."""
    request = Request(operation="X", method=method, key=key, query=(("uploads", ""),), headers=tuple(headers.items()))
    digest = sha256(body).hexdigest()
    start, sent = _fields(
        encode_head(request, ENDPOINT, SIGNER, amz_date=AMZ_DATE, content_length=len(body), payload_sha256=digest)
    )
    theirs = AWSRequest(method=method, url=f"https://{HOST}{start.split(' ')[1]}", data=body, headers=headers)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=MOMENT):
        signer = S3ExpressAuth(
            BotocoreCredentials(KEYS.access_key, KEYS.secret_key, KEYS.token),
            "s3express",
            "us-west-2",
            identity_cache={},
        )
        theirs.context["payload_signing_enabled"] = True
        signer.add_auth(theirs)
    for name in ("authorization", "x-amz-date", SESSION_TOKEN):
        assert sent[name] == theirs.headers[name], name
    assert "x-amz-security-token" not in sent
    assert "x-amz-security-token" not in theirs.headers


def test_a_skeleton_signs_like_the_general_encoder():
    """Many small objects: the session's token is where it belongs."""
    request = Request(operation="PutObject", method="PUT", key="k", headers=(("x-amz-checksum-crc32c", "AAAAAA=="),))
    head = encode_head(
        request, ENDPOINT, SIGNER, amz_date=AMZ_DATE, content_length=3, payload_sha256="UNSIGNED-PAYLOAD"
    )
    skeleton = Skeleton(
        "PUT", ENDPOINT, SIGNER, headers=request.headers, varying="x-amz-checksum-crc32c", amz_date=AMZ_DATE
    )
    filled = skeleton.fill("/k", "AAAAAA==", 3, "UNSIGNED-PAYLOAD")
    assert _fields(filled) == _fields(head)


def test_a_token_of_either_kind_cannot_be_set_by_a_request():
    """The signer sends it."""
    for name in ("x-amz-security-token", SESSION_TOKEN):
        with pytest.raises(Exception, match="cannot be set"):
            encode_head(
                Request(operation="X", method="GET", headers=((name, "mine"),)),
                ENDPOINT,
                SIGNER,
                amz_date=AMZ_DATE,
                content_length=0,
                payload_sha256="UNSIGNED-PAYLOAD",
            )


def test_a_session_is_read_as_by_botocore():
    """Keys, token and end; and it is asked for as botocore asks for it."""
    model = botocore.session.get_session().get_service_model("s3").operation_model("CreateSession")
    parsed = create_parser("rest-xml").parse({"status_code": 200, "headers": {}, "body": SESSION}, model.output_shape)
    theirs = parsed["Credentials"]
    found = create_session(Reply(status=200, headers={}, body=SESSION))
    assert (found.access_key, found.secret_key, found.token, found.expires_at_s) == (
        theirs["AccessKeyId"],
        theirs["SecretAccessKey"],
        theirs["SessionToken"],
        theirs["Expiration"].timestamp(),
    )
    assert "secret" not in repr(found)
    request = encode.create_session()
    assert (request.method, request.key, request.query) == (model.http["method"], "", (("session", ""),))


@pytest.mark.parametrize(
    "missing", [b"SessionToken", b"SecretAccessKey", b"AccessKeyId", b"Expiration", b"Credentials"]
)
def test_half_a_session_is_none(missing):
    """Without keys, token or end nothing could be signed."""
    body = SESSION.replace(b"<" + missing + b">", b"<Other>").replace(b"</" + missing + b">", b"</Other>")
    with pytest.raises(BadReply):
        create_session(Reply(status=200, headers={}, body=body))


@pytest.mark.parametrize("ends", [b"soon", b"1969-01-01T00:00:00Z", b""])
def test_a_session_that_ends_at_no_time_is_none(ends):
    """A date that is none."""
    with pytest.raises(BadReply):
        create_session(Reply(status=200, headers={}, body=SESSION.replace(b"2026-01-02T03:09:05Z", ends)))


def test_an_error_in_place_of_a_session_is_told():
    """Whatever the status says."""
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    with pytest.raises(AccessDenied):
        create_session(Reply(status=200, headers={}, body=body))
