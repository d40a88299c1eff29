r"""How names and messages are made fit to be seen.

In JSON a name that is not valid UTF-8 is shown lossy and its exact bytes stand in a ``…_b64`` field beside it. In text
a name is always one line of valid UTF-8: control characters, characters that change the writing direction and bytes
that are not UTF-8 appear as ``\xNN`` or ``\uNNNN``, so that a name can neither drive a terminal nor forge a line.
"""

from __future__ import annotations

import base64
import re

from orbit_fast.core.redact import redact

Name = str | bytes
"""An S3 URL or other text, or the bytes of a local path."""

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _bytes_of(name: Name) -> bytes:
    """The bytes that a name stands for; lone surrogates are what `os.fsdecode` makes of bytes that are not UTF-8."""
    if isinstance(name, bytes):
        return name
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogatepass")


def lossy(name: Name) -> tuple[str, str]:
    """`name` as valid text, and its exact bytes in base64 where the text is not exact (else ``''``)."""
    if isinstance(name, str) and name.isascii():
        return name, ""
    raw = _bytes_of(name)
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), base64.b64encode(raw).decode()


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def printable(name: Name) -> str:
    """`name` as one line of valid UTF-8 that a terminal only shows."""
    if isinstance(name, bytes):
        text = name.decode("utf-8", "backslashreplace")
    else:
        text = name if name.isascii() else _bytes_of(name).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def clean(message: str) -> str:
    """An error's message as it may be shown: one line, single spaces, valid text, no secret."""
    return redact(" ".join(lossy(message)[0].split()))
