"""One TCP connection: bytes to requests, responses to bytes.

Requests of a connection are answered one after the other, in order. A request refused by its head is answered at once;
where its body is still to come the connection closes afterwards, reading on for a moment so that the answer is not
destroyed by a reset.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

import httptools

from orbit_fast.testing.blob import Content
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.intake import Intake
from orbit_fast.testing.seams import Line
from orbit_fast.testing.service import Service
from orbit_fast.testing.xmlout import http_time

MAX_HEAD = 16 * 1024
"""Bytes of a request head; S3 allows 8 KiB of headers and a little for the line."""
SMALL_BODY = 64 * 1024
"""An unwanted body up to this size is read to its end so that the connection can be used again."""
LINGER_S = 2.0

_REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 206: "Partial Content", 304: "Not Modified",
            400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
            411: "Length Required", 412: "Precondition Failed", 416: "Range Not Satisfiable",
            500: "Internal Server Error", 501: "Not Implemented", 503: "Slow Down"}  # fmt: skip


class HttpConnection(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, service: Service, number: int, open_connections: set[HttpConnection]) -> None:
        self._service = service
        self._number = number
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._head_size = 0
        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._request: HttpRequest | None = None
        self._intake: Intake | None = None
        self._refusal: Refusal | None = None
        self._ready: deque[tuple[HttpRequest, Refusal | HttpResponse | None]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = self._loop.time()
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._lost = asyncio.Event()
        self._is_closing = False
        self._is_last = False

    # --- transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)
        self._watch_idle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        """Forget a body that was cut off; an operation that runs goes on to its end."""
        self._open.discard(self)
        self._can_write.set()
        self._lost.set()
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._intake is not None:
            self._intake.discard()
            self._intake = None

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """The client has read."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._is_closing:
            return
        if self._request is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject("NotImplemented", Header="Upgrade")
        except httptools.HttpParserCallbackError:
            self._transport.abort()  # an error of this server's own: the loop shows it
            raise
        except httptools.HttpParserError as error:
            self._reject("BadRequest", f"An error occurred when parsing the HTTP request: {error}")
        else:
            if self._request is None and self._head_size > MAX_HEAD and not self._ready:
                self._reject("RequestHeaderSectionTooLarge", MaxSizeAllowed=str(MAX_HEAD))

    def close(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._transport.abort()

    def _watch_idle(self) -> None:
        """Close when nothing was asked for too long; one timer a connection, moved on when it fires."""
        limit = self._service.settings.idle_timeout_s
        is_busy = self._request is not None or self._task is not None
        left = limit if is_busy else self._idle_since + limit - self._loop.time()
        if left <= 0:
            self._transport.close()
        else:
            self._timer = self._loop.call_later(left, self._watch_idle)

    # --- parser ---

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Admit the request, or refuse it before its body comes."""
        self._head_size = 0
        path, _, query = self._url.decode("latin-1").partition("?")
        headers: dict[str, str] = {}
        for name, value in self._headers:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        request = HttpRequest(
            method=self._parser.get_method().decode("ascii"),
            path=path,
            query_text=query,
            header_pairs=self._headers,
            is_tls=self._transport.get_extra_info("sslcontext") is not None,
            connection=self._number,
            headers=headers,
        )
        self._request = request
        self._refusal = None
        length = headers.get("content-length")
        if sum(len(name) + len(value) + 4 for name, value in self._headers) + len(self._url) > MAX_HEAD:
            self._reject("RequestHeaderSectionTooLarge", MaxSizeAllowed=str(MAX_HEAD))
            return
        try:
            self._intake = self._service.admit(request, None if length is None else int(length))
        except Refusal as refusal:
            self._refuse_early(refusal)
        else:
            if self._is_answered_early(request):
                return
            if headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _is_answered_early(self, request: HttpRequest) -> bool:
        """Whether a test answers this head before its body is read."""
        on_head = self._service.seams.on_head
        response = on_head(request) if on_head is not None else None
        if response is None:
            return False
        if self._intake is not None:
            self._intake.discard()
            self._intake = None
        self._is_last = True
        self._service.record(request, response)
        self._enqueue(request, response)
        return True

    def _refuse_early(self, refusal: Refusal) -> None:
        request = self._request
        assert request is not None
        length = request.headers.get("content-length", "0")
        is_chunked = "transfer-encoding" in request.headers
        self._refusal = refusal
        if is_chunked or int(length) > SMALL_BODY or "expect" in request.headers:
            self._is_last = True
            self._enqueue(request, refusal)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self._intake is None or self._refusal is not None:
            return
        if self._request is not None and self._request.alter is not None:
            data = self._request.alter(data)
        try:
            self._intake.feed(data)
        except Refusal as refusal:
            self._intake.discard()
            self._intake = None
            self._refuse_early(refusal)

    def on_message_complete(self) -> None:
        """Verify the body and queue the request for its answer."""
        request, intake, refusal = self._request, self._intake, self._refusal
        self._request = self._intake = None
        if request is None or self._is_last:
            return
        self._is_last = not self._parser.should_keep_alive()
        if intake is not None and refusal is None:
            try:
                request.received = intake.finish()
            except Refusal as found:
                intake.discard()
                refusal = found
        self._enqueue(request, refusal)

    # --- answering ---

    def _reject(self, code: str, message: str = "", **details: str) -> None:
        """Answer what cannot be parsed, and close."""
        self._is_last = True
        request = self._request or HttpRequest(method="GET", path="", query_text="", header_pairs=[])
        self._enqueue(request, Refusal(code, message, **details))

    def _enqueue(self, request: HttpRequest, answer: Refusal | HttpResponse | None) -> None:
        self._ready.append((request, answer))
        if self._task is None:
            self._task = self._loop.create_task(self._answer_all())
        else:
            self._transport.pause_reading()  # a pipelining client waits

    async def _answer_all(self) -> None:
        try:
            while self._ready:
                request, answer = self._ready.popleft()
                is_last = self._is_last and not self._ready
                if answer is None:
                    response = await self._service.handle(request)
                elif isinstance(answer, Refusal):
                    response = self._service.refuse(request, answer)
                else:
                    response = answer
                if self._is_closing:
                    return
                await self._send(request, response, is_last=is_last or response.is_last)
        except ConnectionError:
            self._transport.abort()
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self._task = None
            self._idle_since = self._loop.time()
        if not self._is_closing:
            self._transport.resume_reading()

    async def _send(self, request: HttpRequest, response: HttpResponse, *, is_last: bool) -> None:
        length = response.body.size if response.length is None else response.length
        lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        lines.append(f"x-amz-request-id: {request.request_id}")
        lines.append(f"date: {http_time(self._service.store.now())}")
        if response.status not in {204, 304}:
            lines.append(f"content-length: {length}")
        if is_last:
            lines.append("connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        if response.transmit is not None:
            line = Line(self._transport, self._can_write, self._lost, head, response.body.read())
            await response.transmit(line)
        else:
            await self._send_body(head, response.body)
        if is_last and not self._is_closing and not self._transport.is_closing():
            self._linger()

    def _linger(self) -> None:
        """Say that nothing more comes, read on for a moment, then close."""
        self._is_closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.close)

    async def _send_body(self, head: bytes, body: Content) -> None:
        if all(blob.path is None for blob, _, _ in body.pieces):
            self._transport.write(head + body.read())
            await self._can_write.wait()
            return
        self._transport.write(head)
        is_plain = self._transport.get_extra_info("sslcontext") is None
        for blob, offset, length in body.pieces:
            if self._transport.is_closing():
                return
            if blob.path is not None and is_plain:
                with blob.path.open("rb", buffering=0) as file:
                    await self._loop.sendfile(self._transport, file, offset, length)
                continue
            for chunk in blob.chunks(offset, length):
                self._transport.write(chunk)
                await self._can_write.wait()
                if self._is_closing:
                    return
