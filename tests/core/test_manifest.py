"""Lists of objects are read line by line, in three forms, and written so that they are read again."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.events import Landed
from orbit_fast.core.manifest import MAX_LINE_BYTES
from orbit_fast.core.manifest import ManifestForm
from orbit_fast.core.manifest import ManifestRow
from orbit_fast.core.manifest import form_of
from orbit_fast.core.manifest import landed_line
from orbit_fast.core.manifest import read_rows
from orbit_fast.core.manifest import relative_name
from orbit_fast.core.manifest import row_line
from orbit_fast.core.model import Checksum

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SECOND = 1_767_323_045_000_000_000  # 2026-01-02T03:04:05Z


def _rows(*lines):
    return list(read_rows(lines, "list"))


@pytest.mark.parametrize(
    ("line", "form"),
    [
        (b"a/b.txt", ManifestForm.NAMES),
        (b"{odd} name", ManifestForm.NAMES),
        (b'"quoted"', ManifestForm.NAMES),
        (b"a,b", ManifestForm.NAMES),
        (b"s3://b/k", ManifestForm.NAMES),
        (b'{"key": "s3://b/k"}', ManifestForm.EVENTS),
        (b'{"key": 5}', ManifestForm.EVENTS),
        (b"{}", ManifestForm.EVENTS),
        (b'"b","k"', ManifestForm.INVENTORY),
        (b"Bucket, Key, Size", ManifestForm.INVENTORY),
    ],
)
def test_forms(line, form) -> None:
    """The first line tells what the list is."""
    assert form_of(line) is form


@given(names=st.lists(st.binary(min_size=1, max_size=9).filter(lambda name: b"\n" not in name), max_size=20))
def test_names_are_any_bytes(names) -> None:
    """One a line, as they are; empty lines count and name nothing."""
    names = [name for name in names if form_of(name) is ManifestForm.NAMES]
    lines = [line for name in names for line in (name, b"")]
    assert [(row.name, row.line) for row in read_rows(lines, "list")] == [
        (name, 2 * place + 1) for place, name in enumerate(names)
    ]


def test_events() -> None:
    """Objects of listings and of transfers; what names no object is passed over."""
    rows = _rows(
        b'{"operation":"ls","success":true,"key":"s3://b/d/","type":"directory"}',
        b'{"operation":"ls","success":true,"key":"s3://b/k","type":"file","size":7,"etag":"e",'
        b'"last_modified":"2026-01-02T03:04:05Z","storage_class":"GLACIER","version_id":"v","unheard":[1]}',
        b'{"operation":"cp","success":true,"source":"a","destination":"s3://b/a","size":3,'
        b'"checksum":{"algorithm":"CRC32C","value":"AAAAAA==","type":"FULL_OBJECT"}}',
        b'{"operation":"cp","success":false,"source":"\\ufffd","source_b64":"/w==","error":"x","code":"y"}',
        b'{"operation":"progress","bytes_done":1}',
        b'{"operation":"summary","command":"cp"}',
    )
    assert rows == [
        ManifestRow(
            line=2, name=b"s3://b/k", size=7, etag="e", mtime_ns=SECOND, storage_class="GLACIER", version_id="v"
        ),
        ManifestRow(line=3, name=b"a", size=3, checksum=Checksum("CRC32C", "AAAAAA=="), destination=b"s3://b/a"),
        ManifestRow(line=4, name=b"\xff"),
    ]


def test_an_inventory_by_its_look() -> None:
    """Bucket, encoded key, and the columns that can be told."""
    rows = _rows(
        f'"b","a%2Fb+c%2B","7","2026-01-02T03:04:05.000Z","{MD5}","STANDARD"\r'.encode(),
        f'"b","d","8","2026-01-02T03:04:05.000Z","{MD5}-3","GLACIER"'.encode(),
    )
    assert rows == [
        ManifestRow(line=1, name=b"s3://b/a/b c+", size=7, mtime_ns=SECOND, etag=MD5, storage_class="STANDARD"),
        ManifestRow(line=2, name=b"s3://b/d", size=8, mtime_ns=SECOND, etag=f"{MD5}-3", storage_class="GLACIER"),
    ]


def test_an_inventory_of_versions() -> None:
    """Only what a key holds now: neither old versions nor delete markers."""
    rows = _rows(
        b'"b","k","v2","true","false","7"',
        b'"b","k","v1","false","false","6"',
        b'"b","gone","v3","true","true",""',
    )
    assert rows == [ManifestRow(line=1, name=b"s3://b/k", size=7, version_id="v2")]


def test_an_inventory_with_a_header() -> None:
    """The schema that S3 writes beside an inventory names the columns, in any order."""
    rows = _rows(b"Key, ETag, Bucket, Owner, IsLatest", b'"k%0A",e,b,me,true', b"k,e,b,me,false")
    assert rows == [ManifestRow(line=2, name=b"s3://b/k\n", etag="e")]


@given(
    bucket=st.from_regex(r"[a-z]{3}", fullmatch=True),
    keys=st.lists(st.text(min_size=1).filter(lambda key: not {*key} & {*map(chr, range(0xD800, 0xE000))}), min_size=1),
)
def test_any_key_survives_an_inventory(bucket, keys) -> None:
    """Whatever a key holds, encoding it into CSV and reading it gives it back."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([bucket, quote_plus(key), 5] for key in keys)
    rows = read_rows(text.getvalue().encode().split(b"\n"), "list")
    assert [row.name for row in rows] == [f"s3://{bucket}/{key}".encode() for key in keys]


@pytest.mark.timeout(5)
def test_columns_without_number_are_told_in_linear_time() -> None:
    """A line of half a million fields is no inventory, and is read as soon as any of its length."""
    (row,) = read_rows([b'"b","k",' + b"x," * (MAX_LINE_BYTES // 2 - 20)], "list")
    assert row.name == b"s3://b/k"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([b'{"key":"s3://b/k"}', b"{"], "list:2: not an event in JSON: "),
        ([b'{"key":"s3://b/k"}', b"name"], "list:2: not an event in JSON: "),
        ([b'{"key":"s3://b/k","size":"7"}'], "list:1: not an event in JSON: Expected `int | null`"),
        ([b'{"key":"s3://b/k","key_b64":"?"}'], "list:1: not base64: '?'"),
        ([b'{"key":"s3://b/k","last_modified":"now"}'], "list:1: not a time of S3's form: 'now'"),
        ([b"", b"{}"], "list:2: names no object: it has neither key nor source"),
        ([b'"b","k","5"', b'"b","k"'], "list:2: 2 columns instead of 3"),
        ([b'"b","k","5"', b'"b","k","x"'], "list:2: the size is 'x'"),
        ([b'"b","k"', b'"b",""'], "list:2: the bucket or the key is missing"),
        ([b'"b","k"', b'"b","k" x'], "list:2: not a line of an inventory: "),
        ([b'"b","k"', b'"b","\xff"'], "list:2: not a line of an inventory: "),
        ([b'{"key":"a","size":-5}'], "list:1: the size is no number of bytes"),
        ([b'{"key":"a","size":9223372036854775808}'], "list:1: the size is no number of bytes"),
        ([b'{"key":"\xdd"}'], "list:1: not an event in JSON: "),
        ([b"x" * (MAX_LINE_BYTES + 1)], f"list:1: a line of {MAX_LINE_BYTES + 1} bytes names no object"),
    ],
)
def test_a_line_that_cannot_be_read(lines, complaint) -> None:
    """It is named by its number, and the list is not read on."""
    with pytest.raises(InvalidConfig) as caught:
        _rows(*lines)
    assert caught.value.message.startswith(complaint)
    assert "\n" not in caught.value.message


@given(
    st.builds(
        ManifestRow,
        line=st.just(1),
        name=st.binary(min_size=1, max_size=20),
        destination=st.binary(max_size=5),
        source=st.binary(max_size=5),
        size=st.integers(-1, 2**62),
        etag=st.sampled_from(["", MD5]),
        checksum=st.sampled_from([None, Checksum("SHA256", "x=", "COMPOSITE")]),
    )
)
def test_what_is_written_is_read(row) -> None:
    """A row survives its line, whatever bytes its names hold."""
    line = row_line(row)
    assert line.count(b"\n") == 1
    assert _rows(line[:-1]) == [row]


@pytest.mark.parametrize(
    ("name", "destination", "source", "below"),
    [
        (b"a/b", b"", b"s3://b/p/", b"a/b"),
        (b"../a", b"", b"s3://b/p/", b"../a"),
        (b"s3://b/p/a", b"", b"s3://b/p/", b"a"),
        (b"tree/a", b"s3://b/p/a", b"s3://b/p/", b"a"),
        (b"s3://b/q/a", b"", b"s3://b/p/", None),
        (b"s3://b/p/", b"", b"s3://b/p/", None),
        (b"a/b", b"", b"tree/", b"a/b"),
        (b"./a/b", b"", b"tree/", b"a/b"),
        (b"tree/a", b"", b"tree/", b"tree/a"),
        (b"tree/a", b"s3://b/p/a", b"tree/", b"a"),
        (b"s3://b/p/a", b"tree/a", b"tree/", b"a"),
        (b"/tmp/tree/a", b"", b"/tmp/tree/", b"a"),
        (b"/tmp/tree/../a", b"", b"/tmp/tree/", None),
        (b"/tmp/other/a", b"", b"/tmp/tree/", None),
        (b"s3://b/p/a", b"", b"tree/", None),
        (b"../a", b"", b"tree/", None),
        (b"a/../../b", b"", b"tree/", None),
        (b"a//b", b"", b"tree/", None),
        (b".", b"", b"tree/", None),
        (b"a\0", b"", b"tree/", None),
        (b"d/", b"", b"tree/", b"d/"),
    ],
)
def test_names_below_the_source(name, destination, source, below) -> None:
    """Plain names are relative already; whole ones must lie below the source, and nothing leads out of a directory."""
    row = ManifestRow(line=4, name=name, destination=destination)
    if below is not None:
        assert relative_name(row, source, "list") == below
        return
    with pytest.raises(UnsafePath, match=r"^list:4: .* is not below the source, "):
        relative_name(row, source, "list")


def test_what_arrived_is_named_by_where_it_is() -> None:
    """With all that a manifest says of it, and where it came from."""
    checksum = Checksum("CRC32C", "AAAAAA==", "FULL_OBJECT")
    landed = Landed(size=3, etag=MD5, version_id="v", checksum=checksum, parts=2)
    line = landed_line((b"tree/\xff", "s3://b/k"), landed)
    assert _rows(line[:-1]) == [
        ManifestRow(line=1, name=b"s3://b/k", source=b"tree/\xff", size=3, etag=MD5, version_id="v", checksum=checksum)
    ]
