"""Requests to an S3 endpoint, signed by botocore and otherwise sent exactly as given, so that they can be wrong."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True, kw_only=True)
class RawAnswer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error document's code, or ``''``."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


class _Auth(S3SigV4Auth):
    def __init__(self, credentials, region, payload_hash):
        super().__init__(credentials, "s3", region)
        self._payload_hash = payload_hash

    def payload(self, request):
        return self._payload_hash or super().payload(request)


@dataclass(frozen=True, kw_only=True)
class RawS3:
    """An endpoint and a key pair.

    Attributes:
        url: endpoint URL.
        access_key: to sign with.
        secret_key: to sign with.
        region: to sign for.
        tls: client context for an https URL.
    """

    url: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    token: str = ""
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def _credentials(self):
        return Credentials(self.access_key, self.secret_key, self.token or None)

    def signed(self, method, target, *, headers=None, body=b"", payload_hash=""):
        """The request's headers, Authorization included."""
        request = AWSRequest(method=method, url=self.url + target, headers=headers or {}, data=body)
        _Auth(self._credentials(), self.region, payload_hash).add_auth(request)
        return dict(request.headers.items())

    def presigned(self, method, target, *, expires_s=60):
        """The target with the signature in its query."""
        request = AWSRequest(method=method, url=self.url + target)
        S3SigV4QueryAuth(self._credentials(), "s3", self.region, expires=expires_s).add_auth(request)
        return request.url.removeprefix(self.url)

    def send(self, method, target, *, headers=None, body=b"", payload_hash="", after_signing=None, wire_body=None):
        """Sign and send. `after_signing` headers are added (or, with None, removed) behind the signature's back."""
        signed = self.signed(method, target, headers=headers, body=body, payload_hash=payload_hash)
        for name, value in (after_signing or {}).items():
            signed.pop(name, None)
            if value is not None:
                signed[name] = value
        return self.send_unsigned(method, target, headers=signed, body=body if wire_body is None else wire_body)

    def send_unsigned(self, method, target, *, headers=None, body=b""):
        """Send as given."""
        parts = urlsplit(self.url)
        if self.tls is not None:
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=20, context=self.tls)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        try:
            connection.request(method, target, body=body or None, headers=headers or {})
            reply = connection.getresponse()
            answer_headers = {name.lower(): value for name, value in reply.getheaders()}
            return RawAnswer(status=reply.status, headers=answer_headers, body=reply.read())
        finally:
            connection.close()

    def dialogue(self, data, *, half_close=False):
        """Send bytes over a fresh TCP connection and return everything until the server closes."""
        parts = urlsplit(self.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            while piece := connection.recv(65536):
                received += piece
        return received
