"""What an ETag can prove.

The ETag of an object uploaded in one PUT, unencrypted or with SSE-S3, is the MD5 of its bytes; with SSE-KMS or SSE-C,
or after a multipart upload (``…-N``), it is not. Source: S3 API reference, "Object", element ETag.
"""

from __future__ import annotations

_HEX = frozenset("0123456789abcdef")
_PLAIN = ("", "AES256")


def is_md5(etag: str, encryption: str = "") -> bool:
    """Whether this ETag has the form of an MD5 and the encryption leaves it one."""
    return len(etag) == 32 and encryption in _PLAIN and _HEX.issuperset(etag)
