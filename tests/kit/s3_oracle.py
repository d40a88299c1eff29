"""botocore as the oracle: the requests that it would send, and what it reads in a reply. Nothing touches a network."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit

import botocore.parsers
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.awsrequest import HeadersDict
from botocore.config import Config

from orbit_fast.core.model import Request

_ADDED_BY_SIGNING = frozenset(
    {
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "expect",
        "host",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
    }
)


class _Sent(Exception):
    """Carries the prepared request out of botocore before it is sent."""

    def __init__(self, request: Any) -> None:
        super().__init__("not sent")
        self.request = request


class Oracle:
    """A botocore client whose requests are caught before they leave, and its parser."""

    def __init__(self) -> None:
        session = botocore.session.Session()
        # `when_required`: no checksum that the caller did not ask for, as orbit decides about checksums itself.
        config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
        self._client = session.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url="http://oracle.test",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            config=config,
        )
        self._client.meta.events.register("before-send.s3", self._catch)
        self._model = session.get_service_model("s3")
        self._parser = botocore.parsers.create_parser("rest-xml")

    @staticmethod
    def _catch(request: Any, **_: Any) -> AWSResponse:
        raise _Sent(request)

    def request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """What botocore sends for the call, in comparable form; ``Bucket=None`` asks the service itself."""
        given = {name: value for name, value in {"Bucket": "b", **parameters}.items() if value is not None}
        try:
            self._client._make_api_call(operation, given)
        except _Sent as sent:
            return _comparable(sent.request)
        raise AssertionError("botocore sent nothing")

    def parse(self, operation: str, *, status: int = 200, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        """What botocore reads in a reply."""
        shape = self._model.operation_model(operation).output_shape
        response = {"status_code": status, "headers": HeadersDict(headers), "body": body}
        parsed: dict[str, Any] = self._parser.parse(response, shape)
        return parsed


def _comparable(request: Any) -> dict[str, Any]:
    url = urlsplit(request.url)
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return {
        "method": request.method,
        "path": unquote(url.path.removeprefix("/b").removeprefix("/"), errors="strict"),
        "query": sorted(parse_qsl(url.query, keep_blank_values=True)),
        "headers": {name: value for name, value in headers.items() if name not in _ADDED_BY_SIGNING},
        "body": body or b"",
    }


def comparable(request: Request) -> dict[str, Any]:
    """One of our requests in the same form; a header given twice would be lost here, so it is refused."""
    names = [name for name, _ in request.headers]
    assert len(set(names)) == len(names), f"a header twice: {names}"
    assert all(name == name.lower() for name in names)
    return {
        "method": request.method,
        "path": request.key,
        "query": sorted(request.query),
        "headers": dict(request.headers),
        "body": request.body,
    }
