"""Signature Version 4, verified from its specification: header and query form.

Written from "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference, and deliberately sharing no
line with the signer it judges.
"""

from __future__ import annotations

import calendar
import functools
import hashlib
import hmac
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote
from urllib.parse import unquote_to_bytes

from orbit_fast.testing import directories
from orbit_fast.testing.aws_chunked import STREAMING
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import Proof
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.settings import Identity

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_SKEW_S = 15 * 60
MAX_EXPIRES_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a request says about its signature."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: list[str]
    signature: str
    amz_date: str
    payload_hash: str
    query: list[tuple[str, str]]

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class Verifier:
    """Knows the keys and decides who sent a request.

    Attributes:
        identities: access key to identity; tests may change it while the server runs.
        region: the only region that may be signed for.
        sessions: of directory buckets.
    """

    def __init__(
        self,
        identities: dict[str, Identity],
        region: str,
        now: Callable[[], float],
        *,
        allow_anonymous: bool,
        sessions: directories.Sessions | None = None,
    ) -> None:
        self.sessions = sessions or directories.Sessions()
        self.identities = identities
        self.region = region
        self._now = now
        self._allow_anonymous = allow_anonymous

    def verify(self, request: HttpRequest) -> Proof:
        """Who signed `request`.

        Raises:
            Refusal: nobody who may.
        """
        pairs = split_query(request.query_text)
        authorization = request.headers.get("authorization")
        is_presigned = any(name == "X-Amz-Algorithm" for name, _ in pairs)
        if authorization is not None:
            if is_presigned:
                raise Refusal("InvalidArgument", "Only one auth mechanism allowed")
            claim = self._read_header(request, authorization, pairs)
        elif is_presigned:
            claim = self._read_query(request, pairs)
        elif any(name in {"Signature", "AWSAccessKeyId"} for name, _ in pairs):
            raise Refusal("InvalidRequest", _USE_V4)
        elif self._allow_anonymous:
            return Proof(payload_hash=_payload_hash(request, "UNSIGNED-PAYLOAD"))
        else:
            raise Refusal("AccessDenied")
        return self._check(request, claim)

    def _read_header(self, request: HttpRequest, authorization: str, query: list[tuple[str, str]]) -> _Claim:
        algorithm, _, rest = authorization.partition(" ")
        if algorithm != ALGORITHM:
            raise Refusal("InvalidRequest", _USE_V4)
        fields = dict(item.strip().partition("=")[::2] for item in rest.split(","))
        if set(fields) != {"Credential", "SignedHeaders", "Signature"}:
            raise Refusal("AuthorizationHeaderMalformed")
        access_key, date, region, service = _split_credential(fields["Credential"], "AuthorizationHeaderMalformed")
        amz_date = request.headers.get("x-amz-date", "")
        signed_at = _parse_date(amz_date)
        if signed_at is None or amz_date[:8] != date:
            raise Refusal("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
        if "x-amz-content-sha256" not in request.headers:
            raise Refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        if abs(self._now() - signed_at) > MAX_SKEW_S:
            raise Refusal(
                "RequestTimeTooSkewed",
                RequestTime=amz_date,
                ServerTime=format_date(self._now()),
                MaxAllowedSkewMilliseconds=str(MAX_SKEW_S * 1000),
            )
        return _Claim(
            access_key=access_key,
            date=date,
            region=region,
            service=service,
            signed_headers=fields["SignedHeaders"].split(";"),
            signature=fields["Signature"],
            amz_date=amz_date,
            payload_hash=_payload_hash(request, ""),
            query=query,
        )

    def _read_query(self, request: HttpRequest, query: list[tuple[str, str]]) -> _Claim:
        wrong = "AuthorizationQueryParametersError"
        values = dict(query)
        needed = ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"]
        if any(f"X-Amz-{name}" not in values for name in needed) or values["X-Amz-Algorithm"] != ALGORITHM:
            raise Refusal(wrong)
        access_key, date, region, service = _split_credential(values["X-Amz-Credential"], wrong)
        signed_at = _parse_date(values["X-Amz-Date"])
        expires = values["X-Amz-Expires"]
        if signed_at is None or values["X-Amz-Date"][:8] != date:
            raise Refusal(wrong, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        if not expires.isdecimal() or not 0 < int(expires) <= MAX_EXPIRES_S:
            raise Refusal(wrong, "X-Amz-Expires must be between 1 and 604800 seconds")
        if signed_at - self._now() > MAX_SKEW_S:
            raise Refusal("AccessDenied", "Request is not yet valid")
        if self._now() > signed_at + int(expires):
            raise Refusal("AccessDenied", "Request has expired", ServerTime=format_date(self._now()))
        return _Claim(
            access_key=access_key,
            date=date,
            region=region,
            service=service,
            signed_headers=values["X-Amz-SignedHeaders"].split(";"),
            signature=values["X-Amz-Signature"],
            amz_date=values["X-Amz-Date"],
            payload_hash=_payload_hash(request, "UNSIGNED-PAYLOAD"),
            query=[pair for pair in query if pair[0] != "X-Amz-Signature"],
        )

    def _check(self, request: HttpRequest, claim: _Claim) -> Proof:
        session = self.sessions.find(claim.access_key)
        identity = self.identities.get(claim.access_key) if session is None else session.identity
        if identity is None:
            raise Refusal("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
        if claim.region != self.region:
            raise self._wrong_region(claim.region)
        _check_service(request, claim, session)
        _check_signed_headers(request, claim)
        canonical = canonical_request(request, claim.signed_headers, claim.query, claim.payload_hash)
        hashed = hashlib.sha256(canonical).hexdigest()
        to_sign = f"{ALGORITHM}\n{claim.amz_date}\n{claim.scope}\n{hashed}"
        key = signing_key(identity.secret_key, claim.date, claim.region, claim.service)
        expected = hmac.digest(key, to_sign.encode("utf-8"), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise Refusal(
                "SignatureDoesNotMatch",
                AWSAccessKeyId=claim.access_key,
                StringToSign=to_sign,
                SignatureProvided=claim.signature,
                CanonicalRequest=canonical.decode("utf-8", "replace"),
            )
        names = (_TOKEN_HEADER, _TOKEN) if session is None else (_SESSION_HEADER, _SESSION)
        self._check_token(identity, request.headers.get(names[0]) or dict(claim.query).get(names[1], ""))
        return Proof(
            identity=identity,
            signing_key=key,
            signature=claim.signature,
            amz_date=claim.amz_date,
            scope=claim.scope,
            payload_hash=claim.payload_hash,
        )

    def _check_token(self, identity: Identity, token: str) -> None:
        if not hmac.compare_digest(token.encode(), identity.token.encode()):
            raise Refusal("InvalidToken")
        if identity.expires_at_s and self._now() >= identity.expires_at_s:
            raise Refusal("ExpiredToken")

    def _wrong_region(self, region: str) -> Refusal:
        refusal = Refusal(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{region}' is wrong; expecting '{self.region}'",
            Region=self.region,
        )
        refusal.headers.append(("x-amz-bucket-region", self.region))
        return refusal


_TOKEN = "X-Amz-Security-Token"  # noqa: S105 (the name of a parameter)
_TOKEN_HEADER = "x-amz-security-token"  # noqa: S105 (the name of a header)
_SESSION = "X-Amz-S3session-Token"
_SESSION_HEADER = "x-amz-s3session-token"
_USE_V4 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


def split_query(text: str) -> list[tuple[str, str]]:
    """The decoded pairs of a query string, in the order sent."""
    pairs = []
    for item in text.split("&"):
        if item:
            name, _, value = item.partition("=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "surrogateescape")


def _encode(text: str, safe: str = "") -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe)


def _split_credential(text: str, code: str) -> tuple[str, str, str, str]:
    access_key, *scope = text.split("/")
    if len(scope) != 4 or scope[3] != "aws4_request" or len(scope[0]) != 8 or not access_key:
        raise Refusal(code, 'The Credential is malformed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"')
    if scope[2] not in {"s3", directories.SERVICE}:
        raise Refusal(
            code, f'The Credential is malformed; incorrect service "{scope[2]}". This endpoint belongs to "s3".'
        )
    return access_key, scope[0], scope[1], scope[2]


def _parse_date(text: str) -> float | None:
    digits = text[:8] + text[9:15]
    if len(text) != 16 or text[8] != "T" or text[15] != "Z" or not digits.isdecimal():
        return None
    fields = (text[:4], text[4:6], text[6:8], text[9:11], text[11:13], text[13:15])
    return calendar.timegm(tuple(int(field) for field in fields))


def format_date(unix_s: float) -> str:
    """Unix seconds as ``2026-01-02T03:04:05Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_s))


def _payload_hash(request: HttpRequest, default: str) -> str:
    value = request.headers.get("x-amz-content-sha256", default)
    if value in STREAMING or value == "UNSIGNED-PAYLOAD":
        return value
    if value.startswith("STREAMING-"):
        raise Refusal("NotImplemented", f"The payload signature {value} is not implemented.")
    if len(value) == 64 and all(c in "0123456789abcdef" for c in value):
        return value
    raise Refusal(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=value,
    )


def _check_service(request: HttpRequest, claim: _Claim, session: directories.Session | None) -> None:
    """The request is signed for the service that its bucket belongs to, and with keys that are good for it.

    Raises:
        Refusal: it is not.
    """
    expected = directories.SERVICE if directories.is_directory(request.bucket) else "s3"
    if claim.service != expected:
        raise Refusal(
            "AuthorizationHeaderMalformed",
            f'The Credential is malformed; incorrect service "{claim.service}". This endpoint belongs to "{expected}".',
        )
    is_sent = _SESSION_HEADER in request.headers or any(name == _SESSION for name, _ in claim.query)
    if session is None:
        if is_sent:
            raise Refusal("InvalidToken")
    elif session.bucket != request.bucket or request.operation in directories.OWN_KEYS:
        raise Refusal("AccessDenied")


def _check_signed_headers(request: HttpRequest, claim: _Claim) -> None:
    missing = [
        name
        for name in request.headers
        if (name == "host" or name.startswith("x-amz-")) and name not in claim.signed_headers
    ]
    if missing:
        raise Refusal(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(sorted(missing)),
        )


def canonical_request(
    request: HttpRequest, signed_headers: list[str], query: list[tuple[str, str]], payload_hash: str
) -> bytes:
    """The canonical request as the specification builds it from what arrived."""
    path = quote(unquote_to_bytes(request.path), safe="/-_.~")
    encoded = sorted((_encode(name), _encode(value)) for name, value in query)
    lines = [
        request.method,
        path,
        "&".join(f"{name}={value}" for name, value in encoded),
        *(f"{name}:{_trim(request.headers, name)}" for name in signed_headers),
        "",
        ";".join(signed_headers),
        payload_hash,
    ]
    return "\n".join(lines).encode("latin-1", "replace")


def _trim(headers: Mapping[str, str], name: str) -> str:
    return " ".join(headers.get(name, "").split())


@functools.lru_cache(maxsize=64)
def signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    """The key that a day's requests to a region's service are signed with."""
    key = f"AWS4{secret_key}".encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.digest(key, word.encode("utf-8"), "sha256")
    return key
