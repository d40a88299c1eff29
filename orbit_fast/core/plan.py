"""What to do with one object that was selected: copy it, or leave it and say why.

Conditions combine: every one that the user set must allow the copy. Times are compared in whole seconds, because that
is all that Last-Modified has.
"""

from __future__ import annotations

from typing import Final

from orbit_fast.core.settings import SelectionSettings

COPY: Final = ""
EXISTS: Final = "exists"
SAME_SIZE: Final = "same-size"
NOT_NEWER: Final = "not-newer"
GLACIER: Final = "glacier"

_NS: Final = 1_000_000_000

# GLACIER_IR is not among them: it reads at once.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html
_ARCHIVE_CLASSES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})


def decide(source: tuple[int, int], dest: tuple[int, int] | None, selection: SelectionSettings) -> str:
    """Why the object is left as it is, or ``''`` when it is to be copied.

    Args:
        source: size in bytes and modification time in nanoseconds.
        dest: the same of what stands at the destination, or None where nothing does.
        selection: the conditions.

    Returns:
        `COPY`, `EXISTS`, `SAME_SIZE` or `NOT_NEWER`: the first condition, in this order, that forbids the copy.
    """
    if dest is None:
        return COPY
    if selection.no_clobber:
        return EXISTS
    if selection.if_size_differ and source[0] == dest[0]:
        return SAME_SIZE
    if selection.if_source_newer and not is_newer(source[1], dest[1]):
        return NOT_NEWER
    return COPY


def needs_destination(selection: SelectionSettings) -> bool:
    """Whether `decide` has to be told what stands at the destination; otherwise nobody needs to look."""
    return selection.no_clobber or selection.if_size_differ or selection.if_source_newer


def is_newer(mtime_ns: int, than_ns: int) -> bool:
    """Whether one modification time is later than another, in whole seconds."""
    return mtime_ns // _NS > than_ns // _NS


def is_archived(storage_class: str, restore: str = "") -> bool:
    """Whether the object must be restored before it can be read.

    Args:
        storage_class: S3's name, ``''`` for STANDARD.
        restore: value of ``x-amz-restore``: ``ongoing-request="false"`` means that a restored copy can be read.
    """
    return storage_class in _ARCHIVE_CLASSES and 'ongoing-request="false"' not in restore.replace(" ", "").lower()


def decide_archived(storage_class: str, restore: str, selection: SelectionSettings) -> str:
    """`GLACIER` when the object cannot be read as it is stored, and the user did not insist on trying; else ``''``."""
    if selection.force_glacier_transfer or not is_archived(storage_class, restore):
        return COPY
    return GLACIER
