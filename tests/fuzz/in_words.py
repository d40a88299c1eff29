"""Targets for small texts: ranges, times, ETags and checksums, URLs and wildcards, sizes, names that are shown."""

from __future__ import annotations

import re
from datetime import UTC
from datetime import datetime
from urllib.parse import unquote

from orbit_fast.core import units
from orbit_fast.core.byterange import parse_range
from orbit_fast.core.byterange import resolve_range
from orbit_fast.core.checksum import ALGORITHMS
from orbit_fast.core.checksum import combine
from orbit_fast.core.checksum import decode_value
from orbit_fast.core.checksum import is_combinable
from orbit_fast.core.decode_facts import http_date_ns
from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.decode_facts import parse_content_length
from orbit_fast.core.decode_facts import parse_content_range
from orbit_fast.core.decode_facts import unquoted
from orbit_fast.core.errors import BadReply
from orbit_fast.core.errors import InvalidBucketName
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import InvalidKey
from orbit_fast.core.errors import InvalidRange
from orbit_fast.core.errors import NameTooLong
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.etag import guess_part_sizes
from orbit_fast.core.etag import is_md5
from orbit_fast.core.etag import parts_of
from orbit_fast.core.guard import parse_limit
from orbit_fast.core.http1 import encode_head
from orbit_fast.core.location import Wildcard
from orbit_fast.core.location import destination_key
from orbit_fast.core.location import is_s3_url
from orbit_fast.core.location import key_source
from orbit_fast.core.location import parse_s3_url
from orbit_fast.core.model import Request
from orbit_fast.core.names import local_name
from orbit_fast.core.redact import redact
from orbit_fast.core.settings import ClientSettings
from orbit_fast.core.uri import encode_key
from orbit_fast.core.uri import encode_query
from orbit_fast.core.visible import clean
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable
from orbit_fast.io.endpoints import custom_endpoint
from tests.fuzz.pieces import check_travels
from tests.fuzz.pieces import outcome
from tests.fuzz.pieces import text_of

_NOW_NS = 1_800_000_000_000_000_000


def ranges(data: bytes) -> None:
    """``Content-Range``, ``Content-Length`` and the ranges that users write: inside the object, or refused."""
    text = text_of(data)
    found = outcome(lambda: parse_content_range(text), BadReply)
    if not isinstance(found, str):
        assert 0 <= found.first <= found.last < found.total
        assert parse_content_range(f"bytes {found.first}-{found.last}/{found.total}") == found
        check_travels(found)
    length = outcome(lambda: parse_content_length(text), BadReply)
    if isinstance(length, int):
        assert length >= 0
        check_travels(length)
    plain = outcome(lambda: parse_range(text), InvalidConfig)
    if plain == "InvalidConfig":
        return
    assert parse_range(f"bytes={plain}") == plain
    for size in (0, 1, 100, 1 << 62):
        part = outcome(lambda size=size: resolve_range(plain, size, "key"), InvalidRange)
        if not isinstance(part, str):
            offset, count = part
            assert 0 <= offset < offset + count <= size


def times(data: bytes) -> None:
    """Times of a service and of users: every one that is read can be passed on and shown."""
    text = text_of(data)
    for read in (iso_time_ns, http_date_ns):
        found = outcome(lambda read=read: read(text), ValueError)
        if isinstance(found, int):
            check_travels(found)
            shown = units.format_time(found)
            year = int(text[:4]) if text[:4].isdigit() else 0
            if 1700 < year < 2200:
                assert iso_time_ns(shown) == found // 10**9 * 10**9
    moment = outcome(lambda: units.parse_age(text, _NOW_NS), InvalidConfig)
    if isinstance(moment, int):
        assert moment
        check_travels(moment)
        units.format_time(moment)
    seconds = outcome(lambda: units.parse_duration(text), InvalidConfig)
    if isinstance(seconds, float):
        assert seconds >= 0
        units.format_duration(seconds)
    stamp = int.from_bytes(data[:4], "big")
    written = datetime.fromtimestamp(stamp, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert http_date_ns(written) == stamp * 10**9 == iso_time_ns(units.format_time(stamp * 10**9))


def etags(data: bytes) -> None:
    """ETags and checksums as they stand in replies: what is no proof proves nothing."""
    text = unquoted(text_of(data))
    assert is_md5(text) == bool(re.fullmatch("[0-9a-f]{32}", text))
    parts = parts_of(text)
    assert 0 <= parts < 100_000
    for size in (0, 1, 1 << 20, 1 << 40):
        for part_size in guess_part_sizes(size, parts):
            assert -(-size // part_size) == parts
    for algorithm in ALGORITHMS:
        digest = outcome(lambda algorithm=algorithm: decode_value(algorithm, text), BadReply)
        if isinstance(digest, bytes) and is_combinable(algorithm):
            assert decode_value(algorithm, combine(algorithm, [(text, 5)])) == digest
            outcome(lambda algorithm=algorithm: combine(algorithm, [(text, 5), (text, 1 << 40)]), BadReply)


def urls(data: bytes) -> None:
    """An argument of the command line: a bucket and a key that mean the same when they are written again."""
    text = text_of(data)
    url = outcome(lambda: parse_s3_url(text), InvalidConfig, InvalidBucketName, InvalidKey)
    if isinstance(url, str):
        return
    assert is_s3_url(text)
    assert parse_s3_url(str(url)) == url
    assert text[5:] in {f"{url.bucket}/{url.key}", url.bucket}
    target = outcome(lambda: encode_key(url.key), InvalidKey)
    if target != "InvalidKey":
        assert target.isascii()
        assert unquote(target) == url.key
        assert not set(target) & set(" ?#\r\n\0")
        outcome(lambda: encode_query([(url.key, url.key)]), InvalidKey)
    for raw in (True, False):
        source = outcome(lambda raw=raw: key_source(url, recursive=True, raw=raw), InvalidConfig)
        assert not isinstance(source, str)
        prefix = source.list_prefix or ""
        for key in (url.key, f"{url.key}/x", url.key.replace("*", "b"), prefix):
            if key and source.holds(key):
                assert key.startswith(prefix) or key == source.single_key
                assert key.endswith(source.relative_name(key))
                _check_place(source.relative_name(key))
    made = outcome(lambda: destination_key(url, "name", many=True), InvalidKey)
    assert made == "InvalidKey" or made.startswith(url.key)


def _check_place(name: str) -> None:
    """A name below the destination leads to a place below it, or to none."""
    path = outcome(lambda: local_name(name), UnsafePath, NameTooLong)
    if isinstance(path, bytes):
        assert not path.startswith(b"/")
        assert b"\0" not in path
        assert {b"", b".", b".."}.isdisjoint(path.split(b"/"))
        assert path.decode() == name.removesuffix("/")


def wildcards(data: bytes) -> None:
    """A pattern and, behind a line feed, a text: they match as a slow and simple reading says."""
    pattern, _, text = text_of(data)[:80].partition("\n")
    assert Wildcard(pattern).matches(text) == _matches(pattern, text)
    assert Wildcard(pattern).matches(pattern.replace("?", "x"))
    _check_place(text)


def _matches(pattern: str, text: str) -> bool:
    fits = [True] + [False] * len(text)
    for sign in pattern:
        if sign == "*":
            for at in range(len(text)):
                fits[at + 1] = fits[at + 1] or fits[at]
        else:
            fits = [False] + [fits[at] and sign in {"?", text[at]} for at in range(len(text))]
    return fits[-1]


def sizes(data: bytes) -> None:
    """Sizes, rates and limits: whole numbers that fit, or refused."""
    text = text_of(data)
    for read, least in ((units.parse_size, 0), (units.parse_rate, 1)):
        found = outcome(lambda read=read: read(text), InvalidConfig)
        if isinstance(found, int):
            assert least <= found < 1 << 63
            assert units.parse_size(units.format_size(found, human=False)) == found
            units.format_size(found, human=True)
    limit = outcome(lambda: parse_limit(text), InvalidConfig)
    if not isinstance(limit, str):
        check_travels(limit.value)


def shown(data: bytes) -> None:
    """Names and messages that are shown: one line, valid text, nothing that a terminal obeys."""
    text = text_of(data)
    for name in (data, text):
        line = printable(name)
        assert len(line.splitlines()) <= 1
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", line)
        line.encode()
        lossless, exact = lossy(name)
        lossless.encode()
        assert exact or lossless.encode() == data
    message = clean(text)
    assert len(message.splitlines()) <= 1
    message.encode()
    secret = "abcdEFGH1234"
    assert secret not in redact(f"{text}{secret}{text}", [secret])
    assert secret not in redact(f"authorization: {secret}\n{text}")


def endpoints(data: bytes) -> None:
    """The URL of an endpoint: a host to connect to and a head that no part of it can break, or refused."""
    text = text_of(data)
    for style in ("auto", "path", "virtual"):
        settings = ClientSettings(addressing_style=style)
        made = outcome(
            lambda settings=settings: custom_endpoint(
                text, "bucket", region="us-east-1", settings=settings, origin="--endpoint-url"
            ),
            InvalidConfig,
        )
        if isinstance(made, str):
            continue
        assert made.scheme in {"http", "https"}
        assert made.host
        assert 0 < made.port < 65_536
        check_travels(made)
        request = Request(operation="GetObject", method="GET", key="a b")
        head = outcome(
            lambda made=made, request=request: encode_head(
                request, made, None, amz_date="", content_length=0, payload_sha256=""
            ),
            InvalidConfig,
        )
        if isinstance(head, bytes):
            assert head.count(b"\r\n") == 5
            assert head.startswith(b"GET /")
