"""Every verb's answer: what botocore reads in it, and an error where it is not a whole success."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core import decode
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotFound
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import RateLimitExceeded
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.errors import Service
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Reply
from orbit_fast.core.xml import escape
from tests.kit.s3_oracle import Oracle

few = hypothesis_settings(max_examples=40, deadline=None)
INITIATED = b"InitiateMultipartUploadResult"
ALGORITHMS = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")
etags = st.text("0123456789abcdef", min_size=1, max_size=32)
versions = st.sampled_from(["", "null", "3/L4kqtJlcpXroDTDmJ"])
checksums = st.none() | st.builds(
    Checksum, st.sampled_from(ALGORITHMS), st.just("AAAAAA=="), st.sampled_from(["FULL_OBJECT", "COMPOSITE"])
)
keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
keys = keys.filter(lambda key: not set(key) & {"\ufffe", "\uffff"} and key.strip() != "")


@pytest.fixture(scope="module")
def oracle():
    """Botocore's parser."""
    return Oracle()


def reply(body: bytes = b"", status: int = 200, **headers: str) -> Reply:
    """An answer; header names are written with underscores."""
    return Reply(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def stored_headers(etag: str, version: str, checksum: Checksum | None) -> dict[str, str]:
    """The headers of a stored body."""
    headers = {"etag": f'"{etag}"'}
    if version:
        headers["x-amz-version-id"] = version
    if checksum is not None:
        headers[f"x-amz-checksum-{checksum.algorithm.lower()}"] = checksum.value
        headers["x-amz-checksum-type"] = checksum.kind
    return headers


def result(root: str, etag: str, checksum: Checksum | None, more: str = "") -> bytes:
    """A result document with an ETag and perhaps a checksum."""
    proof = ""
    if checksum is not None:
        name = f"Checksum{checksum.algorithm}"
        proof = f"<{name}>{checksum.value}</{name}><ChecksumType>{checksum.kind}</ChecksumType>"
    return f'<{root} xmlns="urn:s3"><ETag>&quot;{etag}&quot;</ETag>{proof}{more}</{root}>'.encode()


def their_checksum(parsed: dict[str, str]) -> Checksum | None:
    """The preferred checksum of what botocore parsed."""
    for algorithm in ALGORITHMS:
        if f"Checksum{algorithm}" in parsed:
            return Checksum(algorithm, parsed[f"Checksum{algorithm}"], parsed["ChecksumType"])
    return None


# --- agreement with botocore -----------------------------------------------------------------------------------------


@few
@given(etag=etags, version=versions, checksum=checksums)
def test_put_object_equals_botocore(oracle, etag, version, checksum):
    """ETag, version and checksum of a PutObject are botocore's."""
    headers = stored_headers(etag, version, checksum)
    parsed = oracle.parse("PutObject", headers=headers, body=b"")
    ours = decode.put_object(Reply(status=200, headers=headers))
    assert ours.etag == parsed["ETag"].strip('"')
    assert ours.version_id == parsed.get("VersionId", "")
    assert ours.checksum == their_checksum(parsed) == checksum


@few
@given(etag=etags, checksum=checksums)
def test_upload_part_equals_botocore(oracle, etag, checksum):
    """ETag and checksum of an UploadPart are botocore's."""
    headers = stored_headers(etag, "", checksum)
    parsed = oracle.parse("UploadPart", headers=headers, body=b"")
    ours = decode.upload_part(Reply(status=200, headers=headers))
    assert ours.etag == parsed["ETag"].strip('"')
    assert (ours.checksum is None) is (checksum is None)
    if checksum is not None:
        assert ours.checksum.value == parsed[f"Checksum{checksum.algorithm}"]


@few
@given(etag=etags, version=versions, checksum=checksums, padding=st.sampled_from(["", " ", "\n\n  \n"]))
def test_complete_equals_botocore(oracle, etag, version, checksum, padding):
    """A completion's document is read as botocore reads it, also after minutes of leading white space."""
    body = result("CompleteMultipartUploadResult", etag, checksum, "<Bucket>b</Bucket><Key>k</Key>")
    headers = {"x-amz-version-id": version} if version else {}
    parsed = oracle.parse("CompleteMultipartUpload", headers=headers, body=body)
    ours = decode.complete_multipart_upload(Reply(status=200, headers=headers, body=padding.encode() + body))
    assert ours.etag == parsed["ETag"].strip('"')
    assert ours.version_id == parsed.get("VersionId", "")
    assert ours.checksum == their_checksum(parsed) == checksum


@few
@given(etag=etags, version=versions, checksum=checksums)
def test_copies_equal_botocore(oracle, etag, version, checksum):
    """CopyObject and UploadPartCopy are read as botocore reads them."""
    when = "<LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    headers = {"x-amz-version-id": version, "x-amz-copy-source-version-id": "s1"} if version else {}
    body = result("CopyObjectResult", etag, checksum, when)
    parsed = oracle.parse("CopyObject", headers=headers, body=body)
    copied = decode.copy_object(Reply(status=200, headers=headers, body=body))
    theirs = parsed["CopyObjectResult"]
    assert copied.etag == theirs["ETag"].strip('"')
    assert copied.mtime_ns == int(theirs["LastModified"].timestamp()) * 1_000_000_000
    assert (copied.version_id, copied.source_version_id) == (
        parsed.get("VersionId", ""),
        parsed.get("CopySourceVersionId", ""),
    )
    assert copied.checksum == their_checksum(theirs)
    part = decode.upload_part_copy(reply(result("CopyPartResult", etag, checksum)))
    assert (part.etag, part.checksum) == (etag, checksum)


@few
@given(
    pairs=st.lists(
        st.tuples(keys, st.sampled_from(["", "v1"]), st.sampled_from(["", "AccessDenied", "InternalError"])),
        max_size=5,
        unique_by=lambda row: row[:2],
    )
)
def test_delete_objects_equals_botocore(oracle, pairs):
    """Which keys are gone and which failed with what is botocore's reading, in the order asked."""
    body = "<DeleteResult>"
    for key, version, code in pairs:
        name = f"<Key>{escape(key)}</Key>" + (f"<VersionId>{version}</VersionId>" if version else "")
        error = f"<Error>{name}<Code>{code}</Code><Message>m</Message></Error>"
        body += error if code else f"<Deleted>{name}<DeleteMarkerVersionId>d</DeleteMarkerVersionId></Deleted>"
    encoded = f"{body}</DeleteResult>".encode()
    asked = [(key, version) for key, version, _ in pairs]
    ours = decode.delete_objects(reply(encoded), keys=asked, quiet=False, bucket="b")
    parsed = oracle.parse("DeleteObjects", headers={}, body=encoded)
    gone = {(item["Key"], item.get("VersionId", "")) for item in parsed.get("Deleted", [])}
    failed = {(item["Key"], item.get("VersionId", "")): item["Code"] for item in parsed.get("Errors", [])}
    assert [(item.key, item.version_id) for item in ours] == asked
    assert {(item.key, item.version_id) for item in ours if item.failure is None} == gone
    assert {(i.key, i.version_id): i.failure.code for i in ours if i.failure is not None} == failed
    assert all(item.marker_version_id == "d" for item in ours if item.failure is None)


def test_get_object_tagging_equals_botocore(oracle):
    """Tags come back as pairs, in order, empty values included."""
    body = (
        b"<Tagging><TagSet><Tag><Key>a</Key><Value>1&amp;2</Value></Tag>"
        b"<Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>"
    )
    parsed = oracle.parse("GetObjectTagging", headers={}, body=body)
    ours = decode.get_object_tagging(reply(body))
    assert list(ours) == [(tag["Key"], tag["Value"]) for tag in parsed["TagSet"]] == [("a", "1&2"), ("b", "")]
    assert decode.get_object_tagging(reply(b"<Tagging><TagSet/></Tagging>")) == ()


@pytest.mark.parametrize("root", [INITIATED, b"InitiateMultipartUpload"])
def test_create_multipart_upload_equals_botocore(oracle, root):
    """The upload id is botocore's, also where the service, as rclone does, names its answer otherwise."""
    body = b"<%s><Bucket>b</Bucket><Key>k</Key><UploadId>a/+=</UploadId></%s>" % (root, root)
    parsed = oracle.parse("CreateMultipartUpload", headers={}, body=body)
    assert decode.create_multipart_upload(reply(body)) == parsed["UploadId"] == "a/+="


# --- answers that are headers ----------------------------------------------------------------------------------------


def test_delete_object():
    """The version that went, or the marker that came."""
    assert decode.delete_object(reply(status=204)) == decode.Deleted()
    found = decode.delete_object(reply(status=204, x_amz_version_id="v", x_amz_delete_marker="true"))
    assert found == decode.Deleted(version_id="v", is_delete_marker=True)


def test_heads():
    """HeadObject gives facts, HeadBucket the region; GetObject's head is read like HeadObject's."""
    headers = {"content-length": "3", "etag": '"e"'}
    assert decode.head_object(Reply(status=200, headers=headers)) == decode.get_object(headers)
    assert decode.get_object(headers).size == 3
    assert decode.head_bucket(reply(x_amz_bucket_region="eu-west-1")) == "eu-west-1"
    assert decode.head_bucket(reply()) == ""


def test_encryption_is_told():
    """Whoever compares ETags must know that this one is no MD5."""
    assert decode.put_object(reply(etag='"e"', x_amz_server_side_encryption="aws:kms")).encryption == "aws:kms"
    assert decode.upload_part(reply(etag='"e"')).encryption == ""


# --- what is no success ----------------------------------------------------------------------------------------------

HTML = b"<html><body>Please sign in</body></html>"
ERROR = b"<Error><Code>%s</Code><Message>m</Message></Error>"
DOCUMENTS = {
    decode.create_multipart_upload: b"<%s><UploadId>u</UploadId></%s>" % (INITIATED, INITIATED),
    decode.complete_multipart_upload: b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>",
    decode.copy_object: b"<CopyObjectResult><ETag>e</ETag></CopyObjectResult>",
    decode.upload_part_copy: b"<CopyPartResult><ETag>e</ETag></CopyPartResult>",
    decode.get_object_tagging: b"<Tagging><TagSet></TagSet></Tagging>",
    lambda found: decode.delete_objects(found, keys=[]): b"<DeleteResult></DeleteResult>",
}
documents = pytest.mark.parametrize(("verb", "good"), DOCUMENTS.items())


@documents
def test_only_the_whole_document_is_a_success(verb, good):
    """Every proper prefix of a result, and every other root, is an error; the whole is not."""
    verb(reply(good))
    for end in range(len(good)):
        with pytest.raises(BadReply):
            verb(reply(good[:end]))
    for body in (HTML, b"", b" \n", b"OK", b"<Other/>", b"<!DOCTYPE x>" + good, good + good):
        with pytest.raises(BadReply):
            verb(reply(body))


@documents
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (b"InternalError", ServerFault),
        (b"SlowDown", RateLimitExceeded),
        (b"AccessDenied", AccessDenied),
        (b"X", Service),
    ],
)
def test_an_error_behind_status_200_is_raised(verb, good, code, kind):
    """200 with an error document is that error."""
    assert b"<Error>" not in good
    with pytest.raises(kind) as caught:
        verb(reply(ERROR % code))
    assert caught.value.code == code.decode()


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        (decode.create_multipart_upload, b"<InitiateMultipartUploadResult/>"),
        (decode.create_multipart_upload, b"<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>"),
        (decode.complete_multipart_upload, b"<CompleteMultipartUploadResult/>"),
        (
            decode.complete_multipart_upload,
            b"<CompleteMultipartUploadResult><ETag>&quot;&quot;</ETag></CompleteMultipartUploadResult>",
        ),
        (decode.copy_object, b"<CopyObjectResult/>"),
        (decode.copy_object, b"<CopyObjectResult><ETag/></CopyObjectResult>"),
        (decode.upload_part_copy, b"<CopyPartResult><ETag>&quot;&quot;</ETag></CopyPartResult>"),
        (decode.get_object_tagging, b"<Tagging/>"),
    ],
)
def test_mandatory_children(verb, body):
    """A result without its id or ETag proves nothing."""
    with pytest.raises(BadReply) as caught:
        verb(reply(body))
    assert caught.value.is_retryable()


@pytest.mark.parametrize("verb", [decode.put_object, decode.upload_part])
@pytest.mark.parametrize("headers", [{}, {"etag": ""}, {"etag": '""'}])
def test_a_body_stored_without_an_etag_is_not_believed(verb, headers):
    """200 without an ETag is no proof that anything was stored."""
    with pytest.raises(BadReply):
        verb(Reply(status=200, headers=headers))


@pytest.mark.parametrize(
    "verb",
    [decode.put_object, decode.upload_part, decode.delete_object, decode.create_bucket, decode.abort_multipart_upload],
)
def test_pages_and_errors_where_nothing_should_be(verb):
    """A proxy's login page, or an error document, behind status 200 is found where the body should be empty."""
    with pytest.raises(NotS3):
        verb(reply(HTML, etag='"e"'))
    with pytest.raises(ServerFault):
        verb(reply(ERROR % b"InternalError", etag='"e"'))
    verb(reply(etag='"e"'))


def test_delete_objects_leaves_no_key_unanswered():
    """Silence means deleted only in quiet mode; a foreign key in the answer is an error."""
    asked = [("a", ""), ("b", "v")]
    quiet = decode.delete_objects(reply(b"<DeleteResult/>"), keys=asked)
    assert [item.failure for item in quiet] == [None, None]
    loud = decode.delete_objects(reply(b"<DeleteResult/>"), keys=asked, quiet=False)
    assert [type(item.failure) for item in loud] == [BadReply, BadReply]
    with pytest.raises(BadReply):
        decode.delete_objects(reply(b"<DeleteResult><Deleted><Key>c</Key></Deleted></DeleteResult>"), keys=asked)


def test_delete_objects_may_say_which_version_it_was():
    """A version that was not asked for does not make it another key; where both were asked for each is itself."""
    body = b"<DeleteResult><Deleted><Key>a</Key><VersionId>v</VersionId></Deleted></DeleteResult>"
    told = decode.delete_objects(reply(body), keys=[("a", "")], quiet=False)
    assert [(one.key, one.version_id, one.failure) for one in told] == [("a", "", None)]
    told = decode.delete_objects(reply(body), keys=[("a", ""), ("a", "v")], quiet=False)
    assert [one.failure is None for one in told] == [False, True]


def test_delete_objects_names_the_failed_key():
    """The failure of one key knows its class and names the object."""
    body = b"<DeleteResult><Error><Key>a</Key><Code>%s</Code><Message>m</Message></Error></DeleteResult>"
    denied = decode.delete_objects(reply(body % b"AccessDenied"), keys=[("a", "")], bucket="b")[0].failure
    assert type(denied) is AccessDenied
    assert denied.message == "AccessDenied: m (s3://b/a)"
    assert "s3:DeleteObject;" in denied.advice
    absent = decode.delete_objects(reply(body % b"NoSuchKey"), keys=[("a", "")], bucket="b")[0].failure
    assert type(absent) is NotFound
