"""Percent-encoding as S3 and its signature want it: the same text goes on the wire and into the signature.

RFC 3986's unreserved characters stay as they are, every other byte of the UTF-8 form becomes ``%XX`` in capitals. A
key's path is never normalised: ``a//b``, ``./a`` and ``/lead`` are keys of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from orbit_fast.core.errors import InvalidKey

_ENCODED_IN_KEY = re.compile(r"[^A-Za-z0-9\-._~/]")
_ENCODED_IN_QUERY = re.compile(r"[^A-Za-z0-9\-._~]")


def encode_key(key: str) -> str:
    """Encode an object key for the path of a request; ``/`` stays.

    Raises:
        InvalidKey: the key has no UTF-8 form (it holds a lone surrogate).
    """
    if not _ENCODED_IN_KEY.search(key):
        return key
    return _quote(key, "/~")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode a query in SigV4's canonical order: by encoded name, then by encoded value; ``uploads`` is ``uploads=``.

    Raises:
        InvalidKey: a name or value has no UTF-8 form.
    """
    return "&".join([f"{name}={value}" for name, value in sorted(encode_pairs(pairs))])


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Encode names and values of a query, in the order given.

    Raises:
        InvalidKey: a name or value has no UTF-8 form.
    """
    return [(_encode_component(name), _encode_component(value)) for name, value in pairs]


def _encode_component(text: str) -> str:
    return _quote(text, "~") if _ENCODED_IN_QUERY.search(text) else text


def _quote(text: str, safe: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise InvalidKey(f"not encodable as UTF-8: {text!a}") from None
