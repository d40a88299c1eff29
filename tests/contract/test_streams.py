"""stdin and stdout, and a relay between two services: against every server."""

from __future__ import annotations

import contextlib

import pytest

from tests.kit.buckets import uploads_of
from tests.kit.command import Orbit
from tests.kit.event_schema import validated
from tests.kit.trees import content

MIB = 1 << 20
LARGE = content(11, 17 * MIB)
"""Three ranges, three parts."""


@pytest.mark.slow
def test_what_is_piped_comes_back(http_endpoint, http_judge, new_http_place):
    """``orbit pipe``, then ``orbit cat``: empty, small, and in parts; whole, and a range of it."""
    orbit, place = Orbit(http_endpoint.environment), new_http_place()
    for name, data in {"empty": b"", "small": b"small", "large": LARGE}.items():
        orbit("pipe", "-q", f"{place}{name}", fed=data).expect(0)
        result = orbit("cat", "--json", f"{place}{name}")
        assert (result.code, result.out == data) == (0, True)
        assert validated(result.err)[0]["size"] == len(data)
    assert orbit("cat", "--range", "bytes=-70", f"{place}l*").expect(0).out == LARGE[-70:]
    assert orbit("cat", f"{place}small", f"{place}no", f"{place}small").out == b"small" * 2
    result = orbit("cat", f"{place}no")
    assert (result.code, len(result.errors)) == (2, 1)
    assert uploads_of(http_judge, place.bucket, place.prefix) == []


@pytest.mark.slow
def test_objects_are_relayed_from_another_service(http_endpoint, http_judge, new_http_place, start):
    """``orbit cp -R --source-endpoint-url URL``: from an embedded server to this one, whole and in parts."""
    source, place = start("embedded"), new_http_place()
    with contextlib.closing(source.client()) as client:
        client.create_bucket(Bucket="relay-source")
        client.put_object(Bucket="relay-source", Key="t/small", Body=b"small", Metadata={"a": "b"})
        client.put_object(Bucket="relay-source", Key="t/large", Body=LARGE)
    if http_endpoint.kind == "real":
        pytest.skip("the credentials of the embedded server are not the real one's")
    orbit = Orbit(http_endpoint.environment)
    options = ("--source-endpoint-url", source.url, "--part-size", "5MiB")
    orbit("cp", "-R", *options, "s3://relay-source/t", f"{place}").expect(0)
    for name, data in {"small": b"small", "large": LARGE}.items():
        assert http_judge.get_object(Bucket=place.bucket, Key=f"{place.prefix}{name}")["Body"].read() == data
    found = http_judge.head_object(Bucket=place.bucket, Key=f"{place.prefix}small")["Metadata"]
    assert {name.lower(): value for name, value in found.items()} == {"a": "b"}
    assert uploads_of(http_judge, place.bucket, place.prefix) == []
