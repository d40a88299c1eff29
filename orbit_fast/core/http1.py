"""HTTP/1.1 as S3 speaks it, in bytes and values only: request heads out, reply heads and chunked bodies in.

A reply comes from whoever answered: perhaps S3, perhaps a proxy, perhaps something hostile. What must never happen is
that two readers disagree where a body ends, so framing that can be read in two ways is refused rather than repaired
(RFC 9112, section 6): a `Content-Length` beside a `Transfer-Encoding`, lengths that differ, transfer codings other
than ``chunked``, sloppy chunk sizes. Elsewhere we are as tolerant as other clients: bare LF line ends, folded lines,
no reason phrase.

A request is put together so that nothing a user gave (a key, a metadata value) can end a line: keys are
percent-encoded, and header names and values are checked.

Both heads have a fast road for the shape that nearly all have, and a careful one for the rest; tests hold them equal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any
from typing import Final

import msgspec

from orbit_fast.core.chunked import ChunkedDecoder
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.fields import TOKEN
from orbit_fast.core.fields import read_fields
from orbit_fast.core.fields import refused
from orbit_fast.core.fields import too_much
from orbit_fast.core.limits import MAX_HEAD_BYTES
from orbit_fast.core.limits import MAX_HEAD_FIELDS
from orbit_fast.core.model import Endpoint
from orbit_fast.core.model import Request
from orbit_fast.core.sigv4 import SECURITY_TOKEN
from orbit_fast.core.sigv4 import SESSION_TOKEN
from orbit_fast.core.sigv4 import Signer
from orbit_fast.core.sigv4 import target_path
from orbit_fast.core.sigv4 import trim_value
from orbit_fast.core.uri import encode_key
from orbit_fast.core.uri import encode_query

__all__ = [
    "USER_AGENT",
    "ChunkedDecoder",
    "ReplyHead",
    "encode_head",
    "encode_key",
    "encode_query",
    "find_head_end",
    "parse_head",
]

USER_AGENT: Final = "orbit-fast"

_REFUSED_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")

# --- request heads ------------------------------------------------------------------------------------------------

_OURS: Final = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "host",
        "transfer-encoding",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        SECURITY_TOKEN,
        SESSION_TOKEN,
    }
)
"""Headers that this module writes itself; a request that names one would send it twice."""

_UNSIGNED: Final = frozenset(
    {
        "baggage",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "upgrade",
        "x-amzn-trace-id",
    }
)
"""Headers that proxies change: sent, not signed. The same set as botocore's."""

_SIGNER_NAMES: Final = ("host", "x-amz-content-sha256", "x-amz-date")


class _Shape(msgspec.Struct, frozen=True):
    """What a set of header names fixes, values aside.

    Attributes:
        wire: the lines to send, one ``%s`` a value: those of the signer but the host, then those of the request.
        canonical: the lines to sign, one ``%s`` a value, in canonical order.
        pick: takes the canonical lines' values out of (signer's values, then request's).
        signed_names: what follows ``SignedHeaders=``.
    """

    wire: str
    canonical: str
    pick: Any
    signed_names: str


def encode_head(
    request: Request,
    endpoint: Endpoint,
    signer: Signer | None,
    *,
    amz_date: str,
    content_length: int,
    payload_sha256: str,
) -> bytes:
    """Return the whole head of a request, closing blank line included. About 4 µs signed.

    Args:
        request: what to ask. Its headers are sent and, but for those that proxies change, signed.
        endpoint: where it goes.
        signer: None sends it anonymously, without any ``x-amz-date``.
        amz_date: what `format_amz_date` gives.
        content_length: bytes of the body. Sent with every PUT and POST, and where there are any.
        payload_sha256: hex digest of the body or ``UNSIGNED-PAYLOAD``.

    Raises:
        InvalidConfig: a header name or value that HTTP cannot carry, or that is given twice; an endpoint with such a
            host or path.
        InvalidKey: the key has no UTF-8 form.
    """
    method = request.method
    host = endpoint.host_header
    path = target_path(endpoint, request.key)
    query = encode_query(request.query) if request.query else ""
    place = f"{method}{path}{host}"
    if not (place.isascii() and place.isprintable()) or " " in place:
        raise InvalidConfig(f"not a usable endpoint: {endpoint.host_header + endpoint.path_prefix!a}")
    names, values = zip(*request.headers, strict=True) if request.headers else ((), ())
    is_plain = _are_plain(values)
    if not is_plain:
        values = tuple([_clean_value(name, value) for name, value in request.headers])
    target = f"{path}?{query}" if query else path
    length = f"content-length: {content_length}\r\n" if content_length or method in {"PUT", "POST"} else ""
    start = f"{method} {target} HTTP/1.1\r\nhost: {host}\r\naccept-encoding: identity\r\nuser-agent: {USER_AGENT}\r\n"
    if signer is None:
        shape = shape_of(names, 0)
        return f"{start}{length}{shape.wire % values}\r\n".encode("latin-1")
    own = (payload_sha256, amz_date, signer.token) if signer.token else (payload_sha256, amz_date)
    shape = shape_of(names, len(own), signer.token_name)
    signed = values if is_plain else tuple([trim_value(value) for value in values])
    lines = shape.canonical % shape.pick((host, *own, *signed))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{shape.signed_names}\n{payload_sha256}"
    authorization = signer.authorize_canonical(canonical, shape.signed_names, amz_date)
    fields = shape.wire % (*own, *values)
    return f"{start}{length}{fields}authorization: {authorization}\r\n\r\n".encode("latin-1")


def _are_plain(values: tuple[str, ...]) -> bool:
    """Whether values can be sent and signed as they are: printable ASCII, no space at an end or beside a space."""
    text = " ".join(("", *values, ""))
    return text.isascii() and text.isprintable() and "  " not in text


def _clean_value(name: str, value: str) -> str:
    if _REFUSED_IN_VALUE.search(value):
        raise InvalidConfig(f"the value of header {name!a} has a character that HTTP cannot carry")
    return value.strip(" \t")


@lru_cache(maxsize=256)  # a job uses few sets of names; user metadata can make more
def shape_of(names: tuple[str, ...], own_count: int, token_name: str = SECURITY_TOKEN) -> _Shape:
    """Lay out the headers of a request; `own_count` is how many of the signer's own ride along (0: anonymous).

    The third of these is the session token, under `token_name`.

    Raises:
        InvalidConfig: a name is no token, not lower-case, one of ours, or there twice.
    """
    for name in names:
        if not TOKEN.fullmatch(name) or name != name.lower():
            raise InvalidConfig(f"not a header name: {name!a}")
        if name in _OURS:
            raise InvalidConfig(f"header {name} cannot be set: it follows from the request")
    if len(set(names)) != len(names):
        raise InvalidConfig(
            f"a header is given twice: {', '.join(sorted(n for n in set(names) if names.count(n) > 1))}"
        )
    own = (*_SIGNER_NAMES, token_name)[: own_count + 1]
    signed = sorted((name, at) for at, name in enumerate((*own, *names)) if name not in _UNSIGNED)
    picks = [at for _, at in signed]
    return _Shape(
        wire="".join([f"{name.replace('%', '%%')}: %s\r\n" for name in (*own[1:], *names)]),
        canonical="".join([f"{name.replace('%', '%%')}:%s\n" for name, _ in signed]),
        # itemgetter of one index gives no tuple; `%` takes the bare value as well
        pick=itemgetter(*picks),
        signed_names=";".join([name for name, _ in signed]),
    )


# --- reply heads --------------------------------------------------------------------------------------------------

_STATUS_LINE = re.compile(r"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: [^\x00\r\n]*)?")
_MAX_LENGTH: Final = (1 << 63) - 1


def _spell(*names: str) -> dict[str, str]:
    """Map the spellings that servers use of each name to lower case."""
    spelled = {}
    for name in names:
        title = "-".join([part.capitalize() for part in name.split("-")])
        spelled.update({name: name, title: name})
    return spelled


_KNOWN_NAMES: Final = _spell(
    "accept-ranges",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "server",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-amz-bucket-region",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-expiration",
    "x-amz-id-2",
    "x-amz-meta-mtime",
    "x-amz-mp-parts-count",
    "x-amz-request-id",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-version-id",
    "x-content-type-options",
    "x-xss-protection",
) | {"ETag": "etag"}
"""Names whose lower-case form need not be worked out; having only these is what makes a head plain."""


class ReplyHead(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a reply.

    Attributes:
        status: 100 to 599.
        headers: lower-case names to values (latin-1 text); values of a repeated name joined by ``", "``.
        content_length: bytes of body that follow: 0 where none can (HEAD, 1xx, 204, 304), -1 where it is not known
            beforehand (chunked, or until the connection closes).
        is_chunked: the body comes in chunks.
        keeps_alive: the connection can be used again once the body has ended.
        size: bytes of the head, blank line included.
    """

    status: int
    headers: dict[str, str]
    content_length: int
    is_chunked: bool
    keeps_alive: bool
    size: int


def find_head_end(buffer: bytes | bytearray | memoryview, start: int, end: int) -> int:
    """Return the index after the blank line that ends a head, or -1 where it has not arrived.

    Only ``buffer[start:end]`` is looked at. When more bytes arrive, `start` may move up to 3 bytes before the first
    new one. A memoryview is copied: hand over what it is a view of where that is at hand.
    """
    if isinstance(buffer, memoryview):
        at = find_head_end(bytes(buffer[start:end]), 0, end - start)
        return at if at < 0 else start + at
    # The second line end of CRLF CRLF and of LF CRLF; then the shorter LF LF, which counts only before the other, and
    # may end with the other's first byte: what comes first must count however the bytes arrive.
    at = buffer.find(b"\n\r\n", start, end)
    bare = buffer.find(b"\n\n", start, end if at < 0 else at + 1)
    if bare >= 0:
        return bare + 2
    return at if at < 0 else at + 3


def parse_head(data: bytes, *, method: str) -> ReplyHead:
    """Read the head of the reply to a request made with `method`. About 3.6 µs for S3's own.

    Args:
        data: the head, up to and with its blank line (`find_head_end`).
        method: the request's; a reply to HEAD has no body.

    Raises:
        BadReply: not HTTP, or its framing is ambiguous (``E_HTTP``); too many bytes or fields (``E_HTTP_LIMIT``).
    """
    if len(data) > MAX_HEAD_BYTES:
        raise too_much(f"a reply's head is larger than {MAX_HEAD_BYTES} bytes")
    text = data.decode("latin-1")
    lines = text.split("\r\n")
    headers = _read_plain_fields(lines)
    if headers is None:
        lines = _split_lines(text)
        headers = read_fields(lines[1:])
    status, is_old = _read_status(lines[0])
    content_length, is_chunked = _frame(headers, is_old=is_old)
    connection = headers.get("connection")
    if connection is None:
        keeps_alive = not is_old
    else:
        options = {option.strip(" \t") for option in connection.lower().split(",")}
        keeps_alive = "close" not in options and (not is_old or "keep-alive" in options)
    if method == "HEAD" or status == 304:
        content_length, is_chunked = 0, False
    elif status < 200 or status == 204:
        # A body announced where there is none: what follows may be that body or the next reply.
        keeps_alive = keeps_alive and not is_chunked and content_length <= 0
        content_length, is_chunked = 0, False
    elif content_length < 0 and not is_chunked:
        keeps_alive = False
    return ReplyHead(
        status=status,
        headers=headers,
        content_length=content_length,
        is_chunked=is_chunked,
        keeps_alive=keeps_alive,
        size=len(data),
    )


def _read_status(line: str) -> tuple[int, bool]:
    """Return the status and whether the server speaks HTTP/1.0."""
    matched = _STATUS_LINE.fullmatch(line)
    if matched is None:
        raise refused(f"not an HTTP reply: {line[:60]!a}")
    status = int(matched[2])
    if status == 101:
        raise refused("the reply switches protocols, which was not asked for")
    return status, matched[1] == "0"


def _read_plain_fields(lines: list[str]) -> dict[str, str] | None:
    """Read the fields where each is ``Known-Name: value``, none twice, CRLF throughout; None where it is not so."""
    count = len(lines) - 3
    if not 0 <= count <= MAX_HEAD_FIELDS or lines[-1] or lines[-2]:
        return None
    headers = {}
    try:
        for line in lines[1:-2]:
            name, value = line.split(": ", 1)
            headers[_KNOWN_NAMES[name]] = value
    except (KeyError, ValueError):
        return None
    # a bare CR or LF, a tab or NUL is not printable; a space at the end of a value makes two in a row
    text = " ".join(("", *headers.values(), ""))
    return headers if len(headers) == count and text.isprintable() and "  " not in text else None


def _split_lines(text: str) -> list[str]:
    """Split a head into lines, each ended by CRLF or LF; folded lines are put together again."""
    if not text.endswith(("\n\r\n", "\n\n")):
        raise refused("a reply's head has no end")
    broken = text[: -2 if text.endswith("\r\n") else -1].split("\n")[:-1]
    if len(broken) > MAX_HEAD_FIELDS + 1:
        raise too_much(f"a reply has more than {MAX_HEAD_FIELDS} header lines")
    lines: list[str] = []
    for ended in broken:
        line = ended.removesuffix("\r")
        if line[:1] in {" ", "\t"} and len(lines) > 1:
            lines[-1] = lines[-1].rstrip(" \t") + " " + line.strip(" \t")
        else:
            lines.append(line)
    return lines


def _frame(headers: dict[str, str], *, is_old: bool) -> tuple[int, bool]:
    """Return the announced length (-1: none) and whether the body is chunked. `is_old`: HTTP/1.0."""
    stated = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if stated is not None:
            raise refused("a reply has both Content-Length and Transfer-Encoding")
        if is_old or coding.lower() != "chunked":
            raise refused(f"a reply's Transfer-Encoding is not supported: {coding[:60]!a}")
        return -1, True
    if stated is None:
        return -1, False
    if "," in stated:
        lengths = {length.strip(" \t") for length in stated.split(",")}
        if len(lengths) > 1:
            raise refused(f"a reply's Content-Lengths differ: {stated[:60]!a}")
        stated = lengths.pop()
    if not (stated.isascii() and stated.isdecimal() and len(stated) <= 19) or int(stated) > _MAX_LENGTH:
        raise refused(f"a reply's Content-Length is no length: {stated[:60]!a}")
    return int(stated), False
