"""One object as a service answers about it, and the item that stands for its download."""

from __future__ import annotations

import hashlib
import random

from msgspec.structs import replace

from orbit_fast.core.checksum import checksum_of
from orbit_fast.core.messages import Direction
from orbit_fast.core.messages import Item
from tests.kit.flow_driver import Body
from tests.kit.flow_driver import reply

DATA = random.Random(1).randbytes(10_000)
"""More than two receive buffers."""
MODIFIED = "Fri, 02 Jan 2026 03:04:05 GMT"
MODIFIED_S = 1_767_323_045


def md5(data):
    """In hex."""
    return hashlib.md5(data).hexdigest()


def value(data, algorithm="CRC64NVME"):
    """In base64."""
    return checksum_of(algorithm, data).value


def item_of(tmp_path, data=DATA, **changes):
    """An item for an object of these bytes."""
    root = bytes(tmp_path / "out")
    item = Item(7, Direction.DOWNLOAD, 0, "k", root + b"/a/file", root, size=len(data), etag="v1")
    return replace(item, **changes)


def body(data=DATA, *, etag="v1", **more):
    """A good answer to a GET that states no checksum; an ETag of None is not stated either."""
    changes = {name: more.pop(name) for name in ("is_chunked", "cut", "status") if name in more}
    named = {} if etag is None else {"etag": f'"{etag}"'}
    headers = {name.replace("_", "-"): text for name, text in more.items()}
    return Body(data=data, headers={**named, "last-modified": MODIFIED, **headers}, **changes)


def good(data=DATA, **more):
    """A good answer that proves its bytes."""
    return body(data, x_amz_checksum_crc64nvme=value(data), **more)


def rest(first, data=DATA, *, last=None, total=None, content=None, **more):
    """The answer to a GET of an object's end."""
    last = len(data) - 1 if last is None else last
    named = f"bytes {first}-{last}/{len(data) if total is None else total}"
    content = data[first : last + 1] if content is None else content
    return body(content, **{"status": 206, "content_range": named, **more})


def head_reply(**headers):
    """The answer to HEAD."""
    known = {"content_length": str(len(DATA)), "etag": '"v1"', "last_modified": MODIFIED}
    return reply(**{**known, **headers})


def failure(kind, *, attempts=1, **named):
    """An error as the client throws it."""
    error = kind("told so", **named)
    error.attempts = attempts
    return error
