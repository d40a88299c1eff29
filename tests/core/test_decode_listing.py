"""Pages of listings: what botocore reads in them, read two ways that agree, and refused where they cannot be right."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orbit_fast.core import decode
from orbit_fast.core import decode_listing
from orbit_fast.core.errors import AccessDenied
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import NotS3
from orbit_fast.core.errors import ServerFault
from orbit_fast.core.model import Checksum
from orbit_fast.core.model import Entry
from orbit_fast.core.model import Reply
from tests.kit.s3_oracle import Oracle

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
few = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
moments = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2199, 12, 31), timezones=st.just(dt.UTC))  # noqa: DTZ001 - bounds are naive by hypothesis' rule
classes = st.sampled_from(["STANDARD", "GLACIER_IR", "", None])
rows = st.tuples(keys, st.integers(0, 2**50), moments, st.sampled_from(["0f" * 16, "ab" * 16 + "-12"]), classes)


def page(*parts: str, name: str = "ListBucketResult", is_truncated: str = "false") -> bytes:
    """A page as S3 writes one."""
    truncated = f"<IsTruncated>{is_truncated}</IsTruncated>" if is_truncated else ""
    inner = "".join(parts)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>{truncated}{inner}</{name}>'
    ).encode()


def contents(key: str, size: object = 5, time: str = "2026-01-02T03:04:05.000Z", *, quote: str = "&quot;") -> str:
    """One entry as S3 writes it."""
    etag = f"<ETag>{quote}{'0f' * 16}{quote}</ETag>"
    return (
        f"<Contents><Key>{key}</Key><LastModified>{time}</LastModified>{etag}<Size>{size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def ok(body: bytes) -> Reply:
    """A 200 with that body."""
    return Reply(status=200, headers={}, body=body)


def row_xml(row: tuple[str, int, dt.datetime, str, str | None], *, is_encoded: bool) -> str:
    """An entry of generated values."""
    key, size, moment, etag, storage_class = row
    shown = quote_plus(key, safe="/") if is_encoded else escape(key)
    extra = "" if storage_class is None else f"<StorageClass>{storage_class}</StorageClass>"
    time = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
    return (
        f"<Contents><Key>{shown}</Key><LastModified>{time}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        f"<Size>{size}</Size>{extra}</Contents>"
    )


def row_entry(row: tuple[str, int, dt.datetime, str, str | None]) -> Entry:
    """What such an entry means."""
    key, size, moment, etag, storage_class = row
    ms = (moment - EPOCH) // dt.timedelta(milliseconds=1)
    return Entry(key=key, size=size, mtime_ns=ms * 1_000_000, etag=etag, storage_class=storage_class or "")


@pytest.fixture(scope="module")
def oracle():
    """Botocore's parser."""
    return Oracle()


# --- agreement -------------------------------------------------------------------------------------------------------


@few
@given(st.lists(rows, max_size=6), st.lists(keys, max_size=3))
def test_encoded_pages_give_every_key_back(listed, prefixes):
    """With encoding-type=url every key that exists survives: control characters, plus signs, astral characters."""
    shown = "".join(f"<CommonPrefixes><Prefix>{quote_plus(p)}</Prefix></CommonPrefixes>" for p in prefixes)
    body = page(
        "<EncodingType>url</EncodingType>",
        "<KeyCount>9</KeyCount>",
        *(row_xml(row, is_encoded=True) for row in listed),
        shown,
    )
    assert not listed or decode_listing._scan_entries(body) is not None
    listing = decode.list_objects_v2(ok(body))
    assert listing.entries == tuple(row_entry(row) for row in listed)
    assert listing.prefixes == tuple(prefixes)
    assert (listing.key_count, listing.is_truncated, listing.next_token) == (9, False, "")


@few
@given(listed=st.lists(rows, max_size=5), is_encoded=st.booleans())
def test_pages_equal_botocore(oracle, listed, is_encoded):
    """Key, size, time, ETag and class are what botocore's parser reads in the same bytes."""
    if not is_encoded:
        listed = [row for row in listed if row[0].isprintable()]
    body = page(
        "<EncodingType>url</EncodingType>" if is_encoded else "",
        "<NextContinuationToken>t/1=</NextContinuationToken>",
        *(row_xml(row, is_encoded=is_encoded) for row in listed),
        is_truncated="true",
    )
    listing = decode.list_objects_v2(ok(body))
    parsed = oracle.parse("ListObjectsV2", headers={}, body=body)
    theirs = [
        (item["Size"], item["ETag"].strip('"'), item.get("StorageClass", ""), item["LastModified"])
        for item in parsed.get("Contents", [])
    ]
    ours = [
        (entry.size, entry.etag, entry.storage_class, EPOCH + dt.timedelta(microseconds=entry.mtime_ns // 1000))
        for entry in listing.entries
    ]
    assert ours == theirs
    shown = [quote_plus(entry.key, safe="/") if is_encoded else entry.key for entry in listing.entries]
    assert shown == [item["Key"] for item in parsed.get("Contents", [])]
    assert listing.next_token == parsed["NextContinuationToken"] == "t/1="
    assert listing.is_truncated is parsed["IsTruncated"] is True


HOT = page("<EncodingType>url</EncodingType>", contents("a"), contents("b%2Fc+d", quote='"'), "<KeyCount>2</KeyCount>")


def slowly(body: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    """The page by the element-by-element path alone, or the class of its error."""
    with monkeypatch.context() as patch:
        patch.setattr(decode_listing, "_scan_entries", lambda _body: None)
        return outcome(body)


def outcome(body: bytes) -> object:
    """The page, or the class and code of its error."""
    try:
        return decode.list_objects_v2(ok(body))
    except BadReply as error:
        return (type(error), error.code)


@few
@given(
    at=st.integers(0, len(HOT)),
    cut=st.integers(0, 30),
    put=st.binary(max_size=3)
    | st.sampled_from(
        [b"<!--", b"<x>", b"</Contents>", b"<Contents>", b"&amp;", b"\r", b"<?x?>", b"</ListBucketResult>"]
    ),
)
def test_fast_path_agrees_with_the_slow_one(at, cut, put):
    """Any damage to a page means the same to both ways of reading it."""
    body = HOT[:at] + put + HOT[at + cut :]
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert outcome(body) == slowly(body, monkeypatch)


@pytest.mark.parametrize(
    "body",
    [
        HOT.replace(b"<Contents><Key>a", b"<Wrap><Contents><Key>a").replace(b"<KeyCount>", b"</Wrap><KeyCount>"),
        HOT.replace(b"</Contents><Contents>", b"</Contents>\n  <Contents>"),
        HOT.replace(b"<Key>a</Key>", b"<Key>&amp;</Key>"),
        HOT.replace(b"<Key>a</Key>", "<Key>é</Key>".encode()),
        HOT.replace(b"<Key>a</Key>", b"<Key><![CDATA[a]]></Key>"),
        HOT.replace(b"<Size>5</Size>", b"<Size>-5</Size>"),
        HOT.replace(b"T03:04:05", b"T33:04:05"),
        HOT.replace(b"<Contents><Key>a", b"<!--<Contents>--><Contents><Key>a"),
        HOT.replace(b"xmlns=", b"xmlns:s3='x' xmlns="),
        HOT + b"<Contents></Contents>",
        HOT.replace(b"</ListBucketResult>", b""),
    ],
)
def test_odd_pages_read_alike_on_both_paths(body, monkeypatch):
    """Wrapped, indented, escaped, commented or broken pages mean the same to both ways of reading."""
    assert body != HOT
    assert outcome(body) == slowly(body, monkeypatch)


def test_the_hot_shape_takes_the_fast_path():
    """S3's own form needs no XML parser for its entries."""
    assert decode_listing._scan_entries(HOT) is not None
    assert [entry.key for entry in decode.list_objects_v2(ok(HOT)).entries] == ["a", "b/c d"]


def test_keys_are_decoded_only_where_the_service_encoded():
    """Without the echo of EncodingType a percent sign is a percent sign, and a plus a plus."""
    body = HOT.replace(b"<EncodingType>url</EncodingType>", b"")
    assert [entry.key for entry in decode.list_objects_v2(ok(body)).entries] == ["a", "b%2Fc+d"]
    slow = page(contents("é%20+"), "<CommonPrefixes><Prefix>%41+/</Prefix></CommonPrefixes>")
    assert decode_listing._scan_entries(slow) is None
    found = decode.list_objects_v2(ok(slow))
    assert (found.entries[0].key, found.prefixes) == ("é%20+", ("%41+/",))


def test_list_objects_v1_goes_on_from_the_last_name():
    """Without NextMarker the next page starts after the greater of last key and last prefix."""
    body = page(contents("a"), contents("b"), is_truncated="true")
    assert decode.list_objects_v1(ok(body)).next_token == "b"
    prefix = "<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>"
    assert decode.list_objects_v1(ok(page(contents("a"), prefix, is_truncated="true"))).next_token == "c/"
    named = page("<EncodingType>url</EncodingType><NextMarker>d%2F</NextMarker>", contents("a"), is_truncated="true")
    assert decode.list_objects_v1(ok(named)).next_token == "d/"
    assert decode.list_objects_v1(ok(page(contents("a")))).next_token == ""


# --- what cannot be right --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "E_BAD_RESPONSE"),
        (b"<html></html>", "E_NOT_S3"),
        (HOT[:-1], "E_BAD_RESPONSE"),
        (HOT[: len(HOT) // 2], "E_BAD_RESPONSE"),
        (page(name="ListAllMyBucketsResult"), "E_BAD_RESPONSE"),
        (b"<ListBucketResult/>", "E_BAD_LISTING"),
        (page(is_truncated=""), "E_BAD_LISTING"),
        (page(is_truncated="maybe"), "E_BAD_LISTING"),
        (page(is_truncated="true"), "E_BAD_LISTING"),
        (page("<NextContinuationToken/>", contents("a"), is_truncated="true"), "E_BAD_LISTING"),
        (page(contents("")), "E_BAD_LISTING"),
        (page(contents("a", "")), "E_BAD_LISTING"),
        (page(contents("a", "-1")), "E_BAD_LISTING"),
        (page(contents("a", "1e3")), "E_BAD_LISTING"),
        (page(contents("a", "9" * 19)), "E_BAD_LISTING"),
        (page(contents("a", time="yesterday")), "E_BAD_LISTING"),
        (page(contents("a", time="2026-02-30T00:00:00.000Z")), "E_BAD_LISTING"),
        (page("<Contents><Size>1</Size></Contents>"), "E_BAD_LISTING"),
        (page("<CommonPrefixes/>"), "E_BAD_LISTING"),
        (page("<EncodingType>url</EncodingType>", contents("%ff")), "E_BAD_LISTING"),
    ],
)
def test_a_page_is_whole_or_an_error(body, code):
    """Empty, foreign, cut, half-filled or endless pages are never a shorter listing."""
    with pytest.raises(BadReply) as caught:
        decode.list_objects_v2(ok(body))
    assert caught.value.code == code
    assert isinstance(caught.value, NotS3) is (code == "E_NOT_S3")


@pytest.mark.parametrize(("code", "kind"), [("AccessDenied", AccessDenied), ("InternalError", ServerFault)])
def test_an_error_behind_status_200_is_that_error(code, kind):
    """A listing that answers 200 with an error document raises what the document says."""
    with pytest.raises(kind) as caught:
        decode.list_objects_v2(ok(f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()))
    assert caught.value.code == code


def listing(*names: str, prefixes: tuple[str, ...] = (), count: int = -1, token: str = "") -> decode.Listing:
    """A page of these keys."""
    return decode.Listing(
        entries=tuple(Entry(name, 1) for name in names),
        prefixes=prefixes,
        is_truncated=bool(token),
        next_token=token,
        key_count=count,
    )


@pytest.mark.parametrize(
    ("found", "question"),
    [
        (listing(), {"prefix": "p/"}),
        (listing("p/a", "p/b"), {"prefix": "p/"}),
        (listing("p/b"), {"prefix": "p/", "after": "p/a"}),
        (listing("a", "é", "\uffff", "\U0001f600"), {"prefix": ""}),
        (listing("a", "c", prefixes=("b/",), count=3), {"prefix": ""}),
        (listing("a", "c", prefixes=("b/",), count=2), {"prefix": ""}),
        (listing("b", "a"), {"prefix": "", "is_ordered": False}),
        (listing("p/b", prefixes=("p/a/",)), {"prefix": "p/", "after": "p/a/x"}),
        (listing(token="next"), {"prefix": "", "token": "this"}),
    ],
)
def test_check_page_accepts(found, question):
    """Ordered keys under the prefix, after the last one; S3's order is that of UTF-8 bytes."""
    decode.check_page(found, **question)


@pytest.mark.parametrize(
    ("found", "question", "code"),
    [
        (listing("q/a"), {"prefix": "p/"}, "E_BAD_LISTING"),
        (listing(prefixes=("q/",)), {"prefix": "p/"}, "E_BAD_LISTING"),
        (listing("b", "a"), {"prefix": ""}, "E_BAD_LISTING"),
        (listing("a", "a"), {"prefix": ""}, "E_BAD_LISTING"),
        (listing("a"), {"prefix": "", "after": "a"}, "E_BAD_LISTING"),
        (listing("\U0001f600", "\uffff"), {"prefix": ""}, "E_BAD_LISTING"),
        (listing(prefixes=("b/", "a/")), {"prefix": ""}, "E_BAD_LISTING"),
        (listing("a", count=2), {"prefix": ""}, "E_BAD_LISTING"),
        (listing(count=1), {"prefix": ""}, "E_BAD_LISTING"),
        (listing(token="same"), {"prefix": "", "token": "same"}, "E_LIST_LOOP"),
        (listing("q/a"), {"prefix": "p/", "is_ordered": False}, "E_BAD_LISTING"),
        (listing("b", "a", "b"), {"prefix": "", "is_ordered": False}, "E_BAD_LISTING"),
    ],
)
def test_check_page_refuses(found, question, code):
    """A page that contradicts its question, itself or the page before is no listing."""
    with pytest.raises(BadReply) as caught:
        decode.check_page(found, **question)
    assert caught.value.code == code


# --- parts and uploads -----------------------------------------------------------------------------------------------

PARTS = page(
    "<NextPartNumberMarker>2</NextPartNumberMarker><ChecksumType>COMPOSITE</ChecksumType>",
    "<Part><PartNumber>1</PartNumber><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e1&quot;</ETag>"
    "<Size>5</Size><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>",
    "<Part><PartNumber>2</PartNumber><ETag>e2</ETag><Size>7</Size></Part>",
    name="ListPartsResult",
    is_truncated="true",
)


def test_list_parts_equals_botocore(oracle):
    """Numbers, sizes, ETags and checksums of parts are botocore's."""
    found = decode.list_parts(ok(PARTS))
    parsed = oracle.parse("ListParts", headers={}, body=PARTS)
    ours = [(part.number, part.size, part.etag) for part in found.parts]
    assert ours == [(part["PartNumber"], part["Size"], part["ETag"].strip('"')) for part in parsed["Parts"]]
    assert found.next_marker == parsed["NextPartNumberMarker"] == 2
    assert found.parts[0].checksum == Checksum("CRC32C", "AAAAAA==", "COMPOSITE")
    assert found.parts[1].checksum is None


def test_list_parts_as_other_services_answer():
    """Moto has another root; rclone says nothing of a next page where there is none."""
    assert decode.list_parts(ok(PARTS.replace(b"ListPartsResult", b"ListPartsResponse"))) == decode.list_parts(
        ok(PARTS)
    )
    bare = PARTS.replace(b"<NextPartNumberMarker>2</NextPartNumberMarker>", b"")
    bare = bare.replace(b"<IsTruncated>true</IsTruncated>", b"")
    page = decode.list_parts(ok(bare))
    assert (page.parts, page.next_marker) == (decode.list_parts(ok(PARTS)).parts, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<NextPartNumberMarker>2", b"<NextPartNumberMarker>1"),
        (b"<NextPartNumberMarker>2</NextPartNumberMarker>", b""),
        (b"<PartNumber>2", b"<PartNumber>1"),
        (b"<PartNumber>1", b"<PartNumber>x"),
        (b"<Size>7</Size>", b""),
        (b"<ETag>e2</ETag>", b"<ETag></ETag>"),
        (b"<IsTruncated>true", b"<IsTruncated>"),
    ],
)
def test_list_parts_refuses(old, new):
    """A page of parts that is out of order, half-filled or cannot go on is no listing."""
    body = PARTS.replace(old, new)
    assert body != PARTS
    with pytest.raises(BadReply) as caught:
        decode.list_parts(ok(body))
    assert caught.value.code == "E_BAD_LISTING"


@few
@given(st.lists(st.tuples(keys, st.text("abc0/+=", min_size=1)), max_size=4), keys)
def test_list_multipart_uploads(uploads, marker):
    """Keys and markers come back as they are, upload ids untouched."""
    body = page(
        f"<EncodingType>url</EncodingType><NextKeyMarker>{quote_plus(marker)}</NextKeyMarker>",
        "<NextUploadIdMarker>a+b</NextUploadIdMarker>",
        *(
            f"<Upload><Key>{quote_plus(key)}</Key><UploadId>{upload_id}</UploadId>"
            "<StorageClass>STANDARD</StorageClass><Initiated>1970-01-01T00:00:01.000Z</Initiated></Upload>"
            for key, upload_id in uploads
        ),
        name="ListMultipartUploadsResult",
        is_truncated="true",
    )
    found = decode.list_multipart_uploads(ok(body))
    assert [(upload.key, upload.upload_id) for upload in found.uploads] == uploads
    assert all(upload.initiated_ns == 1_000_000_000 for upload in found.uploads)
    assert (found.next_key_marker, found.next_upload_id_marker) == (marker, "a+b")


def test_list_multipart_uploads_without_a_word():
    """Some services say of their only page neither that it is the last nor how to go on."""
    upload = "<Upload><Key>k</Key><UploadId>u</UploadId><Initiated>1970-01-01T00:00:01.000Z</Initiated></Upload>"
    found = decode.list_multipart_uploads(ok(page(upload, name="ListMultipartUploadsResult", is_truncated="")))
    assert ([one.key for one in found.uploads], found.next_key_marker) == (["k"], "")
    more = page(upload, "<NextKeyMarker>k</NextKeyMarker>", name="ListMultipartUploadsResult", is_truncated="")
    with pytest.raises(BadReply):
        decode.list_multipart_uploads(ok(more))


@pytest.mark.parametrize("broken", ["<Upload><Key>k</Key></Upload>", "<Upload><UploadId>u</UploadId></Upload>", ""])
def test_list_multipart_uploads_refuses(broken):
    """An upload without key or id, or a truncated page without a key to go on from, is no listing."""
    body = page(broken, name="ListMultipartUploadsResult", is_truncated="true")
    with pytest.raises(BadReply) as caught:
        decode.list_multipart_uploads(ok(body))
    assert caught.value.code == "E_BAD_LISTING"
