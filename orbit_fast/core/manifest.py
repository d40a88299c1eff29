"""Lists of objects: what ``--files-from`` reads and ``--manifest-out`` writes.

Three forms are read, told apart by their first line that is not empty:

* *names*, one a line, any bytes but a line feed (a CR at the end belongs to the name). Relative to the source, or whole
  ``s3://`` URLs;
* *events*, JSON Lines as orbit writes them (``--json``, ``--manifest-out``): ``key``, or else ``source``, names the
  object, exactly where there is a ``…_b64`` beside it. Summaries, progress, directories and buckets name none;
* an *inventory*, CSV as S3 Inventory writes it: bucket, URL-encoded key, then other columns. They are known by a header
  (the ``fileSchema`` of the inventory's ``manifest.json``), or by their look. Old versions and delete markers are left
  out: they are not what a key holds.

A line that cannot be read is an error that names its number, never a shorter list.
"""

from __future__ import annotations

import base64
import binascii
import csv
import enum
import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from orbit_fast.core.decode_facts import iso_time_ns
from orbit_fast.core.errors import InvalidConfig
from orbit_fast.core.errors import UnsafePath
from orbit_fast.core.events import Landed
from orbit_fast.core.events import Pair
from orbit_fast.core.model import Checksum
from orbit_fast.core.visible import lossy

MAX_LINE_BYTES: Final = 1 << 20
"""No line of any of the three forms comes near; a file that is no list at all does."""


class ManifestForm(enum.Enum):
    """What a list looks like."""

    NAMES = "names"
    EVENTS = "events"
    INVENTORY = "inventory"


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a list.

    Attributes:
        line: its line, counted from 1.
        name: ``s3://bucket/key``, or a name relative to the source; any bytes.
        size: bytes, or -1 where the list does not say.
        mtime_ns: last modification, nanoseconds since 1970 UTC, or 0.
        etag: without quotes, or ``''``.
        version_id: or ``''``.
        storage_class: or ``''``.
        checksum: or None.
        destination: where it was copied to, or ``b''``.
        source: where it was copied from, in a list of what arrived; or ``b''``.
    """

    line: int
    name: bytes
    size: int = -1
    mtime_ns: int = 0
    etag: str = ""
    version_id: str = ""
    storage_class: str = ""
    checksum: Checksum | None = None
    destination: bytes = b""
    source: bytes = b""


class _Sum(msgspec.Struct, frozen=True):
    algorithm: str
    value: str
    type: str = "FULL_OBJECT"


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    key: str = ""
    key_b64: str = ""
    source: str = ""
    source_b64: str = ""
    destination: str = ""
    destination_b64: str = ""
    operation: str = ""
    type: str = ""
    size: int | None = None
    last_modified: str = ""
    etag: str = ""
    version_id: str = ""
    storage_class: str = ""
    checksum: _Sum | None = None


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode

_NAMELESS: Final = frozenset({"progress", "summary"})
_NO_OBJECTS: Final = frozenset({"directory", "bucket", "delete-marker"})
_SCHEME: Final = b"s3://"

_QUOTED_TWO: Final = re.compile(rb'"[^"]+","[^"]+"(,|\r?\Z)')
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_ETAG: Final = re.compile(r"[0-9a-f]{32}(-[0-9]+)?", re.ASCII)
_BOOLEAN: Final = frozenset({"true", "false"})
_COLUMNS: Final = {
    "bucket": "bucket",
    "key": "key",
    "versionid": "version_id",
    "islatest": "is_latest",
    "isdeletemarker": "is_delete_marker",
    "size": "size",
    "lastmodifieddate": "mtime",
    "etag": "etag",
    "storageclass": "storage_class",
}
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html#storage-inventory-contents"""


# --- reading ----------------------------------------------------------------------------------------------------------


def read_rows(lines: Iterable[bytes], title: str) -> Iterator[ManifestRow]:
    """The objects of a list.

    Args:
        lines: of the file, without their line feeds.
        title: what the user called it, for errors.

    Raises:
        InvalidConfig: a line cannot be read.
    """
    reader = RowReader(title)
    for number, line in enumerate(lines, 1):
        row = reader.read(number, line)
        if row is not None:
            yield row


class RowReader:
    """Reads the lines of a list one by one, for whoever gets them when they come."""

    def __init__(self, title: str) -> None:
        """`title` is what the user called the list, for errors."""
        self._title = title
        self._reader: _Reader | None = None

    def read(self, number: int, line: bytes) -> ManifestRow | None:
        """The object of a line; None where it names none.

        Raises:
            InvalidConfig: it cannot be read.
        """
        if not line:
            return None
        if len(line) > MAX_LINE_BYTES:
            raise InvalidConfig(f"{self._title}:{number}: a line of {len(line)} bytes names no object")
        try:
            if self._reader is None:
                self._reader = _READERS[form_of(line)]()
            return self._reader.read(number, line)
        except InvalidConfig as error:
            raise InvalidConfig(f"{self._title}:{number}: {error.message}") from None


def form_of(line: bytes) -> ManifestForm:
    """What a list looks like whose first line is this."""
    if line.startswith(b"{"):
        try:
            _decode(line)
        except (msgspec.ValidationError, UnicodeDecodeError):
            return ManifestForm.EVENTS  # JSON, and the error is worth telling
        except msgspec.DecodeError:
            return ManifestForm.NAMES
        return ManifestForm.EVENTS
    columns = {column.strip().lower() for column in line.decode("utf-8", "replace").split(",")}
    if {"bucket", "key"} <= columns or _QUOTED_TWO.match(line):
        return ManifestForm.INVENTORY
    return ManifestForm.NAMES


class _Reader:
    """Reads lines of one form; this one, plain names."""

    def read(self, number: int, line: bytes) -> ManifestRow | None:
        """The object of a line; None where it names none."""
        return ManifestRow(line=number, name=line)


class _EventReader(_Reader):
    """JSON Lines."""

    def read(self, number: int, line: bytes) -> ManifestRow | None:
        try:
            event = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"not an event in JSON: {error}") from None
        if event.operation in _NAMELESS or event.type in _NO_OBJECTS:
            return None
        key, source = _exact(event.key, event.key_b64), _exact(event.source, event.source_b64)
        name = key or source
        if not name:
            raise InvalidConfig("names no object: it has neither key nor source")
        if event.size is not None and not 0 <= event.size < 1 << 63:
            raise InvalidConfig("the size is no number of bytes")
        return ManifestRow(
            line=number,
            name=name,
            size=-1 if event.size is None else event.size,
            mtime_ns=_time_ns(event.last_modified),
            etag=event.etag,
            version_id=event.version_id,
            storage_class=event.storage_class,
            checksum=Checksum(event.checksum.algorithm, event.checksum.value, event.checksum.type)
            if event.checksum
            else None,
            destination=_exact(event.destination, event.destination_b64),
            source=source if key else b"",
        )


class _InventoryReader(_Reader):
    """CSV of S3 Inventory."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()

    def read(self, number: int, line: bytes) -> ManifestRow | None:
        fields = _fields(line)
        if not self._columns:
            header = tuple(_COLUMNS.get(field.strip().replace("_", "").lower(), "") for field in fields)
            self._columns = header if {"bucket", "key"} <= {*header} else _columns(fields)
            if self._columns is header:
                return None
        if len(fields) < len(self._columns):
            raise InvalidConfig(f"{len(fields)} columns instead of {len(self._columns)}")
        found = dict(zip(self._columns, fields, strict=False))
        if found.get("is_latest", "true").lower() == "false" or found.get("is_delete_marker", "").lower() == "true":
            return None
        bucket, key = found["bucket"], unquote_to_bytes(found["key"].replace("+", " "))
        if not bucket or not key:
            raise InvalidConfig("the bucket or the key is missing")
        size = found.get("size", "")
        if size and not _NUMBER.fullmatch(size):
            raise InvalidConfig(f"the size is {size[:40]!r}")
        return ManifestRow(
            line=number,
            name=_SCHEME + bucket.encode() + b"/" + key,
            size=int(size) if size else -1,
            mtime_ns=_time_ns(found.get("mtime", "")),
            etag=found.get("etag", "").strip('"'),
            version_id=found.get("version_id", ""),
            storage_class=found.get("storage_class", ""),
        )


_READERS: Final[dict[ManifestForm, type[_Reader]]] = {
    ManifestForm.NAMES: _Reader,
    ManifestForm.EVENTS: _EventReader,
    ManifestForm.INVENTORY: _InventoryReader,
}


def _fields(line: bytes) -> list[str]:
    try:
        text = line.removesuffix(b"\r").decode("utf-8")
        return next(csv.reader([text], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidConfig(f"not a line of an inventory: {error}") from None


def _columns(fields: list[str]) -> tuple[str, ...]:
    """What the columns are, by their look: bucket and key come first, and S3 keeps the others in this order."""
    columns = ["bucket", "key"]
    rest = fields[2:]
    if len(rest) >= 3 and rest[1].lower() in _BOOLEAN and rest[2].lower() in _BOOLEAN:
        columns += ["version_id", "is_latest", "is_delete_marker"]
        rest = rest[3:]
    wanted = {"size", "mtime", "etag", "storage_class"}  # a set: what is no inventory can have a field for every byte
    for field in rest:
        name = ""
        if "size" in wanted and (_NUMBER.fullmatch(field) or not field):
            name = "size"
        elif "mtime" in wanted and "T" in field and field.endswith("Z"):
            name = "mtime"
        elif "etag" in wanted and _ETAG.fullmatch(field.strip('"')):
            name = "etag"
        elif "storage_class" in wanted and field.isupper():
            name = "storage_class"
        wanted.discard(name)
        columns.append(name)
    return tuple(columns)


def _exact(text: str, encoded: str) -> bytes:
    """The bytes of a name: from base64 where it is there, else the text's."""
    if not encoded:
        return text.encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise InvalidConfig(f"not base64: {encoded[:40]!r}") from None


def _time_ns(text: str) -> int:
    if not text:
        return 0
    try:
        return iso_time_ns(text)
    except ValueError as error:
        raise InvalidConfig(str(error)) from None


def relative_name(row: ManifestRow, source: bytes, title: str) -> bytes:
    """What the object of a row is called below the source.

    Of the names that a row may have, the one that lies below the source counts. A plain name is relative already;
    in a directory it may begin with ``./``, as ``find`` writes names, or be the whole path.

    Args:
        row: of the list.
        source: ``s3://bucket/prefix/``, or a directory, with its ``/`` at the end.
        title: what the user called the list, for errors.

    Raises:
        UnsafePath: the row names something that is not below the source.
    """
    is_remote = source.startswith(_SCHEME)
    for name in (row.name, row.destination, row.source):
        is_whole = is_remote or bool(row.destination or row.source) or source.startswith(b"/")
        if is_whole and name.startswith(source) and name != source:
            return name[len(source) :] if is_remote else _below(row, name[len(source) :], source, title)
    if row.name.startswith(_SCHEME):
        raise _outside(row, source, title)
    return row.name if is_remote else _below(row, row.name.removeprefix(b"./"), source, title)


def _below(row: ManifestRow, path: bytes, source: bytes, title: str) -> bytes:
    """The path, which must not lead out of the directory."""
    if b"\0" in path or not _OUTSIDE.isdisjoint(path.removesuffix(b"/").split(b"/")):
        raise _outside(row, source, title)
    return path


_OUTSIDE: Final = frozenset({b"", b".", b".."})


def _outside(row: ManifestRow, source: bytes, title: str) -> UnsafePath:
    what, where = (name.decode("utf-8", "backslashreplace") for name in (row.name, source))
    return UnsafePath(f"{title}:{row.line}: {what} is not below the source, {where}")


# --- writing ----------------------------------------------------------------------------------------------------------


def row_line(row: ManifestRow) -> bytes:
    """The row as a line of JSON, with its line feed; `read_rows` makes the same row of it."""
    key, key_b64 = lossy(row.name)
    source, source_b64 = lossy(row.source)
    destination, destination_b64 = lossy(row.destination)
    checksum = row.checksum
    event = _Event(
        key=key,
        key_b64=key_b64,
        source=source,
        source_b64=source_b64,
        destination=destination,
        destination_b64=destination_b64,
        size=None if row.size < 0 else row.size,
        etag=row.etag,
        version_id=row.version_id,
        storage_class=row.storage_class,
        checksum=_Sum(checksum.algorithm, checksum.value, checksum.kind) if checksum else None,
    )
    return _encode(event) + b"\n"


def landed_line(pair: Pair, landed: Landed) -> bytes:
    """An object that arrived, as a line: it is called as it is called where it is."""
    source, name = (text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text for text in pair)
    row = ManifestRow(
        line=0,
        name=name,
        source=source,
        size=landed.size,
        etag=landed.etag,
        version_id=landed.version_id,
        storage_class=landed.storage_class,
        checksum=landed.checksum,
    )
    return row_line(row)
