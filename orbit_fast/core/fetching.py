"""The records of bytes on their way to stdout: what is asked of a worker, and what it answers.

They are part of `messages`: `Open` → `Opened`, and for each range `Fetch` → `Fetched`. The bytes themselves do not
travel with them: they stand in the stage, an area of the shared mapping that belongs to the supervisor.

Where a service ignores ranges, a `Pour` has the whole object sent in one stream, and each `Fetch` that names it takes
the next bytes of that: the stream waits while nobody asks. `Pour` is answered by `Fetched` at its end.
"""

from __future__ import annotations

import msgspec

from orbit_fast.core.model import Checksum


class Open(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """See what an object is that will be fetched in ranges."""

    number: int
    site: int
    key: str
    version_id: str = ""
    variant: int = 0


class Fetch(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """Bring an object, or a range of it, into the stage.

    Attributes:
        number: the order's number; the answer carries it.
        site: which bucket.
        key: which object.
        at: where in the stage.
        room: bytes there.
        version_id: of the object, or ``''``.
        etag: the version that must answer; ``''`` for whatever is there, which goes with a whole object only.
        offset: first byte of the range.
        size: bytes of the range; -1 for the whole object, which is then verified by itself.
        total: bytes of the whole object that the range belongs to.
        algorithm: checksum to compute over the range, or ``''``.
        variant: number of the settings, as `Item.variant`.
        stream: number of the `Pour` that brings these bytes, or 0; with `size` 0: no more of it is wanted.
    """

    number: int
    site: int
    key: str
    at: int
    room: int
    version_id: str = ""
    etag: str = ""
    offset: int = 0
    size: int = -1
    total: int = -1
    algorithm: str = ""
    variant: int = 0
    stream: int = 0


class Pour(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """Have all of an object sent, for those `Fetch` that take pieces of it in their order.

    Attributes:
        number: the order's number.
        site: which bucket.
        key: which object.
        total: its bytes.
        etag: the version that must answer.
        version_id: of the object, or ``''``.
        variant: number of the settings, as `Item.variant`.
    """

    number: int
    site: int
    key: str
    total: int
    etag: str
    version_id: str = ""
    variant: int = 0


class Opened(msgspec.Struct, frozen=True, array_like=True, tag=63):
    """What an `Open` found; `part_size` are the bytes of its parts, where its checksum or ETag was made of parts'."""

    number: int
    size: int
    etag: str = ""
    version_id: str = ""
    checksum: Checksum | None = None
    encryption: str = ""
    content_type: str = ""
    storage_class: str = ""
    restore: str = ""
    part_size: int = 0


class Fetched(msgspec.Struct, frozen=True, array_like=True, tag=64):
    """What a `Fetch` has asked for is in the stage.

    Attributes:
        number: the order's number.
        size: bytes.
        checksum: of a range: base64 in the algorithm that was asked for, or ``''``.
        verified: of a whole object: what it was proven against, a value of `messages.Verified`.
        proof: of a whole object: the checksum that it was proven to have, or None.
        etag: of the object.
        version_id: of the object.
        content_type: of the object.
        storage_class: of the object.
        attempts: tries it took.
    """

    number: int
    size: int
    checksum: str = ""
    verified: str = ""
    proof: Checksum | None = None
    etag: str = ""
    version_id: str = ""
    content_type: str = ""
    storage_class: str = ""
    attempts: int = 1


StageAsk = Open | Fetch | Pour
StageAnswer = Opened | Fetched
