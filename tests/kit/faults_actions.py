"""Everything that can be done to an exchange. Each function makes an `Action`; its settings are plain data.

Bodies are text in Latin-1, so that a plan is JSON. Actions of the stage BEFORE keep the operation from being carried
out unless they return None; those of the stage AFTER change an answer whose work is done.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from functools import wraps
from threading import Event
from typing import Any

from orbit_fast.testing import HttpRequest
from orbit_fast.testing import HttpResponse
from orbit_fast.testing import Line
from orbit_fast.testing import checks
from orbit_fast.testing.blob import Content
from tests.kit.faults import EFFECTS
from tests.kit.faults import Action
from tests.kit.faults import Effect
from tests.kit.faults import Stage

HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Hotel network</h1></body></html>"
TURN_S = 0.02
"""Long enough for what was written to leave, short enough for a test."""


def _action(stage: Stage) -> Callable[[Effect], Callable[..., Action]]:
    def register(effect: Effect) -> Callable[..., Action]:
        EFFECTS[effect.__name__] = (stage, effect)

        @wraps(effect)
        def build(**settings: Any) -> Action:
            return Action(effect.__name__, settings)

        return build

    return register


def _xml_error(code: str, message: str, elements: Mapping[str, str] | None = None) -> str:
    more = "".join(f"<{name}>{value}</{name}>" for name, value in (elements or {}).items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}'
        "<RequestId>FAULT</RequestId></Error>"
    )


def _response(request: HttpRequest, status: int, body: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    pairs = list((headers or {}).items())
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=pairs, length=0)
    return HttpResponse(status=status, headers=pairs, body=Content.of(body.encode("latin-1")))


# --- on the head: the body is not read -------------------------------------------------------------------------------


@_action(Stage.HEAD)
def reset_while_sending(request: HttpRequest, _: None) -> HttpResponse:
    """RST while the client sends its body."""
    return HttpResponse(transmit=_reset_unread)


async def _reset_unread(line: Line) -> None:
    line.stop_reading()
    await asyncio.sleep(TURN_S)
    line.reset()


@_action(Stage.HEAD)
def stop_reading(request: HttpRequest, _: None) -> HttpResponse:
    """Read no more, say nothing, keep the connection."""
    return HttpResponse(transmit=_stop_reading)


async def _stop_reading(line: Line) -> None:
    line.stop_reading()
    await line.until_lost()


@_action(Stage.HEAD)
def answer_early(
    request: HttpRequest, _: None, *, code: str = "SlowDown", status: int = 503, resets: bool = False
) -> HttpResponse:
    """Answer before the body has been read, then close; with `resets` by RST."""
    response = _response(request, status, _xml_error(code, "early"), {"content-type": "application/xml"})
    if not resets:
        return response

    async def transmit(line: Line) -> None:
        line.stop_reading()
        await line.write(line.head + line.body)
        await asyncio.sleep(TURN_S)
        line.reset()

    return replace(response, transmit=transmit)


@_action(Stage.HEAD)
def damage_upload(request: HttpRequest, _: None, *, offset: int = 0) -> None:
    """Flip a bit of the body on its way to the service, which sees the damaged bytes and verifies them."""
    position = 0

    def alter(data: bytes) -> bytes:
        nonlocal position
        start, position = position, position + len(data)
        if not start <= offset < position:
            return data
        changed = bytearray(data)
        changed[offset - start] ^= 0x10
        return bytes(changed)

    request.alter = alter


@_action(Stage.HEAD)
def call_on_head(request: HttpRequest, _: None, *, run: Callable[[], None]) -> None:
    """Run something of the test's while the body is on its way: the server reads none of it meanwhile."""
    run()


# --- before the operation: nothing is done ----------------------------------------------------------------------------


@_action(Stage.BEFORE)
async def error(
    request: HttpRequest,
    _: None,
    *,
    code: str,
    status: int,
    message: str = "made to fail",
    headers: Mapping[str, str] | None = None,
    elements: Mapping[str, str] | None = None,
) -> HttpResponse:
    """An S3 error document instead of the operation."""
    body = _xml_error(code, message, elements)
    return _response(request, status, body, {"content-type": "application/xml", **(headers or {})})


@_action(Stage.BEFORE)
async def reply(
    request: HttpRequest, _: None, *, status: int = 200, body: str = "", headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Any answer instead of the operation."""
    return _response(request, status, body, headers)


@_action(Stage.BEFORE)
async def html(request: HttpRequest, _: None, *, status: int = 200) -> HttpResponse:
    """A web page instead of the operation: a captive portal, a proxy."""
    return _response(request, status, HTML, {"content-type": "text/html; charset=utf-8"})


@_action(Stage.BEFORE)
async def hang(request: HttpRequest, _: None) -> HttpResponse:
    """No answer, for as long as the client waits."""
    return HttpResponse(transmit=Line.until_lost)


@_action(Stage.BEFORE)
async def reset(request: HttpRequest, _: None) -> HttpResponse:
    """RST instead of the operation and its answer."""
    return HttpResponse(transmit=_reset)


async def _reset(line: Line) -> None:
    line.reset()


@_action(Stage.BEFORE)
async def close(request: HttpRequest, _: None) -> HttpResponse:
    """Close without a word instead of the operation."""
    return HttpResponse(transmit=_close)


async def _close(line: Line) -> None:
    line.close()


@_action(Stage.BEFORE)
async def raw(request: HttpRequest, _: None, *, data: str, repeat: int = 1, then_closes: bool = True) -> HttpResponse:
    """These bytes instead of an answer; `data` again and again where `repeat` is above 1."""

    async def transmit(line: Line) -> None:
        for _ in range(repeat):
            await line.write(data.encode("latin-1"))
        if then_closes:
            line.close()

    return HttpResponse(transmit=transmit)


@_action(Stage.BEFORE)
async def ignore_range(request: HttpRequest, _: None) -> None:
    """The service takes no notice of Range: 200 and the whole object."""
    request.headers.pop("range", None)


@_action(Stage.BEFORE)
async def store_damaged(request: HttpRequest, _: None, *, offset: int = 0, says_checksum: bool = False) -> None:
    """The service stores other bytes than it received, and its ETag (and checksum, if it says one) is of those."""
    received = request.received
    assert received is not None
    data = bytearray(received.content.read())
    data[offset] ^= 0x10
    content = Content.of(bytes(data))
    values = {name: checks.checksum_of(name, content) for name in received.checksums} if says_checksum else {}
    request.received = replace(received, content=content, md5=checks.md5_of(content), checksums=values)


@_action(Stage.BEFORE)
async def call(request: HttpRequest, _: None, *, run: Callable[[], None]) -> None:
    """Run something of the test's, then go on: replace an object, edit a file."""
    await asyncio.to_thread(run)


@_action(Stage.BEFORE)
async def handle(
    request: HttpRequest, _: None, *, run: Callable[[HttpRequest], HttpResponse | None]
) -> HttpResponse | None:
    """Let the test answer, or change the request and let it go on."""
    return run(request)


@_action(Stage.BEFORE)
async def query(request: HttpRequest, _: None, *, drop: Sequence[str]) -> None:
    """The service takes no notice of these parameters."""
    for name in drop:
        request.query.pop(name, None)


@_action(Stage.BEFORE)
async def pause(request: HttpRequest, _: None, *, arrived: Event, until: Event) -> None:
    """Say that the exchange has come this far, and hold it until the test says go."""
    arrived.set()
    while not until.is_set():  # noqa: ASYNC110 - the event is of another thread
        await asyncio.sleep(0.005)


# --- after the operation: its answer is changed -----------------------------------------------------------------------


@_action(Stage.AFTER)
async def lose_reply(request: HttpRequest, response: HttpResponse, *, how: str = "reset") -> HttpResponse:
    """The operation is done and nobody hears of it: ``reset``, ``close`` or ``hang``."""
    return replace(response, transmit={"reset": _reset, "close": _close, "hang": Line.until_lost}[how])


@_action(Stage.AFTER)
async def replace_reply(
    request: HttpRequest,
    response: HttpResponse,
    *,
    status: int = 200,
    body: str = "",
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The operation is done, and the answer is another one."""
    return _response(request, status, body, headers)


@_action(Stage.AFTER)
async def headers(
    request: HttpRequest,
    response: HttpResponse,
    *,
    drop: Sequence[str] = (),
    put: Mapping[str, str] | None = None,
    status: int = 0,
) -> HttpResponse:
    """Other headers (and status): names in `drop` are patterns."""
    kept = [
        (name, value)
        for name, value in response.headers
        if name not in (put or {}) and not any(re.fullmatch(pattern, name) for pattern in drop)
    ]
    return replace(response, headers=[*kept, *(put or {}).items()], status=status or response.status)


@_action(Stage.AFTER)
async def edit(request: HttpRequest, response: HttpResponse, *, pattern: str, to: str, count: int = 0) -> HttpResponse:
    """Replace what matches `pattern` in the body."""
    body, found = re.subn(pattern, to, response.body.read().decode("utf-8"), count=count, flags=re.DOTALL)
    assert found, f"{pattern!r} is not in {body!r}"
    return replace(response, body=Content.of(body.encode("utf-8")))


@_action(Stage.AFTER)
async def flip(request: HttpRequest, response: HttpResponse, *, offset: int = 0) -> HttpResponse:
    """One bit of the body is another."""
    data = bytearray(response.body.read())
    data[offset] ^= 0x10
    return replace(response, body=Content.of(bytes(data)))


@_action(Stage.AFTER)
async def overwrite(request: HttpRequest, response: HttpResponse, *, data: str, offset: int = 0) -> HttpResponse:
    """Part of the body is something else; its length stays."""
    body = response.body.read()
    new = (body[:offset] + data.encode("latin-1") + body[offset + len(data) :])[: len(body)]
    return replace(response, body=Content.of(new))


@_action(Stage.AFTER)
async def cut(request: HttpRequest, response: HttpResponse, *, keep: int, how: str = "close") -> HttpResponse:
    """The body ends too early: ``close``, ``reset``, or ``hang`` after `keep` bytes of what Content-Length says."""

    async def transmit(line: Line) -> None:
        await line.write(line.head + line.body[:keep])
        await asyncio.sleep(TURN_S)
        await {"close": _close, "reset": _reset, "hang": Line.until_lost}[how](line)

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def cut_head(request: HttpRequest, response: HttpResponse, *, keep: int = 20, how: str = "reset") -> HttpResponse:
    """The connection ends inside the answer's head."""

    async def transmit(line: Line) -> None:
        await line.write(line.head[:keep])
        await asyncio.sleep(TURN_S)
        await {"close": _close, "reset": _reset, "hang": Line.until_lost}[how](line)

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def resize(request: HttpRequest, response: HttpResponse, *, keep: int = -1, add: int = 0) -> HttpResponse:
    """A body of another length whose Content-Length agrees with it; Content-Range stays as it was."""
    body = response.body.read()
    data = (body if keep < 0 else body[:keep]) + b"\xaa" * add
    return replace(response, body=Content.of(data))


@_action(Stage.AFTER)
async def overrun(request: HttpRequest, response: HttpResponse, *, add: int = 1000) -> HttpResponse:
    """More bytes follow the body than Content-Length says."""

    async def transmit(line: Line) -> None:
        await line.write(line.head + line.body + b"\xaa" * add)

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def chunked(
    request: HttpRequest,
    response: HttpResponse,
    *,
    step: int = 65536,
    keep: int = -1,
    add: int = 0,
    extension: str = "",
    trailer: str = "",
    ends: bool = True,
) -> HttpResponse:
    """The body in chunks, without Content-Length: `keep` bytes of it and `add` more; without its end unless `ends`."""

    async def transmit(line: Line) -> None:
        head = re.sub(rb"(?i)\r\ncontent-length: [0-9]+", b"\r\ntransfer-encoding: chunked", line.head)
        body = (line.body if keep < 0 else line.body[:keep]) + b"\xaa" * add
        await line.write(head)
        for start in range(0, len(body), step):
            piece = body[start : start + step]
            await line.write(b"%x%b\r\n%b\r\n" % (len(piece), extension.encode("latin-1"), piece))
        if ends:
            await line.write(b"0\r\n" + trailer.encode("latin-1") + b"\r\n")
        else:
            line.close()

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def until_close(request: HttpRequest, response: HttpResponse, *, keep: int = -1) -> HttpResponse:
    """The body without Content-Length, ended by closing the connection; only `keep` bytes of it."""

    async def transmit(line: Line) -> None:
        head = re.sub(rb"(?i)\r\ncontent-length: [0-9]+", b"\r\nconnection: close", line.head)
        await line.write(head + (line.body if keep < 0 else line.body[:keep]))
        line.close()

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def drip(
    request: HttpRequest, response: HttpResponse, *, step: int = 1, gap_s: float = 0.2, first: int = 0
) -> HttpResponse:
    """The body in small pieces, `gap_s` seconds apart, after `first` bytes at once."""

    async def transmit(line: Line) -> None:
        await line.write(line.head + line.body[:first])
        for start in range(first, len(line.body), step):
            await asyncio.sleep(gap_s)
            await line.write(line.body[start : start + step])

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def warm(request: HttpRequest, response: HttpResponse, *, spaces: int, gap_s: float = 0.25) -> HttpResponse:
    """As S3 keeps a long Complete alive: the head at once, then white space, then the document."""

    async def transmit(line: Line) -> None:
        head = re.sub(rb"(?i)\r\ncontent-length: [0-9]+", b"\r\ntransfer-encoding: chunked", line.head)
        await line.write(head)
        for _ in range(spaces):
            await line.write(b"1\r\n \r\n")
            await asyncio.sleep(gap_s)
        await line.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(line.body), line.body))

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def frame(request: HttpRequest, response: HttpResponse, *, pattern: str, to: str) -> HttpResponse:
    """Change the head as it is written, framing headers included; `pattern` is of bytes in Latin-1."""

    async def transmit(line: Line) -> None:
        head, found = re.subn(pattern.encode("latin-1"), to.encode("latin-1"), line.head, count=1)
        assert found, f"{pattern!r} is not in {line.head!r}"
        await line.write(head + line.body)
        await asyncio.sleep(TURN_S)
        line.close()

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def say_before(request: HttpRequest, response: HttpResponse, *, data: str, repeat: int = 1) -> HttpResponse:
    """Write `data` (interim responses, say) before the answer."""

    async def transmit(line: Line) -> None:
        await line.write(data.encode("latin-1") * repeat + line.head + line.body)

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def delay(request: HttpRequest, response: HttpResponse, *, seconds: float) -> HttpResponse:
    """The answer comes later."""
    await asyncio.sleep(seconds)
    return response


@_action(Stage.AFTER)
async def then(request: HttpRequest, response: HttpResponse, *, run: Callable[[], None]) -> HttpResponse:
    """Run something of the test's once the operation is done, and answer then."""
    await asyncio.to_thread(run)
    return response


@_action(Stage.AFTER)
async def close_idle(request: HttpRequest, response: HttpResponse, *, how: str = "close") -> HttpResponse:
    """Answer in full as if the connection stayed, and end it right after: it goes stale in the client's pool."""

    async def transmit(line: Line) -> None:
        await line.write(line.head + line.body)
        await asyncio.sleep(TURN_S)
        await {"close": _close, "reset": _reset}[how](line)

    return replace(response, transmit=transmit)


@_action(Stage.AFTER)
async def hide(request: HttpRequest, response: HttpResponse, *, keys: str) -> HttpResponse:
    """The service does not name keys that match `keys`, though it has them, and its page agrees with itself."""
    body = response.body.read().decode("utf-8")
    entries = re.findall(r"<Contents>.*?</Contents>", body, flags=re.DOTALL)
    hidden = [entry for entry in entries if re.search(f"<Key>(?:{keys})</Key>", entry)]
    for entry in hidden:
        body = body.replace(entry, "")
    body = re.sub("(?<=<KeyCount>)[0-9]+", lambda count: str(int(count[0]) - len(hidden)), body)
    return replace(response, body=Content.of(body.encode("utf-8")))
