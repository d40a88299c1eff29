"""No secret passes the redactor, and ordinary text does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.redact import MASK
from orbit_fast.core.redact import redact

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: AWS4-HMAC-SHA256 Credential=CANARY/x, SignedHeaders=host, Signature={SIGNATURE}",
        f"{{'authorization': 'AWS4-HMAC-SHA256 Credential=CANARY/x, Signature={SIGNATURE}'}}",
        "sent AWS4-HMAC-SHA256 Credential=CANARY/x, SignedHeaders=host, Signature=CANARY",
        "authorization: Bearer CANARY",
        "Authorization: Basic CANARY==",
        "x-amz-security-token: CANARY",
        'X-Amz-Security-Token="CANARY"',
        "https://h/k?X-Amz-Credential=CANARY%2F20260101&X-Amz-Date=1",
        f"https://h/k?x-amz-signature={SIGNATURE}CANARY",
        "GET /k?X-Amz-Security-Token=CANARY%3D HTTP/1.1",
        "x-amz-server-side-encryption-customer-key: CANARY=",
        "x-amz-copy-source-server-side-encryption-customer-key: CANARY=",
        "x-amz-server-side-encryption-customer-key-md5: CANARY=",
        "aws_secret_access_key = CANARY",
        '{"SecretAccessKey": "CANARY", "x": 1}',
        "<SecretAccessKey>CANARY</SecretAccessKey>",
        "<SessionToken>CANARY</SessionToken>",
        "Credentials(secret_key='x', secret_access_key='CANARY')",
        "https://user:CANARY@proxy:3128/",
        "sse_c_key=b'CANARY'",
    ],
)
def test_removes_canary(text):
    """Every way in which a credential is written is masked."""
    shown = redact(text)
    assert "CANARY" not in shown
    assert SIGNATURE not in shown
    assert MASK in shown


@pytest.mark.parametrize("text", [SECRET, f"key {SECRET}", f"'{SECRET}'", f"({SECRET}), more"])
def test_removes_lone_secret_keys(text):
    """A word that looks like a secret key is masked without a name before it."""
    assert SECRET not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no such object: s3://bucket/key",
        "cp a b",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "AccessDenied: Access Denied (s3://b/authorization/x)",
        "/data/projects/ABCdef123/ABCdef123/files",
        "the token expired",
        "a signature did not match",
        "s3://b/user@host/key",
        "checksum mismatch for k: expected AAAAAA==, got BBBBBB==",
    ],
)
def test_keeps_ordinary_text(text):
    """What is no secret is shown as it is."""
    assert redact(text) == text


def test_keeps_the_rest_of_a_url():
    """Only the values go: names and other parameters stay readable."""
    url = f"https://h/k?X-Amz-Algorithm=A&X-Amz-Credential=C%2Fd&X-Amz-Date=D&X-Amz-Signature={SIGNATURE}&v=1"
    assert redact(url) == (
        "https://h/k?X-Amz-Algorithm=A&X-Amz-Credential=REDACTED&X-Amz-Date=D&X-Amz-Signature=REDACTED&v=1"
    )


@given(before=st.text(), after=st.text(), secret=st.from_regex(r"\A[A-Za-z0-9]{8,40}\Z"))
def test_removes_named_secrets_anywhere(before, after, secret):
    """A secret that the caller names is masked wherever it stands."""
    assert secret in MASK or secret not in redact(before + secret + after, [secret]).replace(MASK, "")


def test_ignores_short_named_secrets():
    """A named secret of a few letters would eat words, so it is ignored."""
    assert redact("a cat", ["a"]) == "a cat"
