"""AWS Signature Version 4, for S3: the ``Authorization`` header and presigned URLs.

A signature is an HMAC over a digest of the *canonical request*: the method, path, query and signed headers in one
agreed spelling. Everything that does not change between requests is kept: the signing key of the day (four HMACs) and
the constant ends of the ``Authorization`` value. What is left is one SHA-256 and one HMAC a request.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (headers) and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (presigned URLs). S3 differs from AWS's
other services in two points: the path is encoded once and never normalised, and a body may be left unsigned.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from typing import Final

from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.limits import MAX_PRESIGN_S
from orbit_fast.core.model import Credentials
from orbit_fast.core.model import Endpoint
from orbit_fast.core.uri import encode_key
from orbit_fast.core.uri import encode_pairs

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHM: Final = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
"""Stands for the body's hash where the body is not part of the signature."""

EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of no bytes, in hex."""

SECURITY_TOKEN: Final = "x-amz-security-token"  # noqa: S105 - a header's name
SESSION_TOKEN: Final = "x-amz-s3session-token"  # noqa: S105 - a header's name
"""Headers that the token of temporary keys travels in: of anybody's, and of a directory bucket's session."""

_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


def format_amz_date(unix_s: float) -> str:
    """Write a time as ``x-amz-date`` wants it: ``20260102T030405Z``, in UTC, fractions of a second cut off.

    Raises:
        InvalidConfig: no date of the years 1 to 9999 (a wrecked clock).
    """
    return _format_second(unix_s // 1)


@lru_cache(maxsize=4)  # thousands of requests are signed within one second
def _format_second(unix_s: float) -> str:
    try:
        moment = datetime.fromtimestamp(unix_s, UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidConfig(f"the clock shows no usable date: {unix_s!r} seconds since 1970") from None
    return f"{moment.year:04}{moment.month:02}{moment.day:02}T{moment.hour:02}{moment.minute:02}{moment.second:02}Z"


def _is_word(value: str) -> bool:
    """Whether a value can stand in a header, or in the scope of a signature, without ending it."""
    return value.isascii() and value.isprintable() and " " not in value


def trim_value(value: str) -> str:
    """Return a header value as it is signed: no white space at its ends, single spaces inside."""
    return " ".join(value.split())


class Signer:
    """Signs requests of one identity for one region and service name; keeps the signing key of the last day used.

    Attributes:
        region: signing region.
        signing_name: signing service (``s3``).
        token: session token to send, or ``''``.
        token_name: the header that it is sent in.
    """

    __slots__ = (
        "_access_key",
        "_day",
        "_inner",
        "_outer",
        "_prefix",
        "_scope",
        "_secret_key",
        "region",
        "signing_name",
        "token",
        "token_name",
    )

    def __init__(
        self, credentials: Credentials, region: str, signing_name: str, *, token_name: str = SECURITY_TOKEN
    ) -> None:
        """Prepare to sign.

        Raises:
            Authentication: the credentials are anonymous, or hold what a header cannot carry.
            InvalidConfig: the region or the signing name does.
        """
        if credentials.is_anonymous():
            raise Authentication("anonymous requests cannot be signed")
        for what, value in (("access key", credentials.access_key), ("session token", credentials.token)):
            if not _is_word(value):
                raise Authentication(f"the {what} has white space or a character outside ASCII in it")
        for what, value in (("region", region), ("signing name", signing_name)):
            if not _is_word(value):
                raise InvalidConfig(f"not a usable {what}: {value!a}")
        try:
            self._secret_key = credentials.secret_key.encode()
        except UnicodeEncodeError:
            raise Authentication("the secret key is not UTF-8") from None
        self.region = region
        self.signing_name = signing_name
        self.token = credentials.token
        self.token_name = token_name
        self._access_key = credentials.access_key
        self._day = ""
        self._scope = ""
        self._prefix = ""
        self._inner = sha256()
        self._outer = sha256()

    def __repr__(self) -> str:
        return f"Signer({self._access_key[:4]}…, region={self.region!r}, signing_name={self.signing_name!r})"

    def authorize(
        self,
        method: str,
        path: str,
        query: str,
        headers: Sequence[tuple[str, str]],
        payload_sha256: str,
        amz_date: str,
    ) -> str:
        """Return the value of ``Authorization`` for a request.

        Args:
            method: HTTP method.
            path: encoded path, as it is sent.
            query: encoded query in canonical order (`encode_query`), as it is sent.
            headers: every header to sign, lower-case names, sorted; ``host`` and ``x-amz-date`` among them.
            payload_sha256: hex digest of the body or `UNSIGNED_PAYLOAD`, equal to ``x-amz-content-sha256``.
            amz_date: what `format_amz_date` gives, equal to ``x-amz-date``.
        """
        lines = "".join([f"{name}:{trim_value(value)}\n" for name, value in headers])
        names = ";".join([name for name, _ in headers])
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload_sha256}"
        return self.authorize_canonical(canonical, names, amz_date)

    def authorize_canonical(self, canonical: str, signed_names: str, amz_date: str) -> str:
        """Return the value of ``Authorization`` for a canonical request that the caller has put together."""
        signature = self._sign(canonical, amz_date)
        return f"{self._prefix}{signed_names}, Signature={signature}"

    def within(self, amz_date: str, signed_names: str) -> tuple[str, _Hash, _Hash]:
        """What the signatures of one second have in common: for `Skeleton`, which signs thousands of its requests.

        Returns:
            The value of ``Authorization`` up to the signature; and the two halves of the HMAC, each to be copied: the
            first with the string to sign in it up to the hex digest of the canonical request, the second waiting for
            the first one's digest.
        """
        if amz_date[:8] != self._day:
            self._use_day(amz_date[:8])
        inner = self._inner.copy()
        inner.update(f"{ALGORITHM}\n{amz_date}\n{self._scope}\n".encode())
        return f"{self._prefix}{signed_names}, Signature=", inner, self._outer.copy()

    def presign(  # noqa: PLR0913 - all by name; together they are one URL
        self,
        *,
        method: str,
        endpoint: Endpoint,
        key: str,
        query: Sequence[tuple[str, str]] = (),
        headers: Sequence[tuple[str, str]] = (),
        amz_date: str,
        expires_s: int,
    ) -> str:
        """Return a URL that makes one request without credentials until it expires. The URL is a secret.

        Args:
            method: HTTP method that the URL is good for.
            endpoint: where the bucket is.
            key: object key, not encoded; ``''`` is the bucket itself.
            query: the operation's own parameters, not encoded.
            headers: headers that whoever uses the URL must send with these very values; lower-case names.
            amz_date: when it starts to be good (`format_amz_date`).
            expires_s: how long it is good, 1 to 604,800 seconds (S3's bound: seven days).

        Raises:
            InvalidConfig: `expires_s` is outside what S3 takes.
        """
        if not 1 <= expires_s <= MAX_PRESIGN_S:
            raise InvalidConfig(f"a presigned URL lasts 1 to {MAX_PRESIGN_S} seconds, not {expires_s}")
        signed = sorted([("host", endpoint.host_header), *headers])
        names = ";".join([name for name, _ in signed])
        self._use_day(amz_date[:8])
        terms = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", f"{self._access_key}/{self._scope}"),
            ("X-Amz-Date", amz_date),
            ("X-Amz-Expires", str(expires_s)),
            ("X-Amz-SignedHeaders", names),
        ]
        if self.token:
            terms.append(("X-Amz-Security-Token", self.token))
        pairs = encode_pairs([*query, *terms])
        path = target_path(endpoint, key)
        canonical_query = "&".join([f"{name}={value}" for name, value in sorted(pairs)])
        lines = "".join([f"{name}:{trim_value(value)}\n" for name, value in signed])
        canonical = f"{method}\n{path}\n{canonical_query}\n{lines}\n{names}\n{UNSIGNED_PAYLOAD}"
        shown_query = "&".join([f"{name}={value}" for name, value in pairs])
        signature = self._sign(canonical, amz_date)
        return f"{endpoint.scheme}://{endpoint.host_header}{path}?{shown_query}&X-Amz-Signature={signature}"

    def _sign(self, canonical: str, amz_date: str) -> str:
        day = amz_date[:8]
        if day != self._day:
            self._use_day(day)
        digest = sha256(canonical.encode()).hexdigest()
        inner = self._inner.copy()
        inner.update(f"{ALGORITHM}\n{amz_date}\n{self._scope}\n{digest}".encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()

    def _use_day(self, day: str) -> None:
        key = b"AWS4" + self._secret_key
        for step in (day, self.region, self.signing_name, "aws4_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        # HMAC (RFC 2104) with the key's two blocks hashed once a day: 0.6 µs a signature instead of 1.5
        block = key.ljust(64, b"\0")
        self._inner = sha256(block.translate(_INNER_PAD))
        self._outer = sha256(block.translate(_OUTER_PAD))
        self._day = day
        self._scope = f"{day}/{self.region}/{self.signing_name}/aws4_request"
        self._prefix = f"{ALGORITHM} Credential={self._access_key}/{self._scope}, SignedHeaders="


def target_path(endpoint: Endpoint, key: str) -> str:
    """Return the encoded path of an object, or of the bucket itself where `key` is ``''``.

    Raises:
        InvalidKey: the key has no UTF-8 form.
    """
    if key:
        return f"{endpoint.path_prefix}/{encode_key(key)}"
    return endpoint.path_prefix or "/"
