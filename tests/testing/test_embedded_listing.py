"""Listings compared with a model too small to be wrong."""

from __future__ import annotations

import string

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from orbit_fast.testing.listing import after_marker
from orbit_fast.testing.listing import beyond
from orbit_fast.testing.listing import collect
from orbit_fast.testing.store import Bucket
from orbit_fast.testing.store import Version

TEXT = st.text(alphabet=["a", "b", "/", "-", "é", "\ud7ff", "\ue000", "\U0010ffff"], min_size=1, max_size=6)


def _model(keys, prefix, delimiter):
    """Every row of a complete listing, in order: (name, is it a common prefix)."""
    rows = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            row = (key, False) if cut < 0 else (key[: cut + len(delimiter)], True)
            if row not in rows:
                rows.append(row)
    return rows


def _bucket(keys):
    bucket = Bucket("b", 0)
    for key in keys:
        bucket.add(Version(key=key))
    return bucket


def _rows(page):
    names = [(version.key, False) for version in page.versions] + [(name, True) for name in page.prefixes]
    return sorted(names, key=lambda row: row[0].encode())


@given(st.sets(TEXT, max_size=12), st.sampled_from(["", "a", "a/", "é"]), st.sampled_from(["", "/", "-", "a/"]),
       st.integers(1, 4))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_pages_put_together_are_the_whole(keys, prefix, delimiter, limit):
    """Pages of any size lose nothing, repeat nothing and go in UTF-8 byte order."""
    bucket = _bucket(keys)
    start, found = "", []
    for _ in range(len(keys) + 1):
        page = collect(bucket, prefix, delimiter, start, limit)
        assert len(page.versions) + len(page.prefixes) <= limit
        found += _rows(page)
        if not page.is_truncated:
            break
        start = page.last.after
    assert found == _model(keys, prefix, delimiter)
    assert not page.is_truncated


@given(TEXT, TEXT)
def test_beyond_a_prefix_is_the_least_upper_bound(prefix, text):
    """A string is before the bound exactly when it is less than the prefix or has it."""
    assert (text < beyond(prefix)) == (text < prefix or text.startswith(prefix))


def test_a_marker_that_is_a_common_prefix_skips_it():
    """The next page after a common prefix does not begin inside it."""
    assert after_marker("a/", "", "/") > "a/\U0010ffff"
    assert after_marker("a/b", "", "/") == "a/b\0"
    assert after_marker("", "", "/") == ""


KEYS = ["a", "a b", "a+b", "dir/1", "dir/2", "dir2/1", "e\U0001f680", "t\tn\n", "z%41", "ü"]


@pytest.fixture
def listed(server, bucket):
    """A bucket with `KEYS`."""
    for key in KEYS:
        server.store.put(bucket, key, key.encode())
    return bucket


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_both_versions_page_through_everything(client, listed, operation, size):
    """ListObjectsV2 and ListObjects tell all keys in order with pages of any size."""
    pages = client.get_paginator(operation).paginate(Bucket=listed, PaginationConfig={"PageSize": size})
    contents = [one for page in pages for one in page["Contents"]]
    assert [one["Key"] for one in contents] == sorted(KEYS)
    assert [one["Size"] for one in contents] == [len(key.encode()) for key in sorted(KEYS)]


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_common_prefixes_page_by_page(client, listed, operation, size):
    """Keys in a directory are rolled up once, whatever the page size."""
    pages = client.get_paginator(operation).paginate(Bucket=listed, Delimiter="/", PaginationConfig={"PageSize": size})
    pages = list(pages)
    prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
    assert prefixes == ["dir/", "dir2/"]
    assert [one["Key"] for page in pages for one in page.get("Contents", [])] == [
        k for k in sorted(KEYS) if "/" not in k
    ]


QUERIES = [
    ({"Prefix": "dir"}, ["dir/1", "dir/2", "dir2/1"]),
    ({"Prefix": "dir/"}, ["dir/1", "dir/2"]),
    ({"Prefix": "none"}, []),
    ({"StartAfter": "dir/1"}, ["dir/2", "dir2/1", "e\U0001f680", "t\tn\n", "z%41", "ü"]),
    ({"StartAfter": "dir/1", "Prefix": "dir"}, ["dir/2", "dir2/1"]),
    ({"MaxKeys": 2}, ["a", "a b"]),
    ({"MaxKeys": 0}, []),
]


@pytest.mark.parametrize(("query", "keys"), QUERIES)
def test_queries(client, listed, query, keys):
    """Prefix, StartAfter and MaxKeys choose what they should, and KeyCount counts it."""
    page = client.list_objects_v2(Bucket=listed, **query)
    assert [one["Key"] for one in page.get("Contents", [])] == keys
    assert page["KeyCount"] == len(keys)
    assert page["IsTruncated"] == (query.get("MaxKeys") == 2)


def test_a_page_has_at_most_a_thousand(client, server, bucket):
    """Asking for more than 1,000 gives 1,000."""
    for number in range(1001):
        server.store.put(bucket, f"{number:04}", b"")
    page = client.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1000, 1000, True)
    rest = client.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
    assert [one["Key"] for one in rest["Contents"]] == ["1000"]


@pytest.mark.parametrize("text", ["-1", "x", "99999999999", "٣"])
def test_max_keys_is_a_number(raw, bucket, text):
    """A max-keys that is no number is refused."""
    assert raw.send("GET", f"/{bucket}?list-type=2&max-keys={text.encode().hex() if text == '٣' else text}").code == (
        "InvalidArgument"
    )


def test_encoding_type_url(raw, server, bucket):
    """With encoding-type=url keys are encoded like a form, slashes kept, and the answer says so."""
    server.store.put(bucket, "a b/+%ü*\x01", b"")
    body = raw.send("GET", f"/{bucket}?encoding-type=url&list-type=2&prefix=a%20").body
    assert b"<Key>a+b/%2B%25%C3%BC*%01</Key>" in body
    assert b"<Prefix>a+</Prefix>" in body
    assert b"<EncodingType>url</EncodingType>" in body
    plain = raw.send("GET", f"/{bucket}?list-type=2").body
    assert "<Key>a b/+%ü*&#x1;</Key>".encode() in plain
    assert b"EncodingType" not in plain


def test_versions_page_through_everything(client, server, bucket):
    """ListObjectVersions tells each version once, newest first, in pages of any size."""
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [(key, server.store.put(bucket, key, b"x").version_id) for key in ("a", "a", "a", "b/1", "c") for _ in "12"]
    expected = sorted(enumerate(made), key=lambda item: (item[1][0], -item[0]))
    for size in (1, 2, 5, 1000):
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        found = [(one["Key"], one["VersionId"]) for page in pages for one in page["Versions"]]
        assert found == [item for _, item in expected]
    rolled = client.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["b/"]
    with pytest.raises(ClientError):
        client.list_object_versions(Bucket=bucket, VersionIdMarker=made[0][1])


@given(st.text(alphabet=string.printable + "ü\U0001f680", max_size=20))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_printable_prefix_is_taken_literally(client, server, bucket, prefix):
    """Whatever stands in a prefix, keys that start with it are found and others are not."""
    server.store.bucket(bucket).versions.clear()
    server.store.put(bucket, prefix + "x", b"")
    server.store.put(bucket, "\x00other", b"")
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix)
    assert prefix + "x" in [one["Key"] for one in page["Contents"]]
    assert ("\x00other" in [one["Key"] for one in page["Contents"]]) == (prefix == "")
