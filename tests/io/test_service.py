"""Operations by botocore's model: the requests that botocore's own client would send, and the answers it would read."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import random
import subprocess
import sys
import zlib

import botocore.session
import pytest

from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import HeaderRefused
from orbit_fast.core.errors import Internal
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import NotS3
from orbit_fast.core.model import Site
from orbit_fast.io.service import service_answer
from orbit_fast.io.service import service_call
from orbit_fast.io.service import service_request
from tests.kit.flow_driver import ENDPOINT
from tests.kit.flow_driver import Driver
from tests.kit.flow_driver import reply
from tests.kit.flow_driver import staged
from tests.kit.object_replies import failure
from tests.kit.s3_oracle import Oracle
from tests.kit.s3_oracle import comparable

MODEL = botocore.session.Session().get_service_model("s3")
TEXT = "aZ09 -_.~/+=&<>\"'äñ漢🛰%?#"
WORDS = "abcXYZ019-_."
NOT_COMPARED = {
    "CopyObject",  # botocore quotes CopySource
    "CreateMultipartUpload",  # names an algorithm where none is asked for
    "CreateSession",  # signs otherwise
    "GetObject",  # asks for checksums of the answer
    "GetObjectAnnotation",  # as above
    "ListDirectoryBuckets",  # goes to another service
    "ListObjectVersions",  # adds EncodingType
    "ListObjects",  # as above
    "ListObjectsV2",  # as above
    "RenameObject",  # invents a token
    "UploadPartCopy",  # quotes CopySource
    "WriteGetObjectResponse",  # goes to a host of its own
}
"""What botocore's client adds on its own to operations that commands have encoders for, or never use."""
WITH_CUSTOMER_KEY = {"HeadObject", "PutObject", "SelectObjectContent", "UploadPart"}
NEVER = {"Bucket", "RequestPayer", "ContentLength", "SSECustomerKeyMD5"}
KNOWN_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
OPERATIONS = sorted(set(MODEL.operation_names) - NOT_COMPARED)


@pytest.fixture(scope="module")
def oracle():
    """One botocore client for the module."""
    return Oracle()


class Maker:
    """Values of the model's shapes, by chance that can be repeated."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def params(self, operation):
        """Parameters of an operation: all that are required, and half of the others."""
        shape = MODEL.operation_model(operation).input_shape
        left_out = NEVER if operation in WITH_CUSTOMER_KEY else NEVER | {"SSECustomerKey"}
        return {
            name: self.value(member, name)
            for name, member in shape.members.items()
            if name not in left_out and (name in shape.required_members or self.rng.random() < 0.5)
        }

    def value(self, shape, name, depth=0):
        """One value."""
        return getattr(self, f"_{shape.type_name}")(shape, name, depth)

    def _string(self, shape, name, _depth):
        if name == "ChecksumAlgorithm":
            return self.rng.choice(KNOWN_ALGORITHMS)
        if shape.enum:
            return self.rng.choice(shape.enum)
        location = shape.serialization.get("location")
        alphabet = WORDS if location in {"header", "headers"} or name in {"Expires", "CopySource"} else TEXT
        text = "x" + "".join(self.rng.choices(alphabet, k=self.rng.randint(0, 8))) + "y"
        return text + "z" * shape.metadata.get("min", 0)

    def _character(self, shape, name, depth):
        return self._string(shape, name, depth)

    def _integer(self, shape, name, depth):
        return self.rng.randint(1, 1000)

    _long = _integer

    def _boolean(self, shape, name, depth):
        return self.rng.random() < 0.5

    def _timestamp(self, shape, name, depth):
        return dt.datetime.fromtimestamp(self.rng.randint(0, 2**32), dt.UTC)

    def _blob(self, shape, name, depth):
        return self.rng.randbytes(self.rng.randint(0, 20))

    def _list(self, shape, name, depth):
        return [self.value(shape.member, name, depth + 1) for _ in range(self.rng.randint(1, 2))]

    def _map(self, shape, name, depth):
        return {f"name{number}": f"value-{number}" for number in range(self.rng.randint(0, 3))}

    def _structure(self, shape, name, depth):
        members = {
            inner: member
            for inner, member in shape.members.items()
            if inner in shape.required_members or (depth < 3 and self.rng.random() < 0.6)
        }
        if shape.is_tagged_union:
            members = dict(list(shape.members.items())[:1])
        return {inner: self.value(member, inner, depth + 1) for inner, member in members.items()}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_requests_equal_botocores(oracle, operation):
    """Method, path, query, headers and body of any operation are those of botocore's client."""
    place = {} if "Bucket" in MODEL.operation_model(operation).input_shape.members else {"Bucket": None}
    for seed in range(8):
        params = Maker(f"{operation}{seed}").params(operation)
        expected = oracle.request(operation, **params, **place)
        assert comparable(service_request(operation, params)) == expected


def test_a_body_is_proven_as_the_service_knows_it():
    """By CRC32 unless the caller chose or computed something, by Content-MD5 where it has to be."""
    wish = {"VersioningConfiguration": {"Status": "Enabled"}}
    request = service_request("PutBucketVersioning", wish)
    crc = base64.b64encode(zlib.crc32(request.body).to_bytes(4, "big")).decode()
    md5 = base64.b64encode(hashlib.md5(request.body).digest()).decode()
    assert (request.method, request.key, request.query) == ("PUT", "", (("versioning", ""),))
    assert dict(request.headers) == {"x-amz-checksum-crc32": crc, "x-amz-sdk-checksum-algorithm": "CRC32"}
    by_md5 = service_request("PutBucketVersioning", wish, use_md5=True)
    assert dict(by_md5.headers) == {"content-md5": md5}
    chosen = service_request("PutBucketVersioning", {"ChecksumAlgorithm": "SHA1", **wish}, use_md5=True)
    assert "x-amz-checksum-sha1" in dict(chosen.headers)
    assert service_request("GetBucketVersioning", {}).headers == ()


def test_line_ends_survive_xml():
    """A carriage return in a document would be read as a line feed: both are written as references."""
    keys = {"Objects": [{"Key": "a\r\nb"}]}
    assert b"<Key>a&#xD;&#xA;b</Key>" in service_request("DeleteObjects", {"Delete": keys}).body


WRONG = [
    ("NoSuchThing", {}, "S3 has no operation 'NoSuchThing'"),
    ("HeadObject", {}, 'Missing required parameter in input: "Key"'),
    ("HeadObject", {"Key": "k", "Nope": 1}, 'Unknown parameter in input: "Nope"'),
    ("HeadObject", {"Key": b"k"}, "Invalid type for parameter Key"),
    ("HeadObject", {"Key": "k", "Bucket": "b"}, "are the site's"),
    ("HeadObject", {"Key": "k", "SSECustomerKey": 77}, "SSECustomerKey must be text or bytes"),
    ("HeadObject", {"Key": "k", "IfModifiedSince": "yesterday"}, "IfModifiedSince"),
    ("DeleteObjects", {"Delete": {"Objects": [{"Key": "\x01"}]}}, "XML cannot carry"),
    ("PutObject", {"Key": "k", "Body": object}, "Body"),
    ("PutObject", {"Key": "k", "Body": sys.stdin}, "the body must be text or bytes"),
    ("WriteGetObjectResponse", {"RequestRoute": "r", "RequestToken": "t"}, "a host of its own"),
    ("DeleteObjects", {"Delete": {"Objects": [{"Key": "k"}]}, "ChecksumAlgorithm": "MD4"}, "MD4"),
]


@pytest.mark.parametrize(("operation", "params", "text"), WRONG)
def test_wrong_parameters_are_told_in_one_line(operation, params, text):
    """What cannot be asked is a mistake of whoever asks: one line that names it, and no secret in it."""
    with pytest.raises(InvalidConfig) as caught:
        service_request(operation, params)
    assert text in caught.value.message
    assert "\n" not in caught.value.message
    assert "77" not in caught.value.message


LISTED = b"<ListAllMyBucketsResult><Buckets>%b</Buckets></ListAllMyBucketsResult>"
ANSWERS = [
    ("GetBucketVersioning", b"<VersioningConfiguration/>", {}),
    ("GetBucketVersioning", b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
     {"Status": "Enabled"}),
    ("GetBucketLocation", b'<LocationConstraint xmlns="x">eu-west-1</LocationConstraint>',
     {"LocationConstraint": "eu-west-1"}),
    ("GetBucketLocation", b"<LocationConstraint/>", {"LocationConstraint": None}),
    ("GetBucketPolicy", b'{"Version": 1}', {"Policy": '{"Version": 1}'}),
    ("PutBucketVersioning", b"", {}),
    ("CreateBucket", b"", {"Location": "/b"}),
    ("ListBuckets", LISTED % b"<Bucket><Name>b</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate></Bucket>",
     {"Buckets": [{"Name": "b", "CreationDate": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)}]}),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "body", "expected"), ANSWERS)
def test_answers_equal_botocores(oracle, operation, body, expected):
    """An answer is the dictionary that botocore gives, without its notes about the exchange."""
    headers = {"location": "/b"} if operation == "CreateBucket" else {}
    found = service_answer(operation, reply(body, **headers))
    assert found == expected
    if operation != "GetBucketLocation":  # a handler of its client reads that one
        by_botocore = oracle.parse(operation, headers=headers, body=body)
        del by_botocore["ResponseMetadata"]
        assert found == by_botocore


BAD = [
    ("GetBucketVersioning", b"", BadReply),
    ("GetBucketVersioning", b"<VersioningConfiguration><Status>Ena", BadReply),
    ("GetBucketVersioning", b"<Versioning/>", BadReply),
    ("GetBucketVersioning", b"<html>log in</html>", NotS3),
    ("GetBucketVersioning", b"<Error><Code>AccessDenied</Code></Error>", AccessDenied),
    ("GetBucketTagging", b"<Error><Code>AccessDenied</Code></Error>", AccessDenied),
    ("GetBucketTagging", b"", BadReply),
    ("GetBucketTagging", b'<!DOCTYPE x [<!ENTITY a "b">]><Tagging>&a;</Tagging>', BadReply),
    ("ListBuckets", LISTED % b"<Bucket><CreationDate>now</CreationDate></Bucket>", BadReply),
    ("ListParts", b"<ListPartsResult><MaxParts>many</MaxParts></ListPartsResult>", BadReply),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "body", "kind"), BAD)
def test_answers_that_are_none(operation, body, kind):
    """Nothing, half a document, another one, a page, a hidden error, or nonsense in a field."""
    with pytest.raises(kind) as caught:
        service_answer(operation, reply(body))
    assert "\n" not in caught.value.message


def _call(stage, operation, params, site=0):
    return service_call(stage.around, site, operation, params)


def test_a_call_is_a_request_and_its_answer(tmp_path):
    """The flow asks once, and returns what the answer says; the check makes a bad answer a failed try."""
    answer = reply(b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
    with staged(tmp_path) as stage:
        driver = Driver([answer])
        assert driver.run(_call(stage, "GetBucketVersioning", {})) == {"Status": "Suspended"}
        with pytest.raises(BadReply):
            Driver([reply(b"<VersioningConf")]).run(_call(stage, "GetBucketVersioning", {}))
    assert driver.operations == ["GetBucketVersioning"]


def test_a_refused_checksum_is_replaced_once(tmp_path):
    """Content-MD5 takes the place of a checksum header that the service does not know; uploads are another matter."""
    wish = {"VersioningConfiguration": {"Status": "Enabled"}}
    refusal = HeaderRefused("no such header", status=501)
    with staged(tmp_path) as stage:
        driver = Driver([refusal, reply()])
        assert driver.run(_call(stage, "PutBucketVersioning", wish)) == {}
        assert ["content-md5" in dict(request.headers) for request in driver.requests] == [False, True]
        assert stage.around.ladder.step(0).has_checksum
        with pytest.raises(HeaderRefused):
            Driver([refusal, refusal]).run(_call(stage, "PutBucketVersioning", wish))
        with pytest.raises(HeaderRefused):
            Driver([refusal]).run(_call(stage, "GetBucketVersioning", {}))
        stage.around.ladder.go_down(0, stage.around.ladder.step(0))
        driver = Driver([refusal])
        with pytest.raises(HeaderRefused):
            driver.run(_call(stage, "PutBucketVersioning", wish))
        assert "content-md5" in driver.headers()


def test_a_call_fits_its_site(tmp_path):
    """The list of buckets is asked of a site without a bucket, everything else of one with a bucket."""
    with staged(tmp_path) as stage:
        stage.around.sites[2] = Site(2, "", ENDPOINT)
        assert Driver([reply(LISTED % b"")]).run(_call(stage, "ListBuckets", {}, site=2)) == {"Buckets": []}
        with pytest.raises(Internal):
            next(_call(stage, "ListBuckets", {}))
        with pytest.raises(Internal):
            next(_call(stage, "GetBucketVersioning", {}, site=2))
        for operation in ("GetObject", "SelectObjectContent"):
            with pytest.raises(InvalidConfig, match="stream"):
                next(_call(stage, operation, {"Key": "k"}))


def test_what_the_service_refuses_is_raised(tmp_path):
    """An error of the client goes through."""
    with staged(tmp_path) as stage, pytest.raises(AccessDenied):
        Driver([failure(AccessDenied)]).run(_call(stage, "GetBucketVersioning", {}))


def test_the_request_of_a_stream_can_be_built():
    """SelectObjectContent's request, whose answer somebody else reads."""
    request = service_request(
        "SelectObjectContent",
        {
            "Key": "a/b.csv",
            "Expression": "SELECT * FROM s3object s WHERE s.n > 3",
            "ExpressionType": "SQL",
            "InputSerialization": {"CSV": {"FileHeaderInfo": "USE"}},
            "OutputSerialization": {"JSON": {"RecordDelimiter": "\r\n"}},
        },
    )
    assert (request.method, request.key) == ("POST", "a/b.csv")
    assert sorted(request.query) == [("select", ""), ("select-type", "2")]
    assert b"<Expression>SELECT * FROM s3object s WHERE s.n &gt; 3</Expression>" in request.body
    assert b"<RecordDelimiter>&#xD;&#xA;</RecordDelimiter>" in request.body


@pytest.mark.slow
def test_the_module_loads_no_botocore():
    """Only the first operation pays for the model, and it needs no session, no credentials, no client."""
    script = (
        "import sys, orbit_fast.io.service as service;"
        "assert not any(name.startswith('botocore') for name in sys.modules);"
        "service.service_request('GetBucketVersioning', {});"
        "print([name for name in ('botocore.session', 'botocore.client', 'botocore.endpoint') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
