"""What to do next about an error answer of a service: a few words that stand behind what the service said.

A table, by S3's code first and by the class of the error where the code says nothing more. For what was denied it names
the permission that the operation needs. No advice is a good answer too: where the line says already what to do, and
where nobody knows.
"""

from __future__ import annotations

import re
from typing import Final

from orbit_fast.core.directory_buckets import is_directory_bucket
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import Authentication
from orbit_fast.core.errors import ClockSkew
from orbit_fast.core.errors import ExpiredCredentials
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import RedirectRefused
from orbit_fast.core.errors import S3Error
from orbit_fast.core.errors import SourceMissing
from orbit_fast.core.errors import WrongRegion
from orbit_fast.core.location import S3Url
from orbit_fast.core.model import Request

_KMS: Final = "let the key's policy allow kms:Decrypt and kms:GenerateDataKey, and the key be enabled"

_BY_CODE: Final[dict[str, str]] = {
    "AccessControlListNotSupported": "leave out --acl: the bucket's owner owns everything in it",
    "AuthorizationHeaderMalformed": "look at --region, and at the credentials (--profile)",
    "BucketAlreadyExists": "choose another name",
    "BucketAlreadyOwnedByYou": "use it as it is, or choose another name",
    "InvalidAccessKeyId": "look at AWS_ACCESS_KEY_ID or --profile, and whether --endpoint-url is the keys' service",
    "InvalidBucketName": "names have 3 to 63 of a-z, 0-9, . and -",
    "InvalidObjectState": "restore it first (orbit restore {url})",
    "InvalidPayer": "agree to pay with --request-payer",
    "InvalidStorageClass": "leave out --storage-class, or name one that the service has",
    "InvalidToken": "a session token goes with the two keys that came with it: get all three anew",
    "NoSuchBucket": "look at the name (orbit ls says what there is), or make it with orbit mb s3://{bucket}",
    "NoSuchKey": "orbit ls {above} says what is there",
    "NoSuchObject": "orbit ls {above} says what is there",
    "NoSuchUpload": "somebody has completed or aborted it: run the command again",
    "NoSuchVersion": "orbit versions {url} says which there are",
    "OperationAborted": "the bucket is being made or removed by somebody: try again in some minutes",
    "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY or --profile: the secret key is not that key id's",
    "TooManyBuckets": "remove one that is empty (orbit rb), or have the account's limit raised",
}
"""By S3's code. ``{bucket}`` and ``{url}`` are what was asked about, ``{above}`` is where its like may be."""

_BY_CLASS: Final[tuple[tuple[type[S3Error], str], ...]] = (
    (ExpiredCredentials, "get fresh ones: log in again (aws sso login), or renew the temporary keys"),
    (ClockSkew, "set this machine's clock (NTP)"),
    (RedirectRefused, "name the bucket's region with --region, or the right service with --endpoint-url"),
    (NotS3, "look at --endpoint-url"),
    (RateLimitExceeded, "ask for less at once (--workers), or allow more tries (--retry-attempts)"),
    (Authentication, "look at the credentials (--profile) and at --endpoint-url"),
)

_PERMISSIONS: Final[dict[str, str]] = {
    "CompleteMultipartUpload": "s3:PutObject",
    "CopyObject": "s3:GetObject at the source and s3:PutObject at the destination",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
    "GetObjectAttributes": "s3:GetObject and s3:GetObjectAttributes",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListBuckets": "s3:ListAllMyBuckets",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "SelectObjectContent": "s3:GetObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject at the source and s3:PutObject at the destination",
}
"""What an operation needs whose permission is not called as itself is."""

_OF_VERSIONS: Final[dict[str, str]] = {
    "DeleteObject": "s3:DeleteObjectVersion",
    "DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "GetObject": "s3:GetObjectVersion",
    "GetObjectAcl": "s3:GetObjectVersionAcl",
    "GetObjectTagging": "s3:GetObjectVersionTagging",
    "HeadObject": "s3:GetObjectVersion",
    "PutObjectAcl": "s3:PutObjectVersionAcl",
    "PutObjectTagging": "s3:PutObjectVersionTagging",
}
"""The same where a version is named."""

_WITH_HEADERS: Final = {"x-amz-acl": "s3:PutObjectAcl", "x-amz-tagging": "s3:PutObjectTagging"}
_PAID_BY_READERS: Final = frozenset({"GetObject", "HeadObject", "ListObjects", "ListObjectsV2", "CopyObject"})
_SILENT: Final = "HEAD"
"""Answers to it have no body: nothing says why."""


def advise(error: S3Error, request: Request, bucket: str) -> str:
    """What to do about `error`, the answer to `request` about `bucket` (``''``: about none); ``''`` for nothing."""
    advice = _special(error, request, bucket)
    if advice is None:
        by_class = (text for kind, text in _BY_CLASS if isinstance(error, kind))
        advice = _BY_CODE.get(error.code) or next(by_class, "")
    if "{" not in advice:
        return advice
    if not bucket:
        return ""
    return advice.format(bucket=bucket, url=f"s3://{bucket}/{request.key}", above=_above(bucket, request.key))


def nothing_matches(url: S3Url) -> SourceMissing:
    """The error where a key, a prefix or a wildcard names nothing."""
    error = SourceMissing(f"nothing matches {url}")
    above = _above(url.bucket, re.split(r"[*?]", url.key, maxsplit=1)[0])
    if above != str(url):
        error.advice = f"orbit ls {above} says what is there"
    return error


def _above(bucket: str, key: str) -> str:
    """Where the neighbours of a key are."""
    parent = key.rstrip("/").rpartition("/")[0]
    return f"s3://{bucket}/{parent}/" if parent else f"s3://{bucket}/"


def _special(error: S3Error, request: Request, bucket: str) -> str | None:
    """The advice where it takes more than the code to know; None where the tables say."""
    if error.code.startswith("KMS."):
        return _KMS
    if isinstance(error, AccessDenied):
        return _BY_CODE.get(error.code) or _about_denied(error, request, bucket)
    if isinstance(error, WrongRegion):
        return f"say --region {error.region}" if error.region else "name the bucket's region with --region"
    if error.code == "InvalidRequest" and "server side encryption" in error.message.lower():
        return "give the key that it is encrypted with (--sse-c-key-file)"
    if error.status == 400 and request.method == _SILENT:
        return "it may need the key of --sse-c-key-file, or other credentials: the answer to a HEAD does not say"
    return "" if (error.code, request.operation) == ("InvalidObjectState", "RestoreObject") else None


def _about_denied(error: S3Error, request: Request, bucket: str) -> str:
    """What would be allowed to do it."""
    if is_directory_bucket(bucket):
        return "it needs s3express:CreateSession; --profile names other credentials"
    said = error.message.lower()
    if "kms:" in said:
        return _KMS
    if "object lock" in said:
        return "wait until its retention or legal hold ends"
    if "not authorized to perform" in said:
        return ""
    also = ""
    if request.operation == "HeadObject":
        also = ", and s3:ListBucket to be told of a key that is not there"
    if request.operation in _PAID_BY_READERS:
        also += "; where readers pay, --request-payer"
    return f"it needs {permission_for(request)}{also}; --profile names other credentials"


def permission_for(request: Request) -> str:
    """The permissions of a policy that a request needs, as S3 calls them."""
    needed = _PERMISSIONS.get(request.operation, f"s3:{request.operation}")
    if any(name == "versionId" for name, _ in request.query):
        needed = _OF_VERSIONS.get(request.operation, needed)
    sent = {name for name, _ in request.headers}
    return " and ".join([needed, *(also for header, also in _WITH_HEADERS.items() if header in sent)])
