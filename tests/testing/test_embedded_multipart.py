"""Multipart uploads as boto3 makes them, right and wrong."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib

import pytest
from botocore.exceptions import ClientError

MIN_PART = 64 * 1024
KINDS = [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"),
         ("CRC64NVME", "FULL_OBJECT"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")]  # fmt: skip


def _code(function, **arguments):
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    return caught.value.response["Error"]["Code"]


class Upload:
    """A multipart upload in the making."""

    def __init__(self, client, bucket, key="k", **options):
        self.client, self.bucket, self.key = client, bucket, key
        self.id = client.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
        self.algorithm = options.get("ChecksumAlgorithm", "CRC32")
        self.facts = []
        self.data = b""

    @property
    def names(self):
        """What every request names."""
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.id}

    def part(self, number, data):
        """Upload a part."""
        name = f"Checksum{self.algorithm}"
        reply = self.client.upload_part(PartNumber=number, Body=data, ChecksumAlgorithm=self.algorithm, **self.names)
        self.facts.append({"PartNumber": number, "ETag": reply["ETag"], name: reply[name]})
        self.data += data

    def complete(self, facts=None, **options):
        """Complete with these parts, or all."""
        parts = {"Parts": self.facts if facts is None else facts}
        return self.client.complete_multipart_upload(MultipartUpload=parts, **self.names, **options)


@pytest.fixture
def three(client, bucket):
    """An upload with parts 2, 5 and 9."""
    upload = Upload(client, bucket, ChecksumAlgorithm="CRC32")
    for number, size in ((2, MIN_PART), (5, MIN_PART + 1), (9, 3)):
        upload.part(number, os.urandom(size))
    return upload


@pytest.mark.parametrize(("algorithm", "kind"), KINDS)
def test_checksum_of_the_whole(client, server, bucket, algorithm, kind):
    """Complete stores the composite or full-object checksum; a full one equals that of a single PUT."""
    upload = Upload(client, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    for number in (1, 2, 3):
        upload.part(number, os.urandom(MIN_PART))
    done = upload.complete()
    assert server.store.read(bucket, "k") == upload.data
    assert done["ChecksumType"] == kind
    value = done[f"Checksum{algorithm}"]
    assert value.endswith("-3") == (kind == "COMPOSITE")
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (value, kind)
    single = client.put_object(Bucket=bucket, Key="one", Body=upload.data, ChecksumAlgorithm=algorithm)
    assert (single[f"Checksum{algorithm}"] == value) == (kind == "FULL_OBJECT")


def test_etag_parts_and_ranges_across_parts(client, server, three, bucket):
    """The ETag is the MD5 of the MD5s, a part can be read by number, a range may cross parts."""
    done = three.complete()
    md5s = b"".join(bytes.fromhex(fact["ETag"].strip('"')) for fact in three.facts)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    second = client.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert second["Body"].read() == three.data[MIN_PART : 2 * MIN_PART + 1]
    assert second["PartsCount"] == 3
    crossing = client.get_object(Bucket=bucket, Key="k", Range=f"bytes={MIN_PART - 2}-{2 * MIN_PART + 2}")
    assert crossing["Body"].read() == three.data[MIN_PART - 2 : 2 * MIN_PART + 3]
    assert server.store.unfinished_uploads() == []


def _other(fact, **changes):
    return {**fact, **changes}


WRONG = [
    ("InvalidPartOrder", lambda facts: [facts[1], facts[0], facts[2]]),
    ("InvalidPartOrder", lambda facts: [facts[0], facts[0]]),
    ("InvalidPart", lambda facts: [_other(facts[0], ETag='"0"')]),
    ("InvalidPart", lambda facts: [_other(facts[0], PartNumber=3)]),
    ("InvalidPart", lambda facts: [_other(facts[0], ChecksumCRC32="AAAAAA==")]),
    ("InvalidRequest", lambda facts: [{name: facts[0][name] for name in ("PartNumber", "ETag")}]),
    ("EntityTooSmall", lambda facts: [facts[0], facts[2], facts[3]]),
    ("MalformedXML", lambda facts: []),
]


@pytest.mark.parametrize(("code", "choose"), WRONG)
def test_complete_refuses_wrong_parts(server, three, bucket, code, choose):
    """A wrong list of parts completes nothing, and the upload stays as it was."""
    three.part(11, b"last")
    assert _code(three.complete, facts=choose(three.facts)) == code
    assert server.store.keys(bucket) == []
    three.complete(facts=[three.facts[0], three.facts[1], three.facts[3]])
    assert server.store.read(bucket, "k")[-4:] == b"last"


def test_complete_checks_size_and_checksum_of_the_whole(client, server, bucket):
    """A wrong object size, checksum, or checksum type is refused; the right ones are taken."""
    upload = Upload(client, bucket, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    upload.part(1, b"abc")
    right = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big")).decode()
    assert _code(upload.complete, MpuObjectSize=4) == "InvalidRequest"
    assert _code(upload.complete, ChecksumCRC32="AAAAAA==") == "BadDigest"
    assert _code(upload.complete, ChecksumCRC32C="AAAAAA==") == "InvalidRequest"
    assert _code(upload.complete, ChecksumType="COMPOSITE") == "InvalidRequest"
    assert server.store.keys(bucket) == []
    upload.complete(MpuObjectSize=3, ChecksumCRC32=right, ChecksumType="FULL_OBJECT")
    assert server.store.read(bucket, "k") == b"abc"


def test_complete_if_none_match(client, server, three, bucket):
    """A conditional Complete does not overwrite, and the upload stays."""
    server.store.put(bucket, "k", b"earlier")
    assert _code(three.complete, IfNoneMatch="*") == "PreconditionFailed"
    assert server.store.read(bucket, "k") == b"earlier"
    assert len(server.store.unfinished_uploads()) == 1
    client.abort_multipart_upload(**three.names)


def test_an_upload_is_gone_after_abort_or_complete(client, three, bucket):
    """Whatever names a finished upload gets NoSuchUpload; so does a right id with another key."""
    assert _code(client.list_parts, **{**three.names, "Key": "other"}) == "NoSuchUpload"
    three.complete()
    assert _code(three.complete) == "NoSuchUpload"
    other = Upload(client, bucket)
    client.abort_multipart_upload(**other.names)
    assert _code(client.upload_part, PartNumber=1, Body=b"x", **other.names) == "NoSuchUpload"
    assert _code(client.abort_multipart_upload, **other.names) == "NoSuchUpload"


@pytest.mark.parametrize("number", [0, 10001])
def test_part_numbers(client, bucket, number):
    """Parts are numbered from 1 to 10,000."""
    upload = Upload(client, bucket)
    assert _code(client.upload_part, PartNumber=number, Body=b"x", **upload.names) == "InvalidArgument"


CREATE_WRONG = [
    {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
    {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
    {"ChecksumAlgorithm": "ROT13"},
]


@pytest.mark.parametrize("options", CREATE_WRONG)
def test_checksum_types_that_do_not_exist(client, bucket, options):
    """Not every algorithm has both types."""
    assert _code(client.create_multipart_upload, Bucket=bucket, Key="k", **options) == "InvalidRequest"


def test_a_part_of_another_algorithm_is_refused(client, bucket):
    """An upload begun with SHA256 takes no CRC32 parts."""
    upload = Upload(client, bucket, ChecksumAlgorithm="SHA256")
    code = _code(client.upload_part, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32", **upload.names)
    assert code == "InvalidRequest"


def test_the_latest_part_of_a_number_counts(server, client, bucket):
    """A part uploaded again replaces the one before."""
    upload = Upload(client, bucket)
    upload.part(1, b"old")
    upload.part(1, b"new")
    assert _code(upload.complete, facts=upload.facts[:1]) == "InvalidPart"
    upload.complete(facts=upload.facts[1:])
    assert server.store.read(bucket, "k") == b"new"


def test_an_upload_without_algorithm_takes_parts_of_any(client, bucket):
    """Without a declared algorithm parts are verified by what they announce, and the whole gets S3's default."""
    data = os.urandom(MIN_PART)
    upload = Upload(client, bucket)
    upload.part(1, data)
    assert _code(upload.complete, facts=[{**upload.facts[0], "ChecksumCRC32": "AAAAAA=="}]) == "InvalidPart"
    done = upload.complete()
    single = client.put_object(Bucket=bucket, Key="one", Body=data, ChecksumAlgorithm="CRC64NVME")
    assert done["ChecksumCRC64NVME"] == single["ChecksumCRC64NVME"]


def test_list_parts_in_pages(client, three):
    """ListParts tells numbers, sizes, ETags and checksums, in pages."""
    pages = list(client.get_paginator("list_parts").paginate(**three.names, PaginationConfig={"PageSize": 2}))
    assert [page["IsTruncated"] for page in pages] == [True, False]
    parts = [part for page in pages for part in page["Parts"]]
    assert [(part["PartNumber"], part["Size"]) for part in parts] == [(2, MIN_PART), (5, MIN_PART + 1), (9, 3)]
    assert [part["ETag"] for part in parts] == [fact["ETag"] for fact in three.facts]
    assert [part["ChecksumCRC32"] for part in parts] == [fact["ChecksumCRC32"] for fact in three.facts]


def test_list_uploads_in_pages(client, bucket):
    """ListMultipartUploads goes by key and then by start, in pages that lose and repeat nothing."""
    made = [(key, Upload(client, bucket, key).id) for key in ("a", "a", "b/1", "b/2", "ü n")]
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    found = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
    assert found == made
    rolled = client.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["b/"]
    assert [one["Key"] for one in rolled["Uploads"]] == ["a", "a", "ü n"]


def test_parts_copied_from_an_object(client, server, bucket):
    """UploadPartCopy takes ranges of another object; their bytes and checksums are the object's."""
    source = os.urandom(3 * MIN_PART + 17)
    server.store.put(bucket, "src +ü", source)
    upload = Upload(client, bucket, ChecksumAlgorithm="CRC32C")
    facts = []
    for number, first in enumerate(range(0, len(source), MIN_PART), 1):
        last = min(first + MIN_PART, len(source)) - 1
        result = client.upload_part_copy(
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "src +ü"},
            CopySourceRange=f"bytes={first}-{last}",
            **upload.names,
        )["CopyPartResult"]
        facts.append({"PartNumber": number, "ETag": result["ETag"], "ChecksumCRC32C": result["ChecksumCRC32C"]})
    upload.complete(facts=facts)
    assert server.store.read(bucket, "k") == source


COPY_WRONG = [
    ({"CopySourceRange": "bytes=0-10"}, "InvalidArgument"),
    ({"CopySourceRange": "bytes=2-1"}, "InvalidArgument"),
    ({"CopySourceRange": "bytes=0-"}, "InvalidArgument"),
    ({"CopySourceIfMatch": "other"}, "PreconditionFailed"),
]


@pytest.mark.parametrize(("options", "code"), COPY_WRONG)
def test_copied_ranges_have_to_exist(client, server, bucket, options, code):
    """A range beyond the source and a condition that fails copy nothing."""
    server.store.put(bucket, "src", b"0123456789")
    upload = Upload(client, bucket)
    arguments = {"PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "src"}, **upload.names, **options}
    assert _code(client.upload_part_copy, **arguments) == code
    assert "Parts" not in client.list_parts(**upload.names)


def test_upload_and_download_by_s3transfer(client, server, bucket, tmp_path):
    """boto3's own transfer manager moves a file of several parts both ways."""
    data = os.urandom(17 * 1024 * 1024 + 3)
    (tmp_path / "up").write_bytes(data)
    client.upload_file(str(tmp_path / "up"), bucket, "k")
    client.download_file(bucket, "k", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == data
    assert server.store.bucket(bucket).find("k").part_sizes == (8 << 20, 8 << 20, (1 << 20) + 3)
