"""``orbit head``: text, JSON, exit codes, and what a missing thing is called."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_an_object(orbit, judge):
    """Its headers, metadata and checksum; an older version by its id."""
    judge.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    old = judge.put_object(Bucket="bkt", Key="a b", Body=b"old")["VersionId"]
    judge.put_object(
        Bucket="bkt", Key="a b", Body=b"newer", Metadata={"k": "v"}, CacheControl="no-store", ChecksumAlgorithm="SHA256"
    )
    [event, summary] = orbit("head", "--json", "s3://bkt/a b").expect(0).events
    assert (event["size"], event["metadata"], event["cache_control"]) == (5, {"k": "v"}, "no-store")
    assert event["checksum"]["algorithm"] == "SHA256"
    assert (summary["command"], summary["files_copied"]) == ("head", 0)
    text = orbit("head", "s3://bkt/a b", "--version-id", old).expect(0).lines
    assert {"size: 3", f"version_id: {old}"} <= set(text)


def test_a_bucket(orbit):
    """Where it is."""
    assert "region: us-east-1" in orbit("head", "s3://bkt").expect(0).lines


LOOK = b" (orbit ls s3://bkt/ says what is there)\n"
MAKE_IT = b": look at the name (orbit ls says what there is), or make it with orbit mb s3://nowhere\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("s3://bkt/none",), b'ERROR "head s3://bkt/none": NoSuchKey: no such object: s3://bkt/none' + LOOK),
        (("s3://nowhere/k",), None),
        (("s3://nowhere",), b'ERROR "head s3://nowhere": NoSuchBucket: no such bucket (s3://nowhere)' + MAKE_IT),
        (("file",), b"ERROR \"head\": E_USAGE: head is about S3: 'file' does not begin with s3://\n"),
        ((), b'ERROR "head": E_USAGE: head takes one S3 URL: orbit head s3://bucket/key\n'),
    ],
)
def test_what_cannot_be_shown(orbit, arguments, error):
    """One line, exit code 2."""
    result = orbit("head", *arguments)
    assert (result.code, result.out) == (2, b"")
    assert result.err == error if error else b"NoSuchBucket" in result.err
