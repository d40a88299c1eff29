"""Documents as S3 writes them."""

from __future__ import annotations

import functools
import time
from urllib.parse import quote_plus

from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;"} | {
    code: f"&#x{code:x};" for code in (*range(0x20), 0x7F, 0x85, 0x2028)
}
"""Control characters become references, as S3 writes them: some of those are not XML, and only ``encoding-type=url``
avoids them."""


def escape(text: str) -> str:
    """Text as it stands between tags."""
    if text.isalnum():
        return text
    return text.translate(_ESCAPES)


def element(name: str, value: str) -> str:
    """One element with text in it."""
    return f"<{name}>{escape(value)}</{name}>"


def url_encode(text: str) -> str:
    """A key under ``encoding-type=url``: like a Java URLEncoder, but a slash stays."""
    return quote_plus(text.encode("utf-8"), safe="/*")


@functools.lru_cache(maxsize=1024)
def iso_time(unix_s: int) -> str:
    """``2026-01-02T03:04:05.000Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(unix_s))


@functools.lru_cache(maxsize=1024)
def http_time(unix_s: int) -> str:
    """``Fri, 02 Jan 2026 03:04:05 GMT``; not by the locale."""
    moment = time.gmtime(unix_s)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.tm_wday]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02} {month} {moment.tm_year} {time.strftime('%H:%M:%S', moment)} GMT"


def document(root: str, inner: str, *, headers: list[tuple[str, str]] | None = None) -> HttpResponse:
    """A 200 with an XML document of S3's namespace."""
    text = f'{DECLARATION}<{root} xmlns="{NAMESPACE}">{inner}</{root}>'
    return HttpResponse(
        headers=[("content-type", "application/xml"), *(headers or [])], body=Content.of(text.encode("utf-8"))
    )


def error(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The error document; a HEAD and a 304 have none."""
    headers = list(refusal.headers)
    if request.method == "HEAD" or refusal.status == 304:
        return HttpResponse(status=refusal.status, headers=headers, length=0, code=refusal.code)
    details = "".join(element(name, value) for name, value in refusal.details.items())
    resource = escape(f"/{request.bucket}/{request.key}" if request.key else f"/{request.bucket}")
    text = (
        f"{DECLARATION}<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>{details}"
        f"<Resource>{resource}</Resource><RequestId>{request.request_id}</RequestId>"
        f"<HostId>{request.request_id}</HostId></Error>"
    )
    headers.append(("content-type", "application/xml"))
    return HttpResponse(
        status=refusal.status, headers=headers, body=Content.of(text.encode("utf-8", "replace")), code=refusal.code
    )
