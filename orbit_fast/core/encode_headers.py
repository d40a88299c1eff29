"""Request headers that several verbs share: what an object is given, conditions, checksums, customer keys.

Names are in lower case. A value that a header cannot carry (anything but printable ASCII) is refused here, by name,
before a byte is sent.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import ObjectSettings
from orbit_fast.core.uri import encode_key

Headers = tuple[tuple[str, str], ...]

ONLY_IF_ABSENT: Final[Headers] = (("if-none-match", "*"),)
"""The condition of a request that must not replace an object."""

SSE_C_KEY_BYTES: Final = 32
"""SSE-C is AES-256: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The production token of RFC 9110, 5.6.2."""
_HEADER_VALUE = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySource:
    """The object that a server-side copy reads.

    Attributes:
        bucket: name, alias or access-point ARN.
        key: as it is, not encoded.
        version_id: or ``''`` for the current one.
        if_match: ETag (with or without quotes) that it must still have, or ``''``.
    """

    bucket: str
    key: str
    version_id: str = ""
    if_match: str = ""

    def headers(self) -> Headers:
        """``x-amz-copy-source``, and the condition where there is one."""
        is_arn = self.bucket.startswith("arn:")
        source = encode_key(f"{self.bucket}/object/{self.key}" if is_arn else f"{self.bucket}/{self.key}")
        if self.version_id:
            source += f"?versionId={_checked('the version id', self.version_id)}"
        if not self.if_match:
            return (("x-amz-copy-source", source),)
        return (("x-amz-copy-source", source), ("x-amz-copy-source-if-match", quoted(self.if_match)))


# --- headers that several verbs share --------------------------------------------------------------------------------


def _checked(what: str, value: str) -> str:
    """`value` without the white space around it, if a header can carry it.

    Raises:
        InvalidConfig: it holds a character outside printable ASCII.
    """
    if _HEADER_VALUE.fullmatch(value) is None:
        raise InvalidConfig(f"{what} holds characters that an HTTP header cannot carry (ASCII only): {value!r}")
    return value.strip()


def quoted(etag: str) -> str:
    """An ETag as S3 wants it back: in quotes."""
    return etag if etag.startswith(('"', 'W/"')) or etag == "*" else f'"{etag}"'


def checksum_header(checksum: Checksum) -> tuple[str, str]:
    """The header that announces a body's checksum."""
    return (f"x-amz-checksum-{checksum.algorithm.lower()}", checksum.value)


def metadata_headers(metadata: Iterable[tuple[str, str]]) -> Headers:
    """User metadata as headers, names in lower case.

    Raises:
        InvalidConfig: a name or value that S3 cannot keep (ASCII only), or a name given twice.
    """
    headers: dict[str, str] = {}
    for name, value in metadata:
        if _HEADER_NAME.fullmatch(name) is None:
            raise InvalidConfig(f"not a metadata name (letters, digits and -_. only): {name!r}")
        header = f"x-amz-meta-{name.lower()}"
        if header in headers:
            raise InvalidConfig(f"metadata name given twice: {name.lower()!r}")
        headers[header] = _checked(f"metadata {name!r}", value)
    return tuple(headers.items())


def tagging(tags: Iterable[tuple[str, str]]) -> str:
    """The value of ``x-amz-tagging``: percent-encoded pairs.

    Raises:
        InvalidConfig: the same tag twice, or one without a name.
    """
    pairs = list(tags)
    names = [name for name, _ in pairs]
    if "" in names or len(set(names)) < len(names):
        raise InvalidConfig("tags need names, each given once")
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def object_headers(settings: ObjectSettings, *, content_type: str) -> Headers:
    """What a new object is given: PutObject, CreateMultipartUpload, and a CopyObject that replaces metadata.

    Args:
        settings: what the user asked for; what is empty is not sent.
        content_type: the guess for this object, used where the user named no type; ``''`` sends none.

    Raises:
        InvalidConfig: a value that cannot be sent.
    """
    plain = (
        ("content-type", settings.content_type or content_type),
        ("content-encoding", settings.content_encoding),
        ("content-disposition", settings.content_disposition),
        ("content-language", settings.content_language),
        ("cache-control", settings.cache_control),
        ("expires", settings.expires),
        ("x-amz-acl", settings.acl),
        ("x-amz-storage-class", settings.storage_class),
        ("x-amz-server-side-encryption", settings.sse),
        ("x-amz-server-side-encryption-aws-kms-key-id", settings.sse_kms_key_id),
    )
    headers = tuple((name, _checked(name, value)) for name, value in plain if value)
    if settings.tags:
        headers += (("x-amz-tagging", tagging(settings.tags)),)
    return headers + metadata_headers(settings.metadata) + sse_c_headers(settings)


def sse_c_headers(settings: ObjectSettings, *, copy_source: bool = False) -> Headers:
    """The customer's own key, for every request that reads or writes the object's bytes; nothing where there is none.

    Args:
        settings: holds the raw key, 32 bytes.
        copy_source: name the key of a copy's source instead of the destination's.

    Raises:
        InvalidConfig: the key is not 32 bytes long.
    """
    key = settings.sse_c_key
    if not key:
        return ()
    if len(key) != SSE_C_KEY_BYTES:
        raise InvalidConfig(f"the SSE-C key must be {SSE_C_KEY_BYTES} bytes long, not {len(key)}")
    prefix = "x-amz-copy-source-server-side-encryption" if copy_source else "x-amz-server-side-encryption"
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    return (
        (f"{prefix}-customer-algorithm", "AES256"),
        (f"{prefix}-customer-key", base64.b64encode(key).decode()),
        (f"{prefix}-customer-key-md5", base64.b64encode(digest).decode()),
    )


def body_checksum(body: bytes, *, use_md5: bool) -> Headers:
    """The headers that prove a small body."""
    if use_md5:
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        return (("content-md5", base64.b64encode(digest).decode()),)
    value = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return (("x-amz-checksum-crc32", value), ("x-amz-sdk-checksum-algorithm", "CRC32"))
