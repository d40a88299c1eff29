"""What an interrupted upload goes on from: a record that survives its process as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from orbit_fast.core.errors import ResumeStateError
from orbit_fast.core.messages import PartFact


class ResumePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part that has landed: number from 1, size in bytes, ETag, checksum (base64)."""

    number: int
    size: int
    etag: str
    checksum: str
    is_proven: bool = False


class ResumeState(msgspec.Struct, frozen=True, kw_only=True):
    """An upload as far as it has come. It holds no secret.

    Attributes:
        bucket: where.
        key: where.
        upload_id: of the multipart upload; ``''`` where there is none (yet, or for an object of one request).
        part_size: bytes of every part but the last.
        size: of the source, bytes.
        mtime_ns: of the source, nanoseconds since 1970.
        fingerprint: of the source: device, inode, size, mtime_ns, ctime_ns. A source that has another one by now is
            another source, and is uploaded from its start.
        algorithm: of the parts' checksums.
        parts: those that have landed.
        is_complete: the object is there.
        etag: of the object that is there, or ``''``.
        version_id: of the object that is there, or ``''``.
    """

    bucket: str
    key: str
    upload_id: str = ""
    part_size: int = 0
    size: int = 0
    mtime_ns: int = 0
    fingerprint: tuple[int, ...] = ()
    algorithm: str = ""
    parts: tuple[ResumePart, ...] = ()
    is_complete: bool = False
    etag: str = ""
    version_id: str = ""

    @property
    def bytes_done(self) -> int:
        """Bytes that have landed."""
        return self.size if self.is_complete else sum(part.size for part in self.parts)

    def to_json(self) -> str:
        """As JSON, for `from_json`."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> ResumeState:
        """What `to_json` gave.

        Raises:
            ResumeStateError: it is something else.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ResumeStateError(f"not a resume state: {error}") from None

    def save(self, path: str | Path) -> None:
        """Write it to a file."""
        Path(path).write_text(self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> ResumeState:
        """Read what `save` wrote.

        Raises:
            ResumeStateError: it is something else.
        """
        return cls.from_json(Path(path).read_bytes())

    def with_parts(self, parts: dict[int, PartFact], **changes: Any) -> ResumeState:
        """The same, with these parts landed."""
        landed = tuple(
            ResumePart(
                number=number,
                size=part.size,
                etag=part.etag,
                checksum=part.checksum,
                is_proven=part.is_proven,
            )
            for number, part in sorted(parts.items())
        )
        return msgspec.structs.replace(self, parts=landed, **changes)
