"""Times, ranges, ETags and checksums of reply headers, held against botocore's and the standard library's reading."""

from __future__ import annotations

import datetime as dt
import email.utils

import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core import decode
from orbit_fast.core.decode_facts import ContentRange
from orbit_fast.core.errors import BadReply
from orbit_fast.core.model import Checksum

LAST_NS = (1 << 63) - 1
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
moments = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(9999, 12, 31), timezones=st.just(dt.UTC))  # noqa: DTZ001 - bounds are naive by hypothesis' rule


def nanoseconds(moment: dt.datetime) -> int:
    """Exactly, without floats."""
    return (moment - EPOCH) // dt.timedelta(microseconds=1) * 1000


@given(moments)
def test_http_dates_equal_the_standard_library(moment):
    """Any second that `email.utils` can write is read back."""
    whole = moment.replace(microsecond=0)
    text = email.utils.format_datetime(whole, usegmt=True)
    assert decode.http_date_ns(text) == min(nanoseconds(whole), LAST_NS)
    assert nanoseconds(parse_timestamp(text)) == nanoseconds(whole)


@given(moments)
def test_iso_times_equal_botocore(moment):
    """Fractions of every length are read as botocore reads them."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + f".{moment.microsecond:06}Z"
    assert decode.iso_time_ns(text) == min(nanoseconds(moment), LAST_NS)
    assert nanoseconds(parse_timestamp(text)) == nanoseconds(moment)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-02T00:00:00.000+00:00", 86_400_000_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
        ("0001-01-01T00:00:00Z", -LAST_NS),
        ("9999-12-31T23:59:60Z", LAST_NS),
        ("2262-04-11T23:47:16.854775808Z", LAST_NS),
    ],
)
def test_iso_time_table(text, ns):
    """Known instants; what 64 bits do not hold is their first or last: messages between processes carry no more."""
    assert decode.iso_time_ns(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-02",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T00:60:00Z",
        "2026-01-02T00:00:61Z",
        "2026-01-02T00:00:00",
        "2026-01-02T00:00:00+01:00",
        "٢٠٢٦-01-02T00:00:00Z",
        "Fri, 02 Foo 2026 03:04:05 GMT",
        "Fri, 31 Feb 2026 03:04:05 GMT",
        "Fri, 02 Jan 2026 03:04:05 +0200",
    ],
)
def test_other_times_are_refused(text):
    """What is no UTC time of a known form is never guessed at."""
    with pytest.raises(ValueError, match=r".+"):
        decode.http_date_ns(text)


@given(st.integers(0, 2**50), st.integers(0, 2**50), st.integers(1, 2**50))
def test_content_range_round_trip(first, more, rest):
    """Every consistent range is read as it was written."""
    found = decode.parse_content_range(f"bytes {first}-{first + more}/{first + more + rest}")
    assert found == ContentRange(first=first, last=first + more, total=first + more + rest)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "bytes */10",
        "bytes 0-9/*",
        "bytes 5-4/10",
        "bytes 0-10/10",
        "bytes 0-9/0",
        "bytes -1-9/10",
        "bytes=0-9/10",
        "octets 0-9/10",
        "bytes 0-9/10, bytes 10-19/20",
        "bytes 0-99999999999999999999/99999999999999999999999",
        "bytes 0-٩/10",
        " bytes 0-9/10",
        "bytes 0-9/10\n",
    ],
)
def test_content_range_refuses(value):
    """A range that contradicts itself, has no total, or is of another form is a bad reply."""
    with pytest.raises(BadReply):
        decode.parse_content_range(value)


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", "0x10", "1_0", "\u0661", "9" * 20, "1 ", "1, 1"])
def test_content_length_refuses(value):
    """Only plain digits, and not more than fit into 64 bits, are a length."""
    with pytest.raises(BadReply):
        decode.parse_content_length(value)
    assert decode.parse_content_length("0") == 0
    assert decode.parse_content_length(str(10_000 * 5 * 2**30)) == 53_687_091_200_000


@pytest.mark.parametrize(
    ("headers", "checksum"),
    [
        ({}, None),
        ({"x-amz-checksum-crc32": ""}, None),
        ({"x-amz-checksum-xxhash3": "AAAA"}, None),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, Checksum("CRC32", "AAAAAA==", "FULL_OBJECT")),
        ({"x-amz-checksum-sha1": "a", "x-amz-checksum-sha256": "b"}, Checksum("SHA256", "b", "FULL_OBJECT")),
        ({"x-amz-checksum-sha256": "b", "x-amz-checksum-crc32": "c"}, Checksum("CRC32", "c", "FULL_OBJECT")),
        ({"x-amz-checksum-crc32c": "d", "x-amz-checksum-crc32": "c"}, Checksum("CRC32C", "d", "FULL_OBJECT")),
        ({"x-amz-checksum-crc32c": "d", "x-amz-checksum-crc64nvme": "e"}, Checksum("CRC64NVME", "e", "FULL_OBJECT")),
        ({"x-amz-checksum-sha256": "b-3"}, Checksum("SHA256", "b-3", "COMPOSITE")),
        (
            {"x-amz-checksum-crc32c": "d", "x-amz-checksum-type": "COMPOSITE"},
            Checksum("CRC32C", "d", "COMPOSITE"),
        ),
        (
            {"x-amz-checksum-crc32c": "d-2", "x-amz-checksum-type": "FULL_OBJECT"},
            Checksum("CRC32C", "d-2", "COMPOSITE"),
        ),
    ],
)
def test_preferred_checksum(headers, checksum):
    """CRC64NVME, CRC32C, CRC32, SHA-256, SHA-1 in this order; a part count makes it composite."""
    assert decode.checksum_of_headers(headers) == checksum


def test_object_facts_of_a_full_head():
    """Every header that matters is found, the rest is left alone."""
    facts = decode.object_facts(
        {
            "content-length": "12",
            "etag": '"0123456789abcdef0123456789abcdef-7"',
            "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT",
            "x-amz-version-id": "v1",
            "x-amz-checksum-crc64nvme": "AAAAAAAAAAA=",
            "x-amz-checksum-type": "FULL_OBJECT",
            "content-type": "text/plain",
            "cache-control": "no-store",
            "x-amz-storage-class": "GLACIER",
            "x-amz-restore": 'ongoing-request="true"',
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-meta-mtime": "1.5",
            "x-amz-meta-x-amz-meta-odd": "y",
            "x-amz-tagging-count": "3",
            "server": "AmazonS3",
        }
    )
    assert (facts.size, facts.etag, facts.parts_count) == (12, "0123456789abcdef0123456789abcdef-7", 7)
    assert facts.mtime_ns == 1_767_323_045_000_000_000
    assert (facts.version_id, facts.storage_class, facts.encryption) == ("v1", "GLACIER", "aws:kms")
    assert facts.checksum == Checksum("CRC64NVME", "AAAAAAAAAAA=", "FULL_OBJECT")
    assert facts.content_headers == (("content-type", "text/plain"), ("cache-control", "no-store"))
    assert (facts.content_type, facts.restore, facts.tag_count) == ("text/plain", 'ongoing-request="true"', 3)
    assert facts.metadata == {"mtime": "1.5", "x-amz-meta-odd": "y"}


@pytest.mark.parametrize(
    ("headers", "name", "value"),
    [
        ({"content-length": "5", "content-range": "bytes 0-4/99"}, "size", 99),
        ({"content-length": "5", "etag": "bare"}, "etag", "bare"),
        ({"content-length": "5", "etag": 'W/"weak"'}, "etag", 'W/"weak"'),
        ({"content-length": "5", "etag": '"'}, "etag", '"'),
        ({"content-length": "5", "last-modified": "yesterday"}, "mtime_ns", 0),
        ({"content-length": "5", "last-modified": "2026-01-02T03:04:05.000Z"}, "mtime_ns", 1_767_323_045_000_000_000),
        ({"content-length": "5", "x-amz-mp-parts-count": "4", "etag": '"a-3"'}, "parts_count", 4),
        ({"content-length": "5", "x-amz-server-side-encryption-customer-algorithm": "AES256"}, "encryption", "SSE-C"),
        ({"content-length": "5", "x-amz-server-side-encryption": "AES256"}, "encryption", "AES256"),
    ],
)
def test_object_facts_table(headers, name, value):
    """Single headers and what they mean."""
    assert getattr(decode.object_facts(headers), name) == value


@pytest.mark.parametrize("headers", [{}, {"content-length": "x"}, {"content-range": "bytes */5"}])
def test_an_object_without_a_size_is_a_bad_reply(headers):
    """The size is never guessed."""
    with pytest.raises(BadReply):
        decode.object_facts(headers)
