"""``uploads``: unfinished multipart uploads, as they are listed and as they are aborted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from orbit_fast.core.decode_listing import UnfinishedUpload
from orbit_fast.core.events import event_lines
from orbit_fast.core.render.times import RFC3339
from orbit_fast.core.render.times import TEXT
from orbit_fast.core.render.times import clock_face
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.visible import printable


class _Upload(msgspec.Struct, frozen=True, omit_defaults=True):
    operation: str
    success: bool
    key: str
    upload_id: str
    initiated: str
    storage_class: str = ""
    aborted: bool = False
    dry_run: bool = False


class Renderer:
    """Makes lines of the uploads of one bucket."""

    def __init__(self, bucket: str, output: OutputSettings) -> None:
        self._root = f"s3://{bucket}/"
        self._output = output
        self._time = clock_face(RFC3339, end="Z") if output.json else clock_face(TEXT)

    def listed(self, uploads: Sequence[UnfinishedUpload]) -> bytes:
        """A page of them: when each was begun, its storage class, its id and its key, in columns."""
        if self._output.quiet or not uploads:
            return b""
        if self._output.json:
            return event_lines([self._event(one) for one in uploads])
        rows = [
            (self._time(one.initiated_ns), printable(one.storage_class), printable(one.upload_id), printable(one.key))
            for one in uploads
        ]
        kind = max(len(row[1]) for row in rows)
        name = max(len(row[2]) for row in rows)
        return "".join([f"{row[0]}  {row[1]:{kind}}  {row[2]:{name}}  {self._root}{row[3]}\n" for row in rows]).encode()

    def aborted(self, one: UnfinishedUpload) -> bytes:
        """It is gone; in a dry run, it would be."""
        is_dry = self._output.dry_run
        if self._output.quiet and not is_dry:
            return b""
        if self._output.json:
            return event_lines([self._event(one, aborted=not is_dry, dry_run=is_dry)])
        prefix = "(dry run) " if is_dry else ""
        return f"{prefix}abort {self._root}{printable(one.key)} {printable(one.upload_id)}\n".encode()

    def _event(self, one: UnfinishedUpload, *, aborted: bool = False, dry_run: bool = False) -> _Upload:
        return _Upload(
            "uploads",
            success=True,
            key=self._root + one.key,
            upload_id=one.upload_id,
            initiated=self._time(one.initiated_ns),
            storage_class=one.storage_class,
            aborted=aborted,
            dry_run=dry_run,
        )
