"""Every verb's request equals what botocore's serialiser makes of the same call."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.utils import calculate_md5
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core import encode
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.messages import PartFact
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import ObjectSettings
from tests.kit.s3_oracle import Oracle
from tests.kit.s3_oracle import comparable

few = hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What XML can carry is a subset of what a path can carry; keys for bodies are drawn from it.
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda key: key[0] != "/")
xml_keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r\x7f\x85&<>\"'"), min_size=1)
xml_keys = xml_keys.filter(lambda key: not set(key) & {"\ufffe", "\uffff"} and key.strip() != "")
tokens = st.text(st.sampled_from("abcXYZ019._-~+/= "), min_size=1, max_size=20)
header_words = st.text(st.sampled_from("abcXYZ019._-~+/=;, \"'"), min_size=1, max_size=20).map(str.strip).filter(bool)
etags = st.text(st.sampled_from("0123456789abcdef"), min_size=32, max_size=32)
byte_ranges = st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)).map(lambda pair: (min(pair), max(pair)))
numbers = st.integers(1, 10_000)
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
checksums = st.builds(Checksum, st.sampled_from(ALGORITHMS), st.sampled_from(["AAAAAA==", "q83vEg==", "x+/0Aa=="]))
SSE_C_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def oracle():
    """One botocore client for the module: making it costs a third of a second."""
    return Oracle()


def given_only(**values: Any) -> dict[str, Any]:
    """The parameters that have a value: botocore serialises an empty string, orbit leaves it out."""
    return {name: value for name, value in values.items() if value}


# --- objects ---------------------------------------------------------------------------------------------------------


@few
@given(key=keys, checksum=checksums | st.none(), body=st.binary(max_size=20), if_none_match=st.booleans())
def test_put_object_equals_botocore(oracle, key, checksum, body, if_none_match):
    """PutObject announces the given checksum and nothing more."""
    expected = oracle.request(
        "PutObject",
        Key=key,
        Body=body,
        **({f"Checksum{checksum.algorithm}": checksum.value} if checksum else {}),
        **({"IfNoneMatch": "*"} if if_none_match else {}),
    )
    request = encode.put_object(key, checksum=checksum, body=body, if_none_match=if_none_match)
    assert comparable(request) == expected
    assert request.operation == "PutObject"


@few
@given(
    words=st.lists(header_words, min_size=9, max_size=9),
    metadata=st.dictionaries(st.sampled_from(["mtime", "Mode", "x-1", "A_b"]), header_words, max_size=4),
    tags=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), tokens | st.just("")),
    has_key=st.booleans(),
)
def test_object_headers_equal_botocore(oracle, words, metadata, tags, has_key):
    """What an object is given becomes the headers that botocore makes of the same wishes."""
    settings = ObjectSettings(
        content_type=words[0],
        content_encoding=words[1],
        content_disposition=words[2],
        content_language=words[3],
        cache_control=words[4],
        acl=words[5],
        storage_class=words[6],
        sse=words[7],
        sse_kms_key_id=words[8],
        expires="Thu, 01 Jan 2026 00:00:00 GMT",
        metadata=tuple(metadata.items()),
        tags=tuple(tags.items()),
        sse_c_key=SSE_C_KEY if has_key else b"",
    )
    expected = oracle.request(
        "PutObject",
        Key="k",
        ContentType=words[0],
        ContentEncoding=words[1],
        ContentDisposition=words[2],
        ContentLanguage=words[3],
        CacheControl=words[4],
        ACL=words[5],
        StorageClass=words[6],
        ServerSideEncryption=words[7],
        SSEKMSKeyId=words[8],
        Expires="Thu, 01 Jan 2026 00:00:00 GMT",
        Metadata=metadata,
        **given_only(Tagging=encode.tagging(tags.items())),
        **({"SSECustomerAlgorithm": "AES256", "SSECustomerKey": SSE_C_KEY} if has_key else {}),
    )
    headers = encode.object_headers(settings, content_type="not/used")
    assert comparable(encode.put_object("k", headers=headers, checksum=None)) == expected


@few
@given(key=keys, version=tokens | st.just(""), byte_range=byte_ranges | st.none(), etag=etags | st.just(""))
def test_get_object_equals_botocore(oracle, key, version, byte_range, etag):
    """GetObject carries its range, its condition with quotes, and asks for checksums."""
    wishes = given_only(
        VersionId=version,
        IfMatch=etag and f'"{etag}"',
        Range=byte_range and f"bytes={byte_range[0]}-{byte_range[1]}",
    )
    expected = oracle.request("GetObject", Key=key, ChecksumMode="ENABLED", **wishes)
    request = encode.get_object(key, version_id=version, byte_range=byte_range, if_match=etag)
    assert comparable(request) == expected


@few
@given(key=keys, version=tokens | st.just(""), etag=etags | st.just(""), checksum_mode=st.booleans())
def test_head_object_equals_botocore(oracle, key, version, etag, checksum_mode):
    """HeadObject with a customer key names that key."""
    customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": SSE_C_KEY}
    mode = {"ChecksumMode": "ENABLED"} if checksum_mode else {}
    wishes = given_only(VersionId=version, IfMatch=etag and f'"{etag}"')
    expected = oracle.request("HeadObject", Key=key, **mode, **wishes, **customer)
    request = encode.head_object(
        key,
        version_id=version,
        if_match=etag,
        checksum_mode=checksum_mode,
        headers=encode.sse_c_headers(ObjectSettings(sse_c_key=SSE_C_KEY)),
    )
    assert comparable(request) == expected


@few
@given(key=keys, version=tokens | st.just(""), etag=etags | st.just(""))
def test_delete_object_equals_botocore(oracle, key, version, etag):
    """DeleteObject names a version or an ETag only where one is given."""
    wishes = given_only(VersionId=version, IfMatch=etag and f'"{etag}"')
    expected = oracle.request("DeleteObject", Key=key, **wishes)
    assert comparable(encode.delete_object(key, version_id=version, if_match=etag)) == expected


@few
@given(key=keys, version=tokens | st.just(""))
def test_get_object_tagging_equals_botocore(oracle, key, version):
    """GetObjectTagging asks for the tags of one version."""
    expected = oracle.request("GetObjectTagging", Key=key, **given_only(VersionId=version))
    assert comparable(encode.get_object_tagging(key, version_id=version)) == expected


@few
@given(
    pairs=st.lists(st.tuples(xml_keys, st.sampled_from(["", "v1", "3/L4kqtJl<&"])), min_size=1, max_size=5),
    quiet=st.booleans(),
    etag=st.sampled_from(["", "abc-2", "<&>"]),
)
def test_delete_objects_equals_botocore(oracle, pairs, quiet, etag):
    """DeleteObjects' body is botocore's, byte for byte, and so is its checksum; a version needs no ETag."""
    condition = given_only(ETag=f'"{etag}"' if etag else "")
    objects = [{"Key": key, **(given_only(VersionId=version) or condition)} for key, version in pairs]
    delete = {"Objects": objects, **({"Quiet": True} if quiet else {})}
    expected = oracle.request("DeleteObjects", Delete=delete)
    etags = {key: etag for key, _ in pairs if etag}
    assert comparable(encode.delete_objects(pairs, quiet=quiet, etags=etags)) == expected


def test_delete_objects_with_md5():
    """For services that know no CRC32 the body is proven by Content-MD5 alone."""
    request = encode.delete_objects([("k", "")], use_md5=True)
    assert request.headers == (("content-md5", calculate_md5(request.body)),)
    assert request.body == encode.delete_objects([("k", "")]).body


@few
@given(
    source_key=keys,
    bucket=st.sampled_from(["source", "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"]),
    version=st.sampled_from(["", "null", "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"]),
    etag=etags | st.just(""),
    directive=st.sampled_from(["", "COPY", "REPLACE"]),
)
def test_copy_object_equals_botocore(oracle, source_key, bucket, version, etag, directive):
    """CopyObject names its source percent-encoded, through an access point too, with condition and directives."""
    source = {"Bucket": bucket, "Key": source_key, **given_only(VersionId=version)}
    wishes = given_only(CopySourceIfMatch=etag and f'"{etag}"', MetadataDirective=directive, TaggingDirective=directive)
    customer = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": SSE_C_KEY}
    expected = oracle.request("CopyObject", Key="k", CopySource=source, **wishes, **customer)
    request = encode.copy_object(
        "k",
        source=encode.CopySource(bucket=bucket, key=source_key, version_id=version, if_match=etag),
        headers=encode.sse_c_headers(ObjectSettings(sse_c_key=SSE_C_KEY), copy_source=True),
        metadata_directive=directive,
        tagging_directive=directive,
    )
    assert comparable(request) == expected


# --- multipart uploads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["", *ALGORITHMS])
def test_create_multipart_upload_equals_botocore(oracle, algorithm):
    """CRCs are asked for as full-object checksums, hashes as S3's default, and nothing where there is no algorithm."""
    kind = "FULL_OBJECT" if algorithm.startswith("CRC") else ""
    wishes = given_only(ChecksumAlgorithm=algorithm, ChecksumType=kind)
    expected = oracle.request("CreateMultipartUpload", Key="k", StorageClass="GLACIER_IR", **wishes)
    headers = encode.object_headers(ObjectSettings(storage_class="GLACIER_IR"), content_type="")
    assert comparable(encode.create_multipart_upload("k", headers=headers, algorithm=algorithm)) == expected


@few
@given(key=keys, upload_id=tokens, number=numbers, checksum=checksums | st.none())
def test_upload_part_equals_botocore(oracle, key, upload_id, number, checksum):
    """UploadPart names upload and number in the query and its checksum in a header."""
    proof = {f"Checksum{checksum.algorithm}": checksum.value} if checksum else {}
    expected = oracle.request("UploadPart", Key=key, UploadId=upload_id, PartNumber=number, **proof)
    request = encode.upload_part(key, upload_id=upload_id, number=number, checksum=checksum)
    assert comparable(request) == expected


@few
@given(upload_id=tokens, number=numbers, byte_range=byte_ranges | st.none(), etag=etags)
def test_upload_part_copy_equals_botocore(oracle, upload_id, number, byte_range, etag):
    """UploadPartCopy pins its source to an ETag and names the range."""
    expected = oracle.request(
        "UploadPartCopy",
        Key="k",
        UploadId=upload_id,
        PartNumber=number,
        CopySource={"Bucket": "s", "Key": "a b"},
        CopySourceIfMatch=f'"{etag}"',
        **given_only(CopySourceRange=byte_range and f"bytes={byte_range[0]}-{byte_range[1]}"),
    )
    source = encode.CopySource(bucket="s", key="a b", if_match=etag)
    request = encode.upload_part_copy("k", upload_id=upload_id, number=number, source=source, byte_range=byte_range)
    assert comparable(request) == expected


@few
@given(
    algorithm=st.sampled_from(["", *ALGORITHMS]),
    proofs=st.lists(st.tuples(etags, st.sampled_from(["", "AAAAAA=="])), min_size=1, max_size=4),
    whole=checksums | st.none(),
    is_conditional=st.booleans(),
)
def test_complete_multipart_upload_equals_botocore(oracle, algorithm, proofs, whole, is_conditional):
    """CompleteMultipartUpload lists every part, announces the whole size and the whole checksum."""
    parts = [PartFact(n, 7 * (n - 1), 7, etag, proof) for n, (etag, proof) in enumerate(proofs, start=1)]
    listed = [
        {
            "ETag": f'"{part.etag}"',
            **({f"Checksum{algorithm}": part.checksum} if algorithm and part.checksum else {}),
            "PartNumber": part.number,
        }
        for part in parts
    ]
    expected = oracle.request(
        "CompleteMultipartUpload",
        Key="k",
        UploadId="u/1",
        MultipartUpload={"Parts": listed},
        MpuObjectSize=7 * len(parts),
        **({f"Checksum{whole.algorithm}": whole.value, "ChecksumType": whole.kind} if whole else {}),
        **({"IfNoneMatch": "*"} if is_conditional else {}),
    )
    request = encode.complete_multipart_upload(
        "k",
        upload_id="u/1",
        parts=parts,
        algorithm=algorithm,
        checksum=whole,
        headers=encode.ONLY_IF_ABSENT if is_conditional else (),
    )
    assert comparable(request) == expected


@pytest.mark.parametrize("numbers", [[], [2], [1, 3], [2, 1], [1, 1]])
def test_complete_refuses_gaps(numbers):
    """A list of parts that is not 1..N never becomes a request: S3 would make a shorter object of it."""
    parts = [PartFact(number, 0, 5, "e") for number in numbers]
    with pytest.raises(AssertionError):
        encode.complete_multipart_upload("k", upload_id="u", parts=parts, algorithm="")


@few
@given(key=keys, upload_id=tokens, marker=st.integers(0, 10_000))
def test_abort_and_list_parts_equal_botocore(oracle, key, upload_id, marker):
    """AbortMultipartUpload and ListParts name the upload; a marker of 0 is the first page."""
    expected = oracle.request("AbortMultipartUpload", Key=key, UploadId=upload_id)
    assert comparable(encode.abort_multipart_upload(key, upload_id=upload_id)) == expected
    expected = oracle.request("ListParts", Key=key, UploadId=upload_id, **given_only(PartNumberMarker=marker))
    assert comparable(encode.list_parts(key, upload_id=upload_id, marker=marker)) == expected


# --- listings and buckets --------------------------------------------------------------------------------------------


@few
@given(prefix=keys | st.just(""), delimiter=st.sampled_from(["", "/"]), token=tokens | st.just(""))
def test_list_objects_v2_equals_botocore(oracle, prefix, delimiter, token):
    """ListObjectsV2 asks for percent-encoded keys and names only what is given."""
    wishes = given_only(Prefix=prefix, Delimiter=delimiter, ContinuationToken=token, StartAfter=prefix)
    expected = oracle.request("ListObjectsV2", MaxKeys=1000, **wishes)
    request = encode.list_objects_v2(prefix=prefix, delimiter=delimiter, token=token, start_after=prefix)
    assert comparable(request) == expected


@few
@given(prefix=keys | st.just(""), delimiter=st.sampled_from(["", "/"]), marker=keys | st.just(""))
def test_list_objects_v1_equals_botocore(oracle, prefix, delimiter, marker):
    """ListObjects asks the same with a marker."""
    wishes = given_only(Prefix=prefix, Delimiter=delimiter, Marker=marker)
    expected = oracle.request("ListObjects", MaxKeys=17, **wishes)
    request = encode.list_objects_v1(prefix=prefix, delimiter=delimiter, marker=marker, max_keys=17)
    assert comparable(request) == expected


@few
@given(prefix=keys | st.just(""), key_marker=keys | st.just(""), upload_id_marker=tokens | st.just(""))
def test_list_multipart_uploads_equals_botocore(oracle, prefix, key_marker, upload_id_marker):
    """ListMultipartUploads goes on from both markers."""
    wishes = given_only(Prefix=prefix, KeyMarker=key_marker, UploadIdMarker=upload_id_marker)
    expected = oracle.request("ListMultipartUploads", EncodingType="url", **wishes)
    request = encode.list_multipart_uploads(prefix=prefix, key_marker=key_marker, upload_id_marker=upload_id_marker)
    assert comparable(request) == expected


@pytest.mark.parametrize("region", ["", "us-east-1", "eu-west-1"])
def test_bucket_requests_equal_botocore(oracle, region):
    """CreateBucket names every region but S3's default; HeadBucket has nothing to say."""
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region == "eu-west-1" else {}
    assert comparable(encode.create_bucket(region=region)) == oracle.request("CreateBucket", **place)
    assert comparable(encode.head_bucket()) == oracle.request("HeadBucket")


# --- what cannot be sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ObjectSettings(metadata=(("name", "é"),)), "'name'"),
        (ObjectSettings(metadata=(("naïve", "x"),)), "metadata name"),
        (ObjectSettings(metadata=(("a b", "x"),)), "metadata name"),
        (ObjectSettings(metadata=(("", "x"),)), "metadata name"),
        (ObjectSettings(metadata=(("A", "1"), ("a", "2"))), "twice"),
        (ObjectSettings(metadata=(("a", "1\r\nx-amz-acl: public-read"),)), "'a'"),
        (ObjectSettings(content_disposition='attachment; filename="é"'), "content-disposition"),
        (ObjectSettings(cache_control="a\nb"), "cache-control"),
        (ObjectSettings(content_type="text/\x00"), "content-type"),
        (ObjectSettings(tags=(("a", "1"), ("a", "2"))), "once"),
        (ObjectSettings(tags=(("", "1"),)), "names"),
        (ObjectSettings(sse_c_key=b"short"), "32 bytes"),
    ],
)
def test_values_that_no_header_carries_are_refused(settings, said):
    """A value that S3 cannot keep is refused before a byte is sent, and the line names it."""
    with pytest.raises(InvalidConfig, match=said):
        encode.object_headers(settings, content_type="")


def test_a_refused_customer_key_is_not_shown():
    """The line about a bad SSE-C key does not contain the key."""
    with pytest.raises(InvalidConfig) as caught:
        encode.sse_c_headers(ObjectSettings(sse_c_key=b"hunter2"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["a\x00", "\x01", "a\x1fb", "\ufffe", "\uffff", "\ud800"])
def test_keys_that_xml_cannot_carry_are_refused(key):
    """DeleteObjects never names another key than the one meant: what XML cannot write is refused."""
    with pytest.raises(InvalidKey):
        encode.delete_objects([("good", ""), (key, "")])


def test_guessed_type_is_used_where_the_user_named_none():
    """The user's content type wins over the guess; no guess and no wish send none."""
    named = ObjectSettings(content_type="a/b")
    assert encode.object_headers(named, content_type="c/d") == (("content-type", "a/b"),)
    assert encode.object_headers(ObjectSettings(), content_type="c/d") == (("content-type", "c/d"),)
    assert encode.object_headers(ObjectSettings(), content_type="") == ()


@pytest.mark.parametrize(
    ("etag", "sent"),
    [("abc", '"abc"'), ('"abc"', '"abc"'), ('W/"abc"', 'W/"abc"'), ("*", "*"), ("a-3", '"a-3"')],
)
def test_conditions_quote_etags_once(etag, sent):
    """An ETag goes out in quotes whether it came with them or not."""
    request = encode.get_object("k", if_match=etag, checksum_mode=False)
    assert request.headers == (("if-match", sent),)
