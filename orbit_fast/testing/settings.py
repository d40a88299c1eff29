"""What the server is told: where it listens, whom it knows, and S3's limits where a test wants other ones."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A key pair that may do everything. `repr` shows no secret.

    Attributes:
        access_key: what the client names.
        secret_key: what it signs with.
        token: the session token that must come along, or ``''`` for a long-lived pair.
        expires_at_s: Unix seconds from which on requests get ``ExpiredToken``; 0 means never.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires_at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Everything but the keys.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 lets the system choose.
        region: the one region of this server; requests signed for another are refused.
        domain: requests to ``BUCKET.domain`` are virtual-host style.
        allow_anonymous: unsigned requests may do everything; otherwise they get ``AccessDenied``.
        sse_c_needs_tls: refuse customer-provided encryption keys over plain HTTP, as S3 does.
        min_part_size: bytes that every part but the last must have at least.
        max_copy_size: bytes that one CopyObject may copy at most.
        max_page_keys: entries that a page of a listing has at most ("ListObjectsV2", S3 API reference).
        spill_size: bodies above this many bytes live in a file.
        restore_s: seconds that a restore of an archived object takes; infinite ones end when a test says so.
        idle_timeout_s: a connection without a request is closed after this long.
    """

    host: str = "127.0.0.1"
    port: int = 0
    region: str = "us-east-1"
    domain: str = "localhost"
    allow_anonymous: bool = False
    sse_c_needs_tls: bool = True
    min_part_size: int = 5 * MIB
    max_copy_size: int = 5 * 1024 * MIB
    max_page_keys: int = 1000
    spill_size: int = MIB
    restore_s: float = 0.0
    idle_timeout_s: float = 60.0
