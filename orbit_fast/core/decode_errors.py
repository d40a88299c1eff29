"""An error answer as a typed error: decided by S3's code first, by the HTTP status where there is no code.

Errors also hide behind status 200: copies and completions answer 200 at once and fail later, inside the body. The
decoders of `decode` raise those, and `hidden_failure` finds them for whoever decides about retries.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from orbit_fast.core.advice import advise
from orbit_fast.core.decode_facts import http_date_ns
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import BadDigest
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import BucketNotFound
from orbit_fast.core.errors import ChecksumMismatch
from orbit_fast.core.errors import ClockSkew
from orbit_fast.core.errors import ConnectFailed
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import IntegrityError
from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import NameConflict
from orbit_fast.core.errors import Network
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import ObjectArchived
from orbit_fast.core.errors import PreconditionFailed
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import RedirectRefused
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import Service
from orbit_fast.core.errors import Timeout
from orbit_fast.core.errors import TooLarge
from orbit_fast.core.errors import UploadGone
from orbit_fast.core.errors import WrongRegion
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from orbit_fast.core.xml import Element
from orbit_fast.core.xml import is_html
from orbit_fast.core.xml import parse_any

_CODES: Final[dict[type[S3Error], str]] = {
    NotFound: "NoSuchKey NoSuchVersion NoSuchObject",
    BucketNotFound: "NoSuchBucket",
    UploadGone: "NoSuchUpload",
    AccessDenied: "AccessDenied AllAccessDisabled AccountProblem AccessForbidden Forbidden InvalidPayer",
    Authentication: (
        "InvalidAccessKeyId SignatureDoesNotMatch InvalidToken InvalidSecurity NotSignedUp MissingSecurityHeader"
        " MissingAuthenticationToken UnrecognizedClientException InvalidClientTokenId AuthorizationHeaderMalformed"
        " CredentialsNotSupported UnauthorizedAccess Unauthorized"
    ),
    ExpiredCredentials: "ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired",
    ClockSkew: "RequestTimeTooSkewed",
    WrongRegion: ("PermanentRedirect TemporaryRedirect Redirect IllegalLocationConstraintException IncorrectEndpoint"),
    PreconditionFailed: "PreconditionFailed NotModified",
    InvalidRange: "InvalidRange",
    ObjectArchived: "InvalidObjectState",
    BadDigest: (
        "BadDigest InvalidDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch XAmzDecodedContentLengthMismatch"
    ),
    TooLarge: "EntityTooLarge",
    InvalidKey: "KeyTooLongError KeyTooLong InvalidURI InvalidObjectName XMinioInvalidObjectName",
    InvalidBucketName: "InvalidBucketName",
    RateLimitExceeded: (
        "SlowDown SlowDownRead SlowDownWrite ServiceUnavailable Throttling ThrottlingException ThrottledException"
        " RequestThrottled RequestThrottledException TooManyRequests TooManyRequestsException RequestLimitExceeded"
        " BandwidthLimitExceeded PriorRequestNotComplete ReduceYourRequestRate"
    ),
    ServerFault: "InternalError InternalFailure InternalServerError OperationAborted XMinioServerNotInitialized",
    Timeout: "RequestTimeout RequestTimeoutException",
    Network: "IncompleteBody",
}
_CLASS_OF_OUR_CODE: Final[dict[str, type[S3Error]]] = {
    "E_DENIED": Authentication,
    "E_EMPTY_SOURCE": InvalidConfig,
    "E_ETAG_MISMATCH": ChecksumMismatch,
    "E_FILTERS_CHANGED": InvalidConfig,
    "E_HTTP": BadReply,
    "E_HTTP_LIMIT": BadReply,
    "E_LIST_LOOP": BadReply,
    "E_MAX_DELETE": InvalidConfig,
    "E_NAME_COLLISION": NameConflict,
    "E_OBJECT_CHANGING": IntegrityError,
    "E_SAME_OBJECT": NameConflict,
    "E_SHORT_BODY": Network,
    "E_STALLED": Timeout,
    "E_TLS": ConnectFailed,
}
"""Codes of ours that classes have beside their default."""
_MISMATCH: Final = re.compile(r"checksum mismatch for (.*): expected (\S*), got (\S*)", re.DOTALL)
_CLASS_OF_CODE: Final = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CLASS_OF_STATUS: Final[dict[int, type[S3Error]]] = {
    301: RedirectRefused,
    302: RedirectRefused,
    303: RedirectRefused,
    304: PreconditionFailed,
    307: RedirectRefused,
    308: RedirectRefused,
    401: Authentication,
    403: AccessDenied,
    408: Timeout,
    412: PreconditionFailed,
    413: TooLarge,
    416: InvalidRange,
    429: RateLimitExceeded,
    501: Service,
    503: RateLimitExceeded,
}
_PAGES_ALLOWED: Final = _REDIRECTS | {408, 413, 429}
"""Statuses that mean the same when a load balancer in front of the service words them as a web page; 5xx do too."""
_CHECKED_HEADERS: Final = (
    "x-amz-checksum-",
    "x-amz-sdk-checksum-",
    "x-amz-mp-object-size",
    "content-md5",
    "if-none-match",
)
"""Headers of ours that a service may not know; the client can do without each of them."""
_MUST_ANSWER: Final = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CopyObject": "CopyObjectResult",
    "UploadPartCopy": "CopyPartResult",
}
"""Operations that answer 200 before they are done, and the root element of their success."""
_ERROR_ROOTS: Final = frozenset({"Error", "ErrorResponse"})
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_REQUEST_ID: Final = re.compile(r"[!-~]{1,128}")
_MAX_MESSAGE: Final = 500
_MAX_CODE: Final = 64
_MAX_RETRY_AFTER_S: Final = 86_400


class _Told:
    """What an answer says about its failure, from headers and body, cleaned for people and logs."""

    __slots__ = ("code", "element", "host", "is_html", "message", "region", "request_id", "retry_after_s", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.is_html = is_html(body)
        self.element = _error_element(body)
        said = self.element.text_of if self.element is not None else _said_nothing
        code = said("Code") or headers.get("x-amz-error-code", "") or headers.get("x-minio-error-code", "")
        self.code = _clean(code)[:_MAX_CODE]
        self.message = _clean(said("Message") or headers.get("x-amz-error-message", ""))[:_MAX_MESSAGE]
        region = headers.get("x-amz-bucket-region") or said("Region")
        self.region = region if _REGION.fullmatch(region) else ""
        request_id = headers.get("x-amz-request-id") or said("RequestId")
        self.request_id = request_id if _REQUEST_ID.fullmatch(request_id) else ""
        self.retry_after_s = _retry_after_s(headers)
        self.host = _host(headers.get("location", "")) or _clean(said("Endpoint"))[:253]


def error_of(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    request: Request,
    bucket: str,
) -> S3Error:
    """The error that an answer means.

    Args:
        status: HTTP status; 200 where the error was found inside a body.
        headers: lower-case names to values.
        body: as much of the body as was read; anything at all.
        request: what was asked.
        bucket: whom it was asked of, for the message.
    """
    told = _Told(status, headers, body)
    kind = _kind_of(told, request)
    error = _make(kind, told, request=request, bucket=bucket)
    error.retry_after_s = told.retry_after_s
    error.region = told.region
    error.advice = advise(error, request, bucket)
    return error


def error_of_code(code: str, message: str, *, bucket: str, request: Request) -> S3Error:
    """The error of what was asked of one key, told inside an answer that is about many, or in the middle of one."""
    kind, key = _CLASS_OF_CODE.get(code, Service), request.key
    if issubclass(kind, NotFound):
        error: S3Error = NotFound(bucket, key, code=code)
    else:
        clean = _clean(message)[:_MAX_MESSAGE]
        error = kind(f"{_clean(code)[:_MAX_CODE]}: {clean} ({_place(bucket, key)})", code=_clean(code)[:_MAX_CODE])
    error.advice = advise(error, request, bucket)
    return error


def error_told(message: str, code: str, *, status: int, request_id: str, place: str) -> S3Error:
    """The error that another process has told of: of the class that it had there, as far as its code says.

    Args:
        message: one line.
        code: S3's, or one of ours.
        status: HTTP status, or 0.
        request_id: the service's, or ``''``.
        place: ``s3://bucket/key`` of the object it is about, or ``''``.
    """
    kind = _class_told(code, status)
    error: S3Error
    if issubclass(kind, NotFound):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        error = NotFound(bucket, key, code=code, status=status or 404, request_id=request_id)
    elif issubclass(kind, IntegrityError) and (said := _MISMATCH.search(message)):
        error = ChecksumMismatch(*said.groups(), code=code)
    elif issubclass(kind, ChecksumMismatch):
        error = IntegrityError(message, code=code)
    else:
        error = kind(message, code=code, status=status, request_id=request_id)
    error.message = message
    error.args = (message,)
    return error


def _class_told(code: str, status: int) -> type[S3Error]:
    known = _CLASS_OF_CODE.get(code) or _CLASS_OF_OUR_CODE.get(code) or _own_classes().get(code)
    if known is not None:
        return known
    return S3Error if code.startswith("E_") else _CLASS_OF_STATUS.get(status, ServerFault if status >= 500 else Service)


@functools.cache
def _own_classes() -> Mapping[str, type[S3Error]]:
    """Every class of error by the code that it has by default; of two with the same, the one nearer to the root."""
    classes: dict[str, type[S3Error]] = {}
    generation: list[type[S3Error]] = [S3Error]
    while generation:
        for kind in generation:
            if kind.__module__ == S3Error.__module__:
                classes.setdefault(kind.default_code, kind)
        generation = [child for kind in generation for child in kind.__subclasses__()]
    return classes


def success_document(reply: Reply, operation: str, root: str, *, also: str = "") -> Element:
    """The root element of a 2xx reply, which must be `root`, or `also` where services are known to say that instead.

    Raises:
        S3Error: the body holds an error, whatever the status says.
        BadReply: it is empty, cut, or something else.
        NotS3: it is a web page.
    """
    element = _document(reply, operation)
    if element.name in {root, also}:
        return element
    if element.name in _ERROR_ROOTS:
        request = Request(operation=operation, method="")
        raise error_of(reply.status, reply.headers, reply.body, request=request, bucket="")
    raise _unexpected(element, operation, root)


def hidden_failure(reply: Reply, *, request: Request, bucket: str) -> S3Error | None:
    """The failure that a 2xx reply hides in its body, or None.

    Completions and copies must answer with their own root element; every other collected body must at least be no
    ``<Error>`` and no web page. A sink's body is never looked at: it is the object's bytes.
    """
    root = _MUST_ANSWER.get(request.operation)
    start = reply.body[:512]
    if root is None and b"<Error" not in start and not is_html(start):
        return None
    try:
        element = _document(reply, request.operation)
    except BadReply as error:
        return error
    if element.name in _ERROR_ROOTS:
        return error_of(reply.status, reply.headers, reply.body, request=request, bucket=bucket)
    # Where no root is demanded, one that merely holds errors (DeleteResult) is its request's success.
    return None if root is None or element.name == root else _unexpected(element, request.operation, root)


def _document(reply: Reply, operation: str) -> Element:
    """Any XML root element of a reply; errors say which operation was answered so.

    Raises:
        BadReply: it is empty, cut, or no XML.
        NotS3: it is a web page.
    """
    try:
        element = parse_any(reply.body)
    except NotS3 as error:
        raise NotS3(f"{operation}: {error.message}", status=reply.status) from None
    except BadReply as error:
        raise BadReply(f"{operation}: {error.message}", status=reply.status) from None
    if element.name.lower() == "html":
        raise NotS3(f"{operation}: the answer is a web page: this is not an S3 endpoint", status=reply.status)
    return element


def _unexpected(element: Element, operation: str, root: str) -> BadReply:
    return BadReply(f"{operation}: the service sent <{element.name[:64]}> where <{root}> was expected")


# --- deciding ------------------------------------------------------------------------------------------------------


def _kind_of(told: _Told, request: Request) -> type[S3Error]:
    """Which class an answer's failure is: its code, then its status, then its looks."""
    if told.region and _is_about_region(told):
        return WrongRegion
    if _refuses_header(told, request):
        return HeaderRefused
    known = _CLASS_OF_CODE.get(told.code)
    if known is None:
        return _kind_of_status(told, request)
    if known is WrongRegion and told.status in _REDIRECTS:
        return RedirectRefused
    return known


def _kind_of_status(told: _Told, request: Request) -> type[S3Error]:
    """The same, for an answer without a code that is known."""
    status = told.status
    if told.code == "ConditionalRequestConflict":
        # Another writer was quicker. A PUT may simply try again; a completion needs a new upload.
        return Service if request.operation == "CompleteMultipartUpload" else ServerFault
    if status == 404 and not told.code and not told.is_html:
        return NotFound if request.key else BucketNotFound
    if told.is_html and status < 500 and status not in _PAGES_ALLOWED:
        return NotS3
    if told.code and status in {304, 404, 413, 416}:
        return Service
    return _CLASS_OF_STATUS.get(status, ServerFault if status >= 500 else Service)


def _is_about_region(told: _Told) -> bool:
    """Whether an answer that names a region says that it is the right one, rather than just mentioning it."""
    if told.code in {"AuthorizationHeaderMalformed", "AuthorizationQueryParametersError"}:
        return True
    if _CLASS_OF_CODE.get(told.code) is WrongRegion or told.status in _REDIRECTS:
        return True
    # The answer to a HEAD has no body: 400 beside a region is how S3 says that the signature is for another one.
    return told.status == 400 and not told.code


def _refuses_header(told: _Told, request: Request) -> bool:
    """Whether a 400 or 501 is about a header of ours that the service does not know: a checksum, or a condition.

    400 must name the header. 501 need not: services say "a header you provided" and leave it at that.
    """
    sent = [name for name, _ in request.headers if name.startswith(_CHECKED_HEADERS)]
    if told.code == "NotImplemented" or told.status == 501:
        return bool(sent)
    if told.status != 400 or told.element is None or _CLASS_OF_CODE.get(told.code) is BadDigest:
        return False
    named = f"{told.element.text_of('Header')} {told.element.text_of('ArgumentName')} {told.message}".lower()
    families = [family for family in _CHECKED_HEADERS if any(name.startswith(family) for name in sent)]
    return any(family.rstrip("-") in named for family in families)


def _make(kind: type[S3Error], told: _Told, *, request: Request, bucket: str) -> S3Error:
    """The error itself, with a line that a user understands."""
    if issubclass(kind, NotFound):
        return NotFound(bucket, request.key, code=told.code, status=told.status, request_id=told.request_id)
    place = _place(bucket, request.key) if bucket else request.operation
    if issubclass(kind, RedirectRefused):
        target = f" to {told.host}" if told.host else ""
        text = f"the service redirects{target}, which orbit does not follow"
    elif issubclass(kind, NotS3):
        text = f"HTTP {told.status} with a web page: this is not an S3 endpoint"
    elif issubclass(kind, BucketNotFound) and not told.message:
        text = "no such bucket"
    elif issubclass(kind, WrongRegion) and told.region:
        text = f"{told.code or kind.default_code}: the bucket is in region {told.region}"
    elif told.code:
        text = f"{told.code}: {told.message}" if told.message else told.code
    else:
        text = f"HTTP {told.status} {told.message or _phrase(told.status)}".rstrip()
    return kind(f"{text} ({place})", code=told.code, status=told.status, request_id=told.request_id)


# --- reading and cleaning ------------------------------------------------------------------------------------------


def _error_element(body: bytes) -> Element | None:
    """The ``<Error>`` of a body, or None where it holds none that can be read."""
    try:
        root = parse_any(body)
    except BadReply:
        return None
    if root.name == "ErrorResponse":
        return root.child("Error")
    return root if root.name == "Error" else None


def _said_nothing(_name: str) -> str:
    return ""


def _clean(text: str) -> str:
    """Text from a stranger as one printable line."""
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def _place(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}" if key else f"s3://{bucket}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _host(url: str) -> str:
    """Where a ``Location`` points: host and port only, because its query may be signed."""
    _, separator, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2] if separator else ""
    return _clean(host)[:253]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds: a number, or a date read against the answer's own ``Date``."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), _MAX_RETRY_AFTER_S))
    try:
        wait_ns = http_date_ns(value) - http_date_ns(headers.get("date", ""))
    except ValueError:
        return None
    return min(max(wait_ns / 1e9, 0.0), _MAX_RETRY_AFTER_S)
