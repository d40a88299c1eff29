"""What to do next, for every answer that has advice: one line, with the permission that was missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core import advice
from orbit_fast.core import encode
from orbit_fast.core import errors
from orbit_fast.core.decode_errors import error_of
from orbit_fast.core.location import S3Url
from orbit_fast.core.messages import Failure
from orbit_fast.core.model import Request

GET = encode.get_object("dir/k")
HEAD = encode.head_object("dir/k")
PUT = encode.put_object("dir/k", headers=(("x-amz-acl", "private"), ("x-amz-tagging", "a=b")), checksum=None)
LIST = encode.list_objects_v2(prefix="")
OTHERS = "--profile names other credentials"
KMS = "let the key's policy allow kms:Decrypt and kms:GenerateDataKey, and the key be enabled"


def told(code: str = "", status: int = 400, request: Request = GET, message: str = "Some words.", region: str = ""):
    """The error of an answer with this code; without one it has no body."""
    said = f"<Error><Code>{code}</Code><Message>{message}</Message><Region>{region}</Region></Error>"
    return error_of(status, {}, said.encode() if code else b"", request=request, bucket="b")


@pytest.mark.parametrize(
    ("code", "request_", "said"),
    [
        ("NoSuchBucket", LIST, "look at the name (orbit ls says what there is), or make it with orbit mb s3://b"),
        ("NoSuchKey", GET, "orbit ls s3://b/dir/ says what is there"),
        ("NoSuchKey", encode.get_object("k"), "orbit ls s3://b/ says what is there"),
        ("NoSuchKey", encode.get_object("a/b/"), "orbit ls s3://b/a/ says what is there"),
        ("NoSuchObject", GET, "orbit ls s3://b/dir/ says what is there"),
        ("NoSuchVersion", GET, "orbit versions s3://b/dir/k says which there are"),
        ("NoSuchUpload", PUT, "somebody has completed or aborted it: run the command again"),
        (
            "InvalidAccessKeyId",
            GET,
            "look at AWS_ACCESS_KEY_ID or --profile, and whether --endpoint-url is the keys' service",
        ),
        (
            "SignatureDoesNotMatch",
            GET,
            "look at AWS_SECRET_ACCESS_KEY or --profile: the secret key is not that key id's",
        ),
        ("InvalidToken", GET, "a session token goes with the two keys that came with it: get all three anew"),
        ("ExpiredToken", GET, "get fresh ones: log in again (aws sso login), or renew the temporary keys"),
        ("TokenRefreshRequired", GET, "get fresh ones: log in again (aws sso login), or renew the temporary keys"),
        ("UnrecognizedClientException", GET, "look at the credentials (--profile) and at --endpoint-url"),
        ("AuthorizationHeaderMalformed", GET, "look at --region, and at the credentials (--profile)"),
        ("RequestTimeTooSkewed", GET, "set this machine's clock (NTP)"),
        ("IllegalLocationConstraintException", GET, "name the bucket's region with --region"),
        ("InvalidPayer", GET, "agree to pay with --request-payer"),
        ("KMS.DisabledException", GET, KMS),
        ("InvalidObjectState", GET, "restore it first (orbit restore s3://b/dir/k)"),
        ("InvalidObjectState", Request(operation="RestoreObject", method="POST", key="k"), ""),
        ("InvalidStorageClass", PUT, "leave out --storage-class, or name one that the service has"),
        ("AccessControlListNotSupported", PUT, "leave out --acl: the bucket's owner owns everything in it"),
        ("BucketAlreadyOwnedByYou", encode.create_bucket(), "use it as it is, or choose another name"),
        ("BucketAlreadyExists", encode.create_bucket(), "choose another name"),
        ("InvalidBucketName", encode.create_bucket(), "names have 3 to 63 of a-z, 0-9, . and -"),
        (
            "TooManyBuckets",
            encode.create_bucket(),
            "remove one that is empty (orbit rb), or have the account's limit raised",
        ),
        (
            "OperationAborted",
            encode.create_bucket(),
            "the bucket is being made or removed by somebody: try again in some minutes",
        ),
        ("SlowDown", GET, "ask for less at once (--workers), or allow more tries (--retry-attempts)"),
        ("InternalError", GET, ""),
        ("EntityTooSmall", PUT, ""),
    ],
)
def test_codes(code, request_, said):
    """Each code's advice stands behind what the service said, in the error, its text and its record."""
    error = told(code, request=request_)
    assert error.advice == said
    assert str(error).endswith((said, f"({said})") if said else error.message)
    assert Failure.of(error).message == str(error)


def test_every_row_of_the_table_is_tested():
    """No code has advice that no test has seen."""
    [mark] = test_codes.pytestmark
    codes = {code for code, _, _ in mark.args[1]}
    assert codes >= set(advice._BY_CODE)


@pytest.mark.parametrize(
    ("status", "code", "request_", "message", "said"),
    [
        (404, "", HEAD, "", "orbit ls s3://b/dir/ says what is there"),
        (404, "", LIST, "", "look at the name (orbit ls says what there is), or make it with orbit mb s3://b"),
        (401, "", GET, "", "look at the credentials (--profile) and at --endpoint-url"),
        (307, "", GET, "", "name the bucket's region with --region, or the right service with --endpoint-url"),
        (
            400,
            "",
            HEAD,
            "",
            "it may need the key of --sse-c-key-file, or other credentials: the answer to a HEAD does not say",
        ),
        (400, "", GET, "", ""),
        (400, "InvalidRequest", GET, "Missing required header for this request", ""),
        (
            400,
            "InvalidRequest",
            GET,
            "The object was stored using a form of Server Side Encryption.",
            "give the key that it is encrypted with (--sse-c-key-file)",
        ),
        (403, "AccessDenied", GET, "User: x is not authorized to perform: kms:Decrypt on resource: y", KMS),
        (403, "AccessDenied", GET, "User: x is not authorized to perform: s3:GetObject on resource: y", ""),
        (
            403,
            "AccessDenied",
            encode.delete_object("k"),
            "Access Denied because object protected by object lock.",
            "wait until its retention or legal hold ends",
        ),
    ],
)
def test_answers(status, code, request_, message, said):
    """Answers that need more than their code: those without one, and those that say themselves what is missing."""
    assert told(code, status, request_, message).advice == said


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (GET, "s3:GetObject; where readers pay, --request-payer"),
        (encode.get_object("k", version_id="v"), "s3:GetObjectVersion; where readers pay, --request-payer"),
        (
            HEAD,
            "s3:GetObject, and s3:ListBucket to be told of a key that is not there; where readers pay, --request-payer",
        ),
        (LIST, "s3:ListBucket; where readers pay, --request-payer"),
        (encode.head_bucket(), "s3:ListBucket"),
        (encode.list_buckets(), "s3:ListAllMyBuckets"),
        (encode.put_object("k", checksum=None), "s3:PutObject"),
        (PUT, "s3:PutObject and s3:PutObjectAcl and s3:PutObjectTagging"),
        (Request(operation="UploadPart", method="PUT", key="k"), "s3:PutObject"),
        (Request(operation="CompleteMultipartUpload", method="POST", key="k"), "s3:PutObject"),
        (
            Request(operation="UploadPartCopy", method="PUT", key="k"),
            "s3:GetObject at the source and s3:PutObject at the destination",
        ),
        (encode.delete_object("k"), "s3:DeleteObject"),
        (encode.delete_object("k", version_id="v"), "s3:DeleteObjectVersion"),
        (Request(operation="ListParts", method="GET", key="k"), "s3:ListMultipartUploadParts"),
        (Request(operation="ListObjectVersions", method="GET"), "s3:ListBucketVersions"),
        (Request(operation="AbortMultipartUpload", method="DELETE", key="k"), "s3:AbortMultipartUpload"),
        (Request(operation="GetBucketVersioning", method="GET"), "s3:GetBucketVersioning"),
        (encode.create_bucket(), "s3:CreateBucket"),
    ],
)
def test_what_was_denied_names_its_permission(request_, needed):
    """As a policy spells it, whether the service said why or sent nothing but 403."""
    for code in ("AccessDenied", ""):
        assert told(code, 403, request_).advice == f"it needs {needed}; {OTHERS}"


def test_the_right_region_is_named():
    """Where the service says which; the line is whole."""
    error = told("AuthorizationHeaderMalformed", region="eu-west-1")
    assert str(error) == (
        "AuthorizationHeaderMalformed: the bucket is in region eu-west-1 (s3://b/dir/k): say --region eu-west-1"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (S3Url("b", "dir/none"), "nothing matches s3://b/dir/none (orbit ls s3://b/dir/ says what is there)"),
        (S3Url("b", "none/"), "nothing matches s3://b/none/ (orbit ls s3://b/ says what is there)"),
        (S3Url("b", "a/x*/y"), "nothing matches s3://b/a/x*/y (orbit ls s3://b/a/ says what is there)"),
        (S3Url("b", "*"), "nothing matches s3://b/* (orbit ls s3://b/ says what is there)"),
        (S3Url("b"), "nothing matches s3://b/"),
    ],
)
def test_nothing_matches(url, said):
    """The nearest place that may hold something is named, and never the argument itself."""
    assert str(advice.nothing_matches(url)) == said


@pytest.mark.parametrize(
    ("message", "hint", "detail", "line"),
    [
        ("no", "", "", "no"),
        ("no", "try", "", "no (try)"),
        ("no (s3://b)", "try", "", "no (s3://b): try"),
        ("no", "", "version v", "no (version v)"),
        ("no", "try", "version v", "no (version v): try"),
    ],
)
def test_told(message, hint, detail, line):
    """Message, detail, advice: in this order, in one line."""
    error = errors.S3Error(message)
    error.advice = hint
    assert error.told(detail) == Failure.of(error, detail).message == line


@given(
    code=st.sampled_from([*advice._BY_CODE, "AccessDenied", "KMS.x", "Other"]),
    key=st.text(max_size=20),
    bucket=st.sampled_from(["", "b", "{0}", "{code}"]),
    status=st.integers(300, 599),
)
def test_any_name_may_stand_in_it(code, key, bucket, status):
    """Names are put in as they are: braces in them mean nothing; without a bucket none is named."""
    error = error_of(status, {"x-amz-error-code": code}, b"", request=encode.get_object(key or "k"), bucket=bucket)
    assert bucket or "s3://" not in error.advice
