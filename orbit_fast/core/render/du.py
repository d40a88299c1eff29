"""``du``: how much there is, in all or by storage class."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orbit_fast.core.decode_versions import ListedVersion
from orbit_fast.core.events import event_line
from orbit_fast.core.model import Entry
from orbit_fast.core.settings import OutputSettings
from orbit_fast.core.units import format_size
from orbit_fast.core.visible import lossy
from orbit_fast.core.visible import printable

DEFAULT_CLASS: Final = "STANDARD"
"""What an object has whose class a service does not tell."""


@dataclass(slots=True)
class Usage:
    """A sum.

    Attributes:
        count: objects; of versions, each.
        size: their bytes.
        delete_markers: those beside them, which take no room.
    """

    count: int = 0
    size: int = 0
    delete_markers: int = 0


def add(sums: dict[str, Usage], entries: Iterable[Entry | ListedVersion]) -> None:
    """Add objects or versions to the sums of their storage classes."""
    for one in entries:
        name = one.storage_class or DEFAULT_CLASS
        usage = sums.get(name)
        if usage is None:
            usage = sums[name] = Usage()
        if isinstance(one, ListedVersion) and one.is_delete_marker:
            usage.delete_markers += 1
        else:
            usage.count += 1
            usage.size += one.size


def total(sums: Mapping[str, Usage]) -> Usage:
    """The sum of all classes."""
    return Usage(
        count=sum(one.count for one in sums.values()),
        size=sum(one.size for one in sums.values()),
        delete_markers=sum(one.delete_markers for one in sums.values()),
    )


def lines(source: str, sums: Mapping[str, Usage], output: OutputSettings, *, is_grouped: bool) -> bytes:
    """What was found, one line, or one for each storage class by name.

    Args:
        source: the argument, ``s3://bucket/prefix``.
        sums: by storage class.
        output: text or JSON, and how sizes are written.
        is_grouped: by storage class.
    """
    if output.quiet:
        return b""
    rows = [(name, one) for name, one in sorted(sums.items()) if one.count] if is_grouped else [("", total(sums))]
    write = _event if output.json else _text
    return b"".join([write(source, name, usage, output) for name, usage in rows])


def _text(source: str, storage_class: str, usage: Usage, output: OutputSettings) -> bytes:
    """As s5cmd has it; a size for people says its unit itself."""
    size = format_size(usage.size, output.human_readable)
    unit = "" if output.human_readable else " bytes"
    group = f" [{printable(storage_class)}]" if storage_class else ""
    return f"{size}{unit} in {usage.count} objects: {printable(source)}{group}\n".encode()


def _event(source: str, storage_class: str, usage: Usage, _: OutputSettings) -> bytes:
    shown, exact = lossy(source)
    event: dict[str, object] = {"operation": "du", "success": True, "source": shown}
    if exact:
        event["source_b64"] = exact
    if storage_class:
        event["storage_class"] = storage_class
    event |= {"count": usage.count, "size": usage.size}
    if usage.delete_markers:
        event["delete_markers"] = usage.delete_markers
    return event_line(event)
