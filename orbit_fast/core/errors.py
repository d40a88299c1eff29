"""Every way orbit can fail, as a typed value that knows what to do about it.

An error says what happened in one line, carries what the service said (code, status, request id), knows whether trying
again can help, and knows which exit code it asks for. Deciding is done by type and `code`, never by text.

Exceptions do not cross processes (keyword-only ones pickle and do not unpickle): a worker turns one into a
`messages.Failure` with `Failure.of`, and that record travels.
"""

from __future__ import annotations

import enum
from typing import Any
from typing import ClassVar


class Exit(enum.IntEnum):
    """The exit codes of the command."""

    DONE = 0
    """Everything asked was done and proven."""
    SOME_FAILED = 1
    """The job ran and some objects failed."""
    NOT_POSSIBLE = 2
    """The job could not be done: usage, credentials, bucket missing, no space ..."""
    INTEGRITY = 3
    """Bytes were not what they should be; wins over 1 and 2."""
    INTERRUPTED = 130
    TERMINATED = 143
    PIPE_CLOSED = 141


class Scope(enum.IntEnum):
    """How far a failure reaches."""

    OBJECT = 0
    """This object failed; the others go on."""
    JOB = 1
    """Every other object would fail in the same way: stop dealing out work."""


class S3Error(Exception):
    """The root of orbit's errors.

    Attributes:
        message: one line, no secret in it.
        advice: what to do next, where the message does not say so already; ``str`` of the error has both.
        code: S3's error code where the service sent one, else one of ours (``E_…``).
        status: HTTP status, or 0 where there was no answer.
        request_id: the service's ``x-amz-request-id``, or ``''``.
        scope: whether the other objects of the job can still succeed.
        retry_after_s: what the service asked to wait, in seconds, or None.
        region: the region that the service named in this answer, or ``''``.
        attempts: tries of the request that ended with this, 0 where none was made.
        resume_state: of an upload by the library that was interrupted: what it can go on from; else None.
    """

    default_code: ClassVar[str] = "E_INTERNAL"
    exit_code: ClassVar[Exit] = Exit.SOME_FAILED
    retryable: ClassVar[bool] = False
    default_scope: ClassVar[Scope] = Scope.OBJECT

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        request_id: str = "",
        scope: Scope | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = ""
        self.code = code or self.default_code
        self.status = status
        self.request_id = request_id
        self.scope = self.default_scope if scope is None else scope
        self.retry_after_s: float | None = None
        self.region = ""
        self.attempts = 0
        self.resume_state: Any = None

    def is_retryable(self) -> bool:
        """Whether the same request, sent again, can succeed."""
        return self.retryable

    def told(self, detail: str = "") -> str:
        """What happened, `detail` if there is one, and what to do next: one line, with no secret in it."""
        line = f"{self.message} ({detail})" if detail else self.message
        if not self.advice:
            return line
        return f"{line}: {self.advice}" if line.endswith(")") else f"{line} ({self.advice})"

    def __str__(self) -> str:
        return self.told()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r}, status={self.status})"


# --- what the service answered -------------------------------------------------------------------------------------


class Service(S3Error):
    """An S3 error answer that has no class of its own."""

    default_code = "E_SERVICE"


class ServerFault(Service):
    """5xx and the codes that mean the same: the service failed, not the request."""

    default_code = "E_S3_5XX"
    retryable = True


class RateLimitExceeded(ServerFault):
    """503 SlowDown, 429: slow down, the whole job together."""

    default_code = "E_THROTTLED"


class NotFound(S3Error):
    """No such object (or version)."""

    default_code = "NoSuchKey"

    def __init__(self, bucket: str, key: str, *, code: str = "", status: int = 404, request_id: str = "") -> None:
        super().__init__(f"no such object: s3://{bucket}/{key}", code=code, status=status, request_id=request_id)
        self.bucket = bucket
        self.key = key


class BucketNotFound(S3Error):
    """No such bucket."""

    default_code = "NoSuchBucket"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class AccessDenied(S3Error):
    """The credentials are known and may not do this. Several in a row at the start stop the job."""

    default_code = "AccessDenied"


class Authentication(S3Error):
    """The credentials are missing, unknown, wrong or expired."""

    default_code = "E_CREDENTIALS"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class ExpiredCredentials(Authentication):
    """The credentials were good once: fresh ones, if there are any, help."""

    default_code = "ExpiredToken"


class ClockSkew(Authentication):
    """The local clock is too far from the service's."""

    default_code = "RequestTimeTooSkewed"


class WrongRegion(S3Error):
    """The bucket lives in another region (named in `region` when the service said which)."""

    default_code = "E_REGION"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class RedirectRefused(S3Error):
    """The service points to another host; orbit does not follow."""

    default_code = "E_REDIRECT_REFUSED"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class PreconditionFailed(S3Error):
    """412: the object is not the one that was meant (changed, or exists already)."""

    default_code = "PreconditionFailed"


class InvalidRange(S3Error):
    """416: the object is shorter than the range asked."""

    default_code = "InvalidRange"


class ObjectArchived(S3Error):
    """The object's storage class needs a restore before it can be read."""

    default_code = "InvalidObjectState"


class UploadGone(S3Error):
    """404 NoSuchUpload: the multipart upload was aborted or completed by someone."""

    default_code = "NoSuchUpload"


class HeaderRefused(S3Error):
    """400/501 that names a header of ours: the service does not know it."""

    default_code = "NotImplemented"


# --- what arrived was not what it should be -------------------------------------------------------------------------


class BadReply(S3Error):
    """A reply that is not what S3 sends: cut, empty, HTML, wrong root element, ambiguous framing."""

    default_code = "E_BAD_RESPONSE"
    retryable = True


class NotS3(BadReply):
    """The answer is a web page or another protocol: this is not an S3 endpoint."""

    default_code = "E_NOT_S3"


class RangeIgnored(BadReply):
    """A range was asked for and the whole object came: this service does not do ranges."""

    default_code = "E_NO_RANGE"


class IntegrityError(S3Error):
    """Bytes differ from what the service or the disk says they are."""

    default_code = "E_REMOTE_MISMATCH"
    exit_code = Exit.INTEGRITY


class ChecksumMismatch(IntegrityError):
    """The bytes do not have the checksum they should have."""

    default_code = "E_CHECKSUM_MISMATCH"

    def __init__(self, key: str, expected: str, actual: str, *, code: str = "") -> None:
        super().__init__(f"checksum mismatch for {key}: expected {expected}, got {actual}", code=code)
        self.key = key
        self.expected = expected
        self.actual = actual


class SizeMismatch(IntegrityError):
    """More or fewer bytes than were announced."""

    default_code = "E_SIZE_MISMATCH"


def object_changing(key: str) -> IntegrityError:
    """What ends a transfer whose source object is replaced again and again while it is read."""
    return IntegrityError(f"{key} is being replaced again and again while it is read", code="E_OBJECT_CHANGING")


class BadDigest(IntegrityError):
    """The service says that what arrived is not what was announced (damage on the way): worth one more try."""

    default_code = "BadDigest"
    retryable = True


class SourceChanged(IntegrityError):
    """The file or object changed while it was being read."""

    default_code = "E_SOURCE_CHANGED"


class Unverifiable(IntegrityError):
    """``--require-verify``: the service offers nothing to compare with."""

    default_code = "E_UNVERIFIED"


# --- transport ---------------------------------------------------------------------------------------------------


class Network(S3Error):
    """The connection could not be made, or broke."""

    default_code = "E_CONN_RESET"
    retryable = True


class ConnectFailed(Network):
    """No connection: refused, unreachable, or no such host (``E_DNS``)."""

    default_code = "E_CONNECT"


class NoSuchHost(ConnectFailed):
    """The name of the endpoint does not exist (unlike a name server that does not answer just now)."""

    default_code = "E_DNS"


class Timeout(Network):
    """No byte moved for too long, or a phase took longer than its limit."""

    default_code = "E_TIMEOUT"


class CircuitOpen(Network):
    """A circuit breaker did not let the call out: those before it have failed, and its time has not come yet."""

    default_code = "E_CIRCUIT_OPEN"


class TlsTrust(S3Error):
    """The server's certificate is not trusted; trying again cannot help."""

    default_code = "E_TLS_TRUST"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


# --- usage and configuration ----------------------------------------------------------------------------------------


class InvalidConfig(S3Error):
    """A setting, an option or an environment value that cannot be used."""

    default_code = "E_USAGE"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class InvalidBucketName(InvalidConfig):
    """Not a bucket name, access-point ARN or alias."""

    default_code = "InvalidBucketName"


class InvalidKey(S3Error):
    """A name that cannot be an S3 key (longer than 1,024 bytes, not UTF-8), or that the service refuses."""

    default_code = "E_INVALID_KEY"


class SourceMissing(InvalidConfig):
    """The one source named does not exist, or matches nothing."""

    default_code = "E_NO_SOURCE"


class IncompleteListing(S3Error):
    """A side could not be seen whole, so nothing may be concluded from what it does not name."""

    default_code = "E_LIST_INCOMPLETE"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class ResumeStateError(S3Error):
    """What an interrupted transfer should go on from does not fit it."""

    default_code = "E_RESUME_STATE"


class TooLarge(S3Error):
    """Larger than S3 can hold."""

    default_code = "E_TOO_LARGE"


# --- local disk ----------------------------------------------------------------------------------------------------


class LocalError(S3Error):
    """The operating system refused something on a local file."""

    default_code = "E_IO"


class NoSpace(LocalError):
    """Disk or quota full: nothing else will fit either."""

    default_code = "E_NO_SPACE"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class Vanished(LocalError):
    """It was listed and is not there any more."""

    default_code = "E_VANISHED"


class SourceUnreadable(LocalError):
    """The source may not be read."""

    default_code = "E_SOURCE_UNREADABLE"


class UnsafePath(LocalError):
    """The key would land outside the destination directory, or has no local name."""

    default_code = "E_PATH_UNSAFE"


class NameConflict(LocalError):
    """Two keys need one local name, or a file stands where a directory is needed."""

    default_code = "E_FILE_DIR_CONFLICT"


class NameTooLong(LocalError):
    """The file system does not take a name of this length."""

    default_code = "E_NAME_TOO_LONG"


# --- orbit itself ----------------------------------------------------------------------------------------------------


class Cancelled(S3Error):
    """The job was interrupted or given up before this object was done."""

    default_code = "E_CANCELLED"


class WorkerLost(S3Error):
    """A worker process died; its work was given to another one too often."""

    default_code = "E_WORKER_LOST"


class EngineLost(S3Error):
    """The process of an engine's job ended before the job did."""

    default_code = "E_ENGINE_LOST"
    exit_code = Exit.NOT_POSSIBLE
    default_scope = Scope.JOB


class Internal(S3Error):
    """A mistake in orbit. The message says where."""

    default_code = "E_INTERNAL"
