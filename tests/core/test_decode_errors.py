"""Error answers: by code, by status, by looks; and what botocore reads in the same bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core import decode_errors
from orbit_fast.core import encode
from orbit_fast.core import errors
from orbit_fast.core.decode import error_of
from orbit_fast.core.decode import hidden_failure
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Reply
from orbit_fast.core.model import Request
from tests.kit.s3_oracle import Oracle

PUT = encode.put_object("k", checksum=Checksum("CRC32C", "AAAAAA=="))
GET = encode.get_object("k")
HEAD = encode.head_object("k")
LIST = encode.list_objects_v2(prefix="")
COMPLETE = Request(operation="CompleteMultipartUpload", method="POST", key="k")
PLAIN = Request(operation="PutObject", method="PUT", key="k")
HTML = b"<html><body>hello</body></html>"


def document(code: str, message: str = "Some words.", extra: str = "") -> bytes:
    """An error as S3 words it."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
        f"{extra}<RequestId>R1</RequestId><HostId>H1</HostId></Error>"
    ).encode()


def told(status: int, body: bytes = b"", request: Request = PUT, **headers: str) -> errors.S3Error:
    """The error of an answer; header names are written with underscores."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, fields, body, request=request, bucket="b")


# --- by code ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind", "is_retryable"),
    [
        (403, "AccessDenied", errors.AccessDenied, False),
        (403, "InvalidAccessKeyId", errors.Authentication, False),
        (403, "SignatureDoesNotMatch", errors.Authentication, False),
        (400, "AuthorizationHeaderMalformed", errors.Authentication, False),
        (400, "ExpiredToken", errors.ExpiredCredentials, False),
        (400, "TokenRefreshRequired", errors.ExpiredCredentials, False),
        (403, "RequestExpired", errors.ExpiredCredentials, False),
        (403, "RequestTimeTooSkewed", errors.ClockSkew, False),
        (404, "NoSuchKey", errors.NotFound, False),
        (404, "NoSuchVersion", errors.NotFound, False),
        (404, "NoSuchBucket", errors.BucketNotFound, False),
        (404, "NoSuchUpload", errors.UploadGone, False),
        (412, "PreconditionFailed", errors.PreconditionFailed, False),
        (409, "ConditionalRequestConflict", errors.ServerFault, True),
        (409, "OperationAborted", errors.ServerFault, True),
        (409, "BucketAlreadyOwnedByYou", errors.Service, False),
        (416, "InvalidRange", errors.InvalidRange, False),
        (403, "InvalidObjectState", errors.ObjectArchived, False),
        (400, "BadDigest", errors.BadDigest, True),
        (400, "XAmzContentSHA256Mismatch", errors.BadDigest, True),
        (400, "IncompleteBody", errors.Network, True),
        (400, "RequestTimeout", errors.Timeout, True),
        (400, "EntityTooLarge", errors.TooLarge, False),
        (400, "EntityTooSmall", errors.Service, False),
        (400, "InvalidPart", errors.Service, False),
        (400, "KeyTooLongError", errors.InvalidKey, False),
        (400, "InvalidBucketName", errors.InvalidBucketName, False),
        (503, "SlowDown", errors.RateLimitExceeded, True),
        (503, "ServiceUnavailable", errors.RateLimitExceeded, True),
        (400, "ThrottlingException", errors.RateLimitExceeded, True),
        (500, "InternalError", errors.ServerFault, True),
        (501, "NotImplemented", errors.HeaderRefused, False),
        (400, "IllegalLocationConstraintException", errors.WrongRegion, False),
        (405, "MethodNotAllowed", errors.Service, False),
        (500, "SomethingNew", errors.ServerFault, True),
        (400, "SomethingNew", errors.Service, False),
    ],
)
def test_codes(status, code, kind, is_retryable):
    """Each of S3's codes has its class, keeps its name and status, and knows whether trying again helps."""
    error = told(status, document(code))
    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (code, status, "R1")
    assert error.is_retryable() is is_retryable


def test_every_code_stands_in_the_table_once():
    """No code is claimed by two classes."""
    codes = [code for codes in decode_errors._CODES.values() for code in codes.split()]
    assert len(codes) == len(set(codes)) == len(decode_errors._CLASS_OF_CODE)


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "AccessDenied"])
def test_codes_count_behind_status_200_too(code):
    """The same document means the same whatever the status."""
    assert type(told(200, document(code))) is type(told(503 if code == "SlowDown" else 400, document(code)))


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (document("AccessDenied", "Access Denied"), "AccessDenied: Access Denied (s3://b/k)"),
        (document("NoSuchKey"), "no such object: s3://b/k"),
        (document("NoSuchUpload", "gone"), "NoSuchUpload: gone (s3://b/k)"),
        (document("InvalidPart", " one \n\n two\t"), "InvalidPart: one two (s3://b/k)"),
        (document("InvalidPart", ""), "InvalidPart (s3://b/k)"),
        (document("InvalidPart", "x&#x9b;31m\u202e"), "InvalidPart: x31m (s3://b/k)"),
        (b"", "HTTP 400 Bad Request (s3://b/k)"),
        (b"garbage", "HTTP 400 Bad Request (s3://b/k)"),
    ],
)
def test_messages_are_one_clean_line(body, line):
    """White space collapses, nothing that steers a terminal gets through, and the object is named."""
    assert told(400, body).message == line


def test_long_messages_are_cut():
    """A stranger cannot fill the log."""
    error = told(400, document("C" * 900, "m" * 9000))
    assert len(str(error)) < 700
    assert len(error.code) == 64


def test_no_part_of_the_signature_is_repeated():
    """S3 quotes the string to sign and the key id in some errors; orbit shows neither."""
    extra = "<AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId><StringToSign>AWS4 secret</StringToSign>"
    error = told(403, document("SignatureDoesNotMatch", "The signature does not match.", extra))
    assert "AKID" not in repr(error) + str(error)
    assert "AWS4" not in repr(error) + str(error)


# --- by status and looks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "request_", "kind"),
    [
        (304, GET, errors.PreconditionFailed),
        (400, HEAD, errors.Service),
        (401, HEAD, errors.Authentication),
        (403, HEAD, errors.AccessDenied),
        (404, HEAD, errors.NotFound),
        (404, encode.head_bucket(), errors.BucketNotFound),
        (404, LIST, errors.BucketNotFound),
        (405, HEAD, errors.Service),
        (408, PUT, errors.Timeout),
        (412, HEAD, errors.PreconditionFailed),
        (413, PUT, errors.TooLarge),
        (416, GET, errors.InvalidRange),
        (429, PUT, errors.RateLimitExceeded),
        (500, PUT, errors.ServerFault),
        (501, PLAIN, errors.Service),
        (501, PUT, errors.HeaderRefused),
        (502, PUT, errors.ServerFault),
        (503, PUT, errors.RateLimitExceeded),
        (504, PUT, errors.ServerFault),
        (507, PUT, errors.ServerFault),
        (999, PUT, errors.ServerFault),
        (301, HEAD, errors.RedirectRefused),
        (302, GET, errors.RedirectRefused),
        (307, PUT, errors.RedirectRefused),
    ],
)
def test_statuses_without_a_body(status, request_, kind):
    """An answer to HEAD has no body: its status decides."""
    error = told(status, request=request_)
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize("header", ["x_amz_error_code", "x_minio_error_code"])
def test_a_code_in_a_header_counts(header):
    """Some services name the code of a HEAD in a header."""
    error = told(400, request=HEAD, **{header: "ExpiredToken"})
    assert type(error) is errors.ExpiredCredentials
    assert error.code == "ExpiredToken"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, errors.NotS3),
        (400, errors.NotS3),
        (403, errors.NotS3),
        (404, errors.NotS3),
        (413, errors.TooLarge),
        (429, errors.RateLimitExceeded),
        (302, errors.RedirectRefused),
        (502, errors.ServerFault),
        (503, errors.RateLimitExceeded),
    ],
)
def test_web_pages(status, kind):
    """A web page is not S3, except where a load balancer says the same with its status."""
    assert type(told(status, HTML)) is kind


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\xff",
        document("AccessDenied")[:-3],
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",
        b"{}",
    ],
)
def test_unreadable_bodies_leave_the_status(body):
    """What cannot be read says nothing; the status still does."""
    error = told(503, body)
    assert type(error) is errors.RateLimitExceeded
    assert error.code == "E_THROTTLED"


# --- regions and redirects -------------------------------------------------------------------------------------------

MALFORMED = document("AuthorizationHeaderMalformed", "expecting", "<Region>eu-west-1</Region>")


@pytest.mark.parametrize(
    ("status", "body", "request_"),
    [
        (301, document("PermanentRedirect"), GET),
        (301, b"", HEAD),
        (307, document("TemporaryRedirect"), PUT),
        (400, b"", HEAD),
        (400, document("IllegalLocationConstraintException"), PUT),
        (400, document("AuthorizationHeaderMalformed"), PUT),
    ],
)
def test_region_in_the_header(status, body, request_):
    """Where the answer is about the region and names it, the error carries it."""
    error = told(status, body, request_, x_amz_bucket_region="eu-west-1")
    assert type(error) is errors.WrongRegion
    assert error.region == "eu-west-1"
    assert "eu-west-1" in str(error)


def test_region_in_the_body():
    """AuthorizationHeaderMalformed names the region in its document."""
    error = told(400, MALFORMED)
    assert type(error) is errors.WrongRegion
    assert error.region == "eu-west-1"


def test_a_region_beside_another_error_is_only_noted():
    """S3 names the bucket's region beside a denied access too: that is no wrong region."""
    error = told(403, document("AccessDenied"), x_amz_bucket_region="eu-west-1")
    assert type(error) is errors.AccessDenied
    assert error.region == "eu-west-1"


@pytest.mark.parametrize("region", ["evil.example/", "eu-west-1\r\nx: y", "", "é", "a" * 65])
def test_regions_that_cannot_be_are_ignored(region):
    """A region goes into host names and signatures: only letters, digits and dashes do."""
    error = told(301, b"", HEAD, x_amz_bucket_region=region)
    assert type(error) is errors.RedirectRefused
    assert error.region == ""


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_without_a_region_is_refused(status):
    """S3's own redirect codes do not make orbit follow: without a region there is nothing to sign anew for."""
    error = told(status, document("PermanentRedirect", extra="<Endpoint>evil.example</Endpoint>"), GET)
    assert type(error) is errors.RedirectRefused
    assert error.code == "PermanentRedirect"
    assert "evil.example" in str(error)


def test_a_redirect_names_the_host_and_nothing_secret():
    """The line says where the service points, without path, query or user."""
    error = told(307, b"", GET, location="https://u:p@evil.example:444/k?X-Amz-Signature=abc")
    assert error.message == "the service redirects to evil.example:444, which orbit does not follow (s3://b/k)"


# --- headers that a service does not know ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "request_", "kind"),
    [
        (501, document("NotImplemented", "A header you provided …"), PUT, errors.HeaderRefused),
        (501, document("NotImplemented"), PLAIN, errors.Service),
        (400, document("InvalidRequest", "unknown X-Amz-Checksum-Crc32c"), PUT, errors.HeaderRefused),
        (
            400,
            document("InvalidArgument", "no", "<ArgumentName>x-amz-checksum-crc32c</ArgumentName>"),
            PUT,
            errors.HeaderRefused,
        ),
        (400, document("InvalidRequest", "unknown x-amz-checksum-crc32c"), PLAIN, errors.Service),
        (400, document("InvalidRequest", "something else"), PUT, errors.Service),
        (400, document("BadDigest", "x-amz-checksum-crc32c does not match"), PUT, errors.BadDigest),
        (403, document("AccessDenied", "x-amz-checksum-crc32c"), PUT, errors.AccessDenied),
    ],
)
def test_refused_headers(status, body, request_, kind):
    """400 must name a checksum header that was sent, 501 need not; a wrong checksum is never "not known"."""
    assert type(told(status, body, request_)) is kind


def test_a_lost_race_of_a_completion_is_final():
    """After ConditionalRequestConflict a completion needs a new upload; repeating it cannot help."""
    error = told(409, document("ConditionalRequestConflict"), COMPLETE)
    assert type(error) is errors.Service
    assert not error.is_retryable()


# --- waiting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "date", "wait_s"),
    [
        ("5", "", 5.0),
        (" 0 ", "", 0.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 0.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", "", None),
        ("99999999999999999999", "", 86_400.0),
        ("Fri, 02 Jan 2099 03:04:35 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", 86_400.0),
        ("-5", "", None),
        ("²", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_retry_after(value, date, wait_s):
    """Seconds, or a date against the answer's own clock; nonsense is nothing, eternity a day."""
    assert told(503, retry_after=value, date=date).retry_after_s == wait_s


# --- errors that hide ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "body", "kind"),
    [
        ("CompleteMultipartUpload", document("InternalError"), errors.ServerFault),
        ("CompleteMultipartUpload", b"\n\n" + document("AccessDenied"), errors.AccessDenied),
        ("CompleteMultipartUpload", b"", errors.BadReply),
        ("CompleteMultipartUpload", HTML, errors.NotS3),
        ("CompleteMultipartUpload", b"<CompleteMultipartUploadResult>", errors.BadReply),
        ("CompleteMultipartUpload", b"<CopyObjectResult/>", errors.BadReply),
        ("CompleteMultipartUpload", b"<CompleteMultipartUploadResult/>", None),
        ("CopyObject", document("SlowDown"), errors.RateLimitExceeded),
        ("CopyObject", b"<CopyObjectResult/>", None),
        ("UploadPartCopy", b"", errors.BadReply),
        ("UploadPartCopy", b"<CopyPartResult/>", None),
        ("PutObject", b"", None),
        ("PutObject", HTML, errors.NotS3),
        ("PutObject", document("InternalError"), errors.ServerFault),
        ("ListObjectsV2", HTML, errors.NotS3),
        ("ListObjectsV2", b"<ListBucketResult/>", None),
        ("DeleteObjects", b"<DeleteResult><Error><Code>InternalError</Code></Error></DeleteResult>", None),
    ],
)
def test_hidden_failures(operation, body, kind):
    """A 2xx body that is an error, a web page or not what must come is found, and only that."""
    request = Request(operation=operation, method="POST", key="k")
    failure = hidden_failure(Reply(status=200, headers={}, body=body), request=request, bucket="b")
    assert (None if failure is None else type(failure)) is kind


# --- the oracle, and anything at all ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oracle():
    """Botocore's parser."""
    return Oracle()


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    code=st.text("ABCabc", min_size=1, max_size=20),
    message=st.text("ab &<>é'\".", max_size=30).filter(lambda text: text == " ".join(text.split())),
    status=st.sampled_from([400, 403, 404, 409, 500]),
)
def test_codes_and_messages_equal_botocore(oracle, code, message, status):
    """Code and message are those that botocore reads."""
    body = document(code, message.replace("&", "&amp;").replace("<", "&lt;"))
    parsed = oracle.parse("PutObject", status=status, headers={}, body=body)["Error"]
    error = told(status, body)
    assert error.code == parsed["Code"]
    assert error.message == (f"{parsed['Code']}: {parsed['Message']} (s3://b/k)" if message else f"{code} (s3://b/k)")


@given(
    status=st.integers(200, 599),
    body=st.binary(max_size=100) | st.sampled_from([HTML, MALFORMED]),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "x-amz-bucket-region", "location", "x-amz-request-id", "date"]), st.text()
    ),
)
def test_any_answer_becomes_an_error(status, body, headers):
    """Nothing that a service can send raises instead of being described in one line."""
    error = error_of(status, headers, body, request=GET, bucket="b")
    assert isinstance(error, errors.S3Error)
    assert "\n" not in str(error)
    assert error.code
