"""Copies inside S3 that are too large for one CopyObject, with that limit lowered from 5 GiB to 6 MiB."""

from __future__ import annotations

import sys

import pytest

from tests.kit.buckets import uploads_of
from tests.kit.trees import MIB
from tests.kit.trees import PART
from tests.kit.trees import content

pytestmark = pytest.mark.slow

LOWERED = """
import sys
from msgspec.structs import replace
from orbit_fast.cli.main import main
from orbit_fast.proc import job

run_copy = job.run_copy

def lowered(sources, destination, settings, environment, console):
    transfer = replace(settings.transfer, multipart_copy_threshold=6 * 1024 * 1024)
    return run_copy(sources, destination, replace(settings, transfer=transfer), environment, console)

job.run_copy = lowered
sys.argv[:2] = ["orbit"]
sys.exit(main())
"""


@pytest.fixture
def lowered(orbit):
    """The command with the lowered limit."""
    return orbit.with_prefix(sys.executable, "-c", LOWERED)


@pytest.mark.parametrize(
    ("size", "parts"), [(6 * MIB, ()), (6 * MIB + 1, (PART, MIB + 1)), (11 * MIB, (PART, PART, MIB))]
)
def test_large_copy(size, parts, lowered, judge, server, bucket):
    """Above the limit a copy goes in parts, byte for byte, without a byte through this machine."""
    data = content(9, size)
    judge.put_object(Bucket="bkt", Key="source", Body=data)
    result = lowered("cp", "--json", "--part-size", "5", "s3://bkt/source", "s3://bkt/copy").expect(0)
    assert bucket.find("copy").part_sizes == parts
    assert server.store.read("bkt", "copy") == data
    assert server.store.counts["GetObject"] == server.store.counts["UploadPart"] == 0
    assert server.store.counts["UploadPartCopy"] == len(parts)
    assert uploads_of(judge, "bkt") == []
    assert result.done[0]["size"] == size


def test_large_copy_keeps_properties(lowered, judge):
    """A copy in parts keeps type, metadata and tags, as one CopyObject would."""
    given = {
        "ContentType": "text/x-orbit",
        "CacheControl": "no-store",
        "ContentDisposition": "inline",
        "Metadata": {"one": "1"},
    }
    judge.put_object(Bucket="bkt", Key="source", Body=content(1, 7 * MIB), Tagging="a=1&b=2", **given)
    lowered("cp", "--part-size", "5", "s3://bkt/source", "s3://bkt/copy").expect(0)
    found = judge.head_object(Bucket="bkt", Key="copy")
    assert {name: found[name] for name in given} == given
    tags = judge.get_object_tagging(Bucket="bkt", Key="copy")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "2"}


def test_failed_part_aborts(lowered, judge, gate):
    """A part that cannot be copied fails the copy and leaves no upload behind."""
    judge.put_object(Bucket="bkt", Key="source", Body=content(1, 7 * MIB))
    gate.refuse("UploadPartCopy", "AccessDenied")
    result = lowered("cp", "--json", "--part-size", "5", "s3://bkt/source", "s3://bkt/copy")
    assert result.code in {1, 2}
    assert [event["code"] for event in result.failures] == ["AccessDenied"]
    assert uploads_of(judge, "bkt") == []
