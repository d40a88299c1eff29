"""A service that answers SelectObjectContent as a test says, byte for byte; else it knows only listings."""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs
from urllib.parse import unquote
from urllib.parse import urlsplit


def message(payload: bytes = b"", **headers: str) -> bytes:
    """One message of an event stream; ``event_type="Records"`` is the header ``:event-type``."""
    encoded = b"".join(
        bytes([len(name) + 1]) + b":" + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in ((name.replace("_", "-"), value) for name, value in headers.items())
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return start + struct.pack(">I", zlib.crc32(start))


def records(data: bytes) -> bytes:
    """A Records event."""
    return message(data, message_type="event", event_type="Records")


def error(code: str, text: str) -> bytes:
    """An error in the stream."""
    return message(message_type="error", error_code=code, error_message=text)


STATS = message(
    b"<Stats><BytesScanned>120</BytesScanned><BytesProcessed>1200</BytesProcessed><BytesReturned>9</BytesReturned></Stats>",
    message_type="event",
    event_type="Stats",
)
CONT = message(message_type="event", event_type="Cont")
END = message(message_type="event", event_type="End")


class SelectService:
    """Has everything that `tests.kit.task_run.do` and `Endpoint` want to know of a server.

    Attributes:
        answers: by key: what each request for it is answered in turn, the last one for ever: a body, a body and True
            where the connection breaks behind it, or a status and an error code.
        asked: the bodies of the requests, with their keys.
    """

    access_key = "TESTACCESSKEY0000001"
    secret_key = "test-secret"
    settings = SimpleNamespace(region="us-east-1")

    def __init__(self, answers: dict[str, list]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    def listing(self, prefix: str) -> bytes:
        """ListObjectsV2, all on one page."""
        entries = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{'0' * 32}&quot;</ETag><Size>{0 if key.endswith('/') else 9}</Size></Contents>"
            for key in sorted(self.answers)
            if key.startswith(prefix)
        )
        page = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
        return page.encode()


@contextlib.contextmanager
def select_service(answers: dict[str, list]) -> Iterator[SelectService]:
    """Run one on loopback."""
    service = SelectService(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            self._answer(service.listing(query.get("prefix", [""])[0]))

        def do_POST(self) -> None:
            key = unquote(urlsplit(self.path).path).removeprefix("/bkt/")
            service.asked.append((key, self.rfile.read(int(self.headers["content-length"])).decode()))
            queue = service.answers[key]
            answer = queue.pop(0) if len(queue) > 1 else queue[0]
            if isinstance(answer, bytes):
                self._answer(answer)
            elif isinstance(answer[0], int):
                status, code = answer
                self._answer(f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), status=status)
            else:
                self._answer(answer[0], missing=1)
                self.close_connection = True

        def _answer(self, body: bytes, *, status: int = 200, missing: int = 0) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body) + missing))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
