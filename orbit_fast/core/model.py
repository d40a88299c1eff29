"""The values that every room speaks in: credentials, sites, requests, replies and listed entries.

A *site* is one bucket at one endpoint, resolved: everything that is needed to address and sign a request to it, and no
botocore. Sites and credentials are small, frozen and travel to the workers once; items only name them by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from orbit_fast.core.directory_buckets import is_directory_bucket
from orbit_fast.core.directory_buckets import listable_prefix


class Credentials(msgspec.Struct, frozen=True, array_like=True):
    """Keys to sign with. `repr` never shows a secret.

    Attributes:
        access_key: ``''`` means anonymous: requests are sent unsigned.
        secret_key: the secret.
        token: session token, or ``''``.
        expires_at_s: Unix seconds when they stop working, or 0 where they do not expire.
        provider: botocore's name of where they came from (``env``, ``shared-credentials-file``, ``sso`` ...).
    """

    access_key: str = ""
    secret_key: str = ""
    token: str = ""
    expires_at_s: float = 0.0
    provider: str = ""

    def is_anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return not self.access_key

    def __repr__(self) -> str:
        return f"Credentials(provider={self.provider!r}, access_key={self.access_key[:4]}…)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("provider", self.provider)]


class Endpoint(msgspec.Struct, frozen=True, array_like=True):
    """Where requests go and how they are signed.

    Attributes:
        scheme: ``http`` or ``https``.
        host: name or address to connect to and to verify (no port, no brackets).
        port: TCP port.
        host_header: the value of ``Host``: with the port unless it is the scheme's own.
        path_prefix: what stands before ``/key``, percent-encoded: ``/bucket`` (path style), a base path, or ``''``.
        region: signing region.
        signing_name: signing service (``s3``, ``s3-outposts``, ``s3express`` ...).
        is_custom: given by the user rather than one of AWS's own hosts.
        has_sessions: requests are signed with keys that the bucket gives out: a directory bucket (`io.sessions`).
    """

    scheme: str
    host: str
    port: int
    host_header: str
    path_prefix: str = ""
    region: str = "us-east-1"
    signing_name: str = "s3"
    is_custom: bool = False
    has_sessions: bool = False

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What connections are pooled by: scheme, host, port."""
        return (self.scheme, self.host, self.port)


class Site(msgspec.Struct, frozen=True, array_like=True):
    """One bucket at one endpoint: an S3 side of the job.

    Attributes:
        number: the site's index in the job; items name it.
        bucket: bucket name, ARN or alias as the user wrote it.
        endpoint: where it is.
        identity: index of the credentials that sign for it.
        request_payer: ``requester`` or ``''``; sent with every request.
        use_list_v1: list with ListObjects instead of ListObjectsV2.
        sign_payload: over plain HTTP, hash the body into the signature (always off over TLS).
    """

    number: int
    bucket: str
    endpoint: Endpoint
    identity: int = 0
    request_payer: str = ""
    use_list_v1: bool = False
    sign_payload: bool = True

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory bucket: see `directory_buckets`."""
        return is_directory_bucket(self.bucket)

    def listable(self, prefix: str) -> str:
        """The longest prefix that listings of the bucket can be asked for and that everything under `prefix` has."""
        return listable_prefix(prefix) if self.is_directory else prefix


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One S3 operation, encoded but neither addressed nor signed.

    Attributes:
        operation: S3's name for it (``PutObject``).
        method: HTTP method.
        key: the object key exactly as it is (not percent-encoded), or ``''`` for the bucket itself.
        query: name/value pairs, not encoded, in any order.
        headers: lower-case names and values (latin-1 text) to send and to sign; ``host``, ``content-length`` and
            SigV4's own are added by the signer.
        body: a small body held in memory; a large one comes from a `Body` beside the request.
    """

    operation: str
    method: str
    key: str = ""
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(slots=True, kw_only=True)
class Reply:
    """An answer with a 2xx status (errors are raised), body collected unless a sink took it.

    Attributes:
        status: HTTP status.
        headers: lower-case names to values, both text (latin-1).
        body: the collected body; empty where a sink received it.
        attempts: tries it took, the first included.
        decoded: what the call's `check` made of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes = b""
    attempts: int = 1
    decoded: Any = None


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One listed object (or one stat'ed file): what can be known without reading it.

    Attributes:
        key: S3 key.
        size: bytes.
        mtime_ns: last modification, nanoseconds since 1970 UTC.
        etag: as S3 gives it, without the quotes.
        storage_class: S3's name, or ``''``.
        version_id: where asked for.
    """

    key: str
    size: int
    mtime_ns: int = 0
    etag: str = ""
    storage_class: str = ""
    version_id: str = ""


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """One of the caller's buckets.

    Attributes:
        name: the name.
        created_ns: nanoseconds since 1970 UTC, or 0 where the service does not say.
        region: where it is, or ``''``.
    """

    name: str
    created_ns: int = 0
    region: str = ""


class Checksum(msgspec.Struct, frozen=True, array_like=True):
    """A checksum as S3 writes it.

    Attributes:
        algorithm: ``CRC32``, ``CRC32C``, ``CRC64NVME``, ``SHA1`` or ``SHA256``.
        value: base64 of the big-endian digest; composite ones end in ``-N``.
        kind: ``FULL_OBJECT`` or ``COMPOSITE``.
    """

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"


class ObjectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What HeadObject, or the head of a GetObject reply, says about an object.

    Attributes:
        size: bytes of the whole object.
        etag: without quotes.
        mtime_ns: Last-Modified in nanoseconds (whole seconds in truth).
        version_id: or ``''``.
        checksum: the strongest checksum that came with the reply, or None.
        content_type: or ``''``.
        storage_class: or ``''`` (S3 leaves STANDARD out).
        restore: value of ``x-amz-restore``, or ``''``.
        encryption: value of ``x-amz-server-side-encryption`` (or ``SSE-C``), or ``''``: not ``AES256`` means that the
            ETag is no MD5.
        parts_count: number of parts it was uploaded in, 0 where unknown.
        metadata: user metadata, names without ``x-amz-meta-``.
        content_headers: the headers that describe its content (``content-type``, ``cache-control`` ...) as they came.
        tag_count: number of tags.
    """

    size: int
    etag: str = ""
    mtime_ns: int = 0
    version_id: str = ""
    checksum: Checksum | None = None
    content_type: str = ""
    storage_class: str = ""
    restore: str = ""
    encryption: str = ""
    parts_count: int = 0
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    content_headers: tuple[tuple[str, str], ...] = ()
    tag_count: int = 0
