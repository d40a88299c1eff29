"""Pages of versions: what botocore reads in them, read two ways that agree, and refused where they cannot be right."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote_plus
from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core import decode
from orbit_fast.core import decode_versions
from orbit_fast.core import encode
from orbit_fast.core.decode import ListedVersion
from orbit_fast.core.decode import VersionsPage
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotS3
from orbit_fast.core.model import Reply
from tests.kit.s3_oracle import Oracle
from tests.kit.s3_oracle import comparable

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
few = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ids = st.text(st.sampled_from("abcXYZ019._-"), min_size=1, max_size=30)
moments = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2199, 12, 31), timezones=st.just(dt.UTC))  # noqa: DTZ001 - bounds are naive by hypothesis' rule
classes = st.sampled_from(["STANDARD", "GLACIER_IR", "", None])
rows = st.tuples(keys, ids, st.booleans(), st.booleans(), st.integers(0, 2**50), moments, classes)
OWNER = f"<Owner><ID>{'0' * 64}</ID><DisplayName>me</DisplayName></Owner>"
ETAG = "0f" * 16


def page(*parts: str, is_truncated: str = "false") -> bytes:
    """A page as S3 writes one."""
    truncated = f"<IsTruncated>{is_truncated}</IsTruncated>" if is_truncated else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>b</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>{truncated}"
        f"{''.join(parts)}</ListVersionsResult>"
    ).encode()


def version(key: str = "k", version_id: str = "v", *, latest: str = "false", size: object = 5) -> str:
    """One version as S3 writes it."""
    return (
        f"<Version><Key>{key}</Key><VersionId>{version_id}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;{ETAG}&quot;</ETag><Size>{size}</Size>"
        f"<StorageClass>STANDARD</StorageClass>{OWNER}</Version>"
    )


def marker(key: str = "k", version_id: str = "m", *, latest: str = "false", second: int = 5) -> str:
    """One delete marker as S3 writes it."""
    return (
        f"<DeleteMarker><Key>{key}</Key><VersionId>{version_id}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>2026-01-02T03:04:{second:02}.000Z</LastModified>{OWNER}</DeleteMarker>"
    )


def row_xml(row) -> str:
    """An entry of generated values."""
    key, version_id, is_latest, is_marker, size, moment, storage_class = row
    time = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
    name = "DeleteMarker" if is_marker else "Version"
    latest = "true" if is_latest else "false"
    extra = "" if storage_class is None else f"<StorageClass>{storage_class}</StorageClass>"
    facts = "" if is_marker else f"<ETag>&quot;{ETAG}&quot;</ETag><Size>{size}</Size>{extra}"
    return (
        f"<{name}><Key>{quote_plus(key, safe='/')}</Key><VersionId>{version_id}</VersionId>"
        f"<IsLatest>{latest}</IsLatest><LastModified>{time}</LastModified>{facts}{OWNER}</{name}>"
    )


def row_record(row) -> ListedVersion:
    """What such an entry means."""
    key, version_id, is_latest, is_marker, size, moment, storage_class = row
    ms = (moment - EPOCH) // dt.timedelta(milliseconds=1)
    if is_marker:
        return ListedVersion(key, version_id, is_latest, True, mtime_ns=ms * 1_000_000)
    return ListedVersion(key, version_id, is_latest, False, size, ms * 1_000_000, ETAG, storage_class or "")


def ok(body: bytes) -> Reply:
    """A 200 with that body."""
    return Reply(status=200, headers={}, body=body)


@pytest.fixture(scope="module")
def oracle():
    """Botocore's serializer and parser."""
    return Oracle()


@few
@given(
    prefix=keys | st.just(""), delimiter=st.sampled_from(["", "/"]), key_marker=keys | st.just(""), id_marker=ids
)  # fmt: skip
def test_the_request_equals_botocores(oracle, prefix, delimiter, key_marker, id_marker):
    """Prefix, delimiter and both markers, keys always asked for percent-encoded."""
    wishes = {"Prefix": prefix, "Delimiter": delimiter, "KeyMarker": key_marker, "VersionIdMarker": id_marker}
    given_only = {name: value for name, value in wishes.items() if value}
    expected = oracle.request("ListObjectVersions", MaxKeys=7, EncodingType="url", **given_only)
    request = encode.list_object_versions(
        prefix=prefix, delimiter=delimiter, key_marker=key_marker, version_id_marker=id_marker, max_keys=7
    )
    assert comparable(request) == expected
    assert request.operation == "ListObjectVersions"


@few
@given(listed=st.lists(rows, max_size=6))
def test_both_ways_read_what_botocore_reads(oracle, listed):
    """Keys, ids, sizes, times and classes, the fast way and the slow one, are those that botocore reads."""
    listed = sorted(listed, key=lambda row: row[0])
    body = page("<EncodingType>url</EncodingType>", *map(row_xml, listed))
    found = decode.list_object_versions(ok(body)).versions
    assert list(found) == [row_record(row) for row in listed]
    spaced = body.replace(b"<Version>", b"\n<Version>").replace(b"<DeleteMarker>", b"\n<DeleteMarker>")
    assert decode.list_object_versions(ok(spaced)).versions == found
    parsed = oracle.parse("ListObjectVersions", headers={}, body=body)
    stored = [
        (unquote_plus(one["Key"]), one["VersionId"], one["Size"], one["IsLatest"]) for one in parsed.get("Versions", [])
    ]
    assert stored == [(one.key, one.version_id, one.size, one.is_latest) for one in found if not one.is_delete_marker]
    hidden = [(unquote_plus(one["Key"]), one["VersionId"]) for one in parsed.get("DeleteMarkers", [])]
    assert hidden == [(one.key, one.version_id) for one in found if one.is_delete_marker]


HOT = page("<EncodingType>url</EncodingType>", version("a", "v2", latest="true"), version("a"), marker("b%2Fc+d"))


def slowly(body: bytes) -> object:
    """The page by the element-by-element path alone, or the class of its error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_versions, "_scan", lambda _body: None)
        return outcome(body)


def outcome(body: bytes) -> object:
    """The page, or the class and code of its error."""
    try:
        return decode.list_object_versions(ok(body))
    except BadReply as error:
        return (type(error), error.code)


@few
@given(
    at=st.integers(0, len(HOT)),
    cut=st.integers(0, 30),
    put=st.binary(max_size=3)
    | st.sampled_from([b"<!--", b"<x>", b"</Version>", b"<Version>", b"<DeleteMarker>", b"&amp;", b"\r", b"<?x?>"]),
)
def test_the_fast_way_agrees_with_the_slow_one(at, cut, put):
    """Any damage to a page means the same to both ways of reading it."""
    body = HOT[:at] + put + HOT[at + cut :]
    assert outcome(body) == slowly(body)


ODD = [
    HOT.replace(b"<Version><Key>a<", b"<Wrap><Version><Key>a<", 1).replace(
        b"</DeleteMarker>", b"</DeleteMarker></Wrap>"
    ),
    HOT.replace(b"</Version><Version>", b"</Version>\n <Version>"),
    HOT.replace(b"</Version><Version>", b"</Version><Wrap><Version>").replace(b"<DeleteM", b"</Wrap><DeleteM"),
    HOT.replace(b"</Version><Version>", b"</Version><NextKeyMarker>k</NextKeyMarker><Version>"),
    HOT.replace(b"<Key>a</Key>", b"<Key>&amp;</Key>"),
    HOT.replace(b"<Key>a</Key>", b"<Key><![CDATA[a]]></Key>"),
    HOT.replace(b"<Size>5</Size>", b""),
    HOT.replace(b"</IsLatest><LastModified>", b"</IsLatest><Size>5</Size><LastModified>"),
    HOT.replace(b"T03:04:05", b"T33:04:05"),
    HOT + b"<Version></Version>",
]


@pytest.mark.parametrize("body", ODD)
def test_odd_pages_read_alike_on_both_ways(body):
    """Wrapped, indented, escaped, incomplete or broken pages mean the same to both ways of reading."""
    assert body != HOT
    assert outcome(body) == slowly(body)


def test_the_hot_shape_takes_the_fast_way():
    """S3's own form needs no XML parser for its entries."""
    assert decode_versions._scan(HOT) is not None
    assert [one.key for one in decode.list_object_versions(ok(HOT)).versions] == ["a", "a", "b/c d"]


def test_two_lists_are_made_one():
    """A service that sends all versions and then all markers is read by key, the latest first, then by time."""
    body = page(
        version("a", "v2"), version("a", "v1"), version("b", "v1", latest="true"),
        marker("a", "m2", latest="true", second=9), marker("a", "m1", second=1), marker("c", "m1", latest="true"),
    )  # fmt: skip
    found = decode.list_object_versions(ok(body))
    names = [(one.key, one.version_id) for one in found.versions]
    assert names == [("a", "m2"), ("a", "v2"), ("a", "v1"), ("a", "m1"), ("b", "v1"), ("c", "m1")]
    decode.check_versions(found, prefix="")


def test_keys_are_plain_where_the_service_did_not_encode_them():
    """Without EncodingType a percent sign is a percent sign."""
    body = page(version(escape("a%41&+b"), "null"))
    assert decode.list_object_versions(ok(body)).versions[0].key == "a%41&+b"


def test_a_page_says_how_to_go_on():
    """By key and version id; by the key alone where it stands for all that is in it."""
    more = "<NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>"
    listed = version("a", "v2")
    found = decode.list_object_versions(ok(page(more.format("a", "v2"), listed, is_truncated="true")))
    assert (found.is_truncated, found.next_marker) == (True, ("a", "v2"))
    rolled = "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>"
    found = decode.list_object_versions(ok(page(more.format("d/", ""), listed, rolled, is_truncated="true")))
    assert (found.prefixes, found.next_marker) == (("d/",), ("d/", ""))
    decode.check_versions(found, prefix="")


NEXT = "<NextKeyMarker>k</NextKeyMarker>"
BAD = [
    (b"", BadReply),
    (b"<html></html>", NotS3),
    (b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", BadReply),
    (b"<Error><Code>AccessDenied</Code></Error>", AccessDenied),
    (page(is_truncated=""), BadReply),
    (page(is_truncated="perhaps"), BadReply),
    (page(version(), is_truncated="true"), BadReply),
    (page(NEXT, version(), is_truncated="true"), BadReply),
    (page(version(key="")), BadReply),
    (page(version(version_id="")), BadReply),
    (page(version(latest="")), BadReply),
    (page(version(size="")), BadReply),
    (page(version(size="-1")), BadReply),
    (page(version().replace("2026-01", "2026-13")), BadReply),
    (page(version().replace("<ETag>", "<Etag>")), None),
    (page(version().partition("<ETag>")[0] + "</Version>"), BadReply),
    (page(marker(version_id="")), BadReply),
    (page("<CommonPrefixes/>"), BadReply),
    (page("<EncodingType>url</EncodingType>", version("%FF")), BadReply),
    (page(version())[:-30], BadReply),
]


@pytest.mark.parametrize(("body", "kind"), BAD)
def test_pages_that_cannot_be_right(body, kind):
    """A field that is missing or nonsense makes the whole page unbelievable: it is never a shorter list."""
    if kind is None:
        body = body.replace(b"</ETag>", b"</Etag>")
        assert decode.list_object_versions(ok(body)).versions[0].etag == ""
        return
    with pytest.raises(kind):
        decode.list_object_versions(ok(body))


def one(key: str, version_id: str = "v", *, is_latest: bool = False) -> ListedVersion:
    """A record."""
    return ListedVersion(key, version_id, is_latest, False)


FINE = [
    (VersionsPage(versions=()), "p", ("", "")),
    (VersionsPage(versions=(one("a", "2", is_latest=True), one("a", "1"), one("b", is_latest=True))), "", ("", "")),
    (VersionsPage(versions=(one("a", "1"), one("b"))), "", ("a", "2")),
    (VersionsPage(versions=(one("p/a"), one("p/b")), prefixes=("p/d/",)), "p/", ("p/", "")),
    (VersionsPage(versions=(one("a", "2"),), is_truncated=True, next_marker=("a", "2")), "", ("a", "3")),
]


@pytest.mark.parametrize(("found", "prefix", "asked"), FINE)
def test_check_versions_accepts(found, prefix, asked):
    """A page that fits its question."""
    decode.check_versions(found, prefix=prefix, marker=asked)


REFUSED = [
    (VersionsPage(versions=(one("a"),), is_truncated=True, next_marker=("a", "v")), "", ("a", "v"), "E_LIST_LOOP"),
    (VersionsPage(versions=(one("b"), one("a"))), "", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"), one("b"), one("a"))), "", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a", "1", is_latest=True), one("a", "2", is_latest=True))), "", ("", ""),
     "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"),)), "p/", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("p/a"), one("q"))), "p/", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(), prefixes=("q/",)), "p/", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(), prefixes=("b/", "a/")), "", ("", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(), prefixes=("a/",)), "", ("a/", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"),)), "", ("b", "v"), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"),)), "", ("a", ""), "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"), one("c")), is_truncated=True, next_marker=("b", "v")), "", ("", ""),
     "E_BAD_LISTING"),
    (VersionsPage(versions=(one("a"),), prefixes=("d/",), is_truncated=True, next_marker=("b", "v")), "", ("", ""),
     "E_BAD_LISTING"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "prefix", "asked", "code"), REFUSED)
def test_check_versions_refuses(found, prefix, asked, code):
    """Disorder, strangers, two latest versions of a key, and pages without progress."""
    with pytest.raises(BadReply) as caught:
        decode.check_versions(found, prefix=prefix, marker=asked)
    assert caught.value.code == code
