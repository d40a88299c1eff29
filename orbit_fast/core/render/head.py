"""``head``: everything that HeadObject or HeadBucket told, as one event or as lines of ``name: value``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from orbit_fast.core.decode_facts import checksum_of_headers
from orbit_fast.core.decode_facts import last_modified_ns
from orbit_fast.core.decode_facts import unquoted
from orbit_fast.core.directory_buckets import MARK
from orbit_fast.core.events import event_line
from orbit_fast.core.model import Checksum
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.units import format_time
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable

_META: Final = "x-amz-meta-"
_CHECKSUM: Final = "x-amz-checksum-"
_OF_THE_EXCHANGE: Final = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "etag",
        "keep-alive",
        "last-modified",
        "server",
        "transfer-encoding",
        "x-amz-id-2",
        "x-amz-request-id",
        MARK,
    },
)
"""Headers that speak of the reply, or that have a field of their own."""

_NUMBERS: Final = frozenset({"missing_meta", "mp_parts_count", "tagging_count"})
_FLAGS: Final = frozenset(
    {"delete_marker", "object_lock_legal_hold_status", "server_side_encryption_bucket_key_enabled"}
)
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_RENAMED: Final = {"mp_parts_count": "parts", "tagging_count": "tags"}


def object_fields(name: str, headers: Mapping[str, str]) -> dict[str, object]:
    """The fields of an object's event.

    Args:
        name: ``s3://bucket/key``.
        headers: of the reply, lower-case names. Those of S3 (``x-amz-…``) and of HTTP that describe the object are all
            taken, in snake_case and without S3's prefix; numbers and flags as such.
    """
    fields: dict[str, object] = {"operation": "head", "success": True, **_named(name), "type": "file"}
    if _NUMBER.fullmatch(headers.get("content-length", "")):
        fields["size"] = int(headers["content-length"])
    if modified_ns := last_modified_ns(headers.get("last-modified", "")):
        fields["last_modified"] = format_time(modified_ns)
    if "etag" in headers:
        fields["etag"] = unquoted(headers["etag"])
    checksum = checksum_of_headers(headers)
    if checksum is not None:
        fields["checksum"] = _checksum_field(checksum)
    metadata: dict[str, str] = {}
    for header, value in sorted(headers.items()):
        if header.startswith(_META):
            metadata[header.removeprefix(_META)] = lossy(value)[0]
        elif header not in _OF_THE_EXCHANGE and not header.startswith(_CHECKSUM):
            _put(fields, header.removeprefix("x-amz-").replace("-", "_"), value)
    if metadata:
        fields["metadata"] = metadata
    return fields


def bucket_fields(name: str, headers: Mapping[str, str]) -> dict[str, object]:
    """The fields of a bucket's event: its region, and whether ``name`` is an access point's alias."""
    fields: dict[str, object] = {"operation": "head", "success": True, **_named(name), "type": "bucket"}
    for header, value in sorted(headers.items()):
        if header.startswith("x-amz-bucket-") or header == "x-amz-access-point-alias":
            fields[header.removeprefix("x-amz-").removeprefix("bucket-").replace("-", "_")] = lossy(value)[0]
    return fields


def render(fields: Mapping[str, object], output: OutputSettings) -> bytes:
    """The event as JSON, or a line for each field; nested ones (metadata, checksum) as ``name.inner``."""
    if output.json:
        return event_line(dict(fields))
    lines = [
        f"{name}: {_text(name, value, output)}\n"
        for name, value in _flat(fields)
        if name not in {"operation", "success", "key_b64"}
    ]
    return "".join(lines).encode()


def _named(name: str) -> dict[str, object]:
    shown, exact = lossy(name)
    return {"key": shown, "key_b64": exact} if exact else {"key": shown}


def _checksum_field(checksum: Checksum) -> dict[str, str]:
    return {"algorithm": checksum.algorithm, "value": checksum.value, "type": checksum.kind}


def _put(fields: dict[str, object], name: str, value: str) -> None:
    if name in _NUMBERS and _NUMBER.fullmatch(value):
        fields[_RENAMED.get(name, name)] = int(value)
    elif name in _FLAGS and value.lower() in {"true", "false"}:
        fields[name] = value.lower() == "true"
    else:
        fields[name] = lossy(value)[0]


def _flat(fields: Mapping[str, object]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            rows += [(f"{name}.{inner}", deeper) for inner, deeper in value.items()]
        else:
            rows.append((name, value))
    return rows


def _text(name: str, value: object, output: OutputSettings) -> str:
    if name == "size" and isinstance(value, int):
        return format_size(value, human=output.human_readable)
    if isinstance(value, bool):
        return str(value).lower()
    return printable(str(value))
