"""One exchange from the outside in: address, authenticate, take the body, run the operation, log it.

This is the seam for faults (`seams` has the others). An `Intercept` sees each request when its body has arrived and
been verified, and before its operation runs; what it returns is sent instead. It may await, which holds the answer
back.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

from orbit_fast.testing import access
from orbit_fast.testing import objects
from orbit_fast.testing import xmlout
from orbit_fast.testing.auth import Verifier
from orbit_fast.testing.auth import split_query
from orbit_fast.testing.blob import BlobWriter
from orbit_fast.testing.call import Call
from orbit_fast.testing.exchange import HttpRequest
from orbit_fast.testing.exchange import HttpResponse
from orbit_fast.testing.exchange import Refusal
from orbit_fast.testing.intake import Intake
from orbit_fast.testing.routes import OPERATIONS
from orbit_fast.testing.routes import operation_of
from orbit_fast.testing.seams import Seams
from orbit_fast.testing.settings import ServerSettings
from orbit_fast.testing.store import LogEntry
from orbit_fast.testing.store import Store
from orbit_fast.testing.xmlin import MAX_DOCUMENT

Intercept = Callable[[HttpRequest], Awaitable[HttpResponse | None]]

_BODIES = frozenset({"PutObject", "UploadPart"})


class Service:
    """The S3 service behind the connections."""

    def __init__(
        self,
        settings: ServerSettings,
        store: Store,
        verifier: Verifier,
        directory: Path,
        intercept: Intercept | None = None,
    ) -> None:
        self.seams = Seams()
        self.settings = settings
        self.store = store
        self._verifier = verifier
        self._directory = directory
        self._intercept = intercept
        self._numbers = itertools.count(1)
        self._answers = itertools.count(1)

    def admit(self, request: HttpRequest, length: int | None) -> Intake:
        """Look at the head of a request and prepare for its body.

        Args:
            request: method, path, query and headers as sent; this fills in the rest.
            length: Content-Length, or None where there is none.

        Raises:
            Refusal: it is not addressed, signed or framed as it should be. The body need not be read.
        """
        request.request_id = f"{next(self._numbers):016X}"
        request.query = dict(split_query(request.query_text))
        self._address(request)
        request.operation = operation_of(request)
        request.proof = self._verifier.verify(request)
        self._check_length(request, length)
        return Intake(request, BlobWriter(self._directory, self.settings.spill_size))

    def _address(self, request: HttpRequest) -> None:
        """Find bucket and key in ``Host`` and path."""
        try:
            path = unquote_to_bytes(request.path).decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal("InvalidURI", URI=request.path) from None
        if not path.startswith("/"):
            raise Refusal("InvalidURI", URI=request.path)
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        suffix = f".{self.settings.domain}"
        if host.endswith(suffix):
            request.bucket, request.key = host.removesuffix(suffix), path[1:]
        else:
            request.bucket, _, request.key = path[1:].partition("/")
        objects.check_key(request.key)

    def _check_length(self, request: HttpRequest, length: int | None) -> None:
        decoded = request.headers.get("x-amz-decoded-content-length")
        if length is None and decoded is None and request.method in {"PUT", "POST"}:
            if "transfer-encoding" in request.headers:
                raise Refusal("NotImplemented", Header="Transfer-Encoding")
            raise Refusal("MissingContentLength")
        size = int(decoded) if decoded is not None and decoded.isdecimal() else length or 0
        most = objects.MAX_PUT if request.operation in _BODIES else MAX_DOCUMENT
        if size > most:
            raise Refusal("EntityTooLarge", ProposedSize=str(size), MaxSizeAllowed=str(most))

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request whose body has been received."""
        try:
            response = await self._intercept(request) if self._intercept is not None else None
            if response is None:
                call = Call(request=request, store=self.store, settings=self.settings)
                response = access.answered(call, OPERATIONS[request.operation])
        except Refusal as refusal:
            response = xmlout.error(request, refusal)
        self.record(request, response)
        if self.seams.revise is not None:
            response = await self.seams.revise(request, response)
        return response

    def refuse(self, request: HttpRequest, refusal: Refusal) -> HttpResponse:
        """Answer a request whose head or body was not accepted."""
        response = xmlout.error(request, refusal)
        self.record(request, response)
        return response

    def record(self, request: HttpRequest, response: HttpResponse) -> None:
        """Write an answered request to the log."""
        entry = LogEntry(
            number=next(self._answers),
            operation=request.operation,
            bucket=request.bucket,
            key=request.key,
            status=response.status,
            code=response.code,
            query=request.query,
            headers=request.headers,
            received_bytes=request.content.size,
            connection=request.connection,
        )
        self.store.record(entry)
