"""Takes secrets out of text before anybody sees it.

Errors and logs are written without secrets in the first place; this is the net below: every message passes it on its
way to stdout, stderr or JSON. What it knows: values of credential headers and query parameters, of credential settings,
customer encryption keys, passwords in URLs, the secrets that the caller names, and lone words that look like an AWS
secret key. Names of files and objects are shown as they are, so they are never passed through here on their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "REDACTED"

_SHORTEST_SECRET = 8

_HEADER = re.compile(
    r"""(?ix)
    \b(proxy-authorization|authorization|
       x-amz-security-token|x-amz-s3session-token|x-amz-credential|x-amz-signature|
       x-amz-(?:copy-source-)?server-side-encryption-customer-key(?:-md5)?|
       aws_?secret_?access_?key|secret_?access_?key|aws_?session_?token|session_?token|
       aws_?access_?key_?id|password|sse_?c_?key)
    (["']?\s*(?:=>|=|:|>)\s*)
    (?:
      "[^"]*" | '[^']*' | b'[^']*' | b"[^"]*"
      | AWS4-[^\s,]+\s+[^\r\n"']*
      | (?:basic|bearer)\s+[^\s"',;&<]+
      | [^\s"',;&<>)\]}]+
    )
    """
)
_SIGNATURE = re.compile(r"(?i)\b(signature|credential)=[^\s&,;\"'<>]+")
_USER_INFO = re.compile(r"(?i)\b(https?://)[^/\s@\"'<>]+@")
_LONE_SECRET = re.compile(r"(?<![\w/+=.:\\-])(?!/)[A-Za-z0-9/+]{40}(?![\w/+=.:\\-])")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with every secret replaced by ``REDACTED``; the same text where there is none.

    Args:
        text: a message, of any number of lines.
        secrets: values known to be secret; ones shorter than 8 characters are ignored, they would eat words.
    """
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, MASK)
    text = _HEADER.sub(rf"\g<1>\g<2>{MASK}", text)
    text = _SIGNATURE.sub(rf"\g<1>={MASK}", text)
    text = _USER_INFO.sub(rf"\g<1>{MASK}@", text)
    return _LONE_SECRET.sub(_mask_if_random, text)


def _mask_if_random(match: re.Match[str]) -> str:
    """The mask for a 40-character word that mixes cases and digits as random base64 does; hex digests stay."""
    word = match.group()
    is_mixed = sum(map(str.isupper, word)) >= 3 and sum(map(str.islower, word)) >= 3
    return MASK if is_mixed and any(map(str.isdigit, word)) else word
