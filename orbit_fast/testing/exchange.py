"""A request as it came, a response as it goes, and the refusal that becomes an S3 error document."""

from __future__ import annotations

from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from orbit_fast.testing.blob import Content
from orbit_fast.testing.settings import Identity

if TYPE_CHECKING:
    from orbit_fast.testing.seams import Line

REFUSALS: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (400, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (400, "The authorization query parameters that you provided are not valid."),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "BadRequest": (400, "An error occurred when parsing the HTTP request."),
    "BucketAlreadyExists": (
        409,
        (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        ),
    ),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpiredToken": (400, "The provided token has expired."),
    "IllegalLocationConstraintException": (400, "The location constraint is not the region of this endpoint."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidChunkSizeError": (403, "Only the last chunk is allowed to have a size less than 8192 bytes"),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": (400, "The specified location-constraint is not valid"),
    "InvalidObjectState": (403, "The operation is not valid for the object's storage class"),
    "InvalidPart": (
        400,
        (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag."
        ),
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidToken": (400, "The provided token is malformed or otherwise invalid."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedXML": (400, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (
        404,
        (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed."
        ),
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "A header or parameter you provided implies functionality that is not implemented"),
    "NotModified": (304, "Not Modified"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "RequestHeaderSectionTooLarge": (400, "Your request header section exceeds the maximum allowed size."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "RestoreAlreadyInProgress": (409, "Object restore is already in progress"),
    "SignatureDoesNotMatch": (
        403,
        (
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method."
        ),
    ),
    "UserKeyMustBeSpecified": (400, "The bucket POST must contain the specified field name."),
    "XAmzContentSHA256Mismatch": (
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}
"""S3's error codes that this server uses: HTTP status and the message S3 sends where no better one is known."""


class Refusal(Exception):
    """The request is answered with an error document.

    Attributes:
        code: S3's error code, one of `REFUSALS`.
        message: its text.
        details: further elements of the document, in order.
        status: HTTP status.
        headers: further response headers.
    """

    def __init__(self, code: str, message: str = "", **details: str) -> None:
        self.status, default = REFUSALS[code]
        self.code = code
        self.message = message or default
        self.details = details
        self.headers: list[tuple[str, str]] = []
        super().__init__(f"{code}: {self.message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Who signed a request, and what is needed to verify the signatures of its chunks.

    Attributes:
        identity: whose key it was; None for an anonymous request.
        signing_key: key of the day, region and service.
        signature: the request's own signature, which seeds the chain of chunk signatures.
        amz_date: when it was signed, as ``20260102T030405Z``.
        scope: credential scope, without the access key.
        payload_hash: what the signature says about the body: a hex digest or one of S3's words for none.
    """

    identity: Identity | None = None
    signing_key: bytes = field(default=b"", repr=False)
    signature: str = ""
    amz_date: str = ""
    scope: str = ""
    payload_hash: str = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request body that has arrived and passed every check that it announced.

    Attributes:
        content: the decoded bytes.
        md5: their MD5 digest.
        checksums: algorithm to base64 value, for the one the client announced.
    """

    content: Content
    md5: bytes
    checksums: dict[str, str]


@dataclass(slots=True, kw_only=True)
class HttpRequest:
    """One request.

    Attributes:
        method: HTTP method.
        path: the path exactly as sent, percent-encoded.
        query_text: what follows ``?`` exactly as sent.
        header_pairs: lower-case names and values (latin-1) in the order sent.
        is_tls: it came over an encrypted connection.
        connection: number of the connection it came over, counted from 1.
        request_id: given by the server, unique.
        headers: names to values; repeated ones joined by a comma.
        query: decoded names to values; the last of repeated ones.
        operation: S3's name of what is asked, ``''`` before it is known.
        bucket: bucket name, or ``''``.
        key: object key, decoded, or ``''``.
        proof: who signed it.
        received: the body.
        alter: changes each piece of the body before it is decoded and verified (see `seams`).
    """

    method: str
    path: str
    query_text: str
    header_pairs: list[tuple[str, str]]
    is_tls: bool = False
    connection: int = 0
    request_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    operation: str = ""
    bucket: str = ""
    key: str = ""
    proof: Proof = field(default_factory=Proof)
    received: Received | None = None
    alter: Callable[[bytes], bytes] | None = None

    @property
    def content(self) -> Content:
        """The body."""
        return self.received.content if self.received else Content()


@dataclass(slots=True, kw_only=True)
class HttpResponse:
    """One response.

    Attributes:
        status: HTTP status.
        headers: names and values in the order to send; framing headers are added by the connection.
        body: what follows the head.
        length: Content-Length where it is not the size of the body: the answer to a HEAD.
        is_last: the connection is closed after it.
        code: S3's error code, ``''`` for a success.
        transmit: writes it instead of the connection (see `seams`).
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Content = field(default_factory=Content)
    length: int | None = None
    is_last: bool = False
    code: str = ""
    transmit: Callable[[Line], Awaitable[None]] | None = None
