"""An S3 server in one process: strict enough to judge a client, small enough to start in a demo.

It believes nothing a client says without checking: signatures (header, query, chunk by chunk), payload hashes, every
checksum, Content-MD5, part rules, conditions, regions. What it cannot do it refuses with ``501 NotImplemented``; it
never pretends. Its signature verifier, its checksums and its XML share no code with orbit's own, so that an error in
one of them cannot hide in both.

What it is not: durable (everything is gone when it stops), multi-user (no policies: a known key may do everything), or
fast for its own sake.

The rooms, along the way of a request:
    connection   bytes to requests and back, one TCP connection each
    seams        where a test takes hold of an exchange
    service      one exchange: address, authenticate, take the body, run the operation, log it
    routes       method and query to the operation's name
    auth         Signature Version 4, verified
    intake       a body on its way in: decoded, hashed, kept in memory or on disk
    aws_chunked  the body coding of streaming signatures and trailers
    checks       checksums and Content-MD5
    conditions   If-Match and its relatives, ranges
    access       operations that are denied, buckets whose requester pays
    objects, object_attributes, copying, multipart, listing, buckets, tagging, archives   the operations
    store        buckets, versions, uploads
    blob         the bytes themselves
    xmlin, xmlout   documents in and out
    server       the thread that runs it all; ``python -m orbit_fast.testing`` is the program

Bodies above one MiB live in temporary files, so that a large object does not need as much memory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orbit_fast.testing.exchange import HttpRequest as HttpRequest
    from orbit_fast.testing.exchange import HttpResponse as HttpResponse
    from orbit_fast.testing.exchange import Refusal as Refusal
    from orbit_fast.testing.seams import Line as Line
    from orbit_fast.testing.seams import Seams as Seams
    from orbit_fast.testing.server import S3Server as S3Server
    from orbit_fast.testing.settings import Identity as Identity
    from orbit_fast.testing.settings import ServerSettings as ServerSettings

_HOMES = {
    "HttpRequest": "orbit_fast.testing.exchange",
    "HttpResponse": "orbit_fast.testing.exchange",
    "Identity": "orbit_fast.testing.settings",
    "Line": "orbit_fast.testing.seams",
    "Refusal": "orbit_fast.testing.exchange",
    "S3Server": "orbit_fast.testing.server",
    "Seams": "orbit_fast.testing.seams",
    "ServerSettings": "orbit_fast.testing.settings",
}

__all__ = ["HttpRequest", "HttpResponse", "Identity", "Line", "Refusal", "S3Server", "Seams", "ServerSettings"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
