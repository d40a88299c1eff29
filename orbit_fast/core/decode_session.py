"""The answer to CreateSession: keys for a directory bucket, good for some minutes."""

from __future__ import annotations

from typing import Final

from orbit_fast.core.decode_errors import success_document
from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Reply

PROVIDER: Final = "s3express"
"""Whoever gave these keys, as botocore calls it."""


def create_session(reply: Reply) -> Credentials:
    """The keys and the token of the session, and when it ends.

    Raises:
        BadReply: it is no whole answer.
        S3Error: the body holds an error.
    """
    root = success_document(reply, "CreateSession", "CreateSessionResult", also="CreateSessionOutput")
    keys = root.child("Credentials")
    access_key, secret_key, token = (
        keys.text_of(name) if keys is not None else "" for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    )
    try:
        expires_ns = iso_time_ns(keys.text_of("Expiration")) if keys is not None else 0
    except ValueError:
        expires_ns = 0
    if not (access_key and secret_key and token and expires_ns > 0):
        raise BadReply("the service sent a session without keys, token or end")
    return Credentials(access_key, secret_key, token, expires_ns / 1e9, PROVIDER)
