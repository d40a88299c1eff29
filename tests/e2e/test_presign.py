"""``orbit presign``: URLs that work without credentials, for as long as they should."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.slow


def fetch(url, *, method="GET", data=None):
    """What a stranger gets with the URL."""
    request = urllib.request.Request(url, method=method, data=data)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return reply.read()


def test_to_read(orbit, judge):
    """The object, or an older version of it; nothing else."""
    judge.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    old = judge.put_object(Bucket="bkt", Key="a b+c/ü", Body=b"old")["VersionId"]
    judge.put_object(Bucket="bkt", Key="a b+c/ü", Body=b"new")
    [url] = orbit("presign", "s3://bkt/a b+c/ü").expect(0).lines
    assert fetch(url) == b"new"
    [url] = orbit("presign", "--version-id", old, "s3://bkt/a b+c/ü").expect(0).lines
    assert fetch(url) == b"old"
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(url, method="PUT", data=b"x")
    assert refused.value.code == 403
    refused.value.close()


def test_to_write(orbit, judge):
    """What a stranger puts there."""
    [event, summary] = orbit("presign", "--json", "--method", "PUT", "--expires", "7d", "s3://bkt/in").expect(0).events
    fetch(event["url"], method="PUT", data=b"from outside")
    assert judge.get_object(Bucket="bkt", Key="in")["Body"].read() == b"from outside"
    assert (event["method"], event["expires_secs"], summary["command"]) == ("PUT", 604800, "presign")
    assert orbit.environment["AWS_SECRET_ACCESS_KEY"] not in str(event)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("s3://bkt/k", "--expires", "8d"), b"--expires: '8d' is not 1 to 604800 seconds"),
        (("s3://bkt/k", "--no-sign-request"), b"--no-sign-request is not an option of presign"),
        (("s3://bkt",), b"key"),
        (("s3://bkt/k", "--method", "PUT", "--version-id", "x"), b"--version-id is of an object that is read"),
    ],
)
def test_what_makes_no_url(orbit, arguments, error):
    """Exit code 2, one line."""
    result = orbit("presign", *arguments)
    assert (result.code, result.out) == (2, b"")
    assert error in result.err
    assert result.err.count(b"\n") == 1
